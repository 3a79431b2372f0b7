//! The blocks of addresses that rules of a file name, in classes that the same rules admit.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use indexmap::IndexMap;
use ipnet::IpNet;

use super::checked::Topology;
use super::columns::asks_hosts;
use crate::model::{
    Direction, EntryEdit, GroupName, Operation, Peer, PeerRequest, PrefixListName, RuleEdit, RuleEffect, Traffic,
};

/// Blocks but those of all addresses, in the order of the file, each with what rules say of it.
#[derive(Debug, Default)]
pub(super) struct RuleBlocks {
    blocks: IndexMap<IpNet, Said>,
    /// Hosts are receivers in some table, so that what goes out is asked.
    asks_hosts: bool,
}

/// Rules that name a block, each with the steps that add it and take it away. Two blocks of which the same is said are admitted alike at every step.
type Said = BTreeMap<(Direction, Naming), Vec<(usize, Change)>>;
type Mention<'s> = (&'s (Direction, Naming), &'s Vec<(usize, Change)>);

/// Part of a cloud that names blocks.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Naming {
    Rule(GroupName, Traffic),
    /// A prefix list that rules of the direction name.
    List(PrefixListName),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Change {
    Added,
    Removed,
}

/// Blocks that the same rules admit.
#[derive(Debug)]
pub(super) struct BlockClass {
    /// In the order of the file, first those that rules of a direction name that is asked.
    pub blocks: Vec<IpNet>,
    /// Some rule that is asked admits them, and not every address.
    pub is_admitted: bool,
    /// A rule for what goes out names one of them.
    pub is_receiver: bool,
}

impl RuleBlocks {
    pub fn of(topology: &Topology) -> Self {
        let mut all = Self { blocks: IndexMap::new(), asks_hosts: asks_hosts(topology) };
        let initial = topology.initial.iter().map(|it| (0, &it.value));
        let steps = (1..).zip(&topology.steps);
        let later = steps.flat_map(|(number, step)| step.operations().map(move |it| (number, &it.value)));
        let operations: Vec<(usize, &Operation)> = initial.chain(later).collect();
        let mut lists: BTreeSet<(Direction, &PrefixListName)> = BTreeSet::new();
        for &(step, operation) in &operations {
            let Some(RuleEdit { group, at: direction, effect, permissions }) = operation.rule_edit() else { continue };
            let change = match effect {
                RuleEffect::Adds => Change::Added,
                RuleEffect::Removes => Change::Removed,
                RuleEffect::Describes => continue,
            };
            for permission in permissions {
                for (peer, _) in &permission.peers {
                    match peer {
                        PeerRequest::Peer(Peer::Cidr(block)) => {
                            let rule = Naming::Rule(group.clone(), permission.traffic);
                            all.note(*block, (direction, rule), (step, change));
                        }
                        PeerRequest::Peer(Peer::PrefixList(list)) => drop(lists.insert((direction, list))),
                        // They name instances, which have rows of their own.
                        PeerRequest::Peer(Peer::Group(_))
                        | PeerRequest::PrivateAddressOf(_)
                        | PeerRequest::PublicAddressOf(_)
                        | PeerRequest::Ipv6AddressOf(_)
                        | PeerRequest::ElasticIp(_) => {}
                    }
                }
            }
        }
        for &(step, operation) in &operations {
            let Some(EntryEdit { list, added, removed }) = operation.entry_edit() else { continue };
            let removed = removed.iter().map(|block| (block, Change::Removed));
            let changed: Vec<_> = removed.chain(added.iter().map(|block| (block, Change::Added))).collect();
            for (direction, _) in lists.iter().filter(|(_, named)| *named == list) {
                for (block, change) in &changed {
                    all.note(**block, (*direction, Naming::List(list.clone())), (step, *change));
                }
            }
        }
        all
    }

    fn note(&mut self, block: IpNet, naming: (Direction, Naming), change: (usize, Change)) {
        if block.prefix_len() > 0 {
            self.blocks.entry(block.trunc()).or_default().entry(naming).or_default().push(change);
        }
    }

    /// Returns true if rules name this block.
    pub fn has(&self, block: IpNet) -> bool {
        self.blocks.contains_key(&block)
    }

    /// Returns true if some block has this address.
    pub fn cover(&self, address: IpAddr) -> bool {
        self.blocks.keys().any(|block| block.contains(&address))
    }

    /// Returns true if rules that are asked name the address by itself.
    pub fn name_alone(&self, address: IpAddr) -> bool {
        self.blocks.get(&IpNet::from(address)).is_some_and(|mentions| self.are_asked(mentions))
    }

    /// Returns the addresses that rules which are asked name by themselves.
    pub fn alone(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.blocks.keys().map(IpNet::addr).filter(|address| self.name_alone(*address))
    }

    /// Returns the innermost block of several addresses that has this one.
    pub fn parent(&self, address: IpAddr) -> Option<IpNet> {
        let several = self.blocks.keys().filter(|block| block.prefix_len() < block.max_prefix_len());
        several.copied().filter(|block| block.contains(&address)).max_by_key(IpNet::prefix_len)
    }

    fn asked<'s>(&self, said: &'s Said) -> impl Iterator<Item = Mention<'s>> + use<'s> {
        let asks_hosts = self.asks_hosts;
        said.iter().filter(move |((direction, _), _)| *direction == Direction::Ingress || asks_hosts)
    }

    fn are_asked(&self, said: &Said) -> bool {
        self.asked(said).next().is_some()
    }

    /// Returns the classes, in the order of the file. A block is in that of its addresses that no narrower block has.
    pub fn classes(&self) -> Vec<BlockClass> {
        let mut sorted: Vec<(usize, IpNet)> = self.blocks.keys().copied().enumerate().collect();
        // Each block after those that contain it.
        sorted.sort_by_key(|(_, block)| (block.network(), block.prefix_len()));
        let mut around: Vec<(IpNet, BTreeSet<Mention<'_>>)> = Vec::new();
        let mut signatures: Vec<(usize, BTreeSet<Mention<'_>>)> = Vec::new();
        for (number, block) in sorted {
            while around.last().is_some_and(|(outer, _)| !outer.contains(&block)) {
                around.pop();
            }
            let mut signature = around.last().map(|(_, signature)| signature.clone()).unwrap_or_default();
            signature.extend(self.asked(&self.blocks[&block]));
            around.push((block, signature.clone()));
            signatures.push((number, signature));
        }
        signatures.sort_by_key(|(number, _)| *number);
        let mut classes: IndexMap<(bool, BTreeSet<Mention<'_>>), Vec<IpNet>> = IndexMap::new();
        for ((_, signature), block) in signatures.into_iter().zip(self.blocks.keys()) {
            classes.entry((block.addr().is_ipv4(), signature)).or_default().push(*block);
        }
        let class = |((_, signature), mut blocks): ((bool, BTreeSet<Mention<'_>>), Vec<IpNet>)| {
            blocks.sort_by_key(|block| !self.are_asked(&self.blocks[block]));
            let said = blocks.iter().flat_map(|block| self.blocks[block].keys());
            let is_receiver = said.into_iter().any(|(direction, _)| *direction == Direction::Egress);
            BlockClass { blocks, is_admitted: !signature.is_empty(), is_receiver }
        };
        classes.into_iter().map(class).collect()
    }

    /// Returns an address of a block that no narrower block has, and none of these others.
    pub fn free(&self, block: IpNet, others: &[IpNet]) -> Option<IpAddr> {
        let inner = self.blocks.keys().filter(|inner| block != **inner && block.contains(*inner));
        let others = others.iter().filter(|other| other.contains(&block) || block.contains(*other));
        let mut taken: Vec<IpNet> = inner.chain(others).copied().collect();
        taken.sort_by_key(|block| (block.network(), block.prefix_len()));
        // The first address of a network is taken for its name.
        let first = block.network();
        let second = if block.prefix_len() + 1 < block.max_prefix_len() { after(first) } else { None };
        [second, Some(first)].into_iter().flatten().find_map(|start| free_from(start, block, &taken))
    }
}

/// The first address from this one on in none of `taken`, which are sorted by where they begin.
fn free_from(start: IpAddr, block: IpNet, taken: &[IpNet]) -> Option<IpAddr> {
    let mut at = start;
    for other in taken {
        if other.contains(&at) {
            at = after(other.broadcast())?;
        } else if other.network() > at {
            break;
        }
    }
    block.contains(&at).then_some(at)
}

fn after(address: IpAddr) -> Option<IpAddr> {
    Some(match address {
        IpAddr::V4(address) => IpAddr::from(std::net::Ipv4Addr::from(u32::from(address).checked_add(1)?)),
        IpAddr::V6(address) => IpAddr::from(std::net::Ipv6Addr::from(u128::from(address).checked_add(1)?)),
    })
}
