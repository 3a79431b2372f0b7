//! Groups of an interface, and the parts that interfaces of every holder share.

use std::net::IpAddr;

use indexmap::IndexSet;
use ipnet::IpNet;

use super::super::builder::Reader;
use super::super::tree::Node;
use super::resource::Resource;
use super::template::Template;
use super::value::{Found, Told, Value};
use crate::account::{Known, Public, ResourceId};

/// Groups of an interface, if they are known.
pub type Groups = Known<IndexSet<ResourceId>>;

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
        None => Known::Unknown("it names none, and no source has the default group of its VPC".to_owned()),
    }
}

/// The VPC of subnets, else that of groups.
pub fn vpc_of(reader: &Reader<'_>, subnets: &[ResourceId], groups: Option<&Groups>) -> Option<ResourceId> {
    let account = &reader.into.account;
    let by_subnet = subnets.iter().find_map(|id| account.subnets.get(id)?.vpc.clone());
    let groups = groups.and_then(Known::known);
    by_subnet.or_else(|| groups.into_iter().flatten().find_map(|id| account.groups.get(id)?.vpc.clone()))
}

/// The only one of some subnets: what is in several of them is in none that is known.
pub fn only(subnets: &[ResourceId]) -> Option<ResourceId> {
    if let [one] = subnets { Some(one.clone()) } else { None }
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

/// Ways from the internet to what is launched in a subnet. What it is told goes before what the subnet does.
pub fn public(reader: &Reader<'_>, told: Told<bool>, subnets: &[ResourceId], addresses: &[IpNet]) -> Public {
    let ipv6: Vec<IpAddr> = addresses.iter().map(IpNet::addr).filter(IpAddr::is_ipv6).collect();
    if !ipv6.is_empty() {
        return Public::At(ipv6);
    }
    match told {
        Told::Is(true) => Public::At(Vec::new()),
        Told::Is(false) => Public::None,
        Told::Unknown(why) => Public::Unknown(why),
        Told::Absent => by_subnets(reader, subnets),
    }
}

fn by_subnets(reader: &Reader<'_>, subnets: &[ResourceId]) -> Public {
    if subnets.is_empty() {
        return Public::Unknown("its subnet is not known, and that decides".to_owned());
    }
    let mut public = Public::None;
    for id in subnets {
        match reader.into.account.subnets.get(id).map(|subnet| &subnet.automatic_public) {
            Some(Known::Is(true)) => return Public::At(Vec::new()),
            Some(Known::Is(false)) => {}
            Some(Known::Unknown(why)) => public = Public::Unknown(format!("of its subnet, {why}")),
            None => public = Public::Unknown(format!("no source has its subnet {id}, and that decides")),
        }
    }
    public
}
