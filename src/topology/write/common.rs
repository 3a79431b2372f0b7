//! Helpers that the parts of the writer share.

use indexmap::IndexSet;

use super::super::document::shape::{Field, Many};
use super::super::document::words::Name;
use super::super::expected::ExpectedOutcome;
use super::super::patterns::Egress;
use crate::model::{GroupName, Operation};
use crate::topology::document::scenario::Verb;
use crate::topology::document::shape::{One, Shape};

/// Reasons why a cloud cannot be written as a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unwritable {
    /// It says something for which the format has no words.
    #[error("{0}")]
    NoWords(String),
    /// The file written is not read as the same cloud: a mistake of this module.
    #[error("the file would not say the same: {0}")]
    ReadsDifferently(String),
}

/// Expectations of the last step of a written file. Flows are as a file says them; they name nothing that has an address of its own.
#[derive(Clone, Debug)]
pub enum Promise {
    /// A table, and of the flows that it opens those that a load balancer closes.
    Table {
        /// Hosts that are receivers.
        egress: Egress,
        /// Open flows.
        open: Vec<String>,
        /// Closed flows.
        closed: Vec<String>,
        /// The columns to name where nothing is open.
        ports: Vec<String>,
    },
    /// Flows by what becomes of them.
    Flows(Vec<(ExpectedOutcome, Vec<String>)>),
    /// No rule changes.
    RulesUnchanged,
    /// Nothing: the file is of a cloud only.
    Nothing,
}

/// Returns true if a group is one of those of EC2-Classic's load balancers, whose names a file cannot give.
pub fn is_amazons(group: &GroupName) -> bool {
    group.as_str().contains('/')
}

/// Returns a value that differs from the usual one, else nothing.
pub(super) fn unless<T: PartialEq, S: From<T>>(own: T, usual: T) -> Field<S> {
    (own != usual).then(|| S::from(own)).into()
}

/// Groups by their names.
pub(super) fn names(groups: &IndexSet<GroupName>) -> Field<Many<Name<GroupName>>> {
    Field::all(groups.iter().map(|group| Name::from(group.as_str())))
}

/// Writes an operation as an entry of a file's `do:`; in its own few words where a file needs more of the cloud than the operation says.
pub fn operation(operation: &Operation) -> String {
    let Some(verb) = Verb::of(operation) else { return operation.to_string() };
    let entry = One::from(verb).yaml().line();
    // A list of one entry needs no braces.
    entry.strip_prefix('{').and_then(|entry| entry.strip_suffix('}')).unwrap_or(&entry).to_owned()
}
