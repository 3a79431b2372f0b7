//! Security groups: those of the template, and those that AWS makes along with something else.

use super::super::placed::{Groups, all_traffic, unknown_rule};
use super::super::reader::Reader;
use super::references::Wanted;
use super::resource::Resource;
use super::rules;
use super::template::Template;
use super::value::{Found, Told, Value};
use crate::account::{Known, Origin, Peer, ResourceId, Rule, SecurityGroup};
use crate::model::{Direction, PrefixFamily};

/// `AWS::EC2::SecurityGroup`. Without rules for egress, AWS's own for everything stays.
///
/// Source: `AWS::EC2::SecurityGroup`, "Remove the default rule" (AWS CloudFormation template reference).
pub fn group<'t>(reader: &mut Reader<'_>, template: &Template<'t>, resource: &Resource<'t>) {
    let properties = resource.properties;
    let vpc = match template.one_of(properties, "VpcId", Wanted::Vpc) {
        Told::Is(vpc) => Some(vpc),
        // Its VPC decides about nothing but its addresses.
        Told::Absent | Told::Unknown(_) => None,
    };
    let mut rules = |key, direction| rules::inline(reader, template, resource, (key, direction));
    let ingress = rules("SecurityGroupIngress", Direction::Ingress).unwrap_or_default();
    let said = rules("SecurityGroupEgress", Direction::Egress);
    let origin = resource.origin(reader);
    let mut group = SecurityGroup {
        label: template.label(resource.name),
        name: template.known_text(properties, "GroupName").filter(|name| !name.is_empty()),
        description: template.known_text(properties, "GroupDescription"),
        egress: said.unwrap_or_else(|| everything(template, vpc.as_ref(), &origin)),
        vpc,
        ingress,
        origin: origin.clone(),
    };
    if let Known::Unknown(why) = &resource.there {
        resource.unknown(reader, why.clone());
        group.ingress = vec![unknown_rule(why, &origin)];
        group.egress = group.ingress.clone();
    }
    template.tag(reader, resource, template.id(resource.name));
    reader.into.account.groups.insert(template.id(resource.name), group);
}

/// AWS's rule for everything: over IPv6 too, unless the group's VPC is known to have none.
fn everything(template: &Template<'_>, vpc: Option<&ResourceId>, origin: &Origin) -> Vec<Rule> {
    let ipv6 = vpc.is_none_or(|vpc| template.with_id(vpc).is_none() || has_ipv6(template, vpc));
    let families = PrefixFamily::BOTH.into_iter().filter(|family| ipv6 || family.is_ipv4());
    families.map(|family| all_traffic(Peer::Block(family.every_address()), origin)).collect()
}

/// Returns true if a VPC of the template has a block of IPv6, or may have.
fn has_ipv6(template: &Template<'_>, vpc: &ResourceId) -> bool {
    template.of_kinds(&["AWS::EC2::VPCCidrBlock"]).any(|block| {
        let may_be_own = match template.one_of(block.properties, "VpcId", Wanted::Vpc) {
            Told::Is(own) => own == *vpc,
            Told::Unknown(_) => true,
            Told::Absent => false,
        };
        may_be_own && may_be_ipv6(template, block)
    })
}

/// Returns true unless a block that is associated with a VPC is known to be of IPv4.
pub fn may_be_ipv6<'t>(template: &Template<'t>, block: &Resource<'t>) -> bool {
    let said = block.properties;
    let amazons = !matches!(template.truth_of(said, "AmazonProvidedIpv6CidrBlock"), Told::Is(false) | Told::Absent);
    amazons || ["Ipv6CidrBlock", "Ipv6IpamPoolId"].iter().any(|key| !template.property(said, key).is_absent())
}

/// A group that AWS makes, which admits its members and lets everything out, where something refers to it: the default group of a VPC, and
/// that of an EKS cluster.
///
/// Source: "Default security groups for your VPCs" (Amazon VPC user guide); "View Amazon EKS security group requirements for clusters" (Amazon
/// EKS user guide).
pub fn made(
    reader: &mut Reader<'_>,
    template: &Template<'_>,
    (by, word): (&Resource<'_>, &str),
    (id, vpc): (ResourceId, Option<ResourceId>),
) {
    let origin = by.origin(reader);
    let group = SecurityGroup {
        label: format!("{} {word}", template.label(by.name)),
        name: None,
        description: None,
        ingress: vec![all_traffic(Peer::Group(id.clone()), &origin)],
        egress: everything(template, vpc.as_ref(), &origin),
        vpc,
        origin,
    };
    reader.into.mention(id, group);
}

/// The groups of an interface as a property names them, by ids or by names.
pub fn by_name<'t>(template: &Template<'t>, found: Found<'t>) -> Option<Groups> {
    if let Value::Unknown(why) = found.value {
        return Some(Known::Unknown(why));
    }
    let mut ids = indexmap::IndexSet::new();
    for element in found.elements() {
        match template.group_by_name(&element) {
            Told::Is(id) => {
                ids.insert(id);
            }
            Told::Absent => {}
            Told::Unknown(why) => return Some(Known::Unknown(why)),
        }
    }
    (!ids.is_empty()).then_some(Known::Is(ids))
}
