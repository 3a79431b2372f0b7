//! Blocks of Terraform's language, laid out as `terraform fmt` does.

use std::fmt::Write;

/// Beginnings of ids of EC2.
const IDS: [&str; 4] = ["vpc-", "subnet-", "i-", "eni-"];

/// A block with its attributes, and blocks inside.
pub struct Block {
    head: String,
    attributes: Vec<(String, String)>,
    blocks: Vec<Block>,
}

impl Block {
    /// `resource "TYPE" "NAME"`.
    pub fn resource(kind: &str, name: &str) -> Self {
        Self::new(&format!("resource {} {}", text(kind), text(name)))
    }

    pub fn new(head: &str) -> Self {
        Self { head: head.to_owned(), attributes: Vec::new(), blocks: Vec::new() }
    }

    /// An attribute with an expression.
    pub fn is(mut self, name: &str, expression: impl Into<String>) -> Self {
        self.attributes.push((name.to_owned(), expression.into()));
        self
    }

    /// Adds the attribute if there is an expression.
    pub fn maybe(self, name: &str, expression: Option<String>) -> Self {
        match expression {
            Some(expression) => self.is(name, expression),
            None => self,
        }
    }

    /// The tag `Name`, where a label is a name that somebody gave: neither an id of EC2 nor what a resource of Terraform is called in its files.
    pub fn named(self, label: &str, resource: &str) -> Self {
        let is_id = label == resource && IDS.iter().any(|kind| resource.starts_with(kind));
        let is_declared = ["aws_", "module.", "data."].iter().any(|kind| resource.starts_with(kind));
        let tags = format!("{{ Name = {} }}", text(label));
        self.maybe("tags", (!is_id && !is_declared).then_some(tags))
    }

    pub fn with(mut self, block: Block) -> Self {
        self.blocks.push(block);
        self
    }

    pub fn render(&self, indent: usize) -> String {
        let margin = "  ".repeat(indent);
        let mut out = String::new();
        let width = self.attributes.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        let _ = writeln!(out, "{margin}{} {{", self.head);
        for (name, expression) in &self.attributes {
            let _ = writeln!(out, "{margin}  {name:width$} = {expression}");
        }
        for (index, block) in self.blocks.iter().enumerate() {
            if index > 0 || !self.attributes.is_empty() {
                out.push('\n');
            }
            out += &block.render(indent + 1);
        }
        let _ = writeln!(out, "{margin}}}");
        out
    }
}

/// A text in quotes, in which nothing is an expression.
pub fn text(words: &str) -> String {
    let mut out = String::from("\"");
    let mut chars = words.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '$' | '%' if chars.peek() == Some(&'{') => {
                out.push(c);
                out.push(c);
            }
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A list of expressions.
pub fn list(expressions: impl IntoIterator<Item = String>) -> String {
    format!("[{}]", expressions.into_iter().collect::<Vec<_>>().join(", "))
}
