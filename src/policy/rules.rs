//! Matching of a flow by a rule, with the reason of a miss.

use std::net::IpAddr;

use super::routes::{holds, holds_ipv6};
use super::walk::{Mismatch, Path, RuleMatch};
use crate::model::{
    Cloud, Direction, GroupName, GroupReferenceIpv6, IcmpMatch, IcmpMessage, Interface, Peer, Rule, SelfReference,
    Service, Traffic, VpcName,
};

/// Tries every rule of every group of an interface on a service from or to an address.
///
/// There are no deny rules and no order: what one rule of one group admits is admitted. Source: "Security group rules"
/// (VPC).
pub(super) fn trials(
    cloud: &Cloud,
    interface: &Interface,
    direction: Direction,
    other: IpAddr,
    service: Service,
    path: Path,
) -> Vec<RuleMatch> {
    let mut trials = Vec::new();
    for name in &interface.groups {
        let Some(group) = cloud.groups.get(name) else { continue };
        for rule in group.rules(direction) {
            let miss = traffic_miss(rule.traffic, service, other)
                .or_else(|| peer_miss(cloud, &interface.vpc, name, rule, other, path));
            trials.push(RuleMatch { group: name.clone(), rule: rule.id, miss });
        }
    }
    trials
}

/// Finds the reason why a rule's traffic does not include a service, to or from an address of a family. Ports are those of the destination;
/// `icmp` is that of IPv4 and `icmpv6` that of IPv6. Source: "Security group rules" (VPC).
fn traffic_miss(traffic: Traffic, service: Service, other: IpAddr) -> Option<Mismatch> {
    match traffic {
        Traffic::All => None,
        Traffic::Tcp(ports) => match service {
            Service::Tcp(port) => unless(ports.contains(port), Mismatch::Port),
            _ => Some(Mismatch::Protocol),
        },
        Traffic::Udp(ports) => match service {
            Service::Udp(port) => unless(ports.contains(port), Mismatch::Port),
            _ => Some(Mismatch::Protocol),
        },
        // Ports mean nothing for all but tcp and udp.
        Traffic::Protocol(number) => unless(service == Service::Protocol(number), Mismatch::Protocol),
        Traffic::Icmp(messages) => icmp_miss(messages, service, other.is_ipv4(), ECHO_REQUEST),
        Traffic::Icmpv6(messages) => icmp_miss(messages, service, other.is_ipv6(), ECHO_REQUEST_IPV6),
    }
}

fn icmp_miss(messages: IcmpMatch, service: Service, is_its_family: bool, echo: u8) -> Option<Mismatch> {
    let asked = match service {
        Service::IcmpEcho => IcmpMessage { kind: echo, code: 0 },
        Service::Icmp(message) => message,
        Service::Tcp(_) | Service::Udp(_) | Service::Protocol(_) => return Some(Mismatch::Protocol),
    };
    if !is_its_family {
        return Some(Mismatch::Family);
    }
    match messages {
        IcmpMatch::All => None,
        IcmpMatch::Type(kind) => unless(kind == asked.kind, Mismatch::Message),
        IcmpMatch::TypeAndCode(kind, code) => unless(kind == asked.kind && code == asked.code, Mismatch::Message),
    }
}

fn unless(matches: bool, miss: Mismatch) -> Option<Mismatch> {
    if matches { None } else { Some(miss) }
}

const ECHO_REQUEST: u8 = 8;
const ECHO_REQUEST_IPV6: u8 = 128;

/// Finds the reason why an address is not one that a rule's peer names. `own` is the group that the rule belongs to.
fn peer_miss(
    cloud: &Cloud,
    vpc: &VpcName,
    own: &GroupName,
    rule: &Rule,
    address: IpAddr,
    path: Path,
) -> Option<Mismatch> {
    match &rule.peer {
        // `0.0.0.0/0` is not `::/0`: a block contains addresses of its own family only.
        Peer::Cidr(block) => unless(block.contains(&address), Mismatch::Block),
        // The article, gotcha 6: a group that contains itself is accepted, and "instances just refuse to talk to each
        // other". Amazon documents the opposite ("Default security groups", VPC), and that is the other setting.
        Peer::Group(group) if group == own && cloud.knobs.self_reference == SelfReference::MatchesNobody => {
            Some(Mismatch::SelfReference)
        }
        // Every entry of this moment ("Managed prefix lists", VPC).
        Peer::PrefixList(name) => {
            let list = cloud.prefix_lists.get(name);
            let has_it = list.is_some_and(|list| list.entries.iter().any(|entry| entry.contains(&address)));
            unless(has_it, Mismatch::PrefixList)
        }
        // "If you configure routes to forward the traffic between two instances through a middlebox appliance ... you
        // cannot reference the security group of the other instance" ("Security group rules", VPC).
        Peer::Group(_) if path == Path::ThroughAnAppliance => Some(Mismatch::Appliance),
        Peer::Group(_) if path == Path::Forged => Some(Mismatch::Forged),
        Peer::Group(group) => unless(is_private_address_of_a_member(cloud, vpc, group, address), Mismatch::NoMember),
    }
}

/// A group, as a peer, is "the private IP addresses of the network interfaces" associated with it, at this moment, and
/// nothing of its rules. Members that are stopped count while they keep their address, and load balancers are members
/// like any other. Source: "Security group referencing" (VPC).
fn is_private_address_of_a_member(cloud: &Cloud, vpc: &VpcName, group: &GroupName, address: IpAddr) -> bool {
    for interface in cloud.network_interfaces() {
        if interface.vpc == *vpc && interface.groups.contains(group) {
            let private = matches!(address, IpAddr::V4(address) if holds(interface, address));
            // The documents say "private addresses" and mean, it is commonly held, the IPv6 ones as well.
            // A file may take them at their word.
            let ipv6 = cloud.knobs.group_reference_ipv6 == GroupReferenceIpv6::MatchesMembers
                && matches!(address, IpAddr::V6(address) if holds_ipv6(interface, address));
            if private || ipv6 {
                return true;
            }
        }
    }
    false
}
