//! Quotas of EC2. Nothing is counted where the topology says `quotas: ignored`.
//!
//! Sources: "Amazon VPC quotas" (Amazon VPC user guide); "EC2-Classic" (EC2 user guide, 2018). In a VPC rules are counted per
//! direction and per family, and a group as a peer counts in both.

use indexmap::{IndexMap, IndexSet};

use super::lookup::{because, refuse};
use crate::model::cloud::Cloud;
use crate::model::era::Quotas;
use crate::model::flow::Direction;
use crate::model::name::{ElasticIpName, GroupName, PrefixListName, VpcName};
use crate::model::refusal::{Refusal, RefusalCode};
use crate::model::rule::{PrefixFamily, Rule};

/// Numbers of the quotas of a platform.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Rules of a group; in a VPC in each direction and family.
    pub(crate) rules: usize,
    /// Groups of an interface; in EC2-Classic of an instance.
    pub(crate) groups_of_one: usize,
    /// Groups of a region.
    pub(crate) groups: usize,
}

impl Limits {
    pub(crate) const VPC: Self = Self { rules: 60, groups_of_one: 5, groups: 2_500 };
    pub(crate) const CLASSIC: Self = Self { rules: 100, groups_of_one: 500, groups: 500 };
}

/// Elastic IPs of a region. Source: the article, and "Elastic IP addresses" (EC2 user guide).
pub(crate) const ELASTIC_IPS: usize = 5;

/// Refuses an Elastic IP beyond the quota.
pub(super) fn elastic_ips(cloud: &Cloud) -> Result<(), Refusal> {
    let message = match cloud.is_vpc() {
        true => "The maximum number of addresses has been reached.",
        false => "Too many addresses allocated",
    };
    let all = cloud.elastic_ips.keys().map(ElasticIpName::as_str).collect::<Vec<_>>().join(", ");
    within(!is_enforced(cloud) || cloud.elastic_ips.len() < ELASTIC_IPS, RefusalCode::AddressLimitExceeded, message)
        .map_err(|refusal| because(refusal, [format!("{ELASTIC_IPS} of {ELASTIC_IPS} are allocated: {all}")]))
}

/// Refuses a group with more rules than it may have.
pub(super) fn rules(cloud: &Cloud, direction: Direction, name: &GroupName) -> Result<(), Refusal> {
    let Some(group) = cloud.groups.get(name).filter(|_| is_enforced(cloud)) else { return Ok(()) };
    let rules = group.rules(direction);
    let message = "The maximum number of rules per security group has been reached.";
    let exceeded = |culprit: String| {
        let refusal = refuse(RefusalCode::RulesPerSecurityGroupLimitExceeded, message);
        Err(because(refusal, [format!("{name} would have {culprit}")]))
    };
    if !cloud.is_vpc() {
        let count = rules.len();
        let limit = Limits::CLASSIC.rules;
        return if count > limit { exceeded(format!("{count} of {limit} rules")) } else { Ok(()) };
    }
    for (family, over) in [(PrefixFamily::Ipv4, "IPv4"), (PrefixFamily::Ipv6, "IPv6")] {
        let count: usize = rules.iter().map(|rule| weight(cloud, rule, family)).sum();
        let limit = Limits::VPC.rules;
        if count > limit {
            let way = if direction == Direction::Ingress { "comes in" } else { "goes out" };
            let lists = weights(cloud, rules, family);
            return exceeded(format!("{count} of {limit} rules for what {way} over {over}{lists}"));
        }
    }
    Ok(())
}

/// Refuses any group beyond its quota of rules: an edited prefix list may weigh more than before.
pub(super) fn all_rules(cloud: &Cloud) -> Result<(), Refusal> {
    for name in cloud.groups.keys() {
        rules(cloud, Direction::Ingress, name)?;
        rules(cloud, Direction::Egress, name)?;
    }
    Ok(())
}

/// Adds up the rules of a family where some name prefix lists: `: 2 x 55 of edge, 3 others`.
fn weights(cloud: &Cloud, rules: &[Rule], family: PrefixFamily) -> String {
    let mut lists: IndexMap<&PrefixListName, (usize, usize)> = IndexMap::new();
    let mut others = 0;
    for rule in rules {
        match (rule.peer.prefix_list(), weight(cloud, rule, family)) {
            (_, 0) => {}
            (Some(name), each) => {
                let (times, weight) = lists.entry(name).or_default();
                (*times, *weight) = (*times + 1, each);
            }
            (None, each) => others += each,
        }
    }
    if lists.is_empty() {
        return String::new();
    }
    let lists = lists.into_iter().map(|(name, (times, each))| format!("{times} x {each} of {name}"));
    let others = (others > 0).then(|| format!("{others} others"));
    let all: Vec<String> = lists.chain(others).collect();
    format!(": {}; a prefix list counts as many as it may have entries", all.join(", "))
}

/// Counts as how many rules of a family one goes. A rule for a prefix list goes as the most entries that the list may have.
fn weight(cloud: &Cloud, rule: &Rule, family: PrefixFamily) -> usize {
    match rule.peer.prefix_list() {
        None => usize::from(rule.peer.family().is_none_or(|of| of == family)),
        Some(name) => cloud
            .prefix_lists
            .get(name)
            .filter(|list| list.family == family)
            .map_or(0, |list| list.max_entries as usize),
    }
}

/// Refuses a group beyond the quota.
pub(super) fn groups(cloud: &Cloud, vpc: &VpcName) -> Result<(), Refusal> {
    let limits = if cloud.is_vpc() { Limits::VPC } else { Limits::CLASSIC };
    let message = format!("The maximum number of security groups for VPC '{vpc}' has been reached.");
    within(!is_enforced(cloud) || cloud.groups.len() < limits.groups, RefusalCode::SecurityGroupLimitExceeded, &message)
}

/// Refuses an interface that would be in too many groups. The text for EC2-Classic is sglab's own.
pub(super) fn memberships(cloud: &Cloud, groups: &IndexSet<GroupName>) -> Result<(), Refusal> {
    if !is_enforced(cloud) {
        return Ok(());
    }
    if cloud.is_vpc() {
        let message = "The maximum number of security groups per interface has been reached.";
        let code = RefusalCode::SecurityGroupsPerInterfaceLimitExceeded;
        let all = groups.iter().map(GroupName::as_str).collect::<Vec<_>>().join(", ");
        let limit = Limits::VPC.groups_of_one;
        let culprit = format!("it would be in {} groups of {limit} at most: {all}", groups.len());
        return within(groups.len() <= limit, code, message).map_err(|refusal| because(refusal, [culprit]));
    }
    let message = "The maximum number of security groups per instance has been reached.";
    let code = RefusalCode::SecurityGroupsPerInstanceLimitExceeded;
    within(groups.len() <= Limits::CLASSIC.groups_of_one, code, message)
}

fn is_enforced(cloud: &Cloud) -> bool {
    cloud.knobs.quotas == Quotas::Enforced
}

fn within(holds: bool, code: RefusalCode, message: &str) -> Result<(), Refusal> {
    if holds { Ok(()) } else { Err(refuse(code, message)) }
}
