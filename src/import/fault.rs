//! Mistakes of sources, each with its place. The excerpt is the value that is wrong, and no more of its line: a source may hold secrets.

use std::fmt;

use crate::model::{SourceLocation, shown};
use crate::topology::{Source, Span};

/// Longest value that is shown, in characters.
const MAX_SHOWN: usize = 60;
/// Most mistakes that are shown; a source with more is broken in one way that repeats.
const MAX_FAULTS: usize = 100;

/// A mistake before its place is known.
#[derive(Clone, Debug)]
pub(super) struct Mistake {
    span: Span,
    message: String,
    value: Option<String>,
    help: Option<String>,
}

impl Mistake {
    pub fn new(span: Span, message: impl Into<String>) -> Self {
        Self { span, message: message.into(), value: None, help: None }
    }

    /// With the value that is wrong: one that import reads, so no secret.
    pub fn value(mut self, value: &str) -> Self {
        self.value = Some(value.to_owned());
        self
    }

    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub fn maybe_help(self, help: Option<String>) -> Self {
        match help {
            Some(help) => self.help(help),
            None => self,
        }
    }

    pub fn span(&self) -> Span {
        self.span
    }

    pub fn message(&self) -> &str {
        &self.message
    }

    pub fn placed(self, source: &Source) -> Fault {
        let Self { span, message, value, help } = self;
        Fault { place: source.place(span), message, value, help }
    }
}

/// One mistake of a source.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Fault {
    /// File, line and column.
    pub place: SourceLocation,
    /// The mistake.
    pub message: String,
    /// The value that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Advice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

impl Fault {
    /// Takes out what is a secret, a part of one, or has one in it.
    pub(super) fn conceal(&mut self, secrets: &[&str]) {
        const INSTEAD: &str = "(secret)";
        let shows = |text: &str| {
            !text.is_empty() && secrets.iter().any(|secret| text.contains(*secret) || secret.contains(text))
        };
        for text in [Some(&mut self.message), self.help.as_mut()].into_iter().flatten() {
            // Values stand between backticks.
            let parts = text.split('`').enumerate();
            let parts: Vec<&str> =
                parts.map(|(at, part)| if at % 2 == 1 && shows(part) { INSTEAD } else { part }).collect();
            *text = parts.join("`");
        }
        if let Some(value) = self.value.as_mut().filter(|value| shows(value)) {
            INSTEAD.clone_into(value);
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}\n --> {}", shown(&self.message), self.place)?;
        let help = self.help.as_deref().map(shown);
        let Some(value) = &self.value else {
            return help.map_or(Ok(()), |help| write!(f, "\n  = help: {help}"));
        };
        let text: String = shown(value).chars().take(MAX_SHOWN).collect();
        let carets = "^".repeat(text.chars().count().max(1));
        write!(f, "\n  |\n  | {text}\n  | {carets}")?;
        help.map_or(Ok(()), |help| write!(f, " {help}"))
    }
}

/// All that is wrong with some sources; never empty.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Faults {
    /// The first of them, in the order of the sources.
    pub faults: Vec<Fault>,
    /// So many more there are.
    pub left_out: usize,
}

impl Faults {
    pub(super) fn new(mut faults: Vec<Fault>) -> Self {
        let left_out = faults.len().saturating_sub(MAX_FAULTS);
        faults.truncate(MAX_FAULTS);
        Self { faults, left_out }
    }
}

impl std::error::Error for Faults {}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.faults.iter().enumerate() {
            let before = if index == 0 { "" } else { "\n\n" };
            write!(f, "{before}{fault}")?;
        }
        if self.left_out > 0 {
            write!(f, "\n\nerror: {} more mistakes are not shown", self.left_out)?;
        }
        Ok(())
    }
}
