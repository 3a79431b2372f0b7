//! Elastic IPs: allocate, associate, move, disassociate, release.
//!
//! Sources: "Elastic IP addresses" (EC2 user guide, and its edition of 2018 for EC2-Classic), AssociateAddress and
//! ReleaseAddress (EC2 API reference).

use super::super::{
    AutomaticPublic, Cloud, ElasticIp, ElasticIpName, InstanceName, InstanceState, InterfaceId, Reassociation, Refusal,
    RefusalCode,
};
use super::{address, instance, quota, refuse};

/// `AllocateAddress`. It is one that nobody ever had.
pub(super) fn allocate(cloud: &mut Cloud, name: &ElasticIpName) -> Result<(), Refusal> {
    if cloud.elastic_ips.contains_key(name) {
        // EC2 knows no names; the text is sglab's own.
        return Err(refuse(RefusalCode::InvalidParameterValue, format!("There is an Elastic IP '{name}' already.")));
    }
    quota::elastic_ips(cloud)?;
    let address = address::public(cloud)?;
    cloud.elastic_ips.insert(name.clone(), ElasticIp { address, association: None });
    Ok(())
}

/// `AssociateAddress` with the first interface of an instance; doing it again changes nothing.
///
/// In EC2-Classic the instance has to run; in a VPC the address belongs to the interface, and waits for the start.
pub(super) fn associate(
    cloud: &mut Cloud,
    name: &ElasticIpName,
    to: &InstanceName,
    reassociation: Reassociation,
) -> Result<(), Refusal> {
    let elastic = known(cloud, name)?.clone();
    let holder = instance::known(cloud, to)?;
    if !cloud.is_vpc() && holder.state != InstanceState::Running {
        let message = format!("The instance '{to}' is not in a valid state for this operation.");
        return Err(refuse(RefusalCode::IncorrectInstanceState, message));
    }
    let Some(interface) = holder.interfaces.first().map(|interface| interface.id.clone()) else { return Ok(()) };
    if elastic.association.as_ref() == Some(&interface) {
        return Ok(());
    }
    if let (Some(other), Reassociation::Refused) = (&elastic.association, reassociation) {
        let message = format!("resource {name} is already associated with {other}");
        return Err(refuse(RefusalCode::ResourceAlreadyAssociated, message));
    }
    disassociate(cloud, name)?;
    let earlier = cloud.elastic_ip_of(&interface).map(|(name, _)| name.clone());
    if let Some(earlier) = earlier.and_then(|earlier| cloud.elastic_ips.get_mut(&earlier)) {
        earlier.association = None;
    }
    if let Some(elastic) = cloud.elastic_ips.get_mut(name) {
        elastic.association = Some(interface.clone());
    }
    // The automatic one goes back to the pool.
    set_public(cloud, &interface, Some(elastic.address));
    Ok(())
}

/// `DisassociateAddress`. What runs gets an automatic public address in its place; doing it again changes nothing.
pub(super) fn disassociate(cloud: &mut Cloud, name: &ElasticIpName) -> Result<(), Refusal> {
    known(cloud, name)?;
    let association = cloud.elastic_ips.get_mut(name).and_then(|elastic| elastic.association.take());
    let Some(interface) = association else { return Ok(()) };
    let running = cloud.instances.get(&interface.instance).is_some_and(|i| i.state != InstanceState::Stopped);
    let automatic = cloud
        .interfaces()
        .any(|(_, _, other)| other.id == interface && other.automatic_public == AutomaticPublic::Given);
    let public = if running && automatic { Some(address::public(cloud)?) } else { None };
    set_public(cloud, &interface, public);
    Ok(())
}

/// `ReleaseAddress`. An associated one is dissociated first, as in EC2-Classic and in a default VPC.
pub(super) fn release(cloud: &mut Cloud, name: &ElasticIpName) -> Result<(), Refusal> {
    disassociate(cloud, name)?;
    cloud.elastic_ips.shift_remove(name);
    Ok(())
}

/// An Elastic IP by its name. The text is EC2's for an address of somebody else.
pub(super) fn known<'a>(cloud: &'a Cloud, name: &ElasticIpName) -> Result<&'a ElasticIp, Refusal> {
    cloud.elastic_ips.get(name).ok_or_else(|| {
        refuse(RefusalCode::InvalidAddressNotFound, format!("The address '{name}' does not belong to you."))
    })
}

fn set_public(cloud: &mut Cloud, id: &InterfaceId, public: Option<super::super::PublicIp>) {
    let holder = cloud.instances.get_mut(&id.instance);
    if let Some(interface) = holder.and_then(|holder| holder.interfaces.iter_mut().find(|i| i.id == *id)) {
        interface.public = public;
    }
}
