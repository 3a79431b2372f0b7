//! Traffic between members of two classes, by rules that name groups: egress of the ones admits it, and ingress of the others.

use std::collections::{HashMap, HashSet};

use indexmap::IndexSet;

use super::admitted::{self, Admitted, Peers};
use super::classes::Class;
use super::ends::OfClass;
use super::pair::{NewlyOpen, One, OneEnd, Open, Pair, for_certain, names_a_group};
use super::passage::{Certainty, Passage, Reached, Way, ends_of};
use super::position::Held;
use super::region::packets_without;
use super::rules::{key, peer_words, traffic_words};
use super::sides::Sides;
use super::told::Told;
use crate::account::{Peer, ResourceId, Rule, SecurityGroup};
use crate::model::{Direction, PrefixFamily};

/// Adds what rules that name groups admit between the members of two classes.
pub(super) fn add<'a>(sides: &Sides<'a>, classes: &[Class<'a>], told: &mut Told) {
    let mut members: HashMap<&ResourceId, Vec<usize>> = HashMap::new();
    for (index, class) in classes.iter().enumerate() {
        class.groups.iter().for_each(|group| members.entry(group).or_default().push(index));
    }
    let rules: Vec<[OfClass<'a>; 2]> =
        classes.iter().map(|class| Direction::BOTH.map(|direction| OfClass::new(sides, class, direction))).collect();
    let changed: Vec<bool> = classes.iter().zip(&rules).map(|(class, rules)| is_changed(sides, class, rules)).collect();
    // A pair that rules of both ends name is asked once.
    let mut asked: IndexSet<(usize, usize)> = IndexSet::new();
    for direction in Direction::BOTH {
        for (index, class) in classes.iter().enumerate() {
            for (_, group, rule) in admitted::rules(sides.account, &class.groups, direction) {
                let Peer::Group(peer) = &rule.peer else { continue };
                let Some(peers) = members.get(peer) else {
                    let [ingress, egress] = &rules[index];
                    let of_direction = if direction == Direction::Ingress { ingress } else { egress };
                    if !of_direction.is_there(sides, rule) {
                        by_unknown_group(sides, class, (group, rule), direction, told);
                    }
                    continue;
                };
                for &other in peers.iter().filter(|other| changed[index] || changed[**other]) {
                    asked.insert(match direction {
                        Direction::Ingress => (other, index),
                        Direction::Egress => (index, other),
                    });
                }
            }
        }
    }
    for moved in classes.iter().enumerate().filter(|(_, class)| sides.is_moved(class)).map(|(index, _)| index) {
        let names_blocks = |rules: &[OfClass<'a>; 2], end: usize| rules[end].own.names_blocks();
        let senders = (0..classes.len()).filter(|other| names_blocks(&rules[*other], 1)).map(|other| (other, moved));
        let receivers = (0..classes.len()).filter(|other| names_blocks(&rules[*other], 0)).map(|other| (moved, other));
        asked.extend(senders.chain(receivers));
    }
    for (from, to) in asked {
        let is_alone = from == to && classes[from].are_one_machine(&classes[from].members);
        for family in PrefixFamily::BOTH.into_iter().filter(|_| !is_alone) {
            let ends = [from, to].map(|at| One { class: &classes[at], rules: &rules[at] });
            over(sides, family, ends, told);
        }
    }
}

fn is_changed<'a>(sides: &Sides<'a>, class: &Class<'a>, rules: &[OfClass<'a>; 2]) -> bool {
    let Some(others) = &class.others else { return true };
    let mapped: Option<Vec<&ResourceId>> = class.groups.iter().map(|id| sides.matching.groups.get(*id)).collect();
    let same_groups = mapped.is_some_and(|mut mapped| {
        mapped.sort();
        mapped == *others
    });
    !same_groups
        || sides.unknown_there(class).is_some()
        || sides.has_other_places(class)
        || rules.iter().any(|rules| rules.differs(sides))
}

/// A rule for a group that no source has: its members are not known.
fn by_unknown_group<'a>(
    sides: &Sides<'a>,
    class: &Class<'a>,
    (group, rule): (&SecurityGroup, &Rule),
    direction: Direction,
    told: &mut Told,
) {
    let peer = peer_words(sides.account, &rule.peer);
    let (from, to, members_are) = ends_of(&group.label, peer, direction);
    let passage = Passage {
        way: Way::Inside,
        from,
        from_groups: Vec::new(),
        to,
        traffic: traffic_words(rule),
        certainty: Certainty::Unknown("no source has the members of this group".to_owned()),
        by: vec![rule.origin.clone()],
        entries: Vec::new(),
        held_by: Vec::new(),
        already: Vec::new(),
        members: Vec::new(),
        senders: Vec::new(),
        members_are,
        reached: Reached::Inside,
    };
    told.add(passage, class.members.iter().map(|member| member.label.clone()));
}

/// Asks rules for each place of `peers`. Places that they do not tell apart are one.
fn asked<'a>(sides: &Sides<'a>, family: PrefixFamily, rules: &OfClass<'a>, peers: &Class<'a>) -> Vec<OneEnd<'a>> {
    let mut found: Vec<OneEnd<'a>> = Vec::new();
    let mut seen: HashMap<Vec<(*const Rule, Held)>, usize> = HashMap::new();
    for (place, members) in peers.places(family, sides.account, sides.other, &sides.named) {
        let at = |groups, position| Peers { groups, position, family };
        // A rule that is not known, and that the other account does not have as it is, is told by itself.
        let own = rules.own.between(at(&peers.groups, &place.own), |rule| rules.is_alike(sides, rule));
        let mut theirs = Vec::new();
        if let Some(others) = &peers.others {
            for position in &place.there {
                theirs.extend(rules.there.between(at(others, position), |_| true));
            }
        }
        let outcome = own.iter().chain(&theirs).map(|one| (std::ptr::from_ref(one.rule), one.held)).collect();
        match seen.get(&outcome) {
            Some(known) => found[*known].members.extend(members),
            None => {
                seen.insert(outcome, found.len());
                found.push(OneEnd { place: place.clone(), members: members.clone(), own, theirs });
            }
        }
    }
    found
}

fn over<'a>(sides: &Sides<'a>, family: PrefixFamily, [from, to]: [One<'_, 'a>; 2], told: &mut Told) {
    let receivers = asked(sides, family, &from.rules[1], to.class);
    for senders in asked(sides, family, &to.rules[0], from.class) {
        for receivers in &receivers {
            let is_itself = match (senders.members.as_slice(), receivers.members.as_slice()) {
                ([one], [other]) => std::ptr::eq(*one, *other) && from.class.are_one_machine(&senders.members),
                _ => false,
            };
            if !is_itself {
                one_pair(sides, &Pair { from, to, senders: &senders, receivers }, told);
            }
        }
    }
}

/// Pairs of rules that let packets pass. Of rules that say the same one is enough, unless its group is told: where the other rule names none.
fn open<'a>(ingress: &[Admitted<'a>], egress: &[Admitted<'a>]) -> Vec<Open<'a>> {
    let mut open = Vec::new();
    let egress = distinct(egress);
    let mut seen = HashSet::new();
    for one in ingress {
        let is_first = seen.insert(one.said());
        for other in egress.iter().filter(|other| is_first || !names_a_group(other.rule)) {
            let common = one.packets.common(other.packets);
            open.extend(common.map(|packets| Open { packets, ingress: *one, egress: *other }));
        }
    }
    open
}

/// Open traffic there of which no group is told.
fn open_there<'a>(ingress: &[Admitted<'a>], egress: &[Admitted<'a>]) -> Vec<Open<'a>> {
    let mut all = open(&distinct(ingress), egress);
    let mut seen = HashSet::new();
    all.retain(|open| open.held() != Held::Yes || seen.insert(open.packets));
    all
}

/// One of each that say the same.
fn distinct<'a>(all: &[Admitted<'a>]) -> Vec<Admitted<'a>> {
    let mut seen = HashSet::new();
    all.iter().filter(|one| seen.insert(one.said())).copied().collect()
}

fn one_pair<'a>(sides: &Sides<'a>, pair: &Pair<'_, 'a>, told: &mut Told) {
    let all = open(&pair.senders.own, &pair.receivers.own);
    // A pair of rules that both name blocks is told by blocks, unless an address has come into one.
    let is_moved = pair.is_moved();
    let own: Vec<&Open<'a>> = all.iter().filter(|open| is_moved || open.names_a_group()).collect();
    if own.is_empty() {
        return;
    }
    let theirs = open_there(&pair.senders.theirs, &pair.receivers.theirs);
    let same_places = pair.senders.place.is_same() && pair.receivers.place.is_same();
    for open in own {
        let mut new = packets_without(vec![open.packets], for_certain(&theirs).map(|open| open.packets));
        if open.held() == Held::Perhaps {
            // Drop packets that are open for certain, and those that the same unknown rule perhaps let through before.
            let as_open = |other: &&Open<'_>| {
                same_places
                    && is_as_open(sides, open.ingress, other.ingress)
                    && is_as_open(sides, open.egress, other.egress)
            };
            let certain = for_certain(&all);
            new = packets_without(new, certain.chain(theirs.iter().filter(as_open)).map(|open| open.packets));
        }
        if !new.is_empty() {
            let passage = NewlyOpen { sides, pair, open, new: &new, theirs: &theirs }.passage();
            told.add(passage, pair.receivers.members.iter().map(|member| member.label.clone()));
        }
    }
}

/// Returns true if an end there, at the same place, lets pass what an own one does that is perhaps open: for certain, or by the same rule.
fn is_as_open(sides: &Sides<'_>, own: Admitted<'_>, there: Admitted<'_>) -> bool {
    there.held == Held::Yes || there.held == own.held && sides.key(own.rule) == key(there.rule, None)
}
