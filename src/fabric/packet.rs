//! Readers of packets' headers, as far as probes need them.

use std::net::IpAddr;

use etherparse::{IpNumber, LaxNetSlice, LaxSlicedPacket, TransportSlice};

pub mod flaw;

use crate::model::IcmpMessage;
pub use crate::model::protocol::{ICMP, ICMPV6, TCP, UDP};

/// The protocol and ends of a packet. For an ICMP message the source port is its identifier, or what stands there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tuple {
    /// 6, 17, 1, 58 or another.
    pub protocol: u8,
    /// The source address.
    pub source: IpAddr,
    /// The source port, or the identifier of an ICMP message; 0 for a protocol without ports.
    pub source_port: u16,
    /// The destination address.
    pub destination: IpAddr,
    /// The destination port; for ICMP the type, so that a request is not its reply.
    pub destination_port: u16,
}

/// The ICMP type of an echo request.
pub const ECHO_REQUEST: u16 = 8;
/// The ICMPv6 type of an echo request.
pub const ECHO_REQUEST_IPV6: u16 = 128;
/// The ICMP type of an echo reply.
const ECHO_REPLY: u16 = 0;
/// The ICMPv6 type of an echo reply.
const ECHO_REPLY_IPV6: u16 = 129;
/// The header of an ICMP message, in bytes; in an error, the beginning of the packet that it is about follows.
const ICMP_HEADER: usize = 8;

/// The length that a packet's IP header states, in bytes: of the packet, however much of it is at hand.
pub fn length(packet: &[u8]) -> u32 {
    match packet {
        [first, _, high, low, ..] if first >> 4 == 4 => u16::from_be_bytes([*high, *low]).into(),
        [first, _, _, _, high, low, ..] if first >> 4 == 6 => 40 + u32::from(u16::from_be_bytes([*high, *low])),
        _ => 0,
    }
}

/// Reads the type and code of an ICMP message, of either family. Nothing for other packets.
pub fn icmp_message(packet: &[u8]) -> Option<IcmpMessage> {
    match payload(packet)? {
        (ICMP | ICMPV6, [kind, code, ..]) => Some(IcmpMessage { kind: *kind, code: *code }),
        _ => None,
    }
}

/// The protocol of a packet, as the filter sees it, and what it carries. Nothing where an authentication header stands between.
fn payload(packet: &[u8]) -> Option<(u8, &[u8])> {
    let sliced = LaxSlicedPacket::from_ip(packet).ok()?;
    let net = sliced.net.as_ref().filter(|net| !is_authenticated(net))?;
    let payload = match net {
        LaxNetSlice::Ipv4(ip) => ip.payload(),
        LaxNetSlice::Ipv6(ip) => ip.payload(),
        LaxNetSlice::Arp(_) => return None,
    };
    Some((payload.ip_number.0, payload.payload))
}

/// Tells if an authentication header carries another protocol. The filter sees the header, and so does a rule.
fn is_authenticated(net: &LaxNetSlice<'_>) -> bool {
    match net {
        LaxNetSlice::Ipv4(ip) => ip.header().protocol() == IpNumber::AUTHENTICATION_HEADER,
        LaxNetSlice::Ipv6(ip) => {
            let extensions = ip.extensions();
            extensions.first_header().is_some_and(|first| has_authentication(first, extensions.slice()))
        }
        LaxNetSlice::Arp(_) => false,
    }
}

/// Reports whether one of a packet's extension headers is that of authentication. Walked by hand: the iterator of etherparse reads beyond the end of
/// headers that are cut off.
fn has_authentication(first: IpNumber, mut headers: &[u8]) -> bool {
    let mut header = first;
    loop {
        let length = match (header, headers) {
            (IpNumber::AUTHENTICATION_HEADER, _) => return true,
            (IpNumber::IPV6_FRAGMENTATION_HEADER, _) => 8,
            (_, [_, length, ..]) => 8 + usize::from(*length) * 8,
            _ => return false,
        };
        let (Some(next), Some(rest)) = (headers.first(), headers.get(length..)) else { return false };
        (header, headers) = (IpNumber(*next), rest);
        if headers.is_empty() {
            return false;
        }
    }
}

/// A packet that was seen on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// Its own tuple.
    pub tuple: Tuple,
    /// Meaning to its receiver.
    pub says: Says,
}

/// Meaning of a packet to its receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Says {
    /// That a connection is refused, or over.
    Reset,
    /// An ICMP error about this packet.
    Error(Tuple),
    /// Anything else.
    Anything,
}

impl Sighting {
    /// Reads a packet as [`Tuple::parse`] does.
    pub fn of(packet: &[u8]) -> Option<Self> {
        let (tuple, resets) = Tuple::read(packet)?;
        let says = match tuple.protocol {
            TCP if resets => Says::Reset,
            ICMP | ICMPV6 => Tuple::of_error(packet).map_or(Says::Anything, Says::Error),
            _ => Says::Anything,
        };
        Some(Self { tuple, says })
    }
}

impl Tuple {
    /// Returns that of what goes the other way.
    pub fn turned(self) -> Self {
        Self {
            source: self.destination,
            source_port: self.destination_port,
            destination: self.source,
            destination_port: self.source_port,
            ..self
        }
    }

    /// The tuple of what answers it; nothing where nobody answers.
    pub fn answer(self) -> Option<Self> {
        let (source_port, destination_port) = match (self.protocol, self.destination_port) {
            (TCP | UDP, _) => (self.destination_port, self.source_port),
            (ICMP, ECHO_REQUEST) => (self.source_port, ECHO_REPLY),
            (ICMPV6, ECHO_REQUEST_IPV6) => (self.source_port, ECHO_REPLY_IPV6),
            _ => return None,
        };
        Some(Self { source: self.destination, source_port, destination: self.source, destination_port, ..self })
    }

    /// The tuple of the packet that an ICMP error is about, as far as the error repeats it. Nothing for other packets.
    pub fn of_error(packet: &[u8]) -> Option<Self> {
        let (protocol, message) = payload(packet)?;
        match (protocol, message.first()?) {
            (ICMP, 3 | 4 | 5 | 11 | 12) | (ICMPV6, 1..=4) => Self::parse(message.get(ICMP_HEADER..)?),
            _ => None,
        }
    }

    /// Reads a packet that begins with its IP header; its end may be cut off. Nothing for other packets.
    pub fn parse(packet: &[u8]) -> Option<Self> {
        Self::read(packet).map(|(tuple, _)| tuple)
    }

    /// The same, and whether it resets a connection.
    fn read(packet: &[u8]) -> Option<(Self, bool)> {
        let sliced = LaxSlicedPacket::from_ip(packet).ok()?;
        let (source, destination, payload): (IpAddr, IpAddr, _) = match &sliced.net {
            Some(LaxNetSlice::Ipv4(ip)) => {
                let header = ip.header();
                (header.source_addr().into(), header.destination_addr().into(), ip.payload())
            }
            Some(LaxNetSlice::Ipv6(ip)) => {
                let header = ip.header();
                (header.source_addr().into(), header.destination_addr().into(), ip.payload())
            }
            _ => return None,
        };
        let tuple = |protocol, source_port, destination_port| {
            Some((Self { protocol, source, source_port, destination, destination_port }, false))
        };
        if sliced.net.as_ref().is_some_and(is_authenticated) {
            return tuple(IpNumber::AUTHENTICATION_HEADER.0, 0, 0);
        }
        match &sliced.transport {
            Some(TransportSlice::Tcp(tcp)) => {
                let (read, _) = tuple(TCP, tcp.source_port(), tcp.destination_port())?;
                Some((read, tcp.rst()))
            }
            Some(TransportSlice::Udp(udp)) => tuple(UDP, udp.source_port(), udp.destination_port()),
            // A header that is cut off is not a protocol without one.
            _ => match payload.ip_number.0 {
                TCP | UDP => None,
                // Read by hand: a timestamp of another length than it should have is one all the same.
                number @ (ICMP | ICMPV6) => {
                    let [kind, _, _, _, high, low, ..] = *payload.payload else { return None };
                    tuple(number, u16::from_be_bytes([high, low]), kind.into())
                }
                number => tuple(number, 0, 0),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_icmp_message_has_a_type_and_a_code() {
        let ip = |protocol: u8| {
            [&[0x45, 0, 0, 28, 0, 0, 0, 0, 64, protocol, 0, 0][..], &[10, 0, 0, 1, 10, 0, 0, 2]].concat()
        };
        let too_big = [ip(ICMP), vec![3, 4, 0, 0, 0, 0, 5, 120]].concat();
        assert_eq!(icmp_message(&too_big), Some(IcmpMessage { kind: 3, code: 4 }));
        assert_eq!(icmp_message(&[ip(UDP), vec![3, 4, 0, 0, 0, 8, 0, 0]].concat()), None);
        assert_eq!(icmp_message(&ip(ICMP)), None);
    }

    const ENDS_IPV6: ([u8; 16], [u8; 16]) = ([0x20; 16], [0x21; 16]);

    #[test]
    fn what_an_authentication_header_carries_is_not_what_a_rule_is_asked_about() {
        let mut inner = Vec::new();
        etherparse::TcpHeader::new(4000, 80, 1, 1).write(&mut inner).expect("it fits");
        let authentication = [6, 4, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let carried = [&authentication[..], &inner].concat();
        let ipv4 = etherparse::Ipv4Header::new(
            u16::try_from(carried.len()).expect("it fits"),
            64,
            IpNumber::AUTHENTICATION_HEADER,
            [10, 0, 0, 11],
            [10, 0, 0, 21],
        );
        let options = [51, 0, 1, 4, 0, 0, 0, 0];
        let ipv6 = |next_header, behind: &[u8]| {
            let header = etherparse::Ipv6Header {
                payload_length: u16::try_from(behind.len()).expect("it fits"),
                next_header,
                hop_limit: 64,
                source: ENDS_IPV6.0,
                destination: ENDS_IPV6.1,
                ..Default::default()
            };
            [&header.to_bytes()[..], behind].concat()
        };
        let packets = [
            [ipv4.expect("a header").to_bytes().as_slice(), &carried].concat(),
            ipv6(IpNumber::AUTHENTICATION_HEADER, &carried),
            ipv6(IpNumber::IPV6_DESTINATION_OPTIONS, &[&options[..], &carried].concat()),
        ];
        for packet in packets {
            let tuple = Tuple::parse(&packet).expect("a packet");
            assert_eq!((tuple.protocol, tuple.source_port, tuple.destination_port), (51, 0, 0), "{packet:?}");
        }
    }

    #[test]
    fn a_udp_packet_whose_end_is_cut_off_still_names_its_ends() {
        let mut packet = Vec::new();
        let builder = etherparse::PacketBuilder::ipv4([10, 0, 0, 11], [10, 0, 0, 21], 64).udp(4000, 3306);
        builder.write(&mut packet, &[0; 200]).expect("a vector takes it");
        let tuple = Tuple::parse(&packet[..60]).expect("a UDP packet");
        assert_eq!((tuple.protocol, tuple.source_port, tuple.destination_port), (UDP, 4000, 3306));
        assert_eq!(length(&packet[..60]), 228);
        assert_eq!(tuple.destination, IpAddr::from([10, 0, 0, 21]));
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
    fn an_answer_has_the_ends_the_other_way_round_and_an_error_names_what_it_is_about() {
        let [here, there] = [[10, 0, 0, 11], [10, 0, 0, 21]];
        let mut asked = Vec::new();
        etherparse::PacketBuilder::ipv4(here, there, 64).udp(4000, 53).write(&mut asked, b"token").expect("it fits");
        let asked_tuple = Tuple::parse(&asked).expect("a UDP packet");
        let answer = asked_tuple.answer().expect("an answer");
        assert_eq!((answer.source, answer.source_port), (IpAddr::from(there), 53));
        assert_eq!((answer.destination, answer.destination_port), (IpAddr::from(here), 4000));
        let ping = Tuple { protocol: ICMP, source_port: 7, destination_port: ECHO_REQUEST, ..asked_tuple };
        let reply = ping.answer().expect("a reply");
        assert_eq!((reply.source, reply.source_port, reply.destination_port), (IpAddr::from(there), 7, 0));
        assert_eq!(Tuple { protocol: 47, ..asked_tuple }.answer(), None);

        let error = |kind| {
            let mut packet = Vec::new();
            let builder = etherparse::PacketBuilder::ipv4(there, here, 64).icmpv4_raw(kind, 3, [0; 4]);
            builder.write(&mut packet, &asked).expect("it fits");
            packet
        };
        assert_eq!(Tuple::of_error(&error(3)), Some(asked_tuple));
        assert_eq!(Tuple::of_error(&error(8)), None, "a request is no error");
        assert_eq!(Tuple::of_error(&asked), None);
        assert_eq!(Tuple::of_error(&error(3)[..24]), None);
    }

    #[test]
    fn what_is_seen_says_whether_it_resets_and_of_what_it_is_an_error() {
        let ([here, there], mut reset) = ([[10, 0, 0, 11], [10, 0, 0, 21]], Vec::new());
        etherparse::PacketBuilder::ipv4(there, here, 64)
            .tcp(80, 4000, 0, 0)
            .rst()
            .ack(1)
            .write(&mut reset, &[])
            .expect("it fits");
        let seen = Sighting::of(&reset).expect("a TCP packet");
        assert_eq!((seen.says, seen.tuple.source_port), (Says::Reset, 80));
        let mut error = Vec::new();
        let builder = etherparse::PacketBuilder::ipv4(there, here, 64).icmpv4_raw(3, 3, [0; 4]);
        builder.write(&mut error, &reset).expect("it fits");
        assert_eq!(Sighting::of(&error).map(|seen| seen.says), Some(Says::Error(seen.tuple)));
        let mut ping = Vec::new();
        let builder = etherparse::PacketBuilder::ipv4(there, here, 64).icmpv4_raw(8, 0, [0; 4]);
        builder.write(&mut ping, &reset).expect("it fits");
        assert_eq!(Sighting::of(&ping).map(|seen| seen.says), Some(Says::Anything));
    }

    #[test]
    fn an_ipv6_packet_and_a_protocol_without_ports_name_their_ends() {
        let mut packet = Vec::new();
        let (from, to) = ([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7], [0x20; 16]);
        etherparse::PacketBuilder::ipv6(from, to, 64).tcp(4000, 80, 1, 1).write(&mut packet, &[]).expect("it fits");
        let tuple = Tuple::parse(&packet).expect("a TCP packet");
        assert_eq!((tuple.source, tuple.destination_port), (IpAddr::from(from), 80));
        assert_eq!(length(&packet), 60);
        let header = etherparse::Ipv4Header::new(4, 64, IpNumber::GRE, [10, 0, 0, 11], [10, 0, 0, 21]);
        let packet = [header.expect("a header").to_bytes().as_slice(), &[0; 4]].concat();
        let tuple = Tuple::parse(&packet).expect("a packet of protocol 47");
        assert_eq!((tuple.protocol, tuple.source_port, tuple.destination_port), (47, 0, 0));
    }

    #[test]
    fn a_timestamp_of_an_odd_length_is_one_all_the_same() {
        let header = etherparse::Ipv4Header::new(24, 64, IpNumber::ICMP, [10, 0, 0, 11], [10, 0, 0, 21]);
        let message = [&[13, 0, 0, 0, 0, 7, 0, 1], &[0; 16][..]].concat();
        let packet = [header.expect("a header").to_bytes().as_slice(), &message].concat();
        let tuple = Tuple::parse(&packet).expect("an ICMP packet");
        assert_eq!((tuple.protocol, tuple.source_port, tuple.destination_port), (ICMP, 7, 13));
    }

    #[test]
    fn what_is_no_packet_or_lacks_its_ports_is_nothing() {
        assert_eq!(Tuple::parse(&[]), None);
        let header = etherparse::Ipv4Header::new(0, 64, IpNumber::TCP, [10, 0, 0, 11], [10, 0, 0, 21]);
        assert_eq!(Tuple::parse(&header.expect("a header").to_bytes()), None);
    }
}
