//! A topology in the making: its names by the ids of the account, its prefix lists and its groups.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use indexmap::IndexMap;
use ipnet::{Ipv4Net, Ipv6Net};

use super::names::{Names, Places};
use crate::account::{Account, Known, LeftOut, Origin, Reason, ResourceId, SecurityGroup};
use crate::model::{Direction, InstanceName, PrefixFamily, VpcName, default_group, is_description, is_group_name};
use crate::topology::{Builder, NewGroup};

/// Names in the topology, by ids.
pub struct Making<'a> {
    pub account: &'a Account,
    pub names: Names,
    /// Names and blocks of VPCs that the topology has.
    pub vpcs: IndexMap<ResourceId, (String, Ipv4Net)>,
    /// Names and blocks of subnets.
    pub subnets: HashMap<ResourceId, (String, Ipv4Net)>,
    /// The IPv6 blocks of the account that VPCs of the topology have as well; others get one of the documentation's.
    pub ipv6: HashMap<ResourceId, Ipv6Net>,
    pub groups: HashMap<ResourceId, String>,
    pub lists: HashMap<ResourceId, String>,
    /// Names of Elastic IPs by their addresses.
    pub elastic_ips: HashMap<IpAddr, String>,
    pub left_out: Vec<LeftOut>,
    /// Instances that are stopped.
    pub stopped: Vec<InstanceName>,
    /// Number of services that are guessed.
    pub guessed: usize,
    pub places: Places,
}

impl<'a> Making<'a> {
    /// Lists an item that the topology cannot have.
    pub fn leave_out(&mut self, kind: &str, reason: Reason, origin: &Origin) {
        self.left_out.push(LeftOut { kind: kind.to_owned(), reason, origin: origin.clone() });
    }

    /// Adds the prefix lists whose entries are known and of one family.
    pub fn prefix_lists(&mut self, mut builder: Builder) -> Builder {
        for (id, list) in &self.account.prefix_lists {
            let Known::Is(entries) = &list.entries else { continue };
            let Some(first) = entries.first() else {
                self.leave_out("prefix list", Reason::NoPartInReach, &list.origin);
                continue;
            };
            if entries.iter().any(|entry| PrefixFamily::of(*entry) != PrefixFamily::of(*first)) {
                self.leave_out("prefix list", Reason::UnknownValue("entries of one family".to_owned()), &list.origin);
                continue;
            }
            let name = self.names.unique(&list.label);
            let most = usize::try_from(list.room()).unwrap_or(usize::MAX);
            let words = entries.iter().map(ToString::to_string);
            builder = match most > entries.len() {
                true => builder.prefix_list_with_room(&name, words, list.room()),
                false => builder.prefix_list(&name, words),
            };
            self.lists.insert(id.clone(), name);
        }
        builder
    }

    /// Names the groups, before anything refers to them.
    pub fn name_groups(&mut self) {
        for (id, group) in &self.account.groups {
            let name = self.default_group(id, group).unwrap_or_else(|| self.names.unique(&group.label));
            self.groups.insert(id.clone(), name);
        }
    }

    /// The name of a VPC's default group, which a topology has by itself, if that has the same rules.
    fn default_group(&self, id: &ResourceId, group: &SecurityGroup) -> Option<String> {
        let vpc = group.vpc.as_ref()?;
        let names: Vec<VpcName> = self.vpcs.values().map(|(name, _)| VpcName::new(name)).collect();
        let (own, _) = self.vpcs.get(vpc)?;
        let has_ipv6 = self.account.has_ipv6(vpc);
        let is_same = group.is_default_as_born(id) && (group.egress.len() == 2) == has_ipv6;
        is_same.then(|| default_group(&names, &VpcName::new(own)).to_string())
    }

    /// Adds the groups with their rules.
    pub fn groups(&mut self, mut builder: Builder) -> Builder {
        // Twins in case are one name for EC2.
        let mut taken: HashSet<(Option<&ResourceId>, String)> = HashSet::new();
        for (id, group) in &self.account.groups {
            let Some(name) = self.groups.get(id).cloned() else { continue };
            if self.default_group(id, group).is_some() {
                continue;
            }
            let mut new = NewGroup::new();
            if let Some((vpc, _)) = group.vpc.as_ref().and_then(|id| self.vpcs.get(id)) {
                new = new.vpc(vpc);
            }
            let real = group.name.as_deref().unwrap_or(&name);
            let is_first = taken.insert((group.vpc.as_ref(), real.to_lowercase()));
            if is_first && group.name.as_deref().is_some_and(|real| real != name && is_group_name(real)) {
                new = new.name(group.name.as_deref().unwrap_or_default());
            }
            if let Some(description) = group.description.as_deref().filter(|text| is_description(text)) {
                new = new.description(description);
            }
            let (ingress, of_ingress) = self.rules(group, Direction::Ingress);
            let (egress, of_egress) = self.rules(group, Direction::Egress);
            self.places.group(&name, &group.origin.place, of_ingress, of_egress);
            builder = builder.group_with(&name, new.ingress(ingress).egress(egress));
        }
        builder
    }
}
