//! VPCs and subnets of an account in a topology.

use indexmap::IndexSet;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::making::Making;
use crate::account::{LeftOut, Reason, ResourceId};
use crate::model::reserved_addresses::is_ipv6_block;
use crate::topology::{Builder, NewVpc};

/// The block of a VPC whose own is not known.
const UNKNOWN_VPC: &str = "10.0.0.0/16";

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
            let own = known
                .and_then(|vpc| vpc.blocks.first().copied())
                .filter(|block| (16..=28).contains(&block.prefix_len()));
            if let (Some(vpc), None) = (known, own) {
                self.leave_out(
                    "block of a VPC",
                    Reason::UnknownValue("a block from /16 to /28".to_owned()),
                    &vpc.origin,
                );
            }
            let block = own.unwrap_or_else(|| UNKNOWN_VPC.parse().unwrap_or_default());
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
