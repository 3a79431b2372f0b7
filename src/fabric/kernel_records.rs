//! Records of what the kernel has told of a namespace, which the namespace keeps until somebody asks.

use std::collections::BTreeMap;

use ipnet::IpNet;

use crate::network::nft::Change;
use crate::network::remembered::Remembered;

/// Packets, and their bytes with IP headers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// Number of packets.
    pub packets: u64,
    /// Number of bytes.
    pub bytes: u64,
}

/// A rule as the kernel holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelRule {
    /// Its chain.
    pub chain: String,
    /// The first word of its comment.
    pub id: String,
    /// The kernel's handle, never used twice in a table.
    pub handle: u64,
    /// Number of packets that came to its end, if it counts them.
    pub packets: Option<u64>,
}

/// Rules with what each had counted when it was last read before a deletion, by handle.
pub(super) type RuleCounts = BTreeMap<u64, KernelRule>;

/// An element that a packet has put into a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Element {
    /// Its set.
    pub set: String,
    /// Its fields as nft takes them, with dots between.
    pub key: String,
    /// The packet that it stands for.
    pub packet: Remembered,
    /// Seconds that it lives, and that are left of them.
    pub timeout: Option<(u64, u64)>,
    /// Packets that have come to it, where it counts them.
    pub amount: Option<Amount>,
}

impl Element {
    /// Returns true if an end of its packet has an address of a block.
    pub fn names(&self, block: &IpNet) -> bool {
        block.contains(&self.packet.own.0) || block.contains(&self.packet.other.0)
    }

    /// Elements of one set, out of it: of several together, each has a message of its own else. They may have timed out since they were
    /// listed, and what is not there cannot be deleted: so they are added first, which does nothing where they still are.
    pub fn taken_out(set: &str, elements: &[&Self]) -> Vec<Change> {
        let keys: Vec<String> = elements.iter().map(|element| element.key.clone()).collect();
        vec![Change::AddElements(set.to_owned(), keys.clone()), Change::DeleteElements(set.to_owned(), keys)]
    }

    /// Elements into their set, each for the time that was left.
    pub fn put_back(set: &str, elements: &[&Self]) -> Vec<Change> {
        let with_time = |element: &&Self| {
            let time = element.timeout.map(|(all, left)| format!(" timeout {all}s expires {}s", left.max(1)));
            element.key.clone() + &time.unwrap_or_default()
        };
        vec![Change::AddElements(set.to_owned(), elements.iter().map(with_time).collect())]
    }
}
