//! Labels of groups that mean one group each, and no block.

use std::collections::HashMap;
use std::net::IpAddr;

use indexmap::IndexMap;
use ipnet::IpNet;

use crate::account::{Account, ResourceId, SecurityGroup};

/// Adds the VPC to the labels of groups of one name, and else their id: who accepts `db` accepts one group.
pub(super) fn tell_apart(account: &mut Account) {
    for group in account.groups.values_mut().filter(|group| is_told_as_block(&group.label)) {
        group.label = format!("group {}", group.label);
    }
    let vpcs = &account.vpcs;
    let of_vpc = |id: &ResourceId| vpcs.get(id).map_or_else(|| id.to_string(), |vpc| vpc.label.clone());
    let twins = |groups: &IndexMap<ResourceId, SecurityGroup>| {
        let mut seen: HashMap<String, usize> = HashMap::new();
        groups.values().for_each(|group| *seen.entry(group.label.clone()).or_default() += 1);
        seen
    };
    let seen = twins(&account.groups);
    for group in account.groups.values_mut().filter(|group| seen[&group.label] > 1) {
        if let Some(vpc) = &group.vpc {
            group.label = format!("{}@{}", group.label, of_vpc(vpc));
        }
    }
    let seen = twins(&account.groups);
    for (id, group) in account.groups.iter_mut().filter(|(_, group)| seen[&group.label] > 1) {
        group.label = format!("{}@{id}", group.label);
    }
}

/// Returns true for a name by which a block of addresses is told: EC2 takes such names for groups.
fn is_told_as_block(name: &str) -> bool {
    let word = name.split(' ').next().unwrap_or(name);
    word.eq_ignore_ascii_case(crate::model::Peer::ANYWHERE)
        || word.eq_ignore_ascii_case("somebody")
        || word.parse::<IpNet>().is_ok()
        || word.parse::<IpAddr>().is_ok()
}
