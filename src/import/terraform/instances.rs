//! Instances: their interfaces, with groups, addresses and ways from the internet.

use std::net::IpAddr;

use indexmap::IndexSet;
use ipnet::IpNet;

use super::super::builder::Reader;
use super::super::tree::Node;
use super::super::words;
use super::context::{Context, id_or_listed};
use super::resource::{Block, Resource, Value};
use super::told::Told;
use super::wanted::Wanted;
use crate::account::{Holder, Interface, Known, Public, Reason, ResourceId};

/// `aws_instance`: its first interface, unless it is given interfaces of their own.
pub fn instance<'t>(reader: &mut Reader<'_>, context: &Context<'_, 't>, resource: &Resource<'t>) {
    let holder = match resource.body.text("instance_state") {
        Some("terminated" | "shutting-down") => {
            return reader.leave_out(resource.node, &resource.kind, &resource.address, Reason::Gone);
        }
        Some("stopped" | "stopping") => Holder::StoppedInstance,
        _ => Holder::Instance,
    };
    let body = &resource.body;
    let id = body.text("primary_network_interface_id").filter(|id| !id.is_empty());
    let id = id.map_or_else(|| resource.id(), ResourceId::new);
    reader.into.alias(&resource.address, &id);
    let told = context.resolver.one(resource, body, "subnet_id", Wanted::Subnet);
    let subnet = id_or_listed(reader, resource, told);
    let groups = match context.resolver.several(resource, body, "vpc_security_group_ids", Wanted::Group) {
        Told::Is(groups) => Known::Is(groups),
        Told::Absent | Told::Chosen => Known::Is(IndexSet::new()),
        Told::Unknown(why) => {
            reader.leave_out(resource.node, &resource.kind, &resource.address, Reason::UnknownValue(why.clone()));
            Known::Unknown(why)
        }
    };
    let interface = Interface {
        label: context.labels.of(resource),
        holder,
        vpc: None,
        subnet,
        groups,
        addresses: addresses(reader, resource, body),
        public: public(body),
        origin: reader.origin(resource.node, &resource.address),
    };
    reader.into.interface(id, interface);
}

/// Private addresses and IPv6 addresses of a resource.
fn addresses(reader: &mut Reader<'_>, resource: &Resource<'_>, block: &Block<'_>) -> Vec<IpNet> {
    let mut addresses = Vec::new();
    for key in ["private_ip", "secondary_private_ips", "ipv6_addresses"] {
        let known = block.value(key).known().into_iter().flat_map(Node::items);
        for node in known.filter(|node| node.text() != Some("")) {
            match words::block(node.text().unwrap_or_default()) {
                Ok(address) if addresses.contains(&address) => {}
                Ok(address) => addresses.push(address),
                Err(wrong) => reader.wrong(node, &resource.address, wrong),
            }
        }
    }
    addresses
}

fn public(block: &Block<'_>) -> Public {
    let address: Option<IpAddr> = block.text("public_ip").and_then(|text| text.parse().ok());
    match (address, block.value("associate_public_ip_address")) {
        (Some(address), _) => Public::At(vec![address]),
        (None, Value::Is(node)) if node.boolean() == Some(true) => Public::At(Vec::new()),
        (None, _) => Public::None,
    }
}
