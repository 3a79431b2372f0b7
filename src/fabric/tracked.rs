//! Tracked flows in words.

use std::net::IpAddr;
use std::sync::Arc;

use netlink_packet_netfilter::NetfilterMessageInner;
use netlink_packet_netfilter::conntrack::{ConntrackAttribute, ConntrackMessage, IPTuple, ProtoTuple, Tuple};

use super::conntrack;
use super::error::FabricError;
use super::kernel::in_node;
use super::namespace::Namespace;
use super::netlink::Refused;

/// The tracked flows of a namespace that have one of these addresses at an end, a line each.
///
/// # Errors
/// The kernel's word, with the namespace.
pub async fn flows(node: &Arc<Namespace>, addresses: &[IpAddr]) -> Result<Vec<String>, FabricError> {
    let addresses = addresses.to_vec();
    let done = node.run(move || flows_here(&addresses)).await?;
    done.map_err(|refused| in_node(&node.name, refused))
}

fn flows_here(addresses: &[IpAddr]) -> Result<Vec<String>, Refused> {
    let mut lines = Vec::new();
    for flow in conntrack::flows()? {
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
