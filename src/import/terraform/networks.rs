//! VPCs, subnets and prefix lists.

use indexmap::IndexMap;
use ipnet::{IpNet, Ipv4Net};

use super::super::placed::Subnets;
use super::super::reader::{Reader, mixed};
use super::super::tree::Node;
use super::super::words;
use super::address::Mode;
use super::context::{Context, id_or_listed, required};
use super::resource::{Resource, Value};
use super::told::Told;
use super::wanted::Wanted;
use crate::account::{Ipv6Block, Known, PrefixList, Reason, Subnet, Vpc, of_amazon};

const NO_BLOCK: &str = "its IPv4 block is not known";

/// `aws_vpc`, `aws_default_vpc` and the data source.
pub fn vpc(reader: &mut Reader<'_>, context: &Context<'_, '_>, resource: &Resource<'_>) {
    let id = resource.id();
    reader.into.alias(&resource.address, &id);
    let mut blocks = ipv4(reader, resource, resource.body.value("cidr_block"));
    for association in resource.body.blocks("cidr_block_associations") {
        blocks.extend(ipv4(reader, resource, association.value("cidr_block")));
    }
    let mut unique = Vec::new();
    blocks.retain(|block| {
        !unique.contains(block) && {
            unique.push(*block);
            true
        }
    });
    if let Value::Unknown | Value::Hidden = resource.body.value("cidr_block") {
        reader.leave_out(resource.node, &resource.kind, &resource.address, Reason::UnknownValue(NO_BLOCK.to_owned()));
    }
    let ipv6 = nets(reader, resource, resource.body.value("ipv6_cidr_block"));
    let vpc = Vpc {
        label: context.labels.of(resource),
        blocks,
        ipv6,
        origin: reader.origin(resource.node, &resource.address),
    };
    let vpcs = &mut reader.into.account.vpcs;
    if resource.is_data() {
        vpcs.entry(id).or_insert(vpc);
    } else {
        vpcs.insert(id, vpc);
    }
}

/// `aws_vpc_ipv4_cidr_block_association`: a further block.
pub fn more_blocks<'t>(reader: &mut Reader<'_>, context: &Context<'_, 't>, resource: &Resource<'t>) {
    let told = context.resolver.one(resource, &resource.body, "vpc_id", Wanted::Vpc);
    let Some(id) = required(reader, resource, told, "vpc_id") else { return };
    let blocks = ipv4(reader, resource, resource.body.value("cidr_block"));
    let reason = match reader.into.account.vpcs.get_mut(&id) {
        None => Reason::StaleReference(id.to_string()),
        Some(_) if blocks.is_empty() => Reason::UnknownValue(NO_BLOCK.to_owned()),
        Some(vpc) => {
            let new = blocks.into_iter().filter(|block| !vpc.blocks.contains(block)).collect::<Vec<_>>();
            return vpc.blocks.extend(new);
        }
    };
    reader.leave_out(resource.node, &resource.kind, &resource.address, reason);
}

/// `aws_subnet`, `aws_default_subnet` and the data source.
pub fn subnet<'t>(reader: &mut Reader<'_>, context: &Context<'_, 't>, resource: &Resource<'t>) {
    let id = resource.id();
    reader.into.alias(&resource.address, &id);
    let told = context.resolver.one(resource, &resource.body, "vpc_id", Wanted::Vpc);
    let vpc = id_or_listed(reader, resource, told);
    let automatic_public = match resource.body.value("map_public_ip_on_launch") {
        Value::Is(node) => Known::Is(node.boolean() == Some(true)),
        Value::Absent if resource.kind == "aws_subnet" => Known::Is(false),
        Value::Absent | Value::Unknown | Value::Hidden => {
            Known::Unknown("`map_public_ip_on_launch` is not known".to_owned())
        }
    };
    let subnet = Subnet {
        label: context.labels.of(resource),
        vpc,
        block: ipv4(reader, resource, resource.body.value("cidr_block")).into_iter().next(),
        automatic_public,
        ipv6: ipv6_block(reader, resource),
        automatic_ipv6: match resource.body.value("assign_ipv6_address_on_creation") {
            Value::Is(node) => Known::Is(node.boolean() == Some(true)),
            Value::Absent if !resource.is_data() => Known::Is(false),
            Value::Absent | Value::Unknown | Value::Hidden => {
                Known::Unknown("`assign_ipv6_address_on_creation` is not known".to_owned())
            }
        },
        origin: reader.origin(resource.node, &resource.address),
    };
    let subnets = &mut reader.into.account.subnets;
    if resource.is_data() {
        subnets.entry(id).or_insert(subnet);
    } else {
        subnets.insert(id, subnet);
    }
}

/// The IPv6 block of a subnet.
fn ipv6_block(reader: &mut Reader<'_>, resource: &Resource<'_>) -> Ipv6Block {
    let value = resource.body.value("ipv6_cidr_block");
    match value {
        Value::Is(_) => {
            let found = nets(reader, resource, value).into_iter().find_map(|block| match block {
                IpNet::V4(_) => None,
                IpNet::V6(block) => Some(block),
            });
            found.map_or(Ipv6Block::None, Ipv6Block::Is)
        }
        Value::Unknown if resource.body.is_given("ipv6_cidr_block") => Ipv6Block::Later,
        Value::Absent | Value::Unknown if !resource.is_data() => Ipv6Block::None,
        Value::Absent | Value::Unknown | Value::Hidden => {
            Ipv6Block::Unknown("`ipv6_cidr_block` is not known".to_owned())
        }
    }
}

/// `aws_ec2_managed_prefix_list` with its inline entries, and both data sources.
pub fn prefix_list(reader: &mut Reader<'_>, context: &Context<'_, '_>, resource: &Resource<'_>) {
    let id = resource.id();
    reader.into.alias(&resource.address, &id);
    let key = match (resource.mode, resource.kind.as_str()) {
        (Mode::Data, "aws_prefix_list") => "cidr_blocks",
        (Mode::Data, _) => "entries",
        (Mode::Managed, _) => "entry",
    };
    let entries = match resource.body.value(key) {
        // Without inline entries the attribute is computed: they stand apart.
        Value::Absent => Known::Is(Vec::new()),
        Value::Unknown if !resource.is_data() && !resource.body.is_given(key) => Known::Is(Vec::new()),
        Value::Unknown | Value::Hidden => Known::Unknown(format!("`{key}` is not known")),
        Value::Is(list) if key == "cidr_blocks" => Known::Is(nets(reader, resource, Value::Is(list))),
        Value::Is(_) => {
            let blocks = resource.body.blocks(key);
            if blocks.iter().any(|block| matches!(block.value("cidr"), Value::Unknown | Value::Hidden)) {
                Known::Unknown("an entry is not known".to_owned())
            } else {
                Known::Is(blocks.iter().flat_map(|block| nets(reader, resource, block.value("cidr"))).collect())
            }
        }
    };
    let label = context.labels.of(resource);
    let mut descriptions = IndexMap::new();
    for block in resource.body.blocks(key).iter().filter(|_| key != "cidr_blocks") {
        let net = block.text("cidr").and_then(|cidr| words::block(cidr).ok());
        let text = block.text("description").filter(|text| !text.is_empty());
        descriptions.extend(net.zip(text).map(|(net, text)| (net, text.to_owned())));
    }
    let most = resource.body.value("max_entries").known().and_then(Node::number);
    let max_entries = most.and_then(|most| u32::try_from(most).ok());
    let origin = reader.origin(resource.node, &resource.address);
    let (family, published) = resource.body.text("name").and_then(of_amazon).unzip();
    let address_family = resource.body.text("address_family").and_then(words::address_family).or(family);
    let list = PrefixList { label, entries, descriptions, max_entries, address_family, published, origin };
    let lists = &mut reader.into.account.prefix_lists;
    if resource.is_data() {
        lists.entry(id).or_insert(list);
    } else {
        lists.insert(id, list);
    }
}

/// `aws_ec2_managed_prefix_list_entry`.
pub fn entry<'t>(reader: &mut Reader<'_>, context: &Context<'_, 't>, resource: &Resource<'t>) {
    let id = match context.resolver.one(resource, &resource.body, "prefix_list_id", Wanted::PrefixList) {
        Told::Is(id) => id,
        Told::Absent | Told::Chosen => return reader.lacks(resource.node, &resource.address, "prefix_list_id"),
        Told::Unknown(why) => {
            let reason = Reason::UnknownValue(format!("its prefix list: {why}"));
            return reader.leave_out(resource.node, &resource.kind, &resource.address, reason);
        }
    };
    let cidr = resource.body.value("cidr");
    let nets = nets(reader, resource, cidr);
    let digest = reader.origin(resource.node, &resource.address).digest;
    let Some(list) = reader.into.account.prefix_lists.get_mut(&id) else {
        let reason = Reason::StaleReference(id.to_string());
        return reader.leave_out(resource.node, &resource.kind, &resource.address, reason);
    };
    match (&mut list.entries, cidr) {
        (Known::Is(entries), Value::Is(_)) => {
            let text = resource.body.text("description").filter(|text| !text.is_empty());
            list.descriptions.extend(nets.iter().filter_map(|net| Some((*net, text?.to_owned()))));
            entries.extend(nets);
        }
        (entries, _) => {
            *entries = Known::Unknown("an entry is not known".to_owned());
            list.origin.digest = mixed(list.origin.digest, digest);
        }
    }
}

/// Ids of subnets that a resource has, as it is known.
pub fn subnets_of<'t>(
    context: &Context<'_, 't>,
    resource: &Resource<'t>,
    block: &super::resource::Block<'t>,
    key: &str,
) -> Subnets {
    match context.resolver.several(resource, block, key, Wanted::Subnet) {
        Told::Is(ids) => Subnets { known: ids.into_iter().collect(), unknown: None },
        Told::Absent | Told::Chosen => Subnets::default(),
        Told::Unknown(why) => Subnets { known: Vec::new(), unknown: Some(why) },
    }
}

fn ipv4(reader: &mut Reader<'_>, resource: &Resource<'_>, value: Value<'_>) -> Vec<Ipv4Net> {
    let nets = nets(reader, resource, value).into_iter();
    nets.filter_map(|net| match net {
        IpNet::V4(net) => Some(net),
        IpNet::V6(_) => None,
    })
    .collect()
}

fn nets(reader: &mut Reader<'_>, resource: &Resource<'_>, value: Value<'_>) -> Vec<IpNet> {
    let mut nets = Vec::new();
    for node in value.known().into_iter().flat_map(Node::items).filter(|node| node.text() != Some("")) {
        match words::block(node.text().unwrap_or_default()) {
            Ok(net) => nets.push(net),
            Err(wrong) => reader.wrong(node, &resource.address, wrong),
        }
    }
    nets
}
