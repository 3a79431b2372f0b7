//! What every part of a file can do.

use std::ops::Deref;

use serde_json::{Map, Value, json};

use super::diagnostics::Diagnostics;
use super::spanned_text::SpannedText;
use crate::topology::document::yaml::Yaml;
use crate::topology::tree::Node;

/// A part of a file.
pub trait Shape: Sized {
    /// What is expected where it stands, for messages: "a security group".
    const WHAT: &'static str;
    /// Expected where several may stand, for messages: "a list of rules".
    const MANY: &'static str = Self::WHAT;
    /// True if a mapping may stand there.
    const IS_MAPPING: bool = false;
    /// True if one alone is written without a list.
    const ALONE: bool = false;

    /// Its name in the schema; nothing where it is written out wherever it stands.
    fn name() -> Option<String> {
        None
    }

    /// What the schema says of it.
    fn schema(definitions: &mut Definitions) -> Value;

    /// Reads it; nothing if what is there is something else, which is told then.
    fn read(node: &Node, what: &str, told: &mut Diagnostics) -> Option<Self>;

    /// As it is written.
    fn yaml(&self) -> Yaml;
}

/// One of several things, told by the one key of a mapping.
pub trait Tagged: Sized {
    /// As [`Shape::WHAT`].
    const WHAT: &'static str;
    /// Its name in the schema.
    const NAME: &'static str;
    /// Every key.
    const KEYS: &'static [&'static str];
    /// What is told of a mapping with several keys, and what to write.
    const SEVERAL: (&'static str, &'static str);
    /// Keys that other tools have, each with what to write here.
    const OTHERS: &'static [(&'static str, &'static str)];

    /// Reads what stands under one of the keys.
    fn read(key: &str, node: &Node, told: &mut Diagnostics) -> Option<Self>;
    /// The key.
    fn key(&self) -> &'static str;
    /// What is written under it.
    fn value(&self) -> Yaml;
    /// All that it can be.
    fn schema(definitions: &mut Definitions) -> Value;
}

/// What is told of a mapping that must have one key, by the name of what it is.
pub const fn several(name: &str) -> (&'static str, &'static str) {
    match name.as_bytes() {
        b"Stage" => ("an entry of `stages` is one stage", "write a list: [{predict: start}, {fix: {rules: 3}}]"),
        _ => (
            "an entry of `do` holds one operation, since a mapping has no order",
            "write a list: [{stop: web1}, {start: web1}]",
        ),
    }
}

/// A part that is one word or sentence.
pub trait Leaf: Shape + Deref<Target = SpannedText> {
    /// The texts that it may be, where the schema says so.
    const PATTERN: Option<&'static str>;
}

/// The parts of a schema that have names.
#[derive(Default)]
pub struct Definitions(Map<String, Value>);

impl Definitions {
    /// The schema of a part where it stands: a reference, if it has a name.
    pub fn of<T: Shape>(&mut self) -> Value {
        let Some(name) = T::name() else { return T::schema(self) };
        if !self.0.contains_key(&name) {
            // There already for what it holds itself.
            self.0.insert(name.clone(), Value::Null);
            let schema = T::schema(self);
            self.0.insert(name.clone(), schema);
        }
        json!({"$ref": format!("#/definitions/{name}")})
    }

    /// The schema of a whole file, in the draft that editors know best.
    pub fn root<T: Shape>(title: &str) -> Value {
        let mut definitions = Self::default();
        let mut schema = T::schema(&mut definitions);
        if let Value::Object(object) = &mut schema {
            object.insert("$schema".to_owned(), "http://json-schema.org/draft-07/schema#".into());
            object.insert("title".to_owned(), title.into());
            object.insert("definitions".to_owned(), Value::Object(definitions.0));
        }
        schema
    }
}
