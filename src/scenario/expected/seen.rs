//! Findings of a step that its evaluators are given.

use crate::model::Cloud;

/// Findings of a step before its evaluators are asked.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'s> {
    /// The cloud now.
    pub now: &'s Cloud,
    /// True if flow logs are kept.
    pub keeps_flow_log: bool,
}
