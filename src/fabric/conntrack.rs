//! Tracked flows: the flows of an address are forgotten when it leaves its holder.

use std::collections::HashSet;
use std::net::IpAddr;

use netlink_packet_netfilter::conntrack::{ConntrackAttribute, ConntrackMessage, IPTuple, ProtoTuple, Tuple};
use netlink_packet_netfilter::{NetfilterHeader, NetfilterMessage, NetfilterMessageInner, NetfilterProtoFamily};

use super::netlink::{self, Refused, Request};

/// `NETLINK_NETFILTER`.
const PROTOCOL: isize = netlink_sys::constants::NETLINK_NETFILTER;

/// Forgets every flow that has one of the addresses at either end, before or after translation. Runs on a thread
/// inside the namespace.
pub(super) fn forget(addresses: &HashSet<IpAddr>) -> Result<(), Refused> {
    let families = [NetfilterProtoFamily::IPv4, NetfilterProtoFamily::IPv6];
    let of = |family: &NetfilterProtoFamily| {
        addresses.iter().any(|address| address.is_ipv4() == (*family == NetfilterProtoFamily::IPv4))
    };
    families.into_iter().filter(of).try_for_each(|family| {
        forget_where(family, &|attributes| {
            attributes.iter().any(|attribute| match attribute {
                ConntrackAttribute::CtaTupleOrig(tuples) | ConntrackAttribute::CtaTupleReply(tuples) => {
                    ends(tuples).any(|(_, address)| addresses.contains(&address))
                }
                _ => false,
            })
        })
    })
}

/// Forgets every flow of one of the protocols that one of the addresses has begun. Runs on a thread inside the
/// namespace.
pub(super) fn forget_portless(begun: &HashSet<(u8, IpAddr)>) -> Result<(), Refused> {
    for family in [NetfilterProtoFamily::IPv4, NetfilterProtoFamily::IPv6] {
        forget_where(family, &|attributes| {
            attributes.iter().any(|attribute| match attribute {
                ConntrackAttribute::CtaTupleOrig(tuples) => ends(tuples).any(|(side, address)| {
                    side == Side::Source
                        && protocol(tuples).is_some_and(|protocol| begun.contains(&(protocol, address)))
                }),
                _ => false,
            })
        })?;
    }
    Ok(())
}

fn forget_where(family: NetfilterProtoFamily, wanted: &dyn Fn(&[ConntrackAttribute]) -> bool) -> Result<(), Refused> {
    let flows = netlink::dump(PROTOCOL, "list tracked flows", message(family, ConntrackMessage::Get(vec![])))?;
    let mut requests = Vec::new();
    for flow in flows {
        let NetfilterMessageInner::Conntrack(ConntrackMessage::New(attributes)) = flow.inner else { continue };
        if wanted(&attributes) {
            let original: Vec<_> =
                attributes.into_iter().filter(|a| matches!(a, ConntrackAttribute::CtaTupleOrig(_))).collect();
            let delete = message(family, ConntrackMessage::Delete(original));
            requests.push(Request { attempt: "forget a tracked flow".into(), message: delete, flags: 0 });
        }
    }
    match netlink::request(PROTOCOL, requests) {
        // It ended by itself between the list and the deletion.
        Err(refused) if refused.source.raw_os_error() == Some(libc::ENOENT) => forget_where(family, wanted),
        result => result,
    }
}

fn message(family: NetfilterProtoFamily, inner: ConntrackMessage) -> NetfilterMessage {
    NetfilterMessage::new(NetfilterHeader::new(family, 0, 0), inner)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Source,
    Destination,
}

fn ends(tuples: &[Tuple]) -> impl Iterator<Item = (Side, IpAddr)> {
    let addresses = tuples.iter().filter_map(|tuple| if let Tuple::Ip(ends) = tuple { Some(ends) } else { None });
    addresses.flatten().filter_map(|end| match end {
        IPTuple::SourceAddress(address) => Some((Side::Source, *address)),
        IPTuple::DestinationAddress(address) => Some((Side::Destination, *address)),
        _ => None,
    })
}

fn protocol(tuples: &[Tuple]) -> Option<u8> {
    let protocols = tuples.iter().filter_map(|tuple| if let Tuple::Proto(parts) = tuple { Some(parts) } else { None });
    protocols
        .flatten()
        .find_map(|part| if let ProtoTuple::Protocol(number) = part { Some(u8::from(*number)) } else { None })
}
