//! The smallest changes that would open a flow. Each is tried: it is carried out on a copy of the cloud, and the flow is
//! judged again, so that only what opens is offered.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::holders::holder_of;
use super::judge::{judge, walk};
use super::routes::{holds, holds_ipv6, route_of};
use super::walk::{Path, RuleEvaluation, Stage, Walk};
use crate::model::{
    Attachment, Cloud, DecidedBy, Direction, ElasticIpName, Endpoint, Flow, GroupName, Half, IcmpMatch, IcmpMessage,
    InstanceName, InstanceState, Interface, InterfaceId, Operation, Peer, PeerRequest, Permission, PortRange,
    Reassociation, Scheme, Service, SourceDestCheck, Target, Traffic, Verdict, Via, apply,
};

/// Ends that one flow may have to pass, with appliances.
const MAX_CHANGES: usize = 8;

/// Change that opens a flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remedy {
    /// Address to go by instead, if another.
    pub via: Option<Via>,
    /// Scheme that the load balancer that is asked would have to be of, if of another.
    pub scheme: Option<Scheme>,
    /// Operations to apply; empty where it is enough to go by the other address.
    pub changes: Vec<Operation>,
}

/// Finds remedies for a flow that is not open, the better one first: where instances go by public address and need not, the private address
/// or the DNS name; then the change for the flow as it is. A load balancer is asked by its name, and that means its public address: so
/// there first the change for the flow as it is, then an internal one.
pub fn remedies(cloud: &Cloud, flow: &Flow) -> Vec<Remedy> {
    if judge(cloud, flow).is_open() {
        return Vec::new();
    }
    let both_inside = flow.from.interface().is_some() && flow.to.interface().is_some();
    let faces_the_internet = matches!(flow.to, Endpoint::LoadBalancer(_, Scheme::InternetFacing));
    // By another address what an instance sends to itself does not leave it.
    let to_itself = flow.from.holder() == flow.to.holder();
    let others: &[Via] = match flow.via {
        _ if faces_the_internet || to_itself => &[],
        Via::Public if both_inside => &[Via::Private, Via::Dns],
        Via::Dns if both_inside => &[Via::Private],
        Via::Private if both_inside => &[],
        _ => &[],
    };
    let mut remedies = Vec::new();
    for via in others {
        let other = Flow { via: *via, ..flow.clone() };
        // By name is worth a word only where it changes nothing more.
        let changes = changes(cloud, &other).filter(|changes| changes.is_empty() || *via == Via::Private);
        remedies.extend(changes.map(|changes| Remedy { via: Some(*via), scheme: None, changes }));
    }
    remedies.extend(changes(cloud, flow).map(|changes| Remedy { via: None, scheme: None, changes }));
    if faces_the_internet && both_inside && flow.via != Via::Private {
        remedies.extend(by_an_internal_one(cloud, flow));
    }
    if flow.via == Via::Private && both_inside && remedies.is_empty() {
        // In another VPC there is no private path.
        let public = Flow { via: Via::Public, ..flow.clone() };
        remedies.extend(changes(cloud, &public).map(|changes| Remedy {
            via: Some(Via::Public),
            scheme: None,
            changes,
        }));
    }
    remedies
}

/// The same load balancer, internal: its name means its private address then. Only in a VPC, for who is in the same.
fn by_an_internal_one(cloud: &Cloud, flow: &Flow) -> Option<Remedy> {
    let name = flow.to.load_balancer()?;
    let mut cloud = cloud.clone();
    let is_vpc = cloud.is_vpc();
    let vpc = flow.from.interface().and_then(|id| cloud.interface(&id)).map(|it| it.vpc.clone());
    let balancer = cloud.load_balancers.get_mut(name)?;
    if !is_vpc || vpc.as_ref() != Some(&balancer.interface.vpc) {
        return None;
    }
    balancer.scheme = Scheme::Internal;
    balancer.interface.public = None;
    let to = Endpoint::LoadBalancer(name.clone(), Scheme::Internal);
    let changes = changes(&cloud, &Flow { to, via: Via::Private, ..flow.clone() })?;
    Some(Remedy { via: Some(Via::Private), scheme: Some(Scheme::Internal), changes })
}

/// The changes, one after the other along the flow's way, that open it; none if it is open.
fn changes(cloud: &Cloud, flow: &Flow) -> Option<Vec<Operation>> {
    let mut cloud = cloud.clone();
    let mut made = Vec::new();
    for _ in 0..=MAX_CHANGES {
        if judge(&cloud, flow).is_open() {
            return Some(made);
        }
        let operations = next_change(&cloud, flow)?;
        for operation in operations {
            apply(&mut cloud, &operation).ok()?;
            made.push(operation);
        }
    }
    None
}

/// Finds the change that gets the flow one stage further.
fn next_change(cloud: &Cloud, flow: &Flow) -> Option<Vec<Operation>> {
    let walk = walk(cloud, flow);
    match &walk.verdict {
        Verdict::Open { .. } => None,
        // No change is known that lets an answer back: whoever takes the request takes that too.
        Verdict::Dropped { half: Half::Answer, .. } => None,
        Verdict::Dropped { by, half: Half::Request } => next_change_by(cloud, flow, &walk, by),
        Verdict::Misdelivered { .. } | Verdict::Unreachable { .. } | Verdict::Unresolved => {
            let ends = [&flow.from, &flow.to].map(|end| end.instance());
            ends.into_iter().flatten().find_map(|name| start(cloud, name)).map(|start| vec![start])
        }
    }
}

/// Finds the change after which this drops the flow no more.
fn next_change_by(cloud: &Cloud, flow: &Flow, walk: &Walk, by: &DecidedBy) -> Option<Vec<Operation>> {
    match by {
        DecidedBy::GroupRules { .. } => match walk.stages.last() {
            Some(Stage::RuleEvaluation(asked)) => rule_for(cloud, flow, asked).map(|rule| vec![rule]),
            _ => None,
        },
        DecidedBy::SourceDestCheck { .. } => {
            let checking = walk.stages.iter().rev().find_map(|stage| match stage {
                Stage::Routed { to } => Some(to),
                Stage::Sent { from, .. } => Some(from),
                _ => None,
            })?;
            Some(vec![Operation::SetSourceDestCheck(target(cloud, checking.attachment()?), SourceDestCheck::Off)])
        }
        DecidedBy::Route { .. } => {
            let (from, _, destination) = last_sent(walk)?;
            let route = route_of(cloud, cloud.interface(from)?, destination)?;
            start(cloud, &route.target.instance).map(|start| vec![start])
        }
        // No association gives it a forged source.
        DecidedBy::Translation { .. } if matches!(flow.from, Endpoint::Forged(_, source) if source.is_ipv6()) => None,
        DecidedBy::Translation { vpc } => {
            // Behind a NAT instance the source is that one's.
            let (_, source, _) = last_sent(walk)?;
            let untranslated = holder_of(cloud, vpc, source)?.id.attachment()?;
            let name = spare_elastic_ip(cloud, &untranslated.instance)?;
            let to = target(cloud, untranslated);
            let associate =
                Operation::AssociateAddress { elastic_ip: name.clone(), to, reassociation: Reassociation::Allowed };
            let known = cloud.elastic_ips.contains_key(&name);
            Some([Operation::AllocateAddress(name)].into_iter().filter(|_| !known).chain([associate]).collect())
        }
    }
}

/// The interface that an IPv4 packet left last, its source and its destination.
fn last_sent(walk: &Walk) -> Option<(&InterfaceId, Ipv4Addr, Ipv4Addr)> {
    walk.stages.iter().rev().find_map(|stage| match stage {
        Stage::Sent { from, source: IpAddr::V4(source), destination: IpAddr::V4(destination) } => {
            Some((from, *source, *destination))
        }
        _ => None,
    })
}

/// The name of an Elastic IP for an instance, which nobody loses by it: of one that is associated with nobody, or of none yet.
fn spare_elastic_ip(cloud: &Cloud, instance: &InstanceName) -> Option<ElasticIpName> {
    let others = (2..).map(|number| format!("eip-{instance}-{number}"));
    let mut names = std::iter::once(format!("eip-{instance}")).chain(others).map(ElasticIpName::new);
    names.find(|name| cloud.elastic_ips.get(name).is_none_or(|elastic| elastic.association.is_none()))
}

fn start(cloud: &Cloud, name: &InstanceName) -> Option<Operation> {
    let instance = cloud.instances.get(name)?;
    let is_down = match instance.state {
        InstanceState::Running => false,
        InstanceState::Stopped => true,
        // One that keeps its address is judged like any other.
        InstanceState::Crashed => instance.interfaces.iter().all(|interface| interface.private.is_none()),
    };
    is_down.then(|| Operation::Start(name.clone()))
}

/// The instance, where that is enough to say which interface.
fn target(cloud: &Cloud, id: &Attachment) -> Target {
    match cloud.instances.get(&id.instance) {
        Some(instance) if instance.interfaces.len() == 1 => Target::Instance(id.instance.clone()),
        _ => Target::Interface(id.clone()),
    }
}

/// A rule that gets the flow past an end: a reference to a group of the other end where the path is private, else its
/// address. In the group with the fewest members, for the group with the fewest.
fn rule_for(cloud: &Cloud, flow: &Flow, asked: &RuleEvaluation) -> Option<Operation> {
    let own = cloud.interface(&asked.interface)?;
    let by_members = |groups: Vec<GroupName>| {
        let mut groups = groups;
        groups.sort_by_key(|group| cloud.network_interfaces().filter(|it| it.groups.contains(group)).count());
        groups
    };
    let into = by_members(asked.groups.clone());
    let is_the_other = |it: &Interface| {
        let private = matches!(asked.other, IpAddr::V4(address) if holds(it, address));
        it.vpc == own.vpc && (private || matches!(asked.other, IpAddr::V6(address) if holds_ipv6(it, address)))
    };
    let other = cloud.network_interfaces().find(|it| is_the_other(it));
    let members = other.filter(|_| asked.path == Path::Direct);
    let named = members.map_or_else(Vec::new, |it| by_members(it.groups.iter().cloned().collect()));
    let by_group = named.iter().map(|group| (PeerRequest::Peer(Peer::Group(group.clone())), group.to_string()));
    let requests: Vec<(PeerRequest, String)> = match is_error_in(flow, asked) {
        true => vec![from_anybody(asked.other)],
        false => by_group.chain([by_address(cloud, flow, asked)]).collect(),
    };
    let traffic = traffic(flow.service, asked.other);
    let mut cloud = cloud.clone();
    for (request, words) in requests {
        for group in &into {
            let operation = authorize(asked.at, group, traffic, request.clone(), &words);
            let Ok(changed) = apply(&mut cloud, &operation) else { continue };
            let passed = walk(&cloud, flow).stages.into_iter().find_map(|stage| match stage {
                Stage::RuleEvaluation(again) if again.interface == asked.interface && again.at == asked.at => {
                    Some(again)
                }
                _ => None,
            });
            changed.undo(&mut cloud);
            if passed.is_some_and(|again| again.admits()) {
                return Some(operation);
            }
        }
    }
    None
}

/// Returns true if an error comes in: routers on the way send it, and which is not known beforehand.
fn is_error_in(flow: &Flow, asked: &RuleEvaluation) -> bool {
    let is_error = matches!(flow.service, Service::Icmp(message) if message.is_error(asked.other.is_ipv6()));
    is_error && asked.at == Direction::Ingress
}

fn from_anybody(other: IpAddr) -> (PeerRequest, String) {
    let (all, words) = match other {
        IpAddr::V4(_) => (IpNet::V4(Ipv4Net::default()), Peer::ANYWHERE),
        IpAddr::V6(_) => (IpNet::V6(Ipv6Net::default()), "::/0"),
    };
    (PeerRequest::Peer(Peer::Cidr(all)), words.to_owned())
}

fn authorize(at: Direction, group: &GroupName, traffic: Traffic, request: PeerRequest, peer: &str) -> Operation {
    let preposition = at.preposition();
    let written = format!("{traffic} {preposition} {peer}");
    let permission = Permission { traffic, peers: vec![(request, written)], description: None, place: None };
    match at {
        Direction::Ingress => Operation::AuthorizeIngress(group.clone(), vec![permission]),
        Direction::Egress => Operation::AuthorizeEgress(group.clone(), vec![permission]),
    }
}

/// The other end's address in the words of a file: `web1.public`, or as it stands.
fn by_address(cloud: &Cloud, flow: &Flow, asked: &RuleEvaluation) -> (PeerRequest, String) {
    let ends = [&flow.from, &flow.to].map(|end| end.interface()).into_iter().flatten();
    for id in ends.filter(|id| id.device() == 0) {
        let holds = |address: Option<IpAddr>| address == Some(asked.other);
        let Some(interface) = cloud.interface(&id) else { continue };
        let Some(name) = id.instance().cloned() else { continue };
        if holds(interface.public.map(|it| it.0.into())) {
            let words = format!("{name}.public");
            return (PeerRequest::PublicAddressOf(name), words);
        }
        if holds(interface.ipv6.map(|it| it.0.into())) {
            let words = format!("{name}.ipv6");
            return (PeerRequest::Ipv6AddressOf(name), words);
        }
    }
    (PeerRequest::Peer(Peer::Cidr(IpNet::from(asked.other))), asked.other.to_string())
}

/// The traffic of exactly this service.
fn traffic(service: Service, other: IpAddr) -> Traffic {
    let message = |ipv4: IcmpMatch, ipv6: IcmpMatch| match other {
        IpAddr::V4(_) => Traffic::Icmp(ipv4),
        IpAddr::V6(_) => Traffic::Icmpv6(ipv6),
    };
    match service {
        Service::Tcp(port) => Traffic::Tcp(PortRange::single(port)),
        Service::Udp(port) => Traffic::Udp(PortRange::single(port)),
        Service::IcmpEcho => message(IcmpMatch::Type(8), IcmpMatch::Type(128)),
        Service::Icmp(IcmpMessage { kind, code }) => {
            let exactly = IcmpMatch::TypeAndCode(kind, code);
            message(exactly, exactly)
        }
        Service::Protocol(number) => Traffic::Protocol(number),
    }
}
