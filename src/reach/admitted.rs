//! Traffic that the rules of some groups admit.

use ipnet::IpNet;

use super::region::{Cell, Packets, fits};
use crate::account::{Account, Peer, ResourceId, Rule, SecurityGroup};
use crate::model::{Direction, PrefixFamily};

/// The rules of some groups in one direction, each with its group.
pub(super) fn rules<'a>(
    account: &'a Account,
    groups: &[&'a ResourceId],
    direction: Direction,
) -> impl Iterator<Item = (&'a ResourceId, &'a SecurityGroup, &'a Rule)> {
    groups.iter().filter_map(|id| account.groups.get_key_value(*id)).flat_map(move |(id, group)| {
        let rules = match direction {
            Direction::Ingress => &group.ingress,
            Direction::Egress => &group.egress,
        };
        rules.iter().map(move |rule| (id, group, rule))
    })
}

/// The blocks that a rule names, of itself or by a prefix list; nothing where it names a group, or something that is not known.
pub(super) fn blocks(account: &Account, rule: &Rule) -> Option<Vec<IpNet>> {
    match &rule.peer {
        Peer::Block(block) => Some(vec![*block]),
        Peer::PrefixList(id) => account.prefix_lists.get(id).and_then(|list| list.entries.known()).cloned(),
        Peer::Group(_) | Peer::Unknown(_) => None,
    }
}

/// The cells of a rule that names blocks.
pub(super) fn cells(account: &Account, rule: &Rule) -> Vec<Cell> {
    let Some(traffic) = rule.traffic.known() else { return Vec::new() };
    blocks(account, rule).into_iter().flatten().filter_map(|block| Cell::new(*traffic, block)).collect()
}

/// The share of several addresses that a block must hold to count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hold {
    /// Each of them: for what is said to be open already.
    All,
    /// One of them: for what is said to be open newly.
    Any,
}

/// The other end of a rule, over one family.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peers<'p> {
    /// Its groups.
    pub groups: &'p [&'p ResourceId],
    /// Its addresses, all of the family, in their order; none where they are not known.
    pub addresses: &'p [IpNet],
    /// The family.
    pub family: PrefixFamily,
    /// The share of the addresses that must be held.
    pub hold: Hold,
}

impl Peers<'_> {
    /// Returns true if blocks hold enough of the addresses; where these are not known, if one holds every address of the family.
    fn are_held(&self, blocks: &[IpNet]) -> bool {
        let is_everywhere = |block: &IpNet| block.prefix_len() == 0 && PrefixFamily::of(*block) == self.family;
        if self.addresses.is_empty() || blocks.iter().any(is_everywhere) {
            return blocks.iter().any(is_everywhere);
        }
        match (self.hold, blocks) {
            // Blocks lie in one another or apart: what holds the first and the last holds all between.
            (Hold::All, [block]) => {
                self.addresses.first().is_some_and(|first| block.contains(first))
                    && self.addresses.last().is_some_and(|last| block.contains(last))
            }
            (Hold::All, _) => self.addresses.iter().all(|address| blocks.iter().any(|block| block.contains(address))),
            (Hold::Any, _) => blocks.iter().any(|block| {
                let from = self.addresses.partition_point(|address| address.network() < block.network());
                let near = self.addresses[from..].iter().take_while(|address| address.network() <= block.broadcast());
                near.into_iter().any(|address| block.contains(address))
            }),
        }
    }
}

/// Packets that rules admit from or to peers, each with its rule.
pub(super) fn between<'a>(
    account: &'a Account,
    groups: &[&'a ResourceId],
    direction: Direction,
    peers: Peers<'_>,
) -> Vec<(Packets, &'a Rule)> {
    let mut admitted = Vec::new();
    for (_, _, rule) in rules(account, groups, direction) {
        let Some(traffic) = rule.traffic.known().filter(|traffic| fits(**traffic, peers.family)) else { continue };
        let counts = match &rule.peer {
            Peer::Group(id) => peers.groups.contains(&id),
            Peer::Block(block) => peers.are_held(std::slice::from_ref(block)),
            Peer::PrefixList(id) => {
                let entries = account.prefix_lists.get(id).and_then(|list| list.entries.known());
                entries.is_some_and(|entries| peers.are_held(entries))
            }
            Peer::Unknown(_) => false,
        };
        if counts {
            admitted.push((Packets::of(*traffic), rule));
        }
    }
    admitted
}
