//! From evidence to an outcome. Nothing but evidence makes anything else than "inconclusive".

use std::net::IpAddr;

use super::dropped::{Drop, InterfaceLookup, SentBy, drop_of};
use super::evidence::{Logged, UnaskedPacket};
use super::failure::CloseReason;
use super::missing::{MissingEvidence, Reply, Sight, Unjudged, UnjudgedRecord};
use super::outcome::{Outcome, SOMEBODY_ELSE};
use super::question::Answer;
use super::waiting::{Back, ProbeEvidence};
use crate::fabric::packet::Tuple;
use crate::fabric::packet::flaw::Flaw;
use crate::model::{Direction, InterfaceId, RuleId};
use crate::network::NodeName;
use crate::network::record::Record;

/// Intended receiver of a packet, and the address of its own that was asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct ProbeTarget<'a> {
    pub node: &'a NodeName,
    pub address: IpAddr,
}

/// The outcome of a probe.
pub(super) fn outcome(
    finding: &ProbeEvidence,
    receiver: Option<ProbeTarget<'_>>,
    behind: &[NodeName],
    lookup: InterfaceLookup<'_>,
) -> Outcome {
    match shown(finding, receiver, behind, lookup) {
        Outcome::Inconclusive { why } => {
            Outcome::Inconclusive { why: why.for_want_of_canary(finding.canary_not_sent.as_ref()) }
        }
        Outcome::Open { .. } | Outcome::Refused { .. } if !finding.judged => {
            Outcome::Inconclusive { why: MissingEvidence::EarlierFlow { lost: finding.lost } }
        }
        outcome => outcome,
    }
}

/// Returns the outcome that evidence shows, whether or not it passed by an earlier flow.
fn shown(
    finding: &ProbeEvidence,
    receiver: Option<ProbeTarget<'_>>,
    behind: &[NodeName],
    lookup: InterfaceLookup<'_>,
) -> Outcome {
    let inconclusive = |why: MissingEvidence| Outcome::Inconclusive { why: why.with_lost(finding.lost) };
    if let Some(stray) = &finding.stray {
        return inconclusive(not_asked(stray, lookup));
    }
    // What it met, and what came of it, is another question's.
    if let Some(other) = finding.records.iter().find(|it| it.flaw == Some(Flaw::Code)).and_then(unjudged) {
        return inconclusive(MissingEvidence::Unjudged(other));
    }
    // Where nobody holds the address there is nobody to be silent.
    let is_linked = receiver.is_none() || finding.canary_arrived;
    // What its socket then comes to, an end or a reset, depends on what it had sent by then.
    match finding.turned_away.as_ref().filter(|_| finding.seen) {
        Some(CloseReason::Untaken(why)) if why.is_of_the_balancer() => {
            return inconclusive(MissingEvidence::ClosedWithoutSocket(why.clone()));
        }
        Some(CloseReason::Untaken(why)) if !why.is_proved() => {
            return inconclusive(MissingEvidence::ClosedByItsTarget(why.clone()));
        }
        Some(why) => {
            return Outcome::Closed { why: why.clone(), admitted_by: admitted_by(finding, receiver, lookup) };
        }
        None => {}
    }
    match &finding.answer {
        Some(Answer::Answered(name)) => answered(finding, name.as_deref(), receiver, behind, lookup),
        Some(Answer::Connected) if !behind.is_empty() => match passed_on_to(finding, behind, lookup) {
            Some(_) if finding.seen => Outcome::Open { admitted_by: admitted_by(finding, receiver, lookup) },
            _ => inconclusive(MissingEvidence::NotPassedOn),
        },
        Some(Answer::Connected) => connected(finding, receiver, lookup),
        Some(Answer::Refused) if !came(finding, receiver, lookup) => inconclusive(MissingEvidence::RefusedByAnother),
        Some(Answer::Refused) => match not_sent_back(finding) {
            Some(sight) => inconclusive(MissingEvidence::NotSentBack { reply: Reply::Refusal, sight }),
            None => Outcome::Refused { admitted_by: admitted_by(finding, receiver, lookup) },
        },
        Some(Answer::Unreachable) => match finding.records.iter().find(|it| it.record == Record::Unreachable) {
            Some(_) if finding.seen => inconclusive(MissingEvidence::UnreachableAndSeen),
            // The route to a link goes with it, and root at its other end can take it away.
            Some(_) if !is_linked => inconclusive(MissingEvidence::UnreachableWithoutCanary),
            Some(logged) => Outcome::Unreachable { by: Some(logged.node.clone()) },
            // The sender's own kernel may say so as well, and an instance that broke its own stack is none of EC2's.
            None => inconclusive(MissingEvidence::UnreachableByItsSender),
        },
        Some(Answer::Failed(why)) => inconclusive(MissingEvidence::Socket(why.clone())),
        None => match finding.records.iter().find(|logged| logged.record.is_drop()) {
            Some(_) if finding.seen => inconclusive(MissingEvidence::DroppedAndSeen),
            Some(_) if !is_linked => inconclusive(MissingEvidence::DroppedWithoutCanary),
            Some(logged) if logged.record == Record::Unreachable => {
                Outcome::Unreachable { by: Some(logged.node.clone()) }
            }
            Some(_) if finding.overlooked => inconclusive(MissingEvidence::DroppedAndOverlooked),
            // The receiver's ingress has the last word, but of egress that is asked once more behind it.
            Some(logged) if !logged.record.is_at(Direction::Egress) && is_admitted(finding, receiver, lookup) => {
                inconclusive(MissingEvidence::DroppedAndAdmitted)
            }
            Some(logged) if finding.lacked_room => inconclusive(MissingEvidence::Unjudged(UnjudgedRecord {
                node: logged.node.clone(),
                why: Unjudged::Room,
            })),
            Some(logged) => match unjudged(logged).or_else(|| begun_before(logged, &finding.records)) {
                Some(record) => inconclusive(MissingEvidence::Unjudged(record)),
                None => Outcome::Dropped(drop_of(logged, SentBy::Opener, lookup)),
            },
            None if finding.seen => inconclusive(match answer_dropped(finding, lookup) {
                Some(drop) => MissingEvidence::AnswerDropped(Box::new(drop)),
                None => MissingEvidence::Unanswered,
            }),
            None => inconclusive(match &finding.forged {
                Some((end, logged)) => MissingEvidence::ForgedOnly { end: end.clone(), record: logged.record },
                None => MissingEvidence::NoTrace,
            }),
        },
    }
}

/// Explains why nothing is proved where something else was sent than was asked: groups have judged that, or others than were to.
pub(super) fn not_asked(stray: &UnaskedPacket, lookup: InterfaceLookup<'_>) -> MissingEvidence {
    let sender = |logged: &Logged| logged.in_index.and_then(|index| lookup(&logged.node, index)).map(|(id, _)| id);
    match stray {
        UnaskedPacket::Astray(logged) => MissingEvidence::SentAstray { by: sender(logged), record: logged.record },
        UnaskedPacket::Changed(logged) => {
            let Tuple { source, destination, .. } = logged.tuple;
            MissingEvidence::SentChanged { by: sender(logged), source, destination, record: logged.record }
        }
        UnaskedPacket::CameChanged((source, destination)) => {
            MissingEvidence::CameChanged { source: *source, destination: *destination }
        }
    }
}

/// Explains why the record of a drop says nothing of what was to be sent: whoever makes something else of a packet on its way out is judged by that.
/// Nothing if the record can be judged.
pub(super) fn unjudged(logged: &Logged) -> Option<UnjudgedRecord> {
    let why = match (logged.flaw, logged.record) {
        (Some(flaw), _) => Unjudged::Flaw(flaw),
        (None, Record::Invalid) => Unjudged::Invalid,
        (None, Record::Connections) => Unjudged::Room,
        (None, Record::Fragments) => Unjudged::Fragments,
        (None, Record::ForeignError) => Unjudged::ForeignError,
        _ => return None,
    };
    Some(UnjudgedRecord { node: logged.node.clone(), why })
}

/// Explains why the record of a drop says nothing of what was to begin a flow: an end has begun one before that it was taken for a part of, so that
/// no group was asked of what begins. Nothing if one was.
pub(super) fn begun_before(dropped: &Logged, records: &[Logged]) -> Option<UnjudgedRecord> {
    let Logged { node, record: Record::Cut(_), .. } = dropped else { return None };
    let begins = records.iter().any(|logged| matches!(logged.record, Record::Accept(..) | Record::Pass(_)));
    (!begins).then(|| UnjudgedRecord { node: node.clone(), why: Unjudged::EarlierFlow })
}

/// Reports whether it is proved that the question came to the receiver: it was sent over its link, which was up and led there, or the filter let it
/// in there. What somebody asks of their own address is their own affair.
fn came(finding: &ProbeEvidence, receiver: Option<ProbeTarget<'_>>, lookup: InterfaceLookup<'_>) -> bool {
    finding.inside || finding.seen && finding.canary_arrived || is_admitted(finding, receiver, lookup)
}

/// Reports whether a filter has let it in at an interface of the receiver.
fn is_admitted(finding: &ProbeEvidence, receiver: Option<ProbeTarget<'_>>, lookup: InterfaceLookup<'_>) -> bool {
    finding.records.iter().any(|logged| {
        let admits = logged.record.is_at(Direction::Ingress) && !logged.record.is_drop();
        admits && is_receivers(logged, receiver, lookup)
    })
}

/// Reports whether a recorded packet was on its way out by an interface of the receiver, and to its own address: an appliance gets also what it is to
/// pass on.
fn is_receivers(logged: &Logged, receiver: Option<ProbeTarget<'_>>, lookup: InterfaceLookup<'_>) -> bool {
    let Some(asked) = receiver.filter(|asked| asked.address == logged.tuple.destination) else { return false };
    let owner = logged.out_index.and_then(|index| lookup(&logged.node, index));
    owner.is_some_and(|(id, _)| asked.node.0 == id.holder().as_str())
}

/// Explains why an answer that nobody but the sender knows of proves nothing; none where it was shown.
fn not_sent_back(finding: &ProbeEvidence) -> Option<Sight> {
    match finding.back {
        Back::Shown => None,
        Back::Missing => Some(Sight::Missing),
        Back::Overlooked => Some(Sight::Overlooked),
    }
}

fn answered(
    finding: &ProbeEvidence,
    name: Option<&str>,
    receiver: Option<ProbeTarget<'_>>,
    behind: &[NodeName],
    lookup: InterfaceLookup<'_>,
) -> Outcome {
    let inconclusive = |why: MissingEvidence| Outcome::Inconclusive { why };
    let open = || match not_sent_back(finding) {
        Some(sight) => inconclusive(MissingEvidence::NotSentBack { reply: Reply::Answer, sight }),
        None => Outcome::Open { admitted_by: admitted_by(finding, receiver, lookup) },
    };
    let was_sent_to = |name: &str| {
        let onward = finding.passed_on.iter().flat_map(|on| &on.sent_to);
        finding.elsewhere.iter().chain(onward).any(|node| node.0 == name)
    };
    match name {
        // Behind a load balancer the request must have come to it, and it must have passed it on to one of its own.
        Some(name) if behind.iter().any(|node| node.0 == name) => {
            let passed_on = passed_on_to(finding, behind, lookup).is_some_and(|node| node.0 == name);
            if passed_on && finding.seen {
                open()
            } else {
                inconclusive(MissingEvidence::NotPassedOnTo(name.to_owned()))
            }
        }
        Some(name) if receiver.is_some_and(|asked| asked.node.0 == name) && came(finding, receiver, lookup) => open(),
        // Whoever asks an address of its own gets no other answer than its own.
        Some(name) if finding.inside || was_sent_to(name) => Outcome::Misdelivered { answered_by: name.into() },
        Some(name) => inconclusive(MissingEvidence::AnsweredByName(name.to_owned())),
        None if finding.inside && receiver.is_none() => Outcome::Misdelivered { answered_by: SOMEBODY_ELSE.into() },
        // An echo's answer names nobody: that the receiver has seen the request does.
        None if came(finding, receiver, lookup) => open(),
        None if finding.overlooked => inconclusive(MissingEvidence::NamelessAndOverlooked),
        None if receiver.is_some() && !finding.canary_arrived => inconclusive(MissingEvidence::NamelessWithoutCanary),
        None if finding.elsewhere.is_empty() => inconclusive(MissingEvidence::NamelessAndUnsent),
        None => Outcome::Misdelivered { answered_by: SOMEBODY_ELSE.into() },
    }
}

/// The instance that a load balancer passed it on to: its own connection there was made, and the filter's record of that names
/// the interface of an instance that is registered with it.
pub(super) fn passed_on_to(
    finding: &ProbeEvidence,
    behind: &[NodeName],
    lookup: InterfaceLookup<'_>,
) -> Option<NodeName> {
    finding.passed_on.as_ref()?.records.iter().find_map(|logged| {
        let (to, _) = logged.out_index.and_then(|index| lookup(&logged.node, index))?;
        let admitted = matches!(logged.record, Record::Accept(Direction::Ingress, _));
        behind.iter().find(|node| admitted && node.0 == to.holder().as_str()).cloned()
    })
}

/// A program says nothing of who it is: that the filter passed the packet on to the receiver's interface, and that it arrived
/// there, does.
fn connected(finding: &ProbeEvidence, receiver: Option<ProbeTarget<'_>>, lookup: InterfaceLookup<'_>) -> Outcome {
    match not_sent_back(finding) {
        _ if !finding.seen || !is_admitted(finding, receiver, lookup) => {
            Outcome::Inconclusive { why: MissingEvidence::TakenByAnybody }
        }
        Some(sight) => Outcome::Inconclusive { why: MissingEvidence::NotSentBack { reply: Reply::Taken, sight } },
        None => Outcome::Open { admitted_by: admitted_by(finding, receiver, lookup) },
    }
}

/// The rule at the receiver's own ingress: appliances on the way admit by theirs, and a host outside has none.
fn admitted_by(
    finding: &ProbeEvidence,
    receiver: Option<ProbeTarget<'_>>,
    lookup: InterfaceLookup<'_>,
) -> Option<RuleId> {
    finding.records.iter().rev().find_map(|logged| match logged.record {
        Record::Accept(Direction::Ingress, rule) if is_receivers(logged, receiver, lookup) => Some(rule),
        _ => None,
    })
}

/// Returns the drop of the answer, if the receiver has seen the question and nothing has come back.
pub(super) fn answer_dropped(finding: &ProbeEvidence, lookup: InterfaceLookup<'_>) -> Option<Drop> {
    let unanswered = finding.answer.is_none() && finding.seen && !finding.records.iter().any(|it| it.record.is_drop());
    finding.answer_drop.as_ref().filter(|_| unanswered).map(|logged| drop_of(logged, SentBy::Answerer, lookup))
}

/// The interface at whose ingress the last record admits it: appliances on the way have theirs before, and a host outside has none.
pub(super) fn admitted_at(finding: &ProbeEvidence, lookup: InterfaceLookup<'_>) -> Option<InterfaceId> {
    let admits = |logged: &&Logged| {
        matches!(logged.record, Record::Accept(Direction::Ingress, _) | Record::Pass(Direction::Ingress))
    };
    let logged = finding.records.iter().rev().find(admits)?;
    logged.out_index.and_then(|index| lookup(&logged.node, index)).map(|(id, _)| id)
}

#[cfg(test)]
mod tests;
