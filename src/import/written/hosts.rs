//! Hosts outside for the blocks that rules name, so that what they admit is asked of somebody.

use std::net::IpAddr;

use indexmap::IndexMap;
use ipnet::IpNet;

use super::making::Making;
use crate::account::Peer;
use crate::model::reserved_addresses::{is_global, taken_blocks};
use crate::topology::Builder;

/// More hosts make a table that nobody reads.
const MAX_HOSTS: usize = 40;

impl Making<'_> {
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
        let mut hosts: IndexMap<IpAddr, IpNet> = IndexMap::new();
        for &block in blocks {
            let address = if block.prefix_len() == 0 { None } else { first_host(block) };
            if let Some(address) = address.filter(|address| self.is_outside(*address)) {
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

    fn is_outside(&self, address: IpAddr) -> bool {
        let own = self.account.interfaces.values().any(|interface| match &interface.public {
            crate::account::Public::At(addresses) => addresses.contains(&address),
            _ => false,
        });
        let inside = self.vpcs.values().any(|(_, block)| IpNet::V4(*block).contains(&address));
        let usable = match address {
            IpAddr::V4(address) => {
                !taken_blocks().iter().any(|(block, _)| block.contains(&address)) && !address.is_private()
            }
            IpAddr::V6(_) => is_global(address),
        };
        usable && !inside && !own
    }
}

/// The first address of a block that a host can have.
fn first_host(block: IpNet) -> Option<IpAddr> {
    block.hosts().next()
}
