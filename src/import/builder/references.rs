//! The end of the reading: references are looked up, and what refers to nothing is listed.

use std::collections::{HashMap, HashSet};

use indexmap::IndexSet;

use super::super::aliases::Aliases;
use super::super::fault::Fault;
use super::super::group_labels;
use super::{Builder, TagsOf};
use crate::account::{Account, Known, LeftOut, Origin, Peer, Public, Reason, ResourceId, Rule, SecurityGroup};
use crate::model::Direction;

impl Builder {
    /// Looks references up, and gives the account.
    pub fn finish(mut self) -> (Account, Vec<Fault>) {
        self.drop_interfaces_of_terminated_instances();
        self.join_summaries();
        std::mem::take(&mut self.details).finish(&mut self.account);
        let aliases = std::mem::take(&mut self.aliases);
        self.add_mentioned_groups(&aliases);
        self.add_rules(&aliases);
        resolve_networks(&mut self.account, &aliases);
        self.add_memberships(&aliases);
        self.add_public_addresses(&aliases);
        self.drop_rules_of_other_accounts();
        resolve_groups(&mut self.account, &aliases);
        group_labels::tell_apart(&mut self.account);
        take_vpcs_of_subnets(&mut self.account);
        (self.account, self.faults)
    }

    fn drop_interfaces_of_terminated_instances(&mut self) {
        let (gone, left_out) = (&self.gone, &mut self.account.left_out);
        self.account.interfaces.retain(|_, interface| {
            let is_gone = gone.contains(&interface.origin.resource);
            if is_gone {
                let origin = interface.origin.clone();
                left_out.push(LeftOut { kind: "interface".to_owned(), reason: Reason::Gone, origin });
            }
            !is_gone
        });
    }

    /// Puts instances that tell no interface together with interfaces that tell them.
    fn join_summaries(&mut self) {
        let summaries: IndexSet<ResourceId> = self.summaries.drain(..).collect();
        let mut parts: HashMap<ResourceId, Vec<ResourceId>> = HashMap::new();
        for (id, interface) in &self.account.interfaces {
            let instance = &interface.origin.resource;
            if id != instance && summaries.contains(instance) {
                parts.entry(instance.clone()).or_default().push(id.clone());
            }
        }
        for instance in summaries {
            let Some(parts) = parts.remove(&instance) else { continue };
            let Some(summary) = self.account.interfaces.shift_remove(&instance) else { continue };
            let fleet = self.account.fleets.shift_remove(&instance);
            let tags = self.account.tags.remove(&instance);
            for id in parts {
                let device = self.account.interfaces.get(&id).map_or(0, |part| part.holder_and_device().1);
                self.account.fleets.extend(fleet.clone().map(|fleet| (id.clone(), fleet)));
                if device == 0 {
                    self.tags(id.clone(), tags.clone().unwrap_or_default(), TagsOf::Holder);
                    self.interface_of_instance(id, summary.clone());
                } else if let Some(part) = self.account.interfaces.get_mut(&id) {
                    part.holder = summary.holder;
                    part.label = format!("{}.eth{device}", summary.label);
                }
            }
        }
    }

    /// Adds groups that a source only mentions, where something refers to them and no source has them.
    fn add_mentioned_groups(&mut self, aliases: &Aliases) {
        for mut group in self.referred_to() {
            aliases.resolve(&mut group);
            if let Some(mentioned) = self.mentioned.swap_remove(&group)
                && !self.account.groups.contains_key(&group)
            {
                // One that AWS makes along with something new has known rules.
                if mentioned.all_rules().all(Rule::is_unknown) {
                    self.account.outside.insert(group.clone());
                }
                self.account.groups.insert(group, mentioned);
            }
        }
    }

    /// The groups that anything refers to.
    fn referred_to(&self) -> IndexSet<ResourceId> {
        let of_rules = self.rules.iter().map(|(group, ..)| group.clone());
        let rules = self.account.rules().chain(self.rules.iter().map(|(.., rule)| rule));
        let peers = rules.filter_map(|rule| rule.peer.group().cloned());
        let groups = self.account.interfaces.values().filter_map(|interface| interface.groups.known());
        let of_interfaces = groups.flatten().chain(self.memberships.iter().map(|(_, group, _)| group)).cloned();
        of_rules.chain(peers).chain(of_interfaces).collect()
    }

    /// Adds rules that stand apart from their groups.
    fn add_rules(&mut self, aliases: &Aliases) {
        self.account.groups.values_mut().flat_map(SecurityGroup::all_rules_mut).for_each(|rule| resolve(rule, aliases));
        for (mut group, direction, mut rule) in std::mem::take(&mut self.rules) {
            aliases.resolve(&mut group);
            resolve(&mut rule, aliases);
            match self.account.groups.get_mut(&group) {
                Some(found) => add_rule(found, direction, rule),
                None => self.account.left_out.push(stale("rule", &group, rule.origin)),
            }
        }
    }

    /// Puts interfaces into groups that they get apart from their own resource.
    fn add_memberships(&mut self, aliases: &Aliases) {
        for (mut interface, mut group, origin) in std::mem::take(&mut self.memberships) {
            aliases.resolve(&mut interface);
            aliases.resolve(&mut group);
            match self.account.interfaces.get_mut(&interface).map(|interface| &mut interface.groups) {
                Some(Known::Is(groups)) => {
                    groups.insert(group);
                }
                Some(Known::Unknown(_)) => {}
                None => self.account.left_out.push(stale("member of a group", &interface, origin)),
            }
        }
    }

    /// Gives interfaces the public addresses that they get apart from their own resource.
    fn add_public_addresses(&mut self, aliases: &Aliases) {
        for (mut interface, address, origin) in std::mem::take(&mut self.public) {
            aliases.resolve(&mut interface);
            match self.account.interfaces.get_mut(&interface).map(|interface| &mut interface.public) {
                Some(Public::At(known)) => known.extend(address.filter(|address| !known.contains(address))),
                Some(public) => *public = Public::At(address.into_iter().collect()),
                None => self.account.left_out.push(stale("public address", &interface, origin)),
            }
        }
    }

    /// Lists rules that name groups of other accounts, where no source has these.
    fn drop_rules_of_other_accounts(&mut self) {
        let groups = &self.account.groups;
        let absent: HashSet<ResourceId> = self.foreign.drain().filter(|id| !groups.contains_key(id)).collect();
        if absent.is_empty() {
            return;
        }
        let left_out = &mut self.account.left_out;
        let mut keep = |rule: &Rule| {
            let is_kept = !matches!(&rule.peer, Peer::Group(id) if absent.contains(id));
            if !is_kept {
                let origin = rule.origin.clone();
                left_out.push(LeftOut {
                    kind: "members of a group".to_owned(),
                    reason: Reason::ForeignAccount,
                    origin,
                });
            }
            is_kept
        };
        for group in self.account.groups.values_mut() {
            group.ingress.retain(&mut keep);
            group.egress.retain(&mut keep);
        }
    }
}

/// Adds a rule that stands apart from its group. A state of Terraform has it a second time, computed in the group: its own resource says it.
/// EC2 refuses a second one that is equal, so of two resources that say the same the first counts.
fn add_rule(group: &mut SecurityGroup, direction: Direction, rule: Rule) {
    let own = group.origin.resource.clone();
    let rules = group.rules_mut(direction);
    let mut same = rules.iter_mut().filter(|known| (&known.traffic, &known.peer) == (&rule.traffic, &rule.peer));
    match same.next().filter(|_| !rule.is_unknown()) {
        Some(known) if known.origin.resource == own => {
            known.description = rule.description.or(known.description.take());
            known.origin = rule.origin;
        }
        Some(_) => {}
        None => rules.push(rule),
    }
}

/// Resolves the reference of a rule.
fn resolve(rule: &mut Rule, aliases: &Aliases) {
    match &mut rule.peer {
        Peer::Group(id) | Peer::PrefixList(id) => aliases.resolve(id),
        Peer::Block(_) | Peer::Unknown(_) => {}
    }
}

/// Resolves the references of interfaces and subnets.
fn resolve_networks(account: &mut Account, aliases: &Aliases) {
    for interface in account.interfaces.values_mut() {
        interface.vpc.iter_mut().for_each(|id| aliases.resolve(id));
        interface.subnet.iter_mut().for_each(|id| aliases.resolve(id));
        if let Known::Is(groups) = &mut interface.groups {
            let mut all: Vec<ResourceId> = groups.drain(..).collect();
            all.iter_mut().for_each(|id| aliases.resolve(id));
            groups.extend(all);
        }
    }
    for subnet in account.subnets.values_mut() {
        subnet.vpc.iter_mut().for_each(|id| aliases.resolve(id));
    }
}

/// Resolves the references of groups, and lists rules that name a group that no source has.
fn resolve_groups(account: &mut Account, aliases: &Aliases) {
    let known: IndexSet<ResourceId> = account.groups.keys().cloned().collect();
    let left_out = &mut account.left_out;
    for group in account.groups.values_mut() {
        group.vpc.iter_mut().for_each(|id| aliases.resolve(id));
        for rule in group.all_rules() {
            if let Some(id) = rule.peer.group().filter(|id| !known.contains(*id)) {
                left_out.push(stale("members of a group", id, rule.origin.clone()));
            }
        }
    }
}

/// Gives interfaces that tell no VPC that of their subnet.
fn take_vpcs_of_subnets(account: &mut Account) {
    let subnets = &account.subnets;
    for interface in account.interfaces.values_mut() {
        let of_subnet = || subnets.get(interface.subnet.as_ref()?)?.vpc.clone();
        interface.vpc = interface.vpc.take().or_else(of_subnet);
    }
}

fn stale(kind: &str, named: &ResourceId, origin: Origin) -> LeftOut {
    LeftOut { kind: kind.to_owned(), reason: Reason::StaleReference(named.to_string()), origin }
}
