//! Interfaces that no rule tells apart: with the same groups in both accounts, in one subnet.

use std::cell::OnceCell;

use indexmap::{IndexMap, IndexSet};

use super::matching::Matching;
use super::passage::Reached;
use super::position::{ByPlace, NamedBlocks, Place, of_interface, of_next_member, places};
use super::public::gain;
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
    /// Those of them that stand for machines of which there may be several.
    several: Vec<&'a Interface>,
    /// The same in the other account.
    pub other_members: Vec<&'a Interface>,
    /// The groups that are not known, where they are not.
    pub unknown: Option<UnknownGroups<'a>>,
    /// Members by their addresses, over IPv4 and over IPv6.
    places: [OnceCell<ByPlace<'a>>; 2],
}

impl<'a> Class<'a> {
    /// The members by their addresses over a family in both accounts; a class without members stands in one place.
    pub fn places(&self, family: PrefixFamily, own: &Account, other: &Account, named: &NamedBlocks) -> &ByPlace<'a> {
        self.places[usize::from(family.is_ipv4())].get_or_init(|| {
            let mut found = ByPlace::new();
            if self.members.is_empty() {
                let group = |id: &&ResourceId| other.groups.get(*id);
                let vpc = self.others.iter().flatten().find_map(group).and_then(|group| group.vpc.as_ref());
                let there = of_next_member(other, vpc, family);
                let all = places(of_next_member(own, self.vpc, family), &there);
                found.extend(all.map(|place| (place, Vec::new())));
            }
            for (at, member) in self.members.iter().enumerate() {
                let twin = self.other_members.get(at);
                let there = twin.map(|twin| of_interface(twin, other, family, named)).unwrap_or_default();
                for place in places(of_interface(member, own, family, named), &there) {
                    found.entry(place).or_default().push(*member);
                }
            }
            found
        })
    }

    /// Returns true if some members are one machine: what it sends to itself meets no filter.
    pub fn are_one_machine(&self, members: &[&Interface]) -> bool {
        matches!(members, [one] if !self.several.iter().any(|several| std::ptr::eq(*several, *one)))
    }

    /// Returns true if a member has a public address, or may have one, that the other account does not give it.
    pub fn gains_an_address(&self, member: usize) -> bool {
        let both = self.members.get(member).zip(self.other_members.get(member));
        both.is_some_and(|(own, twin)| PrefixFamily::BOTH.into_iter().any(|family| gain(own, twin, family).is_some()))
    }

    /// Returns true for a place of members that the other account has at another one.
    pub fn is_moved_to(&self, place: &Place) -> bool {
        !self.other_members.is_empty() && !place.is_same()
    }

    /// The groups that the other account does not tell, where it has the interfaces.
    pub fn unknown_there(&self) -> Option<UnknownGroups<'a>> {
        self.other_members.iter().find_map(|twin| UnknownGroups::of(twin))
    }
}

/// Groups that a source does not tell: they are the same in two sources where the text that says them is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct UnknownGroups<'a> {
    pub reason: &'a str,
    digest: u64,
}

impl<'a> UnknownGroups<'a> {
    fn of(interface: &'a Interface) -> Option<Self> {
        let reason = interface.groups.why_unknown()?;
        Some(Self { reason, digest: interface.origin.digest })
    }
}

/// Groups in the other account and in this one, subnet, and why the groups are not known here and there.
type Key<'a> = (
    Option<Vec<&'a ResourceId>>,
    Vec<&'a ResourceId>,
    Option<&'a ResourceId>,
    Option<UnknownGroups<'a>>,
    Option<UnknownGroups<'a>>,
);

/// Puts the interfaces of an account into classes, and each group without members into one of its own.
pub(super) fn classes<'a>(account: &'a Account, other: &'a Account, matching: &'a Matching) -> Vec<Class<'a>> {
    let mut found: IndexMap<Key<'a>, Class<'a>> = IndexMap::new();
    let mut with_members: IndexSet<&ResourceId> = IndexSet::new();
    for (id, interface) in &account.interfaces {
        let twin = matching.interfaces.get(id).and_then(|id| other.interfaces.get(id));
        let groups = sorted(&interface.groups);
        with_members.extend(groups.iter().copied());
        let others = twin.map(|twin| sorted(&twin.groups));
        let unknown = UnknownGroups::of(interface);
        let unknown_there = twin.and_then(UnknownGroups::of);
        let key = (others.clone(), groups.clone(), interface.subnet.as_ref(), unknown, unknown_there);
        let class = found.entry(key).or_insert_with(|| Class {
            groups,
            others,
            vpc: interface.vpc.as_ref(),
            members: Vec::new(),
            several: Vec::new(),
            other_members: Vec::new(),
            unknown,
            places: Default::default(),
        });
        class.members.push(interface);
        class.several.extend((!account.is_of_one_machine(id, interface)).then_some(interface));
        class.other_members.extend(twin);
    }
    let empty = account.groups.iter().filter(|(id, _)| !with_members.contains(id)).map(|(id, group)| Class {
        groups: vec![id],
        others: matching.groups.get(id).map(|id| vec![id]),
        vpc: group.vpc.as_ref(),
        members: Vec::new(),
        several: Vec::new(),
        other_members: Vec::new(),
        unknown: None,
        places: Default::default(),
    });
    found.into_values().chain(empty).collect()
}

fn sorted(groups: &Known<IndexSet<ResourceId>>) -> Vec<&ResourceId> {
    let mut all: Vec<&ResourceId> = groups.known().into_iter().flatten().collect();
    all.sort();
    all
}

/// The best way from the internet to any member, by addresses of some families.
pub(super) fn reached(members: &[&Interface], families: &[PrefixFamily]) -> Reached {
    use Reached::{ByPublicAddress, NoMember, NoPublicAddress, Unknown};
    let has = |family: PrefixFamily| families.contains(&family);
    let of_one = |interface: &&Interface| match &interface.public {
        // IPv6 addresses lead to it from everywhere.
        _ if interface.ipv6_later > 0 && has(PrefixFamily::Ipv6) => ByPublicAddress,
        // An address that is known after apply is EC2's choice, and IPv4.
        Public::At(all) if all.is_empty() && has(PrefixFamily::Ipv4) => ByPublicAddress,
        Public::At(all) if all.iter().any(|address| has(PrefixFamily::of((*address).into()))) => ByPublicAddress,
        Public::Unknown(_) if has(PrefixFamily::Ipv4) => Unknown,
        Public::At(_) | Public::Unknown(_) | Public::None => NoPublicAddress,
    };
    members.iter().map(of_one).min().unwrap_or(NoMember)
}
