//! Private addresses that an interface holds.

use std::net::Ipv4Addr;

use crate::model::Interface;

/// Returns true if an address leads to an interface: its primary private one, a secondary one, or one of a prefix that is delegated to it.
/// While it has no primary address it has no link, and none of the others leads to it.
///
/// Sources: "Secondary IP addresses for your EC2 instances", "Prefix delegation for Amazon EC2 network interfaces" (EC2).
pub(super) fn holds(interface: &Interface, address: Ipv4Addr) -> bool {
    let is_another = || interface.secondary.iter().any(|secondary| secondary.block().contains(&address));
    interface.private.is_some_and(|primary| primary.0 == address || is_another())
}
