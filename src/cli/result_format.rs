//! Formats of the results of `sglab test`: what can be typed, and what each prints.

use std::io::{Write, stderr, stdout};

use clap::ValueEnum;
use sglab::report::json::{Listed, json};
use sglab::report::{Entry, github};

/// Formats of `test`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ResultFormat {
    /// For people
    Text,
    /// For programs; the shape is in docs/output.md
    Json,
    /// Annotations of a GitHub workflow, beside the text on stderr
    Github,
}

/// Output of a format.
pub(super) struct Output {
    /// Stream of the text for people.
    pub text: TextGoes,
    /// Written to standard output at the end.
    pub document: fn(&[Entry], Listed) -> Result<String, serde_json::Error>,
}

/// Stream of the text for people.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum TextGoes {
    Stdout,
    Stderr,
    Nowhere,
}

impl ResultFormat {
    /// Returns what it prints, and where.
    pub(super) fn output(self) -> Output {
        match self {
            Self::Text => Output { text: TextGoes::Stdout, document: |_, _| Ok(String::new()) },
            Self::Json => Output {
                text: TextGoes::Nowhere,
                document: |entries, listed| json(entries, listed).map(|text| text + "\n"),
            },
            Self::Github => Output { text: TextGoes::Stderr, document: |entries, _| Ok(github::github(entries)) },
        }
    }
}

impl TextGoes {
    /// Writes to it.
    pub(super) fn write(self, text: &str) -> std::io::Result<()> {
        match self {
            Self::Stdout => stdout().write_all(text.as_bytes()),
            Self::Stderr => stderr().write_all(text.as_bytes()),
            Self::Nowhere => Ok(()),
        }
    }
}
