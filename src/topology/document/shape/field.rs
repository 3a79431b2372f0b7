//! What a mapping has under a key.

use super::diagnostics::Diagnostics;
use super::traits::Shape;
use crate::topology::document::yaml::Yaml;
use crate::topology::problem::Span;
use crate::topology::tree::{Node, Value};

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

    /// Returns true if the key is there, be it with something that could not be read.
    pub fn is_there(&self) -> bool {
        self.key.is_some()
    }

    /// Returns true if the key is there, with something that could not be read.
    pub fn is_unread(&self) -> bool {
        self.key.is_some() && self.value.is_none()
    }

    /// The key's place, with what is said.
    pub fn entry(&self) -> Option<(Span, &T)> {
        Some((self.key?, self.value.as_ref()?))
    }
}

/// What a mapping has under a key.
pub fn field<T: Shape>(node: &Node, key: &str, what: &str, told: &mut Diagnostics) -> Field<T> {
    let Value::Mapping(entries) = &node.value else { return Field::default() };
    let found = entries.iter().find(|(k, _)| matches!(&k.value, Value::Scalar(scalar) if scalar.text == key));
    let Some((key, value)) = found else { return Field::default() };
    Field { key: Some(key.span), value: T::read(value, what, told) }
}

/// What is written of a field, if anything is said.
pub fn said<T: Shape>(field: &Field<T>) -> Option<Yaml> {
    field.get().map(Shape::yaml)
}
