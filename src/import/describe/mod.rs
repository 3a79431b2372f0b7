//! Replies of `aws ec2 describe-*` as the AWS CLI writes them: single, merged, cut by `--query`, with a collector's keys.

mod groups;
mod interfaces;
mod items;
mod networks;

use super::reader::Reader;
use super::tree::{Node, alike};
use crate::account::Reason;

/// A reader of one item.
type Read = fn(&mut Reader<'_>, Node<'_>);

/// The lists of replies that say who reaches whom, each with a key by which an item is told where a reply is cut to its list.
const LISTS: &[(&str, &[&str], Read)] = &[
    ("Vpcs", &["CidrBlock", "DhcpOptionsId"], networks::vpc),
    ("Subnets", &["SubnetId", "CidrBlock"], networks::subnet),
    ("SecurityGroups", &["GroupId", "IpPermissions"], groups::group),
    ("SecurityGroupRules", &["SecurityGroupRuleId"], groups::rule_details),
    ("Reservations", &["Instances"], interfaces::reservation),
    ("Instances", &["InstanceId", "ImageId"], interfaces::instance),
    ("NetworkInterfaces", &["NetworkInterfaceId"], interfaces::interface),
    ("PrefixLists", &["PrefixListId"], networks::prefix_list),
    ("RouteTables", &["RouteTableId"], networks::route_table),
    ("NetworkAcls", &["NetworkAclId"], networks::network_acl),
];

/// Lists that have no part in who reaches whom, or are told by an interface as well.
const WITHOUT_PART: &[&str] =
    &["Addresses", "InternetGateways", "LoadBalancerDescriptions", "Tags", "KeyPairs", "Volumes", "Images"];

/// Lists of what is not emulated.
const NOT_EMULATED: &[&str] = &[
    "NatGateways",
    "VpcPeeringConnections",
    "TransitGateways",
    "TransitGatewayAttachments",
    "TransitGatewayRouteTables",
    "VpnConnections",
    "VpnGateways",
    "VpcEndpoints",
    "EgressOnlyInternetGateways",
    "Firewalls",
    "ClientVpnEndpoints",
    "CustomerGateways",
];

/// Returns true if a document is such a reply.
pub(super) fn is_reply(root: Node<'_>) -> bool {
    let known = |key: &str| has_list(root, key);
    LISTS.iter().any(|(key, ..)| known(key))
        || WITHOUT_PART.iter().chain(NOT_EMULATED).any(|key| known(key))
        || root.is_list() && flat(root).next().is_some_and(|item| of_item(item).is_some() || is_whole(item))
}

/// Returns true for a whole reply in a list of several, as `jq -s` makes it.
fn is_whole(item: Node<'_>) -> bool {
    let known = |key: &str| has_list(item, key);
    LISTS.iter().any(|(key, ..)| known(key))
        || NOT_EMULATED.iter().any(|key| known(key))
        || item.entries().count() == 1 && WITHOUT_PART.iter().any(|key| known(key))
}

/// Returns true if an object has a list of a reply. A word of small letters may be one of any other file: there the first item decides.
fn has_list(object: Node<'_>, key: &str) -> bool {
    let mut lists = object.entries().filter(|(_, value)| value.is_list());
    lists.any(|(written, list)| {
        let has_id = |item: Node<'_>| of_item(item).is_some() || item.entries().any(|(key, _)| key.ends_with("_id"));
        let is_told = || written.contains('_') || list.items().next().is_some_and(has_id);
        written == key || alike(written, key) && is_told()
    })
}

/// Reads a reply, or several in one object.
pub(super) fn read(reader: &mut Reader<'_>, root: Node<'_>) {
    if root.is_list() {
        for item in flat(root) {
            match of_item(item) {
                Some(read_item) => read_item(reader, item),
                None if is_whole(item) => read(reader, item),
                None => reader.leave_out(item, "item", "", Reason::NotEmulated),
            }
        }
        return;
    }
    for (key, _, read) in LISTS {
        root.items_of(key).for_each(|item| read(reader, item));
    }
    for (key, value) in root.entries().filter(|(_, value)| value.is_list()) {
        let is = |known: &str| known == key || alike(key, known);
        if LISTS.iter().any(|(known, ..)| is(known)) || is("Groups") {
            continue;
        }
        let is_without_part = WITHOUT_PART.iter().any(|known| is(known));
        let reason = Reason::not_emulated_if(!is_without_part);
        for item in value.items() {
            let is_id = |key: &str| key.ends_with("Id") || key.ends_with("_id");
            let id = item.entries().find(|(key, _)| is_id(key)).and_then(|(_, id)| id.text());
            reader.leave_out(item, key, id.unwrap_or_default(), reason.clone());
        }
    }
    if root.text_of("NextToken").is_some() {
        let mistake = super::fault::Mistake::new(root.span(), "the reply is one page of several: it has a `NextToken`");
        reader.fault(mistake.help("give all pages, or run the AWS CLI without `--no-paginate` and `--max-items`"));
    }
}

/// The items of lists in lists: `--query 'Reservations[].Instances'`.
fn flat(root: Node<'_>) -> Box<dyn Iterator<Item = Node<'_>> + '_> {
    if root.is_list() { Box::new(root.items().flat_map(flat)) } else { Box::new(std::iter::once(root)) }
}

fn of_item(item: Node<'_>) -> Option<Read> {
    let has = |keys: &[&str]| keys.iter().all(|key| item.get(key).is_some());
    let known = LISTS.iter().find(|(_, keys, _)| has(keys)).map(|(.., read)| *read);
    // A query may keep a few keys only.
    known
        .or_else(|| has(&["GroupId", "IsEgress"]).then_some(groups::rule_details as Read))
        .or_else(|| has(&["InstanceId"]).then_some(interfaces::instance as Read))
        .or_else(|| has(&["GroupId"]).then_some(groups::group as Read))
}
