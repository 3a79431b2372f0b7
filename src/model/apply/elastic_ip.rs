//! Elastic IPs: allocate, associate, move, disassociate, release.
//!
//! Sources: "Elastic IP addresses" (EC2 user guide, and its edition of 2018 for EC2-Classic), AssociateAddress and
//! ReleaseAddress (EC2 API reference).

use super::edit::Edit;
use super::lookup;
use super::refuse::{refuse, unknown};
use super::{address, interface, quota};
use crate::model::address::PublicIp;
use crate::model::cloud::{Cloud, ElasticIp, InstanceState};
use crate::model::interface::AutomaticPublic;
use crate::model::interface_id::Attachment;
use crate::model::name::ElasticIpName;
use crate::model::refusal::{Refusal, RefusalCode};
use crate::model::request::{Reassociation, Target};

/// `AllocateAddress`. It is one that nobody ever had.
pub(in crate::model) fn allocate(cloud: &mut Edit<'_>, name: &ElasticIpName) -> Result<(), Refusal> {
    if cloud.elastic_ips.contains_key(name) {
        // EC2 knows no names; the text is sglab's own.
        return Err(refuse(RefusalCode::InvalidParameterValue, format!("There is an Elastic IP '{name}' already.")));
    }
    quota::elastic_ips(cloud)?;
    let address = address::public(cloud)?;
    let allocation = cloud.next_id(&[name.as_str()]);
    cloud.elastic_ips_mut().insert(name.clone(), ElasticIp { allocation, address, association: None });
    Ok(())
}

/// `AssociateAddress`; doing it again changes nothing.
///
/// In EC2-Classic the instance has to run; in a VPC the address belongs to the interface, and waits for the start.
pub(in crate::model) fn associate(
    cloud: &mut Edit<'_>,
    name: &ElasticIpName,
    to: &Target,
    reassociation: Reassociation,
) -> Result<(), Refusal> {
    let elastic = known(cloud, name)?.clone();
    let holder = to.instance();
    if !cloud.is_vpc() && lookup::instance(cloud, holder)?.state != InstanceState::Running {
        let message = format!("The instance '{holder}' is not in a valid state for this operation.");
        return Err(refuse(RefusalCode::IncorrectInstanceState, message));
    }
    let interface = interface::target(cloud, to)?;
    if elastic.association.as_ref() == Some(&interface) {
        return Ok(());
    }
    if let (Some(other), Reassociation::Refused) = (&elastic.association, reassociation) {
        let message = format!("resource {name} is already associated with associate-id {other}");
        return Err(refuse(RefusalCode::ResourceAlreadyAssociated, message));
    }
    disassociate(cloud, name)?;
    let earlier = cloud.elastic_ip_of(&interface).map(|(name, _)| name.clone());
    if let Some(earlier) = earlier.and_then(|earlier| cloud.elastic_ips_mut().get_mut(&earlier)) {
        earlier.association = None;
    }
    if let Some(elastic) = cloud.elastic_ips_mut().get_mut(name) {
        elastic.association = Some(interface.clone());
    }
    // The automatic one goes back to the pool.
    set_public(cloud, &interface, Some(elastic.address));
    Ok(())
}

/// `DisassociateAddress`. What is up gets an automatic public address in its place, unless a crash has taken its private
/// one, which is what a public address stands for; doing it again changes nothing.
pub(in crate::model) fn disassociate(cloud: &mut Edit<'_>, name: &ElasticIpName) -> Result<(), Refusal> {
    known(cloud, name)?;
    let association = cloud.elastic_ips_mut().get_mut(name).and_then(|elastic| elastic.association.take());
    let Some(interface) = association else { return Ok(()) };
    let alone = interface::is_up(cloud, &interface.instance) && interface::is_single(cloud, &interface.instance);
    let automatic =
        cloud.attached(&interface).is_some_and(|i| i.automatic_public == AutomaticPublic::Given && i.private.is_some());
    let public = if alone && automatic { Some(address::public(cloud)?) } else { None };
    set_public(cloud, &interface, public);
    Ok(())
}

/// `ReleaseAddress`. An associated one is dissociated first, as in EC2-Classic and in a default VPC.
pub(in crate::model) fn release(cloud: &mut Edit<'_>, name: &ElasticIpName) -> Result<(), Refusal> {
    disassociate(cloud, name)?;
    cloud.elastic_ips_mut().remove(name);
    Ok(())
}

/// An Elastic IP by its name. EC2-Classic knows it by its address, a VPC by the id of its allocation.
pub(super) fn known<'a>(cloud: &'a Cloud, name: &ElasticIpName) -> Result<&'a ElasticIp, Refusal> {
    cloud.elastic_ips.get(name).ok_or_else(|| match cloud.is_vpc() {
        true => {
            let message = format!("The allocation ID '{name}' does not exist");
            unknown(RefusalCode::InvalidAllocationIdNotFound, name, message)
        }
        false => unknown(RefusalCode::InvalidAddressNotFound, name, format!("Address '{name}' not found.")),
    })
}

fn set_public(cloud: &mut Edit<'_>, id: &Attachment, public: Option<PublicIp>) {
    let Some(interface) = interface::mutable(cloud, id) else { return };
    if let Some(lost) = std::mem::replace(&mut interface.public, public) {
        cloud.last_public_mut().insert(id.clone(), lost);
    }
}
