//! The records of a flow log: what passed at which interface, and what became of it.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use crate::fabric::counted::Amount;
use crate::fabric::packet::{ICMP, ICMPV6, TCP, Tuple, UDP};
use crate::lab::heard::PacketEndpoints;
use crate::model::{
    Direction, FlowLogAction, GroupName, InstanceId, Interface, InterfaceId, LogStatus, NetworkInterfaceId, RuleId,
    SubnetId, VpcId,
};
use crate::network::record::Record;
use crate::network::remembered::Remembered;
use crate::probe::Logged;

/// A network interface as a record names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Eni {
    /// Its name: the instance's, and that of the interface there.
    pub id: InterfaceId,
    /// Its id.
    pub eni: NetworkInterfaceId,
    /// Its instance; nothing for that of a load balancer, which Amazon manages.
    pub instance: Option<InstanceId>,
    /// Its VPC.
    pub vpc: VpcId,
    /// Its subnet.
    pub subnet: SubnetId,
    /// Its private addresses and IPv6 blocks, prefixes among them.
    pub addresses: Vec<IpNet>,
    /// Its groups.
    pub groups: Vec<GroupName>,
}

/// One kind of traffic at one interface in one window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Traffic {
    /// Into the interface or out of it.
    pub direction: Direction,
    /// The packets, as they were there; the ports of ICMP are 0.
    pub tuple: Tuple,
    /// Action on them.
    pub action: FlowLogAction,
}

impl fmt::Display for Traffic {
    /// `REJECT 10.0.0.11 -> 10.0.0.12 icmp at ingress`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tuple { protocol, source, source_port, destination, destination_port } = self.tuple;
        let action = self.action;
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
    /// Interface that it is of.
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
        groups: interface.groups.iter().cloned().collect(),
    })
}

pub(super) fn plus(a: Amount, b: Amount) -> Amount {
    Amount { packets: a.packets + b.packets, bytes: a.bytes + b.bytes }
}

pub(super) fn minus(a: Amount, b: Amount) -> Amount {
    Amount { packets: a.packets.saturating_sub(b.packets), bytes: a.bytes.saturating_sub(b.bytes) }
}

/// Count of each kind of such traffic, at each interface.
#[derive(Debug, Default)]
pub(super) struct Untracked(HashMap<(InterfaceId, Traffic), Known>);

#[derive(Debug)]
struct Known {
    eni: Arc<Eni>,
    rule: Option<RuleId>,
    /// In a window already.
    told: Amount,
    /// True if it was recorded or counted since the last window ended.
    heard: bool,
}

impl Untracked {
    /// A filter recorded that an end admits it.
    pub fn admitted(&mut self, logged: &Logged, at: PacketEndpoints<'_>) {
        let Some(interface) = at.judged_by(logged.record) else { return };
        let direction =
            if at.from.is_some_and(|from| from.id == interface.id) { Direction::Egress } else { Direction::Ingress };
        let known = self.known(interface, Traffic { direction, tuple: logged.tuple, action: FlowLogAction::Accept });
        known.rule = rule(logged.record).or(known.rule);
    }

    /// Counts what an interface remembers; `amount` has passed since it was first remembered. Returns the end, the tuple, and how much of that is
    /// new. `ended`: it is forgotten now.
    pub fn remembered(
        &mut self,
        interface: &Interface,
        packet: &Remembered,
        amount: Amount,
        ended: bool,
    ) -> (Side, Tuple, Amount) {
        let (source, destination) = match packet.direction {
            Direction::Egress => (packet.own, packet.other),
            Direction::Ingress => (packet.other, packet.own),
        };
        let tuple = Tuple {
            protocol: packet.protocol,
            source: source.0,
            source_port: source.1,
            destination: destination.0,
            destination_port: destination.1,
        };
        let traffic = Traffic { direction: packet.direction, tuple, action: FlowLogAction::Accept };
        let known = self.known(interface, traffic);
        // A count that is smaller than before is of something that was forgotten and remembered anew.
        let new = if amount.packets < known.told.packets { amount } else { minus(amount, known.told) };
        known.told = amount;
        let side = Side { eni: Arc::clone(&known.eni), rule: known.rule, refused: Amount::default() };
        if ended {
            self.0.remove(&(interface.id.clone(), traffic));
        }
        (side, tuple, new)
    }

    fn known(&mut self, interface: &Interface, traffic: Traffic) -> &mut Known {
        let known = || Known { eni: eni(interface), rule: None, told: Amount::default(), heard: true };
        let known = self.0.entry((interface.id.clone(), traffic)).or_insert_with(known);
        known.heard = true;
        known
    }

    /// Returns the number of kinds that are known.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Forgets what was neither recorded nor counted in a whole window: what there was no room to remember is counted nowhere.
    pub fn forget_ended(&mut self) {
        self.0.retain(|_, known| std::mem::take(&mut known.heard));
    }
}
