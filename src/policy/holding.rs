//! Addresses that an interface holds.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::model::Interface;

/// Returns true if an address leads to an interface: its primary private one, a secondary one, or one of a prefix that is delegated to it.
/// While it has no primary address it has no link, and none of the others leads to it.
///
/// Sources: "Secondary IP addresses for your EC2 instances", "Prefix delegation for Amazon EC2 network interfaces" (EC2).
pub(super) fn holds(interface: &Interface, address: Ipv4Addr) -> bool {
    let is_another = || is_secondary(interface, address.into());
    interface.private.is_some_and(|primary| primary.0 == address || is_another())
}

/// The same of IPv6: its first address, a further one, or one of a prefix. These stay with it, whether it has a link or not.
pub(super) fn holds_ipv6(interface: &Interface, address: Ipv6Addr) -> bool {
    interface.ipv6.is_some_and(|first| first.0 == address) || is_secondary(interface, address.into())
}

fn is_secondary(interface: &Interface, address: IpAddr) -> bool {
    interface.secondary.iter().any(|secondary| secondary.block().contains(&address))
}
