//! Evidence kept of a step for later.

use crate::lab::Captured;
use crate::probe::Observation;

/// At most so many cells of a step are probed again under a capture: a ruleset that opens everything fails everywhere.
pub const MAX_CAPTURED: usize = 16;

/// Evidence kept of a step.
#[derive(Clone, Debug)]
pub struct StepEvidence {
    /// The ruleset that the compiler makes of the cloud at the end of the step, as text.
    pub compiled: String,
    /// Every probe.
    pub probes: Vec<Observation>,
    /// Failing cells, probed again under a capture.
    pub captured: Vec<Captured>,
    /// Failing cells beyond [`MAX_CAPTURED`].
    pub not_captured: usize,
}
