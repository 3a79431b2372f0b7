//! Launch templates and configurations: groups and ways from the internet of instances that are not there yet.

use super::super::placed::{Groups, Subnets, vpc_of};
use super::super::reader::Reader;
use super::context::Context;
use super::members;
use super::networks;
use super::resource::{Block, Resource, Value};
use super::told::Told;
use super::wanted::Wanted;
use crate::account::{Fleet, Holder, Interface, Known, Public, Reason, ResourceId};

/// The types of templates.
pub const TEMPLATES: &[&str] = &["aws_launch_template", "aws_launch_configuration"];

/// The types of what launches from them.
pub const LAUNCHERS: &[&str] = &["aws_instance", "aws_autoscaling_group", "aws_eks_node_group"];

/// The template that something launches from.
pub enum Launch<'a, 't> {
    None,
    By(&'a Resource<'t>),
    Unknown(String),
}

/// The template that a resource launches from.
pub fn of<'a, 't>(context: &Context<'a, 't>, resource: &Resource<'t>, body: &Block<'t>) -> Launch<'a, 't> {
    if let Value::Unknown | Value::Hidden = body.value("launch_template") {
        return Launch::Unknown("`launch_template` is not known".to_owned());
    }
    let one = |block: &Block<'t>, key: &str| context.resolver.one(resource, block, key, Wanted::Template);
    let mut told = vec![one(body, "launch_configuration")];
    let mixed = body.blocks("mixed_instances_policy").into_iter().flat_map(|block| block.blocks("launch_template"));
    let inner = mixed.flat_map(|block| block.blocks("launch_template_specification"));
    told.extend(inner.flat_map(|block| ["launch_template_id", "launch_template_name"].map(|key| one(&block, key))));
    let plain = body.blocks("launch_template");
    told.extend(plain.iter().flat_map(|block| ["id", "name"].map(|key| one(block, key))));
    let by_name =
        |id: &ResourceId| context.managed(TEMPLATES).find(|template| template.body.text("name") == Some(id.as_str()));
    let mut launch = Launch::None;
    for told in told {
        match told {
            Told::Is(id) => match context.with_id(TEMPLATES, &id).or_else(|| by_name(&id)) {
                Some(template) => return Launch::By(template),
                None => launch = Launch::Unknown(format!("no source has its launch template {id}")),
            },
            Told::Unknown(why) => launch = Launch::Unknown(format!("its launch template: {why}")),
            Told::Absent | Told::Chosen => {}
        }
    }
    launch
}

/// The groups that a template gives; nothing where it says none.
pub fn groups<'t>(context: &Context<'_, 't>, template: &Resource<'t>) -> Option<Groups> {
    let key = if template.kind == "aws_launch_configuration" { "security_groups" } else { "vpc_security_group_ids" };
    members::said(context, template, &template.body, key).or_else(|| match template.body.value(INTERFACES) {
        Value::Unknown | Value::Hidden => Some(Known::Unknown(format!("`{INTERFACES}` is not known"))),
        Value::Is(_) | Value::Absent => {
            members::said(context, template, interfaces(template).first()?, "security_groups")
        }
    })
}

const INTERFACES: &str = "network_interfaces";

/// The interfaces that a template gives, the first first.
fn interfaces<'t>(template: &Resource<'t>) -> Vec<Block<'t>> {
    let mut all = template.body.blocks(INTERFACES);
    all.sort_by_key(|block| block.text("device_index").and_then(|index| index.parse::<u32>().ok()).unwrap_or(0));
    all
}

/// Lists the interfaces of a template beyond the first, whose groups are not read.
pub fn further_interfaces(reader: &mut Reader<'_>, template: &Resource<'_>) {
    for _ in interfaces(template).iter().skip(1) {
        reader.leave_out(template.node, INTERFACES, &template.address, Reason::NotEmulated);
    }
}

/// Ways from the internet to what a template launches in some subnets.
pub fn public(reader: &Reader<'_>, template: &Resource<'_>, subnets: &Subnets) -> Public {
    let key = "associate_public_ip_address";
    let first = match template.body.value(INTERFACES) {
        Value::Unknown | Value::Hidden => return Public::Unknown(format!("`{INTERFACES}` is not known")),
        Value::Is(_) | Value::Absent => interfaces(template).into_iter().next(),
    };
    members::public(first.as_ref().unwrap_or(&template.body), key, &[], || subnets.public(&reader.into.account))
}

/// `aws_autoscaling_group`: its instances are members of the groups of its template.
pub fn scaling_group<'t>(reader: &mut Reader<'_>, context: &Context<'_, 't>, resource: &Resource<'t>) {
    let subnets = networks::subnets_of(context, resource, &resource.body, "vpc_zone_identifier");
    let (groups, public) = match of(context, resource, &resource.body) {
        Launch::By(template) => (groups(context, template), public(reader, template, &subnets)),
        Launch::None => unknown("it names no launch template".to_owned()),
        Launch::Unknown(why) => unknown(why),
    };
    launched(reader, context, resource, &subnets, groups, public);
    let tags = resource.body.blocks("tag");
    let tag = tags.iter().find(|tag| tag.text("key") == Some("Name")).and_then(|tag| tag.text("value"));
    let known = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
    let fleet = Fleet { name: known(resource.body.text("name")), tag: known(tag) };
    reader.into.account.fleets.insert(resource.id(), fleet);
}

fn unknown(why: String) -> (Option<Groups>, Public) {
    (Some(Known::Unknown(why.clone())), Public::Unknown(why))
}

/// `aws_eks_node_group`: without groups in its template, its nodes are in the cluster's group.
///
/// Source: "Customize managed nodes with launch templates" (Amazon EKS user guide).
pub fn node_group<'t>(reader: &mut Reader<'_>, context: &Context<'_, 't>, resource: &Resource<'t>) {
    let subnets = networks::subnets_of(context, resource, &resource.body, "subnet_ids");
    let is_remote = match resource.body.value("remote_access") {
        Value::Unknown | Value::Hidden => true,
        Value::Is(_) | Value::Absent => !resource.body.blocks("remote_access").is_empty(),
    };
    let of_cluster = || match cluster(context, resource) {
        _ if is_remote => Known::Unknown("EKS makes a further group for its remote access".to_owned()),
        Ok(cluster) => Known::Is([super::wanted::cluster_group(cluster)].into_iter().collect()),
        Err(why) => Known::Unknown(why),
    };
    let (groups, public) = match of(context, resource, &resource.body) {
        Launch::By(template) => {
            (groups(context, template).or_else(|| Some(of_cluster())), public(reader, template, &subnets))
        }
        Launch::None => (Some(of_cluster()), subnets.public(&reader.into.account)),
        Launch::Unknown(why) => unknown(why),
    };
    launched(reader, context, resource, &subnets, groups, public);
}

/// The cluster of a node group, or the reason why it is not known.
fn cluster<'a, 't>(context: &Context<'a, 't>, resource: &Resource<'t>) -> Result<&'a Resource<'t>, String> {
    let kinds = &["aws_eks_cluster"];
    match context.resolver.one(resource, &resource.body, "cluster_name", Wanted::Cluster) {
        Told::Is(name) => {
            let by_name = || context.managed(kinds).find(|cluster| cluster.body.text("name") == Some(name.as_str()));
            context.with_id(kinds, &name).or_else(by_name).ok_or_else(|| format!("no source has its cluster {name}"))
        }
        Told::Absent | Told::Chosen => Err("it names no cluster".to_owned()),
        Told::Unknown(why) => Err(format!("its cluster: {why}")),
    }
}

/// A template that nothing of this source launches from: who does is in its groups.
pub fn unused<'t>(reader: &mut Reader<'_>, context: &Context<'_, 't>, template: &Resource<'t>) {
    let groups = groups(context, template);
    let subnets = Subnets::default();
    let public = public(reader, template, &subnets);
    launched(reader, context, template, &subnets, groups, public);
}

fn launched<'t>(
    reader: &mut Reader<'_>,
    context: &Context<'_, 't>,
    resource: &Resource<'t>,
    subnets: &Subnets,
    groups: Option<Groups>,
    public: Public,
) {
    let vpc = vpc_of(&reader.into.account, subnets, groups.as_ref());
    let groups = groups.unwrap_or_else(|| members::default(context, vpc.as_ref()));
    let interface = Interface {
        label: context.labels.of(resource),
        holder: Holder::Instance,
        vpc,
        subnet: subnets.only(),
        groups: members::listed(reader, resource, groups),
        addresses: Vec::new(),
        ipv6_later: usize::from(subnets.gives_ipv6(&reader.into.account)),
        public,
        origin: reader.origin(resource.node, &resource.address),
    };
    reader.into.account.launched.insert(resource.id());
    reader.into.interface(resource.id(), interface);
}
