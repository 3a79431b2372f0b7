//! Traffic that one account admits and another does not.

use std::collections::{HashMap, HashSet};

use indexmap::{IndexMap, IndexSet};
use ipnet::IpNet;

use super::admitted::{self, Hold, Peers};
use super::classes::{Addresses, Class, public};
use super::matching::Matching;
use super::passage::{Certainty, End, Passage, Reached, Way};
use super::region::{Cell, Packets, cell_without, packets_without};
use super::rules::{RuleKey, key, peer_words, rule_words, traffic_words};
use crate::account::{Account, Interface, Origin, Peer, ResourceId, Rule, SecurityGroup};
use crate::model::{Direction, PrefixFamily};

/// Two accounts, `other` being the one that lacks.
struct Gained<'a> {
    other: &'a Account,
    account: &'a Account,
    matching: &'a Matching,
    /// Passages by ends and traffic: the same of several classes is told once.
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
        let rank = |passage: &Passage| {
            (passage.certainty != Certainty::Known, passage.way, !passage.is_of_everybody(), passage.reached)
        };
        rank(one).cmp(&rank(other))
    });
    told
}

impl<'a> Gained<'a> {
    /// An interface whose groups are not known may be open to anything.
    fn unknown_groups(&mut self, class: &Class<'a>) {
        self.absent_groups(class);
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
                entries: Vec::new(),
                already: Vec::new(),
                members: Vec::new(),
                members_are: End::Receiver,
                reached: public(&[member]),
            };
            self.add(passage, [member.label.clone()]);
        }
    }

    /// A group that no source has may admit anything to those who join it.
    fn absent_groups(&mut self, class: &Class<'a>) {
        let there = class.others.as_deref().unwrap_or_default();
        for id in class.groups.iter().filter(|id| !self.account.groups.contains_key(**id) && !there.contains(id)) {
            let passage = Passage {
                way: Way::FromOutside,
                from: "somebody".to_owned(),
                to: id.to_string(),
                traffic: "unknown traffic".to_owned(),
                certainty: Certainty::Unknown(format!("no source has the rules of {id}")),
                by: class.members.iter().map(|member| member.origin.clone()).collect(),
                entries: Vec::new(),
                already: Vec::new(),
                members: Vec::new(),
                members_are: End::Receiver,
                reached: public(&class.members),
            };
            self.add(passage, class.members.iter().map(|member| member.label.clone()));
        }
    }

    /// Adds what rules that name blocks, prefix lists, or somebody unknown admit.
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
            let certainty = self.certainty(rule, theirs, direction);
            let cells = admitted::cells(self.account, rule);
            let before = before.get_or_insert_with(|| {
                let rules = admitted::rules(self.other, theirs, direction);
                rules
                    .flat_map(|(.., rule)| admitted::cells(self.other, rule).into_iter().map(move |cell| (cell, rule)))
                    .collect()
            });
            let is_new = |cell: &Cell| !cell_without(*cell, before.iter().map(|(cell, _)| cell)).is_empty();
            if !cells.iter().any(is_new) && certainty == Certainty::Known {
                continue;
            }
            let already = before.iter().filter(|(old, _)| cells.iter().any(|cell| cell.meets(*old)));
            let already: IndexSet<String> = already.map(|(_, rule)| rule_words(self.other, rule, direction)).collect();
            let peer = peer_words(self.account, &rule.peer);
            let way = self.way(class, rule, direction);
            let (from, to, members_are) = ends_of(group, peer, direction);
            let reached = if way == Way::FromOutside { public(&class.members) } else { Reached::Inside };
            let passage = Passage {
                way,
                from,
                to,
                traffic: traffic_words(rule),
                certainty,
                by: vec![rule.origin.clone()],
                entries: match (&rule.peer, rule.traffic.known()) {
                    (Peer::PrefixList(_), Some(traffic)) => {
                        let entries = admitted::blocks(self.account, rule).into_iter().flatten();
                        entries.filter(|entry| Cell::new(*traffic, *entry).is_some_and(|cell| is_new(&cell))).collect()
                    }
                    _ => Vec::new(),
                },
                already: already.into_iter().collect(),
                members: Vec::new(),
                members_are,
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

    /// `theirs` are the groups of the class in the other account.
    fn certainty(&self, rule: &Rule, theirs: &[&'a ResourceId], direction: Direction) -> Certainty {
        // The other account names the list, and has nothing of it.
        let absent = |id: &ResourceId| {
            let other = self.matching.prefix_lists.get(id).unwrap_or(id);
            let names_it = |rule: &Rule| rule.peer == Peer::PrefixList(other.clone());
            let is_absent = !self.other.prefix_lists.contains_key(other)
                && admitted::rules(self.other, theirs, direction).any(|(.., rule)| names_it(rule));
            is_absent.then(|| format!("the other source names {other} without its entries"))
        };
        let of_list = match &rule.peer {
            Peer::Unknown(why) => Some(why.clone()),
            Peer::PrefixList(id) => match self.account.prefix_lists.get(id) {
                Some(list) => list.entries.why_unknown().map(str::to_owned).or_else(|| {
                    // Entries that the other source does not tell cannot be compared.
                    let theirs = self.matching.prefix_lists.get(id).and_then(|id| self.other.prefix_lists.get(id));
                    theirs.and_then(|list| list.entries.why_unknown()).map(str::to_owned).or_else(|| absent(id))
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
            // Its traffic is not known, and yet it is for a group.
            _ if matches!(rule.peer, Peer::Group(_)) => Way::Inside,
            (Some(blocks), _) if !blocks.is_empty() && blocks.iter().all(inside) => Way::Inside,
            (_, Direction::Ingress) => Way::FromOutside,
            (_, Direction::Egress) => Way::ToOutside,
        }
    }

    /// Adds what rules that name groups admit between the members of two classes.
    fn by_groups(&mut self, classes: &[Class<'a>]) {
        let mut members: HashMap<&ResourceId, Vec<usize>> = HashMap::new();
        for (index, class) in classes.iter().enumerate() {
            class.groups.iter().for_each(|group| members.entry(group).or_default().push(index));
        }
        let changed: Vec<bool> = classes.iter().map(|class| self.is_changed(class)).collect();
        // A pair that rules of both ends name is asked once.
        let mut asked: HashSet<(usize, usize)> = HashSet::new();
        for direction in [Direction::Ingress, Direction::Egress] {
            for (index, class) in classes.iter().enumerate() {
                for (_, group, rule) in admitted::rules(self.account, &class.groups, direction) {
                    let Peer::Group(peer) = &rule.peer else { continue };
                    let Some(peers) = members.get(peer) else {
                        self.by_unknown_group(class, (group, rule), direction);
                        continue;
                    };
                    for &other in peers.iter().filter(|other| changed[index] || changed[**other]) {
                        // One interface sends to itself without a filter.
                        let alone = other == index && class.members.len() == 1;
                        let (from, to) = match direction {
                            Direction::Ingress => (other, index),
                            Direction::Egress => (index, other),
                        };
                        if !alone && asked.insert((from, to)) {
                            self.between(&classes[from], &classes[to]);
                        }
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
        let addresses = |members: &[&Interface]| -> HashSet<IpNet> {
            members.iter().flat_map(|member| member.addresses.iter().copied()).collect()
        };
        !same_groups
            || addresses(&class.members) != addresses(&class.other_members)
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
        let (from, to, members_are) = ends_of(group, peer, direction);
        let passage = Passage {
            way: Way::Inside,
            from,
            to,
            traffic: traffic_words(rule),
            certainty: Certainty::Unknown("no source has the members of this group".to_owned()),
            by: vec![rule.origin.clone()],
            entries: Vec::new(),
            already: Vec::new(),
            members: Vec::new(),
            members_are,
            reached: Reached::Inside,
        };
        self.add(passage, class.members.iter().map(|member| member.label.clone()));
    }

    fn between(&mut self, from: &Class<'a>, to: &Class<'a>) {
        for family in [PrefixFamily::Ipv4, PrefixFamily::Ipv6] {
            self.over(family, from, to);
        }
    }

    fn over(&mut self, family: PrefixFamily, from: &Class<'a>, to: &Class<'a>) {
        let own = open(self.account, Ends::of(from), Ends::of(to), (family, Hold::Any));
        if own.is_empty() {
            return;
        }
        let theirs = match (self.there(from), self.there(to)) {
            (Some(from), Some(to)) => open(self.other, from, to, (family, Hold::All)),
            _ => Vec::new(),
        };
        // A pair of rules that both name blocks is told by blocks.
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
                entries: Vec::new(),
                already: already.into_iter().collect(),
                members: Vec::new(),
                members_are: End::Receiver,
                reached: Reached::Inside,
            };
            self.add(passage, to.members.iter().map(|member| member.label.clone()));
        }
    }

    /// A class as the other account has it; nothing where that has none of its interfaces.
    fn there<'c>(&self, class: &'c Class<'a>) -> Option<Ends<'c, 'a>> {
        let groups = class.others.as_deref()?;
        let vpc = groups.iter().find_map(|id| self.other.groups.get(*id)?.vpc.as_ref());
        Some(Ends { groups, members: &class.other_members, vpc, addresses: &class.other_addresses })
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
                for entry in passage.entries {
                    if !known.entries.contains(&entry) {
                        known.entries.push(entry);
                    }
                }
                for origin in passage.by {
                    if !known.by.contains(&origin) {
                        known.by.push(origin);
                    }
                }
            }
        }
    }
}

/// Sender, receiver, and which of them a rule's own group is.
fn ends_of(group: &SecurityGroup, peer: String, direction: Direction) -> (String, String, End) {
    match direction {
        Direction::Ingress => (peer, group.label.clone(), End::Receiver),
        Direction::Egress => (group.label.clone(), peer, End::Sender),
    }
}

/// The two rules that let a packet pass.
#[derive(Clone, Copy)]
struct Pair<'a> {
    ingress: &'a Rule,
    egress: &'a Rule,
}

type Open<'a> = Vec<(Packets, Pair<'a>)>;

/// Interfaces that send or receive, in one of the accounts.
#[derive(Clone, Copy)]
struct Ends<'c, 'a> {
    groups: &'c [&'a ResourceId],
    members: &'c [&'a Interface],
    /// Their VPC, by that account's own id.
    vpc: Option<&'a ResourceId>,
    addresses: &'c Addresses,
}

impl<'c, 'a> Ends<'c, 'a> {
    fn of(class: &'c Class<'a>) -> Self {
        Self { groups: &class.groups, members: &class.members, vpc: class.vpc, addresses: &class.addresses }
    }
}

/// Packets that pass over a family from some interfaces to others: egress of the ones admits them, and ingress of the others.
fn open<'c, 'a>(
    account: &'a Account,
    from: Ends<'c, 'a>,
    to: Ends<'c, 'a>,
    (family, hold): (PrefixFamily, Hold),
) -> Open<'a> {
    let over = |ends: Ends<'c, 'a>| ends.addresses.over(family, account, ends.members, ends.vpc);
    let (Some(senders), Some(receivers)) = (over(from), over(to)) else { return Vec::new() };
    let peers = |groups, addresses| Peers { groups, addresses, family, hold };
    let ingress = admitted::between(account, to.groups, Direction::Ingress, peers(from.groups, senders));
    let egress = admitted::between(account, from.groups, Direction::Egress, peers(to.groups, receivers));
    let mut open = Vec::new();
    for (packets, ingress) in ingress {
        for (others, egress) in &egress {
            open.extend(packets.common(*others).map(|packets| (packets, Pair { ingress, egress })));
        }
    }
    open
}
