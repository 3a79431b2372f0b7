//! Flaws of a packet that looks like what was asked.

use etherparse::{LaxNetSlice, LaxSlicedPacket};

use super::{ICMP_HEADER, length, payload};
use crate::model::protocol::{ICMP, ICMPV6};

/// Reason why a packet is not what was asked, though it has the same ends: what a filter makes of it says nothing of one that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Flaw {
    /// The checksum of an ICMP message is wrong: connection tracking gives it no state, and so no rule for pings matches it.
    Checksum,
    /// An ICMP message ends within its header: the same becomes of it.
    Short,
    /// Not enough of an ICMP message is at hand to tell whether its checksum is right; nothing that is asked is so long.
    Long,
    /// An ICMP message has another code.
    Code,
}

impl std::fmt::Display for Flaw {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Checksum => "a packet with a wrong checksum",
            Self::Short => "a packet that ends within its header",
            Self::Long => "a longer packet",
            Self::Code => "a message with another code",
        })
    }
}

impl Flaw {
    /// Finds what is wrong with an ICMP message by itself. Of TCP and UDP connection tracking looks at the checksum, and says so.
    pub fn of(packet: &[u8]) -> Option<Self> {
        let sliced = LaxSlicedPacket::from_ip(packet).ok()?;
        let (protocol, message) = payload(packet)?;
        let pseudo = match (&sliced.net, protocol) {
            (Some(LaxNetSlice::Ipv4(_)), ICMP) => Vec::new(),
            (Some(LaxNetSlice::Ipv6(ip)), ICMPV6) => {
                let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
                let ends = [ip.header().source(), ip.header().destination()].concat();
                [&ends[..], &length.to_be_bytes(), &u32::from(ICMPV6).to_be_bytes()].concat()
            }
            _ => return None,
        };
        if usize::try_from(length(packet)).is_ok_and(|length| length > packet.len()) {
            return Some(Self::Long);
        }
        if message.len() < ICMP_HEADER {
            return Some(Self::Short);
        }
        (checksum(&[&pseudo, message].concat()) != 0).then_some(Self::Checksum)
    }
}

/// The internet checksum (RFC 1071); zero where the right one is among the bytes.
pub fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0)));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use etherparse::IpNumber;

    use super::*;
    use crate::fabric::packet::Tuple;

    #[test]
    fn the_checksum_of_a_message_is_read_over_both_families() {
        let mut pings = [Vec::new(), Vec::new()];
        let ipv4 = etherparse::PacketBuilder::ipv4([10, 0, 0, 11], [10, 0, 0, 21], 64).icmpv4_echo_request(7, 1);
        ipv4.write(&mut pings[0], b"token").expect("it fits");
        let ipv6 = etherparse::PacketBuilder::ipv6([0x20; 16], [0x21; 16], 64).icmpv6_echo_request(7, 1);
        ipv6.write(&mut pings[1], b"token").expect("it fits");
        for ping in pings {
            assert_eq!(Flaw::of(&ping), None);
            let header = ping.len() - 5 - ICMP_HEADER;
            for at in [header + 1, header + 2, header + 5, ping.len() - 1] {
                let mut broken = ping.clone();
                broken[at] ^= 1;
                assert_eq!(Flaw::of(&broken), Some(Flaw::Checksum), "{at}");
            }
            // The router is no hop, and yet may count.
            let (mut later, hops) = (ping.clone(), if ping[0] >> 4 == 4 { 8 } else { 7 });
            later[hops] -= 1;
            assert_eq!(Flaw::of(&later), None);
            assert_eq!(Flaw::of(&ping[..ping.len() - 1]), Some(Flaw::Long));
        }
        let mut datagram = Vec::new();
        let udp = etherparse::PacketBuilder::ipv4([10, 0, 0, 11], [10, 0, 0, 21], 64).udp(4000, 53);
        udp.write(&mut datagram, b"token").expect("it fits");
        datagram[26] ^= 1;
        assert_eq!(Flaw::of(&datagram), None, "connection tracking says that of datagrams");
    }

    #[test]
    fn a_message_that_ends_within_its_header_has_no_state() {
        let header = etherparse::Ipv4Header::new(6, 64, IpNumber::ICMP, [10, 0, 0, 11], [10, 0, 0, 21]);
        let packet = [header.expect("a header").to_bytes().as_slice(), &[8, 0, 0xf7, 0xf8, 0, 7]].concat();
        assert!(Tuple::parse(&packet).is_some());
        assert_eq!(Flaw::of(&packet), Some(Flaw::Short));
    }
}
