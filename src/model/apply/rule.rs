//! Rules of a group: authorize and revoke, for what comes in and for what goes out.

use std::collections::HashSet;
use std::net::IpAddr;

use ipnet::IpNet;

use super::edit::Edit;
use super::lookup;
use super::lookup::refuse;
use super::{elastic_ip, group, prefix_list, quota, text, words};
use crate::model::cloud::{Cloud, Instance};
use crate::model::flow::Direction;
use crate::model::interface::Interface;
use crate::model::name::{GroupName, InstanceName, VpcName};
use crate::model::refusal::{Refusal, RefusalCode};
use crate::model::rule::{Peer, PeerRequest, Permission, Rule, Traffic};

/// `AuthorizeSecurityGroupIngress` and `...Egress`: every rule of the request, or none. A permission without a peer adds
/// nothing and is no error.
///
/// EC2 has been seen to carry out a part of a request; sglab never does.
pub(in crate::model) fn authorize(
    cloud: &mut Edit<'_>,
    direction: Direction,
    name: &GroupName,
    permissions: &[Permission],
) -> Result<(), Refusal> {
    let requested = resolve(cloud, direction, name, permissions)?;
    permissions.iter().filter_map(|p| p.description.as_deref()).try_for_each(words::rule_description)?;
    let group = group::known(cloud, name)?;
    let known: HashSet<Said<'_>> = group.rules(direction).iter().map(|rule| (rule.traffic, &rule.peer)).collect();
    for request in &requested {
        known_protocol(cloud, request.traffic)?;
        if known.contains(&(request.traffic, &request.peer)) {
            let rule = text::as_ec2_spells(request.traffic, &request.peer);
            return Err(refuse(
                RefusalCode::InvalidPermissionDuplicate,
                format!("the specified rule \"{rule}\" already exists"),
            ));
        }
    }
    let mut added = Vec::with_capacity(requested.len());
    for request in requested {
        added.push(Rule {
            id: cloud.next_rule_id(),
            traffic: request.traffic,
            peer: request.peer,
            written: request.written,
            description: request.permission.description.clone(),
            place: request.permission.place.clone(),
        });
    }
    // Once: the group is noted as it was each time.
    if let Some(group) = cloud.groups_mut().get_mut(name) {
        group.rules_mut(direction).extend(added);
    }
    quota::rules(cloud, direction, name)
}

/// `RevokeSecurityGroupIngress` and `...Egress`: every rule of the request, or none.
///
/// A rule is named by what it says, whole: a part of a port range is another rule. In EC2-Classic it is no error to revoke
/// what is not there (RevokeSecurityGroupIngress, EC2 API reference).
pub(in crate::model) fn revoke(
    cloud: &mut Edit<'_>,
    direction: Direction,
    name: &GroupName,
    permissions: &[Permission],
) -> Result<(), Refusal> {
    let requested = resolve(cloud, direction, name, permissions)?;
    let group = group::known(cloud, name)?;
    let has = |request: &Requested<'_>| group.rules(direction).iter().any(|rule| request.is(rule));
    if cloud.is_vpc() && !requested.iter().all(has) {
        return Err(no_such_rule());
    }
    if let Some(group) = cloud.groups_mut().get_mut(name) {
        group.rules_mut(direction).retain(|rule| !requested.iter().any(|request| request.is(rule)));
    }
    Ok(())
}

/// `UpdateSecurityGroupRuleDescriptionsIngress` and `...Egress`: every rule of the request gets its description, or none does. One
/// that is named without a description, or with an empty one, has none from then on ("You can remove a description for a security
/// group rule by omitting the description parameter in the request"). Nothing else of a rule changes, its id least of all.
///
/// That it must be there holds in every era: unlike that of a revoke, the reference of this call makes no exception.
pub(in crate::model) fn describe(
    cloud: &mut Edit<'_>,
    direction: Direction,
    name: &GroupName,
    permissions: &[Permission],
) -> Result<(), Refusal> {
    let requested = resolve(cloud, direction, name, permissions)?;
    permissions.iter().filter_map(|p| p.description.as_deref()).try_for_each(words::rule_description)?;
    let rules = group::known(cloud, name)?.rules(direction);
    if !requested.iter().all(|request| rules.iter().any(|rule| request.is(rule))) {
        return Err(no_such_rule());
    }
    let groups = cloud.groups_mut();
    let rules = groups.get_mut(name).map(|group| group.rules_mut(direction)).into_iter().flatten();
    for rule in rules {
        if let Some(request) = requested.iter().find(|request| request.is(rule)) {
            rule.description = request.permission.description.clone().filter(|text| !text.is_empty());
        }
    }
    Ok(())
}

/// Returns the rules of a request that a group does not have, as they are written.
pub(in crate::model) fn missing(
    cloud: &Cloud,
    direction: Direction,
    name: &GroupName,
    permissions: &[Permission],
) -> Vec<String> {
    let requested = resolve(cloud, direction, name, permissions).unwrap_or_default();
    let Some(group) = cloud.groups.get(name) else { return Vec::new() };
    let has = |request: &Requested<'_>| group.rules(direction).iter().any(|rule| request.is(rule));
    requested.into_iter().filter(|request| !has(request)).map(|request| request.written).collect()
}

fn no_such_rule() -> Refusal {
    refuse(RefusalCode::InvalidPermissionNotFound, "The specified rule does not exist in this security group.")
}

/// EC2-Classic has no rules for what goes out. Source: AuthorizeSecurityGroupEgress (EC2 API reference, 2014).
fn known_direction(cloud: &Cloud, direction: Direction) -> Result<(), Refusal> {
    if direction == Direction::Ingress || cloud.has_egress_rules() {
        return Ok(());
    }
    Err(refuse(RefusalCode::InvalidParameterValue, "Only Amazon VPC security groups may be used with this operation."))
}

/// EC2-Classic knows tcp, udp and icmp. Source: IpPermission (EC2 API reference, 2014).
fn known_protocol(cloud: &Cloud, traffic: Traffic) -> Result<(), Refusal> {
    let protocol = match traffic {
        _ if cloud.is_vpc() => return Ok(()),
        Traffic::Tcp(_) | Traffic::Udp(_) | Traffic::Icmp(_) => return Ok(()),
        Traffic::All => "-1".to_owned(),
        Traffic::Icmpv6(_) => "58".to_owned(),
        Traffic::Protocol(number) => number.to_string(),
    };
    Err(refuse(
        RefusalCode::InvalidPermissionMalformed,
        format!("Unsupported IP protocol \"{protocol}\"  - supported: [tcp, udp, icmp]"),
    ))
}

/// The part of a rule by which it is told from others.
type Said<'p> = (Traffic, &'p Peer);

/// One rule that a request asks for, with its peer resolved at this moment.
struct Requested<'a> {
    traffic: Traffic,
    peer: Peer,
    written: String,
    permission: &'a Permission,
}

impl Requested<'_> {
    /// Returns true if a rule says the same; ids, words and descriptions are not part of what it says.
    fn is(&self, rule: &Rule) -> bool {
        self.traffic == rule.traffic && self.peer == rule.peer
    }
}

/// The rules that a request names, of a group and a direction in which rules may be changed.
fn resolve<'a>(
    cloud: &Cloud,
    direction: Direction,
    group: &GroupName,
    permissions: &'a [Permission],
) -> Result<Vec<Requested<'a>>, Refusal> {
    known_direction(cloud, direction)?;
    lookup::must_be_ours(group)?;
    let vpc = &group::known(cloud, group)?.vpc;
    let preposition = direction.preposition();
    let mut requested: Vec<Requested<'a>> = Vec::new();
    let mut said: HashSet<(Traffic, Peer)> = HashSet::new();
    for permission in permissions {
        for (request, words) in &permission.peers {
            let traffic = permission.traffic;
            let peer = resolve_peer(cloud, vpc, request)?;
            if !said.insert((traffic, peer.clone())) {
                return Err(refuse(
                    RefusalCode::InvalidParameterValue,
                    "The same permission must not appear multiple times",
                ));
            }
            let written = if words.is_empty() { format!("{traffic} {preposition} {peer}") } else { words.clone() };
            requested.push(Requested { traffic, peer, written, permission });
        }
    }
    Ok(requested)
}

fn resolve_peer(cloud: &Cloud, vpc: &VpcName, request: &PeerRequest) -> Result<Peer, Refusal> {
    let (name, kind, address): (_, _, Option<IpAddr>) = match request {
        PeerRequest::ElasticIp(name) => {
            let address = elastic_ip::known(cloud, name)?.address;
            return Ok(Peer::Cidr(IpNet::from(IpAddr::V4(address.0))));
        }
        // Host bits are cleared, as EC2 does: 100.68.0.18/18 is stored as 100.68.0.0/18.
        PeerRequest::Peer(Peer::Cidr(net)) => {
            if matches!(net, IpNet::V6(_)) && !cloud.is_vpc() {
                return Err(refuse(
                    RefusalCode::InvalidParameter,
                    "ipv6-ranges is not a valid parameter. IPv6 rules can only be specified for VPC security groups.",
                ));
            }
            return Ok(Peer::Cidr(net.trunc()));
        }
        PeerRequest::Peer(Peer::Group(name)) => {
            if group::known(cloud, name)?.vpc != *vpc {
                return Err(refuse(
                    RefusalCode::InvalidGroupNotFound,
                    "You have specified two resources that belong to different networks.",
                ));
            }
            return Ok(Peer::Group(name.clone()));
        }
        PeerRequest::Peer(Peer::PrefixList(name)) => {
            prefix_list::known(cloud, name)?;
            return Ok(Peer::PrefixList(name.clone()));
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
    let instance: &Instance = lookup::instance(cloud, name)?;
    Ok(instance.interfaces.first())
}
