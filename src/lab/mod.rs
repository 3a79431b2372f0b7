//! The running cloud: applies operations to the state and to the kernel, and probes it.

use std::collections::BTreeMap;
use std::time::Duration;

use indexmap::IndexSet;

use crate::model::{Cloud, Flow, InstanceName, Operation, Refusal, Service};
use crate::probe::Batch;

/// A running cloud.
pub struct Lab {
    cloud: Cloud,
}

/// What the harness listens on, beside what the instances' own services hold.
#[derive(Clone, Debug, Default)]
pub struct Listeners {
    /// Every instance and host listens on these.
    pub columns: IndexSet<Service>,
    /// But not these.
    pub deaf: IndexSet<(InstanceName, Service)>,
}

/// A rule in the kernel: its chain, its id, and the handle that the kernel gave it.
pub type RuleHandles = BTreeMap<(String, String), u64>;

/// Why an operation on a lab failed.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// EC2 would not carry it out; nothing changed.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

impl Lab {
    /// Boots a cloud.
    pub async fn boot(cloud: Cloud, listeners: Listeners) -> Result<Self, LabError> {
        let _ = listeners;
        Ok(Self { cloud })
    }

    /// The state of the cloud now.
    pub fn cloud(&self) -> &Cloud {
        &self.cloud
    }

    /// Carries out an operation, and says how long it took until it was in force.
    pub async fn apply(&mut self, _operation: &Operation) -> Result<Duration, LabError> {
        unimplemented!()
    }

    /// Probes flows, all at once; every outcome rests on evidence.
    pub async fn probe(&mut self, _flows: &[Flow]) -> Result<Batch, LabError> {
        unimplemented!()
    }

    /// The handles of every rule of every security group in the kernel.
    pub async fn rule_handles(&self) -> Result<RuleHandles, LabError> {
        unimplemented!()
    }
}
