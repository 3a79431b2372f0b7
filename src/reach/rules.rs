//! Rules and members that one account has and the other has not, whatever they mean for who reaches whom.

use std::collections::HashSet;

use ipnet::IpNet;

use super::matching::Matching;
use crate::account::{Account, Interface, Known, Origin, Peer, ResourceId, Rule};
use crate::model::{Direction, Peer as ModelPeer, Traffic};

/// One rule that only one of two accounts has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleChange {
    /// Its group, by its short name.
    pub group: String,
    /// Its direction.
    pub direction: Direction,
    /// The rule in the words of a topology: `tcp 5432 from anywhere`.
    pub rule: String,
    /// Its place.
    pub origin: Origin,
}

/// A membership that only one of two accounts has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberChange {
    /// The interface, by its short name.
    pub member: String,
    /// The group, by its short name.
    pub group: String,
    /// The interface's place.
    pub origin: Origin,
}

/// An entry of a prefix list that only one of two accounts has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryChange {
    /// The prefix list, by its short name.
    pub list: String,
    /// The entry.
    pub entry: IpNet,
    /// The list's place.
    pub origin: Origin,
}

/// A group that only one of two accounts has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupChange {
    /// Its short name.
    pub group: String,
    /// Its place.
    pub origin: Origin,
}

/// The groups of `of` that `other` has not.
pub(super) fn groups_of_one(of: &Account, matching: &Matching) -> Vec<GroupChange> {
    let alone = of.groups.iter().filter(|(id, _)| !matching.groups.contains_key(*id));
    alone.map(|(_, group)| GroupChange { group: group.label.clone(), origin: group.origin.clone() }).collect()
}

/// The entries that prefix lists of `of` have, and the same lists of `other` have not, where both are known.
pub(super) fn entries_of_one(of: &Account, other: &Account, matching: &Matching) -> Vec<EntryChange> {
    let lists = of.prefix_lists.iter().filter_map(|(id, list)| {
        let twin = other.prefix_lists.get(matching.prefix_lists.get(id)?)?;
        Some((list, list.entries.known()?, twin.entries.known()?))
    });
    let alone = lists.flat_map(|(list, own, theirs)| {
        let alone = own.iter().filter(|entry| !theirs.contains(*entry));
        alone.map(|entry| EntryChange { list: list.label.clone(), entry: *entry, origin: list.origin.clone() })
    });
    alone.collect()
}

/// A rule without words that mean nothing to packets, in the other account's ids where that has the same resource. Of what is not known the text
/// counts too: two values that nobody knows may be two.
pub(super) type RuleKey = (Known<Traffic>, Peer, Option<u64>);

/// The key of a rule, with peers in the ids of another account.
pub(super) fn key(rule: &Rule, matching: Option<&Matching>) -> RuleKey {
    let other = |id: &ResourceId, map: fn(&Matching) -> &std::collections::HashMap<ResourceId, ResourceId>| {
        matching.and_then(|matching| map(matching).get(id)).unwrap_or(id).clone()
    };
    let peer = match &rule.peer {
        Peer::Group(id) => Peer::Group(other(id, |matching| &matching.groups)),
        Peer::PrefixList(id) => Peer::PrefixList(other(id, |matching| &matching.prefix_lists)),
        known => known.clone(),
    };
    (rule.traffic.clone(), peer, rule.is_unknown().then_some(rule.origin.digest))
}

/// The rules of `of` that `other` has not.
pub(super) fn rules_of_one(of: &Account, other: &Account, matching: &Matching) -> Vec<RuleChange> {
    let mut changes = Vec::new();
    for (id, group) in &of.groups {
        let twin = matching.groups.get(id).and_then(|id| other.groups.get(id));
        for direction in Direction::BOTH {
            let theirs = twin.into_iter().flat_map(|twin| twin.rules(direction));
            let known: HashSet<RuleKey> = theirs.map(|rule| key(rule, None)).collect();
            changes.extend(
                group.rules(direction).iter().filter(|rule| !known.contains(&key(rule, Some(matching)))).map(|rule| {
                    RuleChange {
                        group: group.label.clone(),
                        direction,
                        rule: rule_words(of, rule, direction),
                        origin: rule.origin.clone(),
                    }
                }),
            );
        }
    }
    changes
}

/// The memberships of `of` that `other` has not.
pub(super) fn members_of_one(of: &Account, other: &Account, matching: &Matching) -> Vec<MemberChange> {
    let mut changes = Vec::new();
    let groups = |interface: &Interface| interface.groups.known().cloned().unwrap_or_default();
    for (id, interface) in &of.interfaces {
        let twin = matching.interfaces.get(id).and_then(|id| other.interfaces.get(id)).map(groups).unwrap_or_default();
        for group in groups(interface) {
            // A group that no source has is the same by its id.
            if !twin.contains(matching.groups.get(&group).unwrap_or(&group)) {
                let label = of.groups.get(&group).map_or_else(|| group.to_string(), |group| group.label.clone());
                changes.push(MemberChange {
                    member: interface.label.clone(),
                    group: label,
                    origin: interface.origin.clone(),
                });
            }
        }
    }
    changes
}

/// A rule in the words of a topology: `tcp 5432 from anywhere`.
pub fn rule_words(account: &Account, rule: &Rule, direction: Direction) -> String {
    format!("{} {} {}", traffic_words(rule), direction.preposition(), peer_words(account, &rule.peer))
}

/// The traffic of a rule: `tcp 5432`.
pub fn traffic_words(rule: &Rule) -> String {
    rule.traffic.known().map_or_else(|| "unknown traffic".to_owned(), Traffic::to_string)
}

/// A block: `anywhere`, `anywhere (IPv6)`, `10.0.0.0/8`.
pub fn block_words(block: IpNet) -> String {
    if block.prefix_len() == 0 && block.addr().is_ipv6() {
        return "anywhere (IPv6)".to_owned();
    }
    ModelPeer::Cidr(block).to_string()
}

/// A peer: `anywhere`, `anywhere (IPv6)`, `10.0.0.0/8`, a group's short name.
pub fn peer_words(account: &Account, peer: &Peer) -> String {
    match peer {
        Peer::Block(block) => block_words(*block),
        Peer::Group(id) => account.groups.get(id).map_or_else(|| id.to_string(), |group| group.label.clone()),
        Peer::PrefixList(id) => account.prefix_lists.get(id).map_or_else(|| id.to_string(), |list| list.label.clone()),
        Peer::Unknown(why) => format!("somebody ({why})"),
    }
}
