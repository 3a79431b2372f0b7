//! Security groups: those of the file, those that are only read, and those that AWS makes along with something else.

use super::super::placed::{all_traffic, unknown_rule};
use super::super::reader::Reader;
use super::context::{Context, id_or_listed};
use super::resource::{Resource, Value};
use super::rules;
use super::wanted::{VPCS, Wanted, cluster_group, default_group};
use crate::account::{Origin, Peer, ResourceId, Rule, SecurityGroup};
use crate::model::PrefixFamily;

/// `aws_security_group` and `aws_default_security_group`, which replaces all rules of the group that it adopts.
pub fn group<'t>(reader: &mut Reader<'_>, context: &Context<'_, 't>, resource: &Resource<'t>) {
    let id = resource.id();
    reader.into.alias(&resource.address, &id);
    let vpc = vpc(reader, context, resource);
    let adopted = vpc.as_ref().filter(|_| resource.kind == "aws_default_security_group");
    if let Some(owner) = adopted.and_then(|vpc| context.with_id(VPCS, vpc)) {
        reader.into.alias(default_group(owner).as_str(), &id);
    }
    let group = SecurityGroup {
        label: context.labels.of(resource),
        name: resource.body.text("name").filter(|name| !name.is_empty()).map(str::to_owned),
        description: resource.body.text("description").map(str::to_owned),
        vpc,
        ingress: rules::inline(reader, context, resource, "ingress"),
        egress: rules::inline(reader, context, resource, "egress"),
        origin: reader.origin(resource.node, &resource.address),
    };
    reader.into.account.groups.insert(id, group);
}

/// `data.aws_security_group`: its rules stand in another state or account.
pub fn looked_up(reader: &mut Reader<'_>, context: &Context<'_, '_>, resource: &Resource<'_>) {
    let id = resource.id();
    reader.into.alias(&resource.address, &id);
    let why = "it is a data source, which tells no rules".to_owned();
    let origin = reader.origin(resource.node, &resource.address);
    let unknown = || vec![unknown_rule(&why, &origin)];
    let group = SecurityGroup {
        label: context.labels.of(resource),
        name: resource.body.text("name").map(str::to_owned),
        description: resource.body.text("description").map(str::to_owned),
        vpc: resource.body.text("vpc_id").map(ResourceId::new),
        ingress: unknown(),
        egress: unknown(),
        origin: origin.clone(),
    };
    reader.into.mention(id, group);
}

/// The default group of a VPC. That of a new VPC admits its members and lets everything out.
///
/// Source: "Default security groups for your VPCs" (Amazon VPC user guide).
pub fn default_of_vpc(reader: &mut Reader<'_>, context: &Context<'_, '_>, vpc: &Resource<'_>) {
    let known = if vpc.known_id().is_none() && vpc.kind == "aws_vpc" { Rules::AsMade } else { Rules::Unknown };
    let label = format!("{} default", context.labels.of(vpc));
    made(reader, vpc, default_group(vpc), vpc.id(), label, known);
}

/// The group that EKS makes for a cluster. It admits its members and lets everything out.
///
/// Source: "View Amazon EKS security group requirements for clusters" (Amazon EKS user guide).
pub fn of_cluster(reader: &mut Reader<'_>, context: &Context<'_, '_>, cluster: &Resource<'_>, vpc: Option<ResourceId>) {
    let known = if cluster.known_id().is_none() { Rules::AsMade } else { Rules::Unknown };
    let label = format!("{} cluster", context.labels.of(cluster));
    let id = cluster_group(cluster);
    let vpc = vpc.unwrap_or_else(|| ResourceId::new(""));
    made(reader, cluster, id, vpc, label, known);
}

/// Rules of a group that AWS makes.
enum Rules {
    AsMade,
    /// The group is there for long, and anybody may have changed them.
    Unknown,
}

fn made(reader: &mut Reader<'_>, by: &Resource<'_>, id: ResourceId, vpc: ResourceId, label: String, told: Rules) {
    let origin = reader.origin(by.node, &by.address);
    let (ingress, egress) = match told {
        Rules::AsMade => (vec![all_traffic(Peer::Group(id.clone()), &origin)], everything(&origin)),
        Rules::Unknown => {
            let why = "AWS has made it, and no source has its rules".to_owned();
            let unknown = || vec![unknown_rule(&why, &origin)];
            (unknown(), unknown())
        }
    };
    let vpc = Some(vpc).filter(|vpc| !vpc.as_str().is_empty());
    let group = SecurityGroup { label, name: None, description: None, vpc, ingress, egress, origin };
    reader.into.mention(id, group);
}

fn everything(origin: &Origin) -> Vec<Rule> {
    PrefixFamily::BOTH.map(|family| all_traffic(Peer::Block(family.every_address()), origin)).to_vec()
}

fn vpc<'t>(reader: &mut Reader<'_>, context: &Context<'_, 't>, resource: &Resource<'t>) -> Option<ResourceId> {
    if let Value::Absent = resource.body.value("vpc_id") {
        return None;
    }
    let told = context.resolver.one(resource, &resource.body, "vpc_id", Wanted::Vpc);
    id_or_listed(reader, resource, told)
}
