//! A lab's kernel at a moment: rulesets and tracked flows, for whoever has to find out why it did what it did, and what each rule has matched.

use std::collections::{BTreeMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use super::booted::Lab;
use super::error::LabError;
use super::listeners::Listeners;
use crate::fabric::faults::Faults;
use crate::fabric::{Namespace, conntrack, nft};
use crate::model::{Cloud, Flow, RuleId};
use crate::network::names::{group_chains, is_group_chain};
use crate::network::{NodeKind, NodeName};
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
            testimony.tracked.push((name.clone(), conntrack::flows_in_words(namespace, addresses).await?));
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

/// A rule in the kernel: its chain, its id, and the handle that the kernel gave it.
pub type RuleHandles = BTreeMap<(String, String), u64>;

/// Number of packets that each rule of the security groups matched, also those that are gone.
pub type RulePackets = BTreeMap<RuleId, u64>;

impl Lab {
    /// The handles of every rule of every security group in the kernel.
    ///
    /// # Errors
    /// nft's own words.
    pub async fn rule_handles(&self) -> Result<RuleHandles, LabError> {
        let mut handles = RuleHandles::new();
        for (name, node) in &self.state.network().nodes {
            let Some(ruleset) = node.ruleset.as_ref().filter(|_| node.kind == NodeKind::Router) else { continue };
            let groups: HashSet<&str> = group_chains(ruleset).collect();
            for rule in nft::rules(self.state.fabric().node(name)?).await? {
                if groups.contains(rule.chain.as_str()) {
                    handles.insert((rule.chain, rule.id), rule.handle);
                }
            }
        }
        Ok(handles)
    }

    /// Counts the packets that each rule of a security group matched, new flows and untracked ones under way, in all of the lab's life.
    ///
    /// # Errors
    /// nft's own words.
    pub async fn rule_packets(&self) -> Result<RulePackets, LabError> {
        let mut packets = RulePackets::new();
        for (name, _) in self.state.network().nodes.iter().filter(|(_, node)| node.kind == NodeKind::Router) {
            for rule in nft::counted(self.state.fabric().node(name)?).await? {
                let id = rule.id.split('/').next().and_then(|id| id.parse().ok());
                if let Some(id) = id.filter(|_| is_group_chain(&rule.chain)) {
                    *packets.entry(id).or_default() += rule.packets.unwrap_or(0);
                }
            }
        }
        Ok(packets)
    }
}
