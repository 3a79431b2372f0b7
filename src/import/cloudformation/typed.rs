//! Values of the types that properties have. One of another type is a mistake, one that is not known has its reason.

use std::borrow::Cow;

use ipnet::IpNet;

use super::super::builder::TagsOf;
use super::super::fault::Mistake;
use super::super::reader::Reader;
use super::super::tree::Node;
use super::super::words;
use super::functions::{self, Failed};
use super::resource::Resource;
use super::template::Template;
use super::value::{Found, Told, Value};
use crate::account::{ResourceId, Tags};

impl<'t> Template<'t> {
    /// Notes the tags by which a resource is found again in an account.
    pub fn tag(&self, reader: &mut Reader<'_>, resource: &Resource<'t>, id: ResourceId) {
        let tags = self.elements_of(resource.properties, "Tags").unwrap_or_default();
        let name = tags.into_iter().find_map(|tag| match tag.value {
            Value::Object(tag) if self.known_text(tag, "Key").as_deref() == Some("Name") => {
                self.known_text(tag, "Value")
            }
            _ => None,
        });
        let tags = Tags { logical_id: Some(resource.name.to_owned()), name };
        reader.into.tags(id, tags, TagsOf::Itself);
    }

    /// The text of a value.
    pub fn text(&self, found: &Found<'t>) -> Told<Cow<'t, str>> {
        if found.is_absent() {
            return Told::Absent;
        }
        match functions::text(found) {
            Ok(text) => Told::Is(text),
            Err(Failed::Unknown(why)) => Told::Unknown(why),
            Err(Failed::Mistake(message)) => {
                self.mistake(Mistake::new(found.node.start(), message));
                Told::Unknown("a mistake".to_owned())
            }
        }
    }

    /// The text of a property.
    pub fn text_of(&self, object: Node<'t>, key: &str) -> Told<Cow<'t, str>> {
        self.text(&self.property(object, key))
    }

    /// The text of a property where it is known.
    pub fn known_text(&self, object: Node<'t>, key: &str) -> Option<String> {
        let found = self.property(object, key);
        // A text that is only shown may be of any type.
        functions::text(&found).ok().map(Cow::into_owned)
    }

    /// The truth of a property.
    pub fn truth_of(&self, object: Node<'t>, key: &str) -> Told<bool> {
        let found = self.property(object, key);
        let Told::Is(text) = self.text(&found) else { return self.text(&found).map(|_| false) };
        match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" => Told::Is(true),
            "false" | "no" | "off" => Told::Is(false),
            _ => {
                self.mistake(Mistake::new(found.node.start(), format!("`{key}` is true or false")));
                Told::Unknown("a mistake".to_owned())
            }
        }
    }

    /// The whole number of a property.
    pub fn number_of(&self, object: Node<'t>, key: &str) -> Told<i64> {
        let found = self.property(object, key);
        let Told::Is(text) = self.text(&found) else { return self.text(&found).map(|_| 0) };
        match text.trim().parse() {
            Ok(number) => Told::Is(number),
            Err(_) => {
                self.mistake(Mistake::new(found.node.start(), format!("`{key}` is no number")).value(&text));
                Told::Unknown("a mistake".to_owned())
            }
        }
    }

    /// The elements of a property, or the reason why they are not known. An element may be unknown itself.
    pub fn elements_of(&self, object: Node<'t>, key: &str) -> Result<Vec<Found<'t>>, String> {
        let found = self.property(object, key);
        match found.value {
            Value::Unknown(why) => Err(why),
            _ => Ok(found.elements()),
        }
    }

    /// The objects in a property, or the reason why one of them is not known.
    pub fn objects_of(&self, of: Node<'t>, key: &str) -> Result<Vec<Node<'t>>, String> {
        let object = |found: Found<'t>| match found.value {
            Value::Object(node) => Some(Ok(node)),
            Value::Unknown(why) => Some(Err(why)),
            Value::Refers(reference) => Some(Err(reference.why())),
            Value::Absent => None,
            Value::Text(_) | Value::List(_) => {
                self.mistake(Mistake::new(found.node.start(), format!("`{key}` has objects")));
                None
            }
        };
        self.elements_of(of, key)?.into_iter().filter_map(object).collect()
    }

    /// A block of addresses.
    pub fn block(&self, reader: &mut Reader<'_>, resource: &str, found: &Found<'t>) -> Told<IpNet> {
        match self.text(found) {
            Told::Is(text) => match words::block(&text) {
                Ok(block) => Told::Is(block),
                Err(wrong) => {
                    reader.wrong(found.node, resource, wrong);
                    Told::Unknown("a mistake".to_owned())
                }
            },
            Told::Absent => Told::Absent,
            Told::Unknown(why) => Told::Unknown(why),
        }
    }
}
