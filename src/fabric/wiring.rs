//! Links, addresses, neighbours and routes, as netlink requests. There is no ARP: every neighbour is permanent.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::AsRawFd;
use std::os::fd::OwnedFd;

use ipnet::IpNet;
use netlink_packet_route::AddressFamily;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::{AddressAttribute, AddressFlags, AddressMessage};
use netlink_packet_route::link::{InfoData, InfoVeth, LinkMessage};
use netlink_packet_route::neighbour::{NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState};
use netlink_packet_route::route::{RouteAttribute, RouteHeader, RouteMessage, RouteMetric, RouteScope, RouteType};
use netlink_packet_route::rule::{RuleAction, RuleAttribute, RuleMessage};
use rtnetlink::{LinkMessageBuilder, LinkUnspec, LinkVeth, RouteMessageBuilder};

use super::netlink::Request;
use crate::network::{End, Families, Link, Policy, Route, Selected, Table, Way};

type RouteRequest = Request<RouteNetlinkMessage>;

/// The index of `lo` in every namespace.
const LOOPBACK: u32 = 1;

/// Sets `lo` up. Before any neighbour is resolved: without a local routing table the kernel takes every address for
/// a broadcast, makes silent neighbours of all ones, and TCP dies without a word.
pub(super) fn loopback_up() -> RouteRequest {
    link_up(LOOPBACK, "lo")
}

fn link_up(index: u32, name: &str) -> RouteRequest {
    let message = LinkUnspec::new_with_index(index).up().build();
    Request::change(format!("set link {name} up"), RouteNetlinkMessage::SetLink(message))
}

/// Makes a veth pair from inside its upper namespace; the lower side is born in its own.
pub(super) fn add_link(link: &Link, lower: &OwnedFd) -> RouteRequest {
    let peer = LinkMessageBuilder::<LinkUnspec>::new()
        .name(link.lower.interface.clone())
        .index(link.lower.index)
        .address(link.lower.mac.to_vec())
        .mtu(link.lower.mtu.0.into())
        .setns_by_fd(lower.as_raw_fd())
        .build();
    // The lower side is set up from inside its namespace: in this message the kernel refuses it.
    let message: LinkMessage = LinkVeth::new(&link.upper.interface, &link.lower.interface)
        .index(link.upper.index)
        .address(link.upper.mac.to_vec())
        .mtu(link.upper.mtu.0.into())
        .up()
        .set_info_data(InfoData::Veth(InfoVeth::Peer(peer)))
        .build();
    Request::create(
        format!("add link {} to {}", link.upper.interface, link.lower.node),
        RouteNetlinkMessage::NewLink(message),
    )
}

/// Takes a veth pair away, from inside its upper namespace.
pub(super) fn remove_link(link: &Link) -> RouteRequest {
    remove_interface(link.upper.index, &link.upper.interface)
}

/// Takes an interface away, by its index.
pub(super) fn remove_interface(index: u32, name: &str) -> RouteRequest {
    let message = LinkUnspec::new_with_index(index).build();
    Request::change(format!("delete link {name}"), RouteNetlinkMessage::DelLink(message))
}

/// Gives an interface a name that nobody has. It must be down for that.
pub(super) fn rename_interface(index: u32) -> Vec<RouteRequest> {
    let down = LinkUnspec::new_with_index(index).down().build();
    // The kernel puts the number in.
    let named = LinkUnspec::new_with_index(index).name("own%d".to_owned()).build();
    let up = LinkUnspec::new_with_index(index).up().build();
    let request = |message| Request::change(format!("rename link {index}"), RouteNetlinkMessage::SetLink(message));
    [down, named, up].into_iter().map(request).collect()
}

/// The addresses and neighbours of one side, from inside its namespace; `bring_up` for the lower side.
pub(super) fn dress_end(end: &End, bring_up: bool) -> Vec<RouteRequest> {
    let mut requests = Vec::new();
    if bring_up {
        requests.push(link_up(end.index, &end.interface));
    }
    for address in &end.addresses {
        requests.push(add_address(end.index, *address));
    }
    for (address, mac) in &end.neighbours {
        requests.push(add_neighbour(end.index, *address, *mac));
    }
    requests
}

fn add_address(index: u32, address: IpAddr) -> RouteRequest {
    let mut message = AddressMessage::default();
    message.header.index = index;
    message.attributes = vec![AddressAttribute::Local(address), AddressAttribute::Address(address)];
    match address {
        IpAddr::V4(_) => (message.header.family, message.header.prefix_len) = (AddressFamily::Inet, 32),
        IpAddr::V6(_) => {
            (message.header.family, message.header.prefix_len) = (AddressFamily::Inet6, 128);
            // Nobody else can have it, so it is usable at once.
            message.attributes.push(AddressAttribute::Flags(AddressFlags::Nodad));
        }
    }
    Request::create(format!("add address {address}"), RouteNetlinkMessage::NewAddress(message))
}

fn add_neighbour(index: u32, address: IpAddr, mac: [u8; 6]) -> RouteRequest {
    let mut message = NeighbourMessage::default();
    let (family, neighbour) = match address {
        IpAddr::V4(address) => (AddressFamily::Inet, NeighbourAddress::Inet(address)),
        IpAddr::V6(address) => (AddressFamily::Inet6, NeighbourAddress::Inet6(address)),
    };
    message.header.family = family;
    message.header.ifindex = index;
    message.header.state = NeighbourState::Permanent;
    message.attributes =
        vec![NeighbourAttribute::Destination(neighbour), NeighbourAttribute::LinkLayerAddress(mac.to_vec())];
    Request::create(format!("add neighbour {address}"), RouteNetlinkMessage::NewNeighbour(message))
}

/// Adds a route.
pub(super) fn add_route(route: &Route) -> RouteRequest {
    Request::create(format!("add route {}", route.destination), RouteNetlinkMessage::NewRoute(route_message(route)))
}

/// Takes a route away.
pub(super) fn remove_route(route: &Route) -> RouteRequest {
    Request::change(format!("delete route {}", route.destination), RouteNetlinkMessage::DelRoute(route_message(route)))
}

/// Before the main table's own rule, which has 32766.
const POLICY_PRIORITY: u32 = 1000;

/// Adds a policy, in every family that it is for.
pub(super) fn add_policy(policy: &Policy, families: Families) -> Vec<RouteRequest> {
    let request = |message| Request::create("add a routing policy".to_owned(), RouteNetlinkMessage::NewRule(message));
    policy_messages(policy, families).into_iter().map(request).collect()
}

/// Takes a policy away.
pub(super) fn remove_policy(policy: &Policy, families: Families) -> Vec<RouteRequest> {
    let request =
        |message| Request::change("delete a routing policy".to_owned(), RouteNetlinkMessage::DelRule(message));
    policy_messages(policy, families).into_iter().map(request).collect()
}

fn policy_messages(policy: &Policy, families: Families) -> Vec<RuleMessage> {
    let message = |family: AddressFamily, attribute: RuleAttribute, prefix: u8| {
        let mut message = RuleMessage::default();
        message.header.family = family;
        message.header.table = header_table(policy.table);
        message.header.action = RuleAction::ToTable;
        message.header.src_len = prefix;
        let table = RuleAttribute::Table(policy.table.0);
        message.attributes = vec![attribute, table, RuleAttribute::Priority(POLICY_PRIORITY)];
        message
    };
    match &policy.of {
        Selected::Source(block) => {
            let family = if block.addr().is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
            vec![message(family, RuleAttribute::Source(block.addr()), block.prefix_len())]
        }
        Selected::From(interface) => {
            let of = |family| message(family, RuleAttribute::Iifname(interface.clone()), 0);
            match families {
                Families::Ipv4 => vec![of(AddressFamily::Inet)],
                Families::Both => vec![of(AddressFamily::Inet), of(AddressFamily::Inet6)],
            }
        }
    }
}

/// The table as a header names it: "unspecified" where only the attribute has room for its number.
fn header_table(table: Table) -> u8 {
    u8::try_from(table.0).unwrap_or(RouteHeader::RT_TABLE_UNSPEC)
}

/// The headers of a TCP segment without options.
const TCP_HEADERS_IPV4: u16 = 40;
const TCP_HEADERS_IPV6: u16 = 60;

fn route_message(route: &Route) -> RouteMessage {
    let mut message = main_route_message(route);
    if route.table != Table::default() {
        message.header.table = header_table(route.table);
        message.attributes.push(RouteAttribute::Table(route.table.0));
    }
    if let Some(limit) = route.limit {
        let headers = if route.destination.addr().is_ipv4() { TCP_HEADERS_IPV4 } else { TCP_HEADERS_IPV6 };
        let segment = limit.interface.0.saturating_sub(headers);
        let metrics = vec![RouteMetric::Mtu(limit.mtu.0.into()), RouteMetric::Advmss(segment.into())];
        message.attributes.push(RouteAttribute::Metrics(metrics));
    }
    message
}

fn main_route_message(route: &Route) -> RouteMessage {
    match route.destination {
        IpNet::V4(net) => {
            let builder = RouteMessageBuilder::<Ipv4Addr>::new().destination_prefix(net.addr(), net.prefix_len());
            match route.way {
                Way::Gateway { index, gateway, source } => {
                    let builder = builder.output_interface(index).onlink();
                    let builder = if let IpAddr::V4(gateway) = gateway { builder.gateway(gateway) } else { builder };
                    if let Some(IpAddr::V4(source)) = source { builder.pref_source(source) } else { builder }
                }
                Way::Delegated { index, to } => match to {
                    IpAddr::V4(to) => builder.output_interface(index).onlink().gateway(to),
                    IpAddr::V6(_) => builder.output_interface(index),
                },
                Way::Local { index } => builder.output_interface(index).scope(RouteScope::Host).kind(RouteType::Local),
                Way::Link { index } => builder.output_interface(index).scope(RouteScope::Link),
                Way::Unreachable => builder.kind(RouteType::Unreachable),
                Way::Main => builder.kind(RouteType::Throw),
            }
            .build()
        }
        IpNet::V6(net) => {
            let builder = RouteMessageBuilder::<Ipv6Addr>::new().destination_prefix(net.addr(), net.prefix_len());
            match route.way {
                Way::Gateway { index, gateway, source } => {
                    let builder = builder.output_interface(index).onlink();
                    let builder = if let IpAddr::V6(gateway) = gateway { builder.gateway(gateway) } else { builder };
                    if let Some(IpAddr::V6(source)) = source { builder.pref_source(source) } else { builder }
                }
                Way::Delegated { index, to } => match to {
                    IpAddr::V6(to) => builder.output_interface(index).onlink().gateway(to),
                    IpAddr::V4(_) => builder.output_interface(index),
                },
                Way::Local { index } => builder.output_interface(index).kind(RouteType::Local),
                Way::Link { index } => builder.output_interface(index),
                Way::Unreachable => builder.kind(RouteType::Unreachable),
                Way::Main => builder.kind(RouteType::Throw),
            }
            .build()
        }
    }
}
