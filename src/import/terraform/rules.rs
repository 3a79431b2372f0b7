//! Rules, inline in a group and apart from it.

use indexmap::IndexSet;

use super::super::placed::unknown_rule;
use super::super::reader::{Reader, mixed};
use super::super::tree::Node;
use super::super::words;
use super::context::Context;
use super::digests;
use super::resource::{Block, Resource, Value};
use super::told::Told;
use super::wanted::Wanted;
use crate::account::{Known, Peer, Reason, ResourceId, Rule};
use crate::model::{Direction, Traffic};

/// The attributes of one form of rule.
struct Form {
    protocol: &'static str,
    blocks: &'static [&'static str],
    prefix_lists: &'static str,
    groups: &'static str,
    is_inline: bool,
}

const INLINE: Form = Form {
    is_inline: true,
    protocol: "protocol",
    blocks: &["cidr_blocks", "ipv6_cidr_blocks"],
    prefix_lists: "prefix_list_ids",
    groups: "security_groups",
};
const APART: Form = Form { groups: "source_security_group_id", is_inline: false, ..INLINE };
const SINGLE: Form = Form {
    protocol: "ip_protocol",
    blocks: &["cidr_ipv4", "cidr_ipv6"],
    prefix_lists: "prefix_list_id",
    groups: "referenced_security_group_id",
    is_inline: false,
};

/// Types of rules apart from their groups.
pub const KINDS_APART: [&str; 3] =
    ["aws_security_group_rule", "aws_vpc_security_group_ingress_rule", "aws_vpc_security_group_egress_rule"];

/// One rule of the file: the resource that says it, its values, and the group that it is of.
#[derive(Clone, Copy)]
struct Said<'a, 't> {
    resource: &'a Resource<'t>,
    block: &'a Block<'t>,
    group: &'a ResourceId,
    form: &'static Form,
}

/// The inline rules of a group in one direction. The group's own ones that are not known at all are none: nobody says any.
pub fn inline<'t>(reader: &mut Reader<'_>, context: &Context<'_, 't>, resource: &Resource<'t>, key: &str) -> Vec<Rule> {
    let group = resource.id();
    let whole = |reader: &mut Reader<'_>, why: String| {
        reader.leave_out(resource.node, key, &resource.address, Reason::UnknownValue(why.clone()));
        let mut origin = reader.origin(resource.node, &resource.address);
        origin.digest = digests::of_attributes(reader.source, context.index, resource, &[key]);
        vec![unknown_rule(&why, &origin)]
    };
    match resource.body.value(key) {
        Value::Absent if resource.body.blocks(key).is_empty() => Vec::new(),
        Value::Hidden => whole(reader, format!("`{key}` is marked as sensitive")),
        // Without blocks and without a `dynamic` one, Terraform shows the attribute as computed: it takes what AWS has, and a new group has
        // none, since the provider revokes what AWS gives it. An existing group's rules are known.
        Value::Unknown if is_unsaid(context, resource, key) => Vec::new(),
        Value::Unknown => whole(reader, format!("`{key}` is known after apply")),
        Value::Is(list) if list.text().is_some() => {
            reader.wrong(list, &resource.address, (format!("`{key}` is a list of rules"), None));
            Vec::new()
        }
        Value::Absent | Value::Is(_) => {
            let mut all: Vec<Rule> = Vec::new();
            for block in &resource.body.blocks(key) {
                let is_known = block.values.is_some_and(|values| values.entries().next().is_some());
                all.extend(match is_known {
                    true => rules(reader, context, Said { resource, block, group: &group, form: &INLINE }),
                    false => whole(reader, format!("a rule of `{key}` is known after apply")),
                });
            }
            // Such rules are those that AWS had before the plan, also of resources that the plan changes.
            if is_unsaid(context, resource, key) {
                for old in withdrawn(reader, context, &group, key) {
                    all.retain(|rule| (&rule.traffic, &rule.peer) != (&old.traffic, &old.peer));
                }
            }
            all
        }
    }
}

/// Returns true if nothing in the configuration says what the rules are. A `dynamic` block is in no configuration. Where it goes through
/// something unknown, the plan has one block in its place, with unknown values.
///
/// Source: hashicorp/terraform-provider-aws issue 27614; `fixupBlocksExpr` (hashicorp/terraform, internal/lang/blocktoattr/fixup.go).
fn is_unsaid(context: &Context<'_, '_>, resource: &Resource<'_>, key: &str) -> bool {
    context.index.configuration.module(&resource.module).is_some() && resource.body.expressions_of(key).is_empty()
}

/// The rules of a group in one direction that stand apart from it and that the plan changes or deletes, as they were.
fn withdrawn<'t>(reader: &mut Reader<'_>, context: &Context<'_, 't>, group: &ResourceId, key: &str) -> Vec<Rule> {
    let of_group = context.index.withdrawn.iter().filter(|resource| {
        let direction = match resource.kind.as_str() {
            "aws_vpc_security_group_ingress_rule" => Some("ingress"),
            "aws_vpc_security_group_egress_rule" => Some("egress"),
            _ => resource.body.text("type"),
        };
        resource.body.text("security_group_id") == Some(group.as_str()) && direction == Some(key)
    });
    let mut all = Vec::new();
    for resource in of_group {
        let form = if resource.kind == "aws_security_group_rule" { &APART } else { &SINGLE };
        all.extend(rules(reader, context, Said { resource, block: &resource.body, group, form }));
    }
    all
}

/// `aws_security_group_rule`.
pub fn apart<'t>(reader: &mut Reader<'_>, context: &Context<'_, 't>, resource: &Resource<'t>) {
    let direction = match resource.body.text("type") {
        Some("ingress") => Direction::Ingress,
        Some("egress") => Direction::Egress,
        Some(other) => {
            let node = resource.body.value("type").known().unwrap_or(resource.node);
            let advice = crate::model::suggest(other, ["ingress", "egress"]);
            return reader.wrong(node, &resource.address, ("`type` is ingress or egress".to_owned(), advice));
        }
        None => {
            return match resource.body.value("type") {
                Value::Unknown | Value::Hidden => leave_out(reader, resource, "`type` is not known".to_owned()),
                Value::Is(_) | Value::Absent => reader.lacks(resource.node, &resource.address, "type"),
            };
        }
    };
    of_group(reader, context, resource, direction, &APART);
}

/// `aws_vpc_security_group_ingress_rule` and `aws_vpc_security_group_egress_rule`.
pub fn single<'t>(reader: &mut Reader<'_>, context: &Context<'_, 't>, resource: &Resource<'t>, direction: Direction) {
    of_group(reader, context, resource, direction, &SINGLE);
}

fn of_group<'t>(
    reader: &mut Reader<'_>,
    context: &Context<'_, 't>,
    resource: &Resource<'t>,
    direction: Direction,
    form: &'static Form,
) {
    let told = context.resolver.one(resource, &resource.body, "security_group_id", Wanted::Group);
    let group = match told {
        Told::Is(group) => group,
        Told::Absent => return reader.lacks(resource.node, &resource.address, "security_group_id"),
        Told::Chosen => return leave_out(reader, resource, "its group is known after apply".to_owned()),
        Told::Unknown(why) => return leave_out(reader, resource, format!("its group: {why}")),
    };
    let said = Said { resource, block: &resource.body, group: &group, form };
    for rule in rules(reader, context, said) {
        reader.into.rule(group.clone(), direction, rule);
    }
}

fn leave_out(reader: &mut Reader<'_>, resource: &Resource<'_>, why: String) {
    reader.leave_out(resource.node, &resource.kind, &resource.address, Reason::UnknownValue(why));
}

/// One rule for each peer.
fn rules<'t>(reader: &mut Reader<'_>, context: &Context<'_, 't>, said: Said<'_, 't>) -> Vec<Rule> {
    let Said { resource, block, form, .. } = said;
    let node = block.values.filter(|_| !std::ptr::eq(block, &resource.body)).unwrap_or(resource.node);
    let mut origin = reader.origin(node, &resource.address);
    if form.is_inline {
        origin.digest = mixed(origin.digest, digests::of_block(reader.source, context.index, resource, block));
    }
    let Some(traffic) = traffic(reader, said, node) else { return Vec::new() };
    let before = (reader.into.account.left_out.len(), reader.into.faults.len());
    let peers = peers(reader, context, said);
    if peers.is_empty() && before == (reader.into.account.left_out.len(), reader.into.faults.len()) {
        let why = "it gives no block, prefix list or group".to_owned();
        reader.leave_out(node, &resource.kind, &resource.address, Reason::UnknownValue(why));
    }
    if let Some(why) = traffic.why_unknown() {
        reader.leave_out(node, &resource.kind, &resource.address, Reason::UnknownValue(why.to_owned()));
    }
    let description = block.text("description").filter(|text| !text.is_empty()).map(str::to_owned);
    let rule = |peer: Peer| {
        if let Peer::Unknown(why) = &peer {
            reader.leave_out(node, &resource.kind, &resource.address, Reason::UnknownValue(why.clone()));
        }
        Rule { traffic: traffic.clone(), peer, description: description.clone(), origin: origin.clone() }
    };
    peers.into_iter().map(rule).collect()
}

/// The traffic of a rule; nothing where it is wrong.
fn traffic(reader: &mut Reader<'_>, said: Said<'_, '_>, node: Node<'_>) -> Option<Known<Traffic>> {
    let Said { resource, block, form, .. } = said;
    let protocol = match block.value(form.protocol) {
        Value::Is(protocol) => protocol,
        Value::Absent => {
            reader.lacks(node, &resource.address, form.protocol);
            return None;
        }
        Value::Unknown | Value::Hidden => return Some(Known::Unknown(format!("`{}` is not known", form.protocol))),
    };
    let mut ports = [None, None];
    for (port, key) in ports.iter_mut().zip(["from_port", "to_port"]) {
        match block.value(key) {
            Value::Is(node) if node.number().is_none() => {
                reader.wrong(node, &resource.address, (format!("`{key}` is no number"), None));
                return None;
            }
            Value::Is(node) => *port = node.number(),
            Value::Absent => {}
            Value::Unknown | Value::Hidden => return Some(Known::Unknown(format!("`{key}` is not known"))),
        }
    }
    let [from, to] = ports;
    match words::traffic(protocol.text().unwrap_or_default(), from, to) {
        Ok(traffic) => Some(Known::Is(traffic)),
        Err(wrong) => {
            reader.wrong(protocol, &resource.address, wrong);
            None
        }
    }
}

fn peers<'t>(reader: &mut Reader<'_>, context: &Context<'_, 't>, said: Said<'_, 't>) -> Vec<Peer> {
    let Said { resource, block, group, form } = said;
    let mut peers = Vec::new();
    for key in form.blocks {
        let is_unknown = match block.value(key) {
            Value::Hidden => true,
            // A provider may show as computed what nobody gives.
            Value::Unknown => form.is_inline || block.is_given(key),
            Value::Is(_) | Value::Absent => false,
        };
        if is_unknown {
            peers.push(Peer::Unknown(format!("`{key}` is not known")));
            continue;
        }
        let (known, unknown) = block.elements(key);
        for node in known {
            match words::block(node.text().unwrap_or_default()) {
                Ok(block) => peers.push(Peer::Block(block)),
                Err(wrong) => reader.wrong(node, &resource.address, wrong),
            }
        }
        if unknown > 0 {
            peers.push(Peer::Unknown(format!("`{key}` has an element that is not known")));
        }
    }
    match context.resolver.several(resource, block, form.prefix_lists, Wanted::PrefixList) {
        Told::Is(lists) => peers.extend(lists.into_iter().map(Peer::PrefixList)),
        Told::Absent | Told::Chosen => {}
        Told::Unknown(why) => peers.push(Peer::Unknown(why)),
    }
    let is_self = match block.value("self") {
        Value::Is(node) => node.boolean() == Some(true),
        Value::Absent => false,
        Value::Unknown if !form.is_inline && !block.is_given("self") => false,
        Value::Unknown | Value::Hidden => {
            peers.push(Peer::Unknown("`self` is not known".to_owned()));
            false
        }
    };
    match groups(context, said, is_self || !peers.is_empty()) {
        Told::Is(groups) => {
            for id in groups {
                match id.as_str().split_once('/') {
                    // `111122223333/sg-0abc` is of another account.
                    Some((account, _)) if account.bytes().all(|byte| byte.is_ascii_digit()) => {
                        reader.leave_out(resource.node, form.groups, &resource.address, Reason::ForeignAccount);
                    }
                    _ => peers.push(Peer::Group(id)),
                }
            }
        }
        Told::Absent | Told::Chosen => {}
        Told::Unknown(why) => peers.push(Peer::Unknown(why)),
    }
    if is_self {
        peers.push(Peer::Group(group.clone()));
    }
    peers
}

/// The groups that a rule names. A rule apart names one and no other peer, or others and none: `source_security_group_id` is shown as computed
/// then.
///
/// Source: `aws_security_group_rule` (provider's documentation), "Cannot be specified with".
fn groups<'t>(context: &Context<'_, 't>, said: Said<'_, 't>, has_others: bool) -> Told<IndexSet<ResourceId>> {
    let Said { resource, block, form, .. } = said;
    if form.is_inline {
        return context.resolver.several(resource, block, form.groups, Wanted::Group);
    }
    if has_others && block.value(form.groups).known().is_none() {
        return Told::Absent;
    }
    match context.resolver.one(resource, block, form.groups, Wanted::Group) {
        Told::Is(group) => Told::Is([group].into_iter().collect()),
        Told::Absent => Told::Absent,
        Told::Chosen => Told::Chosen,
        Told::Unknown(why) => Told::Unknown(why),
    }
}
