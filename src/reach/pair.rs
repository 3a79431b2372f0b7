//! Two classes of members at a place each, and the passage of what is newly open between them.

use indexmap::IndexSet;

use super::admitted::{self, Admitted};
use super::classes::Class;
use super::ends::OfClass;
use super::passage::{Certainty, End, Passage, Reached, Way};
use super::position::{Held, Place, Position};
use super::region::{Packets, packets_without};
use super::sides::{Sides, why_unknown};
use crate::account::{Interface, Origin, Peer, ResourceId, Rule};

/// A class with its rules for ingress and egress.
#[derive(Clone, Copy)]
pub(super) struct One<'c, 'a> {
    pub(super) class: &'c Class<'a>,
    pub(super) rules: &'c [OfClass<'a>; 2],
}

/// Traffic that the rules of one end admit to peers of one position, in both accounts.
pub(super) struct OneEnd<'a> {
    pub(super) place: Place,
    pub(super) members: Vec<&'a Interface>,
    pub(super) own: Vec<Admitted<'a>>,
    pub(super) theirs: Vec<Admitted<'a>>,
}

/// Members of two classes at a place each.
pub(super) struct Pair<'c, 'a> {
    pub(super) from: One<'c, 'a>,
    pub(super) to: One<'c, 'a>,
    /// Traffic that the ingress rules of `to` admit from these.
    pub(super) senders: &'c OneEnd<'a>,
    /// Traffic that the egress rules of `from` admit to these.
    pub(super) receivers: &'c OneEnd<'a>,
}

impl Pair<'_, '_> {
    /// Returns true if an address has come into a block that rules name.
    pub(super) fn is_moved(&self) -> bool {
        self.from.class.is_moved_to(&self.senders.place) || self.to.class.is_moved_to(&self.receivers.place)
    }
}

/// Packets that two rules let pass.
#[derive(Clone, Copy)]
pub(super) struct Open<'a> {
    pub(super) packets: Packets,
    pub(super) ingress: Admitted<'a>,
    pub(super) egress: Admitted<'a>,
}

impl Open<'_> {
    pub(super) fn held(&self) -> Held {
        self.ingress.held.min(self.egress.held)
    }

    pub(super) fn names_a_group(&self) -> bool {
        names_a_group(self.ingress.rule) || names_a_group(self.egress.rule)
    }
}

pub(super) fn names_a_group(rule: &Rule) -> bool {
    matches!(rule.peer, Peer::Group(_))
}

/// Those that are open for certain.
pub(super) fn for_certain<'o, 'a>(all: &'o [Open<'a>]) -> impl Iterator<Item = &'o Open<'a>> {
    all.iter().filter(|open| open.held() == Held::Yes)
}

/// Packets that a pair of rules lets pass between two classes, and that are not open there.
pub(super) struct NewlyOpen<'p, 'c, 'a> {
    pub(super) sides: &'p Sides<'a>,
    pub(super) pair: &'p Pair<'c, 'a>,
    pub(super) open: &'p Open<'a>,
    pub(super) new: &'p [Packets],
    /// All that is open there between these members.
    pub(super) theirs: &'p [Open<'a>],
}

impl<'a> NewlyOpen<'_, '_, 'a> {
    pub(super) fn passage(&self) -> Passage {
        let Pair { from, to, .. } = self.pair;
        let (ingress, egress) = (self.open.ingress.rule, self.open.egress.rule);
        let by_group = |rule: &Rule| rule.peer.group().map(|id| self.label(id));
        let from_groups: Vec<String> = match ingress.peer.group() {
            Some(_) => Vec::new(),
            None => from.class.groups.iter().map(|id| self.label(id)).collect(),
        };
        let of_rule = || to.rules[0].own.owner(ingress).map(|group| group.label.clone());
        let open_already = for_certain(self.theirs).filter_map(|open| open.packets.common(self.open.packets));
        let already: IndexSet<String> = open_already.map(Packets::words).collect();
        Passage {
            way: Way::Inside,
            from: by_group(ingress).unwrap_or_else(|| from_groups.join("+")),
            from_groups,
            to: by_group(egress).or_else(of_rule).unwrap_or_default(),
            traffic: self.open.packets.words(),
            certainty: self.why_unknown().map_or(Certainty::Known, Certainty::Unknown),
            by: self.deciding(),
            entries: Vec::new(),
            held_by: Vec::new(),
            already: already.into_iter().collect(),
            members: Vec::new(),
            senders: self.senders(),
            members_are: End::Receiver,
            reached: Reached::Inside,
        }
    }

    fn label(&self, id: &ResourceId) -> String {
        self.sides.account.groups.get(id).map_or_else(|| id.to_string(), |group| group.label.clone())
    }

    /// The members that it is from, where the group has others.
    fn senders(&self) -> Vec<String> {
        let senders = &self.pair.senders.members;
        let group = self.open.ingress.rule.peer.group();
        let all = group.map_or(self.pair.from.class.members.len(), |id| self.sides.members_of(id));
        if senders.len() < all { senders.iter().map(|member| member.label.clone()).collect() } else { Vec::new() }
    }

    /// Returns why it is not known if it is open, or if it was open there.
    fn why_unknown(&self) -> Option<String> {
        self.peering()
            .or_else(|| self.unknown_own_rule())
            .or_else(|| (self.open.held() == Held::Perhaps).then(|| unknown_address(self.pair)))
            .or_else(|| self.classes().into_iter().find_map(|class| self.sides.unknown_there(class)))
            .or_else(|| self.unknown_rule_there())
            .or_else(|| self.left_out_there())
    }

    fn classes(&self) -> [&Class<'a>; 2] {
        [self.pair.from.class, self.pair.to.class]
    }

    fn peering(&self) -> Option<String> {
        let [from, to] = self.classes().map(|class| class.vpc);
        (from? != to?).then(|| "over a peering of two VPCs, which is not emulated".to_owned())
    }

    fn unknown_own_rule(&self) -> Option<String> {
        [self.open.ingress, self.open.egress].into_iter().find_map(|half| why_unknown(self.sides.account, half.rule))
    }

    /// Of rules there that may have admitted it, the first that is not known.
    fn unknown_rule_there(&self) -> Option<String> {
        let (ingress_rules, egress_rules) = (&self.pair.to.rules[0], &self.pair.from.rules[1]);
        // Leave out rules that both accounts leave unknown in the same words.
        let is_only_there = |rules: &OfClass<'a>, half: Admitted<'a>| {
            !admitted::is_unknown(self.sides.other, half.rule) || rules.is_only_there(half.rule)
        };
        let theirs: Vec<&Open<'_>> = self
            .theirs
            .iter()
            .filter(|open| is_only_there(ingress_rules, open.ingress) && is_only_there(egress_rules, open.egress))
            .collect();
        if !packets_without(self.new.to_vec(), theirs.iter().map(|open| open.packets)).is_empty() {
            return None;
        }
        let meeting = theirs.iter().filter(|other| other.packets.common(self.open.packets).is_some());
        let mut rules = meeting.flat_map(|open| [open.ingress.rule, open.egress.rule]);
        let why = rules.find_map(|rule| why_unknown(self.sides.other, rule));
        Some(why.map_or_else(|| unknown_address(self.pair), |why| format!("in the other source, {why}")))
    }

    fn left_out_there(&self) -> Option<String> {
        let of = |rules: &OfClass<'a>, rule: &Rule| self.sides.is_left_out_there(rule, rules.own.owner(rule)?);
        let egress = || of(&self.pair.from.rules[1], self.open.egress.rule);
        of(&self.pair.to.rules[0], self.open.ingress.rule).or_else(egress)
    }

    /// The rules that are new, else both, behind the members whose addresses are new.
    fn deciding(&self) -> Vec<Origin> {
        let pair = self.pair;
        let mut by = Vec::new();
        let halves = [(&pair.to.rules[0], self.open.ingress.rule), (&pair.from.rules[1], self.open.egress.rule)];
        for (rules, rule) in halves {
            if !rules.is_there(self.sides, rule) {
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
}

/// Most members that are named as the reason.
const MOST_NAMED: usize = 3;

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
