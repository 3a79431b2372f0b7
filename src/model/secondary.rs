//! Private IPv4 addresses of an interface beside its primary one.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use ipnet::Ipv4Net;

use super::address::PrivateIp;

/// The length of a prefix that EC2 delegates to an interface.
///
/// Source: "Prefix delegation for Amazon EC2 network interfaces" (EC2 user guide): "/28 prefixes".
const DELEGATED: u8 = 28;

/// A secondary private IPv4 address of an interface, or a prefix that is delegated to it.
///
/// Source: "Secondary IP addresses for your EC2 instances" (EC2 user guide).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SecondaryAddress {
    /// One address.
    Single(PrivateIp),
    /// A delegated prefix: sixteen addresses.
    Prefix(Ipv4Net),
}

impl SecondaryAddress {
    /// Makes one of a block; nothing of a block of another length, or with bits beyond its length.
    pub fn of_block(block: Ipv4Net) -> Option<Self> {
        match block.prefix_len() {
            32 => Some(Self::Single(PrivateIp(block.addr()))),
            DELEGATED if block == block.trunc() => Some(Self::Prefix(block)),
            _ => None,
        }
    }

    /// The block of its addresses.
    pub fn block(self) -> Ipv4Net {
        match self {
            Self::Single(address) => Ipv4Net::from(address.0),
            Self::Prefix(block) => block,
        }
    }

    /// Every address of it, lowest first.
    pub fn addresses(self) -> impl Iterator<Item = PrivateIp> {
        let block = self.block();
        (u32::from(block.network())..=u32::from(block.broadcast())).map(|number| PrivateIp(Ipv4Addr::from(number)))
    }

    /// Returns true if both have an address in common.
    pub fn overlaps(self, other: Self) -> bool {
        self.block().contains(&other.block()) || other.block().contains(&self.block())
    }
}

/// As a file writes it: `10.0.1.20`, `10.0.1.32/28`.
impl fmt::Display for SecondaryAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Single(address) => fmt::Display::fmt(address, f),
            Self::Prefix(block) => fmt::Display::fmt(block, f),
        }
    }
}

impl FromStr for SecondaryAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let single = text.parse().map(|address| Self::Single(PrivateIp(address))).ok();
        let of_block = || text.parse().ok().filter(|block: &Ipv4Net| block.prefix_len() == DELEGATED);
        single
            .or_else(|| of_block().and_then(Self::of_block))
            .ok_or_else(|| format!("{text:?} is neither an IPv4 address nor a prefix of /{DELEGATED}"))
    }
}

impl serde::Serialize for SecondaryAddress {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for SecondaryAddress {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_an_address_or_a_prefix_of_sixteen() {
        for (text, count) in [("10.0.1.20", 1), ("10.0.1.32/28", 16)] {
            let read: SecondaryAddress = text.parse().unwrap();
            assert_eq!((read.to_string().as_str(), read.addresses().count()), (text, count));
        }
        for wrong in ["10.0.1.0/24", "10.0.1.20/32", "10.0.1.33/28", "2001:db8::1", "web1", ""] {
            assert!(wrong.parse::<SecondaryAddress>().is_err(), "{wrong}");
        }
    }
}
