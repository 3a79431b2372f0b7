//! Interfaces that no rule tells apart: with the same groups in both accounts, in one subnet.

use std::cell::OnceCell;
use std::collections::BTreeSet;

use indexmap::{IndexMap, IndexSet};
use ipnet::IpNet;

use super::matching::Matching;
use super::passage::Reached;
use crate::account::{Account, Interface, Known, Public, ResourceId};
use crate::model::PrefixFamily;

/// Interfaces of one account with the same groups there and in the other. One without interfaces stands for the next member of a group.
#[derive(Debug)]
pub(super) struct Class<'a> {
    /// Groups in the account.
    pub groups: Vec<&'a ResourceId>,
    /// Groups in the other account, by its own ids; nothing where it has none of the interfaces.
    pub others: Option<Vec<&'a ResourceId>>,
    /// Its VPC.
    pub vpc: Option<&'a ResourceId>,
    /// The interfaces.
    pub members: Vec<&'a Interface>,
    /// The same in the other account.
    pub other_members: Vec<&'a Interface>,
    /// The reason why the groups are not known, where they are not.
    pub unknown: Option<&'a str>,
    /// Addresses of the interfaces.
    pub addresses: Addresses,
    /// Addresses of the same in the other account.
    pub other_addresses: Addresses,
}

/// Addresses of a class by family, in their order; found once, and none where the class has none of the family.
#[derive(Debug, Default)]
pub(super) struct Addresses([OnceCell<Option<Vec<IpNet>>>; 2]);

impl Addresses {
    /// Those of a family: of interfaces, else of the blocks that they get one of. Empty where they are not known, which is taken for IPv4.
    pub fn over(
        &self,
        family: PrefixFamily,
        account: &Account,
        members: &[&Interface],
        vpc: Option<&ResourceId>,
    ) -> Option<&[IpNet]> {
        let known = &self.0[usize::from(family.is_ipv4())];
        known.get_or_init(|| addresses_over(family, account, members, vpc)).as_deref()
    }
}

type Key<'a> = (Option<Vec<&'a ResourceId>>, Vec<&'a ResourceId>, Option<&'a ResourceId>, Option<&'a str>);

/// Puts the interfaces of an account into classes, and each group without members into one of its own.
pub(super) fn classes<'a>(account: &'a Account, other: &'a Account, matching: &'a Matching) -> Vec<Class<'a>> {
    let mut found: IndexMap<Key<'a>, Class<'a>> = IndexMap::new();
    let mut with_members: IndexSet<&ResourceId> = IndexSet::new();
    for (id, interface) in &account.interfaces {
        let twin = matching.interfaces.get(id).and_then(|id| other.interfaces.get(id));
        let groups = sorted(&interface.groups);
        with_members.extend(groups.iter().copied());
        let others = twin.map(|twin| sorted(&twin.groups));
        let unknown = interface.groups.why_unknown();
        let key = (others.clone(), groups.clone(), interface.subnet.as_ref(), unknown);
        let class = found.entry(key).or_insert_with(|| Class {
            groups,
            others,
            vpc: interface.vpc.as_ref(),
            members: Vec::new(),
            other_members: Vec::new(),
            unknown,
            addresses: Addresses::default(),
            other_addresses: Addresses::default(),
        });
        class.members.push(interface);
        class.other_members.extend(twin);
    }
    let empty = account.groups.iter().filter(|(id, _)| !with_members.contains(id)).map(|(id, group)| Class {
        groups: vec![id],
        others: matching.groups.get(id).map(|id| vec![id]),
        vpc: group.vpc.as_ref(),
        members: Vec::new(),
        other_members: Vec::new(),
        unknown: None,
        addresses: Addresses::default(),
        other_addresses: Addresses::default(),
    });
    found.into_values().chain(empty).collect()
}

fn sorted(groups: &Known<IndexSet<ResourceId>>) -> Vec<&ResourceId> {
    let mut all: Vec<&ResourceId> = groups.known().into_iter().flatten().collect();
    all.sort();
    all
}

fn addresses_over(
    family: PrefixFamily,
    account: &Account,
    members: &[&Interface],
    vpc: Option<&ResourceId>,
) -> Option<Vec<IpNet>> {
    let all = addresses(account, members, vpc);
    let is_known = !all.is_empty();
    let own: BTreeSet<IpNet> =
        all.iter().map(IpNet::trunc).filter(|block| PrefixFamily::of(*block) == family).collect();
    (!own.is_empty() || !is_known && family.is_ipv4()).then(|| own.into_iter().collect())
}

fn addresses(account: &Account, members: &[&Interface], vpc: Option<&ResourceId>) -> Vec<IpNet> {
    let of_vpc = || {
        let vpc = vpc.and_then(|id| account.vpcs.get(id)).into_iter();
        vpc.flat_map(|vpc| vpc.blocks.iter().copied().map(IpNet::V4).chain(vpc.ipv6.iter().copied()))
    };
    let of_one = |interface: &&Interface| -> Vec<IpNet> {
        if !interface.addresses.is_empty() {
            return interface.addresses.clone();
        }
        let subnet = interface.subnet.as_ref().and_then(|id| account.subnets.get(id)).and_then(|subnet| subnet.block);
        subnet.map_or_else(|| of_vpc().collect(), |block| vec![IpNet::V4(block)])
    };
    if members.is_empty() { of_vpc().collect() } else { members.iter().flat_map(of_one).collect() }
}

/// The best way from the internet to any member.
pub(super) fn public(members: &[&Interface]) -> Reached {
    use Reached::{ByPublicAddress, NoMember, NoPublicAddress, Unknown};
    let of_one = |interface: &&Interface| match interface.public {
        Public::At(_) => ByPublicAddress,
        // IPv6 addresses lead to it from everywhere.
        Public::None if interface.ipv6_later > 0 => ByPublicAddress,
        Public::Unknown(_) => Unknown,
        Public::None => NoPublicAddress,
    };
    members.iter().map(of_one).min().unwrap_or(NoMember)
}
