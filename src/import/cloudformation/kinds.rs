//! Types of resources that are not read: what has no part in who reaches whom, and what sglab does not emulate.

use super::super::reader::Reader;
use super::super::tree::Node;
use super::groups;
use super::resource::Resource;
use super::template::Template;
use super::value::{Told, Value};
use crate::account::{Known, Reason};

/// Types of EC2 without a part.
const WITHOUT_PART: &[&str] = &[
    "AWS::EC2::CapacityReservation",
    "AWS::EC2::DHCPOptions",
    "AWS::EC2::FlowLog",
    "AWS::EC2::Host",
    "AWS::EC2::InternetGateway",
    "AWS::EC2::KeyPair",
    "AWS::EC2::NetworkInterfacePermission",
    "AWS::EC2::PlacementGroup",
    "AWS::EC2::RouteTable",
    "AWS::EC2::SubnetNetworkAclAssociation",
    "AWS::EC2::SubnetRouteTableAssociation",
    "AWS::EC2::Volume",
    "AWS::EC2::VolumeAttachment",
    "AWS::EC2::VPCDHCPOptionsAssociation",
];

/// Types of other services that decide about packets, or may.
const NOT_EMULATED: &[&str] = &[
    "AWS::CloudFormation::CustomResource",
    "AWS::DirectoryService::",
    "AWS::EKS::FargateProfile",
    "AWS::GlobalAccelerator::",
    "AWS::NetworkFirewall::",
    "AWS::NetworkManager::",
    "AWS::Route53Resolver::FirewallRuleGroup",
    "AWS::Route53Resolver::ResolverEndpoint",
    "AWS::Transfer::Server",
    "AWS::VpcLattice::",
    "Custom::",
];

/// Targets of routes beyond an internet gateway.
const WAYS: &[&str] = &[
    "CarrierGatewayId",
    "CoreNetworkArn",
    "EgressOnlyInternetGatewayId",
    "InstanceId",
    "LocalGatewayId",
    "NatGatewayId",
    "NetworkInterfaceId",
    "TransitGatewayId",
    "VpcEndpointId",
    "VpcPeeringConnectionId",
];

/// Lists a resource of a type that is not read, with the reason.
pub fn left_out<'t>(reader: &mut Reader<'_>, template: &Template<'t>, resource: &Resource<'t>) {
    let said = resource.properties;
    let is_said = |key: &&str| !template.property(said, key).is_absent();
    let reason = match resource.kind {
        "AWS::CloudFormation::Stack" => Reason::UnknownValue("its template is a source of its own".to_owned()),
        kind if kind.ends_with("::MODULE") => Reason::UnknownValue("its module is in a registry".to_owned()),
        kind if kind.starts_with("Fn::") => Reason::UnknownValue(format!("`{kind}` is not evaluated")),
        "AWS::EC2::Route" => Reason::not_emulated_if(is_other_gateway(template, said) || WAYS.iter().any(is_said)),
        "AWS::EC2::VPCGatewayAttachment" => Reason::not_emulated_if(is_said(&"VpnGatewayId")),
        "AWS::EC2::NetworkAcl" => Reason::not_emulated_if(!admits_all(template, resource.name)),
        "AWS::EC2::NetworkAclEntry" => {
            let acl = template.resource_of(said, "NetworkAclId", &["AWS::EC2::NetworkAcl"]);
            Reason::not_emulated_if(acl.is_none_or(|acl| !admits_all(template, acl.name)))
        }
        kind if kind.starts_with("AWS::EC2::") => Reason::not_emulated_if(!WITHOUT_PART.contains(&kind)),
        kind if NOT_EMULATED.iter().any(|word| kind.starts_with(word)) => Reason::NotEmulated,
        _ => Reason::not_emulated_if(has_groups(said)),
    };
    resource.leave_out(reader, reason);
}

/// Returns true unless the gateway of a route is absent or known to be an internet gateway.
fn is_other_gateway<'t>(template: &Template<'t>, said: Node<'t>) -> bool {
    let found = template.property(said, "GatewayId");
    match &found.value {
        Value::Absent => false,
        Value::Refers(reference) => {
            template.resources.get(reference.resource).is_none_or(|by| by.kind != "AWS::EC2::InternetGateway")
        }
        Value::Text(id) => !id.starts_with("igw-"),
        Value::Unknown(_) | Value::List(_) | Value::Object(_) => true,
    }
}

/// Returns true for a resource that is put into groups, itself or by an object at any depth.
fn has_groups(said: Node<'_>) -> bool {
    said.all_entries().into_iter().any(|(key, _)| key.contains("SecurityGroup"))
}

/// Returns true where a network ACL admits all in both directions, as that of each new VPC does; a new one admits nothing by itself.
///
/// Source: "Default network ACL" (Amazon VPC user guide).
fn admits_all<'t>(template: &Template<'t>, acl: &str) -> bool {
    let own = |entry: &&Resource<'t>| match template.property(entry.properties, "NetworkAclId").value {
        Value::Refers(reference) => reference.resource == acl,
        Value::Unknown(_) => true,
        Value::Absent | Value::Text(_) | Value::List(_) | Value::Object(_) => false,
    };
    let entries: Vec<&Resource<'t>> = template.of_kinds(&["AWS::EC2::NetworkAclEntry"]).filter(own).collect();
    let needs_ipv6 = template.of_kinds(&["AWS::EC2::VPCCidrBlock"]).any(|block| groups::may_be_ipv6(template, block));
    [false, true].into_iter().all(|egress| {
        let is_of_direction = |entry: &&Resource<'t>| match template.truth_of(entry.properties, "Egress") {
            Told::Is(own) => own == egress,
            Told::Absent => !egress,
            Told::Unknown(_) => true,
        };
        let all: Vec<&Resource<'t>> = entries.iter().copied().filter(is_of_direction).collect();
        let ipv6 = first_admits(template, &all, ("Ipv6CidrBlock", "::/0"));
        first_admits(template, &all, ("CidrBlock", "0.0.0.0/0")) == Some(true) && ipv6.unwrap_or(!needs_ipv6)
    })
}

/// Returns whether the first entry of a family admits all of it; nothing where it has none. Where a number is not known, any may be the first.
fn first_admits<'t>(template: &Template<'t>, entries: &[&Resource<'t>], (family, all): (&str, &str)) -> Option<bool> {
    let admits = |entry: &Resource<'t>| {
        let is = |key, word: &str| template.known_text(entry.properties, key).as_deref() == Some(word);
        entry.there == Known::Is(true) && is("Protocol", "-1") && is("RuleAction", "allow") && is(family, all)
    };
    let number = |entry: &&Resource<'t>| template.number_of(entry.properties, "RuleNumber").known();
    let of_family: Vec<&Resource<'t>> =
        entries.iter().copied().filter(|entry| !template.property(entry.properties, family).is_absent()).collect();
    if of_family.iter().any(|entry| number(entry).is_none()) {
        return Some(of_family.into_iter().all(admits));
    }
    of_family.into_iter().min_by_key(number).map(admits)
}
