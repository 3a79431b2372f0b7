//! The words of EC2's `IpPermission` for what a rule admits.

use crate::model::{IcmpMatch, PortRange, Traffic};

/// Protocol and ports; of ICMP the type and the code, where -1 is any.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Words {
    pub protocol: String,
    pub ports: Option<(i64, i64)>,
}

/// The words for some traffic.
///
/// Source: `IpPermission` (Amazon EC2 API reference).
pub fn words(traffic: Traffic) -> Words {
    let plain = |protocol: &str, ports| Words { protocol: protocol.to_owned(), ports };
    match traffic {
        Traffic::All => plain("-1", None),
        Traffic::Tcp(range) => plain("tcp", Some(ports(range))),
        Traffic::Udp(range) => plain("udp", Some(ports(range))),
        Traffic::Icmp(messages) => plain("icmp", Some(icmp(messages))),
        Traffic::Icmpv6(messages) => plain("icmpv6", Some(icmp(messages))),
        Traffic::Protocol(number) => plain(&number.to_string(), None),
    }
}

fn ports(range: PortRange) -> (i64, i64) {
    (range.from().0.into(), range.to().0.into())
}

fn icmp(messages: IcmpMatch) -> (i64, i64) {
    match messages {
        IcmpMatch::All => (-1, -1),
        IcmpMatch::Type(kind) => (kind.into(), -1),
        IcmpMatch::TypeAndCode(kind, code) => (kind.into(), code.into()),
    }
}
