//! Rules without which everybody reaches the same, and the rules that carry what they admit.
//!
//! Only the rules of the end that a rule is for are asked: what they admit without it is the same, so what passes both ends is the same. The work
//! grows with rules and the classes of their groups, and ends at the first class that needs the rule. Of the rules of a group only those are
//! looked at that an index finds to have something in common with the rule.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};

use indexmap::{IndexMap, IndexSet};
use ipnet::IpNet;

use super::admitted::cells;
use super::classes::{Class, classes};
use super::index::Index;
use super::matching::Matching;
use super::region::{Cell, Packets, cell_without, packets_without};
use crate::account::{Account, Peer, ResourceId, Rule, Vpc};
use crate::model::{Direction, Traffic};

/// The position of a rule in an account.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RuleAt {
    /// Its group.
    pub group: ResourceId,
    /// Its direction.
    pub direction: Direction,
    /// Its number among the group's rules of that direction, from 0.
    pub index: usize,
}

impl RuleAt {
    /// Returns the rule.
    pub fn rule<'a>(&self, account: &'a Account) -> Option<&'a Rule> {
        account.groups.get(&self.group)?.rules(self.direction).get(self.index)
    }
}

/// A rule that others carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Carried {
    /// The rule.
    pub rule: RuleAt,
    /// Rules that admit all that it admits; never empty. Rules of other groups count for the members of today.
    pub by: Vec<RuleAt>,
}

/// Lists rules without which everybody reaches the same. All of them can go at once: what carries one and goes as well is carried by what stays.
pub fn carried(account: &Account) -> Vec<Carried> {
    search(account, LookUp::ByIndex)
}

/// A way to find the rules that have something in common with one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LookUp {
    ByIndex,
    /// Each rule is looked at: to hold the index against.
    #[cfg(test)]
    AtEach,
}

fn search(account: &Account, look_up: LookUp) -> Vec<Carried> {
    let matching = Matching::new(account, account);
    let mut search = Search::new(account, &matching, look_up);
    let mut found = Vec::new();
    // Of two that carry each other the first stays.
    for (group, id) in account.groups.keys().enumerate().rev() {
        for direction in [Direction::Egress, Direction::Ingress] {
            for index in (0..rules_of(account, id, direction).len()).rev() {
                let at = At { group, direction, index };
                if let Some(by) = search.carriers(at) {
                    search.gone.insert(at);
                    found.push((at, by));
                }
            }
        }
    }
    found.reverse();
    let named = |at: At| {
        let group = account.groups.get_index(at.group).map(|(id, _)| id.clone());
        group.map(|group| RuleAt { group, direction: at.direction, index: at.index })
    };
    let told = found
        .into_iter()
        .filter_map(|(at, by)| Some(Carried { rule: named(at)?, by: by.into_iter().filter_map(named).collect() }));
    told.collect()
}

/// Returns true if one traffic has all that the other has.
pub fn covers(wide: Traffic, narrow: Traffic) -> bool {
    packets_without(vec![Packets::of(narrow)], [Packets::of(wide)]).is_empty()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct At {
    group: usize,
    direction: Direction,
    index: usize,
}

/// Groups among whose rules others are looked for, and the rule that others are to carry.
type Among<'g> = (At, &'g [usize]);

struct Search<'a> {
    account: &'a Account,
    /// Sets of groups that an interface is in together, each once.
    group_sets: Vec<Vec<usize>>,
    /// Positions in `group_sets` by group.
    by_group: HashMap<usize, Vec<usize>>,
    /// Some interface may be in any group.
    is_open_ended: bool,
    gone: HashSet<At>,
    look_up: LookUp,
    /// Of each group, for ingress and egress.
    indexes: Vec<[OnceCell<Index<'a>>; 2]>,
}

impl<'a> Search<'a> {
    fn new(account: &'a Account, matching: &'a Matching, look_up: LookUp) -> Self {
        let all: Vec<Class<'a>> = classes(account, account, matching);
        let mut group_sets: IndexSet<Vec<usize>> = IndexSet::new();
        for class in &all {
            group_sets.insert(class.groups.iter().filter_map(|id| account.groups.get_index_of(*id)).collect());
        }
        let mut by_group: HashMap<usize, Vec<usize>> = HashMap::new();
        for (index, groups) in group_sets.iter().enumerate() {
            groups.iter().for_each(|group| by_group.entry(*group).or_default().push(index));
        }
        let is_open_ended = all.iter().any(|class| class.unknown.is_some());
        let indexes = account.groups.iter().map(|_| Default::default()).collect();
        let group_sets = group_sets.into_iter().collect();
        Self { account, group_sets, by_group, is_open_ended, gone: HashSet::new(), look_up, indexes }
    }

    /// The rules that carry one; nothing where something needs it, or where what it means is not known.
    fn carriers(&self, at: At) -> Option<Vec<At>> {
        let rule = self.rule(at)?;
        rule.traffic.known()?;
        if let Some(by) = self.covered(rule, (at, &[at.group])) {
            return Some(by);
        }
        if self.is_open_ended {
            return None;
        }
        let mut by: IndexSet<At> = IndexSet::new();
        for class in self.by_group.get(&at.group)? {
            let groups = &self.group_sets[*class];
            if groups.len() < 2 {
                return None;
            }
            by.extend(self.covered(rule, (at, groups))?);
        }
        Some(by.into_iter().collect())
    }

    fn rule(&self, at: At) -> Option<&'a Rule> {
        rules_of(self.account, self.account.groups.get_index(at.group)?.0, at.direction).get(at.index)
    }

    /// The rules of some groups, in their order, that `ask` finds, but this one and those that are gone.
    fn others(&self, (but, groups): Among<'_>, ask: impl Fn(&Index<'a>, &mut Vec<usize>)) -> Vec<(At, &'a Rule)> {
        let (mut others, mut found) = (Vec::new(), Vec::new());
        for &group in groups {
            let Some((id, _)) = self.account.groups.get_index(group) else { continue };
            let rules = rules_of(self.account, id, but.direction);
            found.clear();
            match self.look_up {
                LookUp::ByIndex => ask(self.index(group, but.direction, rules), &mut found),
                #[cfg(test)]
                LookUp::AtEach => found.extend(0..rules.len()),
            }
            found.sort_unstable();
            found.dedup();
            let all = found.iter().filter_map(|index| Some((At { group, index: *index, ..but }, rules.get(*index)?)));
            others.extend(all.filter(|(at, _)| *at != but && !self.gone.contains(at)));
        }
        others
    }

    fn index(&self, group: usize, direction: Direction, rules: &'a [Rule]) -> &Index<'a> {
        let [ingress, egress] = &self.indexes[group];
        let of_direction = match direction {
            Direction::Ingress => ingress,
            Direction::Egress => egress,
        };
        of_direction.get_or_init(|| Index::new(self.account, rules))
    }

    fn covered(&self, rule: &Rule, among: Among<'_>) -> Option<Vec<At>> {
        let traffic = *rule.traffic.known()?;
        let same = |other: &Rule| other.peer == rule.peer && !matches!(rule.peer, Peer::Unknown(_));
        let others = self.others(among, |index, found| index.of_peer(&rule.peer, traffic, found));
        let alone = others
            .iter()
            .find(|(_, other)| same(other) && other.traffic.known().is_some_and(|wide| covers(*wide, traffic)));
        if let Some((at, _)) = alone {
            return Some(vec![*at]);
        }
        match &rule.peer {
            Peer::Unknown(_) => None,
            Peer::Block(_) | Peer::PrefixList(_) => self.blocks_covered(rule, traffic, among),
            Peer::Group(peer) => self.members_covered((peer, traffic), among),
        }
    }

    fn blocks_covered(&self, rule: &Rule, traffic: Traffic, among: Among<'_>) -> Option<Vec<At>> {
        let blocks = self.account.blocks(&rule.peer)?;
        let own = cells(self.account, rule);
        let others = self.others(among, |index, found| {
            blocks.iter().for_each(|block| index.meeting(*block, traffic, found));
        });
        let theirs: Vec<(At, Vec<Cell>)> = others
            .iter()
            .map(|(at, other)| (*at, cells(self.account, other)))
            .filter(|(_, all)| !all.is_empty())
            .collect();
        let without = |left: &[Cell], all: &[Cell]| -> Vec<Cell> {
            left.iter().flat_map(|cell| cell_without(*cell, all)).collect()
        };
        // A rule that admits nothing is another matter.
        fewest(&own, &theirs, |left, all| without(left, all))
    }

    /// Of a group's members every one must be admitted by others: by a group that all are in, or by the whole of their VPC.
    fn members_covered(&self, (peer, traffic): (&ResourceId, Traffic), among: Among<'_>) -> Option<Vec<At>> {
        if self.is_open_ended {
            return None;
        }
        let peer = self.account.groups.get_index_of(peer)?;
        let whole = self.vpc_of(peer);
        let mut by: IndexSet<At> = IndexSet::new();
        for class in self.by_group.get(&peer)? {
            let groups: IndexSet<Peer> = self.group_sets[*class]
                .iter()
                .filter_map(|group| Some(Peer::Group(self.account.groups.get_index(*group)?.0.clone())))
                .collect();
            let counts = |other: &Rule| match &other.peer {
                Peer::Group(_) => groups.contains(&other.peer),
                Peer::Block(_) | Peer::PrefixList(_) => !whole.is_empty() && self.holds_all(other, &whole),
                Peer::Unknown(_) => false,
            };
            let others = self.others(among, |index, found| {
                groups.iter().for_each(|group| index.of_peer(group, traffic, found));
                whole.first().into_iter().for_each(|block| index.holding(*block, traffic, found));
            });
            let theirs: Vec<(At, Vec<Packets>)> = others
                .iter()
                .filter(|(_, other)| counts(other))
                .filter_map(|(at, other)| Some((*at, vec![Packets::of(*other.traffic.known()?)])))
                .collect();
            by.extend(fewest(&[Packets::of(traffic)], &theirs, |left, all| {
                packets_without(left.to_vec(), all.iter().copied())
            })?);
        }
        Some(by.into_iter().collect())
    }

    /// Every address that a member of a group may have; none where the VPC is not known, or one of its blocks is not yet.
    fn vpc_of(&self, group: usize) -> Vec<IpNet> {
        let vpc = self.account.groups.get_index(group).and_then(|(_, group)| group.vpc.as_ref());
        let vpc = vpc.and_then(|id| self.account.vpcs.get_key_value(id));
        let is_known =
            |id: &ResourceId, vpc: &Vpc| !vpc.blocks.is_empty() && (!vpc.ipv6.is_empty() || !self.account.has_ipv6(id));
        vpc.into_iter().filter(|(id, vpc)| is_known(id, vpc)).flat_map(|(_, vpc)| vpc.all_blocks()).collect()
    }

    fn holds_all(&self, rule: &Rule, all: &[IpNet]) -> bool {
        let own = cells(self.account, rule);
        all.iter().all(|block| own.iter().any(|cell| cell.holds(*block)))
    }
}

/// The one that leaves nothing of `own`, else all that take something of it away, if together they leave nothing.
fn fewest<T: Clone + PartialEq>(
    own: &[T],
    theirs: &[(At, Vec<T>)],
    without: impl Fn(&[T], &[T]) -> Vec<T>,
) -> Option<Vec<At>> {
    if own.is_empty() {
        return None;
    }
    if let Some((at, _)) = theirs.iter().find(|(_, all)| without(own, all).is_empty()) {
        return Some(vec![*at]);
    }
    let mut left = own.to_vec();
    let mut by: IndexMap<At, ()> = IndexMap::new();
    for (at, all) in theirs {
        let rest = without(&left, all);
        if rest != left {
            by.insert(*at, ());
        }
        left = rest;
        if left.is_empty() {
            return Some(by.into_keys().collect());
        }
    }
    None
}

fn rules_of<'a>(account: &'a Account, group: &ResourceId, direction: Direction) -> &'a [Rule] {
    account.groups.get(group).map_or(&[], |group| group.rules(direction))
}

#[cfg(test)]
mod tests;
