//! Matching of the resources of two accounts: by id, else by the resource that declares them, else by name, which a topology may have
//! made a plain one.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use indexmap::IndexMap;

use crate::account::{Account, Interface, Origin, PrefixList, ResourceId, SecurityGroup, plain_name, without_number};

/// Resources of one account by those of another.
#[derive(Debug, Default)]
pub(super) struct Matching {
    pub groups: HashMap<ResourceId, ResourceId>,
    pub interfaces: HashMap<ResourceId, ResourceId>,
    pub prefix_lists: HashMap<ResourceId, ResourceId>,
}

impl Matching {
    /// Finds for each resource of `of` the one of `among` that it is.
    pub fn new(of: &Account, among: &Account) -> Self {
        let group = |account: &Account, group: &SecurityGroup| {
            let vpc = group.vpc.as_ref().and_then(|id| account.vpcs.get(id)).map(|vpc| vpc.label.clone());
            group.name.clone().map(|name| (name, vpc.filter(|_| account.vpcs.len() > 1)))
        };
        let interface = |_: &Account, interface: &Interface| Some((interface.label.clone(), None));
        let list = |_: &Account, list: &PrefixList| Some((list.label.clone(), None));
        let mut matching = Self {
            groups: matched(of, among, |account| &account.groups, |group| group_key(&group.origin), group),
            interfaces: matched(
                of,
                among,
                |account| &account.interfaces,
                |interface| (interface.origin.resource.clone(), interface.label.clone()),
                interface,
            ),
            prefix_lists: matched(of, among, |account| &account.prefix_lists, |list| group_key(&list.origin), list),
        };
        matching.add_renamed(of, among);
        matching
    }

    /// Matches what a topology has with that which it was made of: its names are plain, and unique among all kinds. Twins are in the same order.
    fn add_renamed(&mut self, of: &Account, among: &Account) {
        let name = |label: &str, own: bool| {
            let plain = plain_name(label).to_lowercase();
            if own { without_number(&plain).to_owned() } else { plain }
        };
        let interface = |interface: &Interface, own: bool| {
            let (holder, device) = interface.holder_and_device();
            (is_own(&interface.origin, holder) == own).then(|| (name(holder, own), device))
        };
        let list =
            |list: &PrefixList, own: bool| (is_own(&list.origin, &list.label) == own).then(|| name(&list.label, own));
        for own in [true, false] {
            let both = (&of.interfaces, &among.interfaces);
            add(&mut self.interfaces, both, |it| interface(it, own), |it| interface(it, !own), Twins::InOrder);
            let both = (&of.prefix_lists, &among.prefix_lists);
            add(&mut self.prefix_lists, both, |it| list(it, own), |it| list(it, !own), Twins::InOrder);
        }
    }

    /// Matches instances that stand for each other, as many as there may be: an Auto Scaling group ends and launches them as it likes, and gives all of
    /// them one name. A source that does not tell the group has several instances of one name.
    pub fn add_fleets(&mut self, of: &Account, among: &Account) {
        let mut theirs: HashMap<FleetKey<'_>, Vec<&ResourceId>> = HashMap::new();
        for (id, interface) in &among.interfaces {
            fleet_keys(among, id, interface).into_iter().for_each(|key| theirs.entry(key).or_default().push(id));
        }
        let mut own: HashMap<FleetKey<'_>, usize> = HashMap::new();
        for (id, interface) in &of.interfaces {
            fleet_keys(of, id, interface).into_iter().for_each(|key| *own.entry(key).or_default() += 1);
        }
        let is_fleet = |key: &FleetKey<'_>, id: &ResourceId, candidates: &[&ResourceId]| {
            own.get(key).is_some_and(|count| *count > 1)
                || candidates.len() > 1
                || of.fleets.contains_key(id)
                || candidates.iter().any(|id| among.fleets.contains_key(*id))
        };
        let mut found = Vec::new();
        for (id, interface) in of.interfaces.iter().filter(|(id, _)| !self.interfaces.contains_key(*id)) {
            let keys = fleet_keys(of, id, interface);
            let twins = keys.iter().filter_map(|key| Some((key, theirs.get(key)?)));
            let Some((_, candidates)) = twins.into_iter().find(|(key, candidates)| is_fleet(key, id, candidates))
            else {
                continue;
            };
            let groups = |interface: &Interface| interface.groups.known().cloned();
            let mapped = groups(interface).map(|groups| -> HashSet<ResourceId> {
                groups.iter().map(|id| self.groups.get(id).unwrap_or(id).clone()).collect()
            });
            let has_same = |id: &&&ResourceId| {
                let theirs = among.interfaces.get(**id).and_then(groups);
                theirs.map(|theirs| theirs.into_iter().collect::<HashSet<_>>()) == mapped
            };
            let twin = candidates.iter().find(has_same).or_else(|| candidates.first());
            found.extend(twin.map(|twin| (id.clone(), (*twin).clone())));
        }
        self.interfaces.extend(found);
    }

    /// The same the other way round.
    pub fn reversed(&self) -> Self {
        let turned =
            |map: &HashMap<ResourceId, ResourceId>| map.iter().map(|(of, among)| (among.clone(), of.clone())).collect();
        Self {
            groups: turned(&self.groups),
            interfaces: turned(&self.interfaces),
            prefix_lists: turned(&self.prefix_lists),
        }
    }
}

/// A name that instances share, and which of their interfaces it is.
type FleetKey<'a> = (FleetName<'a>, i64);

/// A name that instances of one Auto Scaling group have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum FleetName<'a> {
    /// The group's own.
    Group(&'a str),
    /// Their tag `Name`.
    Tag(&'a str),
}

/// The names by which an instance may be one of a fleet.
fn fleet_keys<'a>(account: &'a Account, id: &ResourceId, interface: &'a Interface) -> Vec<FleetKey<'a>> {
    if !interface.holder.is_instance() {
        return Vec::new();
    }
    let (holder, device) = interface.holder_and_device();
    let device = i64::from(device);
    let fleet = account.fleets.get(id);
    let group = fleet.and_then(|fleet| fleet.name.as_deref()).map(FleetName::Group);
    // What a plan calls its Auto Scaling group is no name of an instance.
    let tag = fleet.map_or(Some(holder), |fleet| fleet.tag.as_deref()).map(FleetName::Tag);
    group.into_iter().chain(tag).map(|name| (name, device)).collect()
}

/// Returns true for what a topology has: it has no other id than its name.
fn is_own(origin: &Origin, name: &str) -> bool {
    origin.resource.as_str() == name
}

fn group_key(origin: &Origin) -> (ResourceId, String) {
    (origin.resource.clone(), String::new())
}

type Name = (String, Option<String>);

fn matched<T>(
    of: &Account,
    among: &Account,
    all: impl Fn(&Account) -> &IndexMap<ResourceId, T>,
    resource: impl Fn(&T) -> (ResourceId, String),
    name: impl Fn(&Account, &T) -> Option<Name>,
) -> HashMap<ResourceId, ResourceId> {
    let mut found: HashMap<ResourceId, ResourceId> =
        all(of).keys().filter(|id| all(among).contains_key(*id)).map(|id| (id.clone(), id.clone())).collect();
    let both = (all(of), all(among));
    add(&mut found, both, |item| Some(resource(item)), |item| Some(resource(item)), Twins::Unmatched);
    add(&mut found, both, |item| name(of, item), |item| name(among, item), Twins::Unmatched);
    let plain = |account: &Account, item: &T| name(account, item).map(|(name, _)| name);
    add(&mut found, both, |item| plain(of, item), |item| plain(among, item), Twins::Unmatched);
    found
}

/// Items that share a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Twins {
    /// They are not told from each other.
    Unmatched,
    /// Both sides have as many, in the same order.
    InOrder,
}

/// Matches what has no partner yet by a key.
fn add<T, K: Eq + Hash>(
    found: &mut HashMap<ResourceId, ResourceId>,
    (of, among): (&IndexMap<ResourceId, T>, &IndexMap<ResourceId, T>),
    key_of: impl Fn(&T) -> Option<K>,
    key_among: impl Fn(&T) -> Option<K>,
    twins: Twins,
) {
    let taken: HashSet<ResourceId> = found.values().cloned().collect();
    let mut sides: HashMap<K, (Vec<&ResourceId>, Vec<&ResourceId>)> = HashMap::new();
    for (id, item) in of.iter().filter(|(id, _)| !found.contains_key(*id)) {
        key_of(item).into_iter().for_each(|key| sides.entry(key).or_default().0.push(id));
    }
    for (id, item) in among.iter().filter(|(id, _)| !taken.contains(*id)) {
        key_among(item).into_iter().for_each(|key| sides.entry(key).or_default().1.push(id));
    }
    for (ours, theirs) in sides.into_values() {
        if ours.len() == theirs.len() && (ours.len() == 1 || twins == Twins::InOrder) {
            found.extend(ours.into_iter().cloned().zip(theirs.into_iter().cloned()));
        }
    }
}
