//! Findings of a step besides its checks and its cells.

use std::time::Duration;

use serde::Serialize;

use crate::model::{InstanceName, PrivateIp, PublicIp, SourceLocation};

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
