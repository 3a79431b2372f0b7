//! Tracked flows: the flows of an address are forgotten when it leaves its holder.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr};

use netlink_packet_netfilter::conntrack::{ConntrackAttribute, ConntrackMessage, IPTuple, Tuple};
use netlink_packet_netfilter::{NetfilterHeader, NetfilterMessage, NetfilterMessageInner, NetfilterProtoFamily};

use super::netlink::{self, Refused, Request};

/// `NETLINK_NETFILTER`.
const PROTOCOL: isize = netlink_sys::constants::NETLINK_NETFILTER;

/// Forgets every flow that has one of the addresses at either end, before or after translation. Runs on a thread
/// inside the namespace.
pub(super) fn forget(addresses: &HashSet<Ipv4Addr>) -> Result<(), Refused> {
    let flows = netlink::dump(PROTOCOL, "list tracked flows", message(ConntrackMessage::Get(vec![])))?;
    let mut requests = Vec::new();
    for flow in flows {
        let NetfilterMessageInner::Conntrack(ConntrackMessage::New(attributes)) = flow.inner else { continue };
        let touches = attributes.iter().any(|attribute| match attribute {
            ConntrackAttribute::CtaTupleOrig(tuples) | ConntrackAttribute::CtaTupleReply(tuples) => {
                tuples.iter().any(|tuple| names(tuple, addresses))
            }
            _ => false,
        });
        if touches {
            let original: Vec<_> =
                attributes.into_iter().filter(|a| matches!(a, ConntrackAttribute::CtaTupleOrig(_))).collect();
            let delete = message(ConntrackMessage::Delete(original));
            requests.push(Request { attempt: "forget a tracked flow".into(), message: delete, flags: 0 });
        }
    }
    match netlink::request(PROTOCOL, requests) {
        // It ended by itself between the list and the deletion.
        Err(refused) if refused.source.raw_os_error() == Some(libc::ENOENT) => forget(addresses),
        result => result,
    }
}

fn message(inner: ConntrackMessage) -> NetfilterMessage {
    NetfilterMessage::new(NetfilterHeader::new(NetfilterProtoFamily::IPv4, 0, 0), inner)
}

fn names(tuple: &Tuple, addresses: &HashSet<Ipv4Addr>) -> bool {
    let Tuple::Ip(ends) = tuple else { return false };
    ends.iter().any(|end| match end {
        IPTuple::SourceAddress(IpAddr::V4(address)) | IPTuple::DestinationAddress(IpAddr::V4(address)) => {
            addresses.contains(address)
        }
        _ => false,
    })
}
