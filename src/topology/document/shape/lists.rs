//! One or many, short or long, and mappings with names as keys.

use std::ops::Deref;

use serde_json::{Value as Json, json};

use super::diagnostics::{At, Diagnostics};
use super::traits::{Definitions, Leaf, Shape, Tagged};
use crate::topology::document::yaml::Yaml;
use crate::topology::problem::{Diagnostic, Span};
use crate::topology::tree::{Kind, Node, Value};

/// Items of a list.
#[derive(Clone, Debug)]
pub struct Items<T> {
    /// Those that could be read.
    pub items: Vec<T>,
    /// Where the list stands, or the only item.
    pub span: Span,
    /// Whether there are others.
    pub unread: bool,
}

impl<T> Default for Items<T> {
    fn default() -> Self {
        Self { items: Vec::new(), span: Span::default(), unread: false }
    }
}

impl<T: Shape> Items<T> {
    fn read(nodes: &[Node], span: Span, told: &mut Diagnostics) -> Self {
        let items: Vec<T> = nodes.iter().filter_map(|node| T::read(node, T::WHAT, told)).collect();
        Self { unread: items.len() < nodes.len(), items, span }
    }

    fn yaml(&self) -> Yaml {
        match self.items.as_slice() {
            [one] if T::ALONE => one.yaml(),
            items => Yaml::List(items.iter().map(Shape::yaml).collect()),
        }
    }
}

/// How a list may be written.
macro_rules! lists {
    ($($(#[$doc:meta])+ $name:ident($one:literal, $empty:literal, $prefix:literal);)+) => {$(
        $(#[$doc])+
        #[derive(Clone, Debug)]
        pub struct $name<T>(pub Items<T>);

        impl<T> Default for $name<T> {
            fn default() -> Self {
                Self(Items::default())
            }
        }

        impl<T> Deref for $name<T> {
            type Target = Items<T>;

            fn deref(&self) -> &Items<T> {
                &self.0
            }
        }

        impl<T> FromIterator<T> for $name<T> {
            fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
                Self(Items { items: items.into_iter().collect(), ..Items::default() })
            }
        }

        impl<T: Shape> Shape for $name<T> {
            const WHAT: &'static str = T::MANY;

            fn name() -> Option<String> {
                T::name().filter(|_| $one).map(|name| format!(concat!($prefix, "{}"), name))
            }

            fn schema(definitions: &mut Definitions) -> Json {
                let item = definitions.of::<T>();
                let many = match $empty {
                    true => json!({"type": "array", "items": item}),
                    false => json!({"type": "array", "items": item, "minItems": 1}),
                };
                if $one { json!({"anyOf": [item, many]}) } else { many }
            }

            fn read(node: &Node, what: &str, told: &mut Diagnostics) -> Option<Self> {
                match &node.value {
                    Value::Sequence(items) => {
                        if items.is_empty() && !$empty {
                            told.report(Diagnostic::new(node.span, format!("expected {what}, found an empty list")));
                        }
                        Some(Self(Items::read(items, node.span, told)))
                    }
                    Value::Scalar(scalar) if $one && scalar.kind() != Kind::Nothing => {
                        Some(Self(Items::read(std::slice::from_ref(node), node.span, told)))
                    }
                    Value::Mapping(_) if $one && T::IS_MAPPING => {
                        Some(Self(Items::read(std::slice::from_ref(node), node.span, told)))
                    }
                    _ => told.expected(node, what, None),
                }
            }

            fn yaml(&self) -> Yaml {
                self.0.yaml()
            }
        }
    )+};
}

lists! {
    /// One, or a list; an empty one is a problem, since it would promise nothing.
    Many(true, false, "OneOrMore");
    /// One, or a list; none at all is fine.
    Any(true, true, "OneOrMany");
    /// A list, and nothing else.
    List(false, true, "ListOf");
}

/// A short form, or a mapping with more to say.
#[derive(Clone, Debug)]
pub enum Or<S, L> {
    /// The short form.
    Short(S),
    /// The mapping.
    Long(L),
}

impl<S: Shape, L: Shape> Shape for Or<S, L> {
    const WHAT: &'static str = S::WHAT;
    const MANY: &'static str = S::MANY;
    const IS_MAPPING: bool = true;

    fn schema(definitions: &mut Definitions) -> Json {
        json!({"anyOf": [definitions.of::<S>(), definitions.of::<L>()]})
    }

    fn read(node: &Node, what: &str, told: &mut Diagnostics) -> Option<Self> {
        match &node.value {
            Value::Mapping(_) => L::read(node, L::WHAT, told).map(Self::Long),
            _ => S::read(node, what, told).map(Self::Short),
        }
    }

    fn yaml(&self) -> Yaml {
        match self {
            Self::Short(short) => short.yaml(),
            Self::Long(long) => long.yaml(),
        }
    }
}

/// A line, or a list.
#[derive(Clone, Debug)]
pub enum Either<S, L> {
    /// The line.
    Line(S),
    /// The list.
    List(L),
}

impl<S: Shape, L: Shape> Shape for Either<S, L> {
    const WHAT: &'static str = S::WHAT;

    fn schema(definitions: &mut Definitions) -> Json {
        json!({"anyOf": [definitions.of::<S>(), definitions.of::<L>()]})
    }

    fn read(node: &Node, what: &str, told: &mut Diagnostics) -> Option<Self> {
        match &node.value {
            Value::Scalar(_) => S::read(node, what, told).map(Self::Line),
            _ => L::read(node, what, told).map(Self::List),
        }
    }

    fn yaml(&self) -> Yaml {
        match self {
            Self::Line(line) => line.yaml(),
            Self::List(list) => list.yaml(),
        }
    }
}

/// A mapping with names as keys.
#[derive(Clone, Debug)]
pub struct Map<K, V> {
    /// Its entries; those that could not be read are among them.
    pub entries: Vec<Entry<K, V>>,
    /// Where it stands.
    pub span: Span,
}

/// An entry of a mapping.
#[derive(Clone, Debug)]
pub struct Entry<K, V> {
    /// The key, where it is one.
    pub key: Option<K>,
    /// Where it stands.
    pub at: Span,
    /// What is there, where that could be read.
    pub value: Option<V>,
}

impl<K, V> Default for Map<K, V> {
    fn default() -> Self {
        Self { entries: Vec::new(), span: Span::default() }
    }
}

impl<K, V> FromIterator<(K, V)> for Map<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let entry = |(key, value)| Entry { key: Some(key), at: Span::default(), value: Some(value) };
        Self { entries: entries.into_iter().map(entry).collect(), span: Span::default() }
    }
}

impl<K, V> Map<K, V> {
    /// One more.
    pub fn push(&mut self, key: K, value: V) {
        self.entries.push(Entry { key: Some(key), at: Span::default(), value: Some(value) });
    }
}

impl<K: Leaf, V: Shape> Shape for Map<K, V> {
    const WHAT: &'static str = V::MANY;
    const IS_MAPPING: bool = true;

    fn schema(definitions: &mut Definitions) -> Json {
        let value = definitions.of::<V>();
        match K::PATTERN {
            Some(pattern) => {
                json!({"type": "object", "additionalProperties": false, "patternProperties": {pattern: value}})
            }
            None => json!({"type": "object", "additionalProperties": value}),
        }
    }

    fn read(node: &Node, what: &str, told: &mut Diagnostics) -> Option<Self> {
        let read = |(key, value): &(Node, Node)| Entry {
            at: key.span,
            key: K::read(key, K::WHAT, told),
            value: V::read(value, V::WHAT, told),
        };
        let entries = match &node.value {
            Value::Mapping(entries) => entries.iter().map(read).collect(),
            _ => return told.expected(node, what, None),
        };
        Some(Self { entries, span: node.span })
    }

    fn yaml(&self) -> Yaml {
        let said = |entry: &Entry<K, V>| Some((entry.key.as_ref()?.yaml(), entry.value.as_ref()?.yaml()));
        Yaml::Map(self.entries.iter().filter_map(said).collect())
    }
}

/// A mapping of one key, which says what it is.
#[derive(Clone, Debug)]
pub struct One<T> {
    /// Where it stands.
    pub at: At,
    /// What it says; more than one thing if that is a mistake.
    pub all: Vec<(Span, T)>,
}

impl<T> From<T> for One<T> {
    fn from(one: T) -> Self {
        Self { at: At::default(), all: vec![(Span::default(), one)] }
    }
}

impl<T: Tagged> Shape for One<T> {
    const WHAT: &'static str = T::WHAT;
    const IS_MAPPING: bool = true;

    fn name() -> Option<String> {
        Some(T::NAME.to_owned())
    }

    fn schema(definitions: &mut Definitions) -> Json {
        T::schema(definitions)
    }

    fn read(node: &Node, what: &str, told: &mut Diagnostics) -> Option<Self> {
        let at = told.fields(node, what, T::KEYS, T::OTHERS)?;
        let mut all = Vec::new();
        let entries = told.mapping(node, what)?;
        for (key, value) in entries {
            let Value::Scalar(scalar) = &key.value else { continue };
            if matches!(&value.value, Value::Mapping(names) if names.is_empty()) {
                told.report(Diagnostic::new(value.span, format!("`{}` names nothing", scalar.text)));
            }
            all.extend(T::read(&scalar.text, value, told).map(|one| (value.span, one)));
        }
        if let Some((key, _)) = entries.get(1) {
            told.report(Diagnostic::new(key.span, T::SEVERAL.0).help(T::SEVERAL.1));
        }
        Some(Self { at, all })
    }

    fn yaml(&self) -> Yaml {
        Yaml::Map(self.all.iter().map(|(_, one)| (Yaml::Bare(one.key().to_owned()), one.value())).collect())
    }
}
