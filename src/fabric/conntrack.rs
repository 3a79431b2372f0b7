//! Tracked flows: the flows of an address are forgotten when it leaves its holder.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use ipnet::IpNet;
use netlink_packet_netfilter::conntrack::{ConntrackAttribute, ConntrackMessage, IPTuple, ProtoTuple, Tuple};
use netlink_packet_netfilter::{NetfilterHeader, NetfilterMessage, NetfilterMessageInner, NetfilterProtoFamily};

use super::error::FabricError;
use super::faults::Faults;
use super::kernel::in_node;
use super::namespace::Namespace;
use super::netlink::{self, Excuse, Refused, Request};
use super::packet;
use crate::network::NodeName;

/// `NETLINK_NETFILTER`.
const PROTOCOL: isize = netlink_sys::constants::NETLINK_NETFILTER;
pub(super) const LIST: &str = "list tracked flows";
/// `NFNL_SUBSYS_CTNETLINK`.
pub(super) const SUBSYSTEM: u8 = 1;

/// A tracked flow of a family, as its first packet had it.
pub(super) type Flow = (NetfilterProtoFamily, Vec<ConntrackAttribute>);

/// Refusal to forget flows, and whether some were forgotten.
#[derive(Debug)]
pub(super) struct NotForgotten {
    pub refused: Refused,
    /// True if some are forgotten: they do not come back, so this cannot be taken back.
    pub some_are: bool,
}

/// Returns true if an address is one of those in some blocks, of which few are more than one address.
fn is_within(blocks: &HashSet<IpNet>, address: IpAddr) -> bool {
    let is_whole = |block: &&IpNet| block.prefix_len() < block.max_prefix_len();
    blocks.contains(&IpNet::from(address)) || blocks.iter().filter(is_whole).any(|block| block.contains(&address))
}

/// Finds every flow that has one of the addresses at either end, before or after translation. Runs on a thread inside
/// the namespace.
pub(super) fn find(addresses: &HashSet<IpNet>) -> Result<Vec<Flow>, Refused> {
    let wanted = |attributes: &[ConntrackAttribute]| {
        attributes.iter().any(|attribute| match attribute {
            ConntrackAttribute::CtaTupleOrig(tuples) | ConntrackAttribute::CtaTupleReply(tuples) => {
                ends(tuples).any(|address| is_within(addresses, address))
            }
            _ => false,
        })
    };
    find_where(&wanted)
}

/// Forgets flows that were found. Runs on a thread inside the namespace.
pub(super) fn forget(
    faults: &Faults,
    node: &NodeName,
    addresses: &HashSet<IpNet>,
    mut found: Vec<Flow>,
) -> Result<(), NotForgotten> {
    let all = found.len();
    loop {
        let requests = found.into_iter().map(|flow| deletion(flow).counted(faults, node)).collect();
        match netlink::request(PROTOCOL, requests) {
            Ok(()) => return Ok(()),
            // One ended by itself between the list and the deletion.
            Err(refused) if refused.source.raw_os_error() == Some(libc::ENOENT) => {
                found = find(addresses).map_err(|refused| NotForgotten { refused, some_are: true })?;
            }
            Err(refused) => {
                // What counts is what is still there.
                let some_are = find(addresses).map_or(true, |left| left.len() < all);
                return Err(NotForgotten { refused, some_are });
            }
        }
    }
}

/// Lists flows once, on this thread, in this thread's namespace, to see that it can be done.
pub(super) fn list_here() -> Result<(), Refused> {
    list().map(drop)
}

/// Forgets every flow of a protocol without ports that has such an end, in each of the namespaces. Tracking tells one
/// flow of such a protocol from the next by nothing but addresses.
///
/// # Errors
/// The OS error, with the namespace.
pub async fn forget_portless(nodes: &[Arc<Namespace>], ends: &HashSet<(u8, IpAddr)>) -> Result<(), FabricError> {
    let forgetting = nodes.iter().map(|node| async move {
        let ends = ends.clone();
        let done = node.run(move || forget_here(&ends)).await?;
        done.map_err(|refused| in_node(&node.name, refused))
    });
    join_all(forgetting).await.into_iter().collect()
}

/// Returns the time for which a namespace will remember a flow in which an end sends nothing, if it knows the flow: one of these addresses and ports,
/// as the flow's first packet had them.
///
/// # Errors
/// The OS error, with the namespace.
pub async fn remembered_for(node: &Arc<Namespace>, tuples: &[packet::Tuple]) -> Result<Option<Duration>, FabricError> {
    let tuples = tuples.to_vec();
    let done = node.run(move || remaining(&tuples)).await?;
    done.map_err(|refused| in_node(&node.name, refused))
}

fn remaining(tuples: &[packet::Tuple]) -> Result<Option<Duration>, Refused> {
    Ok(longest_of(flows()?, tuples))
}

/// Tells if a namespace tracks the flow of a packet, in either direction.
///
/// # Errors
/// The OS error, with the namespace.
pub async fn knows(node: &Arc<Namespace>, packet: packet::Tuple) -> Result<bool, FabricError> {
    let is_of = move |attributes: &[ConntrackAttribute]| {
        attributes.iter().any(|attribute| match attribute {
            ConntrackAttribute::CtaTupleOrig(parts) | ConntrackAttribute::CtaTupleReply(parts) => {
                is(parts, &packet)
                    && ports(parts).any(|port| *port == ProtoTuple::DestinationPort(packet.destination_port))
            }
            _ => false,
        })
    };
    let found = node.run(move || find_where(&is_of)).await?;
    found.map(|flows| !flows.is_empty()).map_err(|refused| in_node(&node.name, refused))
}

/// Returns the time for which a namespace remembers an established connection of TCP in which nothing is sent.
///
/// # Errors
/// The OS error, with the namespace.
pub async fn keeps_connections_for(node: &Arc<Namespace>) -> Result<Duration, FabricError> {
    const FILE: &str = "/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_established";
    let read = move || {
        let text = std::fs::read_to_string(FILE)?;
        text.trim().parse().map(Duration::from_secs).map_err(std::io::Error::other)
    };
    node.run(read).await?.map_err(|source| FabricError::Kernel {
        attempt: format!("read {FILE}"),
        node: node.name.clone(),
        source,
    })
}

/// The longest rest of those among the flows that have one of these tuples.
pub(super) fn longest_of(flows: Vec<NetfilterMessage>, tuples: &[packet::Tuple]) -> Option<Duration> {
    let mut longest = None;
    for flow in flows {
        let NetfilterMessageInner::Conntrack(ConntrackMessage::New(attributes)) = flow.inner else { continue };
        let is_it = attributes.iter().any(|attribute| match attribute {
            ConntrackAttribute::CtaTupleOrig(parts) => tuples.iter().any(|tuple| is(parts, tuple)),
            _ => false,
        });
        let left = attributes.iter().find_map(|attribute| match attribute {
            ConntrackAttribute::CtaTimeout(seconds) => Some(Duration::from_secs((*seconds).into())),
            _ => None,
        });
        if is_it {
            longest = longest.max(Some(left.unwrap_or_default()));
        }
    }
    longest
}

/// Reports whether parts of a tracked flow are those of a tuple. An ICMP identifier stands where a port does.
fn is(parts: &[Tuple], tuple: &packet::Tuple) -> bool {
    let source_port =
        ports(parts).find_map(|part| if let ProtoTuple::SourcePort(port) = part { Some(*port) } else { None });
    let has = |wanted: IPTuple| parts.iter().any(|part| matches!(part, Tuple::Ip(ends) if ends.contains(&wanted)));
    has(IPTuple::SourceAddress(tuple.source))
        && has(IPTuple::DestinationAddress(tuple.destination))
        && protocol(parts) == Some(tuple.protocol)
        && source_port.is_none_or(|port| port == tuple.source_port)
}

/// Returns the parts of a tracked flow that are of its protocol.
fn ports(parts: &[Tuple]) -> impl Iterator<Item = &ProtoTuple> {
    parts.iter().filter_map(|part| if let Tuple::Proto(parts) = part { Some(parts) } else { None }).flatten()
}

fn forget_here(wanted: &HashSet<(u8, IpAddr)>) -> Result<(), Refused> {
    let found = find_where(&|attributes| {
        attributes.iter().any(|attribute| match attribute {
            ConntrackAttribute::CtaTupleOrig(tuples) => ends(tuples)
                .any(|address| protocol(tuples).is_some_and(|protocol| wanted.contains(&(protocol, address)))),
            _ => false,
        })
    })?;
    match netlink::request(PROTOCOL, found.into_iter().map(deletion).collect()) {
        // It ended by itself between the list and the deletion.
        Err(refused) if refused.source.raw_os_error() == Some(libc::ENOENT) => forget_here(wanted),
        result => result,
    }
}

fn find_where(wanted: &dyn Fn(&[ConntrackAttribute]) -> bool) -> Result<Vec<Flow>, Refused> {
    let attributes = flows()?.into_iter().filter_map(|flow| match flow.inner {
        NetfilterMessageInner::Conntrack(ConntrackMessage::New(attributes)) => Some((flow.header.family, attributes)),
        _ => None,
    });
    let original = |attribute: &ConntrackAttribute| matches!(attribute, ConntrackAttribute::CtaTupleOrig(_));
    let wanted = attributes.filter(|(_, attributes)| wanted(attributes));
    Ok(wanted.map(|(family, attributes)| (family, attributes.into_iter().filter(original).collect())).collect())
}

/// Lists every flow that this thread's namespace tracks. The kernel looks for them in the one table of the whole machine, which takes
/// it milliseconds; so it is asked once for both families, and not at all where its own count is 0.
pub(super) fn flows() -> Result<Vec<NetfilterMessage>, Refused> {
    if is_count_zero() { Ok(Vec::new()) } else { list() }
}

fn list() -> Result<Vec<NetfilterMessage>, Refused> {
    netlink::dump(PROTOCOL, SUBSYSTEM, LIST, message(NetfilterProtoFamily::Unspec, ConntrackMessage::Get(vec![])))
}

/// Reports whether the kernel counts no flow in this thread's namespace. It counts a flow before it makes it, and until it is gone.
fn is_count_zero() -> bool {
    std::fs::read("/proc/sys/net/netfilter/nf_conntrack_count").is_ok_and(|count| count.trim_ascii() == b"0")
}

fn deletion((family, original): Flow) -> Request<NetfilterMessage> {
    Request {
        attempt: "forget a tracked flow".into(),
        message: message(family, ConntrackMessage::Delete(original)),
        flags: 0,
        fault: None,
        excuse: Excuse::Nothing,
    }
}

fn message(family: NetfilterProtoFamily, inner: ConntrackMessage) -> NetfilterMessage {
    NetfilterMessage::new(NetfilterHeader::new(family, 0, 0), inner)
}

fn ends(tuples: &[Tuple]) -> impl Iterator<Item = IpAddr> {
    let addresses = tuples.iter().filter_map(|tuple| if let Tuple::Ip(ends) = tuple { Some(ends) } else { None });
    addresses.flatten().filter_map(|end| match end {
        IPTuple::SourceAddress(address) | IPTuple::DestinationAddress(address) => Some(*address),
        _ => None,
    })
}

fn protocol(tuples: &[Tuple]) -> Option<u8> {
    let protocols = tuples.iter().filter_map(|tuple| if let Tuple::Proto(parts) = tuple { Some(parts) } else { None });
    protocols
        .flatten()
        .find_map(|part| if let ProtoTuple::Protocol(number) = part { Some(u8::from(*number)) } else { None })
}

/// The tracked flows of a namespace that have one of these addresses at an end, a line each.
///
/// # Errors
/// The OS error, with the namespace.
pub async fn flows_in_words(node: &Arc<Namespace>, addresses: &[IpAddr]) -> Result<Vec<String>, FabricError> {
    let addresses = addresses.to_vec();
    let done = node.run(move || flows_here(&addresses)).await?;
    done.map_err(|refused| in_node(&node.name, refused))
}

fn flows_here(addresses: &[IpAddr]) -> Result<Vec<String>, Refused> {
    let mut lines = Vec::new();
    for flow in flows()? {
        let NetfilterMessageInner::Conntrack(ConntrackMessage::New(attributes)) = flow.inner else { continue };
        let both = attributes.iter().filter_map(|attribute| match attribute {
            ConntrackAttribute::CtaTupleOrig(parts) | ConntrackAttribute::CtaTupleReply(parts) => Some(parts),
            _ => None,
        });
        if both.flatten().any(|part| has(part, addresses)) {
            lines.push(line(&attributes));
        }
    }
    lines.sort();
    Ok(lines)
}

fn has(part: &Tuple, addresses: &[IpAddr]) -> bool {
    let Tuple::Ip(ends) = part else { return false };
    ends.iter().any(|end| match end {
        IPTuple::SourceAddress(address) | IPTuple::DestinationAddress(address) => addresses.contains(address),
        _ => false,
    })
}

fn line(attributes: &[ConntrackAttribute]) -> String {
    let mut words: Vec<String> = Vec::new();
    for attribute in attributes {
        match attribute {
            ConntrackAttribute::CtaTupleOrig(parts) => words.insert(0, direction(parts)),
            ConntrackAttribute::CtaTupleReply(parts) => words.push(format!("answers {}", direction(parts))),
            ConntrackAttribute::CtaMark(mark) => words.push(format!("mark {mark:#x}")),
            ConntrackAttribute::CtaTimeout(seconds) => words.push(format!("forgotten in {seconds} s")),
            _ => {}
        }
    }
    words.join("; ")
}

fn direction(parts: &[Tuple]) -> String {
    let (mut source, mut destination) = (String::new(), String::new());
    let (mut from, mut to, mut protocol) = (String::new(), String::new(), String::new());
    for part in parts {
        match part {
            Tuple::Ip(ends) => ends.iter().for_each(|end| match end {
                IPTuple::SourceAddress(address) => source = address.to_string(),
                IPTuple::DestinationAddress(address) => destination = address.to_string(),
                _ => {}
            }),
            Tuple::Proto(parts) => parts.iter().for_each(|part| match part {
                ProtoTuple::Protocol(number) => protocol = format!("protocol {}", u8::from(*number)),
                ProtoTuple::SourcePort(port) => from = format!(" {port}"),
                ProtoTuple::DestinationPort(port) => to = format!(" {port}"),
                _ => {}
            }),
            _ => {}
        }
    }
    format!("{protocol} {source}{from} -> {destination}{to}")
}
