//! Traffic between members of two classes, by rules that name groups: egress of the ones admits it, and ingress of the others.

use std::collections::{HashMap, HashSet};

use indexmap::IndexSet;

use super::admitted::{self, Admitted, Peers};
use super::classes::Class;
use super::ends::OfClass;
use super::passage::{Certainty, End, Passage, Reached, Way, ends_of};
use super::position::{Held, Place, Position};
use super::region::{Packets, packets_without};
use super::rules::{key, peer_words, traffic_words};
use super::sides::{Sides, why_unknown};
use super::told::Told;
use crate::account::{Interface, Origin, Peer, ResourceId, Rule, SecurityGroup};
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

/// A class with its rules for ingress and egress.
#[derive(Clone, Copy)]
struct One<'c, 'a> {
    class: &'c Class<'a>,
    rules: &'c [OfClass<'a>; 2],
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

/// Traffic that the rules of one end admit to peers of one position, in both accounts.
struct OneEnd<'a> {
    place: Place,
    members: Vec<&'a Interface>,
    own: Vec<Admitted<'a>>,
    theirs: Vec<Admitted<'a>>,
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
                one_pair(sides, Pair { from, to, senders: &senders, receivers }, told);
            }
        }
    }
}

/// Members of two classes at a place each.
struct Pair<'c, 'a> {
    from: One<'c, 'a>,
    to: One<'c, 'a>,
    /// Traffic that the ingress rules of `to` admit from these.
    senders: &'c OneEnd<'a>,
    /// Traffic that the egress rules of `from` admit to these.
    receivers: &'c OneEnd<'a>,
}

/// Packets that two rules let pass.
#[derive(Clone, Copy)]
struct Open<'a> {
    packets: Packets,
    ingress: Admitted<'a>,
    egress: Admitted<'a>,
}

impl Open<'_> {
    fn held(&self) -> Held {
        self.ingress.held.min(self.egress.held)
    }

    fn names_a_group(&self) -> bool {
        names_a_group(self.ingress.rule) || names_a_group(self.egress.rule)
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

fn names_a_group(rule: &Rule) -> bool {
    matches!(rule.peer, Peer::Group(_))
}

fn one_pair<'a>(sides: &Sides<'a>, pair: Pair<'_, 'a>, told: &mut Told) {
    let Pair { from, to, senders, receivers } = pair;
    let (egress_rules, ingress_rules) = (&from.rules[1], &to.rules[0]);
    let (from, to) = (from.class, to.class);
    let all = open(&senders.own, &receivers.own);
    // A pair of rules that both name blocks is told by blocks, unless an address has come into one.
    let is_moved = from.is_moved_to(&senders.place) || to.is_moved_to(&receivers.place);
    let own: Vec<&Open<'a>> = all.iter().filter(|open| is_moved || open.names_a_group()).collect();
    if own.is_empty() {
        return;
    }
    let theirs = open_there(&senders.theirs, &receivers.theirs);
    let there = |held: Held| theirs.iter().filter(move |open| open.held() >= held).map(|open| open.packets);
    let same_places = senders.place.is_same() && receivers.place.is_same();
    for open in own {
        let mut new = packets_without(vec![open.packets], there(Held::Yes));
        if open.held() == Held::Perhaps {
            // Drop packets that are open for certain, and those that the same unknown rule perhaps let through before.
            let as_open = |other: &&Open<'_>| {
                same_places
                    && is_as_open(sides, open.ingress, other.ingress)
                    && is_as_open(sides, open.egress, other.egress)
            };
            let certain = all.iter().filter(|other| other.held() == Held::Yes);
            new = packets_without(new, certain.chain(theirs.iter().filter(as_open)).map(|open| open.packets));
        }
        if new.is_empty() {
            continue;
        }
        let already: IndexSet<String> =
            there(Held::Yes).filter_map(|packets| packets.common(open.packets)).map(Packets::words).collect();
        let label =
            |id: &ResourceId| sides.account.groups.get(id).map_or_else(|| id.to_string(), |group| group.label.clone());
        let by_group = |rule: &Rule| rule.peer.group().map(label);
        let from_groups: Vec<String> = match open.ingress.rule.peer.group() {
            Some(_) => Vec::new(),
            None => from.groups.iter().map(|id| label(id)).collect(),
        };
        let senders_of = |rule: &Rule| -> Vec<String> {
            let all = rule.peer.group().map_or(from.members.len(), |id| sides.members_of(id));
            let labels = senders.members.iter().map(|member| member.label.clone());
            labels.filter(|_| senders.members.len() < all).collect()
        };
        let unknown_there = || [from, to].into_iter().find_map(|class| sides.unknown_there(class));
        // Leave out rules that both accounts leave unknown in the same words.
        let is_only_there = |rules: &OfClass<'a>, half: Admitted<'a>| {
            !admitted::is_unknown(sides.other, half.rule) || rules.is_only_there(half.rule)
        };
        let unknown_rule = || {
            let theirs: Vec<&Open<'_>> = theirs
                .iter()
                .filter(|open| is_only_there(ingress_rules, open.ingress) && is_only_there(egress_rules, open.egress))
                .collect();
            let is_perhaps = !packets_without(new.clone(), theirs.iter().map(|open| open.packets)).is_empty();
            let meeting = theirs.iter().filter(|other| other.packets.common(open.packets).is_some());
            let mut rules = meeting.flat_map(|open| [open.ingress.rule, open.egress.rule]);
            let why =
                rules.find_map(|rule| why_unknown(sides.other, rule)).map(|why| format!("in the other source, {why}"));
            (!is_perhaps).then(|| why.unwrap_or_else(|| unknown_address(&pair)))
        };
        let left_out = || {
            let of = |rules: &OfClass<'a>, rule: &Rule| sides.is_left_out_there(rule, rules.own.owner(rule)?);
            of(ingress_rules, open.ingress.rule).or_else(|| of(egress_rules, open.egress.rule))
        };
        let peering = || match (from.vpc, to.vpc) {
            (Some(one), Some(other)) if one != other => {
                Some("over a peering of two VPCs, which is not emulated".to_owned())
            }
            _ => None,
        };
        let own_rule =
            || [open.ingress, open.egress].into_iter().find_map(|half| why_unknown(sides.account, half.rule));
        let address = || (open.held() == Held::Perhaps).then(|| unknown_address(&pair));
        let why =
            peering().or_else(own_rule).or_else(address).or_else(unknown_there).or_else(unknown_rule).or_else(left_out);
        let of_rule = || ingress_rules.own.owner(open.ingress.rule).map(|group| group.label.clone());
        let passage = Passage {
            way: Way::Inside,
            from: by_group(open.ingress.rule).unwrap_or_else(|| from_groups.join("+")),
            from_groups,
            to: by_group(open.egress.rule).or_else(of_rule).unwrap_or_default(),
            traffic: open.packets.words(),
            certainty: why.map_or(Certainty::Known, Certainty::Unknown),
            by: deciding(sides, open, &pair),
            entries: Vec::new(),
            held_by: Vec::new(),
            already: already.into_iter().collect(),
            members: Vec::new(),
            senders: senders_of(open.ingress.rule),
            members_are: End::Receiver,
            reached: Reached::Inside,
        };
        told.add(passage, receivers.members.iter().map(|member| member.label.clone()));
    }
}

/// Returns true if an end there, at the same place, lets pass what an own one does that is perhaps open: for certain, or by the same rule.
fn is_as_open(sides: &Sides<'_>, own: Admitted<'_>, there: Admitted<'_>) -> bool {
    there.held == Held::Yes || there.held == own.held && sides.key(own.rule) == key(there.rule, None)
}

/// Says which addresses are not known.
fn unknown_address(pair: &Pair<'_, '_>) -> String {
    let places = [&pair.senders.place, &pair.receivers.place];
    let mut positions = places.into_iter().flat_map(|place| [&place.own].into_iter().chain(&place.there));
    let ranges = positions.find_map(|position| match position {
        Position::OneOf(ranges) if !ranges.is_empty() => Some(ranges),
        Position::OneOf(_) | Position::In(_) => None,
    });
    match ranges {
        None => "a private address is not known".to_owned(),
        Some(ranges) => {
            let all: Vec<String> = ranges.iter().map(ToString::to_string).collect();
            format!("a private address is not known, but that it is of {}", all.join(" or "))
        }
    }
}

/// Most members that are named as the reason.
const MOST_NAMED: usize = 3;

/// The rules that are new, else both, behind the members whose addresses are new.
fn deciding<'a>(sides: &Sides<'a>, open: &Open<'a>, pair: &Pair<'_, 'a>) -> Vec<Origin> {
    let mut by = Vec::new();
    let halves = [(&pair.to.rules[0], open.ingress.rule), (&pair.from.rules[1], open.egress.rule)];
    for (rules, rule) in halves {
        if !rules.is_there(sides, rule) {
            by.push(rule.origin.clone());
        }
    }
    if by.is_empty() {
        for (class, end) in [(pair.from.class, pair.senders), (pair.to.class, pair.receivers)] {
            if class.is_moved_to(&end.place) {
                by.extend(end.members.iter().take(MOST_NAMED).map(|member| member.origin.clone()));
            }
        }
        by.extend(halves.map(|(_, rule)| rule.origin.clone()));
    }
    by
}
