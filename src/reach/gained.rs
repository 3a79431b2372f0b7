//! Traffic that one account admits and another does not.

use std::collections::{BTreeMap, HashSet};
use std::net::IpAddr;

use indexmap::IndexSet;
use ipnet::IpNet;

use super::admitted;
use super::by_groups;
use super::classes::{Class, reached};
use super::matching::Matching;
use super::passage::{Certainty, End, Passage, Reached, Way, ends_of};
use super::public::{self, Gain, gain};
use super::region::{Cell, cell_without};
use super::rules::{RuleKey, key, peer_words, rule_words, traffic_words};
use super::sides::{Sides, why_unknown};
use super::told::Told;
use crate::account::{Account, Origin, Peer, Public, Rule, SecurityGroup, may_be_of_one_owner};
use crate::model::{Direction, PrefixFamily};

/// Lists what `account` admits and `other` does not.
pub(super) fn gained<'a>(
    other: &'a Account,
    account: &'a Account,
    classes: &[Class<'a>],
    matching: &'a Matching,
) -> Vec<Passage> {
    let public = account.interfaces.values().flat_map(|interface| {
        let addresses = if let Public::At(all) = &interface.public { all.as_slice() } else { &[] };
        addresses.iter().map(|address| (*address, interface.label.as_str()))
    });
    let public = public.collect();
    let mut gained = Gained { sides: Sides::new(other, account, matching), public, told: Told::default() };
    for class in classes {
        gained.unknown_groups(class);
        for direction in Direction::BOTH {
            gained.by_blocks(class, direction);
        }
    }
    by_groups::add(&gained.sides, classes, &mut gained.told);
    gained.told.sorted()
}

struct Gained<'a> {
    sides: Sides<'a>,
    /// Interfaces of the account by their public addresses.
    public: BTreeMap<IpAddr, &'a str>,
    told: Told,
}

/// Rules of the other account for a class, in one direction.
struct There<'a> {
    rules: Vec<&'a Rule>,
    keys: HashSet<RuleKey>,
    /// Packets that known rules admit there.
    cells: Vec<(Cell, &'a Rule)>,
    /// Rules of which something is not known there, and which this account does not have as they are.
    unknown: Vec<&'a Rule>,
}

impl<'a> There<'a> {
    fn new(sides: &Sides<'a>, class: &Class<'a>, direction: Direction) -> Self {
        let theirs = class.others.as_deref().unwrap_or_default();
        let rules: Vec<&Rule> = admitted::rules(sides.other, theirs, direction).map(|(.., rule)| rule).collect();
        let own = sides.keys(class, direction);
        let is_alone = |rule: &Rule| !own.contains(&key(rule, None));
        Self {
            keys: rules.iter().map(|rule| key(rule, None)).collect(),
            cells: rules
                .iter()
                .flat_map(|rule| admitted::cells(sides.other, rule).into_iter().map(move |cell| (cell, *rule)))
                .collect(),
            unknown: rules
                .iter()
                .filter(|rule| admitted::is_unknown(sides.other, rule) && is_alone(rule))
                .copied()
                .collect(),
            rules,
        }
    }
}

impl<'a> Gained<'a> {
    /// An interface whose groups are not known may be open to anything.
    fn unknown_groups(&mut self, class: &Class<'a>) {
        self.absent_groups(class);
        let Some(why) = class.unknown else { return };
        let is_same = class.unknown_there() == Some(why);
        for (at, member) in class.members.iter().enumerate() {
            let reached = match is_same {
                true if !class.gains_an_address(at) => continue,
                true => Reached::ByAddressAlone,
                false => reached(&[member], &PrefixFamily::BOTH),
            };
            let why = format!("its groups are not known: {}", why.reason);
            let passage = of_somebody(member.label.clone(), why, vec![member.origin.clone()], reached);
            self.told.add(passage, [member.label.clone()]);
        }
    }

    /// A group that no source has may admit anything to those who join it.
    fn absent_groups(&mut self, class: &Class<'a>) {
        let there = class.others.as_deref().unwrap_or_default();
        let groups = &self.sides.account.groups;
        for id in class.groups.iter().filter(|id| !groups.contains_key(**id) && !there.contains(id)) {
            let by = class.members.iter().map(|member| member.origin.clone()).collect();
            let why = format!("no source has the rules of {id}");
            let passage = of_somebody(id.to_string(), why, by, reached(&class.members, &PrefixFamily::BOTH));
            self.told.add(passage, class.members.iter().map(|member| member.label.clone()));
        }
    }

    /// Adds what rules that name blocks, prefix lists, or somebody unknown admit.
    fn by_blocks(&mut self, class: &Class<'a>, direction: Direction) {
        let mut there: Option<There<'a>> = None;
        for (_, group, rule) in admitted::rules(self.sides.account, &class.groups, direction) {
            if matches!(rule.peer, Peer::Group(_)) && rule.traffic.known().is_some() {
                continue;
            }
            let there = there.get_or_insert_with(|| There::new(&self.sides, class, direction));
            if there.keys.contains(&self.sides.key(rule)) && !self.sides.entries_differ(rule) {
                self.by_new_addresses(class, (group, rule), direction);
                continue;
            }
            let cells = admitted::cells(self.sides.account, rule);
            let is_new = |cell: &Cell| !cell_without(*cell, there.cells.iter().map(|(cell, _)| cell)).is_empty();
            let of_rule = why_unknown(self.sides.account, rule);
            if !cells.iter().any(is_new) && of_rule.is_none() {
                self.by_new_addresses(class, (group, rule), direction);
                continue;
            }
            let why = of_rule
                .or_else(|| self.sides.unknown_there(class))
                .or_else(|| self.unknown_list_there(rule, there))
                .or_else(|| self.unknown_rule_there(rule, &cells, there))
                .or_else(|| self.sides.is_left_out_there(rule, group));
            let already = there.cells.iter().filter(|(old, _)| cells.iter().any(|cell| cell.meets(*old)));
            let already: IndexSet<String> =
                already.map(|(_, rule)| rule_words(self.sides.other, rule, direction)).collect();
            let entries = match (&rule.peer, rule.traffic.known()) {
                (Peer::PrefixList(_), Some(traffic)) => {
                    let entries = self.sides.account.blocks(&rule.peer).into_iter().flatten();
                    let is_new = |entry: &IpNet| Cell::new(*traffic, *entry).is_some_and(|cell| is_new(&cell));
                    entries.copied().filter(is_new).collect()
                }
                _ => Vec::new(),
            };
            let passage = self.passage(class, (group, rule), direction);
            let passage = Passage {
                certainty: why.map_or(Certainty::Known, Certainty::Unknown),
                entries,
                already: already.into_iter().collect(),
                ..passage
            };
            self.told.add(passage, class.members.iter().map(|member| member.label.clone()));
        }
    }

    /// The passage that a rule admits to a class, or from it.
    fn passage(&self, class: &Class<'a>, (group, rule): (&SecurityGroup, &Rule), direction: Direction) -> Passage {
        let way = self.way(class, rule, direction);
        let (from, to, members_are) = ends_of(&group.label, peer_words(self.sides.account, &rule.peer), direction);
        Passage {
            way,
            from,
            from_groups: Vec::new(),
            to,
            traffic: traffic_words(rule),
            certainty: Certainty::Known,
            by: vec![rule.origin.clone()],
            entries: Vec::new(),
            held_by: if way == Way::Inside { Vec::new() } else { self.holders(rule) },
            already: Vec::new(),
            members: Vec::new(),
            senders: Vec::new(),
            members_are,
            reached: if way == Way::FromOutside {
                reached(&class.members, &self.families(rule))
            } else {
                Reached::Inside
            },
        }
    }

    /// The families of the blocks that a rule names; both where these are not known.
    fn families(&self, rule: &Rule) -> Vec<PrefixFamily> {
        let blocks = self.sides.account.blocks(&rule.peer);
        let has = |family: &PrefixFamily| {
            blocks.as_ref().is_none_or(|blocks| blocks.iter().any(|block| PrefixFamily::of(*block) == *family))
        };
        PrefixFamily::BOTH.into_iter().filter(has).collect()
    }

    /// Interfaces of the account whose own public addresses are in the blocks of a rule. A wide block means the internet.
    fn holders(&self, rule: &Rule) -> Vec<String> {
        let blocks = self.sides.account.blocks(&rule.peer).unwrap_or_default();
        let own = blocks.iter().filter(|block| may_be_of_one_owner(block)).flat_map(|block| {
            self.public.range(block.network()..=block.broadcast()).map(|(_, label)| (*label).to_owned())
        });
        let own: IndexSet<String> = own.collect();
        own.into_iter().collect()
    }

    /// Adds who is reached from outside by a rule of both accounts, since he has a public address in this one only.
    fn by_new_addresses(&mut self, class: &Class<'a>, (group, rule): (&SecurityGroup, &Rule), direction: Direction) {
        if self.way(class, rule, direction) != Way::FromOutside {
            return;
        }
        // Of an unknown rule nobody can tell that it does not admit the internet.
        let blocks = self.sides.account.blocks(&rule.peer);
        let unknown = why_unknown(self.sides.account, rule);
        for (member, twin) in class.members.iter().zip(&class.other_members) {
            let has = |family: PrefixFamily| {
                move |block: &IpNet| PrefixFamily::of(*block) == family && !public::is_private(block)
            };
            let gains = PrefixFamily::BOTH
                .into_iter()
                .filter(|family| blocks.as_ref().is_none_or(|blocks| blocks.iter().any(has(*family))));
            let Some(gain) = gains.filter_map(|family| gain(member, twin, family)).min() else { continue };
            let passage = Passage {
                certainty: match (gain, &unknown) {
                    (_, Some(why)) => Certainty::Unknown(why.clone()),
                    (Gain::Known(_), None) => Certainty::Known,
                    (Gain::Perhaps(why), None) => Certainty::Unknown(why),
                },
                by: vec![member.origin.clone(), rule.origin.clone()],
                reached: Reached::ByAddressAlone,
                ..self.passage(class, (group, rule), direction)
            };
            self.told.add(passage, [member.label.clone()]);
        }
    }

    /// Entries of a prefix list that the other account names, and does not tell, cannot be compared.
    fn unknown_list_there(&self, rule: &Rule, there: &There<'_>) -> Option<String> {
        let Peer::PrefixList(id) = &rule.peer else { return None };
        let other = self.sides.matching.prefix_lists.get(id).unwrap_or(id);
        match self.sides.other.prefix_lists.get(other) {
            Some(list) => list.entries.why_unknown().map(str::to_owned),
            None => {
                let names_it = there.rules.iter().any(|rule| rule.peer == Peer::PrefixList(other.clone()));
                names_it.then(|| format!("the other source names {other} without its entries"))
            }
        }
    }

    /// The reason why a rule of the other account, of which something is not known, may admit the same already.
    fn unknown_rule_there(&self, rule: &Rule, cells: &[Cell], there: &There<'_>) -> Option<String> {
        let may_admit = |unknown: &&&Rule| {
            let traffic = unknown.traffic.known().copied().unwrap_or(crate::model::Traffic::All);
            match self.sides.other.blocks(&unknown.peer) {
                Some(blocks) => {
                    let mut theirs = blocks.iter().filter_map(|block| Cell::new(traffic, *block));
                    theirs.any(|theirs| cells.iter().any(|cell| cell.meets(theirs)))
                }
                // A group is no block.
                None if matches!(unknown.peer, Peer::Group(_)) => unknown.peer == self.sides.key(rule).1,
                None => {
                    let anywhere = PrefixFamily::BOTH.into_iter().map(PrefixFamily::every_address);
                    let mut theirs = anywhere.filter_map(|block| Cell::new(traffic, block));
                    theirs.any(|theirs| cells.iter().any(|cell| cell.meets(theirs)))
                }
            }
        };
        let unknown = there.unknown.iter().find(may_admit)?;
        Some(format!("in the other source, {}", why_unknown(self.sides.other, unknown)?))
    }

    /// A block inside the VPC is no outside; nor is one that is told by a group.
    fn way(&self, class: &Class<'a>, rule: &Rule, direction: Direction) -> Way {
        let own = self.sides.account.vpc_blocks(class.vpc);
        let inside = |block: &IpNet| own.iter().any(|own| own.contains(block));
        match (self.sides.account.blocks(&rule.peer), direction) {
            // Its traffic is not known, and yet it is for a group.
            _ if matches!(rule.peer, Peer::Group(_)) => Way::Inside,
            (Some(blocks), _) if !blocks.is_empty() && blocks.iter().all(inside) => Way::Inside,
            (_, Direction::Ingress) => Way::FromOutside,
            (_, Direction::Egress) => Way::ToOutside,
        }
    }
}

/// A passage from nobody knows whom.
fn of_somebody(to: String, why: String, by: Vec<Origin>, reached: Reached) -> Passage {
    Passage {
        way: Way::FromOutside,
        from: "somebody".to_owned(),
        from_groups: Vec::new(),
        held_by: Vec::new(),
        to,
        traffic: "unknown traffic".to_owned(),
        certainty: Certainty::Unknown(why),
        by,
        entries: Vec::new(),
        already: Vec::new(),
        members: Vec::new(),
        senders: Vec::new(),
        members_are: End::Receiver,
        reached,
    }
}
