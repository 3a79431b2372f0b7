//! Terraform's JSON: `terraform show -json` of a plan or a state, and state files of version 4.
//!
//! The values of a plan are those that are known before it is applied. Ids of what is to be created are not, so that rules and members are
//! found by what their expressions refer to. Where that does not tell one resource, it is unknown; it is never guessed.

mod address;
mod configuration;
mod context;
mod digests;
mod document;
mod groups;
mod index;
mod instances;
mod kinds;
mod known_modules;
mod labels;
mod members;
mod networks;
mod resolver;
mod resource;
mod rules;
mod services;
mod slots;
mod templates;
#[cfg(test)]
mod tests;
mod told;
mod wanted;

use std::collections::HashSet;

use super::reader::Reader;
use super::tree::Node;
use crate::model::Direction;
use address::Mode;
use context::Context;
use resource::Resource;

pub use document::actions;

/// Reads a plan or a state: first what others refer to, then those.
pub(super) fn read(reader: &mut Reader<'_>, root: Node<'_>) {
    let index = document::index(reader, root);
    digests::note(reader, &index);
    let context = Context::new(&index);
    let used = templates_in_use(&context);
    let all = &index.resources;
    let mut left: Vec<&Resource<'_>> = all.iter().filter(|resource| !vpcs(reader, &context, resource)).collect();
    left.retain(|resource| !networks(reader, &context, resource));
    left.retain(|resource| !groups(reader, &context, resource));
    left.retain(|resource| !interfaces(reader, &context, resource));
    left.retain(|resource| !holders(reader, &context, resource, &used));
    left.retain(|resource| !joined(reader, &context, resource));
    left.iter().for_each(|resource| kinds::left_out(reader, resource));
}

fn vpcs(reader: &mut Reader<'_>, context: &Context<'_, '_>, resource: &Resource<'_>) -> bool {
    match (resource.mode, resource.kind.as_str()) {
        (_, "aws_vpc") | (Mode::Managed, "aws_default_vpc") => {
            networks::vpc(reader, context, resource);
            if !resource.is_data() {
                groups::default_of_vpc(reader, context, resource);
            }
        }
        (_, "aws_ec2_managed_prefix_list") | (Mode::Data, "aws_prefix_list") => {
            networks::prefix_list(reader, context, resource)
        }
        _ => return false,
    }
    true
}

fn networks<'t>(reader: &mut Reader<'_>, context: &Context<'_, 't>, resource: &Resource<'t>) -> bool {
    match (resource.mode, resource.kind.as_str()) {
        (_, "aws_subnet") | (Mode::Managed, "aws_default_subnet") => networks::subnet(reader, context, resource),
        (Mode::Managed, "aws_vpc_ipv4_cidr_block_association") => networks::more_blocks(reader, context, resource),
        (Mode::Managed, "aws_ec2_managed_prefix_list_entry") => networks::entry(reader, context, resource),
        _ => return false,
    }
    true
}

fn groups<'t>(reader: &mut Reader<'_>, context: &Context<'_, 't>, resource: &Resource<'t>) -> bool {
    match (resource.mode, resource.kind.as_str()) {
        (Mode::Data, "aws_security_group") => groups::looked_up(reader, context, resource),
        (Mode::Data, _) => return false,
        (_, "aws_security_group" | "aws_default_security_group") => groups::group(reader, context, resource),
        (_, "aws_security_group_rule") => rules::apart(reader, context, resource),
        (_, "aws_vpc_security_group_ingress_rule") => rules::single(reader, context, resource, Direction::Ingress),
        (_, "aws_vpc_security_group_egress_rule") => rules::single(reader, context, resource, Direction::Egress),
        _ => return false,
    }
    true
}

fn interfaces<'t>(reader: &mut Reader<'_>, context: &Context<'_, 't>, resource: &Resource<'t>) -> bool {
    let found = !resource.is_data() && resource.kind == "aws_network_interface";
    if found {
        instances::interface(reader, context, resource);
    }
    found
}

fn holders<'t>(
    reader: &mut Reader<'_>,
    context: &Context<'_, 't>,
    resource: &Resource<'t>,
    used: &HashSet<&str>,
) -> bool {
    if resource.is_data() {
        return false;
    }
    match resource.kind.as_str() {
        "aws_instance" => instances::instance(reader, context, resource),
        "aws_autoscaling_group" => templates::scaling_group(reader, context, resource),
        "aws_eks_node_group" => templates::node_group(reader, context, resource),
        kind if templates::TEMPLATES.contains(&kind) => {
            templates::further_interfaces(reader, resource);
            if !used.contains(resource.address.as_str()) {
                templates::unused(reader, context, resource);
            }
        }
        _ => return services::service(reader, context, resource),
    }
    true
}

fn templates_in_use<'a>(context: &Context<'a, '_>) -> HashSet<&'a str> {
    let launches = context.managed(templates::LAUNCHERS).map(|user| templates::of(context, user, &user.body));
    let used = launches.filter_map(|launch| match launch {
        templates::Launch::By(template) => Some(template.address.as_str()),
        templates::Launch::None | templates::Launch::Unknown(_) => None,
    });
    used.collect()
}

fn joined<'t>(reader: &mut Reader<'_>, context: &Context<'_, 't>, resource: &Resource<'t>) -> bool {
    if resource.is_data() {
        return false;
    }
    match resource.kind.as_str() {
        "aws_network_interface_attachment" => instances::attachment(reader, context, resource),
        "aws_network_interface_sg_attachment" => instances::one_more_group(reader, context, resource),
        "aws_eip" | "aws_eip_association" => instances::elastic_ip(reader, context, resource),
        _ => return false,
    }
    true
}
