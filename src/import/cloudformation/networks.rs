//! VPCs, subnets and prefix lists.

use indexmap::IndexMap;
use ipnet::{IpNet, Ipv4Net};

use super::super::reader::Reader;
use super::super::words;
use super::groups;
use super::references::Wanted;
use super::resource::Resource;
use super::template::Template;
use super::value::{Found, Told, Value};
use crate::account::{Ipv6Block, Known, PrefixList, Reason, Subnet, Vpc};

/// `AWS::EC2::VPC` with the blocks that are associated apart, and its default group.
pub fn vpc<'t>(reader: &mut Reader<'_>, template: &Template<'t>, resource: &Resource<'t>) {
    let mut vpc = Vpc {
        label: template.label(resource.name),
        blocks: Vec::new(),
        ipv6: Vec::new(),
        origin: resource.origin(reader),
    };
    let id = template.id(resource.name);
    add_blocks(reader, template, resource, &mut vpc);
    if vpc.blocks.is_empty() && template.property(resource.properties, "Ipv4IpamPoolId").is_absent() {
        resource.unknown(reader, "its block");
    }
    for more in template.of_kinds(&["AWS::EC2::VPCCidrBlock"]) {
        let own = template.one_of(more.properties, "VpcId", Wanted::Vpc);
        match (own, &more.there) {
            (Told::Is(own), _) if own != id => {}
            (Told::Is(_), Known::Unknown(why)) => more.unknown(reader, why.clone()),
            (Told::Is(_), Known::Is(_)) => add_blocks(reader, template, more, &mut vpc),
            (Told::Absent | Told::Unknown(_), _) => {}
        }
    }
    reader.into.account.vpcs.insert(id.clone(), vpc);
    let default = template.default_group(resource.name);
    groups::made(reader, template, (resource, "default"), (default, Some(id)));
}

fn add_blocks<'t>(reader: &mut Reader<'_>, template: &Template<'t>, said: &Resource<'t>, vpc: &mut Vpc) {
    let properties = said.properties;
    for key in ["CidrBlock", "Ipv6CidrBlock"] {
        match template.block(reader, said.name, &template.property(properties, key)) {
            Told::Is(IpNet::V4(block)) if !vpc.blocks.contains(&block) => vpc.blocks.push(block),
            Told::Is(block @ IpNet::V6(_)) => vpc.ipv6.push(block),
            Told::Is(IpNet::V4(_)) | Told::Absent => {}
            Told::Unknown(why) if said.kind == "AWS::EC2::VPCCidrBlock" => said.unknown(reader, why),
            Told::Unknown(_) => {}
        }
    }
    for key in ["Ipv4IpamPoolId", "Ipv6IpamPoolId"] {
        if !template.property(properties, key).is_absent() {
            said.unknown(reader, format!("its block comes from `{key}`"));
        }
    }
    match template.truth_of(properties, "AmazonProvidedIpv6CidrBlock") {
        Told::Is(true) => said.unknown(reader, "Amazon chooses its IPv6 block"),
        Told::Unknown(why) => said.unknown(reader, why),
        Told::Is(false) | Told::Absent => {}
    }
}

/// A block for a VPC that the template does not have.
pub fn block_of_another<'t>(reader: &mut Reader<'_>, template: &Template<'t>, resource: &Resource<'t>) {
    match template.one_of(resource.properties, "VpcId", Wanted::Vpc) {
        Told::Is(id) if reader.into.account.vpcs.contains_key(&id) => {}
        Told::Is(id) => resource.leave_out(reader, Reason::StaleReference(id.to_string())),
        Told::Absent => reader.lacks(resource.properties, resource.name, "VpcId"),
        Told::Unknown(why) => resource.unknown(reader, format!("its VPC: {why}")),
    }
}

/// `AWS::EC2::Subnet`.
pub fn subnet<'t>(reader: &mut Reader<'_>, template: &Template<'t>, resource: &Resource<'t>) {
    let properties = resource.properties;
    let automatic_public = match (template.truth_of(properties, "MapPublicIpOnLaunch"), resource.there.clone()) {
        (_, Known::Unknown(why)) | (Told::Unknown(why), _) => Known::Unknown(why),
        (Told::Is(automatic), _) => Known::Is(automatic),
        (Told::Absent, _) => Known::Is(false),
    };
    let block = template.block(reader, resource.name, &template.property(properties, "CidrBlock"));
    let subnet = Subnet {
        label: template.label(resource.name),
        vpc: template.one_of(properties, "VpcId", Wanted::Vpc).known(),
        block: block.known().and_then(ipv4),
        automatic_public,
        ipv6: ipv6_block(reader, template, resource),
        automatic_ipv6: match template.truth_of(properties, "AssignIpv6AddressOnCreation") {
            Told::Is(automatic) => Known::Is(automatic),
            Told::Absent => Known::Is(false),
            Told::Unknown(why) => Known::Unknown(why),
        },
        origin: resource.origin(reader),
    };
    reader.into.account.subnets.insert(template.id(resource.name), subnet);
}

/// The IPv6 block of a subnet, be it one that is associated apart.
fn ipv6_block<'t>(reader: &mut Reader<'_>, template: &Template<'t>, resource: &Resource<'t>) -> Ipv6Block {
    let id = template.id(resource.name);
    let apart = template.of_kinds(&["AWS::EC2::SubnetCidrBlock"]).filter(
        |block| matches!(template.one_of(block.properties, "SubnetId", Wanted::Subnet), Told::Is(of) if of == id),
    );
    for said in std::iter::once(resource).chain(apart) {
        match template.block(reader, said.name, &template.property(said.properties, "Ipv6CidrBlock")) {
            Told::Is(IpNet::V6(block)) => return Ipv6Block::Is(block),
            Told::Unknown(_) => return Ipv6Block::Later,
            Told::Is(IpNet::V4(_)) | Told::Absent => {}
        }
        if !template.property(said.properties, "Ipv6IpamPoolId").is_absent() {
            return Ipv6Block::Later;
        }
    }
    Ipv6Block::None
}

fn ipv4(block: IpNet) -> Option<Ipv4Net> {
    match block {
        IpNet::V4(block) => Some(block),
        IpNet::V6(_) => None,
    }
}

/// `AWS::EC2::PrefixList`.
pub fn prefix_list<'t>(reader: &mut Reader<'_>, template: &Template<'t>, resource: &Resource<'t>) {
    let entries = match (template.elements_of(resource.properties, "Entries"), &resource.there) {
        (_, Known::Unknown(why)) => Err(why.clone()),
        (Ok(all), _) => all.into_iter().filter_map(|entry| entry_of(reader, template, resource, entry)).collect(),
        (Err(why), _) => Err(why),
    };
    let entries = match entries {
        Ok(entries) => Known::Is(entries),
        Err(why) => {
            resource.unknown(reader, why.clone());
            Known::Unknown(why)
        }
    };
    let mut descriptions = IndexMap::new();
    for entry in template.elements_of(resource.properties, "Entries").into_iter().flatten() {
        let Value::Object(entry) = entry.value else { continue };
        let block = template.known_text(entry, "Cidr").and_then(|cidr| words::block(&cidr).ok());
        let text = template.known_text(entry, "Description").filter(|text| !text.is_empty());
        descriptions.extend(block.zip(text).map(|(block, text)| (block, text.to_string())));
    }
    let most = template.known_text(resource.properties, "MaxEntries");
    let max_entries = most.and_then(|most| most.trim().parse().ok());
    let (label, origin) = (template.label(resource.name), resource.origin(reader));
    let family = template.known_text(resource.properties, "AddressFamily");
    let address_family = family.and_then(|family| words::address_family(&family));
    let list = PrefixList { label, entries, descriptions, max_entries, address_family, published: None, origin };
    template.tag(reader, resource, template.id(resource.name));
    reader.into.account.prefix_lists.insert(template.id(resource.name), list);
}

fn entry_of<'t>(
    reader: &mut Reader<'_>,
    template: &Template<'t>,
    resource: &Resource<'t>,
    entry: Found<'t>,
) -> Option<Result<IpNet, String>> {
    let cidr = match entry.value {
        Value::Object(entry) => template.property(entry, "Cidr"),
        _ => entry,
    };
    match template.block(reader, resource.name, &cidr) {
        Told::Is(block) => Some(Ok(block)),
        Told::Absent => None,
        Told::Unknown(why) => Some(Err(why)),
    }
}
