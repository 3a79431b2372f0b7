//! Events of a lab: changes, probes, and what its filters record of packets.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::done::{Applied, PacketVerdict, Probed};
use crate::model::{InstanceId, NetworkInterfaceId, Operation, Refusal, SubnetId, VpcId};

/// Something that happened in a lab.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Events are numbered from 1; a number that is not there was not kept.
    pub number: u64,
    /// Seconds since 1970.
    pub time: f64,
    /// The event.
    pub kind: EventKind,
}

/// Kind of event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EventKind {
    /// An operation changed the cloud.
    Change(Applied),
    /// EC2 refused an operation.
    Refused {
        /// The operation.
        operation: Operation,
        /// EC2's code and text.
        refusal: Refusal,
    },
    /// A probe found something.
    Probe(Box<Probed>),
    /// A filter admitted a new flow, or dropped a packet: a probe's or anybody's.
    Verdict(Box<PacketVerdict>),
    /// Events that were lost to this listener, or were never known.
    Missed {
        /// Their number.
        events: u64,
    },
}

/// A record of a VPC flow log. What it does not have is nothing: `NODATA` and `SKIPDATA` have no traffic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowLogRecord {
    /// The interface: `db1`, or `db1.eth1`.
    pub interface: String,
    /// Its id.
    pub interface_id: NetworkInterfaceId,
    /// The instance; nothing for that of a load balancer, which Amazon holds.
    pub instance_id: Option<InstanceId>,
    /// The VPC.
    pub vpc_id: VpcId,
    /// The subnet.
    pub subnet_id: SubnetId,
    /// The source; of what goes out the interface's own address.
    pub srcaddr: Option<IpAddr>,
    /// The destination; of what comes in the interface's own address.
    pub dstaddr: Option<IpAddr>,
    /// The source, as the packet has it.
    pub pkt_srcaddr: Option<IpAddr>,
    /// The destination, as the packet has it.
    pub pkt_dstaddr: Option<IpAddr>,
    /// The source port; 0 of ICMP.
    pub srcport: Option<u16>,
    /// The destination port; 0 of ICMP.
    pub dstport: Option<u16>,
    /// The number of the protocol.
    pub protocol: Option<u8>,
    /// Packets in the window.
    pub packets: Option<u64>,
    /// Their bytes, with IP headers.
    pub bytes: Option<u64>,
    /// The window's beginning, in seconds since 1970.
    pub start: u64,
    /// Its end.
    pub end: u64,
    /// `ACCEPT` or `REJECT`.
    pub action: Option<String>,
    /// `OK`, `NODATA` or `SKIPDATA`.
    pub log_status: String,
    /// `ingress` or `egress` of the interface.
    pub flow_direction: Option<String>,
    /// The interface's groups.
    pub groups: Vec<String>,
    /// The rules that admitted the flow: `DB/sgr-7`.
    pub rules: Vec<String>,
}

/// A packet as it stood on the wire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapturedFrame {
    /// Seconds since 1970 when the kernel saw it.
    pub seconds: u64,
    /// And nanoseconds.
    pub nanoseconds: u32,
    /// From the Ethernet header on, two digits a byte.
    pub hex: String,
}
