//! What the rules of some groups admit.

use ipnet::IpNet;

use super::region::{Cell, Packets};
use crate::account::{Account, Peer, ResourceId, Rule, SecurityGroup};
use crate::model::Direction;

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

/// How many of several addresses a block must hold to count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hold {
    /// Each of them: for what is said to be open already.
    All,
    /// One of them: for what is said to be open newly.
    Any,
}

/// Packets that rules admit from or to members of some groups at some addresses, each with its rule.
pub(super) fn between<'a>(
    account: &'a Account,
    groups: &[&'a ResourceId],
    direction: Direction,
    (peers, addresses, hold): (&[&ResourceId], &[IpNet], Hold),
) -> Vec<(Packets, &'a Rule)> {
    let mut admitted = Vec::new();
    for (_, _, rule) in rules(account, groups, direction) {
        let Some(traffic) = rule.traffic.known() else { continue };
        if let Peer::Group(id) = &rule.peer {
            if peers.contains(&id) {
                admitted.push((Packets::of(*traffic), rule));
            }
            continue;
        }
        let holding: Vec<Cell> = cells(account, rule);
        let held = |address: &IpNet| holding.iter().any(|cell| cell.holds(*address));
        let counts = match hold {
            Hold::All if addresses.is_empty() => holding.iter().any(|cell| cell.is_everywhere()),
            Hold::All => addresses.iter().filter(|address| address.addr().is_ipv4()).all(held),
            Hold::Any => {
                addresses.iter().any(held) || addresses.is_empty() && holding.iter().any(|cell| cell.is_everywhere())
            }
        };
        if counts {
            admitted.push((Packets::of(*traffic), rule));
        }
    }
    admitted
}
