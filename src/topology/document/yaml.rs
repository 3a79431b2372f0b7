//! A document as text: sections line by line, and what is in their entries in braces as long as that fits on a line.

use std::fmt::Write;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use crate::topology::tree::{Node, Value};

/// A longer line is broken.
const WIDTH: usize = 120;

/// Value to write.
#[derive(Clone, Debug)]
pub enum Yaml {
    /// A text, in quotes where it would be read as something else.
    Scalar(String),
    /// What needs no quotes: a number, or a word of the format.
    Bare(String),
    /// A list.
    List(Vec<Self>),
    /// A mapping, in its order.
    Map(Vec<(Self, Self)>),
}

impl Yaml {
    /// A mapping of those keys that are said.
    pub fn fields(fields: Vec<(&str, Option<Self>)>) -> Self {
        let said = |value: Option<Self>| value.filter(|value| !matches!(value, Self::Map(none) if none.is_empty()));
        let said = |(key, value): (&str, _)| Some((Self::Bare(key.to_owned()), said(value)?));
        Self::Map(fields.into_iter().filter_map(said).collect())
    }

    /// With more keys.
    pub fn and(self, more: &[(String, String)]) -> Self {
        let more = more.iter().map(|(key, value)| (Self::Scalar(key.clone()), Self::Scalar(value.clone())));
        match self {
            Self::Map(entries) => Self::Map(entries.into_iter().chain(more).collect()),
            other => other,
        }
    }

    /// What stands in a tree.
    pub fn of(node: &Node) -> Self {
        match &node.value {
            Value::Scalar(scalar) => Self::Scalar(scalar.text.clone()),
            Value::Sequence(items) => Self::List(items.iter().map(Self::of).collect()),
            Value::Mapping(entries) => Self::Map(entries.iter().map(|(k, v)| (Self::of(k), Self::of(v))).collect()),
        }
    }

    /// On one line.
    pub fn line(&self) -> String {
        let list = |items: Vec<String>| items.join(", ");
        match self {
            Self::Scalar(text) => scalar(text),
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
        if let Self::Map(sections) = self {
            sections.iter().for_each(|(key, section)| section.under(key, ("", ""), 0, &mut text));
        }
        text
    }

    /// Under a key. `lead` stands before the key, and `indent` before what follows; `depth` is 0 for a section, 1 in a step.
    fn under(&self, key: &Self, (lead, indent): (&str, &str), depth: usize, text: &mut String) {
        let (key, line, deeper) = (key.line(), self.line(), format!("{indent}  "));
        let wide = lead.len() + key.len() + line.len() > WIDTH;
        // Writing to a String cannot fail.
        let _ = match self {
            Self::Map(entries) if !entries.is_empty() && (depth == 0 || wide) => {
                let _ = writeln!(text, "{lead}{key}:");
                entries.iter().for_each(|(key, value)| value.under(key, (&deeper, &deeper), 2, text));
                Ok(())
            }
            Self::List(items) if wide || depth < 2 && items.iter().any(|item| matches!(item, Self::Map(_))) => {
                let _ = writeln!(text, "{lead}{key}:");
                items.iter().for_each(|item| item.listed(&deeper, depth, text));
                Ok(())
            }
            _ => writeln!(text, "{lead}{key}: {line}"),
        };
    }

    /// As an item of a list.
    fn listed(&self, indent: &str, depth: usize, text: &mut String) {
        let (first, others) = (format!("{indent}- "), format!("{indent}  "));
        match self {
            Self::Map(entries) if depth == 0 || depth == 1 && entries.len() == 1 => {
                for (index, (key, value)) in entries.iter().enumerate() {
                    value.under(key, (if index == 0 { &first } else { &others }, &others), depth + 1, text);
                }
            }
            _ => {
                let _ = writeln!(text, "{first}{}", self.line());
            }
        }
    }
}

/// A text as YAML reads it back as text; JSON's quotes, which can hold any, are among YAML's.
fn scalar(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | ' ');
    let words = text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(plain) && !text.ends_with(' ');
    // Words that YAML, or a reader of an older YAML, takes for something else.
    let others = ["yes", "no", "on", "off", "true", "false", "null", "y", "n"];
    let other = others.iter().any(|other| text.eq_ignore_ascii_case(other));
    let address = text.parse::<Ipv4Net>().is_ok() || text.parse::<Ipv4Addr>().is_ok();
    let quotable = text.bytes().all(|b| b == b' ' || b.is_ascii_graphic() && !matches!(b, b'\'' | b'\\'));
    match (words && !other || address, quotable) {
        (true, _) => text.to_owned(),
        (false, true) => format!("'{text}'"),
        (false, false) => serde_json::Value::from(text).to_string(),
    }
}
