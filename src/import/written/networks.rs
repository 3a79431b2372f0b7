//! VPCs and subnets of an account in a topology.

use std::ops::RangeInclusive;

use indexmap::IndexSet;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::making::Making;
use crate::account::{Interface, LeftOut, Origin, Reason, ResourceId};
use crate::model::reserved_addresses::{gives, is_ipv6_block};
use crate::topology::{Builder, NewVpc};

/// Lengths of the prefix of a VPC's block.
const SIZES: RangeInclusive<u8> = 16..=28;

/// Blocks of which a VPC has one whose own is not known.
///
/// Source: RFC 1918.
const PRIVATE: [&str; 3] = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"];

/// Addresses of a subnet, of those between its first and its last, that are EC2's.
const RESERVED: usize = 3;

fn ipv4(block: &IpNet) -> Option<Ipv4Net> {
    match block {
        IpNet::V4(block) => Some(*block),
        IpNet::V6(_) => None,
    }
}

impl Making<'_> {
    /// VPCs with their subnets; one for all that names none.
    pub fn vpcs(&mut self, mut builder: Builder) -> Builder {
        let account = self.account;
        let of_groups = account.groups.values().filter_map(|group| group.vpc.as_ref());
        let of_interfaces = account.interfaces.values().filter_map(|interface| interface.vpc.as_ref());
        let used: IndexSet<&ResourceId> = of_groups.chain(of_interfaces).collect();
        let mut wanted: IndexSet<&ResourceId> = account.vpcs.keys().filter(|id| used.contains(*id)).collect();
        wanted.extend(used);
        for id in wanted {
            let known = account.vpcs.get(id);
            let name = self.names.unique(known.map_or(id.as_str(), |vpc| &vpc.label));
            let own =
                known.and_then(|vpc| vpc.blocks.first().copied()).filter(|block| SIZES.contains(&block.prefix_len()));
            if let (None, Some(origin)) = (own, self.origin_of(id)) {
                let reason = Reason::UnknownValue("a block from /16 to /28".to_owned());
                self.leave_out("block of a VPC", reason, &origin);
            }
            let block = own.unwrap_or_else(|| self.block_instead(id));
            let mut vpc = NewVpc::block(&block.to_string());
            if account.has_ipv6(id) {
                vpc = match self.ipv6_block(id) {
                    Some(own) => vpc.ipv6_block(&own.to_string()),
                    None => vpc.ipv6(),
                };
            }
            let subnets = self.subnets_of(id, block);
            let words: Vec<(String, String)> =
                subnets.iter().map(|(name, block)| (name.clone(), block.to_string())).collect();
            vpc = vpc.subnets(words.iter().map(|(name, block)| (name.as_str(), block.as_str())));
            vpc = self.ipv6_of_subnets(id, vpc);
            builder = builder.vpc(&name, vpc);
            self.vpcs.insert(id.clone(), (name, block));
        }
        builder
    }

    /// The place of a VPC; of one that no source has that of what lies in it.
    fn origin_of(&self, vpc: &ResourceId) -> Option<Origin> {
        let account = self.account;
        if let Some(known) = account.vpcs.get(vpc) {
            return Some(known.origin.clone());
        }
        let groups = account.groups.values().map(|group| (&group.vpc, &group.origin));
        let interfaces = account.interfaces.values().map(|interface| (&interface.vpc, &interface.origin));
        let (_, origin) = groups.chain(interfaces).find(|(of, _)| of.as_ref() == Some(vpc))?;
        Some(Origin { resource: vpc.clone(), ..origin.clone() })
    }

    /// A block for a VPC whose own is not known: the smallest that holds what is known to lie in it, else one that has no address in common with the
    /// blocks of rules. By a wider one rules for addresses would admit more than in the account.
    fn block_instead(&self, vpc: &ResourceId) -> Ipv4Net {
        let account = self.account;
        let subnets = account.subnets.values().filter(|subnet| subnet.vpc.as_ref() == Some(vpc));
        let subnets: Vec<Ipv4Net> = subnets.filter_map(|subnet| subnet.block).collect();
        let interfaces = account.interfaces.values().filter(|interface| interface.vpc.as_ref() == Some(vpc));
        let interfaces: Vec<&Interface> = interfaces.collect();
        let held: Vec<Ipv4Net> = interfaces.iter().flat_map(|it| &it.addresses).filter_map(ipv4).collect();
        let has_room = |block: &Ipv4Net| block.hosts().nth(interfaces.len() + RESERVED).is_some();
        let holds = |block: &Ipv4Net| {
            subnets.iter().all(|own| block.contains(own)) && held.iter().all(|own| gives(*block, *own))
        };
        if let Some(first) = subnets.first().or(held.first()) {
            let around = SIZES.rev().filter_map(|length| Ipv4Net::new(first.network(), length).ok());
            if let Some(found) = around.map(|block| block.trunc()).find(|block| has_room(block) && holds(block)) {
                return found;
            }
        }
        let named = account.rules().flat_map(|rule| account.blocks(&rule.peer).unwrap_or_default());
        let named: Vec<Ipv4Net> = named.filter_map(ipv4).filter(|block| block.prefix_len() > 0).collect();
        let is_apart = |block: &Ipv4Net| !named.iter().any(|other| other.contains(block) || block.contains(other));
        let private = PRIVATE.iter().filter_map(|block| block.parse::<Ipv4Net>().ok());
        let all: Vec<Ipv4Net> = private.filter_map(|block| block.subnets(16).ok()).flatten().collect();
        all.iter().copied().find(is_apart).or(all.first().copied()).unwrap_or_default()
    }

    /// The IPv6 block of a VPC, if a lab can have it and no other VPC has: a /56 of global addresses.
    fn ipv6_block(&mut self, vpc: &ResourceId) -> Option<Ipv6Net> {
        let known = self.account.vpcs.get(vpc)?;
        let fits = |block: &Ipv6Net| is_ipv6_block(*block) && !self.ipv6.values().any(|other| other == block);
        let found = known.ipv6.iter().find_map(|block| match block {
            IpNet::V4(_) => None,
            IpNet::V6(block) => Some(block.trunc()).filter(fits),
        });
        if let Some(block) = found {
            self.ipv6.insert(vpc.clone(), block);
        } else if !known.ipv6.is_empty() {
            let reason = Reason::UnknownValue("a /56 of global addresses".to_owned());
            self.leave_out("IPv6 block of a VPC", reason, &known.origin);
        }
        found
    }

    /// The IPv6 blocks of the subnets of a VPC, and which have none.
    fn ipv6_of_subnets(&mut self, vpc: &ResourceId, mut into: NewVpc) -> NewVpc {
        let account = self.account;
        if !account.has_ipv6(vpc) {
            return into;
        }
        for (id, subnet) in account.subnets.iter().filter(|(_, subnet)| subnet.vpc.as_ref() == Some(vpc)) {
            let Some((name, _)) = self.subnets.get(id).cloned() else { continue };
            if !account.subnet_has_ipv6(id) {
                into = into.subnet_without_ipv6(&name);
            } else if let Some(block) = self.real_ipv6(vpc, subnet.ipv6.known()) {
                into = into.subnet_ipv6(&name, &block.to_string());
            }
        }
        into
    }

    /// A block of a subnet that the topology can have, as it is one of its VPC's there.
    pub fn real_ipv6(&self, vpc: &ResourceId, subnet: Option<Ipv6Net>) -> Option<Ipv6Net> {
        let of = self.ipv6.get(vpc)?;
        subnet.filter(|block| block.prefix_len() == 64 && of.contains(block))
    }

    /// The subnets of a VPC that lie in its block, each beside the others; the whole block where there is none.
    fn subnets_of(&mut self, vpc: &ResourceId, block: Ipv4Net) -> Vec<(String, Ipv4Net)> {
        let mut taken: Vec<(String, Ipv4Net)> = Vec::new();
        for (id, subnet) in self.account.subnets.iter().filter(|(_, subnet)| subnet.vpc.as_ref() == Some(vpc)) {
            let fits = subnet.block.filter(|own| {
                let apart = taken.iter().all(|(_, other)| !other.contains(own) && !own.contains(other));
                block.contains(own) && own.prefix_len() <= 28 && apart
            });
            let Some(own) = fits else {
                let others = self.account.vpcs.get(vpc).into_iter().flat_map(|vpc| &vpc.blocks);
                let secondary = others
                    .filter(|other| **other != block)
                    .find(|other| subnet.block.is_some_and(|own| other.contains(&own)));
                let unknown = || Reason::UnknownValue(format!("a block of its own within {block}"));
                let reason = secondary.map_or_else(unknown, |other| Reason::SecondaryBlock(other.to_string()));
                self.left_out.push(LeftOut { kind: "subnet".to_owned(), reason, origin: subnet.origin.clone() });
                continue;
            };
            let name = self.names.unique(&subnet.label);
            self.subnets.insert(id.clone(), (name.clone(), own));
            taken.push((name, own));
        }
        if taken.is_empty() {
            taken.push((self.names.unique("all"), block));
        }
        taken
    }
}
