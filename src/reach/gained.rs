//! What one account admits and another does not.

use std::collections::{HashMap, HashSet};

use indexmap::{IndexMap, IndexSet};
use ipnet::IpNet;

use super::admitted::{self, Hold};
use super::classes::{Class, addresses, public};
use super::matching::Matching;
use super::passage::{Certainty, End, Passage, Reached, Way};
use super::region::{Cell, Packets, cell_without, packets_common, packets_without};
use super::rules::{RuleKey, key, peer_words, rule_words, traffic_words};
use crate::account::{Account, Origin, Peer, ResourceId, Rule, SecurityGroup};
use crate::model::Direction;

/// Two accounts, `other` being the one that lacks.
struct Gained<'a> {
    other: &'a Account,
    account: &'a Account,
    matching: &'a Matching,
    /// What is found, by its ends and traffic: the same of several classes is told once.
    found: IndexMap<Told, Passage>,
    members: HashMap<Told, IndexSet<String>>,
}

type Told = (Way, String, String, String, Certainty);

/// Lists what `account` admits and `other` does not.
pub(super) fn gained<'a>(
    other: &'a Account,
    account: &'a Account,
    classes: &[Class<'a>],
    matching: &'a Matching,
) -> Vec<Passage> {
    let mut gained = Gained { other, account, matching, found: IndexMap::new(), members: HashMap::new() };
    for class in classes {
        gained.unknown_groups(class);
        for direction in [Direction::Ingress, Direction::Egress] {
            gained.by_blocks(class, direction);
        }
    }
    gained.by_groups(classes);
    let Gained { found, mut members, .. } = gained;
    let told = found.into_iter().map(|(key, passage)| {
        let members = members.remove(&key).unwrap_or_default().into_iter().collect();
        Passage { members, ..passage }
    });
    let mut told: Vec<Passage> = told.collect();
    told.sort_by(|one, other| {
        let rank = |passage: &Passage| (passage.certainty != Certainty::Known, passage.way, passage.reached);
        rank(one).cmp(&rank(other))
    });
    told
}

impl<'a> Gained<'a> {
    /// An interface whose groups are not known may be open to anything.
    fn unknown_groups(&mut self, class: &Class<'a>) {
        let Some(why) = class.unknown else { return };
        if class.other_members.iter().any(|twin| twin.groups.why_unknown() == Some(why)) {
            return;
        }
        for member in &class.members {
            let passage = Passage {
                way: Way::FromOutside,
                from: "somebody".to_owned(),
                to: member.label.clone(),
                traffic: "unknown traffic".to_owned(),
                certainty: Certainty::Unknown(format!("its groups are not known: {why}")),
                by: vec![member.origin.clone()],
                already: Vec::new(),
                members: Vec::new(),
                members_are: End::Receiver,
                reached: public(&[member]),
            };
            self.add(passage, [member.label.clone()]);
        }
    }

    /// What rules that name blocks, prefix lists, or somebody unknown admit.
    fn by_blocks(&mut self, class: &Class<'a>, direction: Direction) {
        let theirs = class.others.as_deref().unwrap_or_default();
        let known: HashSet<RuleKey> =
            admitted::rules(self.other, theirs, direction).map(|(.., rule)| key(rule, None)).collect();
        let mut before: Option<Vec<(Cell, &Rule)>> = None;
        for (_, group, rule) in admitted::rules(self.account, &class.groups, direction) {
            if matches!(rule.peer, Peer::Group(_)) && rule.traffic.known().is_some() {
                continue;
            }
            if known.contains(&key(rule, Some(self.matching))) && !self.entries_differ(rule) {
                continue;
            }
            let certainty = self.certainty(rule);
            let cells = admitted::cells(self.account, rule);
            let before = before.get_or_insert_with(|| {
                let rules = admitted::rules(self.other, theirs, direction);
                rules
                    .flat_map(|(.., rule)| admitted::cells(self.other, rule).into_iter().map(move |cell| (cell, rule)))
                    .collect()
            });
            let left = cells.iter().any(|cell| !cell_without(*cell, before.iter().map(|(cell, _)| cell)).is_empty());
            if !left && certainty == Certainty::Known {
                continue;
            }
            let already = before.iter().filter(|(old, _)| cells.iter().any(|cell| cell.meets(*old)));
            let already: IndexSet<String> = already.map(|(_, rule)| rule_words(self.other, rule, direction)).collect();
            let peer = peer_words(self.account, &rule.peer);
            let way = self.way(class, rule, direction);
            let (from, to) = match direction {
                Direction::Ingress => (peer, group.label.clone()),
                Direction::Egress => (group.label.clone(), peer),
            };
            let reached = if way == Way::FromOutside { public(&class.members) } else { Reached::Inside };
            let passage = Passage {
                way,
                from,
                to,
                traffic: traffic_words(rule),
                certainty,
                by: vec![rule.origin.clone()],
                already: already.into_iter().collect(),
                members: Vec::new(),
                members_are: if direction == Direction::Egress { End::Sender } else { End::Receiver },
                reached,
            };
            self.add(passage, class.members.iter().map(|member| member.label.clone()));
        }
    }

    /// Returns true if a prefix list has other entries in the two accounts.
    fn entries_differ(&self, rule: &Rule) -> bool {
        let Peer::PrefixList(id) = &rule.peer else { return false };
        let theirs = self.matching.prefix_lists.get(id).and_then(|id| self.other.prefix_lists.get(id));
        let own = self.account.prefix_lists.get(id);
        own.map(|list| &list.entries) != theirs.map(|list| &list.entries)
    }

    fn certainty(&self, rule: &Rule) -> Certainty {
        let of_list = match &rule.peer {
            Peer::Unknown(why) => Some(why.clone()),
            Peer::PrefixList(id) => match self.account.prefix_lists.get(id) {
                Some(list) => list.entries.why_unknown().map(str::to_owned).or_else(|| {
                    // What the other source does not tell cannot be told to differ.
                    let theirs = self.matching.prefix_lists.get(id).and_then(|id| self.other.prefix_lists.get(id));
                    theirs.and_then(|list| list.entries.why_unknown()).map(str::to_owned)
                }),
                None => Some(format!("no source has the entries of {id}")),
            },
            Peer::Block(_) | Peer::Group(_) => None,
        };
        rule.traffic.why_unknown().map(str::to_owned).or(of_list).map_or(Certainty::Known, Certainty::Unknown)
    }

    /// A block inside the VPC is no outside; nor is one that is told by a group.
    fn way(&self, class: &Class<'a>, rule: &Rule, direction: Direction) -> Way {
        let own: Vec<IpNet> = class.vpc.and_then(|id| self.account.vpcs.get(id)).map_or_else(Vec::new, |vpc| {
            vpc.blocks.iter().copied().map(IpNet::V4).chain(vpc.ipv6.iter().copied()).collect()
        });
        let inside = |block: &IpNet| own.iter().any(|own| own.contains(block));
        match (admitted::blocks(self.account, rule), direction) {
            (Some(blocks), _) if !blocks.is_empty() && blocks.iter().all(inside) => Way::Inside,
            (_, Direction::Ingress) => Way::FromOutside,
            (_, Direction::Egress) => Way::ToOutside,
        }
    }

    /// What rules that name groups admit, between the members of two classes.
    fn by_groups(&mut self, classes: &[Class<'a>]) {
        let mut members: HashMap<&ResourceId, Vec<usize>> = HashMap::new();
        for (index, class) in classes.iter().enumerate() {
            class.groups.iter().for_each(|group| members.entry(group).or_default().push(index));
        }
        let changed: Vec<bool> = classes.iter().map(|class| self.is_changed(class)).collect();
        for direction in [Direction::Ingress, Direction::Egress] {
            for (index, class) in classes.iter().enumerate() {
                let mut asked: HashSet<usize> = HashSet::new();
                for (_, group, rule) in admitted::rules(self.account, &class.groups, direction) {
                    let Peer::Group(peer) = &rule.peer else { continue };
                    let Some(peers) = members.get(peer) else {
                        self.by_unknown_group(class, (group, rule), direction);
                        continue;
                    };
                    for &other in peers.iter().filter(|other| changed[index] || changed[**other]) {
                        // One interface sends to itself without a filter.
                        let alone = other == index && class.members.len() == 1;
                        if alone || !asked.insert(other) {
                            continue;
                        }
                        let (from, to) = match direction {
                            Direction::Ingress => (&classes[other], class),
                            Direction::Egress => (class, &classes[other]),
                        };
                        self.between(from, to);
                    }
                }
            }
        }
    }

    fn is_changed(&self, class: &Class<'a>) -> bool {
        let Some(others) = &class.others else { return true };
        let mapped: Option<Vec<&ResourceId>> = class.groups.iter().map(|id| self.matching.groups.get(*id)).collect();
        let same_groups = mapped.is_some_and(|mut mapped| {
            mapped.sort();
            mapped == *others
        });
        let keys = |account: &'a Account,
                    groups: &[&'a ResourceId],
                    direction,
                    matching: Option<&Matching>|
         -> HashSet<RuleKey> {
            admitted::rules(account, groups, direction).map(|(.., rule)| key(rule, matching)).collect()
        };
        !same_groups
            || [Direction::Ingress, Direction::Egress].into_iter().any(|direction| {
                keys(self.account, &class.groups, direction, Some(self.matching))
                    != keys(self.other, others, direction, None)
            })
    }

    /// A rule for a group that no source has: its members are not known.
    fn by_unknown_group(&mut self, class: &Class<'a>, (group, rule): (&SecurityGroup, &Rule), direction: Direction) {
        let theirs = class.others.as_deref().unwrap_or_default();
        let own = key(rule, Some(self.matching));
        if admitted::rules(self.other, theirs, direction).any(|(.., rule)| key(rule, None) == own) {
            return;
        }
        let peer = peer_words(self.account, &rule.peer);
        let (from, to) = match direction {
            Direction::Ingress => (peer, group.label.clone()),
            Direction::Egress => (group.label.clone(), peer),
        };
        let passage = Passage {
            way: Way::Inside,
            from,
            to,
            traffic: traffic_words(rule),
            certainty: Certainty::Unknown("no source has the members of this group".to_owned()),
            by: vec![rule.origin.clone()],
            already: Vec::new(),
            members: Vec::new(),
            members_are: if direction == Direction::Egress { End::Sender } else { End::Receiver },
            reached: Reached::Inside,
        };
        self.add(passage, class.members.iter().map(|member| member.label.clone()));
    }

    fn between(&mut self, from: &Class<'a>, to: &Class<'a>) {
        let own =
            open(self.account, (&from.groups, &from.members), (&to.groups, &to.members), (from.vpc, to.vpc), Hold::Any);
        if own.is_empty() {
            return;
        }
        let theirs = match (&from.others, &to.others) {
            (Some(from_groups), Some(to_groups)) => open(
                self.other,
                (from_groups, &from.other_members),
                (to_groups, &to.other_members),
                (self.vpc_there(from_groups), self.vpc_there(to_groups)),
                Hold::All,
            ),
            _ => Vec::new(),
        };
        // What both ends admit by blocks is told as blocks.
        let names_a_group = |rule: &Rule| matches!(rule.peer, Peer::Group(_));
        for (packets, rules) in
            own.into_iter().filter(|(_, rules)| names_a_group(rules.ingress) || names_a_group(rules.egress))
        {
            if packets_without(vec![packets], theirs.iter().map(|(packets, _)| *packets)).is_empty() {
                continue;
            }
            let already: IndexSet<String> =
                theirs.iter().filter_map(|(open, _)| open.common(packets)).map(Packets::words).collect();
            let label = |id: &ResourceId| {
                self.account.groups.get(id).map_or_else(|| id.to_string(), |group| group.label.clone())
            };
            let by_group = |rule: &Rule| if let Peer::Group(id) = &rule.peer { Some(label(id)) } else { None };
            let named = |class: &Class<'_>| class.groups.iter().map(|id| label(id)).collect::<Vec<_>>().join("+");
            let passage = Passage {
                way: Way::Inside,
                from: by_group(rules.ingress).unwrap_or_else(|| named(from)),
                to: by_group(rules.egress).unwrap_or_else(|| self.owner(to, rules.ingress)),
                traffic: packets.words(),
                certainty: match (from.vpc, to.vpc) {
                    (Some(one), Some(other)) if one != other => {
                        Certainty::Unknown("over a peering of two VPCs, which is not emulated".to_owned())
                    }
                    _ => Certainty::Known,
                },
                by: self.deciding(rules, from, to),
                already: already.into_iter().collect(),
                members: Vec::new(),
                members_are: End::Receiver,
                reached: Reached::Inside,
            };
            self.add(passage, to.members.iter().map(|member| member.label.clone()));
        }
    }

    /// The VPC of groups of the other account, by that account's own id.
    fn vpc_there(&self, groups: &[&ResourceId]) -> Option<&'a ResourceId> {
        groups.iter().find_map(|id| self.other.groups.get(*id)?.vpc.as_ref())
    }

    /// The group of a class whose rule it is.
    fn owner(&self, class: &Class<'a>, rule: &Rule) -> String {
        let mut own = admitted::rules(self.account, &class.groups, Direction::Ingress);
        own.find(|(.., known)| std::ptr::eq(*known, rule)).map_or_else(String::new, |(_, group, _)| group.label.clone())
    }

    /// The rules that are new, else both.
    fn deciding(&self, rules: Pair<'a>, from: &Class<'a>, to: &Class<'a>) -> Vec<Origin> {
        let is_new = |rule: &Rule, class: &Class<'a>, direction| {
            let theirs = class.others.as_deref().unwrap_or_default();
            let own = key(rule, Some(self.matching));
            !admitted::rules(self.other, theirs, direction).any(|(.., rule)| key(rule, None) == own)
        };
        let mut by = Vec::new();
        if is_new(rules.ingress, to, Direction::Ingress) {
            by.push(rules.ingress.origin.clone());
        }
        if is_new(rules.egress, from, Direction::Egress) {
            by.push(rules.egress.origin.clone());
        }
        if by.is_empty() { vec![rules.ingress.origin.clone(), rules.egress.origin.clone()] } else { by }
    }

    fn add(&mut self, passage: Passage, members: impl IntoIterator<Item = String>) {
        let told =
            (passage.way, passage.from.clone(), passage.to.clone(), passage.traffic.clone(), passage.certainty.clone());
        self.members.entry(told.clone()).or_default().extend(members);
        match self.found.get_mut(&told) {
            None => {
                self.found.insert(told, passage);
            }
            Some(known) => {
                known.reached = known.reached.min(passage.reached);
                for origin in passage.by {
                    if !known.by.contains(&origin) {
                        known.by.push(origin);
                    }
                }
            }
        }
    }
}

/// The two rules that let a packet pass.
#[derive(Clone, Copy)]
struct Pair<'a> {
    ingress: &'a Rule,
    egress: &'a Rule,
}

type Open<'a> = Vec<(Packets, Pair<'a>)>;

/// Packets that pass from members of some groups to members of others: egress admits them, and ingress.
fn open<'a>(
    account: &'a Account,
    (from, senders): (&[&'a ResourceId], &[&crate::account::Interface]),
    (to, receivers): (&[&'a ResourceId], &[&crate::account::Interface]),
    (from_vpc, to_vpc): (Option<&ResourceId>, Option<&ResourceId>),
    hold: Hold,
) -> Open<'a> {
    let ingress =
        admitted::between(account, to, Direction::Ingress, (from, &addresses(account, senders, from_vpc), hold));
    let egress =
        admitted::between(account, from, Direction::Egress, (to, &addresses(account, receivers, to_vpc), hold));
    let mut open = Vec::new();
    for (packets, ingress) in ingress {
        for (others, egress) in &egress {
            let common = packets_common(&[packets], &[*others]);
            open.extend(common.into_iter().map(|packets| (packets, Pair { ingress, egress })));
        }
    }
    open
}
