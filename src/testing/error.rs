//! Errors of a test's lab.

use std::fmt;

use crate::fabric::FabricError;
use crate::lab::LabError;
use crate::model::{Refusal, RefusalCode, suggest};
use crate::scenario::RunError;
use crate::topology::Problems;

/// Error for which something in a test's lab could not be done. `Debug` says what `Display` says, since that is what a test shows that ends with `?`.
#[derive(thiserror::Error)]
pub enum Error {
    /// A topology, an operation or a flow cannot be read.
    #[error("{0}")]
    Words(#[from] Problems),
    /// Nobody has this name.
    #[error("there is no {what} `{name}`{}", said(.suggestion.as_deref()))]
    Unknown {
        /// Kind of the name, such as `instance`.
        what: &'static str,
        /// Name that was asked for.
        name: String,
        /// "did you mean ...?"
        suggestion: Option<String>,
    },
    /// The words of a flow mean nobody now, or somebody that has no such address.
    #[error("{0}")]
    NoFlow(String),
    /// EC2 would not carry an operation out; nothing changed.
    #[error(transparent)]
    Refused(Refusal),
    /// The lab could not be booted, or has failed.
    #[error(transparent)]
    Lab(LabError),
    /// A scenario could not be run to its end.
    #[error(transparent)]
    Scenario(RunError),
    /// The instance does not run, so nothing runs in it.
    #[error("{0} does not run")]
    NotRunning(String),
    /// The instance was stopped, rebooted, crashed or terminated while this ran in it.
    #[error("{0} was stopped, and what ran in it has ended")]
    Stopped(String),
    /// Nothing can be run in a namespace of the lab.
    #[error(transparent)]
    Inside(FabricError),
    /// A file cannot be read.
    #[error("failed to read {file}: {source}")]
    File {
        /// Path of the file.
        file: String,
        /// The OS error.
        source: std::io::Error,
    },
}

impl Error {
    /// The code that EC2 refuses with, if it is a refusal.
    pub fn refusal(&self) -> Option<RefusalCode> {
        match self {
            Self::Refused(refusal) => Some(refusal.code),
            _ => None,
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<LabError> for Error {
    fn from(error: LabError) -> Self {
        match error {
            LabError::Refused(refusal) => Self::Refused(refusal),
            other => Self::Lab(other),
        }
    }
}

impl From<RunError> for Error {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Boot(error) => error.into(),
            other => Self::Scenario(other),
        }
    }
}

fn said(suggestion: Option<&str>) -> String {
    suggestion.map_or_else(String::new, |suggestion| format!("; {suggestion}"))
}

/// Says that nobody has a name, and which is like it.
pub(super) fn unknown<'a>(what: &'static str, name: &str, known: impl IntoIterator<Item = &'a str>) -> Error {
    Error::Unknown { what, name: name.to_owned(), suggestion: suggest(name, known) }
}
