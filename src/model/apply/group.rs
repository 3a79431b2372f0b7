//! Groups and their rules: create, authorize, revoke.

use std::net::IpAddr;

use indexmap::IndexSet;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::super::{
    Cloud, CreateGroup, GroupName, Instance, InstanceName, Interface, Peer, PeerRequest, Permission, Refusal,
    RefusalCode, Rule, RuleId, SecurityGroup, Traffic, VpcName,
};
use super::{refuse, text};

/// `CreateSecurityGroup`.
///
/// A new group lets nothing in and everything out. Source: "Security groups" (Amazon VPC user guide); EC2-Classic had
/// no rules for what goes out.
pub(super) fn create(cloud: &mut Cloud, request: &CreateGroup) -> Result<(), Refusal> {
    let CreateGroup { name, vpc, description, place } = request;
    if !cloud.vpcs.contains_key(vpc) {
        return Err(refuse(RefusalCode::InvalidParameterValue, format!("The vpc ID '{vpc}' does not exist")));
    }
    let same_name = |(other, group): &(&GroupName, &SecurityGroup)| {
        *other == name
            || cloud.has_egress_rules() && group.vpc == *vpc && other.as_str().eq_ignore_ascii_case(name.as_str())
    };
    if let Some((other, group)) = cloud.groups.iter().find(same_name) {
        let message = if cloud.has_egress_rules() || group.vpc != *vpc {
            format!("The security group '{other}' already exists for VPC '{}'", group.vpc)
        } else {
            format!("The security group '{other}' already exists")
        };
        return Err(refuse(RefusalCode::InvalidGroupDuplicate, message));
    }
    let mut egress = Vec::new();
    if cloud.has_egress_rules() {
        egress.push(allow_all(next_rule_id(cloud), Ipv4Net::default().into()));
        if cloud.vpcs.get(vpc).is_some_and(|vpc| vpc.ipv6.is_some()) {
            egress.push(allow_all(next_rule_id(cloud), Ipv6Net::default().into()));
        }
    }
    let group = SecurityGroup {
        vpc: vpc.clone(),
        description: description.clone(),
        ingress: Vec::new(),
        egress,
        place: place.clone(),
    };
    cloud.groups.insert(name.clone(), group);
    Ok(())
}

/// `AuthorizeSecurityGroupIngress`: every rule of the request, or none.
///
/// EC2 has been seen to carry out a part of a request; sglab never does.
pub(super) fn authorize(cloud: &mut Cloud, name: &GroupName, permissions: &[Permission]) -> Result<(), Refusal> {
    let requested = resolve(cloud, name, permissions)?;
    let group = known(cloud, name)?;
    for request in &requested {
        if group.ingress.iter().any(|rule| request.is(rule)) {
            let rule = text::as_ec2_spells(request.traffic, &request.peer);
            return Err(refuse(
                RefusalCode::InvalidPermissionDuplicate,
                format!("the specified rule \"{rule}\" already exists"),
            ));
        }
    }
    for request in requested {
        let rule = Rule {
            id: next_rule_id(cloud),
            traffic: request.traffic,
            peer: request.peer,
            written: request.written,
            description: request.permission.description.clone(),
            place: request.permission.place.clone(),
        };
        if let Some(group) = cloud.groups.get_mut(name) {
            group.ingress.push(rule);
        }
    }
    Ok(())
}

/// `RevokeSecurityGroupIngress`: every rule of the request, or none.
///
/// A rule is named by what it says, whole: a part of a port range is another rule.
pub(super) fn revoke(cloud: &mut Cloud, name: &GroupName, permissions: &[Permission]) -> Result<(), Refusal> {
    let requested = resolve(cloud, name, permissions)?;
    let group = known(cloud, name)?;
    if !requested.iter().all(|request| group.ingress.iter().any(|rule| request.is(rule))) {
        return Err(refuse(
            RefusalCode::InvalidPermissionNotFound,
            "The specified rule does not exist in this security group.",
        ));
    }
    if let Some(group) = cloud.groups.get_mut(name) {
        group.ingress.retain(|rule| !requested.iter().any(|request| request.is(rule)));
    }
    Ok(())
}

/// A group by its name.
pub(super) fn known<'a>(cloud: &'a Cloud, name: &GroupName) -> Result<&'a SecurityGroup, Refusal> {
    cloud
        .groups
        .get(name)
        .ok_or_else(|| refuse(RefusalCode::InvalidGroupNotFound, format!("The security group '{name}' does not exist")))
}

/// Checks a set of groups for an interface: at least one, all known, all of the interface's VPC.
pub(super) fn known_set(cloud: &Cloud, vpc: &VpcName, groups: &IndexSet<GroupName>) -> Result<(), Refusal> {
    if groups.is_empty() {
        return Err(refuse(
            RefusalCode::InvalidParameterValue,
            "Value () for parameter groupId is invalid. The value cannot be empty",
        ));
    }
    for name in groups {
        if known(cloud, name)?.vpc != *vpc {
            return Err(refuse(
                RefusalCode::InvalidGroupNotFound,
                format!("The security group '{name}' does not exist in VPC '{vpc}'"),
            ));
        }
    }
    Ok(())
}

/// One rule that a request asks for, with its peer resolved at this moment.
struct Requested<'a> {
    traffic: Traffic,
    peer: Peer,
    written: String,
    permission: &'a Permission,
}

impl Requested<'_> {
    /// Whether a rule says the same; ids, words and descriptions are not part of what it says.
    fn is(&self, rule: &Rule) -> bool {
        self.traffic == rule.traffic && self.peer == rule.peer
    }
}

fn resolve<'a>(cloud: &Cloud, group: &GroupName, permissions: &'a [Permission]) -> Result<Vec<Requested<'a>>, Refusal> {
    let vpc = &known(cloud, group)?.vpc;
    let mut requested: Vec<Requested<'a>> = Vec::new();
    for permission in permissions {
        for (request, words) in &permission.peers {
            let traffic = permission.traffic;
            let peer = resolve_peer(cloud, vpc, request)?;
            if requested.iter().any(|other| other.traffic == traffic && other.peer == peer) {
                return Err(refuse(
                    RefusalCode::InvalidParameterValue,
                    "The same permission must not appear multiple times",
                ));
            }
            let written = if words.is_empty() { format!("{traffic} from {peer}") } else { words.clone() };
            requested.push(Requested { traffic, peer, written, permission });
        }
    }
    Ok(requested)
}

fn resolve_peer(cloud: &Cloud, vpc: &VpcName, request: &PeerRequest) -> Result<Peer, Refusal> {
    let (name, kind, address): (_, _, Option<IpAddr>) = match request {
        // Host bits are cleared, as EC2 does: 100.68.0.18/18 is stored as 100.68.0.0/18.
        PeerRequest::Peer(Peer::Cidr(net)) => {
            if matches!(net, IpNet::V6(_)) && !cloud.has_ipv6() {
                return Err(refuse(
                    RefusalCode::InvalidParameter,
                    "ipv6-ranges is not a valid parameter. IPv6 rules can only be specified for VPC security groups.",
                ));
            }
            return Ok(Peer::Cidr(net.trunc()));
        }
        PeerRequest::Peer(Peer::Group(name)) => {
            if known(cloud, name)?.vpc != *vpc {
                return Err(refuse(
                    RefusalCode::InvalidGroupNotFound,
                    "You have specified two resources that belong to different networks.",
                ));
            }
            return Ok(Peer::Group(name.clone()));
        }
        PeerRequest::PrivateAddressOf(name) => (
            name,
            "private",
            first_interface(cloud, name)?.and_then(|interface| interface.private).map(|ip| ip.0.into()),
        ),
        PeerRequest::PublicAddressOf(name) => {
            (name, "public", first_interface(cloud, name)?.and_then(|interface| interface.public).map(|ip| ip.0.into()))
        }
        PeerRequest::Ipv6AddressOf(name) => {
            (name, "ipv6", first_interface(cloud, name)?.and_then(|interface| interface.ipv6).map(|ip| ip.0.into()))
        }
    };
    address.map(|address| Peer::Cidr(IpNet::from(address))).ok_or_else(|| {
        refuse(
            RefusalCode::InvalidParameterValue,
            format!("'{name}.{kind}' names no address: instance '{name}' holds no {kind} address now."),
        )
    })
}

fn first_interface<'a>(cloud: &'a Cloud, name: &InstanceName) -> Result<Option<&'a Interface>, Refusal> {
    let instance: &Instance = super::instance::known(cloud, name)?;
    Ok(instance.interfaces.first())
}

/// The rule that every group of a VPC is born with, and again for IPv6 where the VPC has it.
///
/// Source: "Default security groups" (Amazon VPC user guide).
fn allow_all(id: RuleId, everywhere: IpNet) -> Rule {
    let peer = Peer::Cidr(everywhere);
    Rule { id, traffic: Traffic::All, written: format!("all to {peer}"), peer, description: None, place: None }
}

fn next_rule_id(cloud: &mut Cloud) -> RuleId {
    cloud.counters.rule += 1;
    RuleId(cloud.counters.rule)
}
