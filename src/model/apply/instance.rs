//! The life of an instance: launch, stop, start, reboot, crash, terminate, and a change of its groups.

use indexmap::IndexSet;

use super::edit::Edit;
use super::lookup;
use super::lookup::refuse;
use super::{address, group, interface, load_balancer};
use crate::model::cloud::{Cloud, Instance, InstanceState};
use crate::model::era::{ChangeGroups, ElasticIpOnStop, OnCrash, OnStart};
use crate::model::interface::{AutomaticPublic, Interface};
use crate::model::interface_id::{Attachment, InterfaceId};
use crate::model::name::{GroupName, InstanceName};
use crate::model::refusal::{Refusal, RefusalCode};
use crate::model::request::{AddressRequest, Launch, Target};

/// `RunInstances` for one instance.
pub(in crate::model) fn launch(cloud: &mut Edit<'_>, request: &Launch) -> Result<(), Refusal> {
    let Launch { name, vpc, subnet, groups, listens, address: wanted, secondary, public, place, .. } = request;
    if cloud.has_holder(name.as_str()) {
        // EC2 knows no names; the text is sglab's own.
        return Err(refuse(RefusalCode::InvalidParameterValue, format!("There is an instance '{name}' already.")));
    }
    interface::may_have_check(cloud, request.source_dest_check)?;
    address::block_of(cloud, vpc, subnet)?;
    group::known_at_launch(cloud, vpc, groups)?;
    group::known_set(cloud, (vpc, subnet), groups)?;
    let (private, secondary) = address::privates(cloud, vpc, subnet, (wanted, secondary))?;
    let held = match public {
        AutomaticPublic::Given => Some(address::public(cloud)?),
        AutomaticPublic::None => None,
    };
    let number = cloud.next_interface_number();
    let ipv6 = address::ipv6(cloud, (vpc, subnet), (request.ipv6, &secondary), number)?;
    let instance_id = cloud.next_id(&[vpc.as_str(), name.as_str()]);
    let id = InterfaceId::first_of(name);
    let first = Interface {
        eni: interface::next_eni(cloud, vpc, &id),
        id,
        attached_to: Some(instance_id),
        number,
        vpc: vpc.clone(),
        subnet: subnet.clone(),
        groups: groups.clone(),
        private: Some(private),
        secondary,
        public: held,
        automatic_public: *public,
        ipv6,
        source_dest_check: request.source_dest_check,
    };
    let instance = Instance {
        id: instance_id,
        state: InstanceState::Running,
        interfaces: vec![first],
        listens: listens.clone(),
        processes: request.processes.clone(),
        mounts: request.mounts.clone(),
        forwarding: request.forwarding,
        place: place.clone(),
    };
    cloud.instances_mut().insert(name.clone(), instance);
    request.more.iter().try_for_each(|more| interface::attach(cloud, name, more))
}

/// `StopInstances`.
///
/// An automatic public address is always released; an Elastic IP stays, or is dissociated in EC2-Classic. The private
/// address is released in EC2-Classic and kept in a VPC.
/// Source: "Stop and start" (EC2 user guide, 2018); the article: the address "can, and most probably will change should
/// the instance ever crash, or be shut down". To stop what is stopped does nothing: EC2's refusals are for states that
/// pass by, which no instance of sglab is ever in.
pub(in crate::model) fn stop(cloud: &mut Edit<'_>, name: &InstanceName) -> Result<(), Refusal> {
    if lookup::instance(cloud, name)?.state == InstanceState::Stopped {
        return Ok(());
    }
    let private_too = cloud.knobs.private_address_on_start == OnStart::New;
    release_addresses(cloud, name, private_too);
    set_state(cloud, name, InstanceState::Stopped);
    Ok(())
}

/// `StartInstances`. What crashed is stopped first, as people do it in the console: its host is given up and so are
/// the addresses that a stop releases. To start what runs does nothing.
///
/// Source: "Amazon EC2 instance IP addressing": "If we release the public IP address of your instance and it has a secondary network
/// interface, we do not assign a new public IP address."
pub(in crate::model) fn start(cloud: &mut Edit<'_>, name: &InstanceName) -> Result<(), Refusal> {
    match lookup::instance(cloud, name)?.state {
        InstanceState::Running => return Ok(()),
        InstanceState::Crashed => stop(cloud, name)?,
        InstanceState::Stopped => {}
    }
    for index in 0..lookup::instance(cloud, name)?.interfaces.len() {
        let interface = &lookup::instance(cloud, name)?.interfaces[index];
        let (vpc, subnet, held) = (interface.vpc.clone(), interface.subnet.clone(), interface.private);
        let automatic = interface.automatic_public == AutomaticPublic::Given;
        let elastic =
            interface.id.attachment().and_then(|at| cloud.elastic_ip_of(at)).map(|(_, elastic)| elastic.address);
        let private = match held {
            Some(kept) => kept,
            None => address::private(cloud, &vpc, &subnet, &AddressRequest::Automatic)?,
        };
        let public = match elastic {
            Some(elastic) => Some(elastic),
            None if automatic && interface::is_single(cloud, name) => Some(address::public(cloud)?),
            None => None,
        };
        if let Some(instance) = cloud.instances_mut().get_mut(name) {
            instance.interfaces[index].private = Some(private);
            instance.interfaces[index].public = public;
        }
    }
    set_state(cloud, name, InstanceState::Running);
    Ok(())
}

/// `RebootInstances`: nothing changes that a cloud knows of.
///
/// Source: "Reboot your instance" (EC2 user guide): it keeps its private and public addresses, in every era.
pub(in crate::model) fn reboot(cloud: &Cloud, name: &InstanceName) -> Result<(), Refusal> {
    must_run(cloud, name, "rebooted")
}

/// The operating system dies. The article has the addresses released; Amazon documents that only a stop does that.
pub(in crate::model) fn crash(cloud: &mut Edit<'_>, name: &InstanceName) -> Result<(), Refusal> {
    must_run(cloud, name, "crashed")?;
    if cloud.knobs.address_on_crash == OnCrash::Released {
        release_addresses(cloud, name, true);
    }
    set_state(cloud, name, InstanceState::Crashed);
    Ok(())
}

/// `TerminateInstances`: the instance is gone at once, its name and its addresses are free.
pub(in crate::model) fn terminate(cloud: &mut Edit<'_>, name: &InstanceName) -> Result<(), Refusal> {
    lookup::instance(cloud, name)?;
    release_addresses(cloud, name, true);
    address::dissociate(cloud, |interface| interface.instance == *name);
    let devices: Vec<u8> = lookup::instance(cloud, name)?.interfaces.iter().map(|it| it.id.device()).collect();
    for device in devices {
        interface::forget(cloud, &Attachment { instance: name.clone(), device });
    }
    load_balancer::terminated(cloud, name);
    cloud.instances_mut().remove(name);
    Ok(())
}

/// `ModifyInstanceAttribute` or `ModifyNetworkInterfaceAttribute` with `GroupId`: replaces the whole set.
///
/// Sources: the article, gotcha 4 (only while stopped); "EC2-Classic" (EC2 user guide, 2018: never after launch);
/// "Change the security groups for your EC2 instance" (EC2 user guide: running or stopped).
pub(in crate::model) fn set_groups(
    cloud: &mut Edit<'_>,
    of: &Target,
    groups: &IndexSet<GroupName>,
) -> Result<(), Refusal> {
    let name = of.instance();
    let instance = lookup::instance(cloud, name)?;
    match cloud.knobs.change_groups {
        ChangeGroups::AnyTime => {}
        ChangeGroups::WhileStopped if instance.state == InstanceState::Stopped => {}
        ChangeGroups::WhileStopped => {
            return Err(refuse(
                RefusalCode::IncorrectInstanceState,
                format!("The groups of instance '{name}' can be changed only while it is stopped, says the article."),
            ));
        }
        ChangeGroups::Never => {
            return Err(refuse(
                RefusalCode::InvalidParameterCombination,
                "You may only modify the groupSet attribute for VPC instances",
            ));
        }
    }
    let id = interface::target(cloud, of)?;
    if let Some(interface) = cloud.attached(&id) {
        group::known_set(cloud, (&interface.vpc, &interface.subnet), groups)?;
    }
    if let Some(interface) = interface::mutable(cloud, &id) {
        interface.groups.clone_from(groups);
    }
    Ok(())
}

fn must_run(cloud: &Cloud, name: &InstanceName, participle: &str) -> Result<(), Refusal> {
    if lookup::instance(cloud, name)?.state == InstanceState::Running {
        return Ok(());
    }
    Err(refuse(
        RefusalCode::IncorrectInstanceState,
        format!("The instance '{name}' is not in a state from which it can be {participle}."),
    ))
}

fn set_state(cloud: &mut Edit<'_>, name: &InstanceName, state: InstanceState) {
    if let Some(instance) = cloud.instances_mut().get_mut(name) {
        instance.state = state;
    }
}

fn release_addresses(cloud: &mut Edit<'_>, name: &InstanceName, private_too: bool) {
    if cloud.knobs.elastic_ip_on_stop == ElasticIpOnStop::Dissociated {
        address::dissociate(cloud, |interface| interface.instance == *name);
    }
    let interfaces = cloud.instances.get(name).into_iter().flat_map(|instance| &instance.interfaces);
    let devices: Vec<u8> = interfaces.map(|interface| interface.id.device()).collect();
    for device in devices {
        let id = Attachment { instance: name.clone(), device };
        let has_elastic = cloud.elastic_ip_of(&id).is_some();
        let Some(interface) = interface::mutable(cloud, &id) else { continue };
        let public = if has_elastic { None } else { interface.public.take() };
        let private = if private_too { interface.private.take() } else { None };
        if let Some(lost) = public {
            cloud.last_public_mut().insert(id.clone(), lost);
        }
        if let Some(lost) = private {
            address::released(cloud, &id, lost);
        }
    }
}
