//! Traffic that the rules of some groups admit.

use super::position::{Held, Position};
use super::region::{Cell, Packets, fits};
use crate::account::{Account, Peer, ResourceId, Rule, SecurityGroup};
use crate::model::{Direction, PrefixFamily, Traffic};

/// The rules of some groups in one direction, each with its group.
pub(super) fn rules<'a>(
    account: &'a Account,
    groups: &[&'a ResourceId],
    direction: Direction,
) -> impl Iterator<Item = (&'a ResourceId, &'a SecurityGroup, &'a Rule)> {
    groups
        .iter()
        .filter_map(|id| account.groups.get_key_value(*id))
        .flat_map(move |(id, group)| group.rules(direction).iter().map(move |rule| (id, group, rule)))
}

/// The cells of a rule that names blocks.
pub(super) fn cells(account: &Account, rule: &Rule) -> Vec<Cell> {
    let Some(traffic) = rule.traffic.known() else { return Vec::new() };
    let blocks = account.blocks(&rule.peer).into_iter().flatten();
    blocks.filter_map(|block| Cell::new(*traffic, *block)).collect()
}

/// The other end of a rule, over one family.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peers<'p> {
    /// Its groups, in order.
    pub groups: &'p [&'p ResourceId],
    /// The position of its addresses.
    pub position: &'p Position,
    /// The family.
    pub family: PrefixFamily,
}

impl Peers<'_> {
    /// Returns true if a group is one of theirs.
    pub fn has(&self, group: &ResourceId) -> bool {
        self.groups.binary_search_by(|own| (*own).cmp(group)).is_ok()
    }
}

/// Packets that a rule admits from or to peers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Admitted<'a> {
    pub packets: Packets,
    pub rule: &'a Rule,
    /// Never [`Held::No`].
    pub held: Held,
}

impl<'a> Admitted<'a> {
    /// Identifies rules that say the same; of an unknown value by its text.
    pub fn said(&self) -> (Packets, &'a Peer, Held, Option<u64>) {
        (self.packets, &self.rule.peer, self.held, self.rule.is_unknown().then_some(self.rule.origin.digest))
    }
}

/// Packets that a rule admits from or to peers. One for somebody unknown, or for unknown traffic, counts as far as `may_admit` says.
pub(super) fn by<'a>(
    account: &'a Account,
    rule: &'a Rule,
    peers: Peers<'_>,
    may_admit: &impl Fn(&Rule) -> bool,
) -> Option<Admitted<'a>> {
    let is_unknown = is_unknown(account, rule);
    let traffic = rule.traffic.known().copied().unwrap_or(Traffic::All);
    if is_unknown && !may_admit(rule) || !fits(traffic, peers.family) {
        return None;
    }
    let held = match &rule.peer {
        Peer::Group(id) if peers.has(id) => Held::Yes,
        Peer::Group(_) => Held::No,
        Peer::Block(block) => peers.position.held_by(std::slice::from_ref(block), peers.family),
        Peer::PrefixList(id) => match account.entries(id) {
            Some(entries) => peers.position.held_by(entries, peers.family),
            None => Held::Perhaps,
        },
        Peer::Unknown(_) => Held::Perhaps,
    };
    let held = if is_unknown { held.min(Held::Perhaps) } else { held };
    (held != Held::No).then(|| Admitted { packets: Packets::of(traffic), rule, held })
}

/// Returns true for a rule of which an account does not tell the traffic, or not all that its peer is.
pub(super) fn is_unknown(account: &Account, rule: &Rule) -> bool {
    let is_untold = |id: &ResourceId| account.entries(id).is_none();
    rule.is_unknown() || matches!(&rule.peer, Peer::PrefixList(id) if is_untold(id))
}
