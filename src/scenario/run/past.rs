//! State that steps leave to those after them.

use indexmap::{IndexMap, IndexSet};

use super::super::connection_tracker::ConnectionTracker;
use super::super::coverage::ExercisedRules;
use super::super::results::Class;
use crate::model::Flow;

/// State that the steps before left to those after.
#[derive(Default)]
pub(super) struct Past {
    /// The cells of the step before.
    pub(super) last: IndexMap<Flow, Class>,
    /// Flows of which model and kernel have said different things.
    pub(super) known: IndexSet<Flow>,
    /// The connections that are held, with what the model remembers of them.
    pub(super) followed: ConnectionTracker,
    pub(super) met: ExercisedRules,
    /// True if results are to be kept.
    pub(super) keeps: bool,
}
