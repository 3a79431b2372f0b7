//! Holders of addresses, and addresses by which a receiver is asked.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::routes::{holds, holds_ipv6};
use crate::model::{Cloud, InstanceState, Interface, InterfaceId, PrivateIp, PublicIp, Via, VpcName};

/// Finds the holder of a private address in a VPC, with a link behind it.
pub(super) fn holder_of<'a>(cloud: &'a Cloud, vpc: &VpcName, address: Ipv4Addr) -> Option<&'a Interface> {
    cloud
        .network_interfaces()
        .filter(|interface| interface.vpc == *vpc && holds(interface, address))
        .find(|interface| cloud.state_of(&interface.id) != Some(InstanceState::Stopped))
}

/// Finds the interface whose public address takes the place of a private one: that of its primary address alone.
///
/// Source: "Amazon EC2 instance IP addressing": the public address is mapped to the primary private one.
pub(super) fn translated<'a>(cloud: &'a Cloud, vpc: &VpcName, source: Ipv4Addr) -> Option<&'a Interface> {
    holder_of(cloud, vpc, source).filter(|holder| holder.private == Some(PrivateIp(source)))
}

/// Finds the holder of a public address, with a link behind it: who has crashed and given the private address back has none, though an
/// Elastic IP stays with it.
pub(super) fn public_holder_of(cloud: &Cloud, address: Ipv4Addr) -> Option<&Interface> {
    cloud
        .network_interfaces()
        .filter(|interface| interface.public.is_some_and(|public| public.0 == address) && interface.private.is_some())
        .find(|interface| cloud.state_of(&interface.id) != Some(InstanceState::Stopped))
}

/// Returns the IPv6 address of a receiver that a flow goes to: its first one, or the further one that is asked for if it holds that.
pub(super) fn ipv6_asked(receiver: &Interface, via: Via) -> Option<Ipv6Addr> {
    match via {
        Via::Secondary(IpAddr::V6(asked)) => Some(asked).filter(|asked| holds_ipv6(receiver, *asked)),
        _ => receiver.ipv6.map(|first| first.0),
    }
}

/// Returns the public address of an interface that a sender goes by: the one that it has, or else had last.
pub(super) fn asked_at(cloud: &Cloud, id: &InterfaceId) -> Option<PublicIp> {
    cloud.interface(id)?.public.or_else(|| cloud.last_public.get(id.attachment()?).copied())
}

/// The private address that an interface held last, where it holds none.
pub(super) fn given_back(cloud: &Cloud, id: &InterfaceId) -> Option<PrivateIp> {
    let holds_none = cloud.interface(id).is_some_and(|interface| interface.private.is_none());
    cloud.last_private.get(id.attachment()?).copied().filter(|_| holds_none)
}

/// An interface that has a link. Who has crashed and given the private address back has none, also by the IPv6 address that it keeps.
pub(super) fn linked<'a>(cloud: &'a Cloud, id: &InterfaceId) -> Option<&'a Interface> {
    interface_of(cloud, id).filter(|interface| interface.private.is_some())
}

/// An interface of a load balancer, or of an instance that is not stopped.
pub(super) fn interface_of<'a>(cloud: &'a Cloud, id: &InterfaceId) -> Option<&'a Interface> {
    cloud.state_of(id).filter(|state| *state != InstanceState::Stopped)?;
    cloud.interface(id)
}
