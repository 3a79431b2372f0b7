//! Rules of an account in the words of a topology, and hosts outside for the blocks that they name, so that what they admit is asked of somebody.

use std::collections::{BTreeSet, HashSet};
use std::net::{IpAddr, Ipv6Addr};

use indexmap::{IndexMap, IndexSet};
use ipnet::{IpNet, Ipv6Net};

use super::making::Making;
use crate::account::{Interface, Known, Peer, Public, Reason, Rule, SecurityGroup};
use crate::model::reserved_addresses::{LAB_IPV6, is_global, taken_blocks};
use crate::model::{DEFAULT_IPV6_BLOCK, Direction, Peer as ModelPeer, SourceLocation};
use crate::topology::Builder;

impl Making<'_> {
    /// The rules of a group that a topology can hold, each once, with their places; the others are listed.
    pub fn rules(&mut self, group: &SecurityGroup, direction: Direction) -> (Vec<String>, Vec<SourceLocation>) {
        let mut written: IndexSet<String> = IndexSet::new();
        let mut places = Vec::new();
        for rule in group.rules(direction) {
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
                let words = format!("{traffic} {} {peer}", direction.preposition());
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
                    return Err(Reason::AnotherVpc(id.to_string()));
                }
                self.groups.get(id).cloned().ok_or_else(|| Reason::StaleReference(id.to_string()))
            }
            Peer::PrefixList(id) => self.lists.get(id).cloned().ok_or_else(|| match self.account.entries(id) {
                Some([]) => Reason::MatchesNothing(format!("{id}, which has no entries")),
                Some(_) | None => Reason::UnknownValue(format!("the entries of {id}")),
            }),
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
        let blocks = account.rules().flat_map(|rule| account.blocks(&rule.peer).unwrap_or_default());
        let own = self.public_addresses();
        let named: BTreeSet<IpNet> = blocks.copied().filter(|block| block.prefix_len() > 0).collect();
        let mut hosts: IndexMap<IpAddr, IpNet> = IndexMap::new();
        for &block in &named {
            let address = first_host(block, &named);
            if let Some(address) = address.filter(|address| self.is_outside(*address, &own)) {
                hosts.entry(address).or_insert(block);
            }
        }
        let left = hosts.split_off(hosts.len().min(MAX_HOSTS));
        for block in left.into_values() {
            let names = |rule: &&Rule| account.blocks(&rule.peer).is_some_and(|blocks| blocks.contains(&block));
            let why = || Reason::NotWritten(format!("{MAX_HOSTS} blocks have a host already, and {block} has none"));
            if let Some(rule) = account.rules().find(names) {
                self.leave_out("host", why(), &rule.origin);
            }
        }
        for (address, block) in hosts {
            // The host of a block has the name that a table gives it.
            let is_one = block.prefix_len() == block.max_prefix_len();
            let wanted = if is_one {
                format!("net-{address}")
            } else {
                format!("in-{}", block.to_string().replace(['.', ':', '/'], "-"))
            };
            let name = self.names.unique(&wanted);
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
            IpAddr::V6(own) => is_global(address) && !self.is_of_a_vpc(own),
        };
        usable && !inside && !own.contains(&address)
    }

    /// Returns true if an IPv6 address lies in the block of a VPC of the topology, or is the lab's own.
    fn is_of_a_vpc(&self, address: Ipv6Addr) -> bool {
        let made = self.account.vpcs.keys().any(|vpc| self.account.has_ipv6(vpc) && !self.ipv6.contains_key(vpc));
        let made = made.then(|| Ipv6Net::new(DEFAULT_IPV6_BLOCK.network(), 40).ok()).flatten();
        let labs = LAB_IPV6.iter().map(|(block, _)| *block);
        self.ipv6.values().copied().chain(made).chain(labs).any(|block| block.contains(&address))
    }
}

/// The first address of a block that a host can have, and that lies in no narrower block that rules name.
fn first_host(block: IpNet, named: &BTreeSet<IpNet>) -> Option<IpAddr> {
    let mut address = block.hosts().next()?;
    // Blocks lie in one another or apart, and those within begin in order of their first addresses.
    for inner in named.range(block..).take_while(|other| block.contains(&other.network())) {
        if *inner != block && inner.contains(&address) {
            address = match inner.broadcast() {
                IpAddr::V4(last) => IpAddr::from(u32::from(last).checked_add(1)?.to_be_bytes()),
                IpAddr::V6(last) => IpAddr::from(u128::from(last).checked_add(1)?.to_be_bytes()),
            };
        }
    }
    let is_usable = block.prefix_len() + 1 >= block.max_prefix_len() || address != block.broadcast();
    (block.contains(&address) && is_usable).then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_of_a_block_lies_in_no_narrower_one() {
        let host = |blocks: &[&str]| {
            let named: BTreeSet<IpNet> = blocks.iter().map(|block| block.parse().unwrap()).collect();
            first_host(blocks[0].parse().unwrap(), &named).map(|address| address.to_string())
        };
        assert_eq!(host(&["203.0.113.0/24"]).as_deref(), Some("203.0.113.1"));
        assert_eq!(host(&["203.0.113.0/24", "203.0.113.0/28", "203.0.113.16/32"]).as_deref(), Some("203.0.113.17"));
        assert_eq!(host(&["203.0.113.0/24", "203.0.112.0/23", "203.0.113.128/25"]).as_deref(), Some("203.0.113.1"));
        assert_eq!(host(&["203.0.113.0/24", "203.0.113.0/25", "203.0.113.128/25"]), None);
        assert_eq!(host(&["203.0.113.7/32"]).as_deref(), Some("203.0.113.7"));
        assert_eq!(host(&["2001:db8::/64", "2001:db8::/96"]).as_deref(), Some("2001:db8::1:0:0"));
    }
}
