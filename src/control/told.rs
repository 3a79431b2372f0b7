//! What a lab tells of flows and of what happens in it, as data.

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
}

/// What a filter recorded of one packet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// `accept`, `drop`, `cut`, `unclaimed`, `spoofed`, `invalid`, `untranslated`, `unreachable` ...
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
