//! Rulesets and tracked flows of a lab's kernel at a moment, for whoever has to find out why it did what it did.

use std::net::IpAddr;
use std::sync::Arc;

use super::booted::Lab;
use super::error::LabError;
use super::listeners::Listeners;
use crate::fabric::faults::Faults;
use crate::fabric::{Namespace, nft, tracked};
use crate::model::{Cloud, Flow};
use crate::network::NodeName;
use crate::probe::Batch;

/// The rulesets and the tracked flows of a lab's kernel, by namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KernelSnapshot {
    /// Every ruleset as nft lists it.
    pub rulesets: Vec<(NodeName, String)>,
    /// The tracked flows that have one of the addresses asked for, a line each.
    pub tracked: Vec<(NodeName, Vec<String>)>,
}

impl Lab {
    /// Reads the kernel's rulesets, and the tracked flows of some addresses.
    ///
    /// # Errors
    /// The kernel's or nft's own words.
    pub async fn kernel_snapshot(&self, addresses: &[IpAddr]) -> Result<KernelSnapshot, LabError> {
        let mut testimony = KernelSnapshot::default();
        for (name, node) in &self.state.network().nodes {
            if node.ruleset.is_none() {
                continue;
            }
            let namespace: &Arc<Namespace> = self.state.fabric().node(name)?;
            testimony.rulesets.push((name.clone(), nft::ruleset(namespace).await?));
            testimony.tracked.push((name.clone(), tracked::flows(namespace, addresses).await?));
        }
        Ok(testimony)
    }

    /// Probes one flow in another lab, which is made for it and goes with it. What is altered here is altered there.
    ///
    /// # Errors
    /// As [`Lab::boot`] and [`Lab::probe`].
    pub async fn elsewhere(&self, cloud: Cloud, listeners: Listeners, flow: &Flow) -> Result<Batch, LabError> {
        let mut lab = Self::boot_as(cloud, listeners, self.alteration.clone(), Faults::default(), None).await?;
        lab.probe(std::slice::from_ref(flow)).await
    }
}
