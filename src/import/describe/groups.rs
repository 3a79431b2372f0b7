//! `describe-security-groups` and `describe-security-group-rules`.

use super::super::builder::{Reader, TagsOf};
use super::super::tree::Node;
use super::super::words;
use super::items::{id_of, tags};
use crate::account::{Known, Origin, Peer, Reason, ResourceId, Rule, SecurityGroup};

/// Reads a group with its rules.
pub fn group(reader: &mut Reader<'_>, item: Node<'_>) {
    let Some(id) = id_of(reader, item, "GroupId") else { return };
    let name = item.text_of("GroupName").map(str::to_owned);
    let owner = item.text_of("OwnerId");
    let rules = |reader: &mut Reader<'_>, key: &str| -> Vec<Rule> {
        item.items_of(key).flat_map(|permission| permission_of(reader, permission, id, owner)).collect()
    };
    let group = SecurityGroup {
        label: name.clone().unwrap_or_else(|| id.to_owned()),
        name,
        description: item.text_of("Description").map(str::to_owned),
        vpc: item.text_of("VpcId").map(ResourceId::new),
        ingress: rules(reader, "IpPermissions"),
        egress: rules(reader, "IpPermissionsEgress"),
        origin: reader.origin(item, id),
    };
    reader.into.tags(ResourceId::new(id), tags(item), TagsOf::Itself);
    reader.into.group(ResourceId::new(id), group);
}

/// The rules of one `IpPermission`: one for each peer.
fn permission_of(reader: &mut Reader<'_>, permission: Node<'_>, group: &str, owner: Option<&str>) -> Vec<Rule> {
    let Some(protocol) = permission.get("IpProtocol") else {
        reader.lacks(permission, group, "IpProtocol");
        return Vec::new();
    };
    let Some([from, to]) = ports(reader, permission, group) else { return Vec::new() };
    let digest = reader.source.digest(permission.span());
    let traffic = match words::traffic(protocol.text().unwrap_or_default(), from, to) {
        Ok(traffic) => traffic,
        Err(wrong) => {
            reader.wrong(protocol, group, wrong);
            return Vec::new();
        }
    };
    let mut rules = Vec::new();
    for (list, key) in [
        ("IpRanges", "CidrIp"),
        ("Ipv6Ranges", "CidrIpv6"),
        ("PrefixListIds", "PrefixListId"),
        ("UserIdGroupPairs", "GroupId"),
    ] {
        for item in permission.items_of(list) {
            // A query may have cut the objects to their texts.
            let Some(peer) = item.get(key).or_else(|| item.text().map(|_| item)) else {
                match item.text_of("GroupName") {
                    Some(_) => {
                        reader.leave_out(item, list, group, Reason::StaleReference("a group by name".to_owned()))
                    }
                    None => reader.lacks(item, group, key),
                }
                continue;
            };
            let Some(peer) = peer_of(reader, item, list, (peer, group, owner)) else { continue };
            rules.push(Rule {
                traffic: Known::Is(traffic),
                peer,
                description: item.text_of("Description").map(str::to_owned),
                origin: Origin { digest, ..reader.origin(item, group) },
            });
        }
    }
    rules
}

/// The ports of a rule, each if it says one; nothing where one cannot be read.
fn ports(reader: &mut Reader<'_>, item: Node<'_>, resource: &str) -> Option<[Option<i64>; 2]> {
    let mut ports = [None; 2];
    for (key, port) in ["FromPort", "ToPort"].into_iter().zip(&mut ports) {
        let Some(said) = item.get(key) else { continue };
        let Some(number) = said.number() else {
            reader.wrong(said, resource, (format!("`{key}` is no whole number"), None));
            return None;
        };
        *port = Some(number);
    }
    Some(ports)
}

/// A peer; nothing for one of another account, or one that is gone, which is listed then.
fn peer_of(
    reader: &mut Reader<'_>,
    item: Node<'_>,
    list: &str,
    (peer, group, owner): (Node<'_>, &str, Option<&str>),
) -> Option<Peer> {
    let text = peer.text().unwrap_or_default();
    match list {
        "PrefixListIds" => Some(Peer::PrefixList(ResourceId::new(text))),
        "UserIdGroupPairs" => {
            let status = item.text_of("PeeringStatus").filter(|status| *status != "active");
            let foreign = item.text_of("UserId").zip(owner).is_some_and(|(user, owner)| user != owner);
            if let Some(status) = status {
                let reason = Reason::StaleReference(format!("{text} over a peering that is {status}"));
                reader.leave_out(item, list, group, reason);
                return None;
            }
            let id = ResourceId::new(text);
            if foreign {
                reader.into.foreign(id.clone());
            }
            Some(Peer::Group(id))
        }
        _ => match words::block(text) {
            Ok(block) => Some(Peer::Block(block)),
            Err(wrong) => {
                reader.wrong(peer, group, wrong);
                None
            }
        },
    }
}

/// `describe-security-group-rules` tells again what the groups have. Where a source has no groups, its rules make them.
pub fn rule_details(reader: &mut Reader<'_>, item: Node<'_>) {
    let Some(id) = id_of(reader, item, "SecurityGroupRuleId") else { return };
    let Some(group) = id_of(reader, item, "GroupId") else { return };
    if reader.into.account.groups.get(&ResourceId::new(group)).is_some_and(|known| known.name.is_some()) {
        return;
    }
    let Some(protocol) = item.text_of("IpProtocol") else { return reader.lacks(item, id, "IpProtocol") };
    let Some([from, to]) = ports(reader, item, id) else { return };
    let traffic = match words::traffic(protocol, from, to) {
        Ok(traffic) => traffic,
        Err(wrong) => return reader.wrong(item.get("IpProtocol").unwrap_or(item), id, wrong),
    };
    let owner = item.text_of("GroupOwnerId");
    let peers = [
        ("IpRanges", item.get("CidrIpv4")),
        ("Ipv6Ranges", item.get("CidrIpv6")),
        ("PrefixListIds", item.get("PrefixListId")),
        ("UserIdGroupPairs", item.at(&["ReferencedGroupInfo", "GroupId"])),
    ];
    let Some((list, peer)) = peers.into_iter().find_map(|(list, peer)| Some((list, peer?))) else {
        return reader.lacks(item, id, "CidrIpv4");
    };
    let details = item.get("ReferencedGroupInfo").unwrap_or(item);
    let Some(peer) = peer_of(reader, details, list, (peer, id, owner)) else { return };
    let rule = Rule {
        traffic: Known::Is(traffic),
        peer,
        description: item.text_of("Description").map(str::to_owned),
        origin: reader.origin(item, id),
    };
    let origin = reader.origin(item, group);
    let known = reader.into.account.groups.entry(ResourceId::new(group)).or_insert_with(|| SecurityGroup {
        label: group.to_owned(),
        name: None,
        description: None,
        vpc: None,
        ingress: Vec::new(),
        egress: Vec::new(),
        origin,
    });
    let egress = item.get("IsEgress").and_then(Node::boolean).unwrap_or(false);
    if egress { known.egress.push(rule) } else { known.ingress.push(rule) }
}
