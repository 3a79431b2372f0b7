//! Addresses by which a flow goes.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// Address by which a flow goes to an instance. From outside it is the public one, or the IPv6 one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Via {
    /// By its primary private address, inside the VPC.
    Private,
    /// By its public address, through the gateway.
    Public,
    /// By its IPv6 address, which is the same inside and outside.
    Ipv6,
    /// By its public DNS name: the sender asks its resolver, and goes to the address that it is told.
    Dns,
    /// By one of its secondary addresses: a private one, inside the VPC, or a further one of IPv6, from everywhere.
    Secondary(IpAddr),
}

impl Via {
    /// Those of which each receiver has at most one address.
    pub const KINDS: [Self; 4] = [Self::Private, Self::Public, Self::Ipv6, Self::Dns];

    /// Returns true if what goes by it is a packet of IPv6.
    pub fn is_ipv6(self) -> bool {
        match self {
            Self::Ipv6 => true,
            Self::Secondary(address) => address.is_ipv6(),
            Self::Private | Self::Public | Self::Dns => false,
        }
    }

    /// Returns true if it leads to its holder inside of the VPC only.
    pub fn is_private(self) -> bool {
        match self {
            Self::Private => true,
            Self::Secondary(address) => address.is_ipv4(),
            Self::Public | Self::Ipv6 | Self::Dns => false,
        }
    }

    /// Returns the words of a file that a flow says after its port.
    pub fn words(self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Private => "by private address",
            Self::Public => "by public address",
            Self::Ipv6 => "by ipv6 address",
            Self::Dns => "by dns name",
            Self::Secondary(address) => return Cow::Owned(format!("by {address}")),
        })
    }

    /// [`Self::KINDS`], each with its word.
    pub const WORDS: [(&'static str, Self); 4] =
        [("private", Self::Private), ("public", Self::Public), ("ipv6", Self::Ipv6), ("dns", Self::Dns)];

    /// The word for it; the address itself for a secondary one.
    pub fn word(self) -> Cow<'static, str> {
        match self {
            Self::Secondary(address) => Cow::Owned(address.to_string()),
            kind => Cow::Borrowed(Self::WORDS.iter().find(|(_, of)| *of == kind).map_or("", |(word, _)| word)),
        }
    }

    /// The word for the address by which a receiver is asked where none is named: the private one, and of a load balancer the
    /// one that its name means.
    pub const USUAL: &'static str = "usual";

    /// The word for the address by which receivers are asked; [`Self::USUAL`] where none is named.
    pub fn word_or_usual(named: Option<Self>) -> Cow<'static, str> {
        named.map_or(Cow::Borrowed(Self::USUAL), Self::word)
    }
}

/// As people read it after a flow's port: `by IPv6 address`.
impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ipv6 => "by IPv6 address",
            Self::Dns => "by DNS name",
            Self::Private | Self::Public | Self::Secondary(_) => return f.pad(&self.words()),
        })
    }
}

impl FromStr for Via {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let kind = Self::KINDS.into_iter().find(|via| via.word() == text);
        kind.or_else(|| text.parse().ok().map(Self::Secondary))
            .ok_or_else(|| format!("{text:?} is no kind of address, nor an address"))
    }
}

impl serde::Serialize for Via {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.word())
    }
}

impl<'de> serde::Deserialize<'de> for Via {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_word_is_read_as_it_is_written() {
        for via in
            Via::KINDS.into_iter().chain(["10.0.1.20", "2001:db8::5"].map(|it| Via::Secondary(it.parse().unwrap())))
        {
            assert_eq!(via.word().parse(), Ok(via));
            assert_eq!(serde_json::from_str::<Via>(&serde_json::to_string(&via).unwrap()).unwrap(), via);
        }
        assert!("secondary".parse::<Via>().is_err());
    }
}
