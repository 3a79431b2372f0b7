//! Findings of a step that its evaluators are given.

use indexmap::IndexMap;

use crate::model::{Cloud, Flow};
use crate::probe::Outcome;

/// Findings of a step before its evaluators are asked.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'s> {
    /// The cloud now.
    pub now: &'s Cloud,
    /// Outcomes of all flows that were probed: the grid, the step's own, and those asked for besides.
    #[allow(dead_code, reason = "no evaluator here judges cells yet")]
    pub observed: &'s IndexMap<Flow, Outcome>,
    /// Cells of the grid; none where the step has no table.
    #[allow(dead_code, reason = "no evaluator here judges cells yet")]
    pub grid: &'s [Flow],
    /// True if flow logs are kept.
    pub keeps_flow_log: bool,
}
