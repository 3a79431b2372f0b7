//! Elements that packets have put into a router's sets, read as the packets that they stand for.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::names::{self, OF_IPV6, OTHER, OTHER_RECEIVED, OTHER_SENT, UDP_SENT, UDP_STREAMS};
use crate::model::Direction;
use crate::model::protocol::UDP;

/// A packet that an interface remembers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Remembered {
    /// The interface's name at the router.
    pub interface: String,
    /// The number of its protocol.
    pub protocol: u8,
    /// `Egress` if the interface sent it, or the set does not tell; `Ingress` if it admitted it.
    pub direction: Direction,
    /// The interface's address and port; protocols other than UDP have port 0.
    pub own: (IpAddr, u16),
    /// Those of the other end.
    pub other: (IpAddr, u16),
}

/// Reports whether a set says only what is paid for: nothing in it lets a packet pass.
pub fn is_paid(set: &str) -> bool {
    names::paid_of(set).is_some()
}

/// The packet that an element stands for; nothing where the set is not one that packets fill.
///
/// The fields are nft's, of its JSON list: numbers, or texts.
pub fn remembered(set: &str, fields: &[serde_json::Value]) -> Option<Remembered> {
    let set = names::paid_of(set).unwrap_or(set);
    let ipv6 = set.ends_with(OF_IPV6);
    let (protocol, direction) = match set.trim_end_matches(OF_IPV6) {
        UDP_SENT | UDP_STREAMS => (None, Direction::Egress),
        OTHER | OTHER_SENT => (Some(()), Direction::Egress),
        OTHER_RECEIVED => (Some(()), Direction::Ingress),
        _ => return None,
    };
    let interface = fields.first()?.as_str()?.to_owned();
    let port = |field: usize| fields.get(field).and_then(serde_json::Value::as_u64)?.try_into().ok();
    Some(match protocol {
        None => Remembered {
            interface,
            protocol: UDP,
            direction,
            own: (fields.get(1)?.as_str()?.parse().ok()?, port(3)?),
            other: (fields.get(2)?.as_str()?.parse().ok()?, port(4)?),
        },
        Some(()) => Remembered {
            interface,
            protocol: raw(fields.get(1)?)?.try_into().ok()?,
            direction,
            own: (raw_address(fields.get(2)?, ipv6)?, 0),
            other: (raw_address(fields.get(3)?, ipv6)?, 0),
        },
    })
}

/// A raw field: nft lists one of more than 64 bits as a text in hexadecimal.
fn raw(field: &serde_json::Value) -> Option<u128> {
    match field.as_str() {
        Some(text) => u128::from_str_radix(text.strip_prefix("0x")?, 16).ok(),
        None => field.as_u64().map(u128::from),
    }
}

fn raw_address(field: &serde_json::Value, ipv6: bool) -> Option<IpAddr> {
    let bits = raw(field)?;
    if ipv6 { Some(Ipv6Addr::from(bits).into()) } else { Some(Ipv4Addr::from(u32::try_from(bits).ok()?).into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_element_as_nft_lists_it_is_read_as_the_packet_that_it_stands_for() {
        let read = |set: &str, fields: &str| remembered(set, &serde_json::from_str::<Vec<_>>(fields).unwrap());
        let sent = |protocol, own: (&str, u16), other: (&str, u16)| Remembered {
            interface: "web1".to_owned(),
            protocol,
            direction: Direction::Egress,
            own: (own.0.parse().unwrap(), own.1),
            other: (other.0.parse().unwrap(), other.1),
        };
        assert_eq!(
            read("udp-sent", r#"["web1", "10.0.0.11", "10.0.0.12", 45001, 45002]"#),
            Some(sent(17, ("10.0.0.11", 45001), ("10.0.0.12", 45002)))
        );
        assert_eq!(
            read("udp-sent-ipv6", r#"["web1", "2001:db8::1", "2001:db8::2", 1, 2]"#),
            Some(sent(17, ("2001:db8::1", 1), ("2001:db8::2", 2)))
        );
        assert_eq!(
            read("other-sent", r#"["web1", 50, 167772161, 167772162]"#),
            Some(sent(50, ("10.0.0.1", 0), ("10.0.0.2", 0)))
        );
        let long = r#"["web1", 50, "0x20010db8000000000000000000000001", "0x20010db8000000000000000000000002"]"#;
        let received = Remembered { direction: Direction::Ingress, ..sent(50, ("2001:db8::1", 0), ("2001:db8::2", 0)) };
        assert_eq!(read("other-received-ipv6", long), Some(received));
        assert_eq!(
            read("udp-streams", r#"["web1", "10.0.0.11", "10.0.0.12", 45001, 45002]"#),
            Some(sent(17, ("10.0.0.11", 45001), ("10.0.0.12", 45002)))
        );
        assert_eq!(
            read("udp-sent-ipv6-paid", r#"["web1", "2001:db8::1", "2001:db8::2", 1, 2]"#),
            Some(sent(17, ("2001:db8::1", 1), ("2001:db8::2", 2)))
        );
        for (set, fields) in [
            ("members/web1", r#"["10.0.0.1"]"#),
            ("udp-sent", r#"["web1", 7]"#),
            ("udp-slow", "[7]"),
            ("other-sent", "[]"),
        ] {
            assert_eq!(read(set, fields), None, "{set} {fields}");
        }
    }
}
