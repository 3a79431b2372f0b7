//! Findings of a step besides its checks and its cells, and evidence kept of it for later.

use std::time::Duration;

use serde::Serialize;

use crate::lab::Captured;
use crate::model::{InstanceName, PrivateIp, PublicIp, SourceLocation};
use crate::probe::Observation;

/// Something wrong that is not a matter of one cell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Sentence that says it.
    pub text: String,
    /// The expectation or the operation that it is about.
    pub place: SourceLocation,
}

/// Effects of a step's operations besides what was probed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effects {
    /// Instances that hold other addresses than before the step.
    pub addresses: Vec<AddressChange>,
    /// Rules added, removed or replaced in the kernel by the step, where the step asks for it.
    pub rules_edited: Option<usize>,
    /// Time until the changes of the step were in force; nothing for a step without any.
    pub in_force: Option<Duration>,
}

/// An instance that holds other addresses than before the step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AddressChange {
    /// Instance that holds them.
    pub instance: InstanceName,
    /// Its private address before.
    pub private_before: Option<PrivateIp>,
    /// Its private address now.
    pub private_now: Option<PrivateIp>,
    /// Its public address before.
    pub public_before: Option<PublicIp>,
    /// Its public address now.
    pub public_now: Option<PublicIp>,
}

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
