//! Values of a template once their functions are evaluated.

use std::borrow::Cow;

use super::super::tree::Node;

/// A value and the place that says it.
#[derive(Clone)]
pub struct Found<'t> {
    pub node: Node<'t>,
    pub value: Value<'t>,
}

/// A value. An object's own values are evaluated when they are asked for.
#[derive(Clone)]
pub enum Value<'t> {
    /// It is not there, or `AWS::NoValue`.
    Absent,
    /// A string, a number or a truth.
    Text(Cow<'t, str>),
    /// A value of a resource of this template that is known after the stack is made only.
    Refers(Reference<'t>),
    List(Vec<Found<'t>>),
    Object(Node<'t>),
    /// It may be anything, for this reason.
    Unknown(String),
}

/// `Ref` or `Fn::GetAtt` of a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference<'t> {
    /// The logical id.
    pub resource: &'t str,
    /// The attribute; none for `Ref`.
    pub attribute: Option<String>,
}

impl Reference<'_> {
    /// The reason why it is no text.
    pub fn why(&self) -> String {
        let Self { resource, attribute } = self;
        let attribute = attribute.iter().map(|name| format!(".{name}")).collect::<String>();
        format!("`{resource}{attribute}` is known after the stack is made")
    }
}

/// A value of one type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told<T> {
    Is(T),
    Absent,
    /// It cannot be told, for this reason.
    Unknown(String),
}

impl<T> Told<T> {
    /// Returns the value, if it is told.
    pub fn known(self) -> Option<T> {
        match self {
            Self::Is(value) => Some(value),
            Self::Absent | Self::Unknown(_) => None,
        }
    }

    pub fn map<U>(self, to: impl FnOnce(T) -> U) -> Told<U> {
        match self {
            Self::Is(value) => Told::Is(to(value)),
            Self::Absent => Told::Absent,
            Self::Unknown(why) => Told::Unknown(why),
        }
    }
}

impl<'t> Found<'t> {
    pub fn new(node: Node<'t>, value: Value<'t>) -> Self {
        Self { node, value }
    }

    pub fn absent(node: Node<'t>) -> Self {
        Self::new(node, Value::Absent)
    }

    pub fn unknown(node: Node<'t>, why: impl Into<String>) -> Self {
        Self::new(node, Value::Unknown(why.into()))
    }

    /// Returns true if nothing is said.
    pub fn is_absent(&self) -> bool {
        matches!(self.value, Value::Absent)
    }

    /// Its elements, those of lists in it as well; a single value is a list of one.
    pub fn elements(self) -> Vec<Self> {
        match self.value {
            Value::Absent => Vec::new(),
            Value::List(elements) => elements.into_iter().flat_map(Self::elements).collect(),
            _ => vec![self],
        }
    }
}
