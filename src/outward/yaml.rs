//! Values of a CloudFormation template, as YAML with short tags.

use std::fmt::Write;

use super::names::Language;
use super::names::literal;

/// A value.
pub enum Yaml {
    /// A text in quotes.
    Text(String),
    /// A number, a boolean, or a tag with what follows it on its line: `!Ref Vpc`.
    Plain(String),
    List(Vec<Yaml>),
    Map(Vec<(String, Yaml)>),
}

impl Yaml {
    pub fn text(words: &str) -> Self {
        Self::Text(literal(Language::CloudFormation, words).into_owned())
    }

    pub fn reference(name: &str) -> Self {
        Self::Plain(format!("!Ref {name}"))
    }

    pub fn attribute(name: &str, attribute: &str) -> Self {
        Self::Plain(format!("!GetAtt {name}.{attribute}"))
    }

    /// A map of the keys that have a value.
    pub fn map<const N: usize>(keys: [(&str, Option<Yaml>); N]) -> Self {
        Self::Map(keys.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect())
    }

    /// Writes what stands behind `key:` or `-`, with its line's end.
    pub fn write(&self, out: &mut String, indent: usize) {
        let margin = "  ".repeat(indent);
        match self {
            Self::Text(words) => {
                let _ = writeln!(out, " {}", quoted(words));
            }
            Self::Plain(words) => {
                let _ = writeln!(out, " {words}");
            }
            Self::List(items) if items.is_empty() => out.push_str(" []\n"),
            Self::Map(entries) if entries.is_empty() => out.push_str(" {}\n"),
            Self::List(items) => {
                out.push('\n');
                for item in items {
                    let _ = write!(out, "{margin}-");
                    item.write_item(out, indent + 1);
                }
            }
            Self::Map(entries) => {
                out.push('\n');
                for (key, value) in entries {
                    let _ = write!(out, "{margin}{key}:");
                    value.write(out, indent + 1);
                }
            }
        }
    }

    /// Writes an item of a list: the first key of a map stands on its line.
    fn write_item(&self, out: &mut String, indent: usize) {
        match self {
            Self::Map(entries) if !entries.is_empty() => {
                for (index, (key, value)) in entries.iter().enumerate() {
                    let margin = if index == 0 { " ".to_owned() } else { "  ".repeat(indent) };
                    let _ = write!(out, "{margin}{key}:");
                    value.write(out, indent + 1);
                }
            }
            other => other.write(out, indent),
        }
    }
}

/// A text in double quotes: those of JSON are YAML's, too.
fn quoted(words: &str) -> String {
    serde_json::Value::from(words).to_string()
}
