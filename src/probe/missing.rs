//! Evidence that is missing: reasons why nothing is proved of a flow, as values, and their words.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::dropped::{Drop, words};
use super::failure::{SocketFailure, Untaken};
use super::unaskable::Unaskable;
use crate::fabric::packet::flaw::Flaw;
use crate::model::{Endpoint, InstanceName, InterfaceHolder, InterfaceId, Unproved};
use crate::network::NodeName;
use crate::network::record::Record;

/// Reason why a drop for want of room is no proof of what groups say: the bounds of an interface are not theirs.
pub(super) const WANT_OF_ROOM: &str =
    "and an interface there has opened more flows, or sent more that is to be remembered, than there is room for";

/// Reason why nothing is proved of a flow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MissingEvidence {
    /// The flow can be no question of a probe.
    Unaskable(Unaskable),
    /// It was not asked.
    NotAsked,
    /// It was not probed.
    NotProbed,
    /// A canary of known fate did not do as it must.
    Canary,
    /// A canary could not be sent, so that nothing shows what came before it.
    CanaryNotSent(SocketFailure),
    /// The canaries of the batch did not hold.
    Canaries,
    /// Its socket showed nothing.
    Socket(SocketFailure),
    /// Records were lost while it was asked.
    RecordsLost {
        /// Number of the lost records.
        count: u64,
        /// Reason without them.
        why: Box<Self>,
    },
    /// No filter recorded that its groups were asked.
    EarlierFlow {
        /// Number of the records that were lost meanwhile.
        lost: u64,
    },
    /// Another interface sent it than was asked to.
    SentAstray {
        /// The interface, where it is known.
        by: Option<InterfaceId>,
        /// Record of the packet.
        record: Record,
    },
    /// Its sender sent something else than was asked.
    SentChanged {
        /// The interface, where it is known.
        by: Option<InterfaceId>,
        /// Source of the packet.
        source: IpAddr,
        /// Destination of the packet.
        destination: IpAddr,
        /// Record of the packet.
        record: Record,
    },
    /// Something else came to the receiver than was asked.
    CameChanged {
        /// Source of the packet.
        source: IpAddr,
        /// Destination of the packet.
        destination: IpAddr,
    },
    /// The record of its drop says nothing of what was to be sent.
    Unjudged(UnjudgedRecord),
    /// The load balancer closed it, by the word of the target whose turn it was.
    ClosedByItsTarget(Untaken),
    /// The load balancer closed it, as its own socket to the target failed.
    ClosedWithoutSocket(Untaken),
    /// Nothing proves that the load balancer passed it on.
    NotPassedOn,
    /// Somebody else than the receiver refused it.
    RefusedByAnother,
    /// Nothing proves that the reply was sent to the sender.
    NotSentBack {
        /// Reply that the socket came to.
        reply: Reply,
        /// Reason why the reply was not seen.
        sight: Sight,
    },
    /// A program took it, and nothing proves that it was the receiver's.
    TakenByAnybody,
    /// The routers say unreachable, and the receiver has seen it.
    UnreachableAndSeen,
    /// The routers say unreachable, and the receiver's link carried no canary.
    UnreachableWithoutCanary,
    /// The sender says unreachable, and no router does.
    UnreachableByItsSender,
    /// The filter recorded a drop, and the receiver has seen it.
    DroppedAndSeen,
    /// The filter recorded a drop, and the receiver's link carried no canary.
    DroppedWithoutCanary,
    /// The filter recorded a drop, and more came to the receiver than could be looked at.
    DroppedAndOverlooked,
    /// The filter recorded a drop, and that it let it in.
    DroppedAndAdmitted,
    /// The receiver has seen it, and its answer was dropped.
    AnswerDropped(Box<Drop>),
    /// The receiver has seen it and gave no answer.
    Unanswered,
    /// No answer came, and the one record is of a packet that an end has forged.
    ForgedOnly {
        /// The end.
        end: NodeName,
        /// Record of the packet.
        record: Record,
    },
    /// No answer came, and no filter has a record of it.
    NoTrace,
    /// Nothing proves that it was sent to whom the answer names.
    AnsweredByName(String),
    /// Nothing proves that it was passed on to whom the answer names.
    NotPassedOnTo(String),
    /// The answer names nobody, and more came to the receiver than could be looked at.
    NamelessAndOverlooked,
    /// The answer names nobody, and the receiver's link carried no canary.
    NamelessWithoutCanary,
    /// The answer names nobody, and nobody was sent the question.
    NamelessAndUnsent,
    /// No probe shows it, as far as the model tells.
    Unproved(Unproved),
    /// The receiver has crashed, and would answer nothing.
    ReceiverCrashed(Endpoint),
    /// Its answer would be dropped, and nobody hears of that.
    AnswerWouldBeDropped,
    /// Nothing was sent.
    NothingSent,
    /// The receiver has no public DNS name.
    NoDnsName(Endpoint),
    /// It depends on whose turn it is behind a load balancer.
    Turn(InterfaceHolder),
    /// It depends on a program.
    Program {
        /// Instance of the program; nothing where it is one of several behind a load balancer.
        of: Option<InstanceName>,
    },
}

/// Reply that the socket of a probe came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    /// An answer.
    Answer,
    /// A refusal.
    Refusal,
    /// A program has taken it.
    Taken,
}

/// Reason why a reply was not seen on its way to the sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sight {
    /// Nothing of the kind was sent.
    Missing,
    /// More was sent than could be looked at.
    Overlooked,
}

/// Record of a drop that says nothing of the groups.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnjudgedRecord {
    /// Namespace that recorded it.
    pub node: NodeName,
    /// Reason why it says nothing.
    pub why: Unjudged,
}

/// Reason why the record of a drop says nothing of the groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unjudged {
    /// The packet is not what was asked.
    Flaw(Flaw),
    /// Connection tracking could not place it.
    Invalid,
    /// There was no room for it, or none to remember what would have let it pass.
    Room,
    /// It was sent in too many pieces.
    Fragments,
    /// It was sent as an error about another flow.
    ForeignError,
    /// It was taken for a part of an earlier flow.
    EarlierFlow,
}

impl MissingEvidence {
    /// Returns the drop of the answer, where that is why nothing is proved.
    pub fn answer_dropped(&self) -> Option<&Drop> {
        match self {
            Self::AnswerDropped(drop) => Some(drop),
            Self::RecordsLost { why, .. } => why.answer_dropped(),
            _ => None,
        }
    }

    /// Says in place of a canary that has not arrived why none could be sent.
    pub(super) fn for_want_of_canary(self, not_sent: Option<&SocketFailure>) -> Self {
        match (self, not_sent) {
            (
                Self::UnreachableWithoutCanary
                | Self::DroppedWithoutCanary
                | Self::NamelessWithoutCanary
                | Self::RefusedByAnother,
                Some(failure),
            ) => Self::CanaryNotSent(failure.clone()),
            (Self::RecordsLost { count, why }, not_sent) => {
                Self::RecordsLost { count, why: Box::new(why.for_want_of_canary(not_sent)) }
            }
            (other, _) => other,
        }
    }

    /// Adds that records were lost meanwhile, where some were.
    pub(super) fn with_lost(self, count: u64) -> Self {
        if count == 0 { self } else { Self::RecordsLost { count, why: Box::new(self) } }
    }
}

impl fmt::Display for MissingEvidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sender = |by: &Option<InterfaceId>, unknown: &str| match by {
            Some(id) => id.to_string(),
            None => unknown.to_owned(),
        };
        f.write_str(match self {
            Self::Unaskable(why) => return why.fmt(f),
            Self::Socket(why) => return why.fmt(f),
            Self::Unjudged(record) => return record.fmt(f),
            Self::Unproved(why) => return why.fmt(f),
            Self::RecordsLost { count, why } => return write!(f, "{why}; {count} log records were lost meanwhile"),
            Self::EarlierFlow { lost } => {
                let lost = if *lost > 0 { ", or its record was lost" } else { "" };
                return write!(
                    f,
                    "it was answered, and no filter recorded that its groups were asked: it passed by an earlier flow{lost}"
                );
            }
            Self::SentAstray { by, record } => {
                let by = sender(by, "another interface");
                return write!(f, "it was sent by {by}, which was not asked to: {record}");
            }
            Self::SentChanged { by, source, destination, record } => {
                let by = sender(by, "its sender");
                return write!(
                    f,
                    "what {by} sent is not what was asked, from {source} to {destination}: {record}"
                );
            }
            Self::CameChanged { source, destination } => {
                return write!(
                    f,
                    "what came to the receiver is not what was asked, from {source} to {destination}"
                );
            }
            Self::ClosedByItsTarget(why) => {
                return write!(
                    f,
                    "the load balancer closed it, by the word of the target whose turn it was: {why}"
                );
            }
            Self::ClosedWithoutSocket(why) => {
                return write!(f, "the load balancer closed it, as it could open no connection of its own: {why}");
            }
            Self::CanaryNotSent(why) => return write!(f, "no canary could be sent: {why}"),
            Self::NotSentBack { reply, sight } => return write!(f, "{reply}, {sight}"),
            Self::AnswerDropped(drop) => {
                return write!(f, "the receiver has seen it, and its answer was {}", words(drop));
            }
            Self::ForgedOnly { end, record } => {
                return write!(
                    f,
                    "no answer, and no filter has a record of it but of a packet that {end} has forged: {record}"
                );
            }
            Self::AnsweredByName(name) => {
                return write!(f, "an answer by the name of {name}, and nothing proves that it was sent there");
            }
            Self::NotPassedOnTo(name) => {
                return write!(f, "an answer by the name of {name}, and nothing proves that it was passed on there");
            }
            Self::ReceiverCrashed(end) => return write!(f, "{end} has crashed, and would answer nothing"),
            Self::NoDnsName(end) => return write!(f, "{end} has no public DNS name"),
            Self::Turn(balancer) => {
                return write!(f, "what becomes of it depends on whose turn it is behind {balancer}");
            }
            Self::Program { of: Some(of) } => return write!(f, "what a program of {of} does is not predicted"),
            Self::Program { of: None } => "what a program behind it does is not predicted",
            Self::NotAsked => "it was not asked",
            Self::NotProbed => "it was not probed",
            Self::Canary => "a canary of known fate did not do as it must",
            Self::Canaries => "the canaries did not hold",
            Self::NotPassedOn => "the load balancer took it, and nothing proves that it passed it on to one of its own",
            Self::RefusedByAnother => "it was refused, but not by the receiver, which has seen no packet of it",
            Self::TakenByAnybody => "a program took it, and nothing proves that it was the receiver's",
            Self::UnreachableAndSeen => "unreachable, say the routers, and yet the receiver has seen it",
            Self::UnreachableWithoutCanary => "unreachable, say the routers, and the receiver's link carried no canary",
            Self::UnreachableByItsSender => "unreachable, says the sender, and no router has a record of it",
            Self::DroppedAndSeen => "the filter recorded a drop, and yet the receiver has seen it",
            Self::DroppedWithoutCanary => {
                "the filter recorded a drop, but the receiver's link carried no canary to prove it silent"
            }
            Self::DroppedAndOverlooked => {
                "the filter recorded a drop, but more came to the receiver than could be looked at"
            }
            Self::DroppedAndAdmitted => "the filter recorded a drop, and yet it let it in at the receiver",
            Self::Unanswered => "the receiver has seen it and gave no answer",
            Self::NoTrace => "no answer, and no filter has a record of it",
            Self::NamelessAndOverlooked => {
                "an answer that names nobody, and more came to the receiver than could be looked at"
            }
            Self::NamelessWithoutCanary => {
                "an answer that names nobody, and the receiver's link carried no canary to prove it silent"
            }
            Self::NamelessAndUnsent => "an answer that names nobody, and nobody was sent the question",
            Self::AnswerWouldBeDropped => "its answer would be dropped, and nobody hears of that",
            Self::NothingSent => "nothing was sent",
        })
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Answer => "it was answered",
            Self::Refusal => "it was refused",
            Self::Taken => "a program took it",
        })
    }
}

impl fmt::Display for Sight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "and nothing of the kind was sent to the sender",
            Self::Overlooked => "and more came to the sender than could be looked at",
        })
    }
}

impl fmt::Display for UnjudgedRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let node = &self.node;
        match self.why {
            Unjudged::Flaw(flaw) => write!(f, "{node} has on record {flaw}: no rule judged it as what was asked"),
            Unjudged::Invalid => write!(f, "{node} has it on record as invalid: it begins nothing"),
            Unjudged::Room => write!(f, "{node} recorded a drop, {WANT_OF_ROOM}"),
            Unjudged::Fragments => write!(
                f,
                "{node} has it on record as {}: it was sent in pieces, of which there were too many",
                Record::Fragments
            ),
            Unjudged::ForeignError => write!(
                f,
                "{node} has it on record as {}: it was sent as a word about another flow",
                Record::ForeignError
            ),
            Unjudged::EarlierFlow => {
                write!(f, "{node} has it on record as part of an earlier flow: it began nothing")
            }
        }
    }
}
