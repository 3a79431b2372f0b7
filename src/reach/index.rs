//! The rules of one group in one direction, found by their peer, and by blocks and traffic that meet.
//!
//! Blocks lie in one another or apart. So the rules that meet a block name it, a block around it, or one below it, and each of these
//! is a look-up; of the rules that are found there, those for other ports are passed over by a tree of ranges.

use std::collections::{BTreeMap, HashMap};

use ipnet::IpNet;

use super::ranges::Ranges;
use super::region::{Packets, fits};
use crate::account::{Account, Peer, Rule};
use crate::model::{PrefixFamily, Traffic};

/// Numbers of rules by peers, blocks and traffic.
#[derive(Debug, Default)]
pub(crate) struct Index<'a> {
    by_peer: HashMap<&'a Peer, Traffics>,
    /// By the blocks that rules name, of themselves or by a prefix list.
    by_block: BTreeMap<IpNet, OfBlock>,
}

#[derive(Debug, Default)]
struct OfBlock {
    /// Rules for the block itself.
    own: Traffics,
    /// Rules for blocks that lie in it.
    below: Traffics,
}

/// Numbers of rules by their traffic.
#[derive(Debug, Default)]
struct Traffics {
    all: Vec<usize>,
    by_protocol: BTreeMap<u8, Ranges>,
}

impl Traffics {
    fn add(&mut self, packets: Packets, number: usize) {
        match packets.protocol() {
            None => self.all.push(number),
            Some(protocol) => self.by_protocol.entry(protocol).or_default().add(packets.ports(), number),
        }
    }

    fn meeting(&self, packets: Packets, found: &mut Vec<usize>) {
        found.extend(&self.all);
        match packets.protocol() {
            None => self.by_protocol.values().for_each(|ranges| ranges.meeting((0, u16::MAX), found)),
            Some(protocol) => {
                if let Some(ranges) = self.by_protocol.get(&protocol) {
                    ranges.meeting(packets.ports(), found);
                }
            }
        }
    }

    fn finish(&mut self) {
        self.by_protocol.values_mut().for_each(Ranges::finish);
    }
}

impl<'a> Index<'a> {
    /// Sorts rules, each by its number among them.
    pub fn new(account: &'a Account, rules: &'a [Rule]) -> Self {
        let mut index = Self::default();
        let mut in_blocks: Vec<(IpNet, Packets, usize)> = Vec::new();
        for (number, rule) in rules.iter().enumerate() {
            let Some(traffic) = rule.traffic.known() else { continue };
            let packets = Packets::of(*traffic);
            index.by_peer.entry(&rule.peer).or_default().add(packets, number);
            let own = account.blocks(&rule.peer).into_iter().flatten().map(IpNet::trunc);
            in_blocks.extend(
                own.filter(|block| fits(*traffic, PrefixFamily::of(*block))).map(|block| (block, packets, number)),
            );
        }
        // Most questions are about anywhere, which holds every other block.
        let anywhere = PrefixFamily::BOTH.map(PrefixFamily::every_address);
        let named = in_blocks.iter().map(|(block, ..)| *block).chain(anywhere);
        index.by_block = named.map(|block| (block, OfBlock::default())).collect();
        for (block, packets, number) in in_blocks {
            if let Some(of_block) = index.by_block.get_mut(&block) {
                of_block.own.add(packets, number);
            }
            for around in around(block).skip(1) {
                if let Some(of_block) = index.by_block.get_mut(&around) {
                    of_block.below.add(packets, number);
                }
            }
        }
        index.by_peer.values_mut().for_each(Traffics::finish);
        for OfBlock { own, below } in index.by_block.values_mut() {
            own.finish();
            below.finish();
        }
        index
    }

    /// Adds the rules for this very peer whose traffic meets that of another.
    pub fn of_peer(&self, peer: &Peer, traffic: Traffic, found: &mut Vec<usize>) {
        if let Some(traffics) = self.by_peer.get(peer) {
            traffics.meeting(Packets::of(traffic), found);
        }
    }

    /// Adds the rules for a block that holds all of this one, or is it, whose traffic meets that of another.
    pub fn holding(&self, block: IpNet, traffic: Traffic, found: &mut Vec<usize>) {
        for around in around(block) {
            if let Some(of_block) = self.by_block.get(&around) {
                of_block.own.meeting(Packets::of(traffic), found);
            }
        }
    }

    /// Adds the rules for a block that has an address in common with this one, whose traffic meets that of another; twice where a rule
    /// has several such blocks.
    pub fn meeting(&self, block: IpNet, traffic: Traffic, found: &mut Vec<usize>) {
        self.holding(block, traffic, found);
        let packets = Packets::of(traffic);
        if let Some(of_block) = self.by_block.get(&block.trunc()) {
            of_block.below.meeting(packets, found);
            return;
        }
        // No rule names it, so that nothing has gathered what lies in it. Of two blocks at one address the larger comes first.
        let inside = self.by_block.range(block.trunc()..).take_while(|(other, _)| block.contains(*other));
        inside.for_each(|(_, of_block)| of_block.own.meeting(packets, found));
    }
}

/// A block and all that hold it.
fn around(block: IpNet) -> impl Iterator<Item = IpNet> {
    std::iter::successors(Some(block.trunc()), IpNet::supernet)
}
