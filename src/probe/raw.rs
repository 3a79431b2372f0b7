//! Messages that nobody answers: ICMP other than echo, and protocols without ports. What proves their arrival is that
//! the token comes to a socket of the receiver.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

use super::evidence::EvidenceBoard;
use super::question::{self, Answer, TOKEN_BYTES, Token};
use super::socket_errors;
use crate::fabric::packet::flaw::checksum;
use crate::model::{IcmpMessage, Service};
use crate::network::NodeName;

/// The header of an ICMP message, and as many zeroes before a token of another protocol: a GRE header without a key.
const HEADER: usize = 8;

/// Sends a message, and waits for an error that it may bring back. That it arrives is told elsewhere.
pub(super) async fn tell(socket: Socket, message: Vec<u8>, to: IpAddr) -> io::Result<Answer> {
    // A raw socket sends and receives as a datagram socket does.
    let socket = UdpSocket::from_std(socket.into())?;
    socket.connect(SocketAddr::new(to, 0)).await?;
    // Not before: without a peer it would receive the errors that others bring back.
    socket_errors::receive_errors(&socket, to)?;
    socket.send(&message).await?;
    let mut other = [0; 256];
    loop {
        // The receiver's kernel may answer some of them, a timestamp for one; that says less than the token does.
        socket_errors::receive(&socket, to, &mut other).await?;
    }
}

/// An ICMP message with a token; the identifier stands where an echo has it.
pub(super) fn icmp(message: IcmpMessage, to: IpAddr, identifier: u16, token: &Token) -> Vec<u8> {
    let mut packet = vec![message.kind, message.code, 0, 0];
    packet.extend(identifier.to_be_bytes());
    packet.extend([0, 1]);
    packet.extend(token);
    if to.is_ipv4() {
        // Of ICMPv6 the kernel does it.
        let sum = checksum(&packet);
        packet[2..4].copy_from_slice(&sum.to_be_bytes());
    }
    packet
}

/// A packet of a protocol without ports, with a token.
pub(super) fn portless(token: &Token) -> Vec<u8> {
    let mut packet = vec![0; HEADER];
    packet.extend(token);
    packet
}

/// Opens what takes such messages, on a thread inside the receiver's namespace.
pub(super) fn listen(service: Service, ipv6: bool) -> io::Result<Socket> {
    let (domain, any) = if ipv6 {
        (Domain::IPV6, IpAddr::from(std::net::Ipv6Addr::UNSPECIFIED))
    } else {
        (Domain::IPV4, IpAddr::from(std::net::Ipv4Addr::UNSPECIFIED))
    };
    let protocol = Protocol::from(i32::from(question::protocol(service, any)));
    Socket::new(domain, Type::RAW.nonblocking().cloexec(), Some(protocol))
}

/// Posts every token that comes, for as long as it runs.
pub(super) async fn take(
    socket: Arc<UdpSocket>,
    service: Service,
    ipv6: bool,
    node: NodeName,
    board: Arc<EvidenceBoard>,
) {
    let mut packet = [0; 512];
    loop {
        // An error here is somebody's answer to something else; it ends nothing.
        let Ok(length) = socket.recv(&mut packet).await else { continue };
        if let Some(token) = token(&packet[..length], service, ipv6) {
            board.post_delivery(&node, &token);
        }
    }
}

/// The token of a received packet, if it is of this service. An IPv4 raw socket gives the IP header as well.
pub(super) fn token(packet: &[u8], service: Service, ipv6: bool) -> Option<Token> {
    let start = if ipv6 { 0 } else { usize::from(packet.first()? & 0x0f) * 4 };
    let message = packet.get(start..)?;
    if let Service::Icmp(IcmpMessage { kind, code }) = service
        && (message.first() != Some(&kind) || message.get(1) != Some(&code))
    {
        return None;
    }
    message.get(HEADER..HEADER + TOKEN_BYTES)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: Token = *b"0123456789abcdef";

    #[test]
    fn the_checksum_of_a_message_that_has_its_own_is_zero() {
        let message = icmp(IcmpMessage { kind: 13, code: 0 }, IpAddr::from([10, 0, 0, 1]), 7, &TOKEN);
        assert_eq!(checksum(&message), 0);
    }

    #[test]
    fn a_token_is_found_behind_the_header_of_its_own_message_only() {
        let service = |kind| Service::Icmp(IcmpMessage { kind, code: 0 });
        let message = icmp(IcmpMessage { kind: 13, code: 0 }, IpAddr::from([10, 0, 0, 1]), 7, &TOKEN);
        let with_header = [&[0x45; 20][..], &message].concat();
        assert_eq!(token(&with_header, service(13), false), Some(TOKEN));
        assert_eq!(token(&with_header, service(5), false), None);
        assert_eq!(token(&message, service(13), true), Some(TOKEN));
        assert_eq!(token(&with_header[..30], service(13), false), None);
    }
}
