//! The texts in which EC2 names a rule that exists already.

use crate::model::rule::{IcmpMatch, Peer, PortRange, Traffic};

/// A rule as `InvalidPermission.Duplicate` spells it: `peer: 0.0.0.0/0, TCP, from port: 22, to port: 22, ALLOW`.
///
/// The forms are those in circulation in logs of EC2's answers; Amazon does not document them.
pub(super) fn as_ec2_spells(traffic: Traffic, peer: &Peer) -> String {
    let traffic = match traffic {
        Traffic::All => "ALL".to_owned(),
        Traffic::Tcp(range) => format!("TCP, {}", ports(range)),
        Traffic::Udp(range) => format!("UDP, {}", ports(range)),
        Traffic::Icmp(messages) => format!("ICMP, {}", icmp(messages)),
        Traffic::Protocol(number) => format!("protocol: {number}"),
        Traffic::Icmpv6(messages) => format!("ICMPv6, {}", icmp(messages)),
    };
    format!("peer: {peer:#}, {traffic}, ALLOW")
}

fn icmp(messages: IcmpMatch) -> String {
    match messages {
        IcmpMatch::All => "type: ALL, code: ALL".to_owned(),
        IcmpMatch::Type(kind) => format!("type: {kind}, code: ALL"),
        IcmpMatch::TypeAndCode(kind, code) => format!("type: {kind}, code: {code}"),
    }
}

fn ports(range: PortRange) -> String {
    format!("from port: {}, to port: {}", range.from(), range.to())
}
