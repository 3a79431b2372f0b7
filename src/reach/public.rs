//! Public addresses that an interface has in one of two accounts only.

use ipnet::{IpNet, Ipv4Net};

use super::matching::Matching;
use crate::account::{Account, Interface, Origin, Public};
use crate::model::PrefixFamily;

/// A public address that only one of two accounts gives to an interface that both have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressChange {
    /// The interface, by its short name.
    pub member: String,
    /// The address: `203.0.113.7`, `a public address that is not known yet`, `an IPv6 address that is not known yet`.
    pub address: String,
    /// The interface's place.
    pub origin: Origin,
}

/// An address that one of two accounts gives. One that is known comes first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Gain {
    /// This one, or one that is given later.
    Known(String),
    /// One of the accounts does not tell, for this reason.
    Perhaps(String),
}

/// Tells what an interface has of a family in its own account and `twin` does not in the other.
pub(super) fn gain(own: &Interface, twin: &Interface, family: PrefixFamily) -> Option<Gain> {
    match (way(own, family), way(twin, family)) {
        (Way::At(address), Way::None) => Some(Gain::Known(address)),
        (Way::At(_), Way::Unknown(why)) => Some(Gain::Perhaps(format!("in the other source, {why}"))),
        (Way::Unknown(why), Way::None) => Some(Gain::Perhaps(why.to_owned())),
        (Way::Unknown(why), Way::Unknown(other)) if why != other => Some(Gain::Perhaps(why.to_owned())),
        (Way::At(_) | Way::Unknown(_), Way::At(_) | Way::Unknown(_)) | (Way::None, _) => None,
    }
}

enum Way<'a> {
    At(String),
    None,
    Unknown(&'a str),
}

fn way(interface: &Interface, family: PrefixFamily) -> Way<'_> {
    let later = || {
        if interface.ipv6_later > 0 { Way::At("an IPv6 address that is not known yet".to_owned()) } else { Way::None }
    };
    match &interface.public {
        // An address that is known after apply is EC2's choice, and IPv4.
        Public::At(all) if all.is_empty() && family.is_ipv4() => {
            Way::At("a public address that is not known yet".to_owned())
        }
        Public::At(all) => {
            let address = all.iter().find(|address| PrefixFamily::of(IpNet::from(**address)) == family);
            let none = || if family.is_ipv4() { Way::None } else { later() };
            address.map_or_else(none, |address| Way::At(address.to_string()))
        }
        Public::Unknown(why) if family.is_ipv4() => Way::Unknown(why),
        Public::None if family.is_ipv4() => Way::None,
        Public::Unknown(_) | Public::None => later(),
    }
}

/// The public addresses that interfaces of `of` have, and the same interfaces of `other` have not, for certain.
pub(super) fn addresses_of_one(of: &Account, other: &Account, matching: &Matching) -> Vec<AddressChange> {
    let mut changes = Vec::new();
    for (id, interface) in &of.interfaces {
        let Some(twin) = matching.interfaces.get(id).and_then(|id| other.interfaces.get(id)) else { continue };
        for family in PrefixFamily::BOTH {
            if let Some(Gain::Known(address)) = gain(interface, twin, family) {
                let (member, origin) = (interface.label.clone(), interface.origin.clone());
                changes.push(AddressChange { member, address, origin });
            }
        }
    }
    changes
}

/// Returns true for a block without an address of the internet.
pub(super) fn is_private(block: &IpNet) -> bool {
    match block {
        IpNet::V4(block) => {
            let shared = Ipv4Net::new_assert([100, 64, 0, 0].into(), 10);
            [block.network(), block.broadcast()].iter().all(std::net::Ipv4Addr::is_private) || shared.contains(block)
        }
        IpNet::V6(block) => block.network().segments()[0] & 0xFE00 == 0xFC00 && block.prefix_len() >= 7,
    }
}
