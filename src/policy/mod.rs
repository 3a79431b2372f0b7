//! What the documented semantics say of a new flow: the reading that never looks at the compiler. Pure.
//!
//! Written to be read next to Amazon's documentation, with plain loops over everything: no index, no set, no cache. The
//! sources are pages of the "Amazon VPC user guide" (VPC) and of the "Amazon EC2 user guide" (EC2; "2018" for its last
//! edition that covers EC2-Classic).
//!
//! New flows are judged by the rules of this moment; what a connection may still do, [`tracking`] says. A stopped
//! instance is reached by nobody, also where it keeps its private address: the address has no link then, and routing comes
//! before the groups. One that has crashed and keeps its address keeps its link: the verdict is what the groups say, and
//! a probe will find silence behind an open door.
//!
//! A load balancer ends the flow that comes to it, and begins another to one of its instances. Each is judged by itself:
//! a flow to it by its own groups, and one from it, with its private address, by those of the instance.

#[cfg(test)]
mod load_balancer_tests;
mod routes;
#[cfg(test)]
mod tests;
pub mod tracking;

use std::net::{IpAddr, Ipv4Addr};

use crate::model::{
    Cloud, Direction, Endpoint, Flow, GroupName, GroupReferenceIpv6, IcmpMatch, IcmpMessage, InstanceState, Interface,
    InterfaceId, Peer, Rule, RuleId, SelfReference, Service, SourceDestCheck, Traffic, Verdict, Via, VpcName,
};
use routes::{NextHop, next_hop, passes_on};

/// Judges a new flow.
pub fn judge(cloud: &Cloud, flow: &Flow) -> Verdict {
    let service = flow.service;
    match (&flow.from, flow.from.interface(), &flow.to, flow.to.interface()) {
        // From a host: only the receiver's groups judge.
        (Endpoint::Host(_, sender), _, _, Some(receiver)) => match sender.0 {
            IpAddr::V4(_) if flow.via == Via::Dns && !has_public_name(cloud, &receiver) => Verdict::Unresolved,
            IpAddr::V4(_) => from_outside(cloud, sender.0, &receiver, service),
            IpAddr::V6(_) => from_outside_by_ipv6(cloud, sender.0, &receiver, service),
        },
        (_, Some(sender), Endpoint::Host(_, receiver), _) => match receiver.0 {
            IpAddr::V4(address) => by_address(cloud, flow, &sender, address),
            IpAddr::V6(_) => to_outside_by_ipv6(cloud, &sender, receiver.0, service),
        },
        (_, Some(sender), _, Some(receiver)) => match flow.via {
            Via::Private => by_private_address(cloud, flow, &sender, &receiver),
            // An Elastic IP leads to a stopped instance too, and only behind the gateway to nobody.
            Via::Public => match cloud.interface(&receiver).and_then(|receiver| receiver.public) {
                Some(address) => by_address(cloud, flow, &sender, address.0),
                None => Verdict::Unreachable,
            },
            Via::Ipv6 => by_ipv6_address(cloud, &sender, &receiver, service),
            Via::Dns => by_dns_name(cloud, flow, &sender, &receiver),
        },
        // Between hosts outside there is no group.
        _ => Verdict::Open { admitted_by: Vec::new() },
    }
}

/// From a host to the public address of an instance: only the receiver's groups judge.
fn from_outside(cloud: &Cloud, sender: IpAddr, receiver: &InterfaceId, service: Service) -> Verdict {
    let Some(receiver) = interface_of(cloud, receiver) else { return Verdict::Unreachable };
    if receiver.public.is_none() {
        return Verdict::Unreachable;
    }
    judge_ingress(cloud, sender, receiver, service, Path::Direct)
}

/// From instance to instance by private address.
///
/// A private address means something only inside a VPC. What the sender asks for is the *number* that the receiver
/// holds; where the receiver is in another VPC, whoever holds that number in the sender's own VPC gets the packet, and
/// the verdict is that holder's. With nobody there, nothing is reached.
fn by_private_address(cloud: &Cloud, flow: &Flow, sender: &InterfaceId, receiver: &InterfaceId) -> Verdict {
    let (Some(from), Some(to)) = (interface_of(cloud, sender), interface_of(cloud, receiver)) else {
        return Verdict::Unreachable;
    };
    let Some(destination) = to.private else { return Verdict::Unreachable };
    if holder_of(cloud, &from.vpc, destination.0).is_none() {
        return Verdict::Unreachable;
    }
    by_address(cloud, flow, sender, destination.0)
}

/// From an instance to an IPv4 address, wherever that is.
fn by_address(cloud: &Cloud, flow: &Flow, sender: &InterfaceId, destination: Ipv4Addr) -> Verdict {
    let Some(sender) = interface_of(cloud, sender) else { return Verdict::Unreachable };
    let Some(own) = sender.private else { return Verdict::Unreachable };
    let source = match flow.from {
        Endpoint::Forged(_, source) => source,
        _ => own.0,
    };
    leg(cloud, &Leg { sender, source, destination, service: flow.service }, 0)
}

/// A packet on its way from one interface to the next.
struct Leg<'a> {
    sender: &'a Interface,
    source: Ipv4Addr,
    destination: Ipv4Addr,
    service: Service,
}

/// More appliances in a row than this are a circle.
const MOST_LEGS: usize = 8;

/// Judges a packet that leaves an interface.
///
/// Both ends judge: the sender's egress and the receiver's ingress, each by the groups of its own interface. Being in
/// one subnet or in one group admits nothing. Source: "Security group rules" (VPC).
fn leg(cloud: &Cloud, leg: &Leg<'_>, legs_before: usize) -> Verdict {
    let Leg { sender, source, destination, service } = *leg;
    let is_its_own = sender.private.is_some_and(|private| private.0 == source);
    // "Source/destination checking ensures that the instance is either the source or the destination of any traffic that
    // it receives" ("Elastic network interfaces", EC2).
    if !is_its_own && sender.source_dest_check == SourceDestCheck::On {
        return Verdict::FailsCheck { instance: sender.id.instance.clone() };
    }
    let from_a_member = if is_its_own { Path::Direct } else { Path::ThroughAnAppliance };
    let hop = next_hop(cloud, sender, destination);
    let local = holder_of(cloud, &sender.vpc, destination);
    if local.is_some_and(|holder| holder.id == sender.id) {
        // To its own address: the packet never leaves the instance, so no group sees it.
        return Verdict::Open { admitted_by: Vec::new() };
    }
    let to_a_member = if matches!(hop, NextHop::AsAddressed) { Path::Direct } else { Path::ThroughAnAppliance };
    if let Some(dropped) = judge_egress(cloud, sender, destination.into(), service, to_a_member) {
        return dropped;
    }
    match (hop, local) {
        (NextHop::Nobody, _) => Verdict::Blackhole,
        (NextHop::Interface(appliance), _) => {
            if appliance.source_dest_check == SourceDestCheck::On {
                return Verdict::FailsCheck { instance: appliance.id.instance.clone() };
            }
            match judge_ingress(cloud, source.into(), appliance, service, from_a_member) {
                Verdict::Open { .. } => {}
                other => return other,
            }
            match passes_on(cloud, appliance, source) {
                Some(source) if legs_before < MOST_LEGS => {
                    self::leg(cloud, &Leg { sender: appliance, source, destination, service }, legs_before + 1)
                }
                _ => Verdict::Blackhole,
            }
        }
        (NextHop::AsAddressed, Some(holder)) => judge_ingress(cloud, source.into(), holder, service, from_a_member),
        (NextHop::AsAddressed, None) => through_the_gateway(cloud, leg),
    }
}

/// Out through the gateway, and in again where the address is an instance's: through 1:1 translation.
///
/// The sender's groups have seen the receiver's public address as the destination; the receiver's groups see the sender's
/// public address as the source. A rule that names a group names *private* addresses, so it does not match here: that
/// follows from comparing addresses and is no case of its own. Source: "Security group rules" (EC2, 2018): "based on the
/// private IP addresses ... (and not the public IP or Elastic IP addresses)".
fn through_the_gateway(cloud: &Cloud, leg: &Leg<'_>) -> Verdict {
    // "If the sender has no public IP and no NAT, nothing leaves at all" ("Internet gateways", VPC).
    let Some(public) = holder_of(cloud, &leg.sender.vpc, leg.source).and_then(|holder| holder.public) else {
        return Verdict::Untranslated;
    };
    for interface in cloud.network_interfaces() {
        let up = cloud.state_of(&interface.id.instance) != Some(InstanceState::Stopped);
        if up && interface.public.is_some_and(|public| public.0 == leg.destination) {
            return judge_ingress(cloud, public.0.into(), interface, leg.service, Path::Direct);
        }
    }
    let is_a_host = |address: IpAddr| cloud.hosts.values().any(|host| host.addresses.iter().any(|a| a.0 == address));
    if is_a_host(leg.destination.into()) { Verdict::Open { admitted_by: Vec::new() } } else { Verdict::Unreachable }
}

/// Whether a packet goes straight between the two interfaces, or an appliance passes it on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Path {
    Direct,
    ThroughAnAppliance,
}

/// From instance to instance by public DNS name. Inside the VPC that is the private address, and group references match;
/// from another VPC it is the public one. Without a public address an instance has no such name.
///
/// Source: "DNS attributes for your VPC" (VPC).
fn by_dns_name(cloud: &Cloud, flow: &Flow, sender: &InterfaceId, receiver: &InterfaceId) -> Verdict {
    let (Some(from), Some(to)) = (interface_of(cloud, sender), interface_of(cloud, receiver)) else {
        return Verdict::Unresolved;
    };
    match to.public {
        None => Verdict::Unresolved,
        // The name of a load balancer is its public address, inside as well ("Internet-facing Classic Load Balancers").
        Some(public) if cloud.load_balancer_of(&to.id.instance).is_some() => by_address(cloud, flow, sender, public.0),
        Some(_) if from.vpc == to.vpc => by_private_address(cloud, flow, sender, receiver),
        Some(public) => by_address(cloud, flow, sender, public.0),
    }
}

/// From a host to an instance over IPv6: nothing is translated, the receiver's groups see the host's address.
fn from_outside_by_ipv6(cloud: &Cloud, sender: IpAddr, receiver: &InterfaceId, service: Service) -> Verdict {
    let Some(receiver) = interface_of(cloud, receiver).filter(|interface| interface.ipv6.is_some()) else {
        return Verdict::Unreachable;
    };
    judge_ingress(cloud, sender, receiver, service, Path::Direct)
}

/// From an instance to a host over IPv6.
fn to_outside_by_ipv6(cloud: &Cloud, sender: &InterfaceId, receiver: IpAddr, service: Service) -> Verdict {
    let Some(sender) = interface_of(cloud, sender).filter(|interface| interface.ipv6.is_some()) else {
        return Verdict::Unreachable;
    };
    judge_egress(cloud, sender, receiver, service, Path::Direct).unwrap_or(Verdict::Open { admitted_by: Vec::new() })
}

/// From instance to instance over IPv6, in one VPC or from one to the other: each end sees the other's own address.
///
/// Source: "Compare IPv4 and IPv6" (VPC): the addresses are global, and nothing translates them.
fn by_ipv6_address(cloud: &Cloud, sender: &InterfaceId, receiver: &InterfaceId, service: Service) -> Verdict {
    let (Some(sender), Some(receiver)) = (interface_of(cloud, sender), interface_of(cloud, receiver)) else {
        return Verdict::Unreachable;
    };
    let (Some(source), Some(destination)) = (sender.ipv6, receiver.ipv6) else { return Verdict::Unreachable };
    if let Some(dropped) = judge_egress(cloud, sender, destination.0.into(), service, Path::Direct) {
        return dropped;
    }
    judge_ingress(cloud, source.0.into(), receiver, service, Path::Direct)
}

/// The sender's side: nothing if it admits the flow, else the drop.
///
/// Source: "EC2-Classic" (EC2, 2018): rules for inbound traffic only, all that goes out is allowed.
fn judge_egress(
    cloud: &Cloud,
    sender: &Interface,
    destination: IpAddr,
    service: Service,
    path: Path,
) -> Option<Verdict> {
    if !cloud.has_egress_rules() {
        return None;
    }
    let admitting = admitting_rules(cloud, sender, Direction::Egress, destination, service, path);
    if admitting.is_empty() { Some(dropped(sender, Direction::Egress)) } else { None }
}

/// The receiver's side.
fn judge_ingress(cloud: &Cloud, source: IpAddr, receiver: &Interface, service: Service, path: Path) -> Verdict {
    let admitted_by = admitting_rules(cloud, receiver, Direction::Ingress, source, service, path);
    if admitted_by.is_empty() { dropped(receiver, Direction::Ingress) } else { Verdict::Open { admitted_by } }
}

fn dropped(interface: &Interface, at: Direction) -> Verdict {
    Verdict::Dropped { at, instance: interface.id.instance.clone(), groups: interface.groups.iter().cloned().collect() }
}

/// Every rule of every group of an interface that admits a service from or to an address.
///
/// There are no deny rules and no order: what one rule of one group admits is admitted. Source: "Security group rules"
/// (VPC).
fn admitting_rules(
    cloud: &Cloud,
    interface: &Interface,
    direction: Direction,
    other: IpAddr,
    service: Service,
    path: Path,
) -> Vec<RuleId> {
    let mut admitting = Vec::new();
    for name in &interface.groups {
        let Some(group) = cloud.groups.get(name) else { continue };
        let rules = match direction {
            Direction::Ingress => &group.ingress,
            Direction::Egress => &group.egress,
        };
        for rule in rules {
            if covers(rule.traffic, service, other) && names(cloud, &interface.vpc, name, rule, other, path) {
                admitting.push(rule.id);
            }
        }
    }
    admitting
}

/// Whether a rule's traffic includes a service, to or from an address of a family. Ports are those of the destination;
/// `icmp` is that of IPv4 and `icmpv6` that of IPv6. Source: "Security group rules" (VPC).
fn covers(traffic: Traffic, service: Service, other: IpAddr) -> bool {
    match traffic {
        Traffic::All => true,
        Traffic::Tcp(ports) => match service {
            Service::Tcp(port) => ports.from() <= port && port <= ports.to(),
            _ => false,
        },
        Traffic::Udp(ports) => match service {
            Service::Udp(port) => ports.from() <= port && port <= ports.to(),
            _ => false,
        },
        // Ports mean nothing for all but tcp and udp.
        Traffic::Protocol(number) => service == Service::Protocol(number),
        Traffic::Icmp(messages) => other.is_ipv4() && covers_message(messages, service, ECHO_REQUEST),
        Traffic::Icmpv6(messages) => other.is_ipv6() && covers_message(messages, service, ECHO_REQUEST_IPV6),
    }
}

fn covers_message(messages: IcmpMatch, service: Service, echo: u8) -> bool {
    let asked = match service {
        Service::IcmpEcho => IcmpMessage { kind: echo, code: 0 },
        Service::Icmp(message) => message,
        Service::Tcp(_) | Service::Udp(_) | Service::Protocol(_) => return false,
    };
    match messages {
        IcmpMatch::All => true,
        IcmpMatch::Type(kind) => kind == asked.kind,
        IcmpMatch::TypeAndCode(kind, code) => kind == asked.kind && code == asked.code,
    }
}

const ECHO_REQUEST: u8 = 8;
const ECHO_REQUEST_IPV6: u8 = 128;

/// Whether an address is one that a rule's peer names. `own` is the group that the rule belongs to.
fn names(cloud: &Cloud, vpc: &VpcName, own: &GroupName, rule: &Rule, address: IpAddr, path: Path) -> bool {
    match &rule.peer {
        // `0.0.0.0/0` is not `::/0`: a block contains addresses of its own family only.
        Peer::Cidr(block) => block.contains(&address),
        // The article, gotcha 6: a group that contains itself is accepted, and "instances just refuse to talk to each
        // other". Amazon documents the opposite ("Default security groups", VPC), and that is the other setting.
        Peer::Group(group) if group == own && cloud.knobs.self_reference == SelfReference::MatchesNobody => false,
        // Every entry of this moment ("Managed prefix lists", VPC).
        Peer::PrefixList(name) => {
            let list = cloud.prefix_lists.get(name);
            list.is_some_and(|list| list.entries.iter().any(|entry| entry.contains(&address)))
        }
        // "If you configure routes to forward the traffic between two instances through a middlebox appliance ... you
        // cannot reference the security group of the other instance" ("Security group rules", VPC).
        Peer::Group(_) if path == Path::ThroughAnAppliance => false,
        Peer::Group(group) => is_private_address_of_a_member(cloud, vpc, group, address),
    }
}

/// A group, as a peer, is "the private IP addresses of the network interfaces" associated with it, at this moment, and
/// nothing of its rules. Members that are stopped count while they keep their address, and load balancers are members
/// like any other. Source: "Security group referencing" (VPC).
fn is_private_address_of_a_member(cloud: &Cloud, vpc: &VpcName, group: &GroupName, address: IpAddr) -> bool {
    for interface in cloud.network_interfaces() {
        if interface.vpc == *vpc && interface.groups.contains(group) {
            let private = interface.private.is_some_and(|private| IpAddr::V4(private.0) == address);
            // The documents say "private addresses" and mean, it is commonly held, the IPv6 ones as well.
            // A file may take them at their word.
            let ipv6 = cloud.knobs.group_reference_ipv6 == GroupReferenceIpv6::MatchesMembers
                && interface.ipv6.is_some_and(|ipv6| IpAddr::V6(ipv6.0) == address);
            if private || ipv6 {
                return true;
            }
        }
    }
    false
}

/// Whether there is a public DNS name to ask for.
fn has_public_name(cloud: &Cloud, id: &InterfaceId) -> bool {
    interface_of(cloud, id).is_some_and(|interface| interface.public.is_some())
}

/// Who holds a private address in a VPC, with a link behind it.
fn holder_of<'a>(cloud: &'a Cloud, vpc: &VpcName, address: Ipv4Addr) -> Option<&'a Interface> {
    cloud
        .network_interfaces()
        .filter(|interface| cloud.state_of(&interface.id.instance) != Some(InstanceState::Stopped))
        .find(|interface| interface.vpc == *vpc && interface.private.is_some_and(|private| private.0 == address))
}

/// An interface of a load balancer, or of an instance that is not stopped.
fn interface_of<'a>(cloud: &'a Cloud, id: &InterfaceId) -> Option<&'a Interface> {
    cloud.state_of(&id.instance).filter(|state| *state != InstanceState::Stopped)?;
    cloud.interface(id)
}
