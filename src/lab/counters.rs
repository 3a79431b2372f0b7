//! The rules of security groups in the kernel, and how many packets each has matched.

use std::collections::{BTreeMap, HashSet};

use super::booted::Lab;
use super::error::LabError;
use crate::fabric::nft;
use crate::model::RuleId;
use crate::network::NodeKind;
use crate::network::names::{group_chains, is_group_chain};

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
