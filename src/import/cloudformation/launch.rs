//! Launch templates and launch configurations, and what launches from them.

use indexmap::IndexSet;

use super::super::placed::{Groups, Subnets, vpc_of};
use super::super::reader::Reader;
use super::super::tree::Node;
use super::groups::by_name as groups_by_name;
use super::members;
use super::references::Wanted;
use super::resource::Resource;
use super::template::Template;
use super::value::{Told, Value};
use crate::account::{Fleet, Holder, Interface, Known, Reason};

/// The types of templates.
pub const TEMPLATES: &[&str] = &["AWS::EC2::LaunchTemplate", "AWS::AutoScaling::LaunchConfiguration"];
/// The types of what launches from them.
const LAUNCHERS: &[&str] = &["AWS::EC2::Instance", "AWS::AutoScaling::AutoScalingGroup", "AWS::EKS::Nodegroup"];

/// The template that something launches from.
pub enum Launch<'a, 't> {
    None,
    By(&'a Resource<'t>),
    Unknown(String),
}

/// The template that properties name.
pub fn of<'a, 't>(template: &'a Template<'t>, said: Node<'t>) -> Launch<'a, 't> {
    let mut named = vec![(said, "LaunchConfigurationName")];
    let specification = |object: Node<'t>, key: &str| template.objects_of(object, key).unwrap_or_default();
    let mixed = specification(said, "MixedInstancesPolicy").into_iter();
    let mixed = mixed.flat_map(|policy| specification(policy, "LaunchTemplate"));
    let mixed = mixed.flat_map(|launch| specification(launch, "LaunchTemplateSpecification"));
    for block in specification(said, "LaunchTemplate").into_iter().chain(mixed) {
        named.extend([(block, "LaunchTemplateId"), (block, "Id"), (block, "LaunchTemplateName"), (block, "Name")]);
    }
    for (object, key) in named {
        let found = template.property(object, key);
        match &found.value {
            Value::Absent => {}
            Value::Refers(reference) => match template.resources.get(reference.resource) {
                Some(by) if TEMPLATES.contains(&by.kind) => return Launch::By(by),
                _ => return Launch::Unknown(reference.why()),
            },
            _ => match template.text(&found) {
                Told::Is(text) => return by_name(template, &text),
                Told::Absent => {}
                Told::Unknown(why) => return Launch::Unknown(format!("its launch template: {why}")),
            },
        }
    }
    let said_otherwise = ["LaunchTemplate", "MixedInstancesPolicy", "InstanceId"].into_iter().any(|key| {
        let found = template.property(said, key);
        matches!(found.value, Value::Unknown(_) | Value::Text(_) | Value::Refers(_))
    });
    if said_otherwise { Launch::Unknown("no source has its launch template".to_owned()) } else { Launch::None }
}

fn by_name<'a, 't>(template: &'a Template<'t>, name: &str) -> Launch<'a, 't> {
    let own = |by: &Resource<'t>| {
        ["LaunchTemplateName", "LaunchConfigurationName"]
            .into_iter()
            .any(|key| template.known_text(by.properties, key).is_some_and(|own| own == name))
    };
    let mut all = template.resources.values().filter(|by| TEMPLATES.contains(&by.kind));
    match all.find(|by| own(by)) {
        Some(by) => Launch::By(by),
        None => Launch::Unknown(format!("no source has the launch template {name}")),
    }
}

/// The object that has what a template launches.
fn data<'t>(template: &Template<'t>, by: &Resource<'t>) -> Option<Node<'t>> {
    match by.kind {
        "AWS::EC2::LaunchTemplate" => template.objects_of(by.properties, "LaunchTemplateData").ok()?.into_iter().next(),
        _ => Some(by.properties),
    }
}

/// The groups that a template gives; nothing where it says none.
pub fn groups<'t>(template: &Template<'t>, by: &Resource<'t>) -> Option<Groups> {
    if let Known::Unknown(why) = &by.there {
        return Some(Known::Unknown(why.clone()));
    }
    let Some(data) = data(template, by) else {
        return Some(Known::Unknown(format!("`{}` has no launch template data", by.name)));
    };
    let interfaces = match template.objects_of(data, "NetworkInterfaces") {
        Ok(interfaces) => interfaces,
        Err(why) => return Some(Known::Unknown(why)),
    };
    template
        .several_of(data, "SecurityGroupIds", Wanted::Group)
        .or_else(|| groups_by_name(template, template.property(data, "SecurityGroups")))
        .or_else(|| template.several_of(*in_order(template, interfaces).first()?, "Groups", Wanted::Group))
}

/// The interfaces that a template gives, the first first.
fn in_order<'t>(template: &Template<'t>, mut interfaces: Vec<Node<'t>>) -> Vec<Node<'t>> {
    let device =
        |block: &Node<'t>| template.known_text(*block, "DeviceIndex").and_then(|text| text.parse::<u32>().ok());
    interfaces.sort_by_key(|block| device(block).unwrap_or(0));
    interfaces
}

/// Lists the interfaces of a template beyond the first, whose groups are not read.
fn list_further_interfaces<'t>(reader: &mut Reader<'_>, template: &Template<'t>, by: &Resource<'t>) {
    let data = data(template, by);
    let interfaces = data.and_then(|data| template.objects_of(data, "NetworkInterfaces").ok()).unwrap_or_default();
    interfaces.iter().skip(1).for_each(|_| by.leave_out(reader, Reason::NotEmulated));
}

/// Tells if the instances of a template get a public address.
pub fn public<'t>(template: &Template<'t>, by: &Resource<'t>) -> Told<bool> {
    if let Known::Unknown(why) = &by.there {
        return Told::Unknown(why.clone());
    }
    let Some(data) = data(template, by) else {
        return Told::Unknown(format!("`{}` has no launch template data", by.name));
    };
    let interfaces = match template.objects_of(data, "NetworkInterfaces") {
        Ok(interfaces) => interfaces,
        Err(why) => return Told::Unknown(why),
    };
    let first = in_order(template, interfaces).first().copied();
    template.truth_of(first.unwrap_or(data), "AssociatePublicIpAddress")
}

/// `AWS::AutoScaling::AutoScalingGroup`: its instances are members of the groups of its template.
pub fn scaling_group<'t>(reader: &mut Reader<'_>, template: &Template<'t>, resource: &Resource<'t>) {
    let subnets = template.subnets_of(resource.properties, "VPCZoneIdentifier");
    let (groups, public) = match of(template, resource.properties) {
        Launch::By(by) => (groups(template, by), public(template, by)),
        Launch::None => {
            let why = "it names no launch template".to_owned();
            (Some(Known::Unknown(why.clone())), Told::Unknown(why))
        }
        Launch::Unknown(why) => (Some(Known::Unknown(why.clone())), Told::Unknown(why)),
    };
    launched(reader, template, resource, (&subnets, groups, public));
    let tags = template.elements_of(resource.properties, "Tags").into_iter().flatten();
    let tag = tags.filter_map(|tag| match tag.value {
        Value::Object(tag) => Some(tag),
        _ => None,
    });
    let mut tag = tag.filter(|tag| template.known_text(*tag, "Key").as_deref() == Some("Name"));
    let tag = tag.next().and_then(|tag| template.known_text(tag, "Value"));
    let name = template.known_text(resource.properties, "AutoScalingGroupName");
    reader.into.account.fleets.insert(template.id(resource.name), Fleet { name, tag });
}

/// `AWS::EKS::Nodegroup`: without groups in its template, its nodes are in the cluster's group.
///
/// Source: "Customize managed nodes with launch templates" (Amazon EKS user guide).
pub fn node_group<'t>(reader: &mut Reader<'_>, template: &Template<'t>, resource: &Resource<'t>) {
    let said = resource.properties;
    let subnets = template.subnets_of(said, "Subnets");
    let cluster = template.resource_of(said, "ClusterName", &["AWS::EKS::Cluster"]);
    let of_cluster = || match cluster {
        _ if !template.property(said, "RemoteAccess").is_absent() => {
            Known::Unknown("EKS makes a further group for its remote access".to_owned())
        }
        Some(cluster) => Known::Is(IndexSet::from([template.cluster_group(cluster.name)])),
        None => Known::Unknown("no source has its cluster".to_owned()),
    };
    let (groups, public) = match of(template, said) {
        Launch::By(by) => (groups(template, by).unwrap_or_else(of_cluster), public(template, by)),
        Launch::None => (of_cluster(), Told::Absent),
        Launch::Unknown(why) => (Known::Unknown(why.clone()), Told::Unknown(why)),
    };
    launched(reader, template, resource, (&subnets, Some(groups), public));
}

/// A template that nothing of this source launches from: who does is in its groups.
pub fn unused<'t>(reader: &mut Reader<'_>, template: &Template<'t>, by: &Resource<'t>) {
    list_further_interfaces(reader, template, by);
    let is_used = template
        .of_kinds(LAUNCHERS)
        .any(|launcher| matches!(of(template, launcher.properties), Launch::By(used) if used.name == by.name));
    if !is_used {
        launched(reader, template, by, (&Subnets::default(), groups(template, by), public(template, by)));
    }
}

fn launched<'t>(
    reader: &mut Reader<'_>,
    template: &Template<'t>,
    resource: &Resource<'t>,
    (subnets, groups, public): (&Subnets, Option<Groups>, Told<bool>),
) {
    let vpc = vpc_of(&reader.into.account, subnets, groups.as_ref());
    let groups = groups.unwrap_or_else(|| members::default(template, vpc.as_ref()));
    let interface = Interface {
        label: template.label(resource.name),
        holder: Holder::Instance,
        vpc,
        subnet: subnets.only(),
        groups: members::listed(reader, resource, groups),
        addresses: Vec::new(),
        ipv6_later: usize::from(subnets.gives_ipv6(&reader.into.account)),
        public: members::public(reader, public, subnets, &[]),
        origin: resource.origin(reader),
    };
    template.tag(reader, resource, template.id(resource.name));
    reader.into.account.launched.insert(template.id(resource.name));
    reader.into.interface(template.id(resource.name), interface);
}
