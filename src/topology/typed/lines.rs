//! Words that were typed, put together as a text of lines, into which problems point.

use crate::model::Direction;
use crate::topology::document::shape::{Any, Entry, Field, Many, Map, SpannedText};
use crate::topology::document::words::Name;
use crate::topology::grammar::{RuleWords, TypedRule};
use crate::topology::problem::{Diagnostic, Span};

/// Arguments, a line each.
#[derive(Clone, Debug, Default)]
pub(in crate::topology) struct Lines {
    pub text: String,
}

impl Lines {
    /// Adds an argument.
    pub fn word(&mut self, argument: &str) -> SpannedText {
        let start = self.text.len();
        // It is shown on one line, whatever it has in it.
        self.text.push_str(&argument.replace(['\n', '\r'], " "));
        let span = Span { start, end: self.text.len() };
        self.text.push('\n');
        SpannedText::new(argument, span)
    }

    /// Adds a rule, and reads it unless that is done already.
    pub fn rule(&mut self, rule: &TypedRule, direction: Direction) -> Result<RuleWords, Vec<Diagnostic>> {
        let word = self.word(&rule.text);
        match &rule.words {
            Some(words) => Ok(words.moved(word.span.start)),
            None => RuleWords::parse(&word, Some(direction)),
        }
    }

    /// Adds arguments, and makes a list of them.
    pub fn all<T, L: FromIterator<T>>(
        &mut self,
        arguments: impl IntoIterator<Item: AsRef<str>>,
        make: fn(SpannedText) -> T,
    ) -> L {
        arguments.into_iter().map(|argument| make(self.word(argument.as_ref()))).collect()
    }

    /// Adds names.
    pub fn many<T>(&mut self, arguments: &[String]) -> Many<Name<T>> {
        self.all(arguments, Name::from)
    }

    /// Adds names, as a field that is left out where there are none.
    pub fn names<T>(&mut self, names: &[String]) -> Field<Many<Name<T>>> {
        (!names.is_empty()).then(|| self.many(names)).into()
    }

    /// Adds words, as a field that is left out where there are none.
    pub fn some<T>(&mut self, arguments: &[String], make: fn(SpannedText) -> T) -> Field<Any<T>> {
        (!arguments.is_empty()).then(|| self.all(arguments, make)).into()
    }

    /// Adds an argument that may be left out.
    pub fn field<T>(&mut self, argument: Option<&String>, make: fn(SpannedText) -> T) -> Field<T> {
        argument.map(|argument| make(self.word(argument))).into()
    }

    /// Adds a key, and then its value.
    pub fn entry<K, V>(
        &mut self,
        argument: &str,
        key: fn(SpannedText) -> K,
        value: impl FnOnce(&mut Self) -> V,
    ) -> Map<K, V> {
        let word = self.word(argument);
        let at = word.span;
        let entry = Entry { key: Some(key(word)), at, value: Some(value(self)) };
        Map { entries: vec![entry], span: at }
    }
}
