//! Plans of networks: namespaces, links and rulesets as data, without a word of security groups.
//!
//! `compile` makes a [`Network`] of a cloud and `fabric` makes it of the kernel. [`diff`] says how to get from one to another,
//! [`text`] how nft reads it, [`record`] what a filter says of a packet.

pub mod diff;
pub mod names;
pub mod nft;
pub mod record;
pub mod remembered;
pub mod ruleset_diff;
pub mod text;

use std::net::IpAddr;

use indexmap::{IndexMap, IndexSet};
use ipnet::IpNet;

use self::nft::{Change, Ruleset};
use crate::model::Mtu;

/// All namespaces of a lab and the links between them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// Namespaces by name.
    pub nodes: IndexMap<NodeName, Node>,
    /// veth pairs by name.
    pub links: IndexMap<LinkName, Link>,
    /// Timeouts of idle flows in routers and gateways; the same as long as the lab lives.
    pub timeouts: Timeouts,
}

/// Seconds after which a datagram is given up of which pieces are missing, by whoever puts datagrams together.
pub const FRAGMENTS_TIMEOUT: u32 = 2;
/// Bytes that a namespace has for such datagrams, as the kernel counts. `compile::shares` gives each link a share.
pub const FRAGMENTS_MEMORY: u32 = 1 << 30;

/// Seconds after which an idle flow is forgotten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timeouts {
    /// An established TCP connection.
    pub tcp_established: u32,
    /// UDP until there has been more than one question and answer.
    pub udp: u32,
    /// UDP from then on.
    pub udp_stream: u32,
    /// ICMP and ICMPv6.
    pub icmp: u32,
    /// Every other protocol.
    pub other: u32,
}

/// The name of a namespace as `ip netns` shows it: `web1`, `office`, `vpc-default`, `gateway-default`, `internet`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct NodeName(pub String);

impl std::fmt::Display for NodeName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.0)
    }
}

/// The name of a veth pair, for messages.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LinkName(pub String);

/// Kind of box that a namespace is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NodeKind {
    /// An instance: its namespaces belong to a user namespace of its own.
    Instance,
    /// An instance that passes on packets for others.
    Appliance,
    /// A load balancer: what takes and opens connections there is the harness' own.
    LoadBalancer,
    /// A VPC's router and filter.
    Router,
    /// A VPC's gateway to the internet, which translates addresses.
    Gateway,
    /// The internet: routes public /32s only.
    Internet,
    /// A host outside.
    Host,
    /// The harness' own node behind a VPC's router, for canaries.
    Canary,
}

/// Families of IP that a lab speaks. IPv6 is off where no VPC has a block: it costs time in every namespace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Families {
    /// IPv4 only.
    #[default]
    Ipv4,
    /// Both.
    Both,
}

/// A namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Kind of box that it is.
    pub kind: NodeKind,
    /// Families of IP that it speaks.
    pub families: Families,
    /// Routes.
    pub routes: IndexSet<Route>,
    /// Policies for packets that go by another table than the main one.
    pub policies: IndexSet<Policy>,
    /// Its filter and translation, where it has one.
    pub ruleset: Option<Ruleset>,
}

/// A veth pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The side nearer to the internet: a router's, or the internet's.
    pub upper: End,
    /// The other side.
    pub lower: End,
}

/// One side of a veth pair. Index and MAC are chosen, so nothing has to be read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// The namespace that it lives in.
    pub node: NodeName,
    /// The interface's name there, at most 15 bytes.
    pub interface: String,
    /// The interface's index there, unique in the namespace, at least 2 (`lo` is 1).
    pub index: u32,
    /// The largest packet that it sends.
    pub mtu: Mtu,
    /// The hardware address, locally administered.
    pub mac: [u8; 6],
    /// Its addresses, each a /32 or a /128.
    pub addresses: IndexSet<IpAddr>,
    /// Permanent neighbours on this side: there is no ARP.
    pub neighbours: IndexMap<IpAddr, [u8; 6]>,
}

/// A routing table: 0 is the main one. The kernel keeps 253 to 255 for itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Table(pub u32);

impl Table {
    /// The kernel's `local` table, consulted first.
    pub const LOCAL: Self = Self(255);
}

/// Packets that go by a table of their own; what that table does not know goes by the main one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Policy {
    /// Packets that it is for.
    pub of: Selected,
    /// The table.
    pub table: Table,
}

/// Packets that a policy is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Selected {
    /// Those that come in by this interface.
    From(String),
    /// Those that have this source.
    Source(IpNet),
}

/// A route.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Route {
    /// The table that it is in.
    pub table: Table,
    /// Addresses that it leads to, as a prefix.
    pub destination: IpNet,
    /// Next hop.
    pub way: Way,
    /// Path MTU, where it is below the link's.
    pub limit: Option<Limit>,
}

/// The largest packet that a route takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limit {
    /// Path MTU.
    pub mtu: Mtu,
    /// MTU of the interface; TCP derives the MSS that it announces from it.
    pub interface: Mtu,
}

/// The way of a route.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Way {
    /// Out of an interface, by a gateway that is on the link, with a permanent neighbour entry.
    Gateway {
        /// The interface's index.
        index: u32,
        /// The gateway's address.
        gateway: IpAddr,
        /// The source address to prefer, if any.
        source: Option<IpAddr>,
    },
    /// Out of an interface, to its other end, which has a permanent neighbour entry: the whole block is delegated to that.
    Delegated {
        /// The interface's index.
        index: u32,
        /// The address of the entry.
        to: IpAddr,
    },
    /// To the namespace itself: it takes each address of the block for its own. It goes with an interface.
    Local {
        /// The interface's index.
        index: u32,
    },
    /// Out of an interface, to the destination itself, which has a permanent neighbour entry.
    Link {
        /// The interface's index.
        index: u32,
    },
    /// Nobody: the sender gets an ICMP error.
    Unreachable,
    /// As the main table says.
    Main,
}

/// One change of the kernel. Each can be undone but the last two, which therefore come last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Makes a namespace.
    AddNode(NodeName, NodeKind, Families),
    /// Makes a veth pair, with its addresses and neighbours, and sets it up.
    AddLink(LinkName, Link),
    /// Takes a veth pair away, and with it the routes over it.
    RemoveLink(LinkName, Link),
    /// Adds a route.
    AddRoute(NodeName, Route),
    /// Takes a route away.
    RemoveRoute(NodeName, Route),
    /// Adds a policy.
    AddPolicy(NodeName, Policy),
    /// Takes a policy away.
    RemovePolicy(NodeName, Policy),
    /// Changes a ruleset in one transaction. `back` undoes `forward`.
    Nft {
        /// The namespace.
        node: NodeName,
        /// The change.
        forward: Vec<Change>,
        /// The change that takes it back.
        back: Vec<Change>,
    },
    /// Loads a whole ruleset into a namespace that has none. Closed until the last batch, so it may take several.
    LoadRuleset(NodeName, Ruleset),
    /// Forgets the tracked flows of the addresses of a block, whichever side of a flow it is on.
    ForgetFlows(NodeName, IpNet),
    /// Gives a namespace up; its programs are killed.
    RemoveNode(NodeName),
}

/// Actions in phases. Those of one phase do not depend on one another; a phase begins when the last has ended.
pub type Phases = Vec<Vec<Action>>;
