//! Connection tracking of a flow by an end that admits it.

use std::net::IpAddr;

use ipnet::IpNet;

use super::walk::RuleEvaluation;
use crate::model::{Cloud, Direction, PortRange, PrefixFamily, Rule, RuleId, SecurityGroup, Service, Traffic};

/// Connection tracking of an admitted flow by one end, with the reason.
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
    /// Returns true if the flow is tracked.
    pub fn is_tracked(self) -> bool {
        !matches!(self, Self::Untracked(_))
    }
}

/// Decides the tracking of a flow by an end that admits it; nothing if it does not. Of several rules that admit a flow the first decides
/// (sglab: the documents are silent).
pub fn memory(cloud: &Cloud, asked: &RuleEvaluation, service: Service) -> Option<Memory> {
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

/// Returns true if a rule of this direction, of any group of the end, is for all addresses on all ports.
fn opens_all(cloud: &Cloud, asked: &RuleEvaluation, service: Service, rules: fn(&SecurityGroup) -> &Vec<Rule>) -> bool {
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

/// Returns true if a rule names every address of the family of this one.
fn is_for_all(rule: &Rule, address: IpAddr) -> bool {
    rule.peer.is_anywhere(PrefixFamily::of(IpNet::from(address)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Flow, Port, Via};
    use crate::policy::way_tests::{cloud, host, to};
    use crate::policy::{Stage, walk};

    const TCP: [(u16, &str); 3] = [(80, "203.0.113.10"), (443, "2001:db8:ffff::10"), (22, "203.0.113.10")];

    /// Lists the memories of an instance for flows from outside to tcp 80, to tcp 443 over IPv6, to tcp 22 and to udp 53.
    fn remembers(egress: &str) -> Vec<&'static str> {
        let cloud = cloud(&format!(
            "
vpcs: {{main: {{cidr: 10.0.0.0/16, ipv6: yes}}}}
hosts: {{world: [203.0.113.10, '2001:db8:ffff::10']}}
prefix-lists: {{all: [0.0.0.0/0]}}
groups:
  WEB:
    ingress: [tcp 80 from anywhere, 'tcp 443 from ::/0', tcp 22 from 203.0.113.0/24, udp 53 from anywhere]
    egress: {egress}
instances: {{web: {{groups: WEB}}}}
"
        ));
        let tcp = TCP.map(|(port, from)| (Service::Tcp(Port(port)), from));
        let flows = tcp.into_iter().chain([(Service::Udp(Port(53)), "203.0.113.10")]);
        let word = |(service, from): (Service, &str)| {
            let via = if from.contains(':') { Via::Ipv6 } else { Via::Public };
            let walk = walk(&cloud, &Flow { from: host(from), to: to("web"), via, service });
            let Some(Stage::RuleEvaluation(asked)) = walk.stages.last() else { panic!("{walk:?}") };
            match memory(&cloud, asked, service) {
                Some(Memory::TrackedByProtocol) => "by protocol",
                Some(Memory::TrackedByNarrowRule(_)) => "narrow",
                Some(Memory::TrackedByOpposite) => "tracked",
                Some(Memory::Untracked(_)) => "untracked",
                None => "not admitted",
            }
        };
        flows.map(word).collect()
    }

    /// "A flow is untracked if a rule permits it for all traffic (0.0.0.0/0 or ::/0), and a rule in the other direction permits
    /// all response traffic for any port" ("Security group connection tracking", EC2).
    #[test]
    fn untracked_is_what_is_for_all_where_the_other_direction_is_open_to_all_on_every_port_of_its_kind() {
        let (no, yes) = ("tracked", "untracked");
        for (egress, expected) in [
            ("[]", [no, no, "narrow", no]),
            ("[all to anywhere]", [yes, no, "narrow", yes]),
            ("['all to ::/0']", [no, yes, "narrow", no]),
            ("[tcp all to anywhere]", [yes, no, "narrow", no]),
            ("[udp all to anywhere]", [no, no, "narrow", yes]),
            ("['tcp all to ::/0']", [no, yes, "narrow", no]),
            ("[tcp 1-65535 to anywhere, udp 0-65534 to anywhere]", [no, no, "narrow", no]),
            ("[all to 0.0.0.0/1, all to 128.0.0.0/1, 'all to 2000::/3']", [no, no, "narrow", no]),
            ("[icmp all to anywhere, protocol 47 to anywhere, all to all]", [no, no, "narrow", no]),
        ] {
            assert_eq!(remembers(egress), expected, "{egress}");
        }
    }
}
