//! IPv6 blocks of subnets.

use ipnet::Ipv6Net;

/// The IPv6 block of a subnet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ipv6Block {
    /// It has none.
    None,
    /// This one.
    Is(Ipv6Net),
    /// It gets one that is not known yet.
    Later,
    /// It cannot be told, for this reason.
    Unknown(String),
}

impl Ipv6Block {
    /// The block, if it is known.
    pub fn known(&self) -> Option<Ipv6Net> {
        match self {
            Self::Is(block) => Some(*block),
            Self::None | Self::Later | Self::Unknown(_) => None,
        }
    }
}
