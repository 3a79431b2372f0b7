//! Fate of the ICMP error that nobody listens on a UDP port.
//!
//! The receiver's kernel answers a datagram with an ICMP error. About a flow that an end tracks it passes there, and about
//! another the rules of that end decide, as the field reports say; a file may take "Network MTU" (EC2) at its word, and then it always passes.

use super::judge::asked;
use super::memory::{Memory, memory};
use super::walk::{RuleEvaluation, Stage, Walk};
use crate::model::{Cloud, Direction, Flow, IcmpErrors, IcmpMessage, Service};

/// Over IPv4 and over IPv6.
const PORT_UNREACHABLE: [IcmpMessage; 2] = [IcmpMessage { kind: 3, code: 3 }, IcmpMessage { kind: 1, code: 4 }];

/// Finds the end whose rules keep from the sender the error about a datagram that was let in; nothing where the error comes. If the rules of
/// both ends do, that is the receiver, whose egress it meets first.
///
/// Leaves out what goes through an appliance: its two crossings may be one flow.
pub fn port_unreachable_dropped(cloud: &Cloud, flow: &Flow, walk: &Walk) -> Option<RuleEvaluation> {
    let is_routed = walk.stages.iter().any(|stage| matches!(stage, Stage::Routed { .. }));
    if !matches!(flow.service, Service::Udp(_)) || is_routed || cloud.knobs.icmp_errors == IcmpErrors::OfEveryFlow {
        return None;
    }
    walk.stages.iter().rev().filter_map(asked_of).find_map(|end| dropped_at(cloud, flow.service, end))
}

fn asked_of(stage: &Stage) -> Option<&RuleEvaluation> {
    if let Stage::RuleEvaluation(asked) = stage { Some(asked) } else { None }
}

/// The error about a flow at one end of it, where it goes the other way.
fn dropped_at(cloud: &Cloud, service: Service, end: &RuleEvaluation) -> Option<RuleEvaluation> {
    if memory(cloud, end, service).is_none_or(Memory::is_tracked) {
        return None;
    }
    let direction = match end.at {
        Direction::Ingress if !cloud.has_egress_rules() => return None,
        Direction::Ingress => Direction::Egress,
        Direction::Egress => Direction::Ingress,
    };
    let [of_ipv4, of_ipv6] = PORT_UNREACHABLE;
    let message = Service::Icmp(if end.other.is_ipv4() { of_ipv4 } else { of_ipv6 });
    let error = asked(cloud, cloud.interface(&end.interface)?, direction, end.other, message, end.path);
    (!error.admits()).then_some(error)
}
