//! The parts of one question of a probe: its token and its tuple, who is to answer it, and the result of its socket.

use std::net::IpAddr;

use super::failure::SocketFailure;
use crate::fabric::packet::{ECHO_REQUEST, ECHO_REQUEST_IPV6, ICMP, ICMPV6, TCP, Tuple, UDP};
use crate::model::Service;

/// The length of a probe's token, in bytes.
pub(super) const TOKEN_BYTES: usize = 16;

/// A token that only the receiver of this very probe can know.
pub(super) type Token = [u8; TOKEN_BYTES];

/// Kind of listener at the receiver's port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Answering {
    /// A listener of ours, which repeats the token and names itself; or nothing.
    #[default]
    Harness,
    /// A program of the user's, which knows nothing of tokens: nothing is said to it that its protocol may not have.
    Program,
    /// The same behind a load balancer, which takes the connection before it has asked anybody.
    ProgramBehind,
}

/// Result of the socket itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The peer repeated the token and gave its name; an echo names nobody.
    Answered(Option<String>),
    /// A program has taken the connection, or the datagram.
    Connected,
    /// A reset, or port unreachable.
    Refused,
    /// No route, or host or net unreachable.
    Unreachable,
    /// Something else.
    Failed(SocketFailure),
}

/// The protocol number that a service is asked for with, at an address.
pub(super) fn protocol(service: Service, at: IpAddr) -> u8 {
    match service {
        Service::Tcp(_) => TCP,
        Service::Udp(_) => UDP,
        Service::IcmpEcho | Service::Icmp(_) if at.is_ipv6() => ICMPV6,
        Service::IcmpEcho | Service::Icmp(_) => ICMP,
        Service::Protocol(number) => number,
    }
}

/// An echo request of code 0. The kernel fills in the checksum, and as identifier the port of the socket that sends it.
pub(super) fn echo_request(to: IpAddr, sequence: u16, content: &[u8]) -> Vec<u8> {
    let kind = if to.is_ipv4() { ECHO_REQUEST } else { ECHO_REQUEST_IPV6 };
    let ([_, kind], [high, low]) = (kind.to_be_bytes(), sequence.to_be_bytes());
    let mut request = vec![kind, 0, 0, 0, 0, 0, high, low];
    request.extend_from_slice(content);
    request
}

/// The tuple of a probe between two addresses.
pub(super) fn tuple(service: Service, source: IpAddr, source_port: u16, destination: IpAddr) -> Tuple {
    let destination_port = match service {
        Service::Tcp(port) | Service::Udp(port) => port.0,
        Service::IcmpEcho if destination.is_ipv6() => ECHO_REQUEST_IPV6,
        Service::IcmpEcho => ECHO_REQUEST,
        Service::Icmp(message) => message.kind.into(),
        Service::Protocol(_) => 0,
    };
    Tuple { protocol: protocol(service, destination), source, source_port, destination, destination_port }
}
