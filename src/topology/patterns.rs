//! Flows as a file means them, by who opens them to whom, and the tables of them.

use std::net::Ipv4Addr;

use crate::model::{
    CloudService, Direction, GroupName, HostIp, HostName, InstanceName, InterfaceId, Place, Port, Service, TableName,
    Via,
};

/// An exhaustive truth table: every cell that it does not open must be dropped, by proof.
#[derive(Clone, Debug)]
pub struct Table {
    /// Position in the file.
    pub place: Place,
    /// The table that this one extends; its open cells are this one's too. Never a circle.
    pub like: Option<TableName>,
    /// The cells that are open, beside those of `like`.
    pub open: Vec<FlowPattern>,
    /// Address by which instances reach each other in this table, where it or one that it is like says so.
    pub via: Option<Via>,
}

/// Flows by pattern: `SG-T-WEB -> SG-T-DB:3306`. Membership is read at the step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowPattern {
    /// The words of the file.
    pub written: String,
    /// Position of the words in the file.
    pub place: Place,
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
    pub place: Place,
    /// Instances that ask; never a host.
    pub from: Selector,
    /// Service asked.
    pub service: CloudService,
}

/// Ends that a word of a pattern selects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// Every host, and every running instance but the flow's other end.
    Any,
    /// One instance.
    Instance(InstanceName),
    /// A further interface of an instance: `web1.eth1`.
    Interface(InterfaceId),
    /// An instance with a source address that is not its own: `nat as 10.0.0.99`.
    Forged(InterfaceId, Ipv4Addr),
    /// The running members of a group, at that moment.
    Group(GroupName),
    /// A host, by each of its addresses.
    Host(HostName),
    /// One address of a host, `world[1]` in a result; never written in a file.
    HostAddress(HostName, HostIp),
}
