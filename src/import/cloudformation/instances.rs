//! Instances and network interfaces, and what is joined to them apart.

use std::net::IpAddr;

use super::super::placed::{Groups, Subnets, vpc_of};
use super::super::reader::Reader;
use super::super::tree::Node;
use super::groups;
use super::launch;
use super::members;
use super::references::Wanted;
use super::resource::Resource;
use super::template::Template;
use super::value::Told;
use crate::account::{Holder, Interface, Known, Public, Reason, ResourceId};

const ADDRESSES: &[(&str, &str)] = &[
    ("PrivateIpAddress", ""),
    ("PrivateIpAddresses", "PrivateIpAddress"),
    ("Ipv4Prefixes", "Ipv4Prefix"),
    ("Ipv6Addresses", "Ipv6Address"),
    ("Ipv6Prefixes", "Ipv6Prefix"),
];

/// `AWS::EC2::NetworkInterface`, attached to nobody until something attaches it.
pub fn interface<'t>(reader: &mut Reader<'_>, template: &Template<'t>, resource: &Resource<'t>) {
    let said = resource.properties;
    let groups = template.several_of(said, "GroupSet", Wanted::Group);
    let part = Part {
        said,
        id: template.id(resource.name),
        label: template.label(resource.name),
        holder: Holder::Nobody,
        groups,
        subnets: template.subnets_of(said, "SubnetId"),
        // It gets a public address by an Elastic IP, or by the instance that it is launched with.
        public: Told::Is(false),
    };
    make(reader, template, resource, part);
}

/// An interface in the making.
struct Part<'t> {
    said: Node<'t>,
    id: ResourceId,
    label: String,
    holder: Holder,
    groups: Option<Groups>,
    subnets: Subnets,
    public: Told<bool>,
}

fn make<'t>(reader: &mut Reader<'_>, template: &Template<'t>, resource: &Resource<'t>, part: Part<'t>) {
    let Part { said, id, label, holder, groups, subnets, public } = part;
    let vpc = vpc_of(&reader.into.account, &subnets, groups.as_ref());
    let groups = groups.unwrap_or_else(|| members::default(template, vpc.as_ref()));
    let addresses = members::addresses(reader, template, resource, (said, ADDRESSES));
    let later = (&subnets, &addresses[..]);
    let ipv6_later = members::ipv6_later(&reader.into.account, template, said, later);
    let interface = Interface {
        label,
        holder,
        vpc,
        subnet: subnets.only(),
        groups: members::listed(reader, resource, groups),
        public: members::public(reader, public, &subnets, &addresses),
        addresses,
        ipv6_later,
        origin: resource.origin(reader),
    };
    if id == template.id(resource.name) {
        template.tag(reader, resource, id.clone());
    }
    reader.into.interface(id, interface);
}

/// `AWS::EC2::Instance`: its first interface and those that it is launched with.
pub fn instance<'t>(reader: &mut Reader<'_>, template: &Template<'t>, resource: &Resource<'t>) {
    let said = resource.properties;
    let given = match template.objects_of(said, "NetworkInterfaces") {
        Ok(given) => given,
        Err(why) => return first(reader, template, resource, Some(Known::Unknown(why))),
    };
    for (index, block) in given.iter().enumerate() {
        let device = template.known_text(*block, "DeviceIndex").unwrap_or_else(|| index.to_string());
        match template.one_of(*block, "NetworkInterfaceId", Wanted::Interface) {
            Told::Is(id) if reader.into.account.interfaces.contains_key(&id) => {
                attach(reader, (&id, &device), Some(resource.name), &template.label(resource.name));
            }
            Told::Absent => launched_with(reader, template, resource, (*block, &device)),
            Told::Is(id) => {
                let why = format!("no source has its interface {id}");
                further(reader, template, resource, (*block, &device), Some(Known::Unknown(why)));
            }
            Told::Unknown(why) => {
                let why = format!("its interface: {why}");
                further(reader, template, resource, (*block, &device), Some(Known::Unknown(why)));
            }
        }
    }
    if given.is_empty() {
        first(reader, template, resource, None);
    }
}

/// Gives an interface that stands apart to an instance of this template, or to another.
fn attach(reader: &mut Reader<'_>, (interface, device): (&ResourceId, &str), resource: Option<&str>, instance: &str) {
    let account = &mut reader.into.account;
    let Some(found) = account.interfaces.get_mut(interface) else { return };
    found.holder = Holder::Instance;
    found.label = label(instance, device);
    account.attached.extend(resource.map(|resource| (interface.clone(), ResourceId::new(resource))));
}

fn label(instance: &str, device: &str) -> String {
    if device == "0" { instance.to_owned() } else { format!("{instance}.eth{device}") }
}

fn launched_with<'t>(
    reader: &mut Reader<'_>,
    template: &Template<'t>,
    resource: &Resource<'t>,
    (block, device): (Node<'t>, &str),
) {
    let groups = template.several_of(block, "GroupSet", Wanted::Group);
    further(reader, template, resource, (block, device), groups);
}

fn further<'t>(
    reader: &mut Reader<'_>,
    template: &Template<'t>,
    resource: &Resource<'t>,
    (block, device): (Node<'t>, &str),
    groups: Option<Groups>,
) {
    let part = Part {
        said: block,
        id: template.id(&label(resource.name, device)),
        label: label(&template.label(resource.name), device),
        holder: Holder::Instance,
        groups,
        subnets: template.subnets_of(block, "SubnetId"),
        public: template.truth_of(block, "AssociatePublicIpAddress"),
    };
    make(reader, template, resource, part);
}

/// The first interface of an instance that is given none of its own.
fn first<'t>(reader: &mut Reader<'_>, template: &Template<'t>, resource: &Resource<'t>, groups: Option<Groups>) {
    let said = resource.properties;
    let launch = launch::of(template, said);
    let own = groups
        .or_else(|| template.several_of(said, "SecurityGroupIds", Wanted::Group))
        .or_else(|| groups::by_name(template, template.property(said, "SecurityGroups")));
    let (groups, public) = match launch {
        launch::Launch::None => (own, Told::Absent),
        launch::Launch::By(by) => (own.or_else(|| launch::groups(template, by)), launch::public(template, by)),
        launch::Launch::Unknown(why) => (own.or(Some(Known::Unknown(why.clone()))), Told::Unknown(why)),
    };
    let part = Part {
        said,
        id: template.id(resource.name),
        label: template.label(resource.name),
        holder: Holder::Instance,
        groups,
        subnets: template.subnets_of(said, "SubnetId"),
        public,
    };
    make(reader, template, resource, part);
}

/// `AWS::EC2::NetworkInterfaceAttachment`.
pub fn attachment<'t>(reader: &mut Reader<'_>, template: &Template<'t>, resource: &Resource<'t>) {
    let said = resource.properties;
    let device = template.known_text(said, "DeviceIndex").unwrap_or_else(|| "1".to_owned());
    let interface = template.one_of(said, "NetworkInterfaceId", Wanted::Interface);
    let instance = template.one_of(said, "InstanceId", Wanted::Instance);
    let holder = match &instance {
        Told::Is(id) => template.with_id(id).map(|instance| instance.name),
        Told::Absent | Told::Unknown(_) => None,
    };
    let name = match (&instance, holder) {
        (_, Some(holder)) => template.label(holder),
        (Told::Is(id), None) => id.to_string(),
        (Told::Absent | Told::Unknown(_), None) => resource.name.to_owned(),
    };
    if let Told::Unknown(why) = instance {
        resource.unknown(reader, format!("its instance: {why}"));
    }
    match interface {
        Told::Is(id) if !reader.into.account.interfaces.contains_key(&id) => {
            resource.leave_out(reader, Reason::StaleReference(id.to_string()));
        }
        Told::Is(id) => {
            attach(reader, (&id, &device), holder, &name);
            if let Known::Unknown(why) = &resource.there {
                resource.unknown(reader, why.clone());
                if let Some(found) = reader.into.account.interfaces.get_mut(&id) {
                    found.groups = Known::Unknown(why.clone());
                }
            }
        }
        Told::Absent => reader.lacks(said, resource.name, "NetworkInterfaceId"),
        Told::Unknown(why) => resource.unknown(reader, format!("its interface: {why}")),
    }
}

/// `AWS::EC2::EIP` and `AWS::EC2::EIPAssociation`: a public address of an instance or of an interface.
pub fn elastic_ip<'t>(reader: &mut Reader<'_>, template: &Template<'t>, resource: &Resource<'t>) {
    let said = resource.properties;
    let interface = template.one_of(said, "NetworkInterfaceId", Wanted::Interface);
    let holder = match interface {
        Told::Absent => template.one_of(said, "InstanceId", Wanted::Instance),
        told => told,
    };
    let holder = match holder {
        Told::Is(id) => first_of(reader, template, id),
        Told::Absent => return resource.leave_out(reader, Reason::NoPartInReach),
        Told::Unknown(why) => return resource.unknown(reader, format!("its instance or interface: {why}")),
    };
    let address: Option<IpAddr> = template.known_text(said, "EIP").and_then(|text| text.parse().ok());
    if let Known::Unknown(why) = &resource.there {
        resource.unknown(reader, why.clone());
        if let Some(found) = reader.into.account.interfaces.get_mut(&holder)
            && matches!(found.public, Public::None)
        {
            found.public = Public::Unknown(why.clone());
        }
        return;
    }
    let origin = resource.origin(reader);
    reader.into.public_address(holder, address, origin);
}

/// The first interface of an instance, its own or one that it is given.
fn first_of(reader: &Reader<'_>, template: &Template<'_>, id: ResourceId) -> ResourceId {
    let all = &reader.into.account.interfaces;
    let name = template.with_id(&id).map(|instance| template.label(instance.name));
    let is_given = |(_, interface): &(&ResourceId, &Interface)| {
        interface.holder == Holder::Instance && Some(&interface.label) == name.as_ref()
    };
    match all.iter().find(is_given) {
        Some((given, _)) if !all.contains_key(&id) => given.clone(),
        _ => id,
    }
}
