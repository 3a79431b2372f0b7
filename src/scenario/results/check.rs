//! One expectation of a step, held against what was found.

use std::fmt;

use serde::{Serialize, Serializer};

use super::details::{Details, Section, Words};
use crate::model::Place;

/// Result of one expectation of a step. Evaluators make it, reports read it.
///
/// ```text
/// connection session: expected cut, observed alive
/// subject             expected      observed
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What it is about: `connection session`; empty where `expected` names it.
    pub subject: String,
    /// What was expected: a word or two, or the whole expectation in the words of the file.
    pub expected: String,
    /// What was found.
    pub observed: String,
    /// What the two come to.
    pub status: CheckStatus,
    /// Why that was found, where something is known of it.
    pub reason: Option<String>,
    /// Who expects it.
    pub said: Said,
    /// What depends on the kind of expectation.
    pub details: Details,
}

/// What a check comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CheckStatus {
    /// What was found is what was expected.
    Passed,
    /// It is something else.
    Failed,
    /// Nothing proves either.
    Inconclusive,
}

/// Something expected: the words of the file, and where they stand.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Said {
    /// Such as `table two-tier, which opens no such cell`.
    pub words: String,
    /// Where.
    pub place: Place,
}

impl CheckStatus {
    /// Names it in JSON, for a check without a word of its own.
    fn proof(self) -> &'static str {
        match self {
            Self::Passed => "right",
            Self::Failed => "wrong",
            Self::Inconclusive => "unproved",
        }
    }
}

impl Check {
    /// Tells whether what was found is what was expected.
    pub fn is_passed(&self) -> bool {
        self.status == CheckStatus::Passed
    }

    /// Tells whether it is known to be something else.
    pub fn is_failed(&self) -> bool {
        self.status == CheckStatus::Failed
    }

    /// Tells whether nothing proves either.
    pub fn is_inconclusive(&self) -> bool {
        self.status == CheckStatus::Inconclusive
    }

    /// Gives the place where the file expects it.
    pub fn place(&self) -> &Place {
        &self.said.place
    }

    /// Tells whether `expected` is the whole expectation, in the words of the file.
    pub fn is_statement(&self) -> bool {
        self.expected == self.said.words
    }

    /// Gives the list of a report that it stands in; none for a cell.
    pub fn section(&self) -> Option<Section> {
        self.details.section()
    }

    /// Names what was found, in words that do not change from run to run.
    pub fn word(&self) -> &str {
        self.details.word(self.words())
    }

    fn words(&self) -> Words<'_> {
        Words {
            expected: &self.expected,
            observed: &self.observed,
            reason: self.reason.as_deref(),
            proof: self.status.proof(),
        }
    }
}

/// Writes one sentence: `connection session: expected cut, observed alive`.
impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.subject.is_empty() {
            write!(f, "{}: ", self.subject)?;
        }
        write!(f, "expected {}, observed {}", self.expected, self.observed)
    }
}

/// Writes what `docs/output.md` tells of it: what its kind has, then `right` and `place`.
impl Serialize for Check {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Document<'a, T> {
            #[serde(flatten)]
            kind: T,
            right: bool,
            place: &'a Place,
        }
        Document { kind: self.details.fields(self.words()), right: self.is_passed(), place: self.place() }
            .serialize(serializer)
    }
}
