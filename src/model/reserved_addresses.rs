//! Addresses that no host outside can have.

use std::net::{IpAddr, Ipv4Addr};

use indexmap::IndexMap;
use ipnet::{Ipv4Net, Ipv6Net};

use super::cloud::{DEFAULT_PUBLIC_POOL, GATEWAYS_IPV6, INTERNET_ADDRESS_IPV6, Vpc};
use super::name::VpcName;

/// Owner of an address that no host can have.
pub(crate) enum Belongs<'v> {
    Vpc(&'v VpcName),
    Lab(&'static str),
    Block(&'static str),
    NotGlobal,
}

/// Returns the owner of an address that no host outside can have.
pub(crate) fn belongs(address: IpAddr, vpcs: &IndexMap<VpcName, Vpc>) -> Option<Belongs<'_>> {
    let block = || match address {
        IpAddr::V4(address) => {
            taken_blocks().into_iter().find(|(taken, _)| taken.contains(&address)).map(|(_, what)| Belongs::Block(what))
        }
        IpAddr::V6(address) => {
            let lab =
                || LAB_IPV6.into_iter().find(|(its, _)| its.contains(&address)).map(|(_, whose)| Belongs::Lab(whose));
            (!is_global(address.into())).then_some(Belongs::NotGlobal).or_else(lab)
        }
    };
    let inside = |vpc: &Vpc| match address {
        IpAddr::V4(address) => vpc.cidr.contains(&address),
        IpAddr::V6(address) => vpc.ipv6.is_some_and(|block| block.contains(&address)),
    };
    let vpc = || vpcs.iter().find(|(_, vpc)| inside(vpc)).map(|(name, _)| Belongs::Vpc(name));
    block().or_else(vpc)
}

/// The global addresses of the lab's own boxes; those of IPv4 are link-local.
pub(crate) const LAB_IPV6: [(Ipv6Net, &str); 2] = [
    (Ipv6Net::new_assert(INTERNET_ADDRESS_IPV6, 128), "the internet's own router"),
    (GATEWAYS_IPV6, "the gateways of VPCs"),
];

/// Blocks that no VPC and no host may use.
pub(crate) fn taken_blocks() -> [(Ipv4Net, &'static str); 6] {
    let net = |a, b, length| Ipv4Net::new(Ipv4Addr::new(a, b, 0, 0), length).unwrap_or_default();
    [
        (net(0, 0, 8), "\"this network\""),
        (net(127, 0, 8), "loopback"),
        (net(169, 254, 16), "link-local addresses"),
        (net(224, 0, 4), "multicast"),
        (net(240, 0, 4), "nobody"),
        (DEFAULT_PUBLIC_POOL, "the public addresses of instances"),
    ]
}

/// Returns true if an IPv6 address is one of 2000::/3, where all global ones are.
pub(crate) fn is_global(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.segments()[0] & 0xe000 == 0x2000)
}
