//! Results of requests: operations in force, and flows that were probed.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::model::{Change, Flow, GroupName, IcmpMessage, InterfaceId, Operation};
use crate::network::record::Record;
use crate::scenario::agreement::Agreement;
use crate::scenario::{Class, DecidingRule};

/// One operation that was carried out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Applied {
    /// The operation.
    pub operation: Operation,
    /// Everything that it changed.
    pub changes: Vec<Change>,
    /// Seconds until the kernel had it.
    pub in_force: f64,
}

/// Result of a probe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Probed {
    /// The flow.
    pub flow: Flow,
    /// The outcome.
    pub outcome: Class,
    /// The rule that let it in, where one did.
    pub rule: Option<DecidingRule>,
    /// Reason for the outcome, where there is more to say.
    pub reason: Option<String>,
    /// The address that a DNS name led to.
    pub address: Option<IpAddr>,
    /// The place where its answer was dropped, if the receiver has seen it and that is why nothing came back.
    pub answer_dropped: Option<AnswerDropped>,
    /// Present if [`ProbeDetails::Records`](super::ProbeDetails::Records) was asked for.
    pub records: Option<ProbeRecords>,
}

/// Records of the filters about a probe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProbeRecords {
    /// Agreement of the probe with the model.
    pub agreement: Agreement,
    /// The records, in the order of their reading.
    pub met: Vec<PacketVerdict>,
}

/// The place where an answer was dropped. The flow itself is inconclusive.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AnswerDropped {
    /// The filter's record.
    pub record: Record,
    /// The interface whose groups or check dropped it, where one did.
    pub interface: Option<InterfaceId>,
}

/// A filter's record of one packet, with what the cloud knows of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PacketVerdict {
    /// The record.
    pub record: Record,
    /// The interface that judged; of drops that no group decides the sender's.
    pub interface: Option<InterfaceId>,
    /// Groups of that interface.
    pub groups: Vec<GroupName>,
    /// The rule that admitted it.
    pub rule: Option<DecidingRule>,
    /// The namespace of the filter.
    pub filter: String,
    /// Number of the protocol.
    pub protocol: u8,
    /// Source address, as the filter saw it.
    pub source: IpAddr,
    /// Source port, or the identifier of an ICMP message.
    pub source_port: u16,
    /// Destination address.
    pub destination: IpAddr,
    /// Destination port, or the type of an ICMP message.
    pub destination_port: u16,
    /// Type and code of an ICMP message, of either family.
    pub icmp: Option<IcmpMessage>,
}
