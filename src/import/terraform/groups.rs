//! Security groups.

use super::super::builder::Reader;
use super::context::{Context, id_or_listed};
use super::resource::{Resource, Value};
use super::rules;
use super::wanted::Wanted;
use crate::account::{ResourceId, SecurityGroup};

/// `aws_security_group` and `aws_default_security_group`, which replaces all rules of the group that it adopts.
pub fn group<'t>(reader: &mut Reader<'_>, context: &Context<'_, 't>, resource: &Resource<'t>) {
    let id = resource.id();
    reader.into.alias(&resource.address, &id);
    let group = SecurityGroup {
        label: context.labels.of(resource),
        name: resource.body.text("name").filter(|name| !name.is_empty()).map(str::to_owned),
        description: resource.body.text("description").map(str::to_owned),
        vpc: vpc(reader, context, resource),
        ingress: rules::inline(reader, context, resource, "ingress"),
        egress: rules::inline(reader, context, resource, "egress"),
        origin: reader.origin(resource.node, &resource.address),
    };
    reader.into.account.groups.insert(id, group);
}

fn vpc<'t>(reader: &mut Reader<'_>, context: &Context<'_, 't>, resource: &Resource<'t>) -> Option<ResourceId> {
    if let Value::Absent = resource.body.value("vpc_id") {
        return None;
    }
    let told = context.resolver.one(resource, &resource.body, "vpc_id", Wanted::Vpc);
    id_or_listed(reader, resource, told)
}
