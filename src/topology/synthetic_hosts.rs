//! Outside addresses that an exhaustive table cannot do without, added where the file names none.
//!
//! A rule for one host is only shown to be for that host by its neighbour, and "anywhere" is only shown to be more
//! than one lucky address by two that have nothing in common.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use indexmap::IndexMap;
use ipnet::{IpNet, Ipv4Net};

use super::checked::Topology;
use super::problem::Span;
use super::steps::Step;
use crate::model::reserved_addresses::belongs;
use crate::model::{Host, HostIp, HostName, Mtu, Operation, Peer, PeerRequest};

/// Name of the addresses outside that a file need not make, unless it makes something else by this name.
pub(super) const ELSEWHERE: &str = "elsewhere";

/// The naming of these addresses by flows of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Elsewhere {
    #[default]
    Unnamed,
    /// By its last place.
    Named(Span),
}

/// Addresses of the three networks that are set aside for documentation, one each.
const UNRELATED: [Ipv4Addr; 3] =
    [Ipv4Addr::new(198, 51, 100, 7), Ipv4Addr::new(192, 0, 2, 99), Ipv4Addr::new(203, 0, 113, 250)];

/// And two for "anywhere" over IPv6: one of the block for documentation, and one of the real internet's range.
const UNRELATED_IPV6: [Ipv6Addr; 2] =
    [Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 7), Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 99)];

/// Adds what is missing: a neighbour for each host with a rule of its own, and a world of two networks.
pub(super) fn add(topology: &mut Topology, elsewhere: Elsewhere) {
    if topology.tables.is_empty() && elsewhere == Elsewhere::Unnamed {
        return;
    }
    let ruled = ruled(topology);
    let taken = names(topology);
    let hosts = if topology.tables.is_empty() { IndexMap::new() } else { topology.empty.hosts.clone() };
    for (name, host) in &hosts {
        let alone = host.addresses.iter().filter(|address| ruled.contains(&address.0)).filter(|address| {
            let mut others = held(topology).into_iter().filter(|other| !ruled.contains(other));
            !others.any(|other| near(other) == near(address.0))
        });
        let neighbours: Vec<HostIp> = alone.filter_map(|address| neighbour(topology, address.0)).collect();
        add_host(topology, &taken, &format!("{name}-neighbour"), neighbours);
    }
    let networks_near: BTreeSet<IpNet> = ruled.iter().filter_map(|address| near(*address)).collect();
    let far = |address: &IpAddr| near(*address).is_some_and(|block| !networks_near.contains(&block));
    let all_held = held(topology);
    let free = |address: &IpAddr| !all_held.contains(address);
    let held: Vec<IpAddr> = all_held.iter().copied().filter(far).collect();
    let outside = |address: &IpAddr| belongs(*address, &topology.empty.vpcs).is_none();
    // A file that names them means two, whoever else is outside.
    let held = if elsewhere != Elsewhere::Unnamed { Vec::new() } else { held };
    let unrelated = UNRELATED.map(IpAddr::V4).into_iter().filter(far).filter(free).filter(outside);
    let mut world = two_networks(held.iter().copied().filter(IpAddr::is_ipv4), unrelated, 16);
    if topology.empty.vpcs.values().any(|vpc| vpc.ipv6.is_some()) {
        let unrelated = UNRELATED_IPV6.map(IpAddr::V6).into_iter().filter(far).filter(free).filter(outside);
        world.extend(two_networks(held.iter().copied().filter(IpAddr::is_ipv6), unrelated, 32));
    }
    add_host(topology, &taken, ELSEWHERE, world);
}

impl Topology {
    /// The same, with the addresses outside that a flow of its own would have made by naming them.
    #[must_use]
    pub fn with_elsewhere(mut self) -> Self {
        if !self.empty.hosts.contains_key(&HostName::new(ELSEWHERE)) {
            add(&mut self, Elsewhere::Named(Span::default()));
        }
        self
    }
}

/// Takes as many of `more` as it needs to hold addresses of two networks of this length.
fn two_networks(held: impl Iterator<Item = IpAddr>, more: impl Iterator<Item = IpAddr>, length: u8) -> Vec<HostIp> {
    let mut networks: BTreeSet<IpNet> = held.filter_map(|address| block(address, length)).collect();
    let mut added = Vec::new();
    for address in more {
        if networks.len() < 2 && block(address, length).is_some_and(|block| networks.insert(block)) {
            added.push(HostIp(address));
        }
    }
    added
}

/// The addresses that some rule names one by one.
fn ruled(topology: &Topology) -> BTreeSet<IpAddr> {
    let steps = topology.steps.iter().flat_map(Step::operations);
    let permissions = topology.initial.iter().chain(steps).flat_map(|operation| match &operation.value {
        Operation::AuthorizeIngress(_, permissions) => permissions.as_slice(),
        _ => &[],
    });
    let peers = permissions.flat_map(|permission| &permission.peers);
    peers
        .filter_map(|(peer, _)| match peer {
            PeerRequest::Peer(Peer::Cidr(net)) if net.prefix_len() == net.max_prefix_len() => Some(net.addr()),
            _ => None,
        })
        .collect()
}

fn held(topology: &Topology) -> Vec<IpAddr> {
    topology.empty.hosts.values().flat_map(|host| &host.addresses).map(|address| address.0).collect()
}

fn block(address: IpAddr, length: u8) -> Option<IpNet> {
    IpNet::new(address, length).ok().map(|net| net.trunc())
}

/// The network in which somebody is a neighbour.
fn near(address: IpAddr) -> Option<IpNet> {
    block(address, if address.is_ipv4() { 24 } else { 64 })
}

/// The nearest address of the same network that a host can have and nobody holds.
fn neighbour(topology: &Topology, address: IpAddr) -> Option<HostIp> {
    let held = held(topology);
    let free = |other: &IpAddr| !held.contains(other) && belongs(*other, &topology.empty.vpcs).is_none();
    let address = match address {
        IpAddr::V4(address) => address,
        IpAddr::V6(address) => {
            let number = u128::from(address);
            let nearest = (1..256).flat_map(|distance| [number.checked_add(distance), number.checked_sub(distance)]);
            let others = nearest.flatten().map(|other| IpAddr::V6(Ipv6Addr::from(other)));
            return others
                .into_iter()
                .find(|other| near(*other) == near(IpAddr::V6(address)) && free(other))
                .map(HostIp);
        }
    };
    let block = Ipv4Net::new(address, 24).ok()?.trunc();
    let number = u32::from(address);
    let nearest = (1..256).flat_map(|distance| [number.checked_add(distance), number.checked_sub(distance)]);
    let mut others = nearest.flatten().map(Ipv4Addr::from).filter(|other| block.contains(other)).map(IpAddr::V4);
    others.find(|other| free(other)).map(HostIp)
}

/// Every name of the file.
fn names(topology: &Topology) -> BTreeSet<String> {
    let steps = topology.steps.iter().flat_map(Step::operations);
    let made = topology.initial.iter().chain(steps).filter_map(|operation| match &operation.value {
        Operation::CreateGroup(group) => Some(group.name.to_string()),
        Operation::Launch(launch) => Some(launch.name.to_string()),
        Operation::CreateLoadBalancer(balancer) => Some(balancer.name.to_string()),
        Operation::CreatePrefixList(list) => Some(list.name.to_string()),
        Operation::AllocateAddress(name) => Some(name.to_string()),
        _ => None,
    });
    made.chain(topology.empty.hosts.keys().map(ToString::to_string)).collect()
}

fn add_host(topology: &mut Topology, taken: &BTreeSet<String>, name: &str, addresses: Vec<HostIp>) {
    if addresses.is_empty() {
        return;
    }
    let mut free = (1..).map(|number| if number == 1 { name.to_owned() } else { format!("{name}-{number}") });
    if let Some(name) = free.find(|name| !taken.contains(name)) {
        topology.empty.hosts.insert(HostName::new(name), Host { addresses, mtu: Mtu::ETHERNET, place: None });
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
    fn no_neighbour_has_an_address_that_no_host_may_have() {
        assert_eq!(
            hosts("{office: '2001:db8::'}", "tcp 80 from office"),
            ["office [2001:db8::]", "office-neighbour [2001:db8::2]", "elsewhere [198.51.100.7, 192.0.2.99]"]
        );
    }

    #[test]
    fn what_the_file_names_itself_is_enough() {
        let written = "{office: 203.0.113.10, next-door: 203.0.113.77, world: [198.51.100.7, 192.0.2.99]}";
        assert_eq!(hosts(written, "tcp 80 from office").len(), 3);
        assert_eq!(hosts("{a-few: [203.0.113.10, 198.51.100.7]}", "tcp 80 from anywhere").len(), 1);
    }

    /// The hosts of a file whose one step opens a flow, without a table.
    fn named(head: &str, flow: &str) -> Vec<String> {
        let text = format!(
            "sglab: 1\nera: vpc\n{head}\ngroups: {{g: [tcp 80 from anywhere]}}\ninstances: {{a: {{groups: g}}}}\n\
             scenario: [{{step: s, expect: {{open: ['{flow}']}}}}]\n"
        );
        let topology = Topology::parse("t.yaml", text.as_bytes()).unwrap_or_else(|problems| panic!("{problems}"));
        topology.empty.hosts.iter().map(|(name, host)| format!("{name} {:?}", host.addresses)).collect()
    }

    #[test]
    fn elsewhere_is_there_where_a_flow_names_it() {
        let two = "elsewhere [198.51.100.7, 192.0.2.99]";
        assert_eq!(named("", "elsewhere -> a:80"), [two]);
        let world = "hosts: {world: [198.51.100.7, 203.0.113.1]}";
        let others = "elsewhere [192.0.2.99, 203.0.113.250]";
        assert_eq!(named(world, "elsewhere -> a:80"), ["world [198.51.100.7, 203.0.113.1]", others]);
        assert_eq!(named("", "a -> elsewhere:443"), [two]);
        let dual = named("vpcs: {main: {cidr: 10.0.0.0/16, ipv6: yes}}", "a -> elsewhere:443 by ipv6 address");
        assert_eq!(dual, ["elsewhere [198.51.100.7, 192.0.2.99, 2001:db8:ffff::7, 3fff::63]"]);
    }

    #[test]
    fn a_name_that_is_taken_is_left_alone() {
        let named = hosts("{elsewhere: 203.0.113.10}", "tcp 80 from anywhere");
        assert_eq!(named, ["elsewhere [203.0.113.10]", "elsewhere-2 [198.51.100.7]"]);
    }
}
