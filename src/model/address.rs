//! Addresses and ports: private, public, IPv6, those of hosts outside, and the port number.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

macro_rules! address {
    ($(#[$doc:meta])* $type:ident($address:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        pub struct $type(pub $address);

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

address!(
    /// A private IPv4 address, held by an interface inside its VPC.
    PrivateIp(Ipv4Addr)
);
address!(
    /// A public IPv4 address of the gateway's 1:1 translation.
    PublicIp(Ipv4Addr)
);
address!(
    /// An IPv6 address of an interface: the same inside and outside, for nothing translates it.
    ///
    /// Source: "Compare IPv4 and IPv6" (Amazon VPC user guide).
    Ipv6(Ipv6Addr)
);
address!(
    /// An address of a host outside, of either family.
    HostIp(IpAddr)
);

/// A TCP or UDP port, 0 to 65535.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Port(pub u16);

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
