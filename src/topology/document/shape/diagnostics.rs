//! What is wrong with the shape of a file, and the kinds of things that can be expected.

use std::ops::RangeInclusive;

use super::spanned_text::SpannedText;
use crate::model::suggest;
use crate::topology::document::not_emulated::not_emulated;
use crate::topology::problem::{Diagnostic, Span, quote};
use crate::topology::tree::{Kind, Node, Value};

/// Where a mapping stands, and what of it nobody knows.
#[derive(Clone, Debug, Default)]
pub struct At {
    /// Its place.
    pub span: Span,
    /// Number of its keys.
    pub keys: usize,
    /// Under keys that the format has not: what seems to be missing may be said there.
    pub unknown: Vec<Node>,
}

impl At {
    /// True if a key is unknown.
    pub fn misspelt(&self) -> bool {
        !self.unknown.is_empty()
    }
}

/// The problems so far.
pub struct Diagnostics<'p>(pub &'p mut Vec<Diagnostic>);

impl Diagnostics<'_> {
    /// Notes a problem.
    pub fn report(&mut self, draft: Diagnostic) {
        self.0.push(draft);
    }

    /// Something else stands there than what is expected.
    pub fn expected<T>(&mut self, node: &Node, what: &str, help: Option<String>) -> Option<T> {
        let found = node.describe();
        self.report(Diagnostic::new(node.span, format!("expected {what}, found {found}")).maybe_help(help));
        None
    }

    /// A mapping with keys of the author's choosing.
    pub fn mapping<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n [(Node, Node)]> {
        match &node.value {
            Value::Mapping(entries) => Some(entries),
            _ => self.expected(node, what, None),
        }
    }

    /// A mapping whose keys are known; others are reported. `others` are keys of other tools, each with what to write here.
    pub fn fields(&mut self, node: &Node, what: &str, known: &[&str], others: &[(&str, &str)]) -> Option<At> {
        let entries = self.mapping(node, what)?;
        let mut at = At { span: node.span, keys: entries.len(), unknown: Vec::new() };
        for (key, value) in entries {
            let Value::Scalar(scalar) = &key.value else {
                self.expected::<()>(key, "a key", None);
                continue;
            };
            if known.contains(&scalar.text.as_str()) {
                continue;
            }
            at.unknown.push(value.clone());
            let said = match &value.value {
                Value::Scalar(said) => Some(said.text.as_str()),
                _ => None,
            };
            let is_others = others.iter().any(|(theirs, _)| *theirs == scalar.text);
            if let Some(message) = not_emulated(&scalar.text, said).filter(|_| !is_others) {
                self.report(Diagnostic::new(key.span, message).help("docs/semantics.md lists what is not emulated"));
                continue;
            }
            let help = match scalar.text.as_str() {
                "<<" => "merge keys are not part of this format: use a plain alias, or write it out".to_owned(),
                word => others
                    .iter()
                    .find(|(theirs, _)| *theirs == word)
                    .map(|(_, help)| (*help).to_owned())
                    .or_else(|| suggest(word, known.iter().copied()))
                    .unwrap_or_else(|| format!("known here: {}", known.join(", "))),
            };
            self.report(Diagnostic::new(key.span, format!("unknown key {}", quote(&scalar.text))).help(help));
        }
        Some(at)
    }

    /// Any scalar but nothing at all.
    pub fn scalar(&mut self, node: &Node, what: &str) -> Option<SpannedText> {
        match &node.value {
            Value::Scalar(scalar) if scalar.kind() != Kind::Nothing => Some(SpannedText::of(scalar, node.span)),
            _ => self.expected(node, what, None),
        }
    }

    /// Any scalar but nothing at all, where numbers are whole.
    pub fn whole(&mut self, node: &Node, what: &str) -> Option<SpannedText> {
        match &node.value {
            Value::Scalar(scalar) if scalar.kind() != Kind::Nothing => Some(SpannedText::whole(scalar, node.span)),
            _ => self.expected(node, what, None),
        }
    }

    /// Text, or a truth value, which is the word `yes` or `no` then.
    pub fn truth_or_text(&mut self, node: &Node, what: &str) -> Option<SpannedText> {
        match node.truth() {
            Some(truth) => Some(SpannedText::new(if truth { "yes" } else { "no" }, node.span)),
            None => self.text(node, what),
        }
    }

    /// Text, or what looks like a number.
    pub fn number_or_text(&mut self, node: &Node, what: &str) -> Option<SpannedText> {
        match &node.value {
            Value::Scalar(scalar) if scalar.kind() == Kind::Number => Some(SpannedText::whole(scalar, node.span)),
            _ => self.text(node, what),
        }
    }

    /// Text. A plain number or truth value is none; in quotes it would be.
    pub fn text(&mut self, node: &Node, what: &str) -> Option<SpannedText> {
        let word = self.scalar(node, what)?;
        if word.kind() == Kind::Text {
            return Some(word);
        }
        self.expected(node, what, Some(format!("in quotes it would be text: \"{}\"", word.text())))
    }

    /// A whole number of a range, quoted or not.
    pub fn number(&mut self, node: &Node, what: &str, range: RangeInclusive<u32>) -> Option<u32> {
        match &node.value {
            Value::Scalar(scalar) => self.number_of(&SpannedText::whole(scalar, node.span), what, range),
            _ => self.expected(node, what, None),
        }
    }

    /// A word as a whole number of a range.
    pub fn number_of(&mut self, word: &SpannedText, what: &str, range: RangeInclusive<u32>) -> Option<u32> {
        let text = word.text();
        let help = format!("a whole number from {} to {}", range.start(), range.end());
        let message = if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
            let too = match text.parse() {
                Ok(number) if range.contains(&number) => return Some(number),
                Ok(number) if number < *range.start() => "small",
                _ => "large",
            };
            format!("{} is too {too} for {what}", quote(text))
        } else {
            format!("expected {what}, found {}", quote(text))
        };
        self.report(Diagnostic::new(word.span, message).help(help));
        None
    }

    /// One of a few words. A truth value is taken for `yes` or `on`, `no` or `off`, where that is one of them.
    pub fn choice<T: Copy>(&mut self, node: &Node, what: &str, choices: &[(&str, T)]) -> Option<T> {
        if let Some(truth) = node.truth()
            && let Some((_, value)) = choices.iter().find(|(word, _)| means(truth, word))
        {
            return Some(*value);
        }
        let word = self.text(node, what)?;
        let word = word.text();
        if let Some((_, value)) = choices.iter().find(|(known, _)| *known == word) {
            return Some(*value);
        }
        let words: Vec<&str> = choices.iter().map(|choice| choice.0).collect();
        let help = suggest(word, words.iter().copied()).unwrap_or_else(|| format!("one of: {}", words.join(", ")));
        self.report(Diagnostic::new(node.span, format!("{} is not {what}", quote(word))).help(help));
        None
    }
}

/// Returns true if a word means this truth value.
pub fn means(truth: bool, word: &str) -> bool {
    if truth { matches!(word, "yes" | "on") } else { matches!(word, "no" | "off") }
}
