//! Cures that need nobody's judgement, and their outcomes.

use serde::Serialize;

use crate::model::SourceLocation;

/// A cure that needs nobody's judgement: who reaches whom is the same with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fix {
    /// Cut the rule out of its group.
    CutRule,
    /// Cut the comment that allows.
    CutAllowance,
}

/// A finding that was to be mended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fixed {
    /// The check.
    pub check: &'static str,
    /// The cure.
    pub fix: Fix,
    /// The group and its rule, or the check that was allowed.
    pub subject: String,
    /// The place before anything was cut.
    pub place: SourceLocation,
    /// The same over runs.
    pub fingerprint: String,
}

/// Findings that were to be mended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fixes {
    /// Mended.
    pub done: Vec<Fixed>,
    /// Not mended, each with the reason.
    pub left: Vec<(Fixed, String)>,
    /// The file that has been written anew; nothing where none was, as in a trial.
    pub written: Option<String>,
    /// The difference of the file before and after, as `diff -u` tells it; empty where there is none.
    pub diff: String,
}
