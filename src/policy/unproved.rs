//! Flows that are let in and that no probe can show to be: what would show it does not come back, or is not sent as it is asked.

use std::net::IpAddr;

use super::routes::{NextHop, next_hop};
use super::routes::{holds, holds_ipv6};
use super::walk::{Stage, Walk};
use crate::model::protocol::{SCTP, UDP_LITE};
use crate::model::{Cloud, Endpoint, Flow, Forwarding, Interface, InterfaceId, Service, Unproved};

/// Finds the reason why a probe of a flow shows nothing, as far as the cloud decides that.
pub fn unproved(cloud: &Cloud, flow: &Flow, walk: &Walk) -> Option<Unproved> {
    by_another_interface(flow, walk).or_else(|| {
        let is_open = walk.verdict.is_open();
        let open = || from_itself(cloud, flow, walk).or_else(|| untranslated(cloud, flow, walk));
        is_open.then(|| open().or_else(|| answer_astray(cloud, flow, walk))).flatten()
    })
}

fn by_another_interface(flow: &Flow, walk: &Walk) -> Option<Unproved> {
    let Endpoint::Forged(at, _) = &flow.from else { return None };
    let asked = InterfaceId::from(at.clone());
    let sent_by = |stage: &Stage| matches!(stage, Stage::Sent { from, .. } if *from == asked);
    let is_sent = walk.stages.iter().find(|stage| matches!(stage, Stage::Sent { .. })).is_some_and(sent_by);
    // What has the address of an interface leaves by that one.
    (at.device > 0 && is_sent).then_some(Unproved::ByAnotherInterface { asked })
}

fn from_itself(cloud: &Cloud, flow: &Flow, walk: &Walk) -> Option<Unproved> {
    let Endpoint::Forged(_, source) = flow.from else { return None };
    let receiver = flow.to.holder()?;
    let is_translated = |stage: &Stage| matches!(stage, Stage::TranslatedSource { .. });
    let came_as_sent = !walk.stages.iter().any(is_translated) && passed_on_by_nat(cloud, walk).is_none();
    let mut own = cloud.interfaces_of(&receiver);
    let is_its_own = own.any(|own| match source {
        IpAddr::V4(source) => holds(own, source),
        IpAddr::V6(source) => holds_ipv6(own, source),
    });
    (came_as_sent && is_its_own).then_some(Unproved::FromItself { receiver, source })
}

/// SCTP and UDP-Lite have trackers of their own in the kernel, to which a packet without an association is invalid.
fn untranslated(cloud: &Cloud, flow: &Flow, walk: &Walk) -> Option<Unproved> {
    let Service::Protocol(number @ (SCTP | UDP_LITE)) = flow.service else { return None };
    passed_on_by_nat(cloud, walk).map(|by| Unproved::Untranslated { by: by.clone(), number })
}

fn passed_on_by_nat<'w>(cloud: &Cloud, walk: &'w Walk) -> Option<&'w InterfaceId> {
    walk.stages.iter().find_map(|stage| match stage {
        Stage::PassedOn { by, .. } if is_nat(cloud, by) => Some(by),
        _ => None,
    })
}

fn is_nat(cloud: &Cloud, id: &InterfaceId) -> bool {
    let instance = id.instance().and_then(|name| cloud.instances.get(name));
    instance.is_some_and(|instance| instance.forwarding == Forwarding::Nat)
}

/// Of what has come through the gateway the answer goes to an address outside, by the route table of the receiver's subnet.
fn answer_astray(cloud: &Cloud, flow: &Flow, walk: &Walk) -> Option<Unproved> {
    let is_answered = matches!(flow.service, Service::Tcp(_) | Service::Udp(_) | Service::IcmpEcho);
    let came_in = walk.stages.iter().any(|stage| matches!(stage, Stage::TranslatedDestination { .. }));
    let seen = walk.stages.iter().rev().find_map(|stage| match stage {
        Stage::RuleEvaluation(asked) => Some((&asked.interface, asked.other)),
        _ => None,
    });
    let (receiver, IpAddr::V4(other)) = seen.filter(|_| is_answered && came_in)? else { return None };
    let receiver: &Interface = cloud.interface(receiver)?;
    match next_hop(cloud, receiver, other) {
        NextHop::AsAddressed => None,
        NextHop::Nobody => Some(Unproved::AnswerToNobody { vpc: receiver.vpc.clone(), source: receiver.private?.0 }),
        // The answer to a ping begins no flow, and is passed on as it is.
        NextHop::Interface(by) if is_nat(cloud, &by.id) && flow.service != Service::IcmpEcho => {
            Some(Unproved::AnswerTranslated { by: by.id.clone() })
        }
        NextHop::Interface(_) => None,
    }
}
