//! From evidence to an outcome. Nothing but evidence makes anything else than "inconclusive".

use super::attempt::Answer;
use super::evidence::Logged;
use super::waiting::Finding;
use super::{Drop, DropCause, Outcome, Recorded, SOMEBODY_ELSE};
use crate::compile::network::NodeName;
use crate::compile::record::Record;
use crate::model::{Direction, GroupName, InterfaceId, RuleId};

/// Tells whose interface an index of a router is, and which groups it is in.
pub type Whose<'a> = &'a dyn Fn(&NodeName, u32) -> Option<(InterfaceId, Vec<GroupName>)>;

/// The outcome of a probe.
pub(super) fn outcome(
    finding: &Finding,
    receiver: Option<&NodeName>,
    behind: &[NodeName],
    whose: Whose<'_>,
) -> Outcome {
    let inconclusive = |why: &str| {
        let lost = match finding.lost {
            0 => String::new(),
            lost => format!("; {lost} log records were lost meanwhile"),
        };
        Outcome::Inconclusive { why: format!("{why}{lost}") }
    };
    // What its socket then comes to, an end or a reset, depends on what it had sent by then.
    if let Some(why) = finding.turned_away.as_ref().filter(|_| finding.seen) {
        return Outcome::Closed { why: why.clone(), admitted_by: admitted_by(finding, receiver, whose) };
    }
    match &finding.answer {
        Some(Answer::Answered(name)) => answered(finding, name.as_deref(), receiver, behind, whose),
        Some(Answer::Connected) if !behind.is_empty() => match passed_on_to(finding, behind, whose) {
            Some(_) if finding.seen => Outcome::Open { admitted_by: admitted_by(finding, receiver, whose) },
            _ => inconclusive("the load balancer took it, and nothing proves that it passed it on to one of its own"),
        },
        Some(Answer::Connected) => connected(finding, receiver, whose),
        Some(Answer::Refused) if finding.seen => {
            Outcome::Refused { admitted_by: admitted_by(finding, receiver, whose) }
        }
        Some(Answer::Refused) => {
            inconclusive("it was refused, but not by the receiver, which has seen no packet of it")
        }
        Some(Answer::Unreachable) => match finding.records.iter().find(|it| it.record == Record::Unreachable) {
            Some(_) if finding.seen => inconclusive("unreachable, say the routers, and yet the receiver has seen it"),
            Some(logged) => Outcome::Unreachable { by: Some(logged.node.clone()) },
            // The sender's own kernel may say so as well, and an instance that broke its own stack is none of EC2's.
            None => inconclusive("unreachable, says the sender, and no router has a record of it"),
        },
        Some(Answer::Failed(why)) => inconclusive(why),
        None => match finding.records.iter().find(|logged| logged.record.is_drop()) {
            Some(_) if finding.seen => inconclusive("the filter recorded a drop, and yet the receiver has seen it"),
            Some(logged) if logged.record == Record::Unreachable => {
                Outcome::Unreachable { by: Some(logged.node.clone()) }
            }
            // Where nobody holds the address there is nobody to be silent.
            Some(_) if receiver.is_some() && !finding.canary_arrived => {
                inconclusive("the filter recorded a drop, but the receiver's link carried no canary to prove it silent")
            }
            Some(_) if finding.overlooked => {
                inconclusive("the filter recorded a drop, but more came to the receiver than could be looked at")
            }
            Some(logged) => Outcome::Dropped(drop_of(logged, SentBy::Opener, whose)),
            None if finding.seen => match answer_dropped(finding, whose) {
                Some(drop) => inconclusive(&unheard(&drop)),
                None => inconclusive("the receiver has seen it and gave no answer"),
            },
            None => inconclusive("no answer, and no filter has a record of it"),
        },
    }
}

fn answered(
    finding: &Finding,
    name: Option<&str>,
    receiver: Option<&NodeName>,
    behind: &[NodeName],
    whose: Whose<'_>,
) -> Outcome {
    let asked = receiver.map(|node| node.0.as_str());
    let open = || Outcome::Open { admitted_by: admitted_by(finding, receiver, whose) };
    match name {
        // Behind a load balancer the request must have come to it, and the answer from one of its own.
        Some(name) if finding.seen && behind.iter().any(|node| node.0 == name) => open(),
        Some(name) if Some(name) == asked => open(),
        Some(name) => Outcome::Misdelivered { answered_by: name.into() },
        // An echo's answer names nobody: that the receiver has seen the request does.
        None if finding.seen => open(),
        None if finding.overlooked => {
            let why = "an answer that names nobody, and more came to the receiver than could be looked at".to_owned();
            Outcome::Inconclusive { why }
        }
        None if receiver.is_some() && !finding.canary_arrived => {
            let why =
                "an answer that names nobody, and the receiver's link carried no canary to prove it silent".to_owned();
            Outcome::Inconclusive { why }
        }
        None => Outcome::Misdelivered { answered_by: SOMEBODY_ELSE.into() },
    }
}

/// To which instance a load balancer passed it on: its own connection there was made, and the filter's record of that names
/// the interface of an instance that is registered with it.
pub(super) fn passed_on_to(finding: &Finding, behind: &[NodeName], whose: Whose<'_>) -> Option<NodeName> {
    finding.passed_on.as_ref()?.iter().find_map(|logged| {
        let (to, _) = logged.out_index.and_then(|index| whose(&logged.node, index))?;
        let admitted = matches!(logged.record, Record::Accept(Direction::Ingress, _));
        behind.iter().find(|node| admitted && node.0 == to.instance.as_str()).cloned()
    })
}

/// A program says nothing of who it is: that the filter passed the packet on to the receiver's interface, and that it arrived
/// there, does.
fn connected(finding: &Finding, receiver: Option<&NodeName>, whose: Whose<'_>) -> Outcome {
    let passed_to_receiver = |logged: &Logged| {
        let to = logged.out_index.and_then(|index| whose(&logged.node, index));
        matches!(logged.record, Record::Accept(Direction::Ingress, _))
            && to.is_some_and(|(to, _)| receiver.is_some_and(|receiver| receiver.0 == to.instance.as_str()))
    };
    if finding.seen && finding.records.iter().any(passed_to_receiver) {
        Outcome::Open { admitted_by: admitted_by(finding, receiver, whose) }
    } else {
        Outcome::Inconclusive { why: "a program took it, and nothing proves that it was the receiver's".to_owned() }
    }
}

/// The rule at the receiver's own ingress: appliances on the way admit by theirs, and a host outside has none.
fn admitted_by(finding: &Finding, receiver: Option<&NodeName>, whose: Whose<'_>) -> Option<RuleId> {
    let is_receiver = |logged: &Logged| {
        let owner = logged.out_index.and_then(|index| whose(&logged.node, index));
        owner.is_some_and(|(id, _)| receiver.is_some_and(|node| node.0 == id.instance.as_str()))
    };
    finding.records.iter().rev().find_map(|logged| match logged.record {
        Record::Accept(Direction::Ingress, rule) if is_receiver(logged) => Some(rule),
        _ => None,
    })
}

/// Where and for want of what the answer was dropped, if the receiver has seen the question and nothing has come back.
pub(super) fn answer_dropped(finding: &Finding, whose: Whose<'_>) -> Option<Drop> {
    let unanswered = finding.answer.is_none() && finding.seen && !finding.records.iter().any(|it| it.record.is_drop());
    finding.answer_drop.as_ref().filter(|_| unanswered).map(|logged| drop_of(logged, SentBy::Answerer, whose))
}

/// Why a flow is inconclusive whose answer was dropped.
pub fn unheard(drop: &Drop) -> String {
    format!("the receiver has seen it, and its answer was {}", words(drop))
}

/// `dropped as spoofed at web.eth0, source 10.0.2.11`, `dropped at the ingress of web.eth0, source 10.0.0.12`.
fn words(Drop { cause, source }: &Drop) -> String {
    match cause {
        DropCause::Groups { at, interface, .. } => format!("dropped at the {at} of {interface}, source {source}"),
        DropCause::Other(Recorded { record, interface: Some(interface), .. }) => {
            format!("dropped as {record} at {interface}, source {source}")
        }
        DropCause::Other(recorded) => format!("dropped as {recorded}, source {source}"),
    }
}

/// At whose ingress the last record admits it: appliances on the way have theirs before, and a host outside has none.
pub(super) fn admitted_at(finding: &Finding, whose: Whose<'_>) -> Option<InterfaceId> {
    let admits = |logged: &&Logged| {
        matches!(logged.record, Record::Accept(Direction::Ingress, _) | Record::Pass(Direction::Ingress))
    };
    let logged = finding.records.iter().rev().find(admits)?;
    logged.out_index.and_then(|index| whose(&logged.node, index)).map(|(id, _)| id)
}

/// Which end of a flow sent a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SentBy {
    /// The one that opened it.
    Opener,
    /// The one that answers.
    Answerer,
}

/// Where and for want of what a packet was dropped, by its record. What is cut is cut at an end that once admitted the
/// flow as it was opened: for an answer that is where the packet comes from, if it was the answerer's ingress.
pub(super) fn drop_of(logged: &Logged, sent_by: SentBy, whose: Whose<'_>) -> Drop {
    let at = match logged.record {
        Record::Drop(direction) | Record::Cut(direction) => Some(direction),
        _ => None,
    };
    let index = match (logged.record, sent_by) {
        (Record::Cut(Direction::Ingress), SentBy::Answerer) => logged.in_index,
        (Record::Cut(Direction::Egress), SentBy::Answerer) => logged.out_index,
        (Record::Drop(Direction::Egress) | Record::Cut(Direction::Egress), _) => logged.in_index,
        _ => logged.out_index,
    };
    let owner = at.zip(index.and_then(|index| whose(&logged.node, index)));
    let cause = match owner {
        Some((at, (interface, groups))) => DropCause::Groups { at, interface, groups },
        None => DropCause::Other(recorded(logged, whose)),
    };
    Drop { cause, source: logged.tuple.source }
}

/// The record of a drop in which no group had a say. The source is checked where the packet came in, and the destination where
/// it would leave.
fn recorded(logged: &Logged, whose: Whose<'_>) -> Recorded {
    let index = match logged.record {
        Record::Spoofed | Record::Fragments | Record::ForeignError => logged.in_index,
        Record::NotItsOwn => logged.out_index,
        _ => None,
    };
    let interface = index.and_then(|index| whose(&logged.node, index)).map(|(id, _)| id);
    Recorded { record: logged.record, node: logged.node.clone(), interface }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fabric::packet::{Tuple, UDP};

    fn found(answer: Option<Answer>, overlooked: bool) -> Outcome {
        found_behind(answer, overlooked, true)
    }

    fn found_behind(answer: Option<Answer>, overlooked: bool, canary_arrived: bool) -> Outcome {
        let [source, destination] = [[10, 0, 0, 11], [10, 0, 0, 12]].map(std::net::IpAddr::from);
        let dropped = Logged {
            node: NodeName("vpc".to_owned()),
            record: Record::Drop(Direction::Ingress),
            in_index: None,
            out_index: None,
            tuple: Tuple { protocol: UDP, source, source_port: 4000, destination, destination_port: 53 },
            icmp: None,
            length: 40,
        };
        let records = if answer.is_none() { vec![dropped] } else { Vec::new() };
        let (seen, timed_out, lost) = (false, false, 0);
        let finding = Finding {
            answer,
            records,
            seen,
            canary_arrived,
            overlooked,
            turned_away: None,
            passed_on: None,
            answer_drop: None,
            timed_out,
            lost,
        };
        outcome(&finding, Some(&NodeName("db1".to_owned())), &[], &|_, _| None)
    }

    #[test]
    fn a_receiver_of_more_than_could_be_looked_at_was_not_proved_silent() {
        assert!(matches!(found(None, false), Outcome::Dropped(_)));
        assert!(matches!(found(None, true), Outcome::Inconclusive { .. }));
    }

    #[test]
    fn an_echo_is_nobody_elses_answer_where_its_receiver_may_have_been_overlooked() {
        assert!(matches!(found(Some(Answer::Answered(None)), false), Outcome::Misdelivered { .. }));
        assert!(matches!(found(Some(Answer::Answered(None)), true), Outcome::Inconclusive { .. }));
        assert!(matches!(found_behind(Some(Answer::Answered(None)), false, false), Outcome::Inconclusive { .. }));
    }
}
