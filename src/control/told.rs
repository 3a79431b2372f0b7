//! What a lab tells of flows and of what happens in it, as data.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::protocol::Probed;

/// A flow explained: what the model says of it, and what its packets met.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Explained {
    /// The flow.
    pub flow: String,
    /// Whether the two say the same: `agree`, `disagree`, or `unproved` where the probe proved nothing.
    pub agreement: String,
    /// The predicted walk, as `sglab explain FILE --format json` has it.
    pub predicted: serde_json::Value,
    /// The same in words for people.
    pub text: String,
    /// What the probe found.
    pub probed: Probed,
    /// What the filters recorded of the probe, in the order of their reading.
    pub met: Vec<Verdict>,
    /// Of a `<->`, with the flow of the other end: what the two come to where both send.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub together: Option<Together>,
}

/// What the model says of two ends that send to each other. Probes of each way prove nothing of that.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Together {
    /// As `sglab explain FILE --format json` has it.
    pub predicted: serde_json::Value,
    /// The same in words for people.
    pub text: String,
}

/// What a filter recorded of one packet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// `accept`, `drop`, `cut`, `unclaimed`, `spoofed`, `fragments`, `foreign-error`, `invalid`, `untranslated`, `unreachable` ...
    pub verdict: String,
    /// At whose end groups judged: `egress` of the sender, `ingress` of the receiver.
    pub at: Option<String>,
    /// The interface that judged: `db1`, or `db1.eth1`.
    pub interface: Option<String>,
    /// Its groups.
    pub groups: Vec<String>,
    /// The rule that admitted it: `SG-T-DB "tcp 3306 from SG-T-WEB"`.
    pub rule: Option<String>,
    /// Its id.
    pub rule_id: Option<String>,
    /// The namespace of the filter.
    pub filter: String,
    /// The number of the protocol.
    pub protocol: u8,
    /// The source address, as the filter saw it.
    pub source: String,
    /// The source port, or the identifier of an ICMP message.
    pub source_port: u16,
    /// The destination address.
    pub destination: String,
    /// The destination port, or the type of an ICMP message.
    pub destination_port: u16,
    /// The type of an ICMP message, of either family.
    #[serde(default)]
    pub icmp_type: Option<u8>,
    /// Its code.
    #[serde(default)]
    pub icmp_code: Option<u8>,
}

/// Something that happened in a lab.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Events are numbered from 1; a number that is not there was not kept.
    pub number: u64,
    /// When, in seconds since 1970.
    pub time: f64,
    /// What.
    #[serde(flatten)]
    pub what: Happening,
}

/// What can happen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Happening {
    /// An operation changed the cloud.
    Change {
        /// Which, in a few words.
        operation: String,
        /// What it changed.
        changes: Vec<String>,
        /// Seconds until it was in force.
        in_force: f64,
    },
    /// EC2 refused an operation.
    Refused {
        /// Which, in a few words.
        operation: String,
        /// EC2's code.
        code: String,
        /// EC2's text.
        message: String,
    },
    /// A probe found something.
    Probe(Probed),
    /// A filter admitted a new flow, or dropped a packet: a probe's or anybody's.
    Verdict(Verdict),
    /// So many events were lost to this listener, or were never known.
    Missed {
        /// How many.
        events: u64,
    },
}

/// A record of a VPC flow log. What it does not have is nothing: `NODATA` and `SKIPDATA` have no traffic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowLogRecord {
    /// The interface: `db1`, or `db1.eth1`.
    pub interface: String,
    /// `eni-...`.
    pub interface_id: String,
    /// `i-...`.
    pub instance_id: String,
    /// The VPC.
    pub vpc_id: String,
    /// The subnet.
    pub subnet_id: String,
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
    /// When the kernel saw it, in seconds since 1970.
    pub seconds: u64,
    /// And nanoseconds.
    pub nanoseconds: u32,
    /// From the Ethernet header on, two digits a byte.
    pub hex: String,
}
