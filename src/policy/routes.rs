//! Routing of a packet by the route table of its subnet, and the handling by the appliance there.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::model::{Cloud, Forwarding, IcmpMessage, InstanceState, Interface, Service, SubnetRoute};

/// Next hop of a packet.
pub(super) enum NextHop<'a> {
    /// Whoever holds the address: in the VPC, or behind its gateway.
    AsAddressed,
    /// An interface that is to pass it on.
    Interface(&'a Interface),
    /// The route's interface is not there.
    Nobody,
}

/// The route of the sender's subnet that a packet goes by, if one does. The longest prefix wins; the block of the VPC is a route to
/// everybody in it, and cannot be taken away.
///
/// Source: "Route tables" (VPC).
pub(super) fn route_of<'a>(cloud: &'a Cloud, sender: &Interface, destination: Ipv4Addr) -> Option<&'a SubnetRoute> {
    let vpc = cloud.vpcs.get(&sender.vpc)?;
    let mut best: Option<&SubnetRoute> = None;
    for route in vpc.routes.get(&sender.subnet).into_iter().flatten() {
        let longer = best.is_none_or(|best| route.destination.prefix_len() > best.destination.prefix_len());
        if route.destination.contains(&destination) && longer {
            best = Some(route);
        }
    }
    let is_local = |route: &SubnetRoute| {
        vpc.cidr.contains(&destination) && vpc.cidr.prefix_len() >= route.destination.prefix_len()
    };
    best.filter(|route| !is_local(route))
}

/// The next hop by the route table of the sender's subnet.
pub(super) fn next_hop<'a>(cloud: &'a Cloud, sender: &Interface, destination: Ipv4Addr) -> NextHop<'a> {
    let Some(route) = route_of(cloud, sender, destination) else { return NextHop::AsAddressed };
    let up = |interface: &&Interface| {
        let instance = interface.id.instance().and_then(|name| cloud.instances.get(name));
        instance.is_some_and(|instance| instance.state != InstanceState::Stopped) && interface.private.is_some()
    };
    match cloud.attached(&route.target).filter(up) {
        Some(interface) if holds(interface, destination) => NextHop::AsAddressed,
        Some(interface) => NextHop::Interface(interface),
        None => NextHop::Nobody,
    }
}

/// The source that a packet has when an appliance passes it on; nothing if the appliance keeps it.
///
/// A NAT instance is a Linux that translates flows, and a message that begins none it passes on as it is (sglab: Amazon's
/// documents are silent).
pub(super) fn passes_on(cloud: &Cloud, appliance: &Interface, source: Ipv4Addr, service: Service) -> Option<Ipv4Addr> {
    match cloud.instances.get(appliance.id.instance()?)?.forwarding {
        Forwarding::None => None,
        Forwarding::Plain => Some(source),
        Forwarding::Nat if !begins_a_flow(service) => Some(source),
        Forwarding::Nat => appliance.private.map(|private| private.0),
    }
}

/// Returns true if connection tracking places it as the first packet of a flow: of the messages of ICMP only those that ask, for an echo, a
/// time, information or a mask.
fn begins_a_flow(service: Service) -> bool {
    match service {
        Service::Icmp(IcmpMessage { kind, .. }) => matches!(kind, 8 | 13 | 15 | 17),
        Service::Tcp(_) | Service::Udp(_) | Service::IcmpEcho | Service::Protocol(_) => true,
    }
}

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
