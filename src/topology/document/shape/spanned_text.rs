//! A word of a file, and the places of its parts.

use crate::topology::problem::Span;
use crate::topology::tree::{Kind, Scalar};

/// A scalar and where it stands.
#[derive(Clone, Debug)]
pub struct SpannedText {
    scalar: Scalar,
    /// Its place.
    pub span: Span,
}

impl SpannedText {
    /// One that was read.
    pub fn of(scalar: &Scalar, span: Span) -> Self {
        Self { scalar: scalar.clone(), span }
    }

    /// One that stands in a source letter by letter.
    pub fn new(text: &str, span: Span) -> Self {
        Self { scalar: Scalar::new(text, span.start), span }
    }

    /// The same; a plain number that is whole without its digits behind the point, as the schema takes it: `80.0` is 80.
    pub fn whole(scalar: &Scalar, span: Span) -> Self {
        let number = if scalar.kind() == Kind::Number { scalar.text.parse::<f64>().ok() } else { None };
        let is_long = scalar.text.contains(['.', 'e', 'E']);
        match number.filter(|number| is_long && number.fract() == 0.0 && number.abs() < 1e9) {
            Some(number) => Self { scalar: Scalar { text: number.to_string(), start: None, ..scalar.clone() }, span },
            None => Self::of(scalar, span),
        }
    }

    /// Its text.
    pub fn text(&self) -> &str {
        &self.scalar.text
    }

    /// What YAML takes it for.
    pub fn kind(&self) -> Kind {
        self.scalar.kind()
    }

    /// The place of a word that was cut out of its text.
    pub fn part(&self, word: &str) -> Span {
        let from = (word.as_ptr() as usize).wrapping_sub(self.text().as_ptr() as usize);
        match (from.checked_add(word.len()), self.scalar.start) {
            (Some(to), Some(start)) if to <= self.text().len() => Span { start: start + from, end: start + to },
            _ => self.span,
        }
    }

    /// A word that was cut out of its text, as one of its own.
    pub fn cut(&self, word: &str) -> Self {
        let span = self.part(word);
        let letter_by_letter = self.scalar.start.is_some() && span.end - span.start == word.len();
        let start = letter_by_letter.then_some(span.start);
        Self { scalar: Scalar { text: word.to_owned(), plain: false, start }, span }
    }

    /// The same word, where its source stands behind so many bytes of another.
    pub fn moved(&self, by: usize) -> Self {
        let Self { scalar, span } = self;
        let scalar = Scalar { start: scalar.start.map(|start| start + by), ..scalar.clone() };
        Self { scalar, span: Span { start: span.start + by, end: span.end + by } }
    }

    /// As [`Self::part`]; all of it for a word that is not there.
    pub fn part_or_all(&self, word: &str) -> Span {
        if word.is_empty() { self.span } else { self.part(word) }
    }
}
