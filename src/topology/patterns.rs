//! Flows as a file means them, by who opens them to whom, and the tables of them.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::model::{
    Attachment, Direction, GroupName, HostIp, HostName, InstanceName, LoadBalancerName, Port, Service, SourceLocation,
    TableName, Via, VpcService,
};

/// An exhaustive truth table: every cell that it does not open must be dropped, by proof.
#[derive(Clone, Debug)]
pub struct Table {
    /// Position in the file.
    pub place: SourceLocation,
    /// The table that this one extends; its open cells are this one's too. Never a circle.
    pub like: Option<TableName>,
    /// The cells that are open, beside those of `like`.
    pub open: Vec<OpenCells>,
    /// Hosts that its instances are asked for, itself or by a table that it is like.
    pub egress: Egress,
    /// Address by which instances reach each other in this table, where it or one that it is like says so.
    pub via: Option<Via>,
}

/// Hosts that are receivers in a table, where there are egress rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Egress {
    /// Those that it names as such.
    Named(BTreeSet<HostName>),
    /// Each.
    All,
}

impl Egress {
    /// Both together.
    pub fn and(self, other: &Self) -> Self {
        match (self, other) {
            (Self::Named(own), Self::Named(others)) => Self::Named(own.union(others).cloned().collect()),
            _ => Self::All,
        }
    }

    /// Returns true if this host is a receiver.
    pub fn has(&self, host: &HostName) -> bool {
        match self {
            Self::Named(hosts) => hosts.contains(host),
            Self::All => true,
        }
    }

    /// Returns true if no host is one.
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Named(hosts) if hosts.is_empty())
    }
}

impl Default for Egress {
    fn default() -> Self {
        Self::Named(BTreeSet::new())
    }
}

/// Cells that a table opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpenCells {
    /// Those of one column.
    Of(FlowPattern),
    /// Those of all columns of a kind: `web1 -> db1:tcp all`.
    Every(ColumnKind, Pairs),
}

impl OpenCells {
    /// Returns a pattern of theirs: the one, or that of some column.
    pub fn pattern(&self) -> FlowPattern {
        match self {
            Self::Of(pattern) => pattern.clone(),
            Self::Every(_, pairs) => pairs.asking(Service::IcmpEcho),
        }
    }

    /// Returns the hosts to which they open something.
    pub fn hosts(&self) -> impl Iterator<Item = &HostName> {
        let [from, to] = self.ends();
        let both_ways = match self {
            Self::Of(FlowPattern { both_ways, .. }) | Self::Every(_, Pairs { both_ways, .. }) => *both_ways,
        };
        let receivers = [Some(to), both_ways.then_some(from)];
        receivers.into_iter().flatten().filter_map(|end| match end {
            Selector::Host(name) | Selector::HostAddress(name, _) | Selector::HostNumber(name, _) => Some(name),
            _ => None,
        })
    }

    /// Returns the column that they name.
    pub fn service(&self) -> Option<Service> {
        match self {
            Self::Of(pattern) => Some(pattern.service),
            Self::Every(..) => None,
        }
    }

    /// Returns who opens them, and to whom.
    pub fn ends(&self) -> [&Selector; 2] {
        match self {
            Self::Of(FlowPattern { from, to, .. }) | Self::Every(_, Pairs { from, to, .. }) => [from, to],
        }
    }

    /// Returns the words of the file, and their position.
    pub fn written(&self) -> (&str, &SourceLocation) {
        match self {
            Self::Of(FlowPattern { written, place, .. }) | Self::Every(_, Pairs { written, place, .. }) => {
                (written, place)
            }
        }
    }
}

/// Columns of a table, by kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ColumnKind {
    /// Every column.
    All,
    /// Those of tcp.
    Tcp,
    /// Those of udp.
    Udp,
    /// Ping, and what other messages there are.
    Icmp,
}

impl ColumnKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::All, Self::Tcp, Self::Udp, Self::Icmp];

    /// The words of a file.
    pub fn words(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Tcp => "tcp all",
            Self::Udp => "udp all",
            Self::Icmp => "icmp all",
        }
    }

    /// Returns true if this column is one of them.
    pub fn has(self, service: Service) -> bool {
        match service {
            Service::Tcp(_) => matches!(self, Self::All | Self::Tcp),
            Service::Udp(_) => matches!(self, Self::All | Self::Udp),
            Service::IcmpEcho | Service::Icmp(_) => matches!(self, Self::All | Self::Icmp),
            Service::Protocol(_) => self == Self::All,
        }
    }
}

/// Flows of a table without what they ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pairs {
    /// The words of the file.
    pub written: String,
    /// Position of the words in the file.
    pub place: SourceLocation,
    /// Opener of the flows.
    pub from: Selector,
    /// Receiver of the flows.
    pub to: Selector,
    /// `<->`: the other way round too.
    pub both_ways: bool,
    /// Address of the receiver that they go by, where that is said.
    pub via: Option<Via>,
}

impl Pairs {
    /// The pairs of a pattern.
    pub fn of(pattern: FlowPattern) -> Self {
        let FlowPattern { written, place, from, to, both_ways, via, .. } = pattern;
        Self { written, place, from, to, both_ways, via }
    }

    /// Their flows of one column.
    pub fn asking(&self, service: Service) -> FlowPattern {
        let Self { written, place, from, to, both_ways, via } = self.clone();
        FlowPattern { written, place, from, from_port: None, to, both_ways, service, via, at: None }
    }
}

/// Flows by pattern: `SG-T-WEB -> SG-T-DB:3306`. Membership is read at the step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowPattern {
    /// The words of the file.
    pub written: String,
    /// Position of the words in the file.
    pub place: SourceLocation,
    /// Opener of the flow.
    pub from: Selector,
    /// `left:4500 <-> ...`: the port that it sends from, where both ends send to each other.
    pub from_port: Option<Port>,
    /// Receiver of the flow.
    pub to: Selector,
    /// `<->`: the other way round too.
    pub both_ways: bool,
    /// Service asked for.
    pub service: Service,
    /// Address of the receiver that it goes by, where the pattern says so; else the table's, or the usual one.
    pub via: Option<Via>,
    /// `at ingress`, `at egress`: end at which a drop must happen.
    pub at: Option<Direction>,
}

impl FlowPattern {
    /// Returns the hosts that it names.
    pub fn hosts(&self) -> impl Iterator<Item = &HostName> {
        [&self.from, &self.to].into_iter().filter_map(|end| match end {
            Selector::Host(name) | Selector::HostAddress(name, _) | Selector::HostNumber(name, _) => Some(name),
            _ => None,
        })
    }

    /// Returns the service that the second end of a `<->` sends to: of datagrams the port that the first sends from. Without one that is
    /// the port of the other end, which is also what the other way of a `<->` asks for that means two flows.
    pub fn back(&self) -> Service {
        match (self.service, self.from_port) {
            (Service::Udp(_), Some(port)) => Service::Udp(port),
            (service, _) => service,
        }
    }
}

/// Question of an instance to a service that groups never filter, `app -> dns`. Membership is read at the step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The words of the file.
    pub written: String,
    /// Position of the words in the file.
    pub place: SourceLocation,
    /// Instances that ask; never a host.
    pub from: Selector,
    /// Service asked.
    pub service: VpcService,
}

/// Ends that a word of a pattern selects.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Selector {
    /// Every host, and every running instance but the flow's other end.
    Any,
    /// One instance.
    Instance(InstanceName),
    /// A load balancer.
    LoadBalancer(LoadBalancerName),
    /// A further interface of an instance: `web1.eth1`.
    Interface(Attachment),
    /// An instance with a source address that is not its own: `nat as 10.0.0.99`.
    Forged(Attachment, IpAddr),
    /// The running members of a group, at that moment.
    Group(GroupName),
    /// A host, by each of its addresses.
    Host(HostName),
    /// One address of a host, said by itself; never written in a file.
    HostAddress(HostName, HostIp),
    /// `world[2]`: one address of a host by its place, as results name it; the first is 1.
    HostNumber(HostName, usize),
}

impl Selector {
    /// Returns true for a host outside, by whichever of its addresses.
    pub fn is_host(&self) -> bool {
        matches!(self, Self::Host(_) | Self::HostAddress(..) | Self::HostNumber(..))
    }
}
