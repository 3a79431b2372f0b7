//! Interfaces beside the first: attach, detach, and the check of source and destination.
//!
//! Source: "Elastic network interfaces" (EC2 user guide). EC2-Classic has one interface an instance and no switch; the
//! texts of its refusals are sglab's own.

use super::edit::Edit;
use super::lookup;
use super::lookup::{refuse, unknown};
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

#[cfg(test)]
mod tests {
    use crate::model::sample::*;
    use crate::model::*;

    fn interface(device: u8) -> NewInterface {
        NewInterface {
            device,
            subnet: SubnetName::new("default"),
            groups: [GroupName::new("H")].into(),
            address: AddressRequest::Automatic,
            ipv6: AskedIpv6::Automatic,
            secondary: Vec::new(),
            source_dest_check: SourceDestCheck::On,
        }
    }

    fn attach(device: u8) -> Operation {
        Operation::AttachInterface(InstanceName::new("a"), interface(device))
    }

    fn id(device: u8) -> Attachment {
        Attachment { instance: InstanceName::new("a"), device }
    }

    fn sample(era: Era) -> Sample {
        Sample::new(era).group("G", &[]).group("H", &[]).instance("a", &["G"])
    }

    fn refusal(sample: &Sample, operation: &Operation) -> String {
        sample.try_apply(operation).map(|_| ()).unwrap_err().to_string()
    }

    #[test]
    fn a_second_interface_has_groups_and_addresses_of_its_own_and_no_automatic_public_one() {
        let with = sample(Era::Vpc).with(attach(1));
        let second = with.0.attached(&id(1)).unwrap();
        let first = with.0.attached(&id(0)).unwrap();
        assert_eq!(second.groups, [GroupName::new("H")].into());
        assert_ne!(second.private, first.private);
        assert_eq!(second.public, None);
        let started = with.clone().with(stop("a")).with(start("a"));
        assert_eq!(started.0.attached(&id(1)), with.0.attached(&id(1)), "it is kept over a restart");
    }

    #[test]
    fn classic_has_one_interface_and_no_switch() {
        for era in [Era::Article, Era::Classic] {
            let expected = "InvalidParameterCombination: Instances of EC2-Classic have one network interface.";
            assert_eq!(refusal(&sample(era), &attach(1)), expected);
            let off = Operation::SetSourceDestCheck(Target::Instance(InstanceName::new("a")), SourceDestCheck::Off);
            let expected = "InvalidParameterCombination: Instances of EC2-Classic always check source and destination.";
            assert_eq!(refusal(&sample(era), &off), expected);
        }
    }

    #[test]
    fn with_several_interfaces_a_call_has_to_name_one() {
        let with = sample(Era::Vpc).with(attach(1)).with(allocate("e"));
        let several = "InvalidInstanceID: There are multiple interfaces attached to instance 'a'. Please specify an \
                   interface ID for the operation instead.";
        assert_eq!(refusal(&with, &set_groups("a", &["H"])), several);
        assert_eq!(refusal(&with, &associate("e", "a")), several);
        let off = |target| Operation::SetSourceDestCheck(target, SourceDestCheck::Off);
        assert_eq!(refusal(&with, &off(Target::Instance(InstanceName::new("a")))), several);
        let changed = with.clone().with(off(Target::Interface(id(1))));
        assert_eq!(changed.0.attached(&id(1)).unwrap().source_dest_check, SourceDestCheck::Off);
        assert_eq!(changed.0.attached(&id(0)).unwrap().source_dest_check, SourceDestCheck::On);
    }

    #[test]
    fn an_elastic_ip_that_leaves_one_of_several_is_not_replaced_by_an_automatic_address() {
        let to = |device| Operation::AssociateAddress {
            elastic_ip: ElasticIpName::new("e"),
            to: Target::Interface(id(device)),
            reassociation: Reassociation::Allowed,
        };
        let with = sample(Era::Vpc).with(attach(1)).with(allocate("e")).with(to(0));
        assert_eq!(with.with(disassociate("e")).public("a"), None);
        let alone = sample(Era::Vpc).with(allocate("e")).with(to(0)).with(disassociate("e"));
        assert!(alone.public("a").is_some());
    }

    /// "If we release the public IP address of your instance and it has a secondary network interface, we do not assign a new public IP
    /// address" ("Amazon EC2 instance IP addressing").
    #[test]
    fn with_several_interfaces_no_automatic_public_address_comes_with_a_start() {
        let with = sample(Era::Vpc).with(attach(1));
        assert!(with.public("a").is_some(), "the one that it was launched with");
        let started = with.with(stop("a")).with(start("a"));
        assert_eq!(started.public("a"), None);
        let alone = started.with(Operation::DetachInterface(id(1))).with(stop("a")).with(start("a"));
        assert!(alone.public("a").is_some());
    }

    #[test]
    fn what_is_detached_is_gone_with_its_elastic_ip_and_the_first_cannot_be() {
        let with = sample(Era::Vpc).with(attach(1)).with(allocate("e")).with(Operation::AssociateAddress {
            elastic_ip: ElasticIpName::new("e"),
            to: Target::Interface(id(1)),
            reassociation: Reassociation::Allowed,
        });
        let without = with.clone().with(Operation::DetachInterface(id(1)));
        assert_eq!(without.0.attached(&id(1)), None);
        assert_eq!(without.0.elastic_ips[0].association, None);
        let expected = "InvalidNetworkInterfaceID.NotFound: The networkInterface ID 'a.eth1' does not exist";
        assert_eq!(refusal(&without, &Operation::DetachInterface(id(1))), expected);
        let expected = "InvalidParameterValue: The network interface at device index 0 cannot be detached.";
        assert_eq!(refusal(&with, &Operation::DetachInterface(id(0))), expected);
        let expected = "InvalidParameterValue: Instance 'a' already has an interface attached at device index '1'.";
        assert_eq!(refusal(&with, &attach(1)), expected);
    }

    #[test]
    fn the_previous_address_of_an_instance_is_that_of_its_first_interface() {
        let with = sample(Era::Vpc).with(attach(1));
        let first = with.private("a");
        let after = with.with(terminate("a")).with(launch_at("b", &["G"], "default", previous("a")));
        assert_eq!(after.private("b"), first);
    }
}
