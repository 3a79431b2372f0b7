//! Managed services whose interfaces are members of groups.

use super::super::placed::{Groups, Subnets, unfiltered, vpc_of};
use super::super::reader::Reader;
use super::super::tree::Node;
use super::groups;
use super::members;
use super::references::Wanted;
use super::resource::Resource;
use super::template::Template;
use super::value::{Told, Value};
use crate::account::{Holder, Interface, Known, Public, Reason, ResourceId};

/// The properties of a service that say who and where it is.
struct Service {
    kind: &'static str,
    holder: Holder,
    /// The objects that have them, one in the other; none for the properties themselves.
    within: &'static [&'static str],
    groups: &'static str,
    subnets: &'static str,
    public: When,
}

/// The condition under which a public address leads to it.
#[derive(Clone, Copy)]
enum When {
    Never,
    /// This property is true, or `ENABLED`. One that is absent is false.
    Is(&'static str),
    /// As [`Self::Is`]; where it is absent, the network decides.
    IsOrUnknown(&'static str),
    /// Unless its scheme is internal.
    NotInternal,
}

const fn other(
    kind: &'static str,
    within: &'static [&'static str],
    groups: &'static str,
    subnets: &'static str,
) -> Service {
    Service { kind, holder: Holder::Service, within, groups, subnets, public: When::Never }
}

const fn database(kind: &'static str, groups: &'static str) -> Service {
    Service { holder: Holder::Database, ..other(kind, &[], groups, "") }
}

const fn balancer(kind: &'static str) -> Service {
    let public = When::NotInternal;
    Service { holder: Holder::LoadBalancer, public, ..other(kind, &[], "SecurityGroups", "Subnets") }
}

const fn function(kind: &'static str) -> Service {
    Service { holder: Holder::Function, ..other(kind, &["VpcConfig"], "SecurityGroupIds", "SubnetIds") }
}

const fn search(kind: &'static str) -> Service {
    Service { holder: Holder::Database, ..other(kind, &["VPCOptions"], "SecurityGroupIds", "SubnetIds") }
}

const SERVICES: &[Service] = &[
    balancer("AWS::ElasticLoadBalancing::LoadBalancer"),
    balancer("AWS::ElasticLoadBalancingV2::LoadBalancer"),
    Service {
        public: When::IsOrUnknown("PubliclyAccessible"),
        ..database("AWS::RDS::DBInstance", "VPCSecurityGroups")
    },
    Service { public: When::Is("PubliclyAccessible"), ..database("AWS::RDS::DBCluster", "VpcSecurityGroupIds") },
    database("AWS::DocDB::DBCluster", "VpcSecurityGroupIds"),
    database("AWS::Neptune::DBCluster", "VpcSecurityGroupIds"),
    Service { public: When::Is("PubliclyAccessible"), ..database("AWS::Redshift::Cluster", "VpcSecurityGroupIds") },
    database("AWS::ElastiCache::CacheCluster", "VpcSecurityGroupIds"),
    database("AWS::ElastiCache::ReplicationGroup", "SecurityGroupIds"),
    Service { subnets: "SubnetIds", ..database("AWS::ElastiCache::ServerlessCache", "SecurityGroupIds") },
    database("AWS::MemoryDB::Cluster", "SecurityGroupIds"),
    database("AWS::DAX::Cluster", "SecurityGroupIds"),
    search("AWS::OpenSearchService::Domain"),
    search("AWS::Elasticsearch::Domain"),
    function("AWS::Lambda::Function"),
    function("AWS::Serverless::Function"),
    Service {
        public: When::Is("AssignPublicIp"),
        ..other("AWS::ECS::Service", &["NetworkConfiguration", "AwsvpcConfiguration"], "SecurityGroups", "Subnets")
    },
    other("AWS::EKS::Cluster", &["ResourcesVpcConfig"], "SecurityGroupIds", "SubnetIds"),
    other("AWS::MSK::Cluster", &["BrokerNodeGroupInfo"], "SecurityGroups", "ClientSubnets"),
    Service {
        public: When::Is("PubliclyAccessible"),
        ..other("AWS::AmazonMQ::Broker", &[], "SecurityGroups", "SubnetIds")
    },
    Service {
        public: When::Is("PubliclyAccessible"),
        ..other("AWS::DMS::ReplicationInstance", &[], "VpcSecurityGroupIds", "")
    },
    other("AWS::EFS::MountTarget", &[], "SecurityGroups", "SubnetId"),
    other("AWS::CodeBuild::Project", &["VpcConfig"], "SecurityGroupIds", "Subnets"),
    other("AWS::SageMaker::NotebookInstance", &[], "SecurityGroupIds", "SubnetId"),
    other("AWS::AppRunner::VpcConnector", &[], "SecurityGroups", "Subnets"),
    other("AWS::MWAA::Environment", &["NetworkConfiguration"], "SecurityGroupIds", "SubnetIds"),
    other("AWS::Batch::ComputeEnvironment", &["ComputeResources"], "SecurityGroupIds", "Subnets"),
];

/// Properties that name a group of subnets, with its type.
const SUBNET_GROUPS: &[(&str, &str)] = &[
    ("DBSubnetGroupName", "AWS::RDS::DBSubnetGroup"),
    ("DBSubnetGroupName", "AWS::DocDB::DBSubnetGroup"),
    ("DBSubnetGroupName", "AWS::Neptune::DBSubnetGroup"),
    ("CacheSubnetGroupName", "AWS::ElastiCache::SubnetGroup"),
    ("ClusterSubnetGroupName", "AWS::Redshift::ClusterSubnetGroup"),
    ("SubnetGroupName", "AWS::MemoryDB::SubnetGroup"),
    ("SubnetGroupName", "AWS::DAX::SubnetGroup"),
    ("ReplicationSubnetGroupIdentifier", "AWS::DMS::ReplicationSubnetGroup"),
];

/// Databases that are parts of a cluster: its groups are theirs.
const PARTS: &[(&str, &str)] = &[
    ("AWS::RDS::DBInstance", "DBClusterIdentifier"),
    ("AWS::DocDB::DBInstance", "DBClusterIdentifier"),
    ("AWS::Neptune::DBInstance", "DBClusterIdentifier"),
    ("AWS::ElastiCache::CacheCluster", "ReplicationGroupId"),
];

/// Reads a service; false for a type that is none.
pub fn service<'t>(reader: &mut Reader<'_>, template: &Template<'t>, resource: &Resource<'t>) -> bool {
    let properties = resource.properties;
    let part = PARTS.iter().find(|(kind, _)| *kind == resource.kind).map(|(_, key)| *key);
    if part.is_some_and(|key| !template.property(properties, key).is_absent()) {
        resource.leave_out(reader, Reason::NoPartInReach);
        return true;
    }
    let Some(service) = SERVICES.iter().find(|service| service.kind == resource.kind) else { return false };
    let (said, shared) = match (within(template, properties, service.within), of_all(template, service)) {
        (Told::Unknown(why), _) | (_, Told::Unknown(why)) => {
            let interface = interface(reader, template, resource, service, (None, None), Known::Unknown(why.clone()));
            let interface = Interface { public: Public::Unknown(why), ..interface };
            reader.into.interface(template.id(resource.name), interface);
            return true;
        }
        (Told::Is(said), Told::Is(shared)) => (said, Some(shared)),
        (Told::Is(said), Told::Absent) | (Told::Absent, Told::Is(said)) => (said, None),
        (Told::Absent, Told::Absent) => {
            // A function outside a VPC, a container on its instance's own network.
            resource.leave_out(reader, Reason::NoPartInReach);
            return true;
        }
    };
    let mut subnets = subnets_of(template, properties, said, service);
    shared.into_iter().for_each(|shared| subnets.extend(template.subnets_of(shared, service.subnets)));
    let all = [Some(said), shared].into_iter().flatten();
    let told = all.filter_map(|said| template.several_of(said, service.groups, Wanted::Group)).reduce(together);
    let vpc = vpc_of(&reader.into.account, &subnets, told.as_ref());
    let is_balancer = service.kind.ends_with("V2::LoadBalancer");
    let kind = if is_balancer { template.text_of(properties, "Type") } else { Told::Absent };
    let groups = match (told, kind) {
        (Some(groups), _) => groups,
        (None, Told::Is(kind)) if kind != "application" => unfiltered(),
        (None, Told::Unknown(why)) => Known::Unknown(format!("its type: {why}")),
        (None, _) if service.kind == "AWS::EKS::Cluster" => Known::Is(indexmap::IndexSet::new()),
        (None, _) => members::default(template, vpc.as_ref()),
    };
    let groups = match groups {
        Known::Is(groups) if service.kind == "AWS::EKS::Cluster" => {
            let own = template.cluster_group(resource.name);
            groups::made(reader, template, (resource, "cluster"), (own.clone(), vpc.clone()));
            Known::Is(groups.into_iter().chain([own]).collect())
        }
        groups => groups,
    };
    let interface = interface(reader, template, resource, service, (vpc, subnets.only()), groups);
    let public = match public_part(template, resource) {
        Some(public) => public,
        None => public(template, said, properties, service.public),
    };
    reader.into.interface(template.id(resource.name), Interface { public, ..interface });
    true
}

/// The public address of an Aurora cluster that an instance of it has, or may have.
fn public_part(template: &Template<'_>, cluster: &Resource<'_>) -> Option<Public> {
    if cluster.kind != "AWS::RDS::DBCluster" {
        return None;
    }
    let parts = template.of_kinds(&["AWS::RDS::DBInstance"]).filter(|part| {
        let of = template.resource_of(part.properties, "DBClusterIdentifier", &["AWS::RDS::DBCluster"]);
        of.is_some_and(|of| of.name == cluster.name)
    });
    let all = parts.map(|part| public(template, part.properties, part.properties, When::Is("PubliclyAccessible")));
    let (at, others): (Vec<Public>, Vec<Public>) = all.partition(|public| matches!(public, Public::At(_)));
    at.into_iter().chain(others).find(|public| *public != Public::None)
}

fn interface(
    reader: &mut Reader<'_>,
    template: &Template<'_>,
    resource: &Resource<'_>,
    service: &Service,
    (vpc, subnet): (Option<ResourceId>, Option<ResourceId>),
    groups: Groups,
) -> Interface {
    Interface {
        label: template.label(resource.name),
        holder: service.holder,
        vpc,
        subnet,
        groups: members::listed(reader, resource, groups),
        addresses: Vec::new(),
        ipv6_later: 0,
        public: Public::None,
        origin: resource.origin(reader),
    }
}

/// Reads the settings of all functions of a template. A list there is added to that of a function.
///
/// Source: "Globals section of the AWS SAM template" (AWS SAM developer guide).
fn of_all<'t>(template: &Template<'t>, service: &Service) -> Told<Node<'t>> {
    match template.globals.filter(|_| service.kind == "AWS::Serverless::Function") {
        Some(globals) => match within(template, globals, &["Function"]) {
            Told::Is(function) => within(template, function, service.within),
            told => told,
        },
        None => Told::Absent,
    }
}

/// Groups that two lists give together.
fn together(one: Groups, other: Groups) -> Groups {
    match (one, other) {
        (Known::Is(one), Known::Is(other)) => Known::Is(one.into_iter().chain(other).collect()),
        (Known::Unknown(why), _) | (_, Known::Unknown(why)) => Known::Unknown(why),
    }
}

/// The object below some keys.
fn within<'t>(template: &Template<'t>, properties: Node<'t>, keys: &[&str]) -> Told<Node<'t>> {
    let mut node = properties;
    for key in keys {
        let found = template.property(node, key);
        node = match found.value {
            Value::Object(object) => object,
            Value::Unknown(why) => return Told::Unknown(why),
            _ => return Told::Absent,
        };
    }
    Told::Is(node)
}

fn subnets_of<'t>(template: &Template<'t>, properties: Node<'t>, said: Node<'t>, service: &Service) -> Subnets {
    let mut subnets = template.subnets_of(said, service.subnets);
    match template.objects_of(properties, "SubnetMappings") {
        Ok(mappings) => mappings.iter().for_each(|mapping| subnets.extend(template.subnets_of(*mapping, "SubnetId"))),
        Err(why) => subnets.unknown = Some(why),
    }
    for (key, kind) in SUBNET_GROUPS {
        if let Some(group) = template.resource_of(properties, key, &[kind]) {
            subnets.extend(template.subnets_of(group.properties, "SubnetIds"));
        }
    }
    subnets
}

fn public<'t>(template: &Template<'t>, said: Node<'t>, properties: Node<'t>, when: When) -> Public {
    let (key, open, is_told) = match when {
        When::Never => return Public::None,
        When::Is(key) => (key, ["true", "enabled"].as_slice(), Public::None),
        When::IsOrUnknown(key) => {
            let why = format!("`{key}` is not said, and its network decides");
            (key, ["true"].as_slice(), Public::Unknown(why))
        }
        When::NotInternal => ("Scheme", ["internet-facing"].as_slice(), Public::At(Vec::new())),
    };
    let found = match template.property(said, key) {
        found if found.is_absent() => template.property(properties, key),
        found => found,
    };
    match template.text(&found) {
        Told::Is(text) if open.contains(&text.to_ascii_lowercase().as_str()) => Public::At(Vec::new()),
        Told::Is(_) => Public::None,
        Told::Absent => is_told,
        Told::Unknown(why) => Public::Unknown(why),
    }
}
