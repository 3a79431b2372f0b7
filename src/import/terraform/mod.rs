//! Terraform's JSON: `terraform show -json` of a plan or a state, and state files of version 4.

mod address;
mod configuration;
mod context;
mod document;
mod groups;
mod index;
mod instances;
mod known_modules;
mod labels;
mod resolver;
mod resource;
mod rules;
#[cfg(test)]
mod tests;
mod told;
mod wanted;

use super::builder::Reader;
use super::tree::Node;
use crate::model::Direction;
use context::Context;

/// Reads a plan or a state.
pub(super) fn read(reader: &mut Reader<'_>, root: Node<'_>) {
    let index = document::index(reader, root);
    let context = Context::new(&index);
    for resource in &index.resources {
        match resource.kind.as_str() {
            _ if resource.data => {}
            "aws_security_group" | "aws_default_security_group" => groups::group(reader, &context, resource),
            "aws_security_group_rule" => rules::apart(reader, &context, resource),
            "aws_vpc_security_group_ingress_rule" => rules::single(reader, &context, resource, Direction::Ingress),
            "aws_vpc_security_group_egress_rule" => rules::single(reader, &context, resource, Direction::Egress),
            "aws_instance" => instances::instance(reader, &context, resource),
            _ => {}
        }
    }
}
