//! Positions of addresses among the blocks that rules name: addresses of one position are told apart by no rule.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;

use crate::account::{Account, Interface, ResourceId};
use crate::model::PrefixFamily;

/// The blocks that rules of some accounts name, of themselves or by a prefix list.
#[derive(Debug, Default)]
pub(super) struct NamedBlocks(BTreeSet<IpNet>);

impl NamedBlocks {
    pub fn of(accounts: [&Account; 2]) -> Self {
        let mut blocks = BTreeSet::new();
        for account in accounts {
            blocks.extend(account.rules().filter_map(|rule| rule.peer.block()).map(|block| block.trunc()));
            let entries = account.prefix_lists.values().filter_map(|list| list.entries.known());
            blocks.extend(entries.flatten().map(IpNet::trunc));
        }
        Self(blocks)
    }

    /// The smallest block that holds all of another, or is it.
    fn around(&self, block: IpNet) -> Option<IpNet> {
        std::iter::successors(Some(block.trunc()), IpNet::supernet).find(|block| self.0.contains(block))
    }

    /// Blocks that lie in another and are not it.
    fn below(&self, block: IpNet) -> impl Iterator<Item = IpNet> {
        let block = block.trunc();
        self.0
            .range(block..)
            .copied()
            .take_while(move |other| block.contains(other))
            .filter(move |other| *other != block)
    }
}

/// The share of the addresses at a position that blocks hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Held {
    /// None of them.
    No,
    /// The address is not known, and may be one.
    Perhaps,
    /// Each of them.
    Yes,
}

/// A position.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Position {
    /// The address is known: the smallest block that a rule names and that holds it, if any does.
    In(Option<IpNet>),
    /// The address is not known, and is one of these blocks; none where these are not known either.
    OneOf(Vec<IpNet>),
}

impl Position {
    /// Tells how blocks hold the addresses of a family at this position.
    pub fn held_by(&self, blocks: &[IpNet], family: PrefixFamily) -> Held {
        let mut of_family = blocks.iter().filter(|block| PrefixFamily::of(**block) == family);
        match self {
            Self::In(None) => Held::No,
            Self::In(Some(own)) if of_family.any(|block| block.contains(own)) => Held::Yes,
            Self::In(Some(_)) => Held::No,
            Self::OneOf(ranges) => {
                let all = IpNet::aggregate(&of_family.copied().collect());
                let everywhere = all.iter().any(|block| block.prefix_len() == 0);
                let meets = |range: &IpNet| all.iter().any(|block| block.contains(range) || range.contains(block));
                if everywhere
                    || !ranges.is_empty() && ranges.iter().all(|range| all.iter().any(|block| block.contains(range)))
                {
                    Held::Yes
                } else if ranges.iter().any(meets) || ranges.is_empty() && all.iter().any(may_be_private) {
                    Held::Perhaps
                } else {
                    Held::No
                }
            }
        }
    }
}

/// Returns true for a block with addresses that a VPC usually has. Of IPv6 Amazon gives it one of any of its own.
fn may_be_private(block: &IpNet) -> bool {
    match block {
        IpNet::V4(block) => {
            let is_shared = |octets: [u8; 4]| octets[0] == 100 && octets[1] & 0xC0 == 64;
            let all = [block.network(), block.broadcast()];
            all.iter().any(|address| address.is_private() || is_shared(address.octets())) || block.prefix_len() < 8
        }
        IpNet::V6(_) => true,
    }
}

/// Positions of an interface over a family; none where it has no address of it. An address that is not known is one of its subnet, else of its VPC.
pub(super) fn of_interface(
    interface: &Interface,
    account: &Account,
    family: PrefixFamily,
    named: &NamedBlocks,
) -> BTreeSet<Position> {
    let later = later_ipv6(interface, account).filter(|_| !family.is_ipv4());
    if interface.addresses.is_empty() {
        let subnet = interface.subnet.as_ref().and_then(|id| account.subnets.get(id)).and_then(|subnet| subnet.block);
        let ranges = subnet.map_or_else(|| account.vpc_blocks(interface.vpc.as_ref()), |block| vec![IpNet::V4(block)]);
        return later.or_else(|| not_known(ranges, family)).into_iter().collect();
    }
    let own = interface.addresses.iter().map(IpNet::trunc).filter(|block| PrefixFamily::of(*block) == family);
    // A delegated prefix may have blocks in it, and is the interface's as a whole.
    own.flat_map(|block| {
        named.below(block).map(Some).chain([named.around(block)]).map(Position::In).collect::<Vec<_>>()
    })
    .chain(later)
    .collect()
}

/// The position of IPv6 addresses that an interface gets later: in the block of its subnet, else in those of its VPC.
fn later_ipv6(interface: &Interface, account: &Account) -> Option<Position> {
    let subnet = interface.subnet.as_ref().and_then(|id| account.subnets.get(id));
    let of_vpc =
        || account.vpc_blocks(interface.vpc.as_ref()).into_iter().filter(|block| matches!(block, IpNet::V6(_)));
    let mut ranges: Vec<IpNet> = match subnet.and_then(|subnet| subnet.ipv6.known()) {
        Some(block) => vec![IpNet::V6(block)],
        None => of_vpc().collect(),
    };
    ranges.sort();
    (interface.ipv6_later > 0).then_some(Position::OneOf(ranges))
}

/// The position of the next member of a group over a family.
pub(super) fn of_next_member(account: &Account, vpc: Option<&ResourceId>, family: PrefixFamily) -> BTreeSet<Position> {
    not_known(account.vpc_blocks(vpc), family).into_iter().collect()
}

/// Of a VPC without known blocks it is taken for granted that it has IPv4.
fn not_known(ranges: Vec<IpNet>, family: PrefixFamily) -> Option<Position> {
    let is_known = !ranges.is_empty();
    let mut own: Vec<IpNet> = ranges.into_iter().filter(|block| PrefixFamily::of(*block) == family).collect();
    own.sort();
    (!own.is_empty() || !is_known && family.is_ipv4()).then_some(Position::OneOf(own))
}

/// A position in one account, and those of the same interface in the other.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Place {
    pub own: Position,
    /// The same position, where the interface has it there too; else all that it has there.
    pub there: Vec<Position>,
}

impl Place {
    /// Returns true if the interface stands there in both accounts.
    pub fn is_same(&self) -> bool {
        self.there == [self.own.clone()]
    }
}

/// Puts the positions of one interface in two accounts together.
pub(super) fn places(own: BTreeSet<Position>, there: &BTreeSet<Position>) -> impl Iterator<Item = Place> {
    own.into_iter().map(move |own| Place {
        there: match there.get(&own) {
            Some(same) => vec![same.clone()],
            None => there.iter().cloned().collect(),
        },
        own,
    })
}

/// Members by their places, over one family.
pub(super) type ByPlace<'a> = BTreeMap<Place, Vec<&'a Interface>>;
