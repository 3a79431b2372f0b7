//! Passages: traffic that one account admits and the other does not.

use ipnet::IpNet;
use serde::Serialize;

use super::rules::block_words;
use crate::account::Origin;
use crate::model::Direction;

/// Traffic between two ends, with the rules that admit it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passage {
    /// The border of the VPC that it crosses.
    pub way: Way,
    /// The sender: a group, a block, `anywhere`.
    pub from: String,
    /// The groups whose short names the sender's name joins by `+`, which a group's own name may have; none where it joins none.
    pub from_groups: Vec<String>,
    /// The receiver.
    pub to: String,
    /// Protocol and ports as a rule says them: `tcp 5432`.
    pub traffic: String,
    /// Known, or open only if something that no source tells turns out so.
    pub certainty: Certainty,
    /// The rules that admit it.
    pub by: Vec<Origin>,
    /// Entries of the prefix list that it is from or to; none where no prefix list is named, or its entries are not known.
    pub entries: Vec<IpNet>,
    /// Members of the account whose own public addresses are in the block that it is from or to, by their short names.
    pub held_by: Vec<String>,
    /// Rules of the other account that admit a part of it already.
    pub already: Vec<String>,
    /// The interfaces that it is about, by their short names.
    pub members: Vec<String>,
    /// Of the group that it is from, the members that it is about, where that has others.
    pub senders: Vec<String>,
    /// The end of it that these are.
    pub members_are: End,
    /// Reach of its packets.
    pub reached: Reached,
}

/// An end of a passage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// The sender.
    Sender,
    /// The receiver.
    Receiver,
}

/// The border of the VPC that traffic crosses. From outside is first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// From the internet or another network to members of a group.
    FromOutside,
    /// Between members of groups of this account.
    Inside,
    /// From members of a group to the internet or another network.
    ToOutside,
}

/// Knowledge of a passage.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Certainty {
    /// It is open.
    Known,
    /// It may be open: something is not known.
    Unknown(String),
}

/// Reach from the internet to members of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reached {
    /// A member has a public address or an IPv6 address.
    ByPublicAddress,
    /// A member has one in this account and none in the other, and that alone differs.
    ByAddressAlone,
    /// No source tells if a member has one.
    Unknown,
    /// Its group has no member yet.
    NoMember,
    /// No member has one; whoever is in a connected network still reaches it.
    NoPublicAddress,
    /// The question is not asked: nothing comes from outside.
    Inside,
}

/// Sender, receiver, and which of them a rule's own group is.
pub(super) fn ends_of(group: &str, peer: String, direction: Direction) -> (String, String, End) {
    match direction {
        Direction::Ingress => (peer, group.to_owned(), End::Receiver),
        Direction::Egress => (group.to_owned(), peer, End::Sender),
    }
}

impl Passage {
    /// The short names of the sender's groups, if it is of groups.
    pub fn senders_groups(&self) -> Vec<&str> {
        if self.from_groups.is_empty() {
            return vec![&self.from];
        }
        self.from_groups.iter().map(String::as_str).collect()
    }

    /// Both ends, as a flow has them: `web -> db:5432`.
    pub fn flow(&self) -> String {
        format!("{} -> {}", self.from, self.target())
    }

    /// The same for each entry of the prefix list where one is named: `203.0.113.0/24 (office) -> db:5432`. Who accepts a list accepts what it holds.
    pub fn flows(&self) -> Vec<String> {
        let flow = |entry: &IpNet| {
            let block = block_words(*entry);
            match self.members_are {
                End::Receiver => format!("{block} ({}) -> {}", self.from, self.target()),
                End::Sender => format!("{} -> {}", self.from, target(&format!("{block} ({})", self.to), &self.traffic)),
            }
        };
        if self.entries.is_empty() { vec![self.flow()] } else { self.entries.iter().map(flow).collect() }
    }

    /// Returns true if it is open for certain.
    pub fn is_known(&self) -> bool {
        self.certainty == Certainty::Known
    }

    /// The receiver with its port, as a flow has it: `db:5432`, `db:udp 53`, `db:all`.
    pub fn target(&self) -> String {
        target(&self.to, &self.traffic)
    }

    /// Returns true if everybody is at its other end.
    pub(super) fn is_of_everybody(&self) -> bool {
        let peer = if self.members_are == End::Receiver { &self.from } else { &self.to };
        peer.starts_with("anywhere") || self.entries.iter().any(|entry| entry.prefix_len() == 0)
    }
}

fn target(to: &str, traffic: &str) -> String {
    format!("{to}:{}", traffic.strip_prefix("tcp ").unwrap_or(traffic))
}
