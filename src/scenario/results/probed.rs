//! A flow that was probed: what came of it, which rule decided, and what the filters recorded.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::outcomes::Class;
use super::reason::Reason;
use crate::model::{Flow, GroupName, IcmpMessage, InterfaceId, RuleId, SourceLocation};
use crate::network::record::Record;
use crate::probe::Outcome;

/// A flow that was probed: what came of it, and why. One type from the run to reports, the socket of a lab that is up, and tests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbedFlow {
    /// Flow that was probed.
    pub flow: Flow,
    /// Observed outcome, by evidence.
    pub outcome: Outcome,
    /// The rule that let it in, while it stands.
    pub rule: Option<DecidingRule>,
    /// Reason for the outcome: for want of which rule it was dropped, or what is not proved.
    pub reason: Option<Reason>,
    /// The address that a flow by DNS name went to.
    pub resolved: Option<IpAddr>,
    /// Records of the filters, where they were asked for.
    pub records: Option<ProbeRecords>,
}

impl ProbedFlow {
    /// The outcome in one word.
    pub fn class(&self) -> Class {
        Class::of(&self.outcome)
    }
}

impl fmt::Display for ProbedFlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.flow, self.class().as_str())?;
        if let Outcome::Dropped(drop) = &self.outcome
            && let Some((at, interface, _)) = drop.cause.groups()
        {
            write!(f, " at the {at} of {}", interface.holder())?;
        }
        if let Some(rule) = &self.rule {
            write!(f, "\n    admitted by {} \"{}\"", rule.group, rule.written)?;
            if let Some(place) = &rule.place {
                write!(f, "   {place}")?;
            }
        }
        if let Some(reason) = &self.reason {
            write!(f, "\n    {reason}")?;
        }
        Ok(())
    }
}

/// A rule that decided.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DecidingRule {
    /// Its group.
    pub group: GroupName,
    /// Its id.
    pub id: RuleId,
    /// As its author wrote it.
    pub written: String,
    /// Place of the rule in the file, if it has one.
    pub place: Option<SourceLocation>,
}

/// Result of comparing a prediction with a measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Agreement {
    /// Both say the same, for the same reason.
    Agree,
    /// They say different things: a bug in one of the two.
    Disagree,
    /// Nothing was proved, so there is nothing to compare.
    Unproved,
}

/// Records of the filters about a probe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeRecords {
    /// Agreement of the probe with the model.
    pub agreement: Agreement,
    /// The records, in the order of their reading.
    pub met: Vec<PacketVerdict>,
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
