//! Hosts outside for the blocks that rules name, so that what they admit is asked of somebody.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv6Addr};

use indexmap::IndexMap;
use ipnet::{IpNet, Ipv6Net};

use super::making::Making;
use crate::account::{Interface, Peer, Public};
use crate::model::DEFAULT_IPV6_BLOCK;
use crate::model::reserved_addresses::{LAB_IPV6, is_global, taken_blocks};
use crate::topology::Builder;

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

/// The first address of a block that a host can have.
fn first_host(block: IpNet) -> Option<IpAddr> {
    block.hosts().next()
}
