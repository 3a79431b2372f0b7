//! Whether an end that admits a flow remembers it.

use std::net::IpAddr;

use ipnet::IpNet;

use super::walk::Asked;
use crate::model::{Cloud, Direction, Peer, PortRange, Rule, RuleId, SecurityGroup, Service, Traffic};

/// Whether an end tracks a flow that it admits, and why.
///
/// A flow that is tracked outlives the rule that let it in; one that is not is cut with it. Source: "Security group
/// connection tracking" (EC2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Memory {
    /// It is, for only TCP and UDP can go untracked.
    TrackedByProtocol,
    /// It is, for the first rule that admits it is not for all addresses.
    TrackedByNarrowRule(RuleId),
    /// It is, for no rule of the opposite direction is open to all addresses on all ports.
    TrackedByOpposite,
    /// It is not: the first rule that admits it is for all addresses, and the opposite direction is open to all.
    Untracked(RuleId),
}

impl Memory {
    /// Whether the flow is tracked.
    pub fn is_tracked(self) -> bool {
        !matches!(self, Self::Untracked(_))
    }
}

/// What an end makes of a flow that it admits; nothing if it does not. Of several rules that admit a flow the first
/// decides (sglab: the documents are silent).
pub fn memory(cloud: &Cloud, asked: &Asked, service: Service) -> Option<Memory> {
    let first = asked.admitted_by().next()?;
    if !matches!(service, Service::Tcp(_) | Service::Udp(_)) {
        return Some(Memory::TrackedByProtocol);
    }
    let (_, rule) = cloud.rule(first)?;
    if !is_for_all(rule, asked.other) {
        return Some(Memory::TrackedByNarrowRule(first));
    }
    let opposite_open = match asked.at {
        // Classic lets everything out (EC2, 2018).
        Direction::Ingress if !cloud.has_egress_rules() => true,
        Direction::Ingress => opens_all(cloud, asked, service, |group| &group.egress),
        Direction::Egress => opens_all(cloud, asked, service, |group| &group.ingress),
    };
    Some(if opposite_open { Memory::Untracked(first) } else { Memory::TrackedByOpposite })
}

/// Whether a rule of this direction, of any group of the end, is for all addresses on all ports.
fn opens_all(cloud: &Cloud, asked: &Asked, service: Service, rules: fn(&SecurityGroup) -> &Vec<Rule>) -> bool {
    for name in &asked.groups {
        let Some(group) = cloud.groups.get(name) else { continue };
        for rule in rules(group) {
            let every_port = match (rule.traffic, service) {
                (Traffic::All, _) => true,
                (Traffic::Tcp(ports), Service::Tcp(_)) | (Traffic::Udp(ports), Service::Udp(_)) => {
                    ports == PortRange::ALL
                }
                _ => false,
            };
            if every_port && is_for_all(rule, asked.other) {
                return true;
            }
        }
    }
    false
}

/// Whether a rule names every address of the family of this one. A prefix list is a list, whatever stands in it.
fn is_for_all(rule: &Rule, address: IpAddr) -> bool {
    match rule.peer {
        Peer::Cidr(IpNet::V4(block)) => block.prefix_len() == 0 && address.is_ipv4(),
        Peer::Cidr(IpNet::V6(block)) => block.prefix_len() == 0 && address.is_ipv6(),
        Peer::Group(_) | Peer::PrefixList(_) => false,
    }
}
