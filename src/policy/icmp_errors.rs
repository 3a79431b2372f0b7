//! Messages of ICMP about a flow: that its packets are too large for a link on the way, and that nobody listens on a UDP port.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::holders::interface_of;
use super::judge::{asked, walk};
use super::memory::{Memory, memory};
use super::walk::{Path, RuleEvaluation, Stage, Walk};
use crate::model::{Cloud, Direction, Endpoint, Flow, GroupName, IcmpErrors, IcmpMessage, InterfaceId, Mtu, Service};

/// The smallest link on the way, and what becomes of the word of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmallLink {
    /// MTU of the link.
    pub takes: Mtu,
    /// Largest packet that the ends send, as far as they know of each other.
    pub sent: Mtu,
    /// The message that tells of it; over IPv6 one of ICMPv6.
    pub message: IcmpMessage,
    /// Arrival of the message at each end in the cloud that sends over the link.
    pub ends: Vec<(InterfaceId, Arrival)>,
}

/// Arrival at an end of the message that a packet was too large.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// It is about a flow that this end tracks, or every such message passes in this world.
    WithTheFlow,
    /// A rule for all addresses admits it.
    ByRule,
    /// Neither: these groups have no such rule.
    Not(Vec<GroupName>),
}

/// The link on the way of an open flow that takes less than its ends send; nothing if there is none, or where an appliance is between.
pub fn small_link(cloud: &Cloud, flow: &Flow) -> Option<SmallLink> {
    let walk = walk(cloud, flow);
    let is_plain = !walk.stages.iter().any(|stage| matches!(stage, Stage::Routed { .. } | Stage::PassedOn { .. }));
    if !walk.verdict.is_open() || !is_plain {
        return None;
    }
    let host = [&flow.from, &flow.to].into_iter().find_map(|end| match end {
        Endpoint::Host(_, address) => cloud.hosts.values().find(|host| host.addresses.contains(address)),
        _ => None,
    });
    let vpc_of = |end: &Endpoint| end.interface().and_then(|id| interface_of(cloud, &id)).map(|it| &it.vpc);
    let leaves = host.is_some()
        || vpc_of(&flow.from) != vpc_of(&flow.to)
        || walk.stages.iter().any(|stage| matches!(stage, Stage::TranslatedSource { .. }));
    let inside = Mtu::inside(cloud.era);
    let sent = if host.is_some() { inside.min(Mtu::ETHERNET) } else { inside };
    let takes = match (host, leaves) {
        (Some(host), _) => host.mtu,
        (None, true) => Mtu::ETHERNET,
        (None, false) => inside,
    };
    if takes >= sent {
        return None;
    }
    let over_ipv6 = flow.via.is_ipv6();
    let message = if over_ipv6 { IcmpMessage { kind: 2, code: 0 } } else { IcmpMessage { kind: 3, code: 4 } };
    let ends = walk.stages.iter().filter_map(|stage| match stage {
        Stage::RuleEvaluation(end) => Some((end.interface.clone(), comes(cloud, flow, end, message)?)),
        _ => None,
    });
    Some(SmallLink { takes, sent, message, ends: ends.collect() })
}

fn comes(cloud: &Cloud, flow: &Flow, end: &RuleEvaluation, message: IcmpMessage) -> Option<Arrival> {
    let tracked = memory(cloud, end, flow.service).is_some_and(Memory::is_tracked);
    if tracked || cloud.knobs.icmp_errors == IcmpErrors::OfEveryFlow {
        return Some(Arrival::WithTheFlow);
    }
    let interface = interface_of(cloud, &end.interface)?;
    // Which router it will be nobody knows beforehand: only a rule for all addresses is sure to match.
    let anybody: IpAddr = if end.other.is_ipv6() { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() };
    let asked = asked(cloud, interface, Direction::Ingress, anybody, Service::Icmp(message), Path::Direct);
    Some(if asked.admits() { Arrival::ByRule } else { Arrival::Not(asked.groups) })
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Via;
    use crate::policy::way_tests::{cloud, host, to};

    const CLOUD: &str = "
vpcs: {main: {cidr: 10.0.0.0/16, ipv6: yes}}
hosts: {home: {address: [203.0.113.80, '2001:db8:ffff::80'], mtu: 1400}, office: 203.0.113.10}
groups:
  OPEN: [tcp 443 from anywhere, 'tcp 443 from ::/0']
  TOLD: [tcp 443 from anywhere, icmp 3/4 from anywhere, icmp 3 from 203.0.113.80]
  NARROW: [tcp 443 from 203.0.113.0/24]
instances: {open: {groups: OPEN}, told: {groups: TOLD}, narrow: {groups: NARROW}}
";

    fn said(from: Endpoint, name: &str, via: Via) -> Option<(u16, u16, Vec<Arrival>)> {
        let flow = Flow { from, to: to(name), via, service: Service::Tcp(crate::model::Port(443)) };
        let link = small_link(&cloud(CLOUD), &flow)?;
        Some((link.takes.0, link.sent.0, link.ends.into_iter().map(|(_, comes)| comes).collect()))
    }

    #[test]
    fn who_tracks_the_flow_is_told_and_who_does_not_needs_a_rule_for_anybody() {
        let not = || Arrival::Not(vec![GroupName::new("OPEN")]);
        let home = || host("203.0.113.80");
        assert_eq!(said(home(), "open", Via::Public), Some((1400, 1500, vec![not()])));
        assert_eq!(said(home(), "told", Via::Public), Some((1400, 1500, vec![Arrival::ByRule])));
        assert_eq!(said(home(), "narrow", Via::Public), Some((1400, 1500, vec![Arrival::WithTheFlow])));
        assert_eq!(said(host("2001:db8:ffff::80"), "open", Via::Ipv6), Some((1400, 1500, vec![not()])));
    }

    #[test]
    fn it_is_a_link_that_takes_less_than_both_ends_know_of() {
        assert_eq!(said(host("203.0.113.10"), "open", Via::Public), None);
        assert_eq!(said(to("told"), "open", Via::Private), None);
        let ends = |found: Option<(u16, u16, Vec<Arrival>)>| found.map(|(takes, sent, ends)| (takes, sent, ends.len()));
        assert_eq!(ends(said(to("told"), "open", Via::Public)), Some((1500, 9001, 2)));
    }
}
