//! Protocols of which no packet that a probe sends would prove anything, each with the reason. They are no columns of a table, and
//! a flow of one is explained without a packet.

use std::fmt;

use super::flow::Service;
use super::protocol::EXTENSION_HEADERS;
use super::via::Via;

/// Reason why no probe can ask for a protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unprobeable {
    /// The number is reserved, and no socket speaks it.
    Reserved(u8),
    /// Over IPv6 it is a header before that of the protocol: the kernel reads on behind it, and so does the filter.
    ExtensionHeader(u8),
    /// Over IPv6 it says that nothing follows: the kernel gives it to nobody.
    NoNextHeader,
}

impl Service {
    /// Returns the reason why no probe can ask for it by an address of this kind; nothing where one can.
    ///
    /// The extension headers are those of `ipv6_ext_hdr()` in the kernel (net/ipv6/exthdrs_core.c). ESP, mobility, HIP and shim6, which
    /// RFC 7045 counts among them, are protocols to Linux.
    pub fn unprobeable(self, via: Via) -> Option<Unprobeable> {
        match (self, via.is_ipv6()) {
            (Self::Protocol(number @ (0 | 255)), _) => Some(Unprobeable::Reserved(number)),
            (Self::Protocol(59), true) => Some(Unprobeable::NoNextHeader),
            (Self::Protocol(number), true) if EXTENSION_HEADERS.contains(&number) => {
                Some(Unprobeable::ExtensionHeader(number))
            }
            _ => None,
        }
    }
}

impl fmt::Display for Unprobeable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reserved(number) => write!(f, "protocol {number} is reserved, and no socket speaks it"),
            Self::ExtensionHeader(number) => {
                write!(f, "over IPv6 {number} is an extension header, behind which the kernel looks for the protocol")
            }
            Self::NoNextHeader => f.write_str("over IPv6 59 says that no protocol follows, and nobody gets the packet"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn over_ipv6_an_extension_header_is_no_protocol_and_over_ipv4_it_is_one() {
        for number in [43, 44, 51, 59, 60] {
            assert_eq!(Service::Protocol(number).unprobeable(Via::Private), None, "{number}");
            assert!(Service::Protocol(number).unprobeable(Via::Ipv6).is_some(), "{number}");
        }
        for via in [Via::Private, Via::Public, Via::Dns, Via::Ipv6] {
            let none = (0..=255).filter(|number| Service::Protocol(*number).unprobeable(via).is_some());
            assert_eq!(none.count(), if via == Via::Ipv6 { 7 } else { 2 }, "{via:?}");
            assert_eq!(Service::IcmpEcho.unprobeable(via), None);
        }
    }
}
