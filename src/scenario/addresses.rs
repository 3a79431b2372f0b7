//! Addresses of the ends of flows.

use std::net::IpAddr;

use crate::model::{Cloud, Endpoint};

/// Every address that an end may have in a packet where it sends or is asked.
pub(super) fn addresses_of(cloud: &Cloud, end: &Endpoint) -> Vec<IpAddr> {
    let holder = end.holder();
    let own = holder.iter().flat_map(|holder| cloud.interfaces_of(holder)).flat_map(|it| {
        let ipv4 = it.private_addresses().map(|it| it.0).chain(it.public.map(|it| it.0)).map(IpAddr::V4);
        ipv4.chain(it.ipv6.map(|it| IpAddr::V6(it.0)))
    });
    let beside = match end {
        Endpoint::Host(_, address) => Some(address.0),
        Endpoint::Forged(_, source) => Some(*source),
        Endpoint::Instance(_) | Endpoint::Interface(_) | Endpoint::LoadBalancer(..) => None,
    };
    own.chain(beside).collect()
}
