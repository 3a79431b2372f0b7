//! Links, addresses, neighbours and routes, as netlink requests. There is no ARP: every neighbour is permanent.

use std::net::Ipv4Addr;
use std::os::fd::AsRawFd;
use std::os::fd::OwnedFd;

use netlink_packet_route::AddressFamily;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::link::{InfoData, InfoVeth, LinkAttribute, LinkExtentMask, LinkMessage};
use netlink_packet_route::neighbour::{NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState};
use netlink_packet_route::route::{RouteMessage, RouteScope, RouteType};
use rtnetlink::{LinkMessageBuilder, LinkUnspec, LinkVeth, RouteMessageBuilder};

use super::netlink::Request;
use crate::compile::network::{End, Link, Route, Way};

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
        .setns_by_fd(lower.as_raw_fd())
        .build();
    // The lower side is set up from inside its namespace: in this message the kernel refuses it.
    let message: LinkMessage = LinkVeth::new(&link.upper.interface, &link.lower.interface)
        .index(link.upper.index)
        .address(link.upper.mac.to_vec())
        .up()
        .set_info_data(InfoData::Veth(InfoVeth::Peer(peer)))
        .build();
    Request::create(
        format!("add link {} to {}", link.upper.interface, link.lower.node),
        RouteNetlinkMessage::NewLink(message),
    )
}

/// Asks about the upper side of a link once the lower one is up. The kernel gives the side that was up first its queue
/// later, by a worker of its own, and drops what is sent before, without a word; before it answers this, it has done so.
pub(super) fn settle_link(link: &Link) -> RouteRequest {
    let mut message = LinkUnspec::new_with_index(link.upper.index).build();
    message.attributes.push(LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats]));
    Request::change(format!("ask about link {}", link.upper.interface), RouteNetlinkMessage::GetLink(message))
}

/// Takes a veth pair away, from inside its upper namespace.
pub(super) fn remove_link(link: &Link) -> RouteRequest {
    let message = LinkUnspec::new_with_index(link.upper.index).build();
    Request::change(format!("delete link {}", link.upper.interface), RouteNetlinkMessage::DelLink(message))
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

fn add_address(index: u32, address: Ipv4Addr) -> RouteRequest {
    let mut message = AddressMessage::default();
    message.header.family = AddressFamily::Inet;
    message.header.prefix_len = 32;
    message.header.index = index;
    message.attributes = vec![AddressAttribute::Local(address.into()), AddressAttribute::Address(address.into())];
    Request::create(format!("add address {address}"), RouteNetlinkMessage::NewAddress(message))
}

fn add_neighbour(index: u32, address: Ipv4Addr, mac: [u8; 6]) -> RouteRequest {
    let mut message = NeighbourMessage::default();
    message.header.family = AddressFamily::Inet;
    message.header.ifindex = index;
    message.header.state = NeighbourState::Permanent;
    message.attributes = vec![
        NeighbourAttribute::Destination(NeighbourAddress::Inet(address)),
        NeighbourAttribute::LinkLayerAddress(mac.to_vec()),
    ];
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

fn route_message(route: &Route) -> RouteMessage {
    let builder = RouteMessageBuilder::<Ipv4Addr>::new()
        .destination_prefix(route.destination.addr(), route.destination.prefix_len());
    match route.way {
        Way::Gateway { index, gateway, source } => {
            let builder = builder.output_interface(index).gateway(gateway).onlink();
            match source {
                Some(source) => builder.pref_source(source),
                None => builder,
            }
        }
        Way::Link { index } => builder.output_interface(index).scope(RouteScope::Link),
        Way::Unreachable => builder.kind(RouteType::Unreachable),
    }
    .build()
}
