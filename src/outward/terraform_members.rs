//! Instances and interfaces in Terraform's language, and references as its expressions.

use super::hcl::{Block, list, text};
use super::plan::{Id, Machine, Plan, PlannedInterface};
use crate::account::Holder;

/// A reference as an expression.
pub fn reference(kind: &str, id: &Id) -> String {
    match id {
        Id::Own(name) => format!("{kind}.{name}.id"),
        Id::There(id) => text(id),
    }
}

/// The group as an expression: `default` is a resource of another type.
pub fn group_reference(plan: &Plan<'_>, id: &Id) -> String {
    match id {
        Id::Own(name) if plan.defaults.contains(name) => reference("aws_default_security_group", id),
        _ => reference("aws_security_group", id),
    }
}

pub fn members(plan: &Plan<'_>) -> Vec<Block> {
    plan.machines.iter().flat_map(|machine| blocks(plan, machine)).collect()
}

fn blocks(plan: &Plan<'_>, machine: &Machine<'_>) -> Vec<Block> {
    let mut blocks = Vec::new();
    let is_instance = machine.held.holder.is_instance();
    for (index, interface) in machine.interfaces.iter().enumerate() {
        let target = match (is_instance, index) {
            (true, 0) => {
                blocks.push(instance(plan, machine, interface));
                ("instance_id", format!("aws_instance.{}.id", machine.name))
            }
            _ => {
                blocks.push(interface_block(plan, machine, interface));
                ("network_interface_id", format!("aws_network_interface.{}.id", interface.name))
            }
        };
        if is_instance && index > 0 {
            let attached = Block::resource("aws_network_interface_attachment", &interface.name)
                .is("instance_id", format!("aws_instance.{}.id", machine.name))
                .is("network_interface_id", target.1.clone())
                .is("device_index", interface.device.to_string());
            blocks.push(attached);
        }
        for address in &interface.elastic {
            blocks.push(Block::resource("aws_eip", address).is("domain", text("vpc")));
            // Apart from the address: a group that names it would be a circle.
            let associated = Block::resource("aws_eip_association", address);
            let associated = associated.is("allocation_id", format!("aws_eip.{address}.id"));
            blocks.push(associated.is(target.0, target.1.clone()));
        }
    }
    if machine.held.holder == Holder::StoppedInstance {
        let state = Block::resource("aws_ec2_instance_state", &machine.name);
        blocks.push(state.is("instance_id", format!("aws_instance.{}.id", machine.name)).is("state", text("stopped")));
    }
    blocks
}

fn instance(plan: &Plan<'_>, machine: &Machine<'_>, interface: &PlannedInterface) -> Block {
    let first = Block::resource("aws_instance", &machine.name)
        .is("ami", "var.ami")
        .is("instance_type", "var.instance_type")
        .maybe("subnet_id", interface.subnet.as_ref().map(|id| reference("aws_subnet", id)))
        .maybe("private_ip", interface.private.first().map(|address| text(&address.to_string())));
    let further: Vec<String> = interface.private.iter().skip(1).map(|address| text(&address.to_string())).collect();
    let further = (!further.is_empty()).then(|| list(further));
    let groups = interface.groups.iter().map(|id| group_reference(plan, id));
    first
        .maybe("secondary_private_ips", further)
        .maybe("ipv6_address_count", (interface.ipv6 > 0).then(|| interface.ipv6.to_string()))
        .is("vpc_security_group_ids", list(groups))
        .maybe("associate_public_ip_address", interface.automatic.as_ref().map(bool::to_string))
        .named(machine.held.label, machine.held.id.as_str())
}

/// An interface of its own. That of a service is made as one that nobody holds: its groups have it as a member.
fn interface_block(plan: &Plan<'_>, machine: &Machine<'_>, interface: &PlannedInterface) -> Block {
    let groups: Vec<String> = interface.groups.iter().map(|id| group_reference(plan, id)).collect();
    let private: Vec<String> = interface.private.iter().map(|address| text(&address.to_string())).collect();
    let prefixes: Vec<String> = interface.prefixes.iter().map(|block| text(&block.to_string())).collect();
    Block::resource("aws_network_interface", &interface.name)
        .maybe("subnet_id", interface.subnet.as_ref().map(|id| reference("aws_subnet", id)))
        .maybe("private_ips", (!private.is_empty()).then(|| list(private)))
        .maybe("ipv4_prefixes", (!prefixes.is_empty()).then(|| list(prefixes)))
        .maybe("ipv6_address_count", (interface.ipv6 > 0).then(|| interface.ipv6.to_string()))
        .maybe("ipv6_prefix_count", (interface.ipv6_prefixes > 0).then(|| interface.ipv6_prefixes.to_string()))
        .is("security_groups", list(groups))
        .named(machine.held.label, machine.held.id.as_str())
}
