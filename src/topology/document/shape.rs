//! How a type stands for a part of a file: read off the tree with every problem told, described to editors, and written.
//!
//! Structs derive it (`#[derive(Shape)]`): each field is a key. What else a file is made of is here and in `words`.

mod lists;
mod schema;
mod told;

pub use super::super::problem::Span;
pub use super::super::tree::{Kind, Node, Value};
pub use super::yaml::Yaml;
pub use lists::{Any, Either, Entry, Items, List, Many, Map, One, Or};
pub use schema::{Definitions, Described, described, mapping_schema, merged, one_of_schema};
pub use told::Told;

/// A part of a file.
pub trait Shape: Sized {
    /// What is expected where it stands, for messages: "a security group".
    const WHAT: &'static str;
    /// Expected where several may stand, for messages: "a list of rules".
    const MANY: &'static str = Self::WHAT;
    /// Whether a mapping may stand there.
    const IS_MAPPING: bool = false;
    /// Whether one alone is written without a list.
    const ALONE: bool = false;

    /// Its name in the schema; nothing where it is written out wherever it stands.
    fn name() -> Option<String> {
        None
    }

    /// What the schema says of it.
    fn schema(definitions: &mut Definitions) -> serde_json::Value;

    /// Reads it; nothing if what is there is something else, which is told then.
    fn read(node: &Node, what: &str, told: &mut Told) -> Option<Self>;

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

    /// Reads what stands under one of the keys.
    fn read(key: &str, node: &Node, told: &mut Told) -> Option<Self>;
    /// The key.
    fn key(&self) -> &'static str;
    /// What is written under it.
    fn value(&self) -> Yaml;
    /// All that it can be.
    fn schema(definitions: &mut Definitions) -> serde_json::Value;
}

/// What a mapping has under a key, if it has the key.
#[derive(Clone, Debug)]
pub struct Field<T> {
    /// Where the key stands.
    pub key: Option<Span>,
    /// Nothing where the key is not there, or what is there could not be read.
    value: Option<T>,
}

/// The type of a field, for the derived code.
pub trait Keyed {
    /// What is under the key.
    type Value;
}

impl<T> Keyed for Field<T> {
    type Value = T;
}

impl<T> Default for Field<T> {
    fn default() -> Self {
        Self { key: None, value: None }
    }
}

impl<T> From<Option<T>> for Field<T> {
    fn from(value: Option<T>) -> Self {
        value.map_or_else(Self::default, Self::of)
    }
}

impl<T> Field<T> {
    /// As a program says it, which has no place.
    pub fn of(value: T) -> Self {
        Self { key: Some(Span::default()), value: Some(value) }
    }

    /// The same with a list or a mapping.
    pub fn all<I>(items: impl IntoIterator<Item = I>) -> Self
    where
        T: FromIterator<I>,
    {
        Self::of(items.into_iter().collect())
    }

    /// What a program is to say more of.
    pub fn get_or(&mut self, empty: T) -> &mut T {
        self.key = Some(self.key.unwrap_or_default());
        self.value.get_or_insert(empty)
    }

    /// As [`Self::get_or`], beginning with nothing.
    pub fn get_mut(&mut self) -> &mut T
    where
        T: Default,
    {
        self.get_or(T::default())
    }

    /// What is said under the key.
    pub fn get(&self) -> Option<&T> {
        self.value.as_ref()
    }

    /// Whether the key is there, be it with something that could not be read.
    pub fn is_there(&self) -> bool {
        self.key.is_some()
    }

    /// Whether the key is there, with something that could not be read.
    pub fn is_unread(&self) -> bool {
        self.key.is_some() && self.value.is_none()
    }

    /// The key's place, with what is said.
    pub fn entry(&self) -> Option<(Span, &T)> {
        Some((self.key?, self.value.as_ref()?))
    }
}

/// Where a mapping stands, and what of it nobody knows.
#[derive(Clone, Debug, Default)]
pub struct At {
    /// Its place.
    pub span: Span,
    /// How many keys it has.
    pub keys: usize,
    /// Under keys that the format has not: what seems to be missing may be said there.
    pub unknown: Vec<Node>,
}

impl At {
    /// Whether a key is unknown.
    pub fn misspelt(&self) -> bool {
        !self.unknown.is_empty()
    }
}

/// What a mapping has under a key.
pub fn field<T: Shape>(node: &Node, key: &str, what: &str, told: &mut Told) -> Field<T> {
    let Value::Mapping(entries) = &node.value else { return Field::default() };
    let found = entries.iter().find(|(k, _)| matches!(&k.value, Value::Scalar(scalar) if scalar.text == key));
    let Some((key, value)) = found else { return Field::default() };
    Field { key: Some(key.span), value: T::read(value, what, told) }
}

/// What is written of a field, if anything is said.
pub fn said<T: Shape>(field: &Field<T>) -> Option<Yaml> {
    field.get().map(Shape::yaml)
}
