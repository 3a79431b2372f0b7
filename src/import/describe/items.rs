//! Keys that items of every reply have.

use super::super::reader::Reader;
use super::super::tree::Node;
use crate::account::Tags;

/// The value of the tag `Name`.
pub fn name_tag(item: Node<'_>) -> Option<&str> {
    tag(item, "Name")
}

/// The tags by which an item is found again in another source.
pub fn tags(item: Node<'_>) -> Tags {
    let own = |key| tag(item, key).map(str::to_owned);
    Tags { logical_id: own("aws:cloudformation:logical-id"), name: own("Name") }
}

/// The value of a tag, unless it is empty. An interface has its tags in `TagSet`.
pub fn tag<'t>(item: Node<'t>, key: &str) -> Option<&'t str> {
    let tag = item.items_of("Tags").chain(item.items_of("TagSet")).find(|tag| tag.text_of("Key") == Some(key))?;
    tag.text_of("Value").filter(|value| !value.trim().is_empty())
}

/// The id of an item; one that has none is a mistake.
pub fn id_of<'t>(reader: &mut Reader<'_>, item: Node<'t>, key: &str) -> Option<&'t str> {
    let id = item.text_of(key);
    if id.is_none() {
        reader.lacks(item, "this item", key);
    }
    id
}
