//! The records of a flow log: what passed at which interface, and what became of it.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use crate::fabric::counted::Amount;
use crate::fabric::packet::{ICMP, ICMPV6, TCP, Tuple, UDP};
use crate::model::{Direction, InstanceId, Interface, InterfaceId, NetworkInterfaceId, RuleId, SubnetId, VpcId};
use crate::network::record::Record;

/// Action on packets, as EC2's flow logs name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// `ACCEPT`.
    Accept,
    /// `REJECT`: groups refused them, or they came after their connection was closed.
    Reject,
}

/// Logging status of a record, as EC2's flow logs name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogStatus {
    /// `OK`.
    Ok,
    /// `NODATA`: the interface had no traffic in the window.
    NoData,
    /// `SKIPDATA`: records of the window were lost.
    SkipData,
}

/// A network interface as a record names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Eni {
    /// Of which instance, and which of its interfaces.
    pub id: InterfaceId,
    /// Its id.
    pub eni: NetworkInterfaceId,
    /// Its instance; nothing for that of a load balancer, which Amazon manages.
    pub instance: Option<InstanceId>,
    /// Its VPC.
    pub vpc: VpcId,
    /// Its subnet.
    pub subnet: SubnetId,
    /// Its private and its IPv6 address.
    pub addresses: Vec<IpNet>,
    /// Its groups.
    pub groups: Vec<String>,
}

/// One kind of traffic at one interface in one window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Traffic {
    /// Into the interface or out of it.
    pub direction: Direction,
    /// The packets, as they were there; the ports of ICMP are 0.
    pub tuple: Tuple,
    /// Action on them.
    pub action: Action,
}

impl fmt::Display for Traffic {
    /// `REJECT 10.0.0.11 -> 10.0.0.12 icmp at ingress`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tuple { protocol, source, source_port, destination, destination_port } = self.tuple;
        let action = match self.action {
            Action::Accept => "ACCEPT",
            Action::Reject => "REJECT",
        };
        match protocol {
            TCP => write!(f, "{action} {source} {source_port} -> {destination} {destination_port} tcp")?,
            UDP => write!(f, "{action} {source} {source_port} -> {destination} {destination_port} udp")?,
            ICMP => write!(f, "{action} {source} -> {destination} icmp")?,
            ICMPV6 => write!(f, "{action} {source} -> {destination} icmpv6")?,
            other => write!(f, "{action} {source} -> {destination} protocol {other}")?,
        }
        write!(f, " at {}", self.direction)
    }
}

/// A record of a flow log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowRecord {
    /// At which interface.
    pub eni: Arc<Eni>,
    /// Traffic of the record; nothing for `NODATA` and `SKIPDATA`.
    pub traffic: Option<Traffic>,
    /// Packets and bytes.
    pub amount: Amount,
    /// The rules that admitted it.
    pub rules: Vec<RuleId>,
    /// The window, in seconds since 1970.
    pub start: u64,
    /// Its end.
    pub end: u64,
    /// Logging status.
    pub status: LogStatus,
}

/// An end that judged a flow.
#[derive(Clone, Debug)]
pub(super) struct Side {
    pub eni: Arc<Eni>,
    pub rule: Option<RuleId>,
    /// Amount that connection tracking counts and this end refused.
    pub refused: Amount,
}

pub(super) fn rule(record: Record) -> Option<RuleId> {
    if let Record::Accept(_, rule) = record { Some(rule) } else { None }
}

pub(super) fn eni(interface: &Interface) -> Arc<Eni> {
    let private = interface.private_addresses().map(|it| IpNet::from(IpAddr::V4(it.0)));
    let ipv6 = interface.ipv6_blocks().map(IpNet::V6);
    Arc::new(Eni {
        id: interface.id.clone(),
        eni: interface.eni,
        instance: interface.attached_to,
        vpc: interface.vpc.id(),
        subnet: interface.subnet.id(&interface.vpc),
        addresses: private.chain(ipv6).collect(),
        groups: interface.groups.iter().map(ToString::to_string).collect(),
    })
}

pub(super) fn plus(a: Amount, b: Amount) -> Amount {
    Amount { packets: a.packets + b.packets, bytes: a.bytes + b.bytes }
}

pub(super) fn minus(a: Amount, b: Amount) -> Amount {
    Amount { packets: a.packets.saturating_sub(b.packets), bytes: a.bytes.saturating_sub(b.bytes) }
}
