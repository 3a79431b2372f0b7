//! Managed services whose interfaces are members of groups.

use super::super::placed::{Groups, unfiltered, vpc_of};
use super::super::reader::Reader;
use super::super::tree::Node;
use super::context::Context;
use super::groups;
use super::members;
use super::networks;
use super::resource::{Block, Resource, Value};
use super::told::Told;
use super::wanted::{Wanted, cluster_group};
use crate::account::{Holder, Interface, Known, Public, Reason, ResourceId};

/// The attributes of a service that say who and where it is.
struct Service {
    kind: &'static str,
    holder: Holder,
    /// The block that has them, if it is not the resource itself.
    block: Option<&'static str>,
    groups: &'static str,
    subnets: &'static str,
    public: When,
}

/// The condition under which a public address leads to it.
#[derive(Clone, Copy)]
enum When {
    Never,
    /// This attribute is true.
    Is(&'static str),
    /// Unless this is true.
    IsNot(&'static str),
}

const fn database(kind: &'static str, groups: &'static str, public: When) -> Service {
    Service { kind, holder: Holder::Database, block: None, groups, subnets: "", public }
}

const fn other(
    kind: &'static str,
    block: Option<&'static str>,
    groups: &'static str,
    subnets: &'static str,
) -> Service {
    Service { kind, holder: Holder::Service, block, groups, subnets, public: When::Never }
}

const fn balancer(kind: &'static str) -> Service {
    Service {
        kind,
        holder: Holder::LoadBalancer,
        block: None,
        groups: "security_groups",
        subnets: "subnets",
        public: When::IsNot("internal"),
    }
}

const SERVICES: &[Service] = &[
    balancer("aws_lb"),
    balancer("aws_alb"),
    balancer("aws_elb"),
    database("aws_db_instance", "vpc_security_group_ids", When::Is("publicly_accessible")),
    database("aws_rds_cluster", "vpc_security_group_ids", When::Never),
    database("aws_docdb_cluster", "vpc_security_group_ids", When::Never),
    database("aws_neptune_cluster", "vpc_security_group_ids", When::Never),
    database("aws_redshift_cluster", "vpc_security_group_ids", When::Is("publicly_accessible")),
    database("aws_elasticache_cluster", "security_group_ids", When::Never),
    database("aws_elasticache_replication_group", "security_group_ids", When::Never),
    Service {
        subnets: "subnet_ids",
        ..database("aws_elasticache_serverless_cache", "security_group_ids", When::Never)
    },
    database("aws_memorydb_cluster", "security_group_ids", When::Never),
    database("aws_dax_cluster", "security_group_ids", When::Never),
    Service {
        block: Some("vpc_options"),
        subnets: "subnet_ids",
        ..database("aws_opensearch_domain", "security_group_ids", When::Never)
    },
    Service {
        block: Some("vpc_options"),
        subnets: "subnet_ids",
        ..database("aws_elasticsearch_domain", "security_group_ids", When::Never)
    },
    Service {
        holder: Holder::Function,
        ..other("aws_lambda_function", Some("vpc_config"), "security_group_ids", "subnet_ids")
    },
    Service {
        public: When::Is("assign_public_ip"),
        ..other("aws_ecs_service", Some("network_configuration"), "security_groups", "subnets")
    },
    other("aws_eks_cluster", Some("vpc_config"), "security_group_ids", "subnet_ids"),
    other("aws_msk_cluster", Some("broker_node_group_info"), "security_groups", "client_subnets"),
    Service {
        public: When::Is("publicly_accessible"),
        ..other("aws_mq_broker", None, "security_groups", "subnet_ids")
    },
    Service {
        public: When::Is("publicly_accessible"),
        ..other("aws_dms_replication_instance", None, "vpc_security_group_ids", "")
    },
    other("aws_efs_mount_target", None, "security_groups", "subnet_id"),
    other("aws_codebuild_project", Some("vpc_config"), "security_group_ids", "subnets"),
    other("aws_sagemaker_notebook_instance", None, "security_groups", "subnet_id"),
    other("aws_apprunner_vpc_connector", None, "security_groups", "subnets"),
    other("aws_mwaa_environment", Some("network_configuration"), "security_group_ids", "subnet_ids"),
    other("aws_batch_compute_environment", Some("compute_resources"), "security_group_ids", "subnets"),
];

/// Reads a service; false for a type that is none.
pub fn service<'t>(reader: &mut Reader<'_>, context: &Context<'_, 't>, resource: &Resource<'t>) -> bool {
    let Some(service) = SERVICES.iter().find(|service| service.kind == resource.kind) else { return false };
    let body = &resource.body;
    let no_part = |reader: &mut Reader<'_>| {
        reader.leave_out(resource.node, &resource.kind, &resource.address, Reason::NoPartInReach);
        true
    };
    let block = match service.block {
        None => body.clone(),
        Some(name) => match body.value(name) {
            Value::Unknown | Value::Hidden => body.unknown_block(name),
            Value::Is(_) | Value::Absent => match body.blocks(name).into_iter().next() {
                Some(block) => block,
                // A function outside a VPC, a container on an instance's own network.
                None => return no_part(reader),
            },
        },
    };
    let part = match service.kind {
        "aws_elasticache_cluster" => replication_group(body),
        _ => Part::Alone,
    };
    if let Part::OfAnother = part {
        return no_part(reader);
    }
    let subnets = networks::subnets_of(context, resource, &block, service.subnets);
    let said = members::said(context, resource, &block, service.groups);
    let vpc = vpc_of(&reader.into.account, &subnets, said.as_ref());
    let groups = match (part, said) {
        (Part::Unknown(why), _) => Known::Unknown(why),
        (_, Some(groups)) => groups,
        (_, None) => without_groups(context, resource, service, vpc.as_ref()),
    };
    let groups = match groups {
        Known::Is(groups) if service.kind == "aws_eks_cluster" => {
            groups::of_cluster(reader, context, resource, vpc.clone());
            Known::Is(groups.into_iter().chain([cluster_group(resource)]).collect())
        }
        groups => groups,
    };
    let interface = Interface {
        label: context.labels.of(resource),
        holder: service.holder,
        vpc,
        subnet: subnets.only(),
        groups: members::listed(reader, resource, groups),
        addresses: members::addresses(reader, resource, body, &["ip_address"]),
        ipv6_later: 0,
        public: match public_part(context, resource) {
            Some(public) => public,
            None => public(&block, body, service.public),
        },
        origin: reader.origin(resource.node, &resource.address),
    };
    reader.into.alias(&resource.address, &resource.id());
    reader.into.interface(resource.id(), interface);
    true
}

/// The public address of an Aurora cluster that an instance of it has, or may have.
fn public_part(context: &Context<'_, '_>, cluster: &Resource<'_>) -> Option<Public> {
    if cluster.kind != "aws_rds_cluster" {
        return None;
    }
    let parts = context.managed(&["aws_rds_cluster_instance"]).filter(|part| {
        let told = context.resolver.one(part, &part.body, "cluster_identifier", Wanted::Database);
        matches!(told, Told::Is(id) if id == cluster.id())
    });
    let all = parts.map(|part| public(&part.body, &part.body, When::Is("publicly_accessible")));
    let (at, others): (Vec<Public>, Vec<Public>) = all.partition(|public| matches!(public, Public::At(_)));
    at.into_iter().chain(others).find(|public| *public != Public::None)
}

/// The relation of a service to another one whose interfaces it would share.
enum Part {
    Alone,
    OfAnother,
    Unknown(String),
}

/// A cache cluster may be a part of a replication group.
fn replication_group(body: &Block<'_>) -> Part {
    let key = "replication_group_id";
    let names_one = |node: &Node<'_>| {
        let mut references = node.items_of("references").filter_map(Node::text);
        references.any(|reference| reference.starts_with("aws_elasticache_replication_group."))
    };
    match body.value(key) {
        Value::Is(id) if id.text() != Some("") => Part::OfAnother,
        Value::Unknown if body.expressions_of(key).iter().any(names_one) => Part::OfAnother,
        Value::Unknown if !body.is_given(key) => Part::Alone,
        Value::Unknown | Value::Hidden => Part::Unknown(format!("`{key}` is not known")),
        Value::Is(_) | Value::Absent => Part::Alone,
    }
}

/// The groups of a service that names none.
fn without_groups(
    context: &Context<'_, '_>,
    resource: &Resource<'_>,
    service: &Service,
    vpc: Option<&ResourceId>,
) -> Groups {
    if service.kind == "aws_eks_cluster" {
        return Known::Is(Default::default());
    }
    let (body, key) = (&resource.body, "load_balancer_type");
    match body.value(key) {
        Value::Is(kind) if kind.text() != Some("application") => unfiltered(),
        Value::Unknown if body.is_given(key) => Known::Unknown(format!("`{key}` is not known")),
        Value::Hidden => Known::Unknown(format!("`{key}` is not known")),
        Value::Is(_) | Value::Absent | Value::Unknown => members::default(context, vpc),
    }
}

fn public(block: &Block<'_>, body: &Block<'_>, when: When) -> Public {
    let (key, expected) = match when {
        When::Never => return Public::None,
        When::Is(key) => (key, true),
        When::IsNot(key) => (key, false),
    };
    let value = match block.value(key) {
        Value::Absent => body.value(key),
        value => value,
    };
    match value {
        Value::Is(node) if node.boolean() == Some(expected) => Public::At(Vec::new()),
        Value::Is(_) => Public::None,
        Value::Unknown if block.is_given(key) || body.is_given(key) => Public::Unknown(format!("`{key}` is not known")),
        Value::Hidden => Public::Unknown(format!("`{key}` is not known")),
        // All of these are false where nobody says them, but for Redshift's before version 6 of the provider.
        Value::Absent | Value::Unknown if expected => Public::None,
        Value::Absent | Value::Unknown => Public::At(Vec::new()),
    }
}
