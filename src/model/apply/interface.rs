//! Interfaces beside the first: attach, detach, and the check of source and destination.
//!
//! Source: "Elastic network interfaces" (EC2 user guide). EC2-Classic has one interface an instance and no switch; the
//! texts of its refusals are sglab's own.

use super::edit::Edit;
use super::lookup;
use super::refuse::{refuse, unknown};
use super::{address, group};
use crate::model::cloud::{Cloud, InstanceState};
use crate::model::id::NetworkInterfaceId;
use crate::model::interface::{AutomaticPublic, Interface, SourceDestCheck};
use crate::model::interface_id::{Attachment, InterfaceId};
use crate::model::name::{InstanceName, VpcName};
use crate::model::refusal::{Refusal, RefusalCode};
use crate::model::request::{NewInterface, Target};

/// `CreateNetworkInterface` and `AttachNetworkInterface`. It has groups and addresses of its own; a public one only as
/// an Elastic IP.
pub(in crate::model) fn attach(cloud: &mut Edit<'_>, to: &InstanceName, request: &NewInterface) -> Result<(), Refusal> {
    let instance = lookup::instance(cloud, to)?;
    let (attached_to, vpc) = (Some(instance.id), instance.interfaces.first().map(|first| first.vpc.clone()));
    lookup::only_in_a_vpc(cloud, "have one network interface")?;
    let at = Attachment { instance: to.clone(), device: request.device };
    if cloud.attached(&at).is_some() {
        let message =
            format!("Instance '{to}' already has an interface attached at device index '{}'.", request.device);
        return Err(refuse(RefusalCode::InvalidParameterValue, message));
    }
    let Some(vpc) = vpc else { return Ok(()) };
    address::block_of(cloud, &vpc, &request.subnet)?;
    group::known_set(cloud, (&vpc, &request.subnet), &request.groups)?;
    let asked = (&request.address, &request.secondary[..]);
    let (private, secondary) = address::privates(cloud, &vpc, &request.subnet, asked)?;
    let number = cloud.next_interface_number();
    let ipv6 = address::ipv6(cloud, (&vpc, &request.subnet), (request.ipv6, &secondary), number)?;
    let id = InterfaceId::from(at);
    let interface = Interface {
        eni: next_eni(cloud, &vpc, &id),
        id,
        attached_to,
        number,
        ipv6,
        vpc,
        subnet: request.subnet.clone(),
        groups: request.groups.clone(),
        private: Some(private),
        secondary,
        public: None,
        automatic_public: AutomaticPublic::None,
        source_dest_check: request.source_dest_check,
    };
    if let Some(instance) = cloud.instances_mut().get_mut(to) {
        instance.interfaces.push(interface);
        instance.interfaces.sort_by_key(|interface| interface.id.device());
    }
    Ok(())
}

/// `DetachNetworkInterface` and `DeleteNetworkInterface`: its addresses are free, and no group has it as a member.
pub(in crate::model) fn detach(cloud: &mut Edit<'_>, id: &Attachment) -> Result<(), Refusal> {
    known(cloud, id)?;
    if id.device == 0 {
        let message = "The network interface at device index 0 cannot be detached.";
        return Err(refuse(RefusalCode::InvalidParameterValue, message));
    }
    address::dissociate(cloud, |interface| interface == id);
    forget(cloud, id);
    if let Some(instance) = cloud.instances_mut().get_mut(&id.instance) {
        instance.interfaces.retain(|interface| interface.id.device() != id.device);
    }
    Ok(())
}

/// The id of a new interface.
pub(super) fn next_eni(cloud: &mut Edit<'_>, vpc: &VpcName, id: &InterfaceId) -> NetworkInterfaceId {
    cloud.next_id(&[vpc.as_str(), &id.to_string()])
}

/// Forgets which addresses an interface had, for it is to be no more.
pub(super) fn forget(cloud: &mut Edit<'_>, id: &Attachment) {
    cloud.last_public_mut().remove(id);
    cloud.last_private_mut().remove(id);
}

/// `SourceDestCheck` of `ModifyInstanceAttribute` or `ModifyNetworkInterfaceAttribute`.
pub(in crate::model) fn set_check(cloud: &mut Edit<'_>, of: &Target, check: SourceDestCheck) -> Result<(), Refusal> {
    let id = target(cloud, of)?;
    lookup::only_in_a_vpc(cloud, "always check source and destination")?;
    if let Some(interface) = mutable(cloud, &id) {
        interface.source_dest_check = check;
    }
    Ok(())
}

/// The interface that a call is about.
pub(super) fn target(cloud: &Cloud, of: &Target) -> Result<Attachment, Refusal> {
    match of {
        Target::Interface(id) => known(cloud, id).map(|_| id.clone()),
        Target::Instance(name) if lookup::instance(cloud, name)?.interfaces.len() > 1 => Err(refuse(
            RefusalCode::InvalidInstanceId,
            format!(
                "There are multiple interfaces attached to instance '{name}'. Please specify an interface ID for the \
                 operation instead."
            ),
        )),
        Target::Instance(name) => Ok(Attachment::first_of(name)),
    }
}

/// An interface that may be changed.
pub(super) fn mutable<'a>(cloud: &'a mut Edit<'_>, id: &Attachment) -> Option<&'a mut Interface> {
    cloud
        .instances_mut()
        .get_mut(&id.instance)?
        .interfaces
        .iter_mut()
        .find(|interface| interface.id.device() == id.device)
}

/// Returns true if an instance has one interface only: one with more gets no automatic public address in place of an Elastic IP that leaves
/// it. Source: "Amazon EC2 instance IP addressing".
pub(super) fn is_single(cloud: &Cloud, name: &InstanceName) -> bool {
    cloud.instances.get(name).is_some_and(|instance| instance.interfaces.len() == 1)
}

/// Returns true if an instance is not stopped.
pub(super) fn is_up(cloud: &Cloud, name: &InstanceName) -> bool {
    cloud.instances.get(name).is_some_and(|instance| instance.state != InstanceState::Stopped)
}

fn known<'a>(cloud: &'a Cloud, id: &Attachment) -> Result<&'a Interface, Refusal> {
    lookup::instance(cloud, &id.instance)?;
    cloud.attached(id).ok_or_else(|| {
        let message = format!("The networkInterface ID '{id}' does not exist");
        unknown(RefusalCode::InvalidNetworkInterfaceIdNotFound, id, message)
    })
}

/// The switch of the check is a VPC's.
pub(super) fn may_have_check(cloud: &Cloud, check: SourceDestCheck) -> Result<(), Refusal> {
    match check {
        SourceDestCheck::On => Ok(()),
        SourceDestCheck::Off => lookup::only_in_a_vpc(cloud, "always check source and destination"),
    }
}
