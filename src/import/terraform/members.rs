//! Groups of an interface, and the parts that interfaces of every holder share.

use std::net::IpAddr;

use ipnet::IpNet;

use super::super::placed::{Groups, Subnets, no_default_group};
use super::super::reader::Reader;
use super::super::tree::Node;
use super::super::words;
use super::context::Context;
use super::digests;
use super::resource::{Block, Resource, Value};
use super::told::Told;
use super::wanted::{VPCS, Wanted, default_group};
use crate::account::{Account, Known, Origin, Public, Reason, ResourceId};

/// Lists an interface whose groups are not known.
pub fn listed(reader: &mut Reader<'_>, resource: &Resource<'_>, groups: Groups) -> Groups {
    if let Known::Unknown(why) = &groups {
        let reason = Reason::UnknownValue(format!("its groups: {why}"));
        reader.leave_out(resource.node, &resource.kind, &resource.address, reason);
    }
    groups
}

/// The place of an interface. It has the digest of what says its groups: those that are not known are the same where that is.
pub fn origin(reader: &Reader<'_>, context: &Context<'_, '_>, resource: &Resource<'_>) -> Origin {
    let keys = ["vpc_security_group_ids", "security_groups", "network_interface", "launch_template", "subnet_id"];
    let digest = digests::of_attributes(reader.source, context.index, resource, &keys);
    Origin { digest, ..reader.origin(resource.node, &resource.address) }
}

/// The groups that an attribute tells; nothing where nobody says any.
pub fn said<'t>(context: &Context<'_, 't>, resource: &Resource<'t>, block: &Block<'t>, key: &str) -> Option<Groups> {
    match context.resolver.several(resource, block, key, Wanted::Group) {
        Told::Is(groups) => Some(Known::Is(groups)).filter(|groups| groups.known().is_none_or(|all| !all.is_empty())),
        Told::Absent | Told::Chosen => None,
        Told::Unknown(why) => Some(Known::Unknown(why)),
    }
}

/// The groups of what is launched without any: the default group of its VPC.
///
/// Source: `RunInstances`, `SecurityGroupId` (Amazon EC2 API reference).
pub fn default(context: &Context<'_, '_>, vpc: Option<&ResourceId>) -> Groups {
    match vpc.and_then(|vpc| context.with_id(VPCS, vpc)) {
        Some(vpc) => Known::Is([default_group(vpc)].into_iter().collect()),
        None => no_default_group(),
    }
}

/// Private addresses and IPv6 addresses that some attributes tell.
pub fn addresses(reader: &mut Reader<'_>, resource: &Resource<'_>, block: &Block<'_>, keys: &[&str]) -> Vec<IpNet> {
    let mut addresses = Vec::new();
    for key in keys {
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

/// Number of IPv6 addresses that an interface gets, and that are not known yet: as many as it asks for, else what its subnet gives it.
pub fn ipv6_later(account: &Account, block: &Block<'_>, subnets: &Subnets) -> usize {
    let (known, unknown) = block.elements("ipv6_addresses");
    let by_subnet = usize::from(subnets.gives_ipv6(account));
    let is_asked = |key: &str| matches!(block.value(key), Value::Unknown | Value::Hidden) && block.is_given(key);
    match block.value("ipv6_address_count") {
        _ if unknown > 0 => unknown,
        // Of what is there already both are told.
        _ if matches!(block.value("ipv6_addresses"), Value::Is(_)) => match block.value("ipv6_address_count") {
            Value::Is(count) => count_of(count).saturating_sub(known.len()),
            Value::Absent | Value::Unknown | Value::Hidden => 0,
        },
        Value::Is(count) => count_of(count),
        _ if is_asked("ipv6_address_count") || is_asked("ipv6_addresses") => 1,
        Value::Absent | Value::Unknown | Value::Hidden => by_subnet,
    }
}

/// A count; a state file of old has it as a text.
fn count_of(node: Node<'_>) -> usize {
    let told = node.number().or_else(|| node.text().and_then(|text| text.parse().ok()));
    told.and_then(|count| usize::try_from(count).ok()).unwrap_or(0)
}

/// Ways from the internet to what is launched. What it is told (`associate_public_ip_address`) goes before `otherwise`.
pub fn public(block: &Block<'_>, told: &str, ipv6: &[IpNet], otherwise: impl FnOnce() -> Public) -> Public {
    let mut at: Vec<IpAddr> = block.text("public_ip").and_then(|text| text.parse().ok()).into_iter().collect();
    at.extend(ipv6.iter().map(IpNet::addr).filter(IpAddr::is_ipv6));
    if !at.is_empty() {
        return Public::At(at);
    }
    // A state tells that there is none.
    let none = matches!(block.value("public_ip"), Value::Is(_));
    match block.value(told) {
        _ if none => Public::None,
        Value::Is(node) if node.boolean() == Some(true) => Public::At(at),
        Value::Is(node) if node.text() != Some("") => Public::None,
        Value::Unknown if block.is_given(told) => Public::Unknown(format!("`{told}` is not known")),
        Value::Hidden => Public::Unknown(format!("`{told}` is not known")),
        Value::Is(_) | Value::Absent | Value::Unknown => otherwise(),
    }
}
