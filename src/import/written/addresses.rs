//! Addresses of interfaces, as far as the subnets of a topology can give them away.

use std::collections::HashMap;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::making::Making;
use crate::account::{Interface, Reason, ResourceId};
use crate::model::SecondaryAddress;
use crate::model::reserved_addresses::gives;

impl Making<'_> {
    /// The primary private address of an interface and its others, as far as its subnet can give them away.
    pub fn addresses(&mut self, interface: &Interface, subnet: Option<Ipv4Net>, taken: &mut Taken) -> Addresses {
        let vpc = interface.vpc.as_ref().and_then(|id| self.vpcs.get(id)).map(|(_, block)| *block);
        let mut addresses = Addresses::default();
        let mut is_first = true;
        let ipv6 = interface.addresses.iter().filter_map(|block| match block {
            IpNet::V4(_) => None,
            IpNet::V6(block) => Some(*block),
        });
        self.ipv6_addresses(interface, ipv6.collect(), &mut addresses);
        for block in &interface.addresses {
            let IpNet::V4(block) = *block else { continue };
            let is_primary = block.prefix_len() == 32 && std::mem::take(&mut is_first);
            let is_one = SecondaryAddress::of_block(block.into()).is_some();
            if !is_one || !subnet.or(vpc).is_some_and(|of| gives(of, block)) || !taken.take(interface, block) {
                let kind = if is_primary { "private address" } else { "secondary private address" };
                let reason = Reason::UnknownValue("one that its subnet can give".to_owned());
                self.leave_out(kind, reason, &interface.origin);
            } else if is_primary {
                addresses.primary = Some(block.addr().to_string());
            } else {
                addresses.secondary.extend(SecondaryAddress::of_block(block.into()).map(|it| it.to_string()));
            }
        }
        addresses
    }

    /// The IPv6 addresses of an interface: those that its subnet of the topology can give. Where that has another block than in the account the
    /// interface gets one address of it.
    fn ipv6_addresses(&mut self, interface: &Interface, known: Vec<Ipv6Net>, into: &mut Addresses) {
        let (single, prefixes): (Vec<Ipv6Net>, Vec<Ipv6Net>) =
            known.into_iter().partition(|block| block.prefix_len() == 128);
        let subnet = interface.subnet.as_ref().and_then(|id| self.account.subnets.get(id));
        let real = interface.vpc.as_ref().and_then(|vpc| self.real_ipv6(vpc, subnet?.ipv6.known()));
        let all = single.len() + interface.ipv6_later;
        if all == 0 {
            let has_some = interface.vpc.as_ref().is_some_and(|vpc| self.account.has_ipv6(vpc));
            into.ipv6 = has_some.then(|| "no".to_owned());
        }
        let (given, others): (Vec<Ipv6Net>, Vec<Ipv6Net>) =
            single.into_iter().chain(prefixes).partition(|block| all > 0 && real.is_some_and(|of| gives(of, *block)));
        let mut given = given.into_iter();
        if let Some(first) = given.as_slice().first().filter(|block| block.prefix_len() == 128) {
            into.ipv6 = Some(first.addr().to_string());
            given.next();
        }
        into.secondary.extend(given.filter_map(|it| SecondaryAddress::of_block(it.into())).map(|it| it.to_string()));
        let is_prefix = |block: &&Ipv6Net| block.prefix_len() < 128;
        let prefixes = others.iter().filter(is_prefix).count();
        // One of those that it cannot have as they are stands for another.
        let singles = others.len() - prefixes + interface.ipv6_later - usize::from(all > 0 && into.ipv6.is_none());
        let why = || Reason::UnknownValue("one that its subnet can give".to_owned());
        for (kind, count) in [("further IPv6 address", singles), ("IPv6 prefix", prefixes)] {
            if count > 0 {
                self.leave_out(kind, why(), &interface.origin);
            }
        }
    }
}

/// Addresses of an interface, as the topology says them.
#[derive(Default)]
pub struct Addresses {
    pub primary: Option<String>,
    /// Its first IPv6 address, or `no`; nothing where it gets one by itself.
    pub ipv6: Option<String>,
    pub secondary: Vec<String>,
}

/// Addresses that interfaces have, by VPC and the block of 16 in which they lie: each is one address or such a block.
#[derive(Default)]
pub struct Taken(HashMap<(Option<ResourceId>, u32), Vec<Ipv4Net>>);

impl Taken {
    /// Takes a block for an interface; false where another has a part of it.
    fn take(&mut self, interface: &Interface, block: Ipv4Net) -> bool {
        let near = self.0.entry((interface.vpc.clone(), u32::from(block.network()) >> 4)).or_default();
        let is_free = !near.iter().any(|other| other.contains(&block) || block.contains(other));
        if is_free {
            near.push(block);
        }
        is_free
    }
}
