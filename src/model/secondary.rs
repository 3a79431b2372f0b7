//! Addresses of an interface beside its primary private one and its first IPv6 one.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::address::{Ipv6, PrivateIp};

/// The lengths of the prefixes that EC2 delegates to an interface.
///
/// Source: "Prefix delegation for Amazon EC2 network interfaces" (EC2 user guide): "/28" and "/80 prefixes".
const DELEGATED: u8 = 28;
const DELEGATED_IPV6: u8 = 80;

/// A secondary private IPv4 address of an interface, a further IPv6 address, or a prefix that is delegated to it.
///
/// Sources: "Secondary IP addresses for your EC2 instances", "Prefix delegation for Amazon EC2 network interfaces" (EC2 user guide).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SecondaryAddress {
    /// One private address.
    Single(PrivateIp),
    /// A delegated prefix of IPv4: sixteen addresses.
    Prefix(Ipv4Net),
    /// One IPv6 address.
    Ipv6(Ipv6),
    /// A delegated prefix of IPv6: more addresses than anybody can list.
    Ipv6Prefix(Ipv6Net),
}

impl SecondaryAddress {
    /// Makes one of a block; nothing of a block of another length, or with bits beyond its length.
    pub fn of_block(block: IpNet) -> Option<Self> {
        match block {
            IpNet::V4(block) if block.prefix_len() == 32 => Some(Self::Single(PrivateIp(block.addr()))),
            IpNet::V4(block) if block.prefix_len() == DELEGATED && block == block.trunc() => Some(Self::Prefix(block)),
            IpNet::V6(block) if block.prefix_len() == 128 => Some(Self::Ipv6(Ipv6(block.addr()))),
            IpNet::V6(block) if block.prefix_len() == DELEGATED_IPV6 && block == block.trunc() => {
                Some(Self::Ipv6Prefix(block))
            }
            IpNet::V4(_) | IpNet::V6(_) => None,
        }
    }

    /// The block of its addresses.
    pub fn block(self) -> IpNet {
        match self {
            Self::Single(address) => IpNet::V4(address.0.into()),
            Self::Prefix(block) => IpNet::V4(block),
            Self::Ipv6(address) => IpNet::V6(address.0.into()),
            Self::Ipv6Prefix(block) => IpNet::V6(block),
        }
    }

    /// The prefix of the size that EC2 delegates which has it in it: itself, if it is one.
    pub fn delegated(self) -> IpNet {
        let block = self.block();
        let length = if block.addr().is_ipv4() { DELEGATED } else { DELEGATED_IPV6 };
        IpNet::new(block.addr(), length).map_or(block, |prefix| prefix.trunc())
    }

    /// The block of its addresses, if they are private ones of IPv4.
    pub fn ipv4(self) -> Option<Ipv4Net> {
        match self.block() {
            IpNet::V4(block) => Some(block),
            IpNet::V6(_) => None,
        }
    }

    /// The block of its addresses, if they are of IPv6.
    pub fn ipv6(self) -> Option<Ipv6Net> {
        match self.block() {
            IpNet::V4(_) => None,
            IpNet::V6(block) => Some(block),
        }
    }

    /// Every private address of it, lowest first; none where it is of IPv6.
    pub fn private_addresses(self) -> impl Iterator<Item = PrivateIp> {
        let numbers = self.ipv4().map(|block| u32::from(block.network())..=u32::from(block.broadcast()));
        numbers.into_iter().flatten().map(|number| PrivateIp(Ipv4Addr::from(number)))
    }

    /// Returns true if both have an address in common.
    pub fn overlaps(self, other: Self) -> bool {
        self.block().contains(&other.block()) || other.block().contains(&self.block())
    }
}

/// As a file writes it: `10.0.1.20`, `10.0.1.32/28`, `2001:db8::5`, `2001:db8:0:0:1::/80`.
impl fmt::Display for SecondaryAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Single(address) => fmt::Display::fmt(address, f),
            Self::Prefix(block) => fmt::Display::fmt(block, f),
            Self::Ipv6(address) => fmt::Display::fmt(address, f),
            Self::Ipv6Prefix(block) => fmt::Display::fmt(block, f),
        }
    }
}

impl FromStr for SecondaryAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let single = text.parse().ok().map(|address| match address {
            IpAddr::V4(address) => Self::Single(PrivateIp(address)),
            IpAddr::V6(address) => Self::Ipv6(Ipv6(address)),
        });
        let is_prefix = |block: &IpNet| block.prefix_len() < block.max_prefix_len();
        let of_block = || text.parse().ok().filter(is_prefix).and_then(Self::of_block);
        single.or_else(of_block).ok_or_else(|| {
            format!("{text:?} is neither an address nor a prefix of /{DELEGATED} or, of IPv6, /{DELEGATED_IPV6}")
        })
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
    fn one_is_an_address_or_a_prefix_of_the_length_of_its_family() {
        for (text, private) in [("10.0.1.20", 1), ("10.0.1.32/28", 16), ("2001:db8::5", 0), ("2001:db8:0:0:1::/80", 0)]
        {
            let read: SecondaryAddress = text.parse().unwrap();
            assert_eq!((read.to_string().as_str(), read.private_addresses().count()), (text, private));
            assert_eq!(SecondaryAddress::of_block(read.block()), Some(read));
            assert_eq!(read.ipv4().is_some(), read.ipv6().is_none());
        }
        let wrong =
            ["10.0.1.0/24", "10.0.1.20/32", "10.0.1.33/28", "2001:db8::1/128", "2001:db8::1/80", "2001:db8::/64"];
        for wrong in wrong.into_iter().chain(["web1", ""]) {
            assert!(wrong.parse::<SecondaryAddress>().is_err(), "{wrong}");
        }
    }
}
