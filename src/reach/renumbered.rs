//! Public addresses of a topology as those of the account that it was made of: a lab gives each holder another one.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use ipnet::IpNet;

use super::matching::Matching;
use crate::account::{Account, Peer, Public, ResourceId, Rule, SourceKind};

type Pairs = HashMap<ResourceId, ResourceId>;

/// Gives a topology the addresses that the same interfaces have in an account of another kind, in its rules as well.
pub(super) fn renumber(topology: &mut Cow<'_, Account>, account: &Account, matching: &Matching) {
    let is_topology = |account: &Account| account.sources == [SourceKind::Topology].into();
    if !is_topology(topology) || is_topology(account) {
        return;
    }
    let addresses = addresses(topology, account, &matching.interfaces);
    if addresses.is_empty() {
        return;
    }
    let topology = topology.to_mut();
    for interface in topology.interfaces.values_mut() {
        if let Public::At(all) = &mut interface.public {
            all.iter_mut().for_each(|address| *address = addresses.get(address).copied().unwrap_or(*address));
        }
    }
    for (id, group) in &mut topology.groups {
        let twin = matching.groups.get(id).and_then(|id| account.groups.get(id));
        let theirs = [twin.map(|twin| &twin.ingress), twin.map(|twin| &twin.egress)];
        for (rules, theirs) in [&mut group.ingress, &mut group.egress].into_iter().zip(theirs) {
            let mut made = HashSet::new();
            for (index, rule) in rules.iter_mut().enumerate() {
                if let Peer::Block(block) = &mut rule.peer
                    && block.prefix_len() == block.max_prefix_len()
                    && let Some(own) = addresses.get(&block.addr())
                {
                    *block = IpNet::from(*own);
                    made.insert(index);
                }
            }
            drop_made(rules, &made, theirs.map_or(&[], Vec::as_slice));
        }
    }
}

/// The addresses of the account by those of the topology. Of several that an interface has a topology has those that rules name.
fn addresses(topology: &Account, account: &Account, interfaces: &Pairs) -> HashMap<IpAddr, IpAddr> {
    let narrow: Vec<IpNet> = account.blocks_of_one_owner().collect();
    let is_ipv4 = |address: &&IpAddr| address.is_ipv4();
    let mut found = HashMap::new();
    for (id, interface) in &topology.interfaces {
        let twin = interfaces.get(id).and_then(|id| account.interfaces.get(id));
        let (Public::At(own), Some(Public::At(theirs))) = (&interface.public, twin.map(|twin| &twin.public)) else {
            continue;
        };
        let own: Vec<&IpAddr> = own.iter().filter(is_ipv4).collect();
        let theirs: Vec<&IpAddr> = theirs.iter().filter(is_ipv4).collect();
        let named: Vec<&IpAddr> =
            theirs.iter().copied().filter(|address| narrow.iter().any(|block| block.contains(*address))).collect();
        let theirs = if own.len() == named.len() { named } else { theirs };
        if own.len() == theirs.len() {
            found.extend(own.into_iter().copied().zip(theirs.into_iter().copied()));
        }
    }
    found
}

/// Takes away the rules for one address that were made beside one for a block with that address, and that the account does not have.
fn drop_made(rules: &mut Vec<Rule>, made: &HashSet<usize>, theirs: &[Rule]) {
    let blocks: Vec<(usize, Rule)> =
        rules.iter().cloned().enumerate().filter(|(index, _)| !made.contains(index)).collect();
    let mut index = 0;
    rules.retain(|rule| {
        let is_made = made.contains(&index);
        index += 1;
        let Peer::Block(own) = &rule.peer else { return true };
        let beside = |(_, other): &(usize, Rule)| {
            other.traffic == rule.traffic && matches!(&other.peer, Peer::Block(block) if block.contains(own))
        };
        let is_there = |other: &Rule| (&other.traffic, &other.peer) == (&rule.traffic, &rule.peer);
        !is_made || !blocks.iter().any(beside) || theirs.iter().any(is_there)
    });
}
