//! A cloud while operations change it. Each part is noted as it was before it changes, which is what it takes to put it back
//! and to say what has changed.

use std::hash::Hash;
use std::ops::Deref;

use indexmap::{IndexMap, IndexSet};

use crate::model::address::{PrivateIp, PublicIp};
use crate::model::change::{self, Change};
use crate::model::cloud::{Cloud, ElasticIp, Instance, PrefixList, SecurityGroup};
use crate::model::id::ResourceId;
use crate::model::interface_id::Attachment;
use crate::model::load_balancer::LoadBalancer;
use crate::model::name::{ElasticIpName, GroupName, InstanceName, LoadBalancerName, PrefixListName, RuleId, VpcName};

/// A cloud that may be read as it is, and changed only where the change is noted.
pub(in crate::model) struct Edit<'a> {
    cloud: &'a mut Cloud,
    before: Before,
}

impl Deref for Edit<'_> {
    type Target = Cloud;

    fn deref(&self) -> &Cloud {
        self.cloud
    }
}

impl<'a> Edit<'a> {
    /// Begins to change a cloud.
    pub fn of(cloud: &'a mut Cloud) -> Self {
        let before = Before { rule: cloud.counters.rule, interface: cloud.counters.interface, ..Before::default() };
        Self { cloud, before }
    }

    /// Leaves the cloud as it is now.
    pub fn finish(self) -> Changed {
        Changed { changes: self.before.changes(self.cloud), before: self.before }
    }

    /// Puts the cloud back.
    pub fn undo(self) {
        self.before.restore(self.cloud);
    }

    pub fn instances_mut(&mut self) -> Table<'_, InstanceName, Instance> {
        Table { now: &mut self.cloud.instances, before: &mut self.before.instances }
    }

    pub fn groups_mut(&mut self) -> Table<'_, GroupName, SecurityGroup> {
        Table { now: &mut self.cloud.groups, before: &mut self.before.groups }
    }

    pub fn load_balancers_mut(&mut self) -> Table<'_, LoadBalancerName, LoadBalancer> {
        Table { now: &mut self.cloud.load_balancers, before: &mut self.before.load_balancers }
    }

    pub fn elastic_ips_mut(&mut self) -> Table<'_, ElasticIpName, ElasticIp> {
        Table { now: &mut self.cloud.elastic_ips, before: &mut self.before.elastic_ips }
    }

    pub fn prefix_lists_mut(&mut self) -> Table<'_, PrefixListName, PrefixList> {
        Table { now: &mut self.cloud.prefix_lists, before: &mut self.before.prefix_lists }
    }

    pub fn previous_addresses_mut(&mut self) -> Table<'_, InstanceName, PrivateIp> {
        Table { now: &mut self.cloud.previous_addresses, before: &mut self.before.previous_addresses }
    }

    pub fn last_public_mut(&mut self) -> Table<'_, Attachment, PublicIp> {
        Table { now: &mut self.cloud.last_public, before: &mut self.before.last_public }
    }

    pub fn last_private_mut(&mut self) -> Table<'_, Attachment, PrivateIp> {
        Table { now: &mut self.cloud.last_private, before: &mut self.before.last_private }
    }

    /// A rule id that was never given before.
    pub fn next_rule_id(&mut self) -> RuleId {
        self.cloud.counters.rule += 1;
        RuleId(self.cloud.counters.rule)
    }

    /// An interface number that was never given before.
    pub fn next_interface_number(&mut self) -> u32 {
        self.cloud.counters.interface += 1;
        self.cloud.counters.interface
    }

    /// Gives an id to a resource that is known by these names, the widest first.
    pub fn next_id<T: ResourceId>(&mut self, names: &[&str]) -> T {
        let key = T::key(names);
        let given = self.cloud.counters.ids.entry(key.clone()).or_default();
        let id = T::of(names, *given);
        *given += 1;
        self.before.ids.push(key);
        id
    }

    /// Remembers a public address as given.
    pub fn public_given(&mut self, address: PublicIp) {
        let given = &mut self.cloud.counters.public;
        self.before.public.get_or_insert(given.len());
        given.insert(address);
    }

    /// Remembers a private address of a VPC as given.
    pub fn private_given(&mut self, vpc: &VpcName, address: PrivateIp) {
        let given = &mut self.cloud.counters.private;
        self.before.private.push((vpc.clone(), given.get(vpc).map(IndexSet::len)));
        given.entry(vpc.clone()).or_default().insert(address);
    }
}

/// A table of a cloud, to be changed.
pub(in crate::model) struct Table<'a, K, V> {
    now: &'a mut IndexMap<K, V>,
    before: &'a mut Log<K, V>,
}

impl<'a, K: Clone + Eq + Hash, V: Clone> Table<'a, K, V> {
    /// An entry that is to be changed.
    pub fn get_mut(self, key: &K) -> Option<&'a mut V> {
        self.before.note(self.now, key);
        self.now.get_mut(key)
    }

    /// Adds an entry at the end, or replaces it in its place.
    pub fn insert(self, key: K, value: V) {
        self.before.note(self.now, &key);
        self.now.insert(key, value);
    }

    /// Takes an entry out; the others keep their order.
    pub fn remove(self, key: &K) {
        self.before.note(self.now, key);
        self.now.shift_remove(key);
    }
}

/// The entries of a table before each change of one: place and value, nothing for one that was not there.
#[derive(Clone, Debug)]
struct Log<K, V>(Vec<(K, Option<(usize, V)>)>);

impl<K, V> Default for Log<K, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: Clone + Eq + Hash, V: Clone> Log<K, V> {
    fn note(&mut self, table: &IndexMap<K, V>, key: &K) {
        let was = table.get_full(key).map(|(place, _, value)| (place, value.clone()));
        self.0.push((key.clone(), was));
    }

    /// Takes the changes back, the last first.
    fn restore(self, table: &mut IndexMap<K, V>) {
        for (key, was) in self.0.into_iter().rev() {
            match was {
                None => drop(table.shift_remove(&key)),
                Some((place, value)) => match table.get_mut(&key) {
                    Some(now) => *now = value,
                    None => drop(table.shift_insert(place, key, value)),
                },
            }
        }
    }

    /// Every key that was noted, with what it was at first: those that are gone, and then in the order of the table.
    fn touched<'a>(&'a self, table: &IndexMap<K, V>) -> Vec<(&'a K, Option<&'a V>)> {
        let mut first: IndexMap<&K, Option<&V>> = IndexMap::new();
        for (key, was) in &self.0 {
            first.entry(key).or_insert(was.as_ref().map(|(_, value)| value));
        }
        let mut touched: Vec<_> = first.into_iter().collect();
        touched.sort_by_key(|(key, _)| table.get_index_of(*key));
        touched
    }
}

/// The parts of a cloud that were changed, as they were.
#[derive(Clone, Debug, Default)]
struct Before {
    instances: Log<InstanceName, Instance>,
    groups: Log<GroupName, SecurityGroup>,
    load_balancers: Log<LoadBalancerName, LoadBalancer>,
    elastic_ips: Log<ElasticIpName, ElasticIp>,
    prefix_lists: Log<PrefixListName, PrefixList>,
    previous_addresses: Log<InstanceName, PrivateIp>,
    last_public: Log<Attachment, PublicIp>,
    last_private: Log<Attachment, PrivateIp>,
    rule: u32,
    interface: u32,
    /// The keys of ids that were given, each as often as one was.
    ids: Vec<String>,
    /// Number of public addresses that had been given.
    public: Option<usize>,
    /// Number of private addresses of a VPC that had been given before each further one; nothing where it had no entry.
    private: Vec<(VpcName, Option<usize>)>,
}

impl Before {
    fn restore(self, cloud: &mut Cloud) {
        self.instances.restore(&mut cloud.instances);
        self.groups.restore(&mut cloud.groups);
        self.load_balancers.restore(&mut cloud.load_balancers);
        self.elastic_ips.restore(&mut cloud.elastic_ips);
        self.prefix_lists.restore(&mut cloud.prefix_lists);
        self.previous_addresses.restore(&mut cloud.previous_addresses);
        self.last_public.restore(&mut cloud.last_public);
        self.last_private.restore(&mut cloud.last_private);
        cloud.counters.rule = self.rule;
        cloud.counters.interface = self.interface;
        for key in self.ids.into_iter().rev() {
            match cloud.counters.ids.get_mut(&key) {
                Some(given) if *given > 1 => *given -= 1,
                _ => drop(cloud.counters.ids.shift_remove(&key)),
            }
        }
        if let Some(given) = self.public {
            cloud.counters.public.truncate(given);
        }
        for (vpc, given) in self.private.into_iter().rev() {
            match (given, cloud.counters.private.get_mut(&vpc)) {
                (Some(given), Some(all)) => all.truncate(given),
                _ => drop(cloud.counters.private.shift_remove(&vpc)),
            }
        }
    }

    fn changes(&self, now: &Cloud) -> Vec<Change> {
        let mut changes = Vec::new();
        for (name, was) in self.instances.touched(&now.instances) {
            change::of_instance(name, was, now.instances.get(name), &mut changes);
        }
        for (name, was) in self.groups.touched(&now.groups) {
            change::of_group(name, was, now.groups.get(name), &mut changes);
        }
        for (name, was) in self.load_balancers.touched(&now.load_balancers) {
            change::of_load_balancer(name, was, now.load_balancers.get(name), &mut changes);
        }
        for (name, was) in self.elastic_ips.touched(&now.elastic_ips) {
            change::of_elastic_ip(name, was, now.elastic_ips.get(name), &mut changes);
        }
        for (name, was) in self.prefix_lists.touched(&now.prefix_lists) {
            change::of_prefix_list(name, was, now.prefix_lists.get(name), &mut changes);
        }
        changes
    }
}

/// The changes that operations made to a cloud.
#[derive(Clone, Debug)]
pub struct Changed {
    before: Before,
    changes: Vec<Change>,
}

impl Changed {
    /// Takes the changes back. The cloud must be as these operations left it.
    pub fn undo(self, cloud: &mut Cloud) {
        self.before.restore(cloud);
    }

    /// Every fact that is another now.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// The same, for who keeps them.
    pub fn into_changes(self) -> Vec<Change> {
        self.changes
    }

    /// The instances and load balancers that may be others than before.
    pub fn holders(&self) -> IndexSet<&str> {
        let instances = self.before.instances.0.iter().map(|(name, _)| name.as_str());
        instances.chain(self.before.load_balancers.0.iter().map(|(name, _)| name.as_str())).collect()
    }
}
