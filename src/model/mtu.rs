//! MTU: the largest packet on a link.

use std::fmt;

use super::era::Era;

/// The largest IP packet that a link takes, in bytes with its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Mtu(pub u16);

impl Mtu {
    /// Inside a VPC.
    ///
    /// Source: "Network maximum transmission unit (MTU) for your EC2 instance" (Amazon EC2 user guide).
    pub const JUMBO: Self = Self(9001);
    /// Beyond a gateway, and everywhere in the eras before VPCs. Source: as [`Self::JUMBO`].
    pub const ETHERNET: Self = Self(1500);
    /// Of the links of a VPC. Between it and the internet, [`Self::ETHERNET`] is the most.
    pub fn inside(era: Era) -> Self {
        match era {
            Era::Article | Era::Classic => Self::ETHERNET,
            Era::Vpc => Self::JUMBO,
        }
    }

    /// The smallest that a link of a host may have: every IPv4 host takes as much (RFC 791).
    pub const MIN_IPV4: Self = Self(576);
    /// The same of a host that has an IPv6 address (RFC 8200).
    pub const MIN_IPV6: Self = Self(1280);
}

impl fmt::Display for Mtu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
