//! The rules of one end in one direction, in both accounts, sorted by their peers, so that those for one peer are found without asking each.

use std::collections::{HashMap, HashSet};

use ipnet::IpNet;

use super::admitted::{self, Admitted, Peers};
use super::classes::Class;
use super::position::Position;
use super::rules::{RuleKey, key};
use super::sides::Sides;
use crate::account::{Account, Peer, ResourceId, Rule, SecurityGroup};
use crate::model::Direction;

/// Rules by peers, each with its number and its group.
pub(super) struct Sorted<'a> {
    account: &'a Account,
    all: Vec<(&'a SecurityGroup, &'a Rule)>,
    by_group: HashMap<&'a ResourceId, Vec<usize>>,
    by_block: HashMap<IpNet, Vec<usize>>,
    /// For prefix lists, somebody unknown, and unknown traffic.
    others: Vec<usize>,
}

impl<'a> Sorted<'a> {
    fn new(account: &'a Account, groups: &[&'a ResourceId], direction: Direction) -> Self {
        let all = admitted::rules(account, groups, direction).map(|(_, group, rule)| (group, rule)).collect();
        let mut sorted = Self { account, all, by_group: HashMap::new(), by_block: HashMap::new(), others: Vec::new() };
        for (number, (_, rule)) in sorted.all.iter().enumerate() {
            match &rule.peer {
                Peer::Group(id) => sorted.by_group.entry(id).or_default().push(number),
                Peer::Block(block) => sorted.by_block.entry(block.trunc()).or_default().push(number),
                Peer::PrefixList(_) | Peer::Unknown(_) => sorted.others.push(number),
            }
        }
        sorted
    }

    /// Packets that the rules admit from or to peers; what is not known counts as far as `may_admit` says.
    pub fn between(&self, peers: Peers<'_>, may_admit: impl Fn(&Rule) -> bool) -> Vec<Admitted<'a>> {
        let mut numbers: Vec<usize> = if peers.groups.len() < self.by_group.len() {
            peers.groups.iter().filter_map(|id| self.by_group.get(*id)).flatten().copied().collect()
        } else {
            self.by_group.iter().filter(|(id, _)| peers.has(id)).flat_map(|(_, numbers)| numbers).copied().collect()
        };
        match peers.position {
            Position::In(None) => {}
            Position::In(Some(block)) => {
                let around = std::iter::successors(Some(*block), IpNet::supernet);
                numbers.extend(around.filter_map(|block| self.by_block.get(&block)).flatten());
            }
            Position::OneOf(_) => numbers.extend(self.by_block.values().flatten()),
        }
        numbers.extend(&self.others);
        numbers.sort_unstable();
        let rules = numbers.into_iter().map(|number| self.all[number].1);
        rules.filter_map(|rule| admitted::by(self.account, rule, peers, &may_admit)).collect()
    }

    /// Returns true if a rule names a block that does not hold all addresses of its family, or a prefix list.
    pub fn names_blocks(&self) -> bool {
        self.by_block.keys().any(|block| block.prefix_len() > 0) || !self.others.is_empty()
    }

    /// The group whose rule it is.
    pub fn owner(&self, rule: &Rule) -> Option<&'a SecurityGroup> {
        let same = match &rule.peer {
            Peer::Group(id) => self.by_group.get(id),
            Peer::Block(block) => self.by_block.get(&block.trunc()),
            Peer::PrefixList(_) | Peer::Unknown(_) => Some(&self.others),
        };
        let mut same = same.into_iter().flatten().map(|number| self.all[*number]);
        same.find(|(_, known)| std::ptr::eq(*known, rule)).map(|(group, _)| group)
    }
}

/// The rules of a class in one direction.
pub(super) struct OfClass<'a> {
    pub own: Sorted<'a>,
    pub there: Sorted<'a>,
    /// Keys of the own rules, in the other account's ids.
    keys: HashSet<RuleKey>,
    keys_there: HashSet<RuleKey>,
    /// Keys of the own rules but of those whose prefix list has other entries there.
    alike: HashSet<RuleKey>,
}

impl<'a> OfClass<'a> {
    pub fn new(sides: &Sides<'a>, class: &Class<'a>, direction: Direction) -> Self {
        let theirs = class.others.as_deref().unwrap_or_default();
        let own = Sorted::new(sides.account, &class.groups, direction);
        let there = Sorted::new(sides.other, theirs, direction);
        let alike = own.all.iter().filter(|(_, rule)| !sides.entries_differ(rule));
        Self {
            keys: own.all.iter().map(|(_, rule)| sides.key(rule)).collect(),
            keys_there: there.all.iter().map(|(_, rule)| key(rule, None)).collect(),
            alike: alike.map(|(_, rule)| sides.key(rule)).collect(),
            own,
            there,
        }
    }

    /// Returns true if the other account has an own rule as it is.
    pub fn is_there(&self, sides: &Sides<'a>, rule: &Rule) -> bool {
        self.keys_there.contains(&sides.key(rule))
    }

    /// Returns true if the other account has an own rule that admits the same.
    pub fn is_alike(&self, sides: &Sides<'a>, rule: &Rule) -> bool {
        self.is_there(sides, rule) && !sides.entries_differ(rule)
    }

    /// Returns true if this account does not have a rule of the other as it is. The same unknown rule on both sides admits the same.
    pub fn is_only_there(&self, rule: &Rule) -> bool {
        !self.alike.contains(&key(rule, None))
    }

    /// Returns true if the rules of both accounts differ.
    pub fn differs(&self, sides: &Sides<'a>) -> bool {
        self.keys != self.keys_there || self.own.all.iter().any(|(_, rule)| sides.entries_differ(rule))
    }
}
