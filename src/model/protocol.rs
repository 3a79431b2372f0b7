//! The numbers of protocols above IP, as IANA assigns them.

/// ICMP.
pub const ICMP: u8 = 1;
/// TCP.
pub const TCP: u8 = 6;
/// UDP.
pub const UDP: u8 = 17;
/// ICMPv6.
pub const ICMPV6: u8 = 58;
/// SCTP.
pub const SCTP: u8 = 132;
/// UDP-Lite.
pub const UDP_LITE: u8 = 136;

/// The extension headers of IPv6 behind which the kernel looks for the protocol: hop-by-hop options, routing, fragment,
/// authentication, destination options.
pub const EXTENSION_HEADERS: [u8; 5] = [0, 43, 44, 51, 60];

/// Protocols for which EC2 has no word, though others have: a rule names them by number, and they have no ports there.
const UNNAMED: [(&str, u8); 11] = [
    ("ah", 51),
    ("dccp", 33),
    ("esp", 50),
    ("gre", 47),
    ("igmp", 2),
    ("ipip", 4),
    ("ospf", 89),
    ("pim", 103),
    ("sctp", SCTP),
    ("udplite", UDP_LITE),
    ("vrrp", 112),
];

/// The number of a protocol for which EC2 has no word, by its name in any case.
pub fn unnamed(name: &str) -> Option<u8> {
    UNNAMED.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, number)| *number)
}
