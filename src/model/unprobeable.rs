//! Flows of which no packet that a probe sends would prove anything, each with the reason: those of protocols that no probe can ask for, which
//! are no columns of a table, and those that are let in and do not show it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use super::flow::Service;
use super::interface_id::{InterfaceHolder, InterfaceId};
use super::name::VpcName;
use super::protocol::EXTENSION_HEADERS;
use super::via::Via;

/// Reason why no probe can ask for a protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
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

/// Reason why a probe shows nothing of a flow.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unproved {
    /// The route of the receiver's subnet leads the answer to what is not there.
    AnswerToNobody {
        /// VPC of the route.
        vpc: VpcName,
        /// Source of the answer.
        source: Ipv4Addr,
    },
    /// The route of the receiver's subnet leads the answer through a NAT instance, which has seen no question and gives it another source.
    AnswerTranslated {
        /// The NAT instance.
        by: InterfaceId,
    },
    /// A NAT instance translates no packet of the protocol that belongs to no association.
    Untranslated {
        /// The NAT instance.
        by: InterfaceId,
        /// Number of the protocol.
        number: u8,
    },
    /// The forged source is an address of the receiver's own, from which it takes nothing.
    FromItself {
        /// The receiver.
        receiver: InterfaceHolder,
        /// The source.
        source: IpAddr,
    },
    /// Its sender sends by its first interface what has an address of none of them.
    ByAnotherInterface {
        /// Interface that was to send it.
        asked: InterfaceId,
    },
}

impl fmt::Display for Unproved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AnswerToNobody { vpc, source } => {
                write!(f, "its answer, from {source}, goes by a route in {vpc} that leads to nobody")
            }
            Self::AnswerTranslated { by } => write!(
                f,
                "its answer goes through {}, as the route table of the subnet says, and comes back with another source",
                by.short()
            ),
            Self::Untranslated { by, number } => write!(
                f,
                "{} translates no packet of protocol {number} that belongs to no association, and a probe's does not",
                by.short()
            ),
            Self::FromItself { receiver, source } => {
                write!(f, "{source} is an address of {receiver}, which takes nothing that comes from there")
            }
            Self::ByAnotherInterface { asked } => write!(
                f,
                "what has the address of no interface of its sender leaves by the first, and not by {}",
                asked.short()
            ),
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
