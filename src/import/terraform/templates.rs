//! Launch templates and configurations: groups and ways from the internet of instances that are not there yet.

use indexmap::IndexSet;

use super::super::builder::Reader;
use super::context::Context;
use super::members;
use super::networks;
use super::resource::{Block, Resource, Value};
use super::told::Told;
use super::wanted::Wanted;
use crate::account::{Holder, Interface, Known, Public, ResourceId};

/// The types of templates.
pub const TEMPLATES: &[&str] = &["aws_launch_template", "aws_launch_configuration"];

/// The template that a resource launches from.
pub fn of<'a, 't>(context: &Context<'a, 't>, resource: &Resource<'t>, body: &Block<'t>) -> Option<&'a Resource<'t>> {
    let mut told = vec![context.resolver.one(resource, body, "launch_configuration", Wanted::Template)];
    let mixed = body.blocks("mixed_instances_policy").into_iter().flat_map(|block| block.blocks("launch_template"));
    let inner = mixed.flat_map(|block| block.blocks("launch_template_specification"));
    for block in inner {
        told.push(context.resolver.one(resource, &block, "launch_template_id", Wanted::Template));
    }
    for block in body.blocks("launch_template") {
        told.push(context.resolver.one(resource, &block, "id", Wanted::Template));
        told.push(context.resolver.one(resource, &block, "name", Wanted::Template));
    }
    let by_name =
        |id: &ResourceId| context.managed(TEMPLATES).find(|template| template.body.text("name") == Some(id.as_str()));
    told.into_iter().find_map(|told| match told {
        Told::Is(id) => context.with_id(TEMPLATES, &id).or_else(|| by_name(&id)),
        Told::Absent | Told::Chosen | Told::Unknown(_) => None,
    })
}

/// The groups that a template gives; nothing where it says none.
pub fn groups<'t>(context: &Context<'_, 't>, template: &Resource<'t>) -> Option<Known<IndexSet<ResourceId>>> {
    let key = if template.kind == "aws_launch_configuration" { "security_groups" } else { "vpc_security_group_ids" };
    members::said(context, template, &template.body, key).or_else(|| {
        let first = template.body.blocks("network_interfaces").into_iter().next()?;
        members::said(context, template, &first, "security_groups")
    })
}

fn public<'t>(reader: &Reader<'_>, template: &Resource<'t>, subnets: &[ResourceId]) -> Public {
    let key = "associate_public_ip_address";
    let first = template.body.blocks("network_interfaces").into_iter().next();
    let block = first.as_ref().unwrap_or(&template.body);
    members::public(reader, block, key, subnets, &[])
}

/// `aws_autoscaling_group`: its instances are members of the groups of its template.
pub fn scaling_group<'t>(reader: &mut Reader<'_>, context: &Context<'_, 't>, resource: &Resource<'t>) {
    let subnets = networks::subnets_of(context, resource, &resource.body, "vpc_zone_identifier");
    let template = of(context, resource, &resource.body);
    let groups = match template {
        Some(template) => groups(context, template),
        None => Some(Known::Unknown("no source has its launch template".to_owned())),
    };
    let public = match template {
        Some(template) => public(reader, template, &subnets),
        None => Public::Unknown("no source has its launch template".to_owned()),
    };
    launched(reader, context, resource, &subnets, groups, public);
}

/// `aws_eks_node_group`: without groups in its template, its nodes are in the cluster's group.
///
/// Source: "Customize managed nodes with launch templates" (Amazon EKS user guide).
pub fn node_group<'t>(reader: &mut Reader<'_>, context: &Context<'_, 't>, resource: &Resource<'t>) {
    let subnets = networks::subnets_of(context, resource, &resource.body, "subnet_ids");
    let template = of(context, resource, &resource.body);
    let is_remote = !resource.body.blocks("remote_access").is_empty();
    let has_template = !resource.body.blocks("launch_template").is_empty();
    let groups =
        template.and_then(|template| groups(context, template)).unwrap_or_else(|| match cluster(context, resource) {
            _ if is_remote => Known::Unknown("EKS makes a further group for its remote access".to_owned()),
            _ if has_template && template.is_none() => Known::Unknown("no source has its launch template".to_owned()),
            Some(cluster) => Known::Is([super::wanted::cluster_group(cluster)].into_iter().collect()),
            None => Known::Unknown("no source has its cluster".to_owned()),
        });
    let public = match template {
        Some(template) => public(reader, template, &subnets),
        None => members::public(reader, &Block::default(), "associate_public_ip_address", &subnets, &[]),
    };
    launched(reader, context, resource, &subnets, Some(groups), public);
}

fn cluster<'a, 't>(context: &Context<'a, 't>, resource: &Resource<'t>) -> Option<&'a Resource<'t>> {
    let name = match resource.body.value("cluster_name") {
        Value::Is(name) => name.text(),
        Value::Absent | Value::Unknown | Value::Hidden => None,
    };
    let mut named =
        context.managed(&["aws_eks_cluster"]).filter(|cluster| name.is_none() || cluster.body.text("name") == name);
    let first = named.next();
    first.filter(|_| named.next().is_none())
}

/// A template that nothing of this source launches from: who does is in its groups.
pub fn unused<'t>(reader: &mut Reader<'_>, context: &Context<'_, 't>, template: &Resource<'t>) {
    let groups = groups(context, template);
    let public = public(reader, template, &[]);
    launched(reader, context, template, &[], groups, public);
}

fn launched<'t>(
    reader: &mut Reader<'_>,
    context: &Context<'_, 't>,
    resource: &Resource<'t>,
    subnets: &[ResourceId],
    groups: Option<Known<IndexSet<ResourceId>>>,
    public: Public,
) {
    let vpc = members::vpc_of(reader, subnets, groups.as_ref());
    let groups = groups.unwrap_or_else(|| members::default(context, vpc.as_ref()));
    let interface = Interface {
        label: context.labels.of(resource),
        holder: Holder::Instance,
        vpc,
        subnet: if let [one] = subnets { Some(one.clone()) } else { None },
        groups: members::listed(reader, resource, groups),
        addresses: Vec::new(),
        public,
        origin: reader.origin(resource.node, &resource.address),
    };
    reader.into.interface(resource.id(), interface);
}
