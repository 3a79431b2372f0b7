//! An account that grows while sources are read, with what is looked up once all are read.

mod references;

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use indexmap::{IndexMap, IndexSet};

use super::aliases::Aliases;
use super::details::{RuleDetails, has, told_otherwise};
use super::fault::Fault;
use super::parameters::Parameters;
use crate::account::{Account, Interface, Known, Origin, Public, ResourceId, Rule, SecurityGroup, Tags};
use crate::model::Direction;

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
    /// Interfaces that an instance tells.
    of_instances: HashSet<ResourceId>,
    /// Instances that tell no interface: what they say of themselves stands for the first, under their id.
    summaries: Vec<ResourceId>,
    /// Groups of other accounts that rules name: a source may have them as well.
    foreign: HashSet<ResourceId>,
    /// Digests of what resources are written as, beside their values, in the source that is being read.
    pub written: HashMap<String, u64>,
    aliases: Aliases,
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
        self.aliases.add(name, id);
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

    /// Adds what an instance tells of one of its interfaces. The first instance's word for holder and name goes before that of the interface.
    pub fn interface_of_instance(&mut self, id: ResourceId, new: Interface) {
        let (holder, label, origin) = (new.holder, new.label.clone(), new.origin.clone());
        let is_first = self.of_instances.insert(id.clone());
        self.interface(id.clone(), new);
        if let Some(known) = self.account.interfaces.get_mut(&id).filter(|_| is_first) {
            (known.holder, known.label, known.origin) = (holder, label, origin);
        }
    }

    /// Adds an instance that tells no interface, by what it says of itself.
    pub fn summary(&mut self, instance: ResourceId, new: Interface) {
        self.summaries.push(instance.clone());
        self.interface(instance, new);
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
}
