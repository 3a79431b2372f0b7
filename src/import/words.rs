//! Words of rules that every kind of source shares: protocol and ports as EC2's `IpPermission` has them.

use ipnet::IpNet;

use crate::model::{IcmpMatch, Port, PortRange, PrefixFamily, Traffic, protocol, suggest};

/// The words for protocols.
const PROTOCOLS: [&str; 5] = ["tcp", "udp", "icmp", "icmpv6", "-1"];

/// A mistake in words: the message and the advice.
pub(super) type Wrong = (String, Option<String>);

/// Reads protocol and ports of a rule. Of ICMP, `from` is the type and `to` the code; -1 is any, as is what is absent.
///
/// Source: `IpPermission` (Amazon EC2 API reference).
pub(super) fn traffic(word: &str, from: Option<i64>, to: Option<i64>) -> Result<Traffic, Wrong> {
    let number = word.parse::<u8>().ok();
    match (word.to_ascii_lowercase().as_str(), number) {
        ("-1" | "all", _) => Ok(Traffic::All),
        ("tcp", _) | (_, Some(protocol::TCP)) => ports(from, to).map(Traffic::Tcp),
        ("udp", _) | (_, Some(protocol::UDP)) => ports(from, to).map(Traffic::Udp),
        ("icmp", _) | (_, Some(protocol::ICMP)) => icmp(from, to).map(Traffic::Icmp),
        ("icmpv6", _) | (_, Some(protocol::ICMPV6)) => icmp(from, to).map(Traffic::Icmpv6),
        (_, Some(number)) => Ok(Traffic::Protocol(number)),
        (word, None) => protocol::unnamed(word)
            .map(Traffic::Protocol)
            .ok_or_else(|| (format!("unknown protocol `{word}`"), suggest(word, PROTOCOLS))),
    }
}

fn ports(from: Option<i64>, to: Option<i64>) -> Result<PortRange, Wrong> {
    let port = |port: i64| {
        u16::try_from(port)
            .map(Port)
            .map_err(|_| (format!("{port} is no port"), Some("ports are 0 to 65535".to_owned())))
    };
    match (from, to) {
        (None | Some(-1), None | Some(-1)) => Ok(PortRange::ALL),
        (Some(one), None) | (None, Some(one)) => port(one).map(PortRange::single),
        (Some(from), Some(to)) => {
            let (from, to) = (port(from)?, port(to)?);
            PortRange::new(from, to)
                .ok_or_else(|| (format!("the range of ports ends at {to}, below its beginning {from}"), None))
        }
    }
}

fn icmp(kind: Option<i64>, code: Option<i64>) -> Result<IcmpMatch, Wrong> {
    let byte =
        |what: &str, value: i64| u8::try_from(value).map_err(|_| (format!("{value} is no {what} of ICMP"), None));
    match (kind.unwrap_or(-1), code.unwrap_or(-1)) {
        (-1, _) => Ok(IcmpMatch::All),
        (kind, -1) => byte("type", kind).map(IcmpMatch::Type),
        (kind, code) => Ok(IcmpMatch::TypeAndCode(byte("type", kind)?, byte("code", code)?)),
    }
}

/// Reads a block; host bits go, as EC2 drops them.
pub(super) fn block(text: &str) -> Result<IpNet, Wrong> {
    let text = text.trim();
    let net = text.parse::<IpNet>().ok().or_else(|| text.parse::<std::net::IpAddr>().ok().map(IpNet::from));
    net.map(|net| net.trunc()).ok_or_else(|| {
        (format!("`{text}` is no block of addresses"), Some("such as 10.0.0.0/16 or 2001:db8::/32".to_owned()))
    })
}

/// Reads a family as the API writes it: `IPv4` or `IPv6`.
pub(super) fn address_family(text: &str) -> Option<PrefixFamily> {
    PrefixFamily::BOTH.into_iter().find(|family| family.to_string() == text)
}
