//! Expectations of a step.

use std::fmt;

use indexmap::IndexSet;

use super::patterns::{FlowPattern, Question};
use super::placed::Placed;
use crate::model::{
    Attachment, ConnectionName, FlowLogAction, InstanceName, InterfaceId, LoadBalancerName, RefusalCode,
    SourceLocation, TableName,
};

/// Expected state of a held connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ExpectedConnection {
    /// Packets of each end arrive at the other.
    Alive,
    /// Packets of each end are dropped, by proof.
    Cut,
    /// An end of it is no more.
    Gone,
    /// Packets of the server alone are dropped, by proof: nobody remembers the question.
    Unanswerable,
}

impl ExpectedConnection {
    /// The word of the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Alive => "alive",
            Self::Cut => "cut",
            Self::Gone => "gone",
            Self::Unanswerable => "unanswerable",
        }
    }
}

/// Expectation of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expectation {
    /// The whole table.
    Table(TableName),
    /// These flows have this outcome.
    Flows(ExpectedOutcome, Vec<FlowPattern>),
    /// This has become of these connections.
    Connections(ExpectedConnection, Vec<Placed<ConnectionName>>),
    /// These questions to the services that groups never filter are answered.
    Answered(Vec<Question>),
    /// These flows to listeners of load balancers are answered by these instances and by no other.
    AnsweredBy(Vec<AnsweredBy>),
    /// These instances are in service behind a load balancer, or out of it.
    Health(Rotation, Vec<(Placed<LoadBalancerName>, InstanceName)>),
    /// These flows pass these stations and no other.
    Hops(Vec<ExpectedHops>),
    /// The flow logs of interfaces say this of the step.
    FlowLogs(Vec<ExpectedLog>),
    /// These instances hold another private address than before the step, and another public one.
    NewAddresses(Vec<Attachment>),
    /// These instances hold another private or public address than before the step, or the same.
    Address(AddressKind, AddressFate, Vec<Attachment>),
    /// No packet of the traffic came through that none of the clouds admits which it can have met.
    NoLeak,
    /// Every packet of the traffic came through that all of the clouds admit which it can have met.
    NoLoss,
    /// No rule was added, removed or replaced in the kernel by the step, compared by handles.
    RulesUnchanged,
    /// The last operation of the step is refused with this code, and nothing changed.
    Refusal(RefusalCode),
}

impl Expectation {
    /// The flows that it names.
    pub fn flows(&self) -> Vec<&FlowPattern> {
        match self {
            Self::Flows(_, flows) => flows.iter().collect(),
            Self::AnsweredBy(all) => all.iter().map(|it| &it.flow).collect(),
            Self::Hops(all) => all.iter().map(|it| &it.flow).collect(),
            Self::FlowLogs(all) => all.iter().filter_map(|it| it.wanted.flow()).collect(),
            Self::Table(_)
            | Self::Connections(..)
            | Self::Answered(_)
            | Self::Health(..)
            | Self::NewAddresses(_)
            | Self::Address(..)
            | Self::NoLeak
            | Self::NoLoss
            | Self::RulesUnchanged
            | Self::Refusal(_) => Vec::new(),
        }
    }
}

/// The stations between the ends of flows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedHops {
    /// The flows.
    pub flow: FlowPattern,
    /// All who pass them on, in order.
    pub stations: Vec<Station>,
}

/// Station that passes on the packets of a flow, and shows itself by that: the router of a VPC does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Station {
    /// The gateway of a VPC.
    Gateway,
    /// The network between gateways and hosts.
    Internet,
    /// An appliance.
    Instance(InstanceName),
}

impl Station {
    pub(super) const GATEWAY: &'static str = "gateway";
    pub(super) const INTERNET: &'static str = "internet";
}

/// Writes the word of the file.
impl fmt::Display for Station {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gateway => f.write_str(Self::GATEWAY),
            Self::Internet => f.write_str(Self::INTERNET),
            Self::Instance(name) => write!(f, "{name}"),
        }
    }
}

/// Instances that must answer flows to a load balancer: each of them has, and nobody else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnsweredBy {
    /// The words of the file.
    pub written: String,
    /// The flows.
    pub flow: FlowPattern,
    /// Instances that answer them.
    pub by: IndexSet<InstanceName>,
}

/// Health of an instance behind a load balancer: in service if it gets connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// In service.
    In,
    /// Out of service.
    Out,
}

impl Rotation {
    /// The word of the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::In => "in-service",
            Self::Out => "out-of-service",
        }
    }
}

/// Kind of an instance's IPv4 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AddressKind {
    /// The private one.
    Private,
    /// The public one.
    Public,
}

impl AddressKind {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::Public => "public",
        }
    }
}

/// Expected change of an address in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AddressFate {
    /// Another takes its place.
    New,
    /// It stays.
    Same,
}

/// The outcome that a flow must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ExpectedOutcome {
    /// Answered by the instance asked for.
    Open,
    /// Let in by the groups, and nobody listens.
    Refused,
    /// Let in by a load balancer, which has nobody to pass it on to.
    Closed,
    /// Dropped by a filter, by proof.
    Dropped,
    /// Nobody holds the address.
    Unreachable,
}

impl ExpectedOutcome {
    /// The word of the file for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Refused => "refused",
            Self::Closed => "closed",
            Self::Dropped => "dropped",
            Self::Unreachable => "unreachable",
        }
    }
}

/// Direction of the packets that a record counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogPart {
    /// Packets of its opener.
    Request,
    /// Packets that answer them.
    Response,
}

/// Records that must be in a flow log, or must not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogWanted {
    /// `ACCEPT a -> b:22`: a record of each of these flows.
    Record(FlowLogAction, LogPart, FlowPattern),
    /// `no REJECT a -> b:22`: no record of any of them.
    NoRecord(FlowLogAction, LogPart, FlowPattern),
    /// `no REJECT`: none of anything.
    None(FlowLogAction),
    /// `NODATA`: the interface had no traffic.
    NoData,
}

impl LogWanted {
    /// The flows that it names.
    pub fn flow(&self) -> Option<&FlowPattern> {
        match self {
            Self::Record(.., flow) | Self::NoRecord(.., flow) => Some(flow),
            Self::None(_) | Self::NoData => None,
        }
    }
}

/// Expectation about the flow log of one network interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedLog {
    /// The interface.
    pub interface: InterfaceId,
    /// The words of the file.
    pub written: String,
    /// Position of the words in the file.
    pub place: SourceLocation,
    /// Records that must be there, or must not.
    pub wanted: LogWanted,
}
