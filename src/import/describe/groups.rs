//! `describe-security-groups` and `describe-security-group-rules`.

use super::super::builder::{TagsOf, ToldBefore};
use super::super::reader::Reader;
use super::super::tree::Node;
use super::super::words;
use super::items::{id_of, tags};
use crate::account::{Known, LeftOut, Origin, Peer, Reason, ResourceId, Rule, SecurityGroup};
use crate::model::Direction;

/// Reads a group with its rules. A direction of which a reply that was cut has no key is left to another reply.
pub fn group(reader: &mut Reader<'_>, item: Node<'_>) {
    let Some(id) = id_of(reader, item, "GroupId") else { return };
    let name = item.text_of("GroupName").map(str::to_owned);
    let owner = item.text_of("OwnerId");
    let rules = |reader: &mut Reader<'_>, key: &str| -> Vec<Rule> {
        item.items_of(key).flat_map(|permission| permission_of(reader, permission, id, owner)).collect()
    };
    let directions = [(Direction::Ingress, "IpPermissions"), (Direction::Egress, "IpPermissionsEgress")];
    let told = directions.map(|(direction, key)| {
        let is_here = item.get(key).is_some_and(Node::is_list);
        let before = reader.into.details.is_told(&ResourceId::new(id), direction);
        if is_here {
            reader.into.details.told(ResourceId::new(id), direction);
        }
        if is_here && before { ToldBefore::Both } else { ToldBefore::One }
    });
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
    reader.into.details.described(ResourceId::new(id));
    reader.into.group(ResourceId::new(id), group, told);
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
                        let reason = Reason::StaleReference("a group by name".to_owned());
                        let origin = Origin { digest, ..reader.origin(item, group) };
                        reader.into.account.left_out.push(LeftOut { kind: list.to_owned(), reason, origin });
                    }
                    None => reader.lacks(item, group, key),
                }
                continue;
            };
            let origin = Origin { digest, ..reader.origin(item, group) };
            match peer_of(reader, item, list, (peer, group, owner)) {
                Told::Peer(peer) => rules.push(Rule {
                    traffic: Known::Is(traffic),
                    peer,
                    description: item.text_of("Description").map(str::to_owned),
                    origin,
                }),
                Told::Stale(reason) => {
                    reader.into.account.left_out.push(LeftOut { kind: list.to_owned(), reason, origin });
                }
                Told::Wrong => {}
            }
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

/// A peer as a reply has it.
enum Told {
    Peer(Peer),
    /// The group that it names is gone, or behind a peering that is.
    Stale(Reason),
    /// It cannot be read.
    Wrong,
}

fn peer_of(
    reader: &mut Reader<'_>,
    item: Node<'_>,
    list: &str,
    (peer, group, owner): (Node<'_>, &str, Option<&str>),
) -> Told {
    let text = peer.text().unwrap_or_default();
    match list {
        "PrefixListIds" => Told::Peer(Peer::PrefixList(ResourceId::new(text))),
        "UserIdGroupPairs" => {
            let status = item.text_of("PeeringStatus").filter(|status| *status != "active");
            let foreign = item.text_of("UserId").zip(owner).is_some_and(|(user, owner)| user != owner);
            if let Some(status) = status {
                let what = format!("{text} over a peering that is {status}");
                // A deleted peering never comes back: EC2 calls the rule stale.
                let is_gone = ["deleted", "rejected", "expired", "failed"].contains(&status);
                let reason = if is_gone { Reason::MatchesNothing } else { Reason::StaleReference };
                return Told::Stale(reason(what));
            }
            let id = ResourceId::new(text);
            if foreign {
                reader.into.foreign(id.clone());
            }
            Told::Peer(Peer::Group(id))
        }
        _ => match words::block(text) {
            Ok(block) => Told::Peer(Peer::Block(block)),
            Err(wrong) => {
                reader.wrong(peer, group, wrong);
                Told::Wrong
            }
        },
    }
}

/// Reads a rule of `describe-security-group-rules`, which tells again what the groups have, and alone where these do not say it.
pub fn rule_details(reader: &mut Reader<'_>, item: Node<'_>) {
    let Some(group) = id_of(reader, item, "GroupId") else { return };
    // A query may have cut the id.
    let id = item.text_of("SecurityGroupRuleId").unwrap_or(group);
    let Some(egress) = item.get("IsEgress").and_then(Node::boolean) else { return reader.lacks(item, id, "IsEgress") };
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
    let origin = reader.origin(item, id);
    let told = match peer_of(reader, details, list, (peer, id, owner)) {
        Told::Peer(peer) => Ok(Rule {
            traffic: Known::Is(traffic),
            peer,
            description: item.text_of("Description").map(str::to_owned),
            origin,
        }),
        Told::Stale(reason) => Err(LeftOut { kind: list.to_owned(), reason, origin }),
        Told::Wrong => return,
    };
    let direction = if egress { Direction::Egress } else { Direction::Ingress };
    let of_group = reader.origin(item, group);
    reader.into.details.rule(ResourceId::new(group), direction, told, of_group);
}
