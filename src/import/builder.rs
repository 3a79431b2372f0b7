//! The parts that the readers of sources share: a growing account, mistakes, and references that are looked up once all sources are read.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use indexmap::{IndexMap, IndexSet};
use ipnet::IpNet;

use super::details::{RuleDetails, has, told_otherwise};
use super::fault::{Fault, Mistake};
use super::parameters::Parameters;
use super::tree::Node;
use super::words::Wrong;
use crate::account::{
    Account, Interface, Known, LeftOut, Origin, Peer, Public, Reason, ResourceId, Rule, SecurityGroup, Tags,
};
use crate::model::Direction;
use crate::topology::{Source, Span};

/// An account that grows by one source after the other.
#[derive(Default)]
pub(super) struct Builder {
    pub account: Account,
    pub faults: Vec<Fault>,
    /// Rules that stand apart from their groups.
    rules: Vec<(ResourceId, Direction, Rule)>,
    /// Rules that a reply tells apart from their groups.
    pub details: RuleDetails,
    /// Groups that interfaces get apart from their own resource.
    memberships: Vec<(ResourceId, ResourceId, Origin)>,
    /// Groups that a source only mentions: they are there unless another source tells them, and where something refers to them.
    mentioned: IndexMap<ResourceId, SecurityGroup>,
    /// Public addresses that interfaces get apart from their own resource; none where it is not known yet.
    public: Vec<(ResourceId, Option<IpAddr>, Origin)>,
    /// Instances that are terminated: interfaces that another reply still has of them are, too.
    gone: HashSet<ResourceId>,
    /// Groups of other accounts that rules name: a source may have them as well.
    foreign: HashSet<ResourceId>,
    /// Digests of what resources are written as, beside their values, in the source that is being read.
    pub written: HashMap<String, u64>,
    /// Other names of ids: a resource's address in Terraform.
    aliases: HashMap<String, ResourceId>,
    /// Values of parameters of templates.
    pub parameters: Arc<Parameters>,
}

/// Replies that have the rules of a group in one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ToldBefore {
    /// One before, and this one.
    Both,
    /// One of them, or none.
    One,
}

/// Owner of the tags that are told of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TagsOf {
    /// The resource.
    Itself,
    /// The instance that holds it as its first interface.
    Holder,
}

impl Builder {
    /// An empty one, with values for parameters of templates.
    pub fn with(parameters: Arc<Parameters>) -> Self {
        Self { parameters, ..Self::default() }
    }

    /// Says that a name means an id.
    pub fn alias(&mut self, name: &str, id: &ResourceId) {
        if name != id.as_str() {
            self.aliases.insert(name.to_owned(), id.clone());
        }
    }

    /// Says that a group that a rule names is another account's.
    pub fn foreign(&mut self, group: ResourceId) {
        self.foreign.insert(group);
    }

    /// Adds a rule to a group that any source may have.
    pub fn rule(&mut self, group: ResourceId, direction: Direction, rule: Rule) {
        self.rules.push((group, direction, rule));
    }

    /// Puts an interface into a group, beside those that it has.
    pub fn membership(&mut self, interface: ResourceId, group: ResourceId, origin: Origin) {
        self.memberships.push((interface, group, origin));
    }

    /// Says that a group is there, of which this source has no rules or only those that AWS gives it.
    pub fn mention(&mut self, id: ResourceId, group: SecurityGroup) {
        self.mentioned.entry(id).or_insert(group);
    }

    /// Notes tags. Those of a resource itself go before those of its holder.
    pub fn tags(&mut self, id: ResourceId, told: Tags, of: TagsOf) {
        if told == Tags::default() {
            return;
        }
        let known = self.account.tags.entry(id).or_default();
        let old = std::mem::take(known);
        let (first, second) = match of {
            TagsOf::Itself => (told, old),
            TagsOf::Holder => (old, told),
        };
        *known = Tags { logical_id: first.logical_id.or(second.logical_id), name: first.name.or(second.name) };
    }

    /// Says that an instance is terminated.
    pub fn gone(&mut self, instance: ResourceId) {
        self.gone.insert(instance);
    }

    /// Leads a public address to an interface.
    pub fn public_address(&mut self, interface: ResourceId, address: Option<IpAddr>, origin: Origin) {
        self.public.push((interface, address, origin));
    }

    /// Adds a group, of which `told` says for ingress and egress if this reply has its rules. Where two replies tell it differently nobody knows which holds:
    /// it has the rules of both, and that is listed.
    pub fn group(&mut self, id: ResourceId, new: SecurityGroup, told: [ToldBefore; 2]) {
        let Some(old) = self.account.groups.get_mut(&id) else {
            self.account.groups.insert(id, new);
            return;
        };
        if old.name.is_none() && new.name.is_some() {
            (old.name, old.label) = (new.name, new.label);
        }
        old.description = old.description.take().or(new.description);
        old.vpc = old.vpc.take().or(new.vpc);
        let mut differs = false;
        for ((old, new), told) in [(&mut old.ingress, new.ingress), (&mut old.egress, new.egress)].into_iter().zip(told)
        {
            differs |= told == ToldBefore::Both && old.iter().any(|rule| !has(&new, rule));
            for rule in new {
                if !has(old, &rule) {
                    differs |= told == ToldBefore::Both;
                    old.push(rule);
                }
            }
        }
        if differs {
            self.account.left_out.push(told_otherwise(new.origin));
        }
    }

    /// Adds what one source tells of an interface to what another has told.
    pub fn interface(&mut self, id: ResourceId, new: Interface) {
        let Some(old) = self.account.interfaces.get_mut(&id) else {
            self.account.interfaces.insert(id, new);
            return;
        };
        old.vpc = old.vpc.take().or(new.vpc);
        old.subnet = old.subnet.take().or(new.subnet);
        if old.addresses.is_empty() {
            old.addresses = new.addresses;
        }
        // A source that was cut tells no group, or no public address: another one may.
        if old.groups.known().is_none_or(IndexSet::is_empty)
            && new.groups.known().is_some_and(|groups| !groups.is_empty())
        {
            old.groups = new.groups;
        } else if let (Known::Is(ours), Known::Is(theirs)) = (&old.groups, &new.groups)
            && !theirs.is_empty()
            && ours != theirs
        {
            old.groups = Known::Unknown("two replies tell different groups of it".to_owned());
        }
        if old.public == Public::None {
            old.public = new.public;
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

    fn drop_interfaces_of_what_is_gone(&mut self) {
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

    /// Looks references up, and gives the account.
    pub fn finish(mut self) -> (Account, Vec<Fault>) {
        self.drop_interfaces_of_what_is_gone();
        std::mem::take(&mut self.details).finish(&mut self.account);
        let aliases = std::mem::take(&mut self.aliases);
        let resolve = |id: &mut ResourceId| {
            if let Some(meant) = aliases.get(id.as_str()) {
                *id = meant.clone();
            }
        };
        for group in self.referred_to() {
            let mut group = group;
            resolve(&mut group);
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
        for (mut group, direction, rule) in std::mem::take(&mut self.rules) {
            resolve(&mut group);
            match self.account.groups.get_mut(&group) {
                Some(found) => found.rules_mut(direction).push(rule),
                None => self.account.left_out.push(LeftOut {
                    kind: "rule".to_owned(),
                    reason: Reason::StaleReference(group.to_string()),
                    origin: rule.origin,
                }),
            }
        }
        for interface in self.account.interfaces.values_mut() {
            interface.vpc.iter_mut().for_each(resolve);
            interface.subnet.iter_mut().for_each(resolve);
            if let Known::Is(groups) = &mut interface.groups {
                let mut all: Vec<ResourceId> = groups.drain(..).collect();
                all.iter_mut().for_each(resolve);
                groups.extend(all);
            }
        }
        for subnet in self.account.subnets.values_mut() {
            subnet.vpc.iter_mut().for_each(resolve);
        }
        for (mut interface, mut group, origin) in std::mem::take(&mut self.memberships) {
            resolve(&mut interface);
            resolve(&mut group);
            match self.account.interfaces.get_mut(&interface).map(|interface| &mut interface.groups) {
                Some(Known::Is(groups)) => {
                    groups.insert(group);
                }
                Some(Known::Unknown(_)) => {}
                None => self.account.left_out.push(of_no_interface("member of a group", &interface, origin)),
            }
        }
        for (mut interface, address, origin) in std::mem::take(&mut self.public) {
            resolve(&mut interface);
            match self.account.interfaces.get_mut(&interface).map(|interface| &mut interface.public) {
                Some(Public::At(known)) => known.extend(address.filter(|address| !known.contains(address))),
                Some(public) => *public = Public::At(address.into_iter().collect()),
                None => self.account.left_out.push(of_no_interface("public address", &interface, origin)),
            }
        }
        self.drop_rules_of_other_accounts();
        let known: IndexSet<ResourceId> = self.account.groups.keys().cloned().collect();
        let left_out = &mut self.account.left_out;
        for group in self.account.groups.values_mut() {
            group.vpc.iter_mut().for_each(resolve);
            for rule in group.ingress.iter_mut().chain(&mut group.egress) {
                match &mut rule.peer {
                    Peer::Group(id) => {
                        resolve(id);
                        if !known.contains(id) {
                            left_out.push(LeftOut {
                                kind: "members of a group".to_owned(),
                                reason: Reason::StaleReference(id.to_string()),
                                origin: rule.origin.clone(),
                            });
                        }
                    }
                    Peer::PrefixList(id) => resolve(id),
                    Peer::Block(_) | Peer::Unknown(_) => {}
                }
            }
        }
        self.name_apart();
        let subnets = &self.account.subnets;
        for interface in self.account.interfaces.values_mut() {
            let of_subnet = || subnets.get(interface.subnet.as_ref()?)?.vpc.clone();
            interface.vpc = interface.vpc.take().or_else(of_subnet);
        }
        (self.account, self.faults)
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

    /// Groups of one name say their VPC too, and else their id: who accepts `db` accepts one group.
    fn name_apart(&mut self) {
        for group in self.account.groups.values_mut().filter(|group| is_told_as_block(&group.label)) {
            group.label = format!("group {}", group.label);
        }
        let vpcs = &self.account.vpcs;
        let of_vpc = |id: &ResourceId| vpcs.get(id).map_or_else(|| id.to_string(), |vpc| vpc.label.clone());
        let twins = |groups: &IndexMap<ResourceId, SecurityGroup>| {
            let mut seen: HashMap<String, usize> = HashMap::new();
            groups.values().for_each(|group| *seen.entry(group.label.clone()).or_default() += 1);
            seen
        };
        let seen = twins(&self.account.groups);
        for group in self.account.groups.values_mut().filter(|group| seen[&group.label] > 1) {
            if let Some(vpc) = &group.vpc {
                group.label = format!("{}@{}", group.label, of_vpc(vpc));
            }
        }
        let seen = twins(&self.account.groups);
        for (id, group) in self.account.groups.iter_mut().filter(|(_, group)| seen[&group.label] > 1) {
            group.label = format!("{}@{id}", group.label);
        }
    }
}

/// Returns true for a name by which a block of addresses is told: EC2 takes such names for groups.
fn is_told_as_block(name: &str) -> bool {
    let word = name.split(' ').next().unwrap_or(name);
    word.eq_ignore_ascii_case("anywhere")
        || word.eq_ignore_ascii_case("somebody")
        || word.parse::<IpNet>().is_ok()
        || word.parse::<IpAddr>().is_ok()
}

fn of_no_interface(kind: &str, interface: &ResourceId, origin: Origin) -> LeftOut {
    LeftOut { kind: kind.to_owned(), reason: Reason::StaleReference(interface.to_string()), origin }
}

/// One digest of two texts.
pub(super) fn mixed(one: u64, other: u64) -> u64 {
    one.rotate_left(1) ^ other
}

/// A source while it is read into a builder.
pub(super) struct Reader<'s> {
    pub source: &'s Source,
    pub into: &'s mut Builder,
}

impl Reader<'_> {
    pub fn origin(&self, node: Node<'_>, resource: &str) -> Origin {
        let digest = self.source.digest(node.span());
        let digest = self.into.written.get(resource).map_or(digest, |written| mixed(digest, *written));
        Origin { digest, ..Origin::new(ResourceId::new(resource), self.source.place(node.span())) }
    }

    pub fn fault(&mut self, mistake: Mistake) {
        self.into.faults.push(mistake.placed(self.source));
    }

    /// A value of a resource that cannot be read.
    pub fn wrong(&mut self, node: Node<'_>, resource: &str, (message, help): Wrong) {
        let mistake = Mistake::new(node.span(), format!("{resource}: {message}")).maybe_help(help);
        let mistake = match node.text() {
            Some(text) => mistake.value(text),
            None => mistake,
        };
        self.fault(mistake);
    }

    /// A key that must be there and is not.
    pub fn lacks(&mut self, node: Node<'_>, resource: &str, key: &str) {
        let Span { start, .. } = node.span();
        self.fault(Mistake::new(Span { start, end: start }, format!("{resource}: `{key}` is missing")));
    }

    pub fn leave_out(&mut self, node: Node<'_>, kind: &str, resource: &str, reason: Reason) {
        let origin = self.origin(node, resource);
        self.into.account.left_out.push(LeftOut { kind: kind.to_owned(), reason, origin });
    }
}
