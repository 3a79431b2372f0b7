//! Attributes of resources that are ids of what a rule or an interface needs.

use super::address::Step;
use super::resource::{Resource, Value};
use crate::account::ResourceId;

/// The kind of id that an expression is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wanted {
    Group,
    Vpc,
    Subnet,
    Interface,
    Instance,
    PrefixList,
    Template,
    /// An EKS cluster.
    Cluster,
    /// A cluster of RDS.
    Database,
    Address,
    /// A plain text: a key.
    Text,
}

/// An attribute of a resource, for one who wants something.
pub enum Fit {
    /// It is that, with this id.
    Is(ResourceId),
    /// It is what this attribute says.
    Through(String),
    /// It is something else.
    No,
    /// It may be that.
    Unclear,
}

/// The types of VPCs.
pub const VPCS: &[&str] = &["aws_vpc", "aws_default_vpc"];

/// Types whose values may be anything.
const ANYTHING: &[&str] = &["aws_ssm_parameter", "aws_cloudformation_stack", "aws_secretsmanager_secret_version"];

/// The id of a VPC's default group.
pub fn default_group(vpc: &Resource<'_>) -> ResourceId {
    own_or(vpc, vpc.body.value("default_security_group_id"), "default_security_group_id")
}

/// The id of the group that EKS makes for a cluster.
pub fn cluster_group(cluster: &Resource<'_>) -> ResourceId {
    let config = cluster.body.blocks("vpc_config");
    let value = config.first().map_or(Value::Unknown, |config| config.value("cluster_security_group_id"));
    own_or(cluster, value, "cluster_security_group_id")
}

fn own_or(resource: &Resource<'_>, value: Value<'_>, attribute: &str) -> ResourceId {
    match value.known().and_then(|id| id.text()).filter(|id| !id.is_empty()) {
        Some(id) => ResourceId::new(id),
        None => ResourceId::new(&format!("{}.{attribute}", resource.address)),
    }
}

/// Tells what an attribute of a resource is; an empty rest is the whole resource, as a splat leaves it.
pub fn fit(wanted: Wanted, resource: &Resource<'_>, rest: &[Step]) -> Fit {
    let names: Vec<&str> = rest.iter().filter_map(Step::name).collect();
    let last = names.last().copied();
    let is_id = matches!(last, None | Some("id"));
    let anything = !resource.kind.starts_with("aws_") || ANYTHING.contains(&resource.kind.as_str());
    if anything {
        return if wanted == Wanted::Text { Fit::No } else { Fit::Unclear };
    }
    let through = |name: &str| Fit::Through(name.to_owned());
    match (wanted, resource.kind.as_str(), last) {
        (Wanted::Group, "aws_security_group" | "aws_default_security_group", _) if is_id => Fit::Is(resource.id()),
        (Wanted::Group, kind, None | Some("default_security_group_id")) if VPCS.contains(&kind) => {
            Fit::Is(default_group(resource))
        }
        (Wanted::Group, "aws_eks_cluster", None | Some("cluster_security_group_id")) => {
            Fit::Is(cluster_group(resource))
        }
        (Wanted::Group, _, Some(name)) if name.contains("security_group") => match names.as_slice() {
            [name] => through(name),
            _ => Fit::Unclear,
        },
        (Wanted::Vpc, kind, _) if is_id && VPCS.contains(&kind) => Fit::Is(resource.id()),
        (Wanted::Vpc, "aws_vpc_ipv4_cidr_block_association", None) => through("vpc_id"),
        (Wanted::Vpc, _, Some("vpc_id")) => through("vpc_id"),
        (Wanted::Subnet, "aws_subnet" | "aws_default_subnet", _) if is_id => Fit::Is(resource.id()),
        (Wanted::Subnet, _, Some("subnet_id")) => through("subnet_id"),
        (Wanted::Interface, "aws_network_interface", _) if is_id => Fit::Is(resource.id()),
        (Wanted::Interface, "aws_instance", None | Some("primary_network_interface_id")) => Fit::Is(resource.id()),
        (Wanted::Instance, "aws_instance", _) if is_id => Fit::Is(resource.id()),
        (Wanted::PrefixList, "aws_ec2_managed_prefix_list", _) if is_id => Fit::Is(resource.id()),
        (Wanted::PrefixList, "aws_vpc_endpoint", Some("prefix_list_id")) => {
            Fit::Is(own_or(resource, resource.body.value("prefix_list_id"), "prefix_list_id"))
        }
        (Wanted::Template, "aws_launch_template" | "aws_launch_configuration", None | Some("id" | "name")) => {
            Fit::Is(resource.id())
        }
        (Wanted::Cluster, "aws_eks_cluster", None | Some("id" | "name")) => Fit::Is(resource.id()),
        (Wanted::Database, "aws_rds_cluster", None | Some("id" | "cluster_identifier")) => Fit::Is(resource.id()),
        (Wanted::Address, "aws_eip", None | Some("id" | "allocation_id" | "public_ip")) => Fit::Is(resource.id()),
        _ => Fit::No,
    }
}
