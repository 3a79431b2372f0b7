//! Outcomes of probes, as far as evidence goes.

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::dropped::Drop;
use super::evidence::Logged;
use super::failure::CloseReason;
use super::missing::MissingEvidence;
use crate::model::{Flow, InterfaceId, RuleId};
use crate::network::NodeName;

/// One probed flow and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// Flow that was asked.
    pub flow: Flow,
    /// Outcome that evidence shows.
    pub outcome: Outcome,
    /// True if the fallback timeout had to end the wait.
    pub timed_out: bool,
    /// Answer of the sender's resolver for the receiver's name; nothing unless the flow goes by DNS name.
    pub resolved: Option<Resolution>,
    /// Interface at whose ingress the last record admits it.
    pub admitted_at: Option<InterfaceId>,
    /// Name of the one who gave the answer, by its own word: behind a load balancer one of its instances.
    pub answered_by: Option<String>,
    /// The place where its answer was dropped, if the receiver has seen it and that is why nothing came back. Such a flow is inconclusive.
    pub answer_dropped: Option<Drop>,
    /// Everything that the filters recorded of it, and of a drop of its answer.
    pub records: Vec<Logged>,
}

impl Observation {
    /// An observation of a flow with nothing but its outcome.
    pub fn of(flow: Flow, outcome: Outcome) -> Self {
        Self {
            flow,
            outcome,
            timed_out: false,
            resolved: None,
            admitted_at: None,
            answered_by: None,
            answer_dropped: None,
            records: Vec::new(),
        }
    }

    /// An observation that proves nothing.
    pub fn unproved(flow: Flow, why: MissingEvidence) -> Self {
        Self::of(flow, Outcome::Inconclusive { why })
    }
}

/// Answer of a resolver for a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Resolution {
    /// It is this address.
    Address(IpAddr),
    /// There is no such name.
    NoSuchName,
    /// Nothing that would be an answer.
    NoAnswer,
}

impl Resolution {
    /// The address, if that is what it said.
    pub fn address(self) -> Option<IpAddr> {
        match self {
            Self::Address(address) => Some(address),
            Self::NoSuchName | Self::NoAnswer => None,
        }
    }
}

/// Name of the one who answered where an answer names nobody, as that to a ping, and the receiver has not seen the question.
pub const SOMEBODY_ELSE: &str = "somebody other than the receiver";

/// The outcome of a probe. Only evidence makes anything but [`Outcome::Inconclusive`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Handshake or echo completed, and the answer names the receiver asked for.
    Open {
        /// The rule at the receiver's ingress whose log record came with it, if groups judged there.
        admitted_by: Option<RuleId>,
    },
    /// RST or port unreachable from the receiver: the groups let it in, nobody listens.
    Refused {
        /// As for `Open`.
        admitted_by: Option<RuleId>,
    },
    /// A load balancer took the connection and closed it, for want of an instance to pass it on to; it says so itself.
    Closed {
        /// Reason that it gave.
        why: CloseReason,
        /// As for `Open`.
        admitted_by: Option<RuleId>,
    },
    /// The filter's record says so, and the receiver has not seen it by the time a later canary had arrived.
    Dropped(Drop),
    /// No route, or nobody holds the address.
    Unreachable {
        /// Node that has it on record; none in a prediction of what cannot be sent.
        by: Option<NodeName>,
    },
    /// Somebody else answered: always a failure.
    Misdelivered {
        /// Name of the one who answered.
        answered_by: String,
    },
    /// Nothing proves either.
    Inconclusive {
        /// Evidence that is missing.
        why: MissingEvidence,
    },
}

/// Results of a batch of probes.
#[derive(Clone, Debug)]
pub struct Batch {
    /// One a flow, in the order of the flows.
    pub observations: Vec<Observation>,
    /// Duration of the batch.
    pub took: Duration,
    /// True if the canaries before and after gave what they must; if not, every observation is inconclusive.
    pub canaries_held: bool,
}
