//! Outside addresses that an exhaustive table cannot do without, added where the file names none.
//!
//! A rule for one host is only shown to be for that host by its neighbour, and "anywhere" is only shown to be more
//! than one lucky address by two that have nothing in common.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::super::{Host, HostName, Operation, Peer, PeerRequest, PublicIp};
use super::Topology;

/// Addresses of the three networks that are set aside for documentation, one each.
const ELSEWHERE: [Ipv4Addr; 3] =
    [Ipv4Addr::new(198, 51, 100, 7), Ipv4Addr::new(192, 0, 2, 99), Ipv4Addr::new(203, 0, 113, 250)];

/// Adds what is missing: a neighbour for each host with a rule of its own, and a world of two networks.
pub(super) fn add(topology: &mut Topology) {
    if topology.tables.is_empty() {
        return;
    }
    let ruled = ruled(topology);
    let taken = names(topology);
    let hosts = topology.empty.hosts.clone();
    for (name, host) in &hosts {
        let alone = host.addresses.iter().filter(|address| ruled.contains(&address.0)).filter(|address| {
            let mut others = held(topology).into_iter().filter(|other| !ruled.contains(other));
            !others.any(|other| block(other, 24) == block(address.0, 24))
        });
        let neighbours: Vec<PublicIp> = alone.filter_map(|address| neighbour(topology, address.0)).collect();
        add_host(topology, &taken, &format!("{name}-neighbour"), neighbours);
    }
    let near: BTreeSet<Ipv4Net> = ruled.iter().filter_map(|address| block(*address, 24)).collect();
    let far = |address: &Ipv4Addr| block(*address, 24).is_some_and(|block| !near.contains(&block));
    let mut networks: BTreeSet<Ipv4Net> =
        held(topology).iter().filter(|address| far(address)).filter_map(|address| block(*address, 16)).collect();
    let mut world = Vec::new();
    for address in ELSEWHERE.into_iter().filter(far) {
        if networks.len() < 2 && block(address, 16).is_some_and(|block| networks.insert(block)) {
            world.push(PublicIp(address));
        }
    }
    add_host(topology, &taken, "elsewhere", world);
}

/// The addresses that some rule names one by one.
fn ruled(topology: &Topology) -> BTreeSet<Ipv4Addr> {
    let steps = topology.steps.iter().flat_map(|step| &step.operations);
    let permissions = topology.initial.iter().chain(steps).flat_map(|operation| match &operation.value {
        Operation::AuthorizeIngress(_, permissions) => permissions.as_slice(),
        _ => &[],
    });
    let peers = permissions.flat_map(|permission| &permission.peers);
    peers
        .filter_map(|(peer, _)| match peer {
            PeerRequest::Peer(Peer::Cidr(net)) if net.prefix_len() == 32 => Some(net.addr()),
            _ => None,
        })
        .collect()
}

fn held(topology: &Topology) -> Vec<Ipv4Addr> {
    topology.empty.hosts.values().flat_map(|host| &host.addresses).map(|address| address.0).collect()
}

fn block(address: Ipv4Addr, length: u8) -> Option<Ipv4Net> {
    Ipv4Net::new(address, length).ok().map(|net| net.trunc())
}

/// The nearest address of the same /24 that nobody holds.
fn neighbour(topology: &Topology, address: Ipv4Addr) -> Option<PublicIp> {
    let held = held(topology);
    let block = block(address, 24)?;
    let number = u32::from(address);
    let nearest = (1..256).flat_map(|distance| [number.checked_add(distance), number.checked_sub(distance)]);
    let mut free = nearest.flatten().map(Ipv4Addr::from).filter(|other| block.contains(other) && !held.contains(other));
    free.next().map(PublicIp)
}

/// Every name of the file.
fn names(topology: &Topology) -> BTreeSet<String> {
    let steps = topology.steps.iter().flat_map(|step| &step.operations);
    let made = topology.initial.iter().chain(steps).filter_map(|operation| match &operation.value {
        Operation::CreateGroup(group) => Some(group.name.to_string()),
        Operation::Launch(launch) => Some(launch.name.to_string()),
        _ => None,
    });
    made.chain(topology.empty.hosts.keys().map(ToString::to_string)).collect()
}

fn add_host(topology: &mut Topology, taken: &BTreeSet<String>, name: &str, addresses: Vec<PublicIp>) {
    if addresses.is_empty() {
        return;
    }
    let mut free = (1..).map(|number| if number == 1 { name.to_owned() } else { format!("{name}-{number}") });
    if let Some(name) = free.find(|name| !taken.contains(name)) {
        topology.empty.hosts.insert(HostName::new(name), Host { addresses, place: None });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(hosts: &str, rule: &str) -> Vec<String> {
        let text = format!(
            "sglab: 1\nera: vpc\nhosts: {hosts}\ngroups: {{g: [{rule}]}}\ninstances: {{a: {{groups: g}}}}\n\
             tables: {{t: {{open: [any -> a:80]}}}}\nscenario: [{{step: s, expect: {{table: t}}}}]\n"
        );
        let topology = Topology::parse("t.yaml", text.as_bytes()).unwrap_or_else(|problems| panic!("{problems}"));
        topology.empty.hosts.iter().map(|(name, host)| format!("{name} {:?}", host.addresses)).collect()
    }

    #[test]
    fn a_host_with_a_rule_of_its_own_gets_a_neighbour_and_the_world_two_networks() {
        assert_eq!(
            hosts("{office: 203.0.113.10}", "tcp 80 from office"),
            ["office [203.0.113.10]", "office-neighbour [203.0.113.11]", "elsewhere [198.51.100.7, 192.0.2.99]"]
        );
    }

    #[test]
    fn what_the_file_names_itself_is_enough() {
        let written = "{office: 203.0.113.10, next-door: 203.0.113.77, world: [198.51.100.7, 192.0.2.99]}";
        assert_eq!(hosts(written, "tcp 80 from office").len(), 3);
        assert_eq!(hosts("{a-few: [203.0.113.10, 198.51.100.7]}", "tcp 80 from anywhere").len(), 1);
    }

    #[test]
    fn a_name_that_is_taken_is_left_alone() {
        let named = hosts("{elsewhere: 203.0.113.10}", "tcp 80 from anywhere");
        assert_eq!(named, ["elsewhere [203.0.113.10]", "elsewhere-2 [198.51.100.7]"]);
    }
}
