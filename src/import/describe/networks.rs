//! VPCs, subnets, route tables, network ACLs and prefix lists of `describe-*` replies.

use indexmap::IndexMap;
use ipnet::IpNet;

use super::super::builder::TagsOf;
use super::super::reader::Reader;
use super::super::tree::Node;
use super::super::words;
use super::items::{id_of, name_tag, tags};
use crate::account::{Ipv6Block, Known, PrefixList, Reason, ResourceId, Subnet, Vpc, of_amazon};

/// Reads a VPC with all its blocks.
pub fn vpc(reader: &mut Reader<'_>, item: Node<'_>) {
    let Some(id) = id_of(reader, item, "VpcId") else { return };
    let more = item
        .items_of("CidrBlockAssociationSet")
        .filter(|block| !is_gone(*block, "CidrBlockState"))
        .filter_map(|block| block.get("CidrBlock"));
    let own: Vec<Node<'_>> = item.get("CidrBlock").into_iter().chain(more).collect();
    let mut blocks = Vec::new();
    for block in read_blocks(reader, &own, id) {
        if let IpNet::V4(block) = block
            && !blocks.contains(&block)
        {
            blocks.push(block);
        }
    }
    let ipv6: Vec<Node<'_>> = ipv6_blocks(item).collect();
    let ipv6 = read_blocks(reader, &ipv6, id);
    let label = name_tag(item).unwrap_or(id).to_owned();
    let origin = reader.origin(item, id);
    reader.into.account.vpcs.insert(ResourceId::new(id), Vpc { label, blocks, ipv6, origin });
}

fn read_blocks(reader: &mut Reader<'_>, nodes: &[Node<'_>], resource: &str) -> Vec<IpNet> {
    let mut blocks = Vec::new();
    for node in nodes {
        match words::block(node.text().unwrap_or_default()) {
            Ok(block) => blocks.push(block),
            Err(wrong) => reader.wrong(*node, resource, wrong),
        }
    }
    blocks
}

/// Reads a subnet.
pub fn subnet(reader: &mut Reader<'_>, item: Node<'_>) {
    let Some(id) = id_of(reader, item, "SubnetId") else { return };
    let own: Vec<Node<'_>> = item.get("CidrBlock").into_iter().collect();
    let block = read_blocks(reader, &own, id).into_iter().find_map(|block| match block {
        IpNet::V4(block) => Some(block),
        IpNet::V6(_) => None,
    });
    let automatic = item.get("MapPublicIpOnLaunch").and_then(Node::boolean);
    let subnet = Subnet {
        label: name_tag(item).unwrap_or(id).to_owned(),
        vpc: item.text_of("VpcId").map(ResourceId::new),
        block,
        automatic_public: automatic.map_or_else(|| Known::Unknown(UNTOLD.to_owned()), Known::Is),
        ipv6: ipv6_block(reader, item, id),
        automatic_ipv6: item
            .get("AssignIpv6AddressOnCreation")
            .and_then(Node::boolean)
            .map_or_else(|| Known::Unknown(UNTOLD.to_owned()), Known::Is),
        origin: reader.origin(item, id),
    };
    reader.into.account.subnets.insert(ResourceId::new(id), subnet);
}

const UNTOLD: &str = "the reply does not tell";

/// The IPv6 blocks of a VPC or a subnet; one that is taken away again stands in the reply for a while.
fn ipv6_blocks(item: Node<'_>) -> impl Iterator<Item = Node<'_>> {
    item.items_of("Ipv6CidrBlockAssociationSet")
        .filter(|block| !is_gone(*block, "Ipv6CidrBlockState"))
        .filter_map(|block| block.get("Ipv6CidrBlock"))
}

/// Returns true for a block that was, or could not be, associated.
///
/// Source: "VpcCidrBlockState" (Amazon EC2 API reference).
fn is_gone(block: Node<'_>, state: &str) -> bool {
    matches!(
        block.at(&[state, "State"]).and_then(Node::text),
        Some("disassociated" | "disassociating" | "failed" | "failing")
    )
}

/// The IPv6 block of a subnet.
fn ipv6_block(reader: &mut Reader<'_>, item: Node<'_>, id: &str) -> Ipv6Block {
    if item.get("Ipv6CidrBlockAssociationSet").is_none() {
        return Ipv6Block::Unknown(UNTOLD.to_owned());
    }
    let blocks: Vec<Node<'_>> = ipv6_blocks(item).collect();
    let found = read_blocks(reader, &blocks, id).into_iter().find_map(|block| match block {
        IpNet::V4(_) => None,
        IpNet::V6(block) => Some(block),
    });
    found.map_or(Ipv6Block::None, Ipv6Block::Is)
}

/// Reads a prefix list. `get-managed-prefix-list-entries` gives its entries without its id, so a collector adds them to the list.
pub fn prefix_list(reader: &mut Reader<'_>, item: Node<'_>) {
    let Some(id) = id_of(reader, item, "PrefixListId") else { return };
    let list = item.get("Cidrs").or_else(|| item.get("Entries"));
    let nodes: Vec<Node<'_>> = list
        .into_iter()
        .flat_map(Node::items)
        .filter_map(|entry| entry.get("Cidr").or_else(|| entry.text().map(|_| entry)))
        .collect();
    let entries = match list {
        Some(_) => Known::Is(read_blocks(reader, &nodes, id)),
        None => Known::Unknown("no source has its entries".to_owned()),
    };
    let mut descriptions = IndexMap::new();
    for entry in list.into_iter().flat_map(Node::items) {
        let text = entry.text_of("Description").filter(|text| !text.is_empty());
        let block = entry.text_of("Cidr").and_then(|cidr| words::block(cidr).ok());
        descriptions.extend(block.zip(text).map(|(block, text)| (block, text.to_owned())));
    }
    let max_entries = item.get("MaxEntries").and_then(Node::number).and_then(|most| u32::try_from(most).ok());
    let label = item.text_of("PrefixListName").unwrap_or(id).to_owned();
    let (family, published) = of_amazon(&label).unzip();
    let address_family = item.text_of("AddressFamily").and_then(words::address_family).or(family);
    let origin = reader.origin(item, id);
    reader.into.tags(ResourceId::new(id), tags(item), TagsOf::Itself);
    let lists = &mut reader.into.account.prefix_lists;
    // One reply has the name, another the entries.
    let known = lists.entry(ResourceId::new(id)).or_insert_with(|| PrefixList {
        label: label.clone(),
        entries: entries.clone(),
        descriptions: descriptions.clone(),
        max_entries,
        address_family,
        published,
        origin,
    });
    if known.entries.known().is_none() {
        known.entries = entries;
        known.descriptions = descriptions;
    }
    known.max_entries = known.max_entries.or(max_entries);
    known.address_family = known.address_family.or(address_family);
    known.published = known.published.or(published);
    if known.label == id {
        known.label = label;
    }
}

/// A route table: what no group decides. Routes beyond the local one and the internet gateway are listed.
pub fn route_table(reader: &mut Reader<'_>, item: Node<'_>) {
    let id = item.text_of("RouteTableId").unwrap_or_default();
    for route in item.items_of("Routes") {
        let gateway = route.text_of("GatewayId");
        if gateway.is_some_and(|gateway| gateway == "local" || gateway.starts_with("igw-")) {
            continue;
        }
        reader.leave_out(route, "route", id, Reason::NotEmulated);
    }
}

/// A network ACL. One that admits all, as that of each new VPC does, decides nothing; any other is not emulated.
///
/// Source: "Default network ACL" (Amazon VPC user guide).
pub fn network_acl(reader: &mut Reader<'_>, item: Node<'_>) {
    let id = item.text_of("NetworkAclId").unwrap_or_default();
    let admits_all = |egress: bool, key: &str, all: &str| {
        let mut entries: Vec<Node<'_>> = item
            .items_of("Entries")
            .filter(|entry| entry.get("Egress").and_then(Node::boolean) == Some(egress) && entry.get(key).is_some())
            .collect();
        entries.sort_by_key(|entry| entry.get("RuleNumber").and_then(Node::number));
        entries.first().is_none_or(|first| {
            first.text_of("Protocol") == Some("-1")
                && first.text_of("RuleAction") == Some("allow")
                && first.text_of(key) == Some(all)
        })
    };
    let plain = [false, true]
        .iter()
        .all(|egress| admits_all(*egress, "CidrBlock", "0.0.0.0/0") && admits_all(*egress, "Ipv6CidrBlock", "::/0"));
    if !plain {
        reader.leave_out(item, "network ACL", id, Reason::NotEmulated);
    }
}
