//! The words of an explanation.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::compile::services::zone::balancer_name;
use crate::model::{
    Cloud, DecidedBy, Direction, Endpoint, Flow, GroupName, Half, IcmpMatch, InstanceName, InstanceState, Operation,
    Peer, Rule, RuleId, Scheme, Service, Traffic, Verdict, Via,
};
use crate::policy::{Arrival, Memory, Mismatch, Path, Remedy, RuleEvaluation, SmallLink, Stage, Walk};
use crate::probe::DropCause;
use crate::report::text;
use crate::scenario::explain::{self, routes_for};
use crate::scenario::results::reason;
use crate::topology::write;

/// Describes the verdict on a flow.
pub(super) fn verdict(cloud: &Cloud, flow: &Flow, walk: &Walk) -> String {
    match &walk.verdict {
        Verdict::Open { .. } if matches!(walk.stages.last(), Some(Stage::OwnAnswer { .. })) => {
            "open; it comes in as the answer to what was sent, whatever the rules say".to_owned()
        }
        Verdict::Open { .. } => {
            let rules: Vec<String> = walk.verdict.admitting_rules().iter().map(|id| rule(cloud, *id)).collect();
            match rules.is_empty() {
                true => "open; no security group applies at the destination".to_owned(),
                false => format!("open, by {}", rules.join(", and by ")),
            }
        }
        Verdict::Dropped { by, half: Half::Request } => dropped(cloud, flow, by),
        Verdict::Dropped { by, half: Half::Answer } => {
            format!("it comes there, and its answer is {}", dropped(cloud, flow, by))
        }
        Verdict::Misdelivered { to } => {
            format!("it comes to {to}, which lets it in: {} has given the address back, and {to} holds it now", flow.to)
        }
        Verdict::Unreachable { .. } => match flow.to.instance().filter(|to| is_stopped(cloud, to)) {
            Some(to) => format!("unreachable; {to} is stopped, whatever the rules say"),
            None => "unreachable; nobody holds the address, whatever the rules say".to_owned(),
        },
        Verdict::Unresolved => format!("{} has no public DNS name to ask for", flow.to),
    }
}

/// Describes what drops a packet of a flow.
fn dropped(cloud: &Cloud, flow: &Flow, by: &DecidedBy) -> String {
    match by {
        DecidedBy::GroupRules { at, interface, groups, .. } => {
            let groups: Vec<&str> = groups.iter().map(GroupName::as_str).collect();
            format!("dropped at {}'s {at}; no rule of {} admits it", interface.holder(), groups.join(", "))
        }
        DecidedBy::Route { .. } | DecidedBy::Translation { .. } | DecidedBy::SourceDestCheck { .. } => {
            let why = explain::beyond_groups(flow, by, cloud).map(|why| why.to_string()).unwrap_or_default();
            format!("{}; {why}", reason::cause(&DropCause::Decided(by.clone())))
        }
    }
}

fn is_stopped(cloud: &Cloud, name: &InstanceName) -> bool {
    cloud.instances.get(name).is_some_and(|it| it.state == InstanceState::Stopped)
}

/// The label of a stage.
pub(super) fn kind(stage: &Stage) -> &'static str {
    match stage {
        Stage::Resolved { .. } => "name",
        Stage::RuleEvaluation(asked) => match asked.at {
            Direction::Egress => "egress",
            Direction::Ingress => "ingress",
        },
        Stage::OwnAnswer { .. } => "ingress",
        Stage::NoEgressRules { .. } => "egress",
        Stage::Sent { .. } | Stage::Routed { .. } | Stage::PassedOn { .. } => "path",
        Stage::TranslatedSource { .. } | Stage::TranslatedDestination { .. } => "gateway",
    }
}

/// A stage in a sentence.
pub(super) fn stage(cloud: &Cloud, stage: &Stage) -> String {
    match stage {
        Stage::Resolved { receiver, address } => {
            if let Some((name, balancer)) =
                receiver.load_balancer().and_then(|it| cloud.load_balancers.get_key_value(it))
            {
                let which = match balancer.scheme {
                    Scheme::InternetFacing => "its public address, inside as well, as it faces the internet",
                    Scheme::Internal => "its private address, outside as well, as it is internal",
                };
                return format!("{name} is {}, and that is {address}: {which}", balancer_name(name, balancer.scheme));
            }
            let private = cloud.interface(receiver).and_then(|it| it.private).is_some_and(|it| it.0 == *address);
            let which =
                if private { "private, as both are in one VPC" } else { "public, as asked from outside the VPC" };
            format!("the public DNS name of {} is {address}: {which}", receiver.short())
        }
        Stage::Sent { from, source, destination } => {
            let vpc = cloud.interface(from).map(|it| &it.vpc);
            let inside = vpc.and_then(|vpc| cloud.vpcs.get(vpc)).is_some_and(|vpc| match destination {
                IpAddr::V4(address) => vpc.cidr.contains(address),
                IpAddr::V6(_) => false,
            });
            let towards = match (inside, destination) {
                (true, _) => "a private address, inside the VPC",
                (false, IpAddr::V4(address)) if routes_for(cloud, from, *address).next().is_some() => {
                    "a public address, out of the VPC"
                }
                (false, IpAddr::V4(_)) => "a public address, out of the VPC through its gateway",
                (false, IpAddr::V6(_)) => "an IPv6 address, which nothing translates",
            };
            let whose = cloud.load_balancers.iter().find(|(_, balancer)| {
                let its_own = balancer.interface.id == *from;
                let named = balancer.named_address().is_some_and(|address| IpAddr::V4(address) == *destination);
                named && !its_own && balancer.scheme == Scheme::InternetFacing
            });
            let whose = whose.map_or_else(String::new, |(name, balancer)| {
                format!("; {} means that address inside as well", balancer_name(name, balancer.scheme))
            });
            format!("{} sends {source} -> {destination}: {towards}{whose}", from.short())
        }
        Stage::RuleEvaluation(asked) => {
            let groups: Vec<String> =
                asked.groups.iter().map(|name| text::group(name, cloud.groups.get(name).map(|it| &it.name))).collect();
            let (direction, end) = match asked.at {
                Direction::Egress => ("egress", "destination"),
                Direction::Ingress => ("ingress", "source"),
            };
            let who = owner(cloud, asked.other).map_or_else(String::new, |who| format!(" ({who})"));
            let appliance = match asked.path {
                Path::Direct => "",
                Path::ThroughAnAppliance => "; an appliance is between, so no rule that names a group counts",
                Path::Forged => "; the source is forged, so no rule that names a group counts",
            };
            let none = match (asked.trials.is_empty(), groups.len()) {
                (true, 1) => format!("; it has no {direction} rules"),
                (true, _) => format!("; they have no {direction} rules"),
                (false, _) => String::new(),
            };
            let (name, list) = (asked.interface.short(), groups.join(", "));
            let word = if groups.len() == 1 { "group" } else { "groups" };
            format!("{name}, {word} {list}; {end} {}{who}{none}{appliance}", asked.other)
        }
        Stage::OwnAnswer { interface } => {
            let name = interface.short();
            format!(
                "{name} has sent it, and without ports what comes in looks like the answer: no rule of {name} is asked"
            )
        }
        Stage::NoEgressRules { interface } => {
            format!("{} may send everything: this era has no rules for what goes out", interface.short())
        }
        Stage::Routed { to } => format!("the route table of the sender's subnet leads through {}", to.short()),
        Stage::PassedOn { by, source } => format!("{} passes it on, from {source}", by.short()),
        Stage::TranslatedSource { vpc, private, public } => {
            format!(
                "the gateway of {vpc} translates the source {private} to {public}: from here on it comes from a public address"
            )
        }
        Stage::TranslatedDestination { vpc, public, private } => match private {
            Some(private) => format!("the gateway of {vpc} translates the destination {public} to {private}"),
            None => format!("the gateway of {vpc} knows {public}"),
        },
    }
}

/// Describes the owner of an address.
fn owner(cloud: &Cloud, address: IpAddr) -> Option<String> {
    for it in cloud.network_interfaces() {
        if it.private.is_some_and(|private| IpAddr::V4(private.0) == address) {
            return Some(format!("the private address of {}", it.id.short()));
        }
        if it.private_addresses().any(|private| IpAddr::V4(private.0) == address) {
            return Some(format!("a secondary address of {}", it.id.short()));
        }
        if it.public.is_some_and(|public| IpAddr::V4(public.0) == address) {
            return Some(format!("the public address of {}", it.id.short()));
        }
        if it.ipv6.is_some_and(|ipv6| IpAddr::V6(ipv6.0) == address) {
            return Some(format!("the IPv6 address of {}", it.id.short()));
        }
        if it.ipv6_blocks().any(|block| IpNet::V6(block).contains(&address)) {
            return Some(format!("a further IPv6 address of {}", it.id.short()));
        }
    }
    let host = cloud.hosts.iter().find(|(_, host)| host.addresses.iter().any(|it| it.0 == address));
    // One that is there for as long as somebody asks has no other name.
    let host = host.filter(|(name, _)| name.as_str() != address.to_string());
    host.map(|(name, _)| format!("the address of {name}"))
}

/// `SG-T-DB "tcp 3306 from SG-T-WEB"`.
fn rule(cloud: &Cloud, id: RuleId) -> String {
    cloud.rule(id).map_or_else(|| id.to_string(), |(group, rule)| format!("{group} \"{}\"", rule.written))
}

/// Describes the reason why a rule does not admit the flow.
pub(super) fn miss(cloud: &Cloud, asked: &RuleEvaluation, rule: &Rule, miss: Mismatch, service: Service) -> String {
    let other = asked.other;
    match miss {
        Mismatch::Protocol => "another protocol".to_owned(),
        Mismatch::Port => "other ports".to_owned(),
        Mismatch::Message => match (rule.traffic, service) {
            (Traffic::Icmp(IcmpMatch::TypeAndCode(8, code)), Service::IcmpEcho)
            | (Traffic::Icmpv6(IcmpMatch::TypeAndCode(128, code)), Service::IcmpEcho) => {
                format!("code {code} only, and a ping has code 0")
            }
            (
                Traffic::Icmp(IcmpMatch::TypeAndCode(kind, code)) | Traffic::Icmpv6(IcmpMatch::TypeAndCode(kind, code)),
                Service::Icmp(message),
            ) if kind == message.kind => format!("code {code} only, and this message has code {}", message.code),
            _ => "other ICMP messages".to_owned(),
        },
        Mismatch::Family => match rule.traffic {
            Traffic::Icmpv6(_) => "ICMP of IPv6, and this is IPv4: `icmp`".to_owned(),
            _ => "ICMP of IPv4, and this is IPv6: `icmpv6`".to_owned(),
        },
        Mismatch::Block => match &rule.peer {
            Peer::Cidr(IpNet::V4(block)) if block.prefix_len() == 0 => "IPv4 only: write `::/0` for IPv6".to_owned(),
            Peer::Cidr(IpNet::V6(block)) if block.prefix_len() == 0 => "IPv6 only".to_owned(),
            peer => format!("{other} is not in {peer}"),
        },
        Mismatch::PrefixList => format!("{other} is in no entry of {}", rule.peer),
        Mismatch::SelfReference => "a group that names itself matches nobody in this world".to_owned(),
        Mismatch::Appliance => "an appliance is between the two".to_owned(),
        Mismatch::Forged => "the source is forged".to_owned(),
        Mismatch::NoMember => {
            let Some(group) = rule.peer.group() else { return format!("{other} is not of {}", rule.peer) };
            let public = cloud.interfaces().find(|(_, _, it)| {
                it.groups.contains(group) && it.public.is_some_and(|public| IpAddr::V4(public.0) == other)
            });
            match public {
                Some((name, ..)) => {
                    format!("{other} is the public address of {name}; a group means private addresses only")
                }
                None => format!("{other} is of no member of {group}"),
            }
        }
    }
}

/// Describes the tracking of the flow by an end, with the reason.
pub(super) fn memory(cloud: &Cloud, memory: Memory) -> String {
    match memory {
        Memory::TrackedByProtocol => "tracked here: only TCP and UDP can go untracked".to_owned(),
        Memory::TrackedByNarrowRule(id) => {
            format!("tracked here: {} is not for all addresses; a connection survives its revoke", rule(cloud, id))
        }
        Memory::TrackedByOpposite => {
            "tracked here: the opposite direction is not open to all addresses on all ports; a connection survives its revoke"
                .to_owned()
        }
        Memory::Untracked(id) => format!(
            "untracked here: {} is for all addresses, and the opposite direction is open to all; a revoke cuts connections",
            rule(cloud, id)
        ),
    }
}

/// The flow as it is to be asked for by a remedy.
pub(super) fn instead(flow: &Flow, remedy: &Remedy) -> Flow {
    let to = match (&flow.to, remedy.scheme) {
        (Endpoint::LoadBalancer(name, _), Some(scheme)) => Endpoint::LoadBalancer(name.clone(), scheme),
        (to, _) => to.clone(),
    };
    Flow { to, via: remedy.via.unwrap_or(flow.via), ..flow.clone() }
}

/// A link that takes less than what is sent over it, and whether the ends in the cloud are told.
pub(super) fn small_link(link: &SmallLink) -> String {
    let SmallLink { takes, sent, message, ends } = link;
    let rule = match message.kind {
        2 => format!("icmpv6 {}/{} from ::/0", message.kind, message.code),
        _ => format!("icmp {}/{} from anywhere", message.kind, message.code),
    };
    let word = rule.split(" from").next().unwrap_or_default();
    let mut text =
        format!("a link on the way takes {takes} bytes, and its ends send up to {sent}; a router says so by `{word}`");
    for (interface, comes) in ends {
        let whose = interface.short();
        text.push_str(&match comes {
            Arrival::WithTheFlow => format!("; that comes to {whose}, as it is about a flow that passes there"),
            Arrival::ByRule => format!("; that comes to {whose} by a rule"),
            Arrival::Not(groups) => {
                let groups = groups.iter().map(GroupName::as_str).collect::<Vec<_>>().join(", ");
                format!(
                    "; that does NOT come to {whose}, whose large packets are lost: the flow is untracked there, and no rule of \
                     {groups} is `{rule}`"
                )
            }
        });
    }
    text
}

/// A remedy in a sentence.
pub(super) fn remedy(flow: &Flow, remedy: &Remedy) -> String {
    let changes = match remedy.changes.len() {
        0 => "nothing else has to change",
        1 => "with this change",
        _ => "with these changes",
    };
    let authorizes = |it: &Operation| matches!(it, Operation::AuthorizeIngress(..));
    let is_error = matches!(flow.service, Service::Icmp(message) if message.is_error(flow.via.is_ipv6()));
    let changes = match is_error && remedy.changes.iter().any(authorizes) {
        true => format!(
            "{changes}; such messages come from routers on the way, so from addresses that nobody knows beforehand"
        ),
        false => changes.to_owned(),
    };
    let asked = write::flow(&instead(flow, remedy));
    if remedy.scheme.is_some() {
        return format!("make {} internal (`scheme: internal`), `{asked}`; {changes}", flow.to);
    }
    match remedy.via {
        Some(Via::Private) => format!("use the private address, `{asked}`; {changes}"),
        Some(Via::Dns) => format!("use the DNS name, `{asked}`, which means the private address inside; {changes}"),
        Some(Via::Public) => format!("use the public address, `{asked}`, as there is no private path; {changes}"),
        Some(Via::Ipv6) => format!("use the IPv6 address, `{asked}`; {changes}"),
        Some(Via::Secondary(address)) => format!("use {address}, `{asked}`; {changes}"),
        None => changes,
    }
}
