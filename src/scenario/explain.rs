//! Reasons for an outcome: the rule that let a flow in, or the groups that have none for it.

use std::net::{IpAddr, Ipv4Addr};

use super::health;
use super::results::{Class, DecidingRule};
use crate::model::{
    Cloud, DecidedBy, Direction, Endpoint, Flow, GroupName, IcmpMatch, IcmpMessage, InstanceName, InstanceState,
    InterfaceId, Peer, PrefixFamily, Rule, RuleId, Scheme, SelfReference, Service, SubnetRoute, Traffic, Via,
};
use crate::policy::{self, Stage};
use crate::probe::{Drop, DropCause, Outcome};

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

/// Explains an outcome beyond its class.
pub fn reason(flow: &Flow, outcome: &Outcome, cloud: &Cloud) -> Option<String> {
    match outcome {
        Outcome::Dropped(drop) => Some(dropped(flow, drop, cloud)),
        Outcome::Refused { .. } => Some("the groups let it in, nobody listens".to_owned()),
        Outcome::Closed { why, .. } => {
            let balancer = flow.to.load_balancer().and_then(|name| cloud.load_balancers.get(name));
            let failures = balancer.map_or_else(Vec::new, |balancer| health::failures(cloud, balancer));
            let said = std::iter::once(format!("{} closed it: {why}", flow.to)).chain(failures);
            Some(said.collect::<Vec<_>>().join("; "))
        }
        Outcome::Misdelivered { answered_by } => Some(format!("{answered_by} answered")),
        Outcome::Inconclusive { why } => Some(match is_silent(flow, cloud) {
            Some(silent) => format!("{why}; {silent}"),
            None => why.clone(),
        }),
        Outcome::Unreachable { .. } => is_down(flow, cloud),
        Outcome::Open { .. } => None,
    }
}

/// That a receiver which has crashed and holds its address answers nothing, and what can be expected of it.
fn is_silent(flow: &Flow, cloud: &Cloud) -> Option<String> {
    let crashed = cloud.state_of(&flow.to.interface()?)? == InstanceState::Crashed;
    crashed.then(|| {
        format!(
            "{} has crashed and is silent, which is no outcome: expect `dropped` where no rule admits the flow, or that a held \
             connection is `gone`",
            flow.to
        )
    })
}

/// That nobody holds the address since the instance that is asked does not run.
fn is_down(flow: &Flow, cloud: &Cloud) -> Option<String> {
    match cloud.state_of(&flow.to.interface()?)? {
        InstanceState::Stopped => Some(format!("{} is stopped", flow.to)),
        InstanceState::Crashed => Some(format!("{} has crashed", flow.to)),
        InstanceState::Running => None,
    }
}

fn dropped(flow: &Flow, Drop { cause, source }: &Drop, cloud: &Cloud) -> String {
    let Some((at, interface, groups)) = cause.groups() else {
        return match cause {
            DropCause::Decided(by) => beyond_groups(flow, by, cloud).unwrap_or_else(|| self::cause(cause)),
            DropCause::Other(_) => format!("{}, source {source}", self::cause(cause)),
        };
    };
    let list = groups.iter().map(GroupName::as_str).collect::<Vec<_>>().join(", ");
    let mut text = match at {
        Direction::Ingress => format!("no rule of {list} admits {} from {source}", flow.service),
        Direction::Egress => {
            let out_of = interface.holder();
            let to = match flow.via {
                Via::Secondary(asked) => format!("{asked} of {}", flow.to),
                Via::Private | Via::Public | Via::Ipv6 | Via::Dns => named_end(&flow.to),
            };
            format!("no egress rule of {list} lets {} to {to} out of {out_of}", flow.service)
        }
    };
    if at == Direction::Ingress {
        if let Some(more) = public_source(flow, *source, groups, cloud) {
            text.push_str(&more);
        }
        if let Some(more) = self_reference(flow, interface, groups, cloud) {
            text.push_str(&more);
        }
    }
    text.push_str(&near_miss(flow, *source, (at, groups), cloud));
    text
}

fn named_end(end: &Endpoint) -> String {
    match end {
        Endpoint::Host(_, address) => address.to_string(),
        other => other.to_string(),
    }
}

/// Says what dropped a packet where no group did.
pub fn cause(cause: &DropCause) -> String {
    match cause {
        DropCause::Decided(DecidedBy::SourceDestCheck { interface, .. }) => {
            format!("dropped at {}'s source/destination check", interface.short())
        }
        DropCause::Decided(DecidedBy::Route { .. }) => "dropped on its route".to_owned(),
        DropCause::Decided(DecidedBy::Translation { .. }) => "dropped in the gateway".to_owned(),
        DropCause::Decided(DecidedBy::GroupRules { .. }) | DropCause::Other(_) => format!("dropped as {cause}"),
    }
}

/// Explains a drop that no group decided, beyond [`cause`]; nothing where groups did.
pub fn beyond_groups(flow: &Flow, by: &DecidedBy, cloud: &Cloud) -> Option<String> {
    match by {
        DecidedBy::GroupRules { .. } => None,
        DecidedBy::SourceDestCheck { interface, .. } => {
            Some(format!("the source/destination check of {} applies before any group", interface.short()))
        }
        DecidedBy::Route { .. } => Some(match idle_hop(flow, cloud) {
            Some((hop, InstanceState::Crashed)) => format!("the route leads to {hop}, which has crashed"),
            Some((hop, _)) => format!("the route leads to {hop}, which is stopped"),
            None => "the route leads to what is not there, or passes nothing on".to_owned(),
        }),
        DecidedBy::Translation { .. } => Some(match flow.from {
            Endpoint::Forged(_, source) if source.is_ipv6() => {
                format!("{source} is the address of no interface of the VPC, and nothing else leaves it")
            }
            _ => format!("{} has no public address to send it on with", flow.from),
        }),
    }
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
fn near_miss(flow: &Flow, source: IpAddr, (at, groups): (Direction, &[GroupName]), cloud: &Cloud) -> String {
    let rules = || {
        let known = groups.iter().filter_map(|name| cloud.groups.get_key_value(name));
        known.flat_map(move |(name, group)| {
            let rules = if at == Direction::Ingress { &group.ingress } else { &group.egress };
            rules.iter().map(move |rule| (name, rule))
        })
    };
    let is_known = groups.iter().all(|name| cloud.groups.contains_key(name));
    if is_known && rules().next().is_none() {
        let who = if let [group] = groups { format!("{group} has") } else { "they have".to_owned() };
        return format!("; {who} no {at} rules");
    }
    let (other, only) = match source {
        IpAddr::V6(_) => (PrefixFamily::Ipv4, "IPv4 only: write `::/0` for IPv6"),
        IpAddr::V4(_) => (PrefixFamily::Ipv6, "IPv6 only: write `anywhere` for IPv4"),
    };
    let of_the_other = |(_, rule): &(_, &Rule)| rule.peer.is_anywhere(other) && carries(rule.traffic, flow.service);
    if let Some((name, rule)) = rules().find(of_the_other) {
        return format!("; {name} \"{}\" is for {only}", rule.written);
    }
    let asked = match flow.service {
        Service::IcmpEcho => IcmpMessage { kind: if source.is_ipv6() { 128 } else { 8 }, code: 0 },
        Service::Icmp(message) => message,
        Service::Tcp(_) | Service::Udp(_) | Service::Protocol(_) => return String::new(),
    };
    // A rule that names a group may be for it, as far as the message goes.
    let is_for = |rule: &Rule| match &rule.peer {
        Peer::Cidr(block) => block.contains(&source),
        Peer::Group(_) | Peer::PrefixList(_) => true,
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
    of_another_code.map_or_else(String::new, |(name, rule, code)| {
        let this = if flow.service == Service::IcmpEcho { "a ping" } else { "this message" };
        format!("; {name} \"{}\" is for code {code} only, and {this} has code {}", rule.written, asked.code)
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
        None => format!("{}, source {source}", self::cause(cause)),
        Some((at, interface, groups)) => {
            let list = groups.iter().map(GroupName::as_str).collect::<Vec<_>>().join(", ");
            format!("not tracked at the {at} of {}, and no rule of {list} admits it now", interface.holder())
        }
    }
}

/// Says where an answer that nobody waits for was dropped.
pub fn unanswerable(Drop { cause, source }: &Drop) -> String {
    match cause.groups() {
        None => format!("{}, source {source}", self::cause(cause)),
        Some((at, interface, _)) => format!("dropped at {}'s {at}", interface.holder()),
    }
}

/// The trap of the public path: behind the gateway a member no longer looks like one.
fn public_source(flow: &Flow, source: IpAddr, groups: &[GroupName], cloud: &Cloud) -> Option<String> {
    let sender = &flow.from;
    let interface = sender.interface().and_then(|id| cloud.interface(&id));
    let translated = matches!(flow.via, Via::Public | Via::Dns)
        && interface.is_some_and(|i| i.public.is_some_and(|public| IpAddr::V4(public.0) == source));
    let by_group = ingress(groups, cloud).any(|(_, rule)| matches!(rule.peer, Peer::Group(_)));
    let by_name = matches!(flow.to, Endpoint::LoadBalancer(_, Scheme::InternetFacing));
    if !translated || !by_group && !by_name {
        return None;
    }
    let mut text = format!(", the public address of {sender}");
    if by_name {
        text.push_str(&format!("; the name of {} means its public address, inside as well", flow.to));
    }
    if by_group {
        text.push_str("; a rule that names a group matches private addresses only");
    }
    Some(text)
}

/// The article's trap: two members of one group that names itself, in a world where that matches nobody.
fn self_reference(flow: &Flow, receiver: &InterfaceId, groups: &[GroupName], cloud: &Cloud) -> Option<String> {
    if cloud.knobs.self_reference != SelfReference::MatchesNobody {
        return None;
    }
    let sender = &flow.from;
    let its_own = sender.interface().and_then(|id| cloud.interface(&id))?;
    let group = ingress(groups, cloud).find_map(|(name, rule)| {
        (rule.peer == Peer::Group(name.clone()) && its_own.groups.contains(name)).then_some(name)
    })?;
    Some(format!(
        "; {group} names itself, and {sender} and {} are members, but here that matches nobody",
        receiver.holder()
    ))
}

fn ingress<'a>(groups: &'a [GroupName], cloud: &'a Cloud) -> impl Iterator<Item = (&'a GroupName, &'a Rule)> {
    groups
        .iter()
        .filter_map(|name| cloud.groups.get(name).map(|group| (name, group)))
        .flat_map(|(name, group)| group.ingress.iter().map(move |rule| (name, rule)))
}
