//! Groups of an interface, and the parts that interfaces of every holder share.

use std::net::IpAddr;

use ipnet::IpNet;

use super::super::placed::{Groups, Subnets, no_default_group};
use super::super::reader::Reader;
use super::super::tree::Node;
use super::resource::Resource;
use super::template::Template;
use super::value::{Found, Told, Value};
use crate::account::{Account, Known, Public, ResourceId};

/// Lists an interface whose groups are not known; those of a resource that may not be there are none of them.
pub fn listed(reader: &mut Reader<'_>, resource: &Resource<'_>, groups: Groups) -> Groups {
    let groups = match &resource.there {
        Known::Unknown(why) => Known::Unknown(why.clone()),
        Known::Is(_) => groups,
    };
    if let Known::Unknown(why) = &groups {
        resource.unknown(reader, format!("its groups: {why}"));
    }
    groups
}

/// The groups of what is launched without any: the default group of its VPC.
///
/// Source: `RunInstances`, `SecurityGroupId` (Amazon EC2 API reference).
pub fn default(template: &Template<'_>, vpc: Option<&ResourceId>) -> Groups {
    match vpc.and_then(|vpc| template.with_id(vpc)).filter(|vpc| vpc.kind == "AWS::EC2::VPC") {
        Some(vpc) => Known::Is([template.default_group(vpc.name)].into_iter().collect()),
        None => no_default_group(),
    }
}

/// Addresses that some properties tell, each by itself or in a list of objects that have them under a key.
pub fn addresses<'t>(
    reader: &mut Reader<'_>,
    template: &Template<'t>,
    resource: &Resource<'t>,
    (said, keys): (Node<'t>, &[(&str, &str)]),
) -> Vec<IpNet> {
    let mut addresses = Vec::new();
    for (list, key) in keys {
        for element in template.property(said, list).elements() {
            let found: Found<'t> = match element.value {
                Value::Object(object) => template.property(object, key),
                _ => element,
            };
            if let Told::Is(address) = template.block(reader, resource.name, &found)
                && !addresses.contains(&address)
            {
                addresses.push(address);
            }
        }
    }
    addresses
}

/// Number of IPv6 addresses that an interface gets, and that are not known: as many as it asks for, else what its subnet gives it.
pub fn ipv6_later<'t>(
    account: &Account,
    template: &Template<'t>,
    said: Node<'t>,
    (subnets, addresses): (&Subnets, &[IpNet]),
) -> usize {
    let listed = template.property(said, "Ipv6Addresses").elements().len();
    let known = addresses.iter().filter(|block| block.addr().is_ipv6() && block.prefix_len() == 128).count();
    let count = template.known_text(said, "Ipv6AddressCount").and_then(|text| text.parse::<usize>().ok());
    match count {
        Some(count) => count.saturating_sub(known),
        None if !template.property(said, "Ipv6AddressCount").is_absent() => 1,
        None if listed > 0 => listed.saturating_sub(known),
        None => usize::from(subnets.gives_ipv6(account)),
    }
}

/// Ways from the internet to what is launched in a subnet. What it is told goes before what the subnet does.
pub fn public(reader: &Reader<'_>, told: Told<bool>, subnets: &Subnets, addresses: &[IpNet]) -> Public {
    let ipv6: Vec<IpAddr> = addresses.iter().map(IpNet::addr).filter(IpAddr::is_ipv6).collect();
    if !ipv6.is_empty() {
        return Public::At(ipv6);
    }
    match told {
        Told::Is(true) => Public::At(Vec::new()),
        Told::Is(false) => Public::None,
        Told::Unknown(why) => Public::Unknown(why),
        Told::Absent => subnets.public(&reader.into.account),
    }
}
