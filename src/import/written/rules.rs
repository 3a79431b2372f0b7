//! Rules of an account in the words of a topology.

use indexmap::IndexSet;
use ipnet::IpNet;

use super::making::Making;
use crate::account::{Known, Peer, Reason, Rule, SecurityGroup};
use crate::model::{Peer as ModelPeer, SourceLocation};

impl Making<'_> {
    /// The rules of a group that a topology can hold, each once, with their places; the others are listed.
    pub fn rules(
        &mut self,
        group: &SecurityGroup,
        rules: &[Rule],
        preposition: &str,
    ) -> (Vec<String>, Vec<SourceLocation>) {
        let mut written: IndexSet<String> = IndexSet::new();
        let mut places = Vec::new();
        for rule in rules {
            let Known::Is(traffic) = &rule.traffic else {
                self.leave_out("rule", Reason::UnknownValue("its traffic".to_owned()), &rule.origin);
                continue;
            };
            let peer = match self.peer(group, &rule.peer) {
                Ok(peer) => peer,
                Err(reason) => {
                    self.leave_out("rule", reason, &rule.origin);
                    continue;
                }
            };
            for peer in std::iter::once(peer).chain(self.holders(&rule.peer)) {
                let words = format!("{traffic} {preposition} {peer}");
                // Twins come of blocks with other host bits.
                if written.insert(words) {
                    places.push(rule.origin.place.clone());
                }
            }
        }
        (written.into_iter().collect(), places)
    }

    /// The Elastic IPs of the account's own addresses in a block: a lab gives their holders others.
    fn holders(&self, peer: &Peer) -> Vec<String> {
        let Peer::Block(block) = peer else { return Vec::new() };
        let own = self.elastic_ips.iter().filter(|(address, _)| block.prefix_len() > 0 && block.contains(*address));
        let mut own: Vec<_> = own.collect();
        own.sort();
        own.into_iter().map(|(_, name)| name.clone()).collect()
    }

    fn peer(&self, group: &SecurityGroup, peer: &Peer) -> Result<String, Reason> {
        match peer {
            Peer::Block(IpNet::V6(block)) if block.prefix_len() == 0 => Ok("::/0".to_owned()),
            Peer::Block(block) => {
                let elastic =
                    self.elastic_ips.get(&block.addr()).filter(|_| block.prefix_len() == block.max_prefix_len());
                Ok(elastic.cloned().unwrap_or_else(|| ModelPeer::Cidr(*block).to_string()))
            }
            Peer::Group(id) => {
                let other = self.account.groups.get(id).ok_or_else(|| Reason::StaleReference(id.to_string()))?;
                if other.vpc.is_some() && group.vpc.is_some() && other.vpc != group.vpc {
                    return Err(Reason::StaleReference(format!("{id} of another VPC")));
                }
                self.groups.get(id).cloned().ok_or_else(|| Reason::StaleReference(id.to_string()))
            }
            Peer::PrefixList(id) => {
                self.lists.get(id).cloned().ok_or_else(|| Reason::UnknownValue(format!("the entries of {id}")))
            }
            Peer::Unknown(why) => Err(Reason::UnknownValue(why.clone())),
        }
    }
}
