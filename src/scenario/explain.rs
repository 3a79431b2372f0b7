//! Reasons for an outcome: the rule that let a flow in, or the groups that have none for it.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;

use super::health;
use super::results::reason::{
    self, BeyondGroups, NamesItself, NearMiss, NoEgressRule, NoIngressRule, PublicSource, Reason,
};
use super::results::{Class, DecidingRule, ProbedFlow};
use crate::model::{
    Cloud, DecidedBy, Direction, Endpoint, Flow, GroupName, IcmpMatch, IcmpMessage, InstanceName, InstanceState,
    InterfaceId, Peer, PrefixFamily, PrivateIp, Rule, RuleId, Scheme, SelfReference, Service, SubnetRoute, Traffic,
    Via,
};
use crate::policy::{self, Stage};
use crate::probe::{Drop, DropCause, Observation, Outcome, Resolution};

/// The rule whose record came with an open or refused flow, while it stands.
pub fn deciding_rule(outcome: &Outcome, cloud: &Cloud) -> Option<DecidingRule> {
    let (Outcome::Open { admitted_by: Some(id) }
    | Outcome::Refused { admitted_by: Some(id) }
    | Outcome::Closed { admitted_by: Some(id), .. }) = outcome
    else {
        return None;
    };
    rule(*id, cloud)
}

fn rule(id: RuleId, cloud: &Cloud) -> Option<DecidingRule> {
    cloud.rule(id).map(|(group, rule)| of_group(group, rule))
}

/// A group's rule as reports name it.
pub fn of_group(group: &GroupName, rule: &Rule) -> DecidingRule {
    DecidingRule { group: group.clone(), id: rule.id, written: rule.written.clone(), place: rule.place.clone() }
}

/// An outcome in a line: its class, the rule that let the flow in, and the reason where one is known.
pub fn in_words(flow: &Flow, outcome: &Outcome, cloud: &Cloud) -> String {
    let rule = deciding_rule(outcome, cloud).map(|rule| format!(", by {} \"{}\"", rule.group, rule.written));
    let reason = reason(flow, outcome, cloud).map(|reason| format!("; {reason}"));
    format!("{}{}{}", Class::of(outcome).as_str(), rule.unwrap_or_default(), reason.unwrap_or_default())
}

/// An observed flow with the rule that let it in, and the reason for its outcome.
pub fn probed(seen: &Observation, cloud: &Cloud) -> ProbedFlow {
    explained(seen.flow.clone(), seen.outcome.clone(), seen.resolved.and_then(Resolution::address), cloud)
}

/// A flow and its outcome with the rule that let it in, and the reason.
pub(super) fn explained(flow: Flow, outcome: Outcome, resolved: Option<IpAddr>, cloud: &Cloud) -> ProbedFlow {
    let (rule, reason) = (deciding_rule(&outcome, cloud), reason(&flow, &outcome, cloud));
    ProbedFlow { flow, outcome, rule, reason, resolved, records: None }
}

/// Explains an outcome beyond its class.
pub fn reason(flow: &Flow, outcome: &Outcome, cloud: &Cloud) -> Option<Reason> {
    match outcome {
        Outcome::Dropped(drop) => Some(dropped(flow, drop, cloud)),
        Outcome::Refused { .. } => Some(Reason::NobodyListens),
        Outcome::Closed { why, .. } => {
            let balancer = flow.to.load_balancer().and_then(|name| cloud.load_balancers.get(name));
            let failed = balancer.map_or_else(Vec::new, |balancer| health::failures(cloud, balancer));
            Some(Reason::Closed { by: flow.to.clone(), why: why.clone(), failed })
        }
        Outcome::Misdelivered { answered_by } => Some(Reason::AnsweredBy(answered_by.clone())),
        Outcome::Inconclusive { why } => {
            let crashed = (state(flow, cloud) == Some(InstanceState::Crashed)).then(|| flow.to.clone());
            Some(Reason::Unproved { why: why.clone(), crashed })
        }
        Outcome::Unreachable { .. } => match state(flow, cloud)? {
            InstanceState::Stopped => Some(Reason::Stopped(flow.to.clone())),
            InstanceState::Crashed => Some(Reason::Crashed(flow.to.clone())),
            InstanceState::Running => None,
        },
        Outcome::Open { .. } => None,
    }
}

/// The same in words.
pub fn reason_in_words(flow: &Flow, outcome: &Outcome, cloud: &Cloud) -> Option<String> {
    reason(flow, outcome, cloud).map(|reason| reason.to_string())
}

/// Returns the state of the receiver, where it is an instance.
fn state(flow: &Flow, cloud: &Cloud) -> Option<InstanceState> {
    cloud.state_of(&flow.to.interface()?)
}

fn dropped(flow: &Flow, Drop { cause, source }: &Drop, cloud: &Cloud) -> Reason {
    let other = || Reason::Dropped { cause: cause.clone(), source: *source };
    let Some((at, interface, groups)) = cause.groups() else {
        return match cause {
            DropCause::Decided(by) => beyond_groups(flow, by, cloud).map_or_else(other, Reason::BeyondGroups),
            DropCause::Other(_) => other(),
        };
    };
    let peer = match at {
        Direction::Ingress => Some(*source),
        Direction::Egress => sent_to(flow, cloud),
    };
    let near_miss = near_miss(flow, (*source, peer), (at, groups), cloud);
    let service = flow.service;
    match at {
        Direction::Ingress => Reason::NoIngressRule(NoIngressRule {
            groups: groups.to_vec(),
            service,
            source: *source,
            public: public_source(flow, *source, groups, cloud),
            itself: self_reference(flow, interface, groups, cloud),
            near_miss,
        }),
        Direction::Egress => Reason::NoEgressRule(NoEgressRule {
            groups: groups.to_vec(),
            service,
            to: flow.to.clone(),
            asked: if let Via::Secondary(asked) = flow.via { Some(asked) } else { None },
            out_of: interface.holder(),
            near_miss,
        }),
    }
}

/// Explains a drop that no group decided, beyond [`cause`](super::results::reason::cause); nothing where groups did.
pub fn beyond_groups(flow: &Flow, by: &DecidedBy, cloud: &Cloud) -> Option<BeyondGroups> {
    match by {
        DecidedBy::GroupRules { .. } => None,
        DecidedBy::SourceDestCheck { interface, .. } => Some(BeyondGroups::SourceDestCheck(interface.clone())),
        DecidedBy::Route { .. } => Some(match idle_hop(flow, cloud) {
            Some((hop, InstanceState::Crashed)) => BeyondGroups::RouteToCrashed(hop.clone()),
            Some((hop, _)) => BeyondGroups::RouteToStopped(hop.clone()),
            None => BeyondGroups::RouteToNobody,
        }),
        DecidedBy::Translation { .. } => Some(match flow.from {
            Endpoint::Forged(_, source) if source.is_ipv6() => BeyondGroups::ForeignSource(source),
            _ => BeyondGroups::NoPublicAddress(translating(flow, cloud).unwrap_or_else(|| flow.from.clone())),
        }),
    }
}

/// Returns the address to which a flow was last sent.
fn sent_to(flow: &Flow, cloud: &Cloud) -> Option<IpAddr> {
    policy::walk(cloud, flow).stages.iter().rev().find_map(|stage| match stage {
        Stage::Sent { destination, .. } => Some(*destination),
        _ => None,
    })
}

/// Returns the NAT instance whose address the flow has at its gateway; nothing where that is the sender's.
fn translating(flow: &Flow, cloud: &Cloud) -> Option<Endpoint> {
    let walk = policy::walk(cloud, flow);
    let has = |by: &InterfaceId, source| cloud.interface(by).is_some_and(|it| it.private == Some(PrivateIp(source)));
    let at = walk.stages.iter().rev().find_map(|stage| match stage {
        Stage::PassedOn { by, source } if has(by, *source) => by.attachment().cloned(),
        _ => None,
    })?;
    Some(if at.device == 0 { Endpoint::Instance(at.instance) } else { Endpoint::Interface(at) })
}

/// Returns the instance to which the last route on the way leads, where that does not run.
fn idle_hop<'a>(flow: &Flow, cloud: &'a Cloud) -> Option<(&'a InstanceName, InstanceState)> {
    let walk = policy::walk(cloud, flow);
    let (from, destination) = walk.stages.iter().rev().find_map(|stage| match stage {
        Stage::Sent { from, destination: IpAddr::V4(address), .. } => Some((from, *address)),
        _ => None,
    })?;
    let routes = routes_for(cloud, from, destination);
    let hop = &routes.max_by_key(|route| route.destination.prefix_len())?.target.instance;
    let state = cloud.instances.get(hop)?.state;
    (state != InstanceState::Running).then_some((hop, state))
}

/// Returns the routes of a sender's subnet that an address is in.
pub fn routes_for<'a>(
    cloud: &'a Cloud,
    from: &InterfaceId,
    destination: Ipv4Addr,
) -> impl Iterator<Item = &'a SubnetRoute> + use<'a> {
    let sender = cloud.interface(from);
    let routes = sender.and_then(|sender| cloud.vpcs.get(&sender.vpc)?.routes.get(&sender.subnet));
    routes.into_iter().flatten().filter(move |route| route.destination.contains(&destination))
}

/// Names what is nearly a rule for it: one of the other family of IP, or for another code of the same ICMP message; or that there is no rule at all.
/// `peer` is the address of the other end, as rules of this direction see it.
fn near_miss(
    flow: &Flow,
    (source, peer): (IpAddr, Option<IpAddr>),
    (at, groups): (Direction, &[GroupName]),
    cloud: &Cloud,
) -> Option<NearMiss> {
    let rules = || {
        let known = groups.iter().filter_map(|name| cloud.groups.get_key_value(name));
        known.flat_map(move |(name, group)| {
            let rules = if at == Direction::Ingress { &group.ingress } else { &group.egress };
            rules.iter().map(move |rule| (name, rule))
        })
    };
    let is_known = groups.iter().all(|name| cloud.groups.contains_key(name));
    if is_known && rules().next().is_none() {
        let only = if let [group] = groups { Some(group.clone()) } else { None };
        return Some(NearMiss::NoRules { at, only });
    }
    let other = if source.is_ipv6() { PrefixFamily::Ipv4 } else { PrefixFamily::Ipv6 };
    let of_the_other = |(_, rule): &(_, &Rule)| rule.peer.is_anywhere(other) && carries(rule.traffic, flow.service);
    if let Some((name, rule)) = rules().find(of_the_other) {
        return Some(NearMiss::Family { group: name.clone(), rule: rule.written.clone(), only: other });
    }
    let asked = match flow.service {
        Service::IcmpEcho => IcmpMessage { kind: if source.is_ipv6() { 128 } else { 8 }, code: 0 },
        Service::Icmp(message) => message,
        Service::Tcp(_) | Service::Udp(_) | Service::Protocol(_) => return None,
    };
    // A rule that names a group may be for it, as far as the message goes.
    let is_for = |rule: &Rule| {
        let is_in = |block: &IpNet| peer.is_some_and(|peer| block.contains(&peer));
        rule.peer.block().is_none_or(|block| is_in(&block))
    };
    let of_another_code = rules().filter(|(_, rule)| is_for(rule)).find_map(|(name, rule)| match rule.traffic {
        Traffic::Icmp(IcmpMatch::TypeAndCode(kind, code)) if !source.is_ipv6() && kind == asked.kind => {
            (code != asked.code).then_some((name, rule, code))
        }
        Traffic::Icmpv6(IcmpMatch::TypeAndCode(kind, code)) if source.is_ipv6() && kind == asked.kind => {
            (code != asked.code).then_some((name, rule, code))
        }
        _ => None,
    });
    of_another_code.map(|(name, rule, code)| {
        let (group, rule) = (name.clone(), rule.written.clone());
        NearMiss::Code { group, rule, code, service: flow.service, asked: asked.code }
    })
}

/// Reports whether a rule is for a service but for the address; of ICMP each family has messages of its own.
fn carries(traffic: Traffic, service: Service) -> bool {
    match (traffic, service) {
        (Traffic::All, _) => true,
        (Traffic::Tcp(ports), Service::Tcp(port)) | (Traffic::Udp(ports), Service::Udp(port)) => {
            (ports.from()..=ports.to()).contains(&port)
        }
        (Traffic::Protocol(number), Service::Protocol(asked)) => number == asked,
        (
            Traffic::Tcp(_) | Traffic::Udp(_) | Traffic::Icmp(_) | Traffic::Icmpv6(_) | Traffic::Protocol(_),
            Service::Tcp(_) | Service::Udp(_) | Service::IcmpEcho | Service::Icmp(_) | Service::Protocol(_),
        ) => false,
    }
}

/// Explains why a packet of a connection under way was dropped.
pub fn cut(Drop { cause, source }: &Drop) -> String {
    match cause.groups() {
        None => format!("{}, source {source}", reason::cause(cause)),
        Some((at, interface, groups)) => {
            let list = groups.iter().map(GroupName::as_str).collect::<Vec<_>>().join(", ");
            format!("not tracked at the {at} of {}, and no rule of {list} admits it now", interface.holder())
        }
    }
}

/// Says where an answer that nobody waits for was dropped.
pub fn unanswerable(Drop { cause, source }: &Drop) -> String {
    match cause.groups() {
        None => format!("{}, source {source}", reason::cause(cause)),
        Some((at, interface, _)) => format!("dropped at {}'s {at}", interface.holder()),
    }
}

/// The trap of the public path: behind the gateway a member no longer looks like one.
fn public_source(flow: &Flow, source: IpAddr, groups: &[GroupName], cloud: &Cloud) -> Option<PublicSource> {
    let sender = &flow.from;
    let interface = sender.interface().and_then(|id| cloud.interface(&id));
    let translated = matches!(flow.via, Via::Public | Via::Dns)
        && interface.is_some_and(|i| i.public.is_some_and(|public| IpAddr::V4(public.0) == source));
    let mut rules = ingress(groups, cloud);
    let by_group = rules.find_map(|(name, rule)| rule.peer.group().map(|_| name.clone()));
    let by_name = matches!(flow.to, Endpoint::LoadBalancer(_, Scheme::InternetFacing)).then(|| flow.to.clone());
    let applies = translated && (by_group.is_some() || by_name.is_some());
    applies.then(|| PublicSource { sender: sender.clone(), by_name, by_group })
}

/// The article's trap: two members of one group that names itself, in a world where that matches nobody.
fn self_reference(flow: &Flow, receiver: &InterfaceId, groups: &[GroupName], cloud: &Cloud) -> Option<NamesItself> {
    if cloud.knobs.self_reference != SelfReference::MatchesNobody {
        return None;
    }
    let sender = &flow.from;
    let its_own = sender.interface().and_then(|id| cloud.interface(&id))?;
    let group = ingress(groups, cloud).find_map(|(name, rule)| {
        (rule.peer == Peer::Group(name.clone()) && its_own.groups.contains(name)).then_some(name)
    })?;
    Some(NamesItself { group: group.clone(), sender: sender.clone(), receiver: receiver.holder() })
}

fn ingress<'a>(groups: &'a [GroupName], cloud: &'a Cloud) -> impl Iterator<Item = (&'a GroupName, &'a Rule)> {
    groups
        .iter()
        .filter_map(|name| cloud.groups.get(name).map(|group| (name, group)))
        .flat_map(|(name, group)| group.ingress.iter().map(move |rule| (name, rule)))
}
