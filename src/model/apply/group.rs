//! Groups: create, delete, and what an interface may be in.

use indexmap::IndexSet;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::edit::Edit;
use super::lookup::{because, refuse, unknown};
use super::{address, lookup, quota, words};
use crate::model::cloud::{Cloud, SecurityGroup};
use crate::model::cloud::{DEFAULT_GROUP, default_group, vpc_of_default_group};
use crate::model::name::{Ec2Name, GroupName, RuleId, SubnetName, VpcName};
use crate::model::refusal::{Refusal, RefusalCode};
use crate::model::request::CreateGroup;
use crate::model::rule::{IcmpMatch, Peer, PortRange, Rule, Traffic};

/// `CreateSecurityGroup`.
///
/// A new group lets nothing in and everything out. Source: "Security groups" (Amazon VPC user guide); EC2-Classic had
/// no rules for what goes out. Of a name in a VPC the spaces at its end are cut off.
pub(in crate::model) fn create(cloud: &mut Edit<'_>, request: &CreateGroup) -> Result<(), Refusal> {
    let CreateGroup { name: file, ec2_name, vpc, description, place } = request;
    address::known_vpc(cloud, vpc)?;
    let name = words::group_name(cloud, ec2_name.as_ref().map_or(file.as_str(), Ec2Name::as_str))?;
    if let Some(description) = description {
        words::group_description(cloud, description)?;
    }
    if name.as_str().eq_ignore_ascii_case(DEFAULT_GROUP)
        || vpc_of_default_group(cloud.vpcs.keys(), file.as_str()).is_some()
    {
        return Err(if cloud.is_vpc() {
            refuse(RefusalCode::InvalidParameterValue, "Cannot use reserved security group name: default")
        } else {
            refuse(RefusalCode::InvalidGroupReserved, "The security group 'default' is reserved")
        });
    }
    let same_name = |(other, group): &(&GroupName, &SecurityGroup)| {
        *other == file
            || match cloud.is_vpc() {
                true => group.vpc == *vpc && group.name.as_str().eq_ignore_ascii_case(name.as_str()),
                false => group.name == name,
            }
    };
    if let Some((other, group)) = cloud.groups.iter().find(same_name) {
        let other = if other == file { other.as_str() } else { group.name.as_str() };
        let message = if cloud.is_vpc() || group.vpc != *vpc {
            format!("The security group '{other}' already exists for VPC '{}'", group.vpc)
        } else {
            format!("The security group '{other}' already exists")
        };
        return Err(refuse(RefusalCode::InvalidGroupDuplicate, message));
    }
    quota::groups(cloud, vpc)?;
    let egress = first_egress(cloud, vpc);
    let id = cloud.next_id(&[vpc.as_str(), file.as_str()]);
    let group = SecurityGroup {
        id,
        name,
        vpc: vpc.clone(),
        description: description.clone(),
        ingress: Vec::new(),
        egress,
        place: place.clone(),
    };
    cloud.groups_mut().insert(file.clone(), group);
    Ok(())
}

/// The group that every VPC has from the start, and EC2-Classic once: its members may talk to each other.
///
/// Source: "Default security groups" (Amazon VPC user guide), "EC2-Classic" (EC2 user guide, 2018). In a VPC one rule says
/// so for all traffic; Classic needs one a protocol.
pub(super) fn add_default(cloud: &mut Edit<'_>, vpc: &VpcName) {
    let name = default_group(cloud.vpcs.keys(), vpc);
    let traffic = if cloud.is_vpc() {
        vec![Traffic::All]
    } else {
        vec![Traffic::Tcp(PortRange::ALL), Traffic::Udp(PortRange::ALL), Traffic::Icmp(IcmpMatch::All)]
    };
    let itself = |cloud: &mut Edit<'_>, traffic: Traffic| Rule {
        id: cloud.next_rule_id(),
        traffic,
        peer: Peer::Group(name.clone()),
        written: format!("{traffic} from {name}"),
        description: None,
        place: None,
    };
    let ingress = traffic.into_iter().map(|traffic| itself(cloud, traffic)).collect();
    let description = Some("default VPC security group".to_owned()).filter(|_| cloud.is_vpc());
    let description = description.or_else(|| Some("default group".to_owned()));
    let egress = first_egress(cloud, vpc);
    let id = cloud.next_id(&[vpc.as_str(), name.as_str()]);
    let ec2_name = Ec2Name::new(DEFAULT_GROUP);
    let group = SecurityGroup { id, name: ec2_name, vpc: vpc.clone(), description, ingress, egress, place: None };
    cloud.groups_mut().insert(name, group);
}

/// `DeleteSecurityGroup`. A group that only its own rules name can go.
///
/// Source: DeleteSecurityGroup (EC2 API reference).
pub(in crate::model) fn delete(cloud: &mut Edit<'_>, name: &GroupName) -> Result<(), Refusal> {
    let is_default = known(cloud, name)?.is_default();
    lookup::must_be_ours(name)?;
    if is_default {
        return Err(if cloud.is_vpc() {
            let message = format!("the specified group: \"{name}\" name: \"default\" cannot be deleted by a user");
            refuse(RefusalCode::CannotDelete, message)
        } else {
            refuse(RefusalCode::InvalidGroupReserved, "The security group 'default' is reserved")
        });
    }
    let holders = holders(cloud, name);
    match (holders.is_empty(), cloud.is_vpc()) {
        (true, _) => {}
        (false, true) => {
            let refusal = refuse(RefusalCode::DependencyViolation, format!("resource {name} has a dependent object"));
            return Err(because(refusal, holders));
        }
        (false, false) => {
            let message = format!("There are active instances using security group '{name}'");
            return Err(because(refuse(RefusalCode::InvalidGroupInUse, message), holders));
        }
    }
    cloud.groups_mut().remove(name);
    Ok(())
}

/// Returns the rules of others that name a group, and the interfaces that are in it, in a sentence each.
fn holders(cloud: &Cloud, name: &GroupName) -> Vec<String> {
    let names_it = |rule: &&Rule| rule.peer == Peer::Group(name.clone());
    let others = cloud.groups.iter().filter(|(other, _)| *other != name);
    let named = others.flat_map(|(other, group)| {
        group
            .ingress
            .iter()
            .chain(&group.egress)
            .filter(names_it)
            .map(move |rule| format!("{other} \"{}\"", rule.written))
    });
    let members = cloud.network_interfaces().filter(|interface| interface.groups.contains(name));
    let members = members.map(|interface| interface.id.short());
    let (named, members): (Vec<String>, Vec<String>) = (named.collect(), members.collect());
    let say = |what: &str, all: Vec<String>| (!all.is_empty()).then(|| format!("{what} {}", some_of(&all)));
    [say("rules name it:", named), say("interfaces in it:", members)].into_iter().flatten().collect()
}

/// The first few, and how many others there are.
fn some_of(all: &[String]) -> String {
    const SHOWN: usize = 6;
    let shown = all.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    match all.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// Returns the egress rules of a new group: everything, in a VPC.
fn first_egress(cloud: &mut Edit<'_>, vpc: &VpcName) -> Vec<Rule> {
    let mut egress = Vec::new();
    if cloud.has_egress_rules() {
        egress.push(allow_all(cloud.next_rule_id(), Ipv4Net::default().into()));
        if cloud.vpcs.get(vpc).is_some_and(|vpc| vpc.ipv6.is_some()) {
            egress.push(allow_all(cloud.next_rule_id(), Ipv6Net::default().into()));
        }
    }
    egress
}

/// A group by its name.
pub(super) fn known<'a>(cloud: &'a Cloud, name: &GroupName) -> Result<&'a SecurityGroup, Refusal> {
    cloud.groups.get(name).ok_or_else(|| {
        unknown(RefusalCode::InvalidGroupNotFound, name, format!("The security group '{name}' does not exist"))
    })
}

/// `RunInstances` says of a group that is nowhere where it looked for it; in EC2-Classic there is one place only.
pub(super) fn known_at_launch(cloud: &Cloud, vpc: &VpcName, groups: &IndexSet<GroupName>) -> Result<(), Refusal> {
    match groups.iter().find(|name| cloud.is_vpc() && !cloud.groups.contains_key(*name)) {
        None => Ok(()),
        Some(name) => {
            let message = format!("The security group '{name}' does not exist in VPC '{vpc}'");
            Err(with_all(cloud, groups, unknown(RefusalCode::InvalidGroupNotFound, name, message)))
        }
    }
}

/// A refusal of one of these groups that is not there, with the names of the others that are not.
fn with_all(cloud: &Cloud, groups: &IndexSet<GroupName>, refusal: Refusal) -> Refusal {
    let missing = groups.iter().filter(|name| !cloud.groups.contains_key(*name)).map(ToString::to_string);
    Refusal { unknown: missing.collect(), ..refusal }
}

/// Checks a set of groups for an interface: at least one, all known, all of the VPC of the interface's subnet.
pub(super) fn known_set(
    cloud: &Cloud,
    (vpc, subnet): (&VpcName, &SubnetName),
    groups: &IndexSet<GroupName>,
) -> Result<(), Refusal> {
    if groups.is_empty() {
        return Err(refuse(
            RefusalCode::InvalidParameterValue,
            "Value () for parameter groupId is invalid. The value cannot be empty",
        ));
    }
    for name in groups {
        lookup::must_be_ours(name)?;
        if known(cloud, name).map_err(|refusal| with_all(cloud, groups, refusal))?.vpc != *vpc {
            return Err(refuse(
                RefusalCode::InvalidParameter,
                format!("Security group {name} and subnet {subnet} belong to different networks."),
            ));
        }
    }
    quota::memberships(cloud, groups)
}

/// The rule that every group of a VPC is born with, and again for IPv6 where the VPC has it.
///
/// Source: "Default security groups" (Amazon VPC user guide).
fn allow_all(id: RuleId, everywhere: IpNet) -> Rule {
    let peer = Peer::Cidr(everywhere);
    Rule { id, traffic: Traffic::All, written: format!("all to {peer}"), peer, description: None, place: None }
}
