//! A document as text: sections line by line, and what is in their entries in braces.

use std::fmt::Write;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::shape::{Node, Value};

/// What is written.
#[derive(Clone, Debug)]
pub enum Yaml {
    /// A text, in quotes where it would be read as something else.
    Word(String),
    /// What is written as it is: a number, or what is YAML already.
    Bare(String),
    /// A list.
    List(Vec<Self>),
    /// A mapping, in its order.
    Map(Vec<(Self, Self)>),
}

impl Yaml {
    /// A mapping of those keys that are said.
    pub fn fields(fields: Vec<(&str, Option<Self>)>) -> Self {
        let said = |(key, value): (&str, Option<Self>)| Some((Self::Word(key.to_owned()), value?));
        Self::Map(fields.into_iter().filter_map(said).collect())
    }

    /// What stands in a tree.
    pub fn of(node: &Node) -> Self {
        match &node.value {
            Value::Scalar(scalar) => Self::Word(scalar.text.clone()),
            Value::Sequence(items) => Self::List(items.iter().map(Self::of).collect()),
            Value::Mapping(entries) => Self::Map(entries.iter().map(|(k, v)| (Self::of(k), Self::of(v))).collect()),
        }
    }

    /// On one line.
    pub fn line(&self) -> String {
        let list = |items: Vec<String>| items.join(", ");
        match self {
            Self::Word(text) => scalar(text),
            Self::Bare(text) => text.clone(),
            Self::List(items) => format!("[{}]", list(items.iter().map(Self::line).collect())),
            Self::Map(entries) => {
                let entry = |(key, value): &(Self, Self)| format!("{}: {}", key.line(), value.line());
                format!("{{{}}}", list(entries.iter().map(entry).collect()))
            }
        }
    }

    /// As a file: each entry of a section has a line, and so has each key of a step and each thing that it does.
    pub fn file(&self) -> String {
        let mut text = String::new();
        let Self::Map(sections) = self else { return self.line() };
        for (key, section) in sections {
            // Writing to a String cannot fail.
            let _ = match section {
                Self::Map(entries) if !entries.is_empty() => {
                    let lines = entries.iter().map(|(name, said)| format!("\n  {}: {}", name.line(), said.line()));
                    writeln!(text, "{}:{}", key.line(), lines.collect::<String>())
                }
                Self::List(items) if items.iter().any(|item| matches!(item, Self::Map(_))) => {
                    writeln!(text, "{}:{}", key.line(), items.iter().map(Self::item).collect::<String>())
                }
                other => writeln!(text, "{}: {}", key.line(), other.line()),
            };
        }
        text
    }

    /// A step.
    fn item(&self) -> String {
        let Self::Map(entries) = self else { return format!("\n  - {}", self.line()) };
        let mut text = String::new();
        for (index, (key, value)) in entries.iter().enumerate() {
            let lead = if index == 0 { "\n  - " } else { "\n    " };
            let _ = match value {
                Self::List(items) if items.iter().any(|item| matches!(item, Self::Map(_))) => {
                    let lines = items.iter().map(|item| match item {
                        Self::Map(one) if one.len() == 1 => {
                            format!("\n      - {}: {}", one[0].0.line(), one[0].1.line())
                        }
                        item => format!("\n      - {}", item.line()),
                    });
                    write!(text, "{lead}{}:{}", key.line(), lines.collect::<String>())
                }
                value => write!(text, "{lead}{}: {}", key.line(), value.line()),
            };
        }
        text
    }
}

/// A text as YAML reads it back as text; JSON's quotes are among YAML's.
fn scalar(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | ' ');
    let words = text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(plain) && !text.ends_with(' ');
    // Words that YAML, or a reader of an older YAML, takes for something else.
    let others = ["yes", "no", "on", "off", "true", "false", "null", "y", "n"];
    let other = others.iter().any(|other| text.eq_ignore_ascii_case(other));
    let address = text.parse::<Ipv4Net>().is_ok() || text.parse::<Ipv4Addr>().is_ok();
    if words && !other || address { text.to_owned() } else { serde_json::Value::from(text).to_string() }
}
