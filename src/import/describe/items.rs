//! Keys that items of every reply have.

use super::super::builder::Reader;
use super::super::tree::Node;

/// The value of the tag `Name`. An interface has its tags in `TagSet`.
pub fn name_tag(item: Node<'_>) -> Option<&str> {
    tag(item, "Name")
}

/// The value of a tag, unless it is empty.
pub fn tag<'t>(item: Node<'t>, key: &str) -> Option<&'t str> {
    let tag = item.items_of("Tags").chain(item.items_of("TagSet")).find(|tag| tag.text_of("Key") == Some(key))?;
    tag.text_of("Value").filter(|name| !name.trim().is_empty())
}

/// The id of an item; one that has none is a mistake.
pub fn id_of<'t>(reader: &mut Reader<'_>, item: Node<'t>, key: &str) -> Option<&'t str> {
    let id = item.text_of(key);
    if id.is_none() {
        reader.lacks(item, "this item", key);
    }
    id
}
