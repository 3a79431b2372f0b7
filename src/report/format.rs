//! Formats of the results of `sglab test`: what can be typed, and what each prints.

use clap::ValueEnum;

use super::Entry;
use super::json::{Listed, json};

mod github;

pub(super) use github::github;

/// Formats of `test`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ResultFormat {
    /// For people
    Text,
    /// For programs; the shape is in docs/output.md
    Json,
    /// Annotations of a GitHub workflow, beside the text on stderr
    Github,
}

/// Output of a format.
pub struct Output {
    /// Stream of the text for people.
    pub text: TextGoes,
    /// Written to standard output at the end.
    pub document: fn(&[Entry], Listed) -> Result<String, serde_json::Error>,
}

/// Stream of the text for people.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum TextGoes {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// None: the document says it all.
    Nowhere,
}

impl ResultFormat {
    /// Returns what it prints, and where.
    pub fn output(self) -> Output {
        match self {
            Self::Text => Output { text: TextGoes::Stdout, document: |_, _| Ok(String::new()) },
            Self::Json => Output {
                text: TextGoes::Nowhere,
                document: |entries, listed| json(entries, listed).map(|text| text + "\n"),
            },
            Self::Github => Output { text: TextGoes::Stderr, document: |entries, _| Ok(github(entries)) },
        }
    }
}
