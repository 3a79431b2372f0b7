//! Instances and network interfaces, and what is joined to them apart: interfaces, groups, Elastic IPs.

use std::net::IpAddr;

use super::super::placed::{Groups, Subnets, vpc_of};
use super::super::reader::Reader;
use super::super::tree::Node;
use super::context::{Context, id_or_listed, required};
use super::members;
use super::resource::{Block, Resource, Value};
use super::templates::{self, Launch};
use super::told::Told;
use super::wanted::Wanted;
use crate::account::{Holder, Interface, Known, Public, Reason, ResourceId};

/// `aws_network_interface`, attached to nobody until something attaches it.
pub fn interface<'t>(reader: &mut Reader<'_>, context: &Context<'_, 't>, resource: &Resource<'t>) {
    let id = resource.id();
    reader.into.alias(&resource.address, &id);
    let told = context.resolver.one(resource, &resource.body, "subnet_id", Wanted::Subnet);
    let subnet = id_or_listed(reader, resource, told);
    let groups = members::said(context, resource, &resource.body, "security_groups");
    let vpc = vpc_of(&reader.into.account, &subnet.clone().into(), groups.as_ref());
    let groups = groups.unwrap_or_else(|| members::default(context, vpc.as_ref()));
    let addresses = members::addresses(
        reader,
        resource,
        &resource.body,
        &["private_ip", "private_ips", "ipv4_prefixes", "ipv6_addresses", "ipv6_prefixes"],
    );
    let ipv6: Vec<IpAddr> = addresses.iter().map(ipnet::IpNet::addr).filter(IpAddr::is_ipv6).collect();
    let ipv6_later = members::ipv6_later(&reader.into.account, &resource.body, &subnet.clone().into());
    let interface = Interface {
        label: context.labels.of(resource),
        holder: Holder::Nobody,
        vpc,
        subnet,
        groups: members::listed(reader, resource, groups),
        addresses,
        ipv6_later,
        public: if ipv6.is_empty() { Public::None } else { Public::At(ipv6) },
        origin: members::origin(reader, context, resource),
    };
    reader.into.interface(id.clone(), interface);
    for attachment in resource.body.blocks("attachment") {
        let told = context.resolver.one(resource, &attachment, "instance", Wanted::Instance);
        let device = attachment.text("device_index").unwrap_or("1").to_owned();
        attach(reader, context, resource, (told, Told::Is(id.clone())), &device);
    }
}

/// `aws_network_interface_attachment`.
pub fn attachment<'t>(reader: &mut Reader<'_>, context: &Context<'_, 't>, resource: &Resource<'t>) {
    let one = |key, wanted| context.resolver.one(resource, &resource.body, key, wanted);
    let ends = (one("instance_id", Wanted::Instance), one("network_interface_id", Wanted::Interface));
    attach(reader, context, resource, ends, resource.body.text("device_index").unwrap_or("1"));
}

fn attach<'t>(
    reader: &mut Reader<'_>,
    context: &Context<'_, 't>,
    resource: &Resource<'t>,
    (instance, interface): (Told<ResourceId>, Told<ResourceId>),
    device: &str,
) {
    let instance = id_or_listed(reader, resource, instance);
    let Some(interface) = required(reader, resource, interface, "network_interface_id") else { return };
    let holder = instance.and_then(|id| context.with_id(&["aws_instance"], &id));
    let Some(found) = reader.into.account.interfaces.get_mut(&interface) else {
        let reason = Reason::StaleReference(interface.to_string());
        return reader.leave_out(resource.node, &resource.kind, &resource.address, reason);
    };
    found.holder = holder.map_or(Holder::Instance, holder_of);
    if let Some(holder) = holder {
        reader.into.account.attached.insert(interface, ResourceId::new(&holder.address));
        let name = context.labels.of(holder);
        found.label = if device == "0" { name } else { format!("{name}.eth{device}") };
    }
}

fn holder_of(resource: &Resource<'_>) -> Holder {
    match resource.body.text("instance_state") {
        Some("stopped" | "stopping") => Holder::StoppedInstance,
        _ => Holder::Instance,
    }
}

/// The id of an instance's first interface.
fn first_interface(resource: &Resource<'_>) -> ResourceId {
    let id = resource.body.text("primary_network_interface_id").filter(|id| !id.is_empty());
    id.map_or_else(|| resource.id(), ResourceId::new)
}

/// `aws_instance`: its first interface, unless it is given interfaces of their own.
pub fn instance<'t>(reader: &mut Reader<'_>, context: &Context<'_, 't>, resource: &Resource<'t>) {
    if let Some("terminated" | "shutting-down") = resource.body.text("instance_state") {
        return reader.leave_out(resource.node, &resource.kind, &resource.address, Reason::Gone);
    }
    let body = &resource.body;
    // Both blocks are computed where nobody gives them.
    let given: Vec<Block<'t>> = ["network_interface", "primary_network_interface"]
        .into_iter()
        .flat_map(|key| {
            let is_listed = matches!(body.value(key), Value::Is(_));
            body.blocks(key).into_iter().filter(move |block| match block.value("network_interface_id") {
                Value::Is(_) => true,
                Value::Unknown | Value::Hidden => is_listed || !block.expressions.is_empty() || block.shared.is_some(),
                Value::Absent => !block.expressions.is_empty(),
            })
        })
        .collect();
    for block in &given {
        let told = context.resolver.one(resource, block, "network_interface_id", Wanted::Interface);
        let own = Told::Is(resource.id());
        let known = matches!(&told, Told::Is(id) if reader.into.account.interfaces.contains_key(id));
        if known {
            attach(reader, context, resource, (own, told), block.text("device_index").unwrap_or("0"));
            continue;
        }
        // A state tells the groups of the first interface as those of the instance.
        if let Some(groups) = members::said(context, resource, body, "vpc_security_group_ids") {
            first(reader, context, resource, Some(groups));
            continue;
        }
        let why = match told {
            Told::Is(id) => format!("no source has its interface {id}"),
            Told::Absent | Told::Chosen => "its interface is not known".to_owned(),
            Told::Unknown(why) => format!("its interface: {why}"),
        };
        first(reader, context, resource, Some(Known::Unknown(why)));
    }
    if given.is_empty() {
        first(reader, context, resource, None);
    }
}

fn first<'t>(reader: &mut Reader<'_>, context: &Context<'_, 't>, resource: &Resource<'t>, groups: Option<Groups>) {
    let body = &resource.body;
    let id = first_interface(resource);
    reader.into.alias(&resource.address, &id);
    let told = context.resolver.one(resource, body, "subnet_id", Wanted::Subnet);
    let subnet = id_or_listed(reader, resource, told);
    let subnets = Subnets::from(subnet.clone());
    let launch = templates::of(context, resource, body);
    let groups = groups
        .or_else(|| members::said(context, resource, body, "vpc_security_group_ids"))
        .or_else(|| by_name(reader, context, resource))
        .or_else(|| match &launch {
            Launch::None => None,
            Launch::By(template) => templates::groups(context, template),
            Launch::Unknown(why) => Some(Known::Unknown(why.clone())),
        });
    let vpc = vpc_of(&reader.into.account, &subnets, groups.as_ref());
    let groups = groups.unwrap_or_else(|| members::default(context, vpc.as_ref()));
    let keys = ["private_ip", "secondary_private_ips", "ipv6_addresses"];
    let addresses = members::addresses(reader, resource, body, &keys);
    let by_launch = || match &launch {
        Launch::None => subnets.public(&reader.into.account),
        Launch::By(template) => templates::public(reader, template, &subnets),
        Launch::Unknown(why) => Public::Unknown(why.clone()),
    };
    let public = members::public(body, "associate_public_ip_address", &addresses, by_launch);
    let ipv6_later = members::ipv6_later(&reader.into.account, body, &subnets);
    let interface = Interface {
        label: context.labels.of(resource),
        holder: holder_of(resource),
        vpc,
        groups: members::listed(reader, resource, groups),
        public,
        subnet,
        addresses,
        ipv6_later,
        origin: members::origin(reader, context, resource),
    };
    reader.into.interface(id, interface);
}

/// `security_groups` of an instance: names of groups in the default VPC.
fn by_name<'t>(reader: &Reader<'_>, context: &Context<'_, 't>, resource: &Resource<'t>) -> Option<Groups> {
    let said = members::said(context, resource, &resource.body, "security_groups")?;
    let groups = &reader.into.account.groups;
    let found = |word: &ResourceId| {
        let named =
            |(_, group): &(&ResourceId, &crate::account::SecurityGroup)| group.name.as_deref() == Some(word.as_str());
        if groups.contains_key(word) {
            return Ok(word.clone());
        }
        let mut named = groups.iter().filter(named).map(|(id, _)| id.clone());
        match (named.next(), named.next()) {
            (Some(one), None) => Ok(one),
            (None, _) => Err(format!("no source has a group of the name {word}")),
            (Some(_), Some(_)) => Err(format!("several groups have the name {word}")),
        }
    };
    Some(match said {
        Known::Is(words) => match words.iter().map(found).collect() {
            Ok(ids) => Known::Is(ids),
            Err(why) => Known::Unknown(why),
        },
        Known::Unknown(why) => Known::Unknown(why),
    })
}

/// `aws_network_interface_sg_attachment`: a group more for an interface.
pub fn one_more_group<'t>(reader: &mut Reader<'_>, context: &Context<'_, 't>, resource: &Resource<'t>) {
    let one = |key, wanted| context.resolver.one(resource, &resource.body, key, wanted);
    let (interface, group) = (one("network_interface_id", Wanted::Interface), one("security_group_id", Wanted::Group));
    let interface = required(reader, resource, interface, "network_interface_id");
    let group = required(reader, resource, group, "security_group_id");
    if let (Some(interface), Some(group)) = (interface, group) {
        let instance = context.with_id(&["aws_instance"], &interface);
        let interface = instance.map_or(interface, |instance| first_of(reader, context, instance));
        let origin = reader.origin(resource.node, &resource.address);
        reader.into.membership(interface, group, origin);
    }
}

/// `aws_eip` and `aws_eip_association`: a public address of an instance or of an interface.
pub fn elastic_ip<'t>(reader: &mut Reader<'_>, context: &Context<'_, 't>, resource: &Resource<'t>) {
    let one = |key, wanted| context.resolver.one(resource, &resource.body, key, wanted);
    let (instance, interface) = match resource.kind.as_str() {
        "aws_eip" => ("instance", "network_interface"),
        _ => ("instance_id", "network_interface_id"),
    };
    let ends = [one(interface, Wanted::Interface), one(instance, Wanted::Instance)];
    let is_known = ends.iter().all(|end| !matches!(end, Told::Unknown(_)));
    let mut found = None;
    for end in ends {
        found = found.or(id_or_listed(reader, resource, end));
    }
    let allocated = one("allocation_id", Wanted::Address);
    let address = resource.body.text("public_ip").map(str::to_owned).or_else(|| {
        let Told::Is(allocation) = allocated else { return None };
        context.with_id(&["aws_eip"], &allocation)?.body.text("public_ip").map(str::to_owned)
    });
    let address: Option<IpAddr> = address.and_then(|text| text.parse().ok());
    match found {
        Some(_) if is_of_a_gateway(context, resource) => {}
        Some(id) => {
            let instance = context.with_id(&["aws_instance"], &id);
            let interface = instance.map_or(id, |instance| first_of(reader, context, instance));
            let origin = reader.origin(resource.node, &resource.address);
            return reader.into.public_address(interface, address, origin);
        }
        None if is_known => {}
        None => return,
    }
    reader.leave_out(resource.node, &resource.kind, &resource.address, Reason::NoPartInReach);
}

/// Returns true for the address of a NAT gateway or of a network load balancer, which is told with those.
fn is_of_a_gateway(context: &Context<'_, '_>, resource: &Resource<'_>) -> bool {
    let Some(id) = resource.known_id() else { return false };
    context.managed(&["aws_nat_gateway", "aws_lb", "aws_alb"]).any(|user| {
        let entries = user.body.values.into_iter().flat_map(Node::all_entries);
        entries.into_iter().any(|(key, value)| key == "allocation_id" && value.text() == Some(id))
    })
}

/// The first interface of an instance, its own or one that it is given.
fn first_of<'t>(reader: &Reader<'_>, context: &Context<'_, 't>, resource: &Resource<'t>) -> ResourceId {
    let own = first_interface(resource);
    let label = context.labels.of(resource);
    let all = &reader.into.account.interfaces;
    let is_given = |(_, interface): &(&ResourceId, &Interface)| {
        interface.label == label && interface.holder == holder_of(resource)
    };
    match all.iter().find(is_given) {
        Some((id, _)) if !all.contains_key(&own) => id.clone(),
        _ => own,
    }
}
