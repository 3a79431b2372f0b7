//! Every name, number and address that the compiler gives, written once.

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::Ipv6Net;

pub use crate::model::INTERNET_ADDRESS_IPV6;
use crate::model::{
    Direction, GATEWAYS_IPV6, GroupName, HostName, InstanceName, InterfaceHolder, InterfaceId, LoadBalancerName,
    OwnBox, PrefixListName, VpcName,
};
use crate::network::{LinkName, NodeName};

/// The node that routes public addresses.
pub const INTERNET: &str = "internet";
/// The router's interface to its gateway.
pub const GW: &str = "gw";
/// The router's interface to its canary.
pub const CANARY: &str = "canary";
/// The gateway's interface to its router.
pub const GATEWAY_INSIDE: &str = "vpc";
/// The gateway's interface to the internet.
pub const GATEWAY_OUTSIDE: &str = "internet";

/// The router's address: the on-link gateway of every instance.
pub const ROUTER_ADDRESS: Ipv4Addr = Ipv4Addr::new(169, 254, 1, 1);
/// The router's IPv6 address, as the on-link gateway of every instance and of the gateway. On every link the upper or
/// nearer box has it: it is a name for "the other end", held by nobody, with a permanent neighbour.
pub const NEXT_HOP_IPV6: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
/// The same for the box nearer to the instances.
pub const BACK_HOP_IPV6: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2);
/// The gateway's address towards its router; canary packets come from here.
pub const GATEWAY_ADDRESS: Ipv4Addr = Ipv4Addr::new(169, 254, 2, 2);
/// As many VPCs as a lab has numbers for: the indexes of hosts' links come behind those of gateways' in the internet.
pub const MOST_VPCS: usize = 999;
/// The address of a VPC's gateway towards the internet. Each has its own, since a kernel drops a packet that comes from an address
/// of its own: one gateway's errors would not pass another. Numbers begin at 1 and end at [`MOST_VPCS`].
#[must_use]
pub const fn gateway_outside_address(number: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(Ipv4Addr::new(169, 254, 8, 0).to_bits() + number)
}
/// The IPv6 address of a VPC's gateway, of its own as well, from which its errors come.
#[must_use]
pub fn gateway_ipv6(number: u32) -> Ipv6Addr {
    Ipv6Addr::from_bits(GATEWAYS_IPV6.network().to_bits() + u128::from(number))
}
/// The internet's address on every one of its links.
pub const INTERNET_ADDRESS: Ipv4Addr = Ipv4Addr::new(169, 254, 3, 1);
/// The canary's address.
pub const CANARY_ADDRESS: Ipv4Addr = Ipv4Addr::new(169, 254, 4, 1);
/// The canary's UDP port that is known to be open.
pub const CANARY_OPEN_PORT: u16 = 7;
/// A UDP port of the canary that is known to be dropped.
pub const CANARY_DROPPED_PORT: u16 = 9;

/// The set of the addresses that may come out of each interface.
pub const SOURCES: &str = "sources";
/// The same of IPv6.
pub const SOURCES_IPV6: &str = "sources-ipv6";
/// The set of the interfaces that may send what is not their own.
pub const UNCHECKED: &str = "unchecked";
/// The set of the interfaces that routes lead to and that take only what is their own.
pub const CHECKED: &str = "checked";
/// The set of the addresses, protocols and ports of the services that groups never filter.
pub const SERVICES: &str = "services";
/// The same of IPv6.
pub const SERVICES_IPV6: &str = "services-ipv6";
/// Flows of UDP that are no streams, while the kernel takes them for some: their ids.
pub const UDP_SLOW: &str = "udp-slow";

/// Each address of the cloud twice, by which an error is known to come from whom the packet was for.
pub const ENDS: &str = "ends";
/// Flows that have come to an interface which passes them on: interface, id.
pub const ON_THE_WAY: &str = "on-the-way";
/// The chain of packets that found no room in a set that packets fill.
pub const NO_ROOM: &str = "no-room";
/// Counts those of which there is a record.
pub const NO_ROOM_TOLD: &str = "no-room-told";
/// The flows of each interface that are tracked.
pub const CONNECTIONS: &str = "connections";
/// Those of each source outside.
pub const CONNECTIONS_FROM: &str = "connections-from";
/// Counts those that are too many and of which there is a record.
pub const CONNECTIONS_TOLD: &str = "connections-told";
/// Counts the fragments of each link.
pub const FRAGMENTS: &str = "fragment-pieces";
/// Counts their bytes.
pub const FRAGMENT_BYTES: &str = "fragment-bytes";
/// Counts those of which there is a record.
pub const FRAGMENTS_TOLD: &str = "fragments-told";

/// The set that is always empty.
pub const NOBODY: &str = "nobody";
/// The chain of every interface of an era without egress rules.
pub const OPEN_EGRESS: &str = "from/any";
/// The base chain that asks for egress once more.
pub const AGAIN: &str = "egress-again";
/// The base chain that remembers what the sender's end has admitted, behind its verdict.
pub const REMEMBER_SENT: &str = "remember-sent";
/// The base chain that remembers what the receiver's end has admitted, behind its verdict.
pub const REMEMBER_RECEIVED: &str = "remember-received";
/// The rule of a base chain that admits packets of flows which its end tracks.
pub const TRACKED: &str = "tracked";
/// The chain that answers for addresses that nobody holds.
pub const UNREACHABLE: &str = "unreachable";
/// The chain by which a router is no hop.
pub const UNCOUNTED: &str = "uncounted";
/// The gateway's map from private to public addresses.
pub const PUBLIC_OF: &str = "public-of";
/// The gateway's set of private addresses that have a public one.
pub const TRANSLATED: &str = "translated";
/// Set of a gateway: IPv6 addresses of the interfaces behind it, from which alone something leaves.
pub const HELD_IPV6: &str = "held-ipv6";

/// An interface name is at most this long in the kernel.
pub const LONGEST_INTERFACE: usize = 15;

/// The IPv6 address of a VPC's router: the first of its block.
pub fn router_ipv6(block: Ipv6Net) -> Ipv6Addr {
    Ipv6Addr::from(u128::from(block.network()) + 1)
}

/// The chain that judges packets that begin a flow, at one end.
pub fn new_flows(direction: Direction) -> String {
    format!("{direction}-new")
}

/// The chain of flows that began without the holder of an address, at one end.
pub fn doubted(direction: Direction) -> String {
    format!("doubted-{direction}")
}

/// The chain of ICMP errors about flows in connection tracking, at one end.
pub fn related(direction: Direction) -> String {
    format!("related-{direction}")
}

/// The chain that finds out who speaks of a flow, at one end.
pub fn errors(direction: Direction) -> String {
    format!("errors-{direction}")
}

/// The node of a VPC's router and filter.
pub fn router(vpc: &VpcName) -> NodeName {
    NodeName(OwnBox::Router.of(vpc))
}

/// The node of a VPC's gateway.
pub fn gateway(vpc: &VpcName) -> NodeName {
    NodeName(OwnBox::Gateway.of(vpc))
}

/// The node of a VPC's canary.
pub fn canary(vpc: &VpcName) -> NodeName {
    NodeName(OwnBox::Canary.of(vpc))
}

/// The node of the internet.
pub fn internet() -> NodeName {
    NodeName(INTERNET.to_owned())
}

/// The node of an instance.
pub fn instance(name: &InstanceName) -> NodeName {
    NodeName(name.to_string())
}

/// The node of a load balancer.
pub fn load_balancer(name: &LoadBalancerName) -> NodeName {
    NodeName(name.to_string())
}

/// The node of a host.
pub fn host(name: &HostName) -> NodeName {
    NodeName(name.to_string())
}

/// The node of who holds an interface.
pub fn holder(holder: &InterfaceHolder) -> NodeName {
    match holder {
        InterfaceHolder::Instance(name) => instance(name),
        InterfaceHolder::LoadBalancer(name) => load_balancer(name),
    }
}

/// The link that ends in this interface of this lower node.
pub fn link(lower: &NodeName, interface: &str) -> LinkName {
    LinkName(format!("{lower}.{interface}"))
}

/// The name of an instance's link as its VPC's router sees it: the instance's name where the kernel can hold it.
pub fn port(id: &InterfaceId, number: u32) -> String {
    let holder = id.holder();
    let name = holder.as_str();
    // The kernel keeps "all" and "default" for its settings.
    let reserved = matches!(name, "lo" | "all" | "default" | GW | CANARY);
    if id.device() == 0 && !reserved && name.len() <= LONGEST_INTERFACE {
        name.to_owned()
    } else {
        shortened(name, number)
    }
}

/// The index of an instance's link in its VPC's router, by which a log record names it.
pub fn port_index(number: u32) -> u32 {
    100 + number
}

/// A gateway's link as the internet sees it; `number` counts VPCs from 1.
pub fn gateway_port(vpc: &VpcName, number: u32) -> String {
    let name = format!("gw-{vpc}");
    if name.len() <= LONGEST_INTERFACE { name } else { shortened(&name, number) }
}

/// A host's link as the internet sees it; `number` counts hosts from 1.
pub fn host_port(host: &str, number: u32) -> String {
    let reserved = matches!(host, "lo" | "all" | "default") || host.starts_with("gw-");
    // An address is the name of a host that is there while somebody asks for it.
    if !reserved && host.len() <= LONGEST_INTERFACE && !host.contains(['.', ':']) {
        host.to_owned()
    } else {
        shortened(&host.trim_start_matches("gw-").replace(['.', ':'], "-"), number)
    }
}

/// The start of a name and its number: unique among the names that are shortened, at most 15 bytes. No name of a file has a dot.
fn shortened(name: &str, number: u32) -> String {
    let tail = format!(".{number}");
    let room = (LONGEST_INTERFACE - tail.len()).min(9);
    let head: String = name.chars().take(room).collect();
    head + &tail
}

/// Owner of a hardware address.
#[derive(Clone, Copy, Debug)]
pub enum Wire {
    /// An instance's interface, by its number.
    Instance = 0,
    /// A router's link to its gateway.
    Gateway = 1,
    /// A gateway's link to the internet.
    Internet = 2,
    /// A host's link.
    Host = 3,
    /// A canary's link.
    Canary = 4,
}

/// The hardware addresses of the upper and the lower end of a link: locally administered, and different everywhere.
pub fn macs(wire: Wire, number: u32) -> ([u8; 6], [u8; 6]) {
    let [_, a, b, c] = number.to_be_bytes();
    ([0x02, wire as u8, 0, a, b, c], [0x02, wire as u8, 1, a, b, c])
}

/// The set of a group's member addresses.
pub fn members(group: &GroupName) -> String {
    format!("members/{group}")
}

/// The set of a group's member addresses of IPv6.
pub fn members_ipv6(group: &GroupName) -> String {
    format!("members-ipv6/{group}")
}

/// The set of a prefix list's entries.
pub fn prefixes(list: &PrefixListName) -> String {
    format!("prefixes/{list}")
}

/// The set of the tokens that each interface has to pay with for what is remembered of a kind.
pub fn share(kind: &str) -> String {
    format!("{kind}-share")
}

/// The chain that remembers a packet in a set, at one end.
pub fn keeping(set: &str, end: Direction) -> String {
    format!("keep-{set}-{end}")
}
