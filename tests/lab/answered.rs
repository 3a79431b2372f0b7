//! Errors that routers send, as the sender of the packet hears them; and packets that call for them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;

use etherparse::{PacketBuilder, PacketBuilderStep};
use sglab::fabric::Namespace;
use socket2::{Domain, Protocol, Socket, Type};

use crate::bare::{inside, soon};

/// "Fragmentation needed" and "packet too big", as (type, code).
pub const TOO_LARGE_IPV4: (u8, u8) = (3, 4);
pub const TOO_LARGE_IPV6: (u8, u8) = (2, 0);
/// "Time exceeded in transit".
pub const EXPIRED_IPV4: (u8, u8) = (11, 0);
pub const EXPIRED_IPV6: (u8, u8) = (3, 0);

/// An error: who says it, what, and of which packet.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    pub from: IpAddr,
    pub message: (u8, u8),
    /// The most that the answerer could pass on, where it says so; else 0.
    pub mtu: u32,
    /// Source and destination of the packet that it is about.
    pub about: (IpAddr, IpAddr),
}

/// What a namespace hears of errors over one family, from now on.
pub struct Answers(UdpSocket);

impl Answers {
    pub async fn of(node: &Arc<Namespace>, ipv4: bool) -> Self {
        let (domain, protocol) = if ipv4 { (Domain::IPV4, Protocol::ICMPV4) } else { (Domain::IPV6, Protocol::ICMPV6) };
        let opened = inside(node, move || Socket::new(domain, Type::RAW, Some(protocol)));
        let socket = UdpSocket::from(opened.await.expect("a raw socket"));
        socket.set_read_timeout(Some(soon())).expect("a timeout");
        Self(socket)
    }

    /// Waits for the next error.
    pub fn next(&mut self) -> Answer {
        loop {
            let mut bytes = [0; 2000];
            let (length, from) = self.0.recv_from(&mut bytes).expect("an error comes");
            let (bytes, from) = (&bytes[..length], from.ip());
            // A raw socket shows the IP header of IPv4 only.
            let message = if from.is_ipv4() { &bytes[20..] } else { bytes };
            let number = |at: usize, length: usize| {
                message[at..at + length].iter().fold(0, |number, byte| number << 8 | u32::from(*byte))
            };
            let is_error = if from.is_ipv4() { matches!(message[0], 3 | 11) } else { message[0] < 128 };
            if !is_error {
                continue;
            }
            let about = if from.is_ipv4() {
                let at =
                    |start: usize| IpAddr::from(<[u8; 4]>::try_from(&message[start..start + 4]).expect("four bytes"));
                (at(8 + 12), at(8 + 16))
            } else {
                let at =
                    |start: usize| IpAddr::from(<[u8; 16]>::try_from(&message[start..start + 16]).expect("16 bytes"));
                (at(8 + 8), at(8 + 24))
            };
            let message_of = (message[0], message[1]);
            let mtu = match message_of {
                TOO_LARGE_IPV4 if from.is_ipv4() => number(6, 2),
                TOO_LARGE_IPV6 if from.is_ipv6() => number(4, 4),
                _ => 0,
            };
            return Answer { from, message: message_of, mtu, about };
        }
    }
}

/// Whether a router may cut a packet up.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Fragments {
    Allowed,
    Forbidden,
}

/// A packet to a UDP port, with so many hops to go and so many bytes in all.
pub fn datagram(from: IpAddr, to: (IpAddr, u16), hops: u8, length: usize, fragments: Fragments) -> Vec<u8> {
    const PORT: u16 = 5000;
    let mut packet = Vec::new();
    let write = |builder: PacketBuilderStep<etherparse::IpHeaders>, packet: &mut Vec<u8>, headers: usize| {
        builder.udp(PORT, to.1).write(packet, &vec![b'x'; length - headers]).expect("a vector takes it");
    };
    match (from, to.0) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            write(PacketBuilder::ipv4(from.octets(), to.octets(), hops), &mut packet, 28);
            packet[6] = if fragments == Fragments::Forbidden { 0x40 } else { 0 };
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            write(PacketBuilder::ipv6(from.octets(), to.octets(), hops), &mut packet, 48);
        }
        _ => panic!("{from} and {} are of two families", to.0),
    }
    packet
}

/// Sends a packet as it is; gives the kernel's word if its own link does not take it.
pub async fn send(node: &Arc<Namespace>, packet: Vec<u8>) -> std::io::Result<usize> {
    inside(node, move || {
        let ipv4 = packet[0] >> 4 == 4;
        let to: IpAddr = if ipv4 {
            <[u8; 4]>::try_from(&packet[16..20]).expect("four bytes").into()
        } else {
            <[u8; 16]>::try_from(&packet[24..40]).expect("16 bytes").into()
        };
        let domain = if ipv4 { Domain::IPV4 } else { Domain::IPV6 };
        let socket = Socket::new(domain, Type::RAW, Some(Protocol::from(libc::IPPROTO_RAW)))?;
        socket.send_to(&packet, &SocketAddr::new(to, 0).into())
    })
    .await
}

/// A socket that datagrams to a port come to.
pub async fn receiver(node: &Arc<Namespace>, ipv4: bool, port: u16) -> UdpSocket {
    let any: IpAddr = if ipv4 { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = inside(node, move || UdpSocket::bind((any, port))).await.expect("a socket");
    socket.set_read_timeout(Some(soon())).expect("a timeout");
    socket
}

/// Waits for a datagram, and gives the length of what is in it.
pub fn arrived(socket: &UdpSocket) -> usize {
    socket.recv(&mut [0; 65536]).expect("a datagram comes")
}
