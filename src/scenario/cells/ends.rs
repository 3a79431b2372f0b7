//! Senders and receivers of a moment, and the addresses that lead to them.

use crate::model::{
    AutomaticPublic, Cloud, Endpoint, InstanceName, InstanceState, InterfaceId, LoadBalancer, Via, VpcName,
};

/// The instances that run, in launch order, and the load balancers.
pub fn running(cloud: &Cloud) -> impl Iterator<Item = &InstanceName> {
    let instances = cloud.instances.iter().filter(|(_, instance)| instance.state == InstanceState::Running);
    instances.map(|(name, _)| name).chain(cloud.load_balancers.values().map(LoadBalancer::node))
}

/// A holder of interfaces as an end of a flow, by its first interface.
pub fn holder(cloud: &Cloud, name: &InstanceName) -> Endpoint {
    match cloud.load_balancer_of(name) {
        Some(balancer) => Endpoint::LoadBalancer(name.clone(), balancer.scheme),
        None => Endpoint::Instance(name.clone()),
    }
}

/// The ends inside the cloud: each interface of each instance that runs, an instance's first by its name, and the load balancers.
pub fn inside(cloud: &Cloud) -> impl Iterator<Item = Endpoint> + '_ {
    running(cloud).flat_map(|name| {
        let interfaces = cloud.instances.get(name).map_or(&[][..], |instance| &instance.interfaces);
        let further = interfaces.iter().filter(|interface| interface.id.device != 0);
        std::iter::once(holder(cloud, name)).chain(further.map(|it| Endpoint::Interface(it.id.clone())))
    })
}

pub fn hosts(cloud: &Cloud) -> Vec<Endpoint> {
    let addresses = |(name, host): (&crate::model::HostName, &crate::model::Host)| {
        host.addresses.iter().map(|&address| Endpoint::Host(name.clone(), address)).collect::<Vec<_>>()
    };
    cloud.hosts.iter().flat_map(addresses).collect()
}

/// By which address a host's address reaches an instance, and is reached.
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
    has_public(cloud, id) || cloud.load_balancer_of(&id.instance).is_some()
}

pub fn has_ipv6(cloud: &Cloud, id: &InterfaceId) -> bool {
    cloud.interface(id).is_some_and(|interface| interface.ipv6.is_some())
}

pub fn vpc_of<'a>(cloud: &'a Cloud, id: &InterfaceId) -> Option<&'a VpcName> {
    cloud.interface(id).map(|interface| &interface.vpc)
}
