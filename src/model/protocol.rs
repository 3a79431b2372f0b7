//! The numbers of protocols above IP, as IANA assigns them.

/// ICMP.
pub const ICMP: u8 = 1;
/// TCP.
pub const TCP: u8 = 6;
/// UDP.
pub const UDP: u8 = 17;
/// ICMPv6.
pub const ICMPV6: u8 = 58;

/// The extension headers of IPv6 behind which the kernel looks for the protocol: hop-by-hop options, routing, fragment,
/// authentication, destination options.
pub const EXTENSION_HEADERS: [u8; 5] = [0, 43, 44, 51, 60];
