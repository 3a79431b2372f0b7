//! Rules of an account in the words of a topology, and hosts outside for the blocks that they name, so that what they admit is asked of somebody.

use std::collections::HashSet;
use std::net::IpAddr;

use indexmap::{IndexMap, IndexSet};
use ipnet::IpNet;

use super::making::Making;
use crate::account::{Interface, Known, Peer, Public, Reason, Rule, SecurityGroup};
use crate::model::reserved_addresses::{is_global, taken_blocks};
use crate::model::{Peer as ModelPeer, SourceLocation};
use crate::topology::Builder;

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

/// More hosts make a table that nobody reads.
const MAX_HOSTS: usize = 40;

impl<'a> Making<'a> {
    /// Adds a host for each block outside that rules name.
    pub fn hosts(&mut self, mut builder: Builder) -> Builder {
        let account = self.account;
        let rules = account.groups.values().flat_map(|group| group.ingress.iter().chain(&group.egress));
        let blocks = rules.flat_map(|rule| match &rule.peer {
            Peer::Block(block) => std::slice::from_ref(block),
            Peer::PrefixList(id) => {
                account.prefix_lists.get(id).and_then(|list| list.entries.known()).map_or(&[][..], Vec::as_slice)
            }
            Peer::Group(_) | Peer::Unknown(_) => &[],
        });
        let own = self.public_addresses();
        let mut hosts: IndexMap<IpAddr, IpNet> = IndexMap::new();
        for &block in blocks {
            let address = if block.prefix_len() == 0 { None } else { first_host(block) };
            if let Some(address) = address.filter(|address| self.is_outside(*address, &own)) {
                hosts.entry(address).or_insert(block);
            }
        }
        for (address, block) in hosts.into_iter().take(MAX_HOSTS) {
            let name = format!("net-{block}");
            let name = self.names.unique(name.strip_suffix("/32").unwrap_or(&name));
            builder = builder.host(&name, [address.to_string()]);
        }
        builder
    }

    /// Public addresses that lead to interfaces of the account.
    fn public_addresses(&self) -> HashSet<IpAddr> {
        let of_one = |interface: &'a Interface| match &interface.public {
            Public::At(addresses) => addresses.as_slice(),
            Public::None | Public::Unknown(_) => &[],
        };
        self.account.interfaces.values().flat_map(of_one).copied().collect()
    }

    fn is_outside(&self, address: IpAddr, own: &HashSet<IpAddr>) -> bool {
        let inside = self.vpcs.values().any(|(_, block)| IpNet::V4(*block).contains(&address));
        let usable = match address {
            IpAddr::V4(address) => {
                !taken_blocks().iter().any(|(block, _)| block.contains(&address)) && !address.is_private()
            }
            IpAddr::V6(_) => is_global(address),
        };
        usable && !inside && !own.contains(&address)
    }
}

/// The first address of a block that a host can have.
fn first_host(block: IpNet) -> Option<IpAddr> {
    block.hosts().next()
}
