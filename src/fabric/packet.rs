//! What a packet says of itself, as far as probes need it.

use std::net::Ipv4Addr;

use etherparse::{LaxNetSlice, LaxSlicedPacket, TransportSlice};

/// The protocol and ends of a packet. For an ICMP echo request the source port is the echo's identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tuple {
    /// 6, 17 or 1.
    pub protocol: u8,
    /// The source address.
    pub source: Ipv4Addr,
    /// The source port, or the identifier of an echo.
    pub source_port: u16,
    /// The destination address.
    pub destination: Ipv4Addr,
    /// The destination port; for ICMP the type, so that a request is not its reply.
    pub destination_port: u16,
}

/// TCP's protocol number.
pub const TCP: u8 = 6;
/// UDP's protocol number.
pub const UDP: u8 = 17;
/// ICMP's protocol number.
pub const ICMP: u8 = 1;
/// The ICMP type of an echo request.
pub const ECHO_REQUEST: u16 = 8;

impl Tuple {
    /// Reads a packet that begins with its IPv4 header; its end may be cut off. Nothing for other packets.
    pub fn parse(packet: &[u8]) -> Option<Self> {
        let sliced = LaxSlicedPacket::from_ip(packet).ok()?;
        let Some(LaxNetSlice::Ipv4(ip)) = &sliced.net else { return None };
        let (source, destination) = (ip.header().source_addr(), ip.header().destination_addr());
        let tuple = |protocol, source_port, destination_port| {
            Some(Self { protocol, source, source_port, destination, destination_port })
        };
        match &sliced.transport {
            Some(TransportSlice::Tcp(tcp)) => tuple(TCP, tcp.source_port(), tcp.destination_port()),
            Some(TransportSlice::Udp(udp)) => tuple(UDP, udp.source_port(), udp.destination_port()),
            Some(TransportSlice::Icmpv4(icmp)) => {
                let [id_high, id_low, ..] = icmp.bytes5to8();
                tuple(ICMP, u16::from_be_bytes([id_high, id_low]), u16::from(icmp.type_u8()))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_udp_packet_whose_end_is_cut_off_still_names_its_ends() {
        let mut packet = Vec::new();
        let builder = etherparse::PacketBuilder::ipv4([10, 0, 0, 11], [10, 0, 0, 21], 64).udp(4000, 3306);
        builder.write(&mut packet, &[0; 200]).expect("a vector takes it");
        let tuple = Tuple::parse(&packet[..60]).expect("a UDP packet");
        assert_eq!((tuple.protocol, tuple.source_port, tuple.destination_port), (UDP, 4000, 3306));
        assert_eq!(tuple.destination, Ipv4Addr::new(10, 0, 0, 21));
    }

    #[test]
    fn an_echo_request_is_told_from_its_reply() {
        let packet = |kind| {
            let mut packet = Vec::new();
            let builder =
                etherparse::PacketBuilder::ipv4([10, 0, 0, 11], [10, 0, 0, 21], 64).icmpv4_raw(kind, 0, [0, 7, 0, 1]);
            builder.write(&mut packet, b"token").expect("a vector takes it");
            Tuple::parse(&packet).expect("an ICMP packet")
        };
        assert_eq!(packet(8).source_port, 7);
        assert_ne!(packet(8), packet(0));
    }

    #[test]
    fn what_is_not_ipv4_is_nothing() {
        assert_eq!(Tuple::parse(&[0x60; 40]), None);
        assert_eq!(Tuple::parse(&[]), None);
    }
}
