//! Senders and receivers of a moment, and the addresses that lead to them.

use std::net::IpAddr;

use crate::model::{
    AutomaticPublic, Cloud, Endpoint, Instance, InstanceName, InstanceState, InterfaceId, LoadBalancer,
    LoadBalancerName, Via, VpcName,
};

/// The instances that run, in launch order.
pub fn running(cloud: &Cloud) -> impl Iterator<Item = (&InstanceName, &Instance)> {
    cloud.instances.iter().filter(|(_, instance)| instance.state == InstanceState::Running)
}

/// The load balancers as ends of flows.
pub fn balancers(cloud: &Cloud) -> impl Iterator<Item = Endpoint> + '_ {
    cloud.load_balancers.iter().map(balancer)
}

/// A load balancer as an end of a flow.
pub fn balancer((name, balancer): (&LoadBalancerName, &LoadBalancer)) -> Endpoint {
    Endpoint::LoadBalancer(name.clone(), balancer.scheme)
}

/// The ends inside the cloud: each interface of each instance that runs, an instance's first by its name, and the load balancers.
pub fn inside(cloud: &Cloud) -> impl Iterator<Item = Endpoint> + '_ {
    let instances = running(cloud).flat_map(|(_, instance)| {
        instance.interfaces.iter().filter_map(|interface| interface.id.attachment()).map(|at| match at.device {
            0 => Endpoint::Instance(at.instance.clone()),
            _ => Endpoint::Interface(at.clone()),
        })
    });
    instances.chain(balancers(cloud))
}

/// Every end of a grid: the addresses of hosts, then the ends inside.
pub fn ends(cloud: &Cloud) -> impl Iterator<Item = Endpoint> + '_ {
    hosts(cloud).into_iter().chain(inside(cloud))
}

pub fn hosts(cloud: &Cloud) -> Vec<Endpoint> {
    let addresses = |(name, host): (&crate::model::HostName, &crate::model::Host)| {
        host.addresses.iter().map(|&address| Endpoint::Host(name.clone(), address)).collect::<Vec<_>>()
    };
    cloud.hosts.iter().flat_map(addresses).collect()
}

/// Kind of address by which a host's address reaches an instance, and is reached.
pub fn via_of(end: &Endpoint) -> Option<Via> {
    match end {
        Endpoint::Host(_, address) => Some(if address.0.is_ipv4() { Via::Public } else { Via::Ipv6 }),
        Endpoint::Instance(_) | Endpoint::LoadBalancer(..) | Endpoint::Interface(_) | Endpoint::Forged(..) => None,
    }
}

/// Returns `true` if there is, or was, a public address to ask for.
pub fn has_public(cloud: &Cloud, id: &InterfaceId) -> bool {
    cloud.interface(id).is_some_and(|i| i.public.is_some() || i.automatic_public == AutomaticPublic::Given)
}

/// Returns `true` if there is, or was, a public DNS name to ask for. An internal load balancer has one, which means its private address.
pub fn has_name(cloud: &Cloud, id: &InterfaceId) -> bool {
    has_public(cloud, id) || id.load_balancer().is_some()
}

pub fn has_ipv6(cloud: &Cloud, id: &InterfaceId) -> bool {
    cloud.interface(id).is_some_and(|interface| interface.ipv6.is_some())
}

pub fn vpc_of<'a>(cloud: &'a Cloud, id: &InterfaceId) -> Option<&'a VpcName> {
    cloud.interface(id).map(|interface| &interface.vpc)
}

/// Returns `true` if an address is one of an interface's secondary ones.
pub fn has_secondary(cloud: &Cloud, id: &InterfaceId, address: IpAddr) -> bool {
    cloud.interface(id).is_some_and(|interface| interface.secondary.iter().any(|it| it.block().contains(&address)))
}
