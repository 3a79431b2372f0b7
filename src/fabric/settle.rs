//! Waiting until links carry packets, and until addresses take them.
//!
//! The kernel gives the side of a veth that was up first its queue later, by a worker of its own, and drops what is sent
//! before without a word. Newer kernels do that before they answer a question about the link; older ones only tell of it
//! once it is done. An IPv6 address gets its local route later too, by another worker: a packet that comes before finds no
//! holder and is dropped, also in silence. So the answer is looked at, and the news is waited for.

use std::fmt;
use std::io;
use std::net::Ipv6Addr;
use std::os::fd::AsFd;

use netlink_packet_core::{NLM_F_REQUEST, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::AddressFamily;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{LinkAttribute, LinkExtentMask, LinkMessage, State};
use netlink_packet_route::route::{RouteAddress, RouteAttribute, RouteMessage, RouteType};
use netlink_sys::constants::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};
use nix::sys::socket::{setsockopt, sockopt};
use nix::sys::time::{TimeVal, TimeValLike};
use rtnetlink::LinkUnspec;

use super::netlink::Refused;

/// The kernel's group of news about links (`RTNLGRP_LINK`).
const NEWS_OF_LINKS: u32 = 1;
/// The kernel's group of news about IPv6 routes (`RTNLGRP_IPV6_ROUTE`).
const NEWS_OF_ROUTES: u32 = 11;
/// How long a link or an address may take before something is wrong with it, in seconds.
const PATIENCE: i64 = 5;
/// So many questions before their answers are read: these must fit the receive buffer.
const AT_ONCE: usize = 32;

/// What is waited for in a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fact {
    /// A link is up, by its index and name.
    Link(u32, String),
    /// What comes to an address is taken.
    Address(Ipv6Addr),
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Link(_, name) => write!(f, "the link {name} come up"),
            Self::Address(address) => write!(f, "the address {address} take effect"),
        }
    }
}

/// Waits until all of it is so. Runs on a thread inside the namespace.
pub(super) fn settle(facts: &[Fact]) -> Result<(), Refused> {
    for facts in facts.chunks(AT_ONCE) {
        let mut waiting = facts.to_vec();
        let settled = wait(&mut waiting);
        settled.map_err(|source| {
            let facts: Vec<String> = waiting.iter().map(ToString::to_string).collect();
            Refused { attempt: format!("see {}", facts.join(", ")), source }
        })?;
    }
    Ok(())
}

fn wait(waiting: &mut Vec<Fact>) -> io::Result<()> {
    let mut socket = Socket::new(NETLINK_ROUTE)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    // The news first and then the question: what happens in between is not missed.
    socket.add_membership(NEWS_OF_LINKS)?;
    socket.add_membership(NEWS_OF_ROUTES)?;
    setsockopt(&socket.as_fd(), sockopt::ReceiveTimeout, &TimeVal::seconds(PATIENCE))?;
    let mut bytes = Vec::new();
    for fact in waiting.iter() {
        let mut message = NetlinkMessage::from(question(fact));
        message.header.flags = NLM_F_REQUEST;
        message.header.sequence_number = match fact {
            Fact::Link(..) => ABOUT_A_LINK,
            Fact::Address(_) => ABOUT_AN_ADDRESS,
        };
        message.finalize();
        let start = bytes.len();
        bytes.resize(start + message.buffer_len().next_multiple_of(4), 0);
        message.serialize(&mut bytes[start..]);
    }
    socket.send(&bytes, 0)?;
    while !waiting.is_empty() {
        let (buffer, _) = socket.recv_from_full()?;
        let mut rest = &buffer[..];
        while !rest.is_empty() {
            let answer = NetlinkMessage::<RouteNetlinkMessage>::deserialize(rest).map_err(io::Error::other)?;
            let length = (answer.header.length as usize).next_multiple_of(4).max(16).min(rest.len());
            rest = &rest[length..];
            match answer.payload {
                NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(link)) if is_up(&link) => {
                    waiting.retain(|fact| !matches!(fact, Fact::Link(index, _) if *index == link.header.index));
                }
                NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewRoute(route)) => {
                    let taken = taken(&route);
                    waiting.retain(|fact| !matches!(fact, Fact::Address(address) if Some(*address) == taken));
                }
                // That no route leads to the address yet is an answer too.
                NetlinkPayload::Error(_) if answer.header.sequence_number == ABOUT_AN_ADDRESS => {}
                NetlinkPayload::Error(error) if error.code.is_some() => return Err(error.to_io()),
                _ => {}
            }
        }
    }
    Ok(())
}

/// The sequence numbers of the questions, by what they are about; news has none.
const ABOUT_A_LINK: u32 = 1;
const ABOUT_AN_ADDRESS: u32 = 2;

fn question(fact: &Fact) -> RouteNetlinkMessage {
    match fact {
        Fact::Link(index, _) => {
            let mut question = LinkUnspec::new_with_index(*index).build();
            question.attributes.push(LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats]));
            RouteNetlinkMessage::GetLink(question)
        }
        Fact::Address(address) => {
            let mut question = RouteMessage::default();
            question.header.address_family = AddressFamily::Inet6;
            question.header.destination_prefix_length = 128;
            question.attributes.push(RouteAttribute::Destination(RouteAddress::Inet6(*address)));
            RouteNetlinkMessage::GetRoute(question)
        }
    }
}

/// The address that a route takes packets for.
fn taken(route: &RouteMessage) -> Option<Ipv6Addr> {
    if route.header.kind != RouteType::Local {
        return None;
    }
    route.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Destination(RouteAddress::Inet6(address)) => Some(*address),
        _ => None,
    })
}

fn is_up(link: &LinkMessage) -> bool {
    link.attributes.iter().any(|attribute| matches!(attribute, LinkAttribute::OperState(State::Up)))
}
