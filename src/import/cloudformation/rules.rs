//! Rules, inline in a group and apart from it.

use super::super::fault::Mistake;
use super::super::placed::unknown_rule;
use super::super::reader::Reader;
use super::super::tree::Node;
use super::super::words;
use super::references::Wanted;
use super::resource::Resource;
use super::template::Template;
use super::value::{Found, Told, Value};
use crate::account::{Known, LeftOut, Origin, Peer, Reason, ResourceId, Rule};
use crate::model::{Direction, SourceLocation, Traffic};

/// The properties that name the other side of a rule.
struct Sides {
    prefix_list: &'static str,
    group: &'static str,
    /// The name of a group, with the account that has it.
    named: Option<(&'static str, &'static str)>,
}

fn sides(direction: Direction) -> Sides {
    match direction {
        Direction::Ingress => Sides {
            prefix_list: "SourcePrefixListId",
            group: "SourceSecurityGroupId",
            named: Some(("SourceSecurityGroupName", "SourceSecurityGroupOwnerId")),
        },
        Direction::Egress => {
            Sides { prefix_list: "DestinationPrefixListId", group: "DestinationSecurityGroupId", named: None }
        }
    }
}

/// The inline rules of a group in one direction; nothing where it says none.
pub fn inline<'t>(
    reader: &mut Reader<'_>,
    template: &Template<'t>,
    resource: &Resource<'t>,
    (key, direction): (&str, Direction),
) -> Option<Vec<Rule>> {
    let mut rules = Vec::new();
    let all = template.property(resource.properties, key).elements();
    if all.is_empty() {
        return None;
    }
    for found in all {
        let place = reader.source.place(found.node.span());
        match found.value {
            Value::Object(said) => rules.extend(one(reader, template, resource, (said, direction))),
            Value::Unknown(why) => rules.push(not_known(reader, resource, (key, &place), &why)),
            Value::Refers(reference) => rules.push(not_known(reader, resource, (key, &place), &reference.why())),
            Value::Absent => {}
            Value::Text(_) | Value::List(_) => {
                template.mistake(Mistake::new(found.node.start(), format!("`{key}` is a list of rules")));
            }
        }
    }
    Some(rules)
}

/// Rules of which nothing is known, as one that is listed.
fn not_known(
    reader: &mut Reader<'_>,
    resource: &Resource<'_>,
    (key, place): (&str, &SourceLocation),
    why: &str,
) -> Rule {
    leave_out(reader, resource, key, place, Reason::UnknownValue(why.to_owned()));
    unknown_rule(why, &origin(resource, place))
}

/// `AWS::EC2::SecurityGroupIngress` and `AWS::EC2::SecurityGroupEgress`.
pub fn apart<'t>(reader: &mut Reader<'_>, template: &Template<'t>, resource: &Resource<'t>, direction: Direction) {
    let said = resource.properties;
    let by_id = template.one_of(said, "GroupId", Wanted::Group);
    let group = match by_id {
        Told::Absent => template.group_by_name(&template.property(said, "GroupName")),
        told => told,
    };
    let group = match group {
        Told::Is(group) => group,
        Told::Absent => return reader.lacks(said, resource.name, "GroupId"),
        Told::Unknown(why) => return resource.unknown(reader, format!("its group: {why}")),
    };
    let rules = one(reader, template, resource, (said, direction));
    if direction == Direction::Egress && !rules.is_empty() {
        replace_all(reader, resource, &group, &rules);
    }
    for rule in rules {
        reader.into.rule(group.clone(), direction, rule);
    }
}

/// A rule apart may take the place of a group's rule for everything: CloudFormation was seen to remove it, and its documents do not say so.
///
/// Source: aws/aws-cdk issues 987, 3355 and 22140.
fn replace_all(reader: &mut Reader<'_>, resource: &Resource<'_>, group: &ResourceId, rules: &[Rule]) {
    let is_all = |rule: &Rule| {
        rule.traffic == Known::Is(Traffic::All) && matches!(rule.peer, Peer::Block(block) if block.prefix_len() == 0)
    };
    let Some(found) = reader.into.account.groups.get_mut(group) else { return };
    if rules.iter().any(is_all) {
        return;
    }
    let why = format!("CloudFormation may remove the rule for everything because of `{}`", resource.name);
    for rule in found.egress.iter_mut().filter(|rule| is_all(rule)) {
        rule.peer = Peer::Unknown(why.clone());
        let (kind, origin) = ("SecurityGroupEgress".to_owned(), rule.origin.clone());
        let left_out = LeftOut { kind, reason: Reason::UnknownValue(why.clone()), origin };
        if !reader.into.account.left_out.contains(&left_out) {
            reader.into.account.left_out.push(left_out);
        }
    }
}

fn origin(resource: &Resource<'_>, place: &SourceLocation) -> Origin {
    Origin { digest: resource.digest, ..Origin::new(ResourceId::new(resource.name), place.clone()) }
}

fn leave_out(reader: &mut Reader<'_>, resource: &Resource<'_>, kind: &str, place: &SourceLocation, reason: Reason) {
    let origin = origin(resource, place);
    reader.into.account.left_out.push(LeftOut { kind: kind.to_owned(), reason, origin });
}

/// One rule for each peer that is said.
fn one<'t>(
    reader: &mut Reader<'_>,
    template: &Template<'t>,
    resource: &Resource<'t>,
    (said, direction): (Node<'t>, Direction),
) -> Vec<Rule> {
    let place = match said.start() == resource.properties.start() {
        // The place of a rule apart is that of its resource.
        true => resource.origin(reader).place,
        false => reader.source.place(said.span()),
    };
    let Some(traffic) = traffic(reader, template, resource, said) else { return Vec::new() };
    let Said { mut peers, mut left_out } = peers(reader, template, resource, (said, direction));
    if let Known::Unknown(why) = &resource.there {
        peers.iter_mut().for_each(|peer| *peer = Peer::Unknown(why.clone()));
        peers.truncate(1);
    }
    if peers.is_empty() && left_out.is_empty() {
        // The stack is made, and no rule.
        left_out.push(Reason::NoPartInReach);
    }
    let unknown_peers = peers.iter().filter_map(|peer| match peer {
        Peer::Unknown(why) => Some(why.clone()),
        Peer::Block(_) | Peer::Group(_) | Peer::PrefixList(_) => None,
    });
    left_out.extend(unknown_peers.chain(traffic.why_unknown().map(str::to_owned)).map(Reason::UnknownValue));
    for reason in left_out {
        let kind = if direction == Direction::Ingress { "SecurityGroupIngress" } else { "SecurityGroupEgress" };
        leave_out(reader, resource, kind, &place, reason);
    }
    let description = template.known_text(said, "Description").filter(|text| !text.is_empty());
    let rule = |peer| Rule {
        traffic: traffic.clone(),
        peer,
        description: description.clone(),
        origin: origin(resource, &place),
    };
    peers.into_iter().map(rule).collect()
}

/// The traffic of a rule; nothing where it is wrong.
fn traffic<'t>(
    reader: &mut Reader<'_>,
    template: &Template<'t>,
    resource: &Resource<'t>,
    said: Node<'t>,
) -> Option<Known<Traffic>> {
    let protocol = template.property(said, "IpProtocol");
    let word = match template.text(&protocol) {
        Told::Is(word) => word,
        Told::Absent => {
            reader.lacks(said, resource.name, "IpProtocol");
            return None;
        }
        Told::Unknown(why) => return Some(Known::Unknown(why)),
    };
    let mut ports = [None, None];
    for (port, key) in ports.iter_mut().zip(["FromPort", "ToPort"]) {
        match template.number_of(said, key) {
            Told::Is(number) => *port = Some(number),
            Told::Absent => {}
            Told::Unknown(why) => return Some(Known::Unknown(why)),
        }
    }
    let [from, to] = ports;
    match words::traffic(word.trim(), from, to) {
        Ok(traffic) => Some(Known::Is(traffic)),
        Err(wrong) => {
            reader.wrong(protocol.node, resource.name, wrong);
            None
        }
    }
}

/// The other sides of a rule, and why some are left out.
struct Said {
    peers: Vec<Peer>,
    left_out: Vec<Reason>,
}

fn peers<'t>(
    reader: &mut Reader<'_>,
    template: &Template<'t>,
    resource: &Resource<'t>,
    (said, direction): (Node<'t>, Direction),
) -> Said {
    let sides = sides(direction);
    let mut all = Said { peers: Vec::new(), left_out: Vec::new() };
    let mut add = |told: Told<Peer>| match told {
        Told::Is(peer) => all.peers.push(peer),
        Told::Absent => {}
        Told::Unknown(why) => all.peers.push(Peer::Unknown(why)),
    };
    for key in ["CidrIp", "CidrIpv6"] {
        let found = template.property(said, key);
        let is_empty = matches!(&found.value, Value::Text(text) if text.is_empty());
        if !is_empty {
            add(template.block(reader, resource.name, &found).map(Peer::Block));
        }
    }
    add(template.one_of(said, sides.prefix_list, Wanted::PrefixList).map(Peer::PrefixList));
    let by_id = template.property(said, sides.group);
    let group = template.one(&by_id, Wanted::Group).map(Peer::Group);
    let Some((name, owner)) = sides.named else {
        add(group);
        return all;
    };
    let named = template.property(said, name);
    let is_own = matches!(by_id.value, Value::Refers(_)) || matches!(named.value, Value::Refers(_));
    let group = match group {
        Told::Absent => template.group_by_name(&named).map(Peer::Group),
        group => group,
    };
    match (group, owner_of(template, &template.property(said, owner))) {
        (Told::Absent, _) => {}
        // A group of this template is of this account, whatever the parameter of the account says.
        (group, _) if is_own => add(group),
        (group, Owner::Own) => add(group),
        (_, Owner::Other) => all.left_out.push(Reason::ForeignAccount),
        (_, Owner::Unknown(why)) => add(Told::Unknown(format!("the account of its group: {why}"))),
    }
    all
}

/// The account that has a group.
enum Owner {
    Own,
    Other,
    Unknown(String),
}

fn owner_of<'t>(template: &Template<'t>, owner: &Found<'t>) -> Owner {
    if owner.node.text_of("Ref") == Some("AWS::AccountId") {
        return Owner::Own;
    }
    match template.text(owner) {
        Told::Is(text) if text.is_empty() => Owner::Own,
        Told::Is(_) => Owner::Other,
        Told::Absent => Owner::Own,
        Told::Unknown(why) => Owner::Unknown(why),
    }
}
