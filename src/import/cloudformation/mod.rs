//! CloudFormation templates, YAML and JSON.
//!
//! Values that are known before a stack is made are read: parameters by their defaults, conditions, mappings and functions of those. Resources refer to
//! each other by logical id. Whatever depends on more than the template is unknown; it is never guessed.

mod conditions;
mod evaluate;
mod functions;
mod groups;
mod instances;
mod kinds;
mod launch;
mod members;
mod networks;
mod references;
mod resource;
mod rules;
mod services;
mod template;
#[cfg(test)]
mod tests;
mod typed;
mod value;

use super::reader::Reader;
use super::tree::Node;
use crate::account::{Known, Reason};
use crate::model::Direction;
use resource::Resource;
use template::Template;

/// Parameters that every template has.
///
/// Source: "Pseudo parameters reference" (AWS CloudFormation User Guide).
pub(super) const PSEUDO: &[&str] = &[
    "AWS::AccountId",
    "AWS::NotificationARNs",
    "AWS::Partition",
    "AWS::Region",
    "AWS::StackId",
    "AWS::StackName",
    "AWS::URLSuffix",
];

/// Returns true if a document is a template.
pub(super) fn is_template(root: Node<'_>) -> bool {
    let has_type = |(_, resource): (&str, Node<'_>)| {
        resource.text_of("Type").is_some_and(|kind| kind.starts_with("AWS::") || kind.starts_with("Custom::"))
    };
    root.is_object()
        && (root.get("AWSTemplateFormatVersion").is_some()
            || root.get("Resources").is_some_and(|resources| resources.entries().any(has_type)))
}

/// Reads a template: first what others refer to, then those.
pub(super) fn read(reader: &mut Reader<'_>, root: Node<'_>) {
    let known = reader.into.faults.len();
    let mut template = Template::new(reader, root);
    template.decide();
    if let Some(name) = &template.macros {
        let reason = Reason::UnknownValue(format!("the macro `{name}` may change this template"));
        let node = root.get("Transform").unwrap_or(root);
        reader.leave_out(node, "Transform", "Transform", reason);
    }
    let template = &template;
    let mut left: Vec<&Resource<'_>> = template.resources.values().collect();
    left.retain(|resource| !absent(reader, resource));
    for read in [vpcs, networks, groups, rules, interfaces, holders, joined] {
        left.retain(|resource| !read(reader, template, resource));
    }
    left.iter().for_each(|resource| kinds::left_out(reader, template, resource));
    template.take_mistakes().into_iter().for_each(|mistake| reader.fault(mistake));
    let secrets = template.secrets();
    reader.into.faults[known..].iter_mut().for_each(|fault| fault.conceal(&secrets));
}

/// Lists a resource whose condition does not hold.
fn absent(reader: &mut Reader<'_>, resource: &Resource<'_>) -> bool {
    let is_absent = resource.there == Known::Is(false);
    if is_absent {
        resource.leave_out(reader, Reason::ConditionIsFalse);
    }
    is_absent
}

fn vpcs<'t>(reader: &mut Reader<'_>, template: &Template<'t>, resource: &Resource<'t>) -> bool {
    match resource.kind {
        "AWS::EC2::VPC" => networks::vpc(reader, template, resource),
        "AWS::EC2::PrefixList" => networks::prefix_list(reader, template, resource),
        _ => return false,
    }
    true
}

fn networks<'t>(reader: &mut Reader<'_>, template: &Template<'t>, resource: &Resource<'t>) -> bool {
    match resource.kind {
        "AWS::EC2::Subnet" => networks::subnet(reader, template, resource),
        "AWS::EC2::VPCCidrBlock" => networks::block_of_another(reader, template, resource),
        _ => return false,
    }
    true
}

fn groups<'t>(reader: &mut Reader<'_>, template: &Template<'t>, resource: &Resource<'t>) -> bool {
    let found = resource.kind == "AWS::EC2::SecurityGroup";
    if found {
        groups::group(reader, template, resource);
    }
    found
}

fn rules<'t>(reader: &mut Reader<'_>, template: &Template<'t>, resource: &Resource<'t>) -> bool {
    let direction = match resource.kind {
        "AWS::EC2::SecurityGroupIngress" => Direction::Ingress,
        "AWS::EC2::SecurityGroupEgress" => Direction::Egress,
        _ => return false,
    };
    rules::apart(reader, template, resource, direction);
    true
}

fn interfaces<'t>(reader: &mut Reader<'_>, template: &Template<'t>, resource: &Resource<'t>) -> bool {
    let found = resource.kind == "AWS::EC2::NetworkInterface";
    if found {
        instances::interface(reader, template, resource);
    }
    found
}

fn holders<'t>(reader: &mut Reader<'_>, template: &Template<'t>, resource: &Resource<'t>) -> bool {
    match resource.kind {
        "AWS::EC2::Instance" => instances::instance(reader, template, resource),
        "AWS::AutoScaling::AutoScalingGroup" => launch::scaling_group(reader, template, resource),
        "AWS::EKS::Nodegroup" => launch::node_group(reader, template, resource),
        kind if launch::TEMPLATES.contains(&kind) => launch::unused(reader, template, resource),
        _ => return services::service(reader, template, resource),
    }
    true
}

fn joined<'t>(reader: &mut Reader<'_>, template: &Template<'t>, resource: &Resource<'t>) -> bool {
    match resource.kind {
        "AWS::EC2::NetworkInterfaceAttachment" => instances::attachment(reader, template, resource),
        "AWS::EC2::EIP" | "AWS::EC2::EIPAssociation" => instances::elastic_ip(reader, template, resource),
        _ => return false,
    }
    true
}
