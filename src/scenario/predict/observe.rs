//! Predicted observations: what probes would find, by the model alone.

use std::net::IpAddr;

use crate::lab::Listeners;
use crate::model::{
    Cloud, DecidedBy, Direction, Flow, Half, InstanceName, InstanceState, LoadBalancer, RuleId, Service, Unproved,
    Verdict, Via,
};
use crate::policy::behind::{Behind, Listens};
use crate::policy::{self, Stage, Walk};
use crate::probe::{CloseReason, Drop, DropCause, MissingEvidence, Observation, Outcome, Resolution, node_of};
use crate::scenario::health;

/// Predicts what a probe of a flow would find.
pub fn observation(cloud: &Cloud, listeners: &Listeners, flow: &Flow) -> Observation {
    let walk = policy::walk(cloud, flow);
    let resolved = walk.stages.iter().find_map(|stage| match stage {
        Stage::Resolved { address, .. } => Some(Resolution::Address((*address).into())),
        _ => None,
    });
    let resolved = if walk.verdict == Verdict::Unresolved { Some(Resolution::NoSuchName) } else { resolved };
    let (outcome, answer_dropped) = match policy::unproved(cloud, flow, &walk) {
        Some(why) => unproved(&why),
        None => judged(cloud, listeners, flow, &walk),
    };
    let answered_by = match (&outcome, behind(cloud, listeners, flow, Programs::Listen)) {
        (Outcome::Open { .. }, Some((_, Behind::Answered { by }))) => by.first().map(ToString::to_string),
        _ => None,
    };
    Observation { resolved, answered_by, answer_dropped, ..Observation::of(flow.clone(), outcome) }
}

fn inconclusive(why: MissingEvidence) -> Outcome {
    Outcome::Inconclusive { why }
}

/// The outcome of a flow of which no probe shows anything, and the drop of its answer where a filter records it.
fn unproved(why: &Unproved) -> (Outcome, Option<Drop>) {
    match why {
        Unproved::AnswerToNobody { vpc, source } => {
            let cause = DropCause::Decided(DecidedBy::Route { vpc: vpc.clone() });
            let drop = Drop { cause, source: (*source).into() };
            (inconclusive(MissingEvidence::AnswerDropped(Box::new(drop.clone()))), Some(drop))
        }
        Unproved::AnswerTranslated { .. }
        | Unproved::Untranslated { .. }
        | Unproved::FromItself { .. }
        | Unproved::ByAnotherInterface { .. } => (inconclusive(MissingEvidence::Unproved(why.clone())), None),
    }
}

/// The outcome as the verdict and the listeners have it, and where the word that nobody listens is dropped.
fn judged(cloud: &Cloud, listeners: &Listeners, flow: &Flow, walk: &Walk) -> (Outcome, Option<Drop>) {
    match outcome(cloud, listeners, flow, walk) {
        Outcome::Refused { admitted_by } => match refusal_dropped(cloud, flow, walk) {
            Some(drop) => (inconclusive(MissingEvidence::AnswerDropped(Box::new(drop.clone()))), Some(drop)),
            None => (Outcome::Refused { admitted_by }, None),
        },
        other => (other, None),
    }
}

/// Finds where the word that nobody listens is dropped, if it does not come to whoever has asked.
fn refusal_dropped(cloud: &Cloud, flow: &Flow, walk: &Walk) -> Option<Drop> {
    let policy::RuleEvaluation { at, interface, groups, other, .. } =
        policy::port_unreachable_dropped(cloud, flow, walk)?;
    let source = match at {
        Direction::Ingress => other,
        Direction::Egress => {
            let sends = cloud.interface(&interface)?;
            match flow.via {
                Via::Secondary(asked) => asked,
                _ if other.is_ipv4() => sends.private?.0.into(),
                _ => sends.ipv6?.0.into(),
            }
        }
    };
    Some(Drop { cause: DropCause::by_groups(at, interface, groups), source })
}

/// The outcome that a verdict comes to where somebody listens, or nobody does.
fn outcome(cloud: &Cloud, listeners: &Listeners, flow: &Flow, walk: &Walk) -> Outcome {
    match &walk.verdict {
        Verdict::Open { .. } => {
            let admitted_by = walk.verdict.admitting_rules().first().copied();
            if let Some((balancer, behind)) = behind(cloud, listeners, flow, Programs::Listen) {
                return passed_on(cloud, flow, balancer, &behind, admitted_by);
            }
            match ear(cloud, listeners, flow) {
                ListenerState::Listens => Outcome::Open { admitted_by },
                ListenerState::Deaf => Outcome::Refused { admitted_by },
                ListenerState::Dead => inconclusive(MissingEvidence::ReceiverCrashed(flow.to.clone())),
            }
        }
        Verdict::Dropped { by, half } => match (source(walk), half) {
            (Some(source), Half::Request) => Outcome::Dropped(Drop { cause: DropCause::Decided(by.clone()), source }),
            (Some(_), Half::Answer) => inconclusive(MissingEvidence::AnswerWouldBeDropped),
            (None, _) => inconclusive(MissingEvidence::NothingSent),
        },
        Verdict::Misdelivered { to } => Outcome::Misdelivered { answered_by: to.to_string() },
        Verdict::Unreachable { by } => Outcome::Unreachable { by: by.as_ref().map(node_of) },
        Verdict::Unresolved => inconclusive(MissingEvidence::NoDnsName(flow.to.clone())),
    }
}

/// Assumption about the programs that services start.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Programs {
    /// They listen on the ports that they are for, as for any other flow.
    Listen,
    /// They decide.
    Decide,
}

/// Predicts what becomes of a flow behind the listener of a load balancer; nothing where it comes to none.
pub fn behind<'a>(
    cloud: &'a Cloud,
    listeners: &Listeners,
    flow: &Flow,
    programs: Programs,
) -> Option<(&'a LoadBalancer, Behind)> {
    let balancer = cloud.load_balancers.get(flow.to.load_balancer()?)?;
    let ears = health::ears_with(cloud, listeners);
    let assumed = |name: &InstanceName, service| match (ears(name, service), programs) {
        (Listens::Unknown, Programs::Listen) => Listens::Yes,
        (known, _) => known,
    };
    Some((balancer, policy::behind::listener(cloud, balancer, flow.service.tcp_port()?, &assumed)?))
}

fn passed_on(
    cloud: &Cloud,
    flow: &Flow,
    balancer: &LoadBalancer,
    behind: &Behind,
    admitted_by: Option<RuleId>,
) -> Outcome {
    match behind {
        Behind::Answered { .. } => Outcome::Open { admitted_by },
        Behind::Misdelivered { to } => Outcome::Misdelivered { answered_by: to.to_string() },
        Behind::Closed => {
            let why = flow.service.tcp_port().map(|port| health::closed(cloud, balancer, port));
            Outcome::Closed { why: why.unwrap_or(CloseReason::NoneInService), admitted_by }
        }
        Behind::InTurn => inconclusive(MissingEvidence::Turn(balancer.interface.id.holder())),
        Behind::OnAProgram { of } => inconclusive(MissingEvidence::Program { of: Some(of.clone()) }),
    }
}

/// Knowledge of a receiver's listener.
enum ListenerState {
    Listens,
    Deaf,
    Dead,
}

fn ear(cloud: &Cloud, listeners: &Listeners, flow: &Flow) -> ListenerState {
    let is_closed = flow.to.holder().is_some_and(|holder| listeners.is_closed(cloud, &holder, flow.service));
    if let Some(balancer) = flow.to.load_balancer().and_then(|name| cloud.load_balancers.get(name)) {
        // Its own listeners pass on, or close. Elsewhere the harness listens, as on instances.
        let own = matches!(flow.service, Service::Tcp(port) if balancer.listeners.contains_key(&port));
        let of_harness = listeners.columns.contains(&flow.service) && !is_closed;
        let listens = own || flow.service == Service::IcmpEcho || of_harness;
        return if listens { ListenerState::Listens } else { ListenerState::Deaf };
    }
    let Some(name) = flow.to.instance() else { return ListenerState::Listens };
    let Some(instance) = cloud.instances.get(name) else { return ListenerState::Dead };
    if instance.state != InstanceState::Running {
        return ListenerState::Dead;
    }
    let listens = listeners.columns.contains(&flow.service) || instance.listens.contains(&flow.service);
    // The kernel of an instance answers a ping by itself.
    if flow.service == Service::IcmpEcho || listens && !is_closed {
        ListenerState::Listens
    } else {
        ListenerState::Deaf
    }
}

/// The source of the flow where it was seen last.
fn source(walk: &Walk) -> Option<IpAddr> {
    walk.stages.iter().rev().find_map(|stage| match stage {
        Stage::Sent { source, .. } => Some(*source),
        Stage::TranslatedSource { public, .. } => Some((*public).into()),
        Stage::RuleEvaluation(asked) if asked.at == Direction::Ingress => Some(asked.other),
        _ => None,
    })
}
