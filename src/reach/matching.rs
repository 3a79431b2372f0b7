//! Matching of the resources of two accounts: by id, else by the resource that declares them, else by name, which a topology may have
//! made a plain one.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use indexmap::IndexMap;

use crate::account::{
    Account, Interface, Origin, Peer, PrefixList, ResourceId, SecurityGroup, plain_name, without_number,
};
use crate::model::DEFAULT_GROUP;

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
        let mut matching = Self::default();
        // Both may have an interface of one id.
        let numbers = [of, among].map(numbers);
        let number = |account: &Account, id: &ResourceId| {
            let [in_of, in_among] = &numbers;
            if std::ptr::eq(account, of) { in_of.get(id).copied() } else { in_among.get(id).copied() }
        };
        for own in [true, false] {
            let group = |own: bool| {
                move |_: &Account, id: &ResourceId, group: &SecurityGroup| {
                    if own { copy_of_default(id, group) } else { edited_default(id, group) }
                }
            };
            add(&mut matching.groups, (of, among), |it| &it.groups, (group(own), group(!own)), RENAMED_GROUPS);
        }
        by_identity(&mut matching.groups, (of, among), |it| &it.groups, |_, _, group| group_key(&group.origin));
        by_identity(
            &mut matching.prefix_lists,
            (of, among),
            |it| &it.prefix_lists,
            |_, _, list| group_key(&list.origin),
        );
        by_identity(
            &mut matching.interfaces,
            (of, among),
            |it| &it.interfaces,
            |account, id, interface| {
                let (holder, device) = interface.holder_and_device();
                let device = number(account, id).unwrap_or(device);
                (interface.origin.resource.clone(), (holder.to_owned(), device))
            },
        );
        matching.add_renamed(of, among, &number);
        let group = |account: &Account, group: &SecurityGroup| {
            let vpc = group.vpc.as_ref().and_then(|id| account.vpcs.get(id)).map(|vpc| vpc.label.clone());
            group.name.clone().map(|name| (name, vpc.filter(|_| account.vpcs.len() > 1)))
        };
        by_name(&mut matching.groups, (of, among), |it| &it.groups, group);
        let interface = |_: &Account, interface: &Interface| Some((interface.label.clone(), None));
        by_name(&mut matching.interfaces, (of, among), |it| &it.interfaces, interface);
        let list = |_: &Account, list: &PrefixList| Some((list.label.clone(), None));
        by_name(&mut matching.prefix_lists, (of, among), |it| &it.prefix_lists, list);
        let group = |naming: Naming| {
            move |_: &Account, _: &ResourceId, group: &SecurityGroup| {
                (Naming::of(&group.origin, &group.label) == naming).then(|| renamed(&group.label, naming))
            }
        };
        for (own, other) in Naming::PAIRS {
            add(&mut matching.groups, (of, among), |it| &it.groups, (group(own), group(other)), RENAMED_GROUPS);
        }
        matching
    }

    /// Matches what a topology has with that which it was made of: its names are plain, and unique among all kinds. Twins are in the same order.
    /// Where the names are the same on both sides, nothing was renamed.
    fn add_renamed(&mut self, of: &Account, among: &Account, number: &impl Fn(&Account, &ResourceId) -> Option<u32>) {
        let interface = |naming: Naming| {
            move |account: &Account, id: &ResourceId, interface: &Interface| {
                let (holder, device) = interface.holder_and_device();
                let device = number(account, id).unwrap_or(device);
                (Naming::of(&interface.origin, holder) == naming).then(|| (renamed(holder, naming), device))
            }
        };
        let list = |naming: Naming| {
            move |_: &Account, _: &ResourceId, list: &PrefixList| {
                (Naming::of(&list.origin, &list.label) == naming).then(|| renamed(&list.label, naming))
            }
        };
        for (own, other) in Naming::PAIRS {
            let twins = Twins::InOrder(|interface: &Interface| interface.holder_and_device().0);
            add(&mut self.interfaces, (of, among), |it| &it.interfaces, (interface(own), interface(other)), twins);
            let twins = Twins::InOrder(|list: &PrefixList| &list.label);
            add(&mut self.prefix_lists, (of, among), |it| &it.prefix_lists, (list(own), list(other)), twins);
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

/// The interfaces of load balancers, databases and the like, numbered in the order of their holder: a topology makes an instance of each.
fn numbers(account: &Account) -> HashMap<ResourceId, u32> {
    let mut seen: HashMap<(&ResourceId, &str), u32> = HashMap::new();
    let others = account.interfaces.iter().filter(|(_, interface)| !interface.holder.is_instance());
    let numbered = others.map(|(id, interface)| {
        let next = seen.entry((&interface.origin.resource, interface.label.as_str())).or_default();
        *next += 1;
        (id.clone(), *next - 1)
    });
    numbered.collect()
}

/// A name that instances share, and which of their interfaces it is.
type FleetKey<'a> = (FleetName<'a>, i64);

/// A name that instances of one Auto Scaling group have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum FleetName<'a> {
    /// The group's own.
    Group(&'a str),
    /// The name that the group has in its template, which its instances have as a tag too.
    Declared(&'a str),
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
    let tags = fleet.and_then(|_| account.tags.get(id));
    let declared = tags.and_then(|tags| tags.logical_id.as_deref()).map(FleetName::Declared);
    // A plan names its Auto Scaling group, and no instance.
    let tag = fleet.map_or(Some(holder), |fleet| fleet.tag.as_deref()).map(FleetName::Tag);
    group.into_iter().chain(declared).chain(tag).map(|name| (name, device)).collect()
}

/// The kind of source that a name is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Naming {
    /// A topology, whose resources have no other id than their names.
    Topology,
    /// Any other.
    Source,
}

impl Naming {
    /// Those of two sources of which one is a topology that was made of the other.
    const PAIRS: [(Self, Self); 2] = [(Self::Topology, Self::Source), (Self::Source, Self::Topology)];

    fn of(origin: &Origin, name: &str) -> Self {
        if origin.resource.as_str() == name { Self::Topology } else { Self::Source }
    }
}

/// The beginning that the names of a topology's resource and of that which it was made of have in common. Of twins all but the first have a
/// number behind it, and a name may have had one of its own.
fn renamed(label: &str, naming: Naming) -> String {
    let name = plain(label, naming);
    let mut stem = name.as_str();
    while without_number(stem) != stem {
        stem = without_number(stem);
    }
    stem.to_owned()
}

/// A name in lower case as a topology has it.
fn plain(label: &str, naming: Naming) -> String {
    match naming {
        Naming::Topology => label.to_lowercase(),
        Naming::Source => plain_name(label).to_lowercase(),
    }
}

/// Returns true if two names are one, but for what a topology makes of it.
fn are_one(one: &str, other: &str) -> bool {
    let is_made = |own: &str, other: &str| {
        let (own, other) = (plain(own, Naming::Topology), plain(other, Naming::Source));
        own == other || without_number(&own) == other
    };
    is_made(one, other) || is_made(other, one)
}

const RENAMED_GROUPS: Twins<SecurityGroup> = Twins::InOrder(|group| &group.label);

/// The name of a VPC's default group with other rules than EC2 gives it. A topology has a group of a name like it in its place.
fn edited_default(id: &ResourceId, group: &SecurityGroup) -> Option<String> {
    let is_edited = group.name.as_deref() == Some(DEFAULT_GROUP) && !group.is_default_as_born(id);
    let naming = Naming::of(&group.origin, &group.label);
    (is_edited && naming == Naming::Source).then(|| renamed(&group.label, naming))
}

/// The name of that which a topology may have in place of such a group.
fn copy_of_default(id: &ResourceId, group: &SecurityGroup) -> Option<String> {
    let naming = Naming::of(&group.origin, &group.label);
    (naming == Naming::Topology && !group.is_default_as_born(id)).then(|| renamed(&group.label, naming))
}

fn group_key(origin: &Origin) -> (ResourceId, (String, u32)) {
    (origin.resource.clone(), Default::default())
}

type Name = (String, Option<String>);
type Pairs = HashMap<ResourceId, ResourceId>;
type All<T> = fn(&Account) -> &IndexMap<ResourceId, T>;

/// Matches by id, else by the resource that declares it, which a stack's resources tell by a tag.
fn by_identity<T>(
    found: &mut Pairs,
    (of, among): (&Account, &Account),
    all: All<T>,
    resource: impl Fn(&Account, &ResourceId, &T) -> (ResourceId, (String, u32)) + Copy,
) {
    let taken: HashSet<ResourceId> = found.values().cloned().collect();
    let same = all(of).keys().filter(|id| all(among).contains_key(*id) && !taken.contains(*id));
    let same: Vec<ResourceId> = same.filter(|id| !found.contains_key(*id)).cloned().collect();
    found.extend(same.into_iter().map(|id| (id.clone(), id)));
    let key = |account: &Account, id: &ResourceId, item: &T| Some(resource(account, id, item));
    add(found, (of, among), all, (key, key), Twins::Unmatched);
    let logical = |account: &Account, id: &ResourceId| account.tags.get(id)?.logical_id.clone();
    add_by_id(found, (of, among), all, logical);
}

/// Matches by name, else by name whatever the VPC, else by the tag `Name`.
fn by_name<T>(
    found: &mut Pairs,
    both: (&Account, &Account),
    all: All<T>,
    name: impl Fn(&Account, &T) -> Option<Name> + Copy,
) {
    let whole = |account: &Account, _: &ResourceId, item: &T| name(account, item);
    add(found, both, all, (whole, whole), Twins::Unmatched);
    let plain = |account: &Account, _: &ResourceId, item: &T| name(account, item).map(|(name, _)| name);
    add(found, both, all, (plain, plain), Twins::Unmatched);
    add_by_id(found, both, all, |account, id| account.tags.get(id)?.name.clone());
}

/// Items that share a key.
enum Twins<T> {
    /// They are not told from each other.
    Unmatched,
    /// Both sides have as many, in the same order, and each name is one that a topology makes of the other.
    InOrder(fn(&T) -> &str),
}

/// Matches what has no partner yet by a key.
fn add<T, K: Eq + Hash>(
    found: &mut Pairs,
    (of, among): (&Account, &Account),
    all: All<T>,
    (key_of, key_among): (
        impl Fn(&Account, &ResourceId, &T) -> Option<K>,
        impl Fn(&Account, &ResourceId, &T) -> Option<K>,
    ),
    twins: Twins<T>,
) {
    pair(found, (all(of), all(among)), |id, item| key_of(of, id, item), |id, item| key_among(among, id, item), twins);
}

/// Matches what has no partner yet by a key of its id.
fn add_by_id<T>(
    found: &mut Pairs,
    (of, among): (&Account, &Account),
    all: All<T>,
    key: impl Fn(&Account, &ResourceId) -> Option<String>,
) {
    pair(found, (all(of), all(among)), |id, _| key(of, id), |id, _| key(among, id), Twins::Unmatched);
}

fn pair<T, K: Eq + Hash>(
    found: &mut Pairs,
    (of, among): (&IndexMap<ResourceId, T>, &IndexMap<ResourceId, T>),
    key_of: impl Fn(&ResourceId, &T) -> Option<K>,
    key_among: impl Fn(&ResourceId, &T) -> Option<K>,
    twins: Twins<T>,
) {
    let taken: HashSet<ResourceId> = found.values().cloned().collect();
    let mut sides: IndexMap<K, (Vec<&ResourceId>, Vec<&ResourceId>)> = IndexMap::new();
    for (id, item) in of.iter().filter(|(id, _)| !found.contains_key(*id)) {
        key_of(id, item).into_iter().for_each(|key| sides.entry(key).or_default().0.push(id));
    }
    for (id, item) in among.iter().filter(|(id, _)| !taken.contains(*id)) {
        key_among(id, item).into_iter().for_each(|key| sides.entry(key).or_default().1.push(id));
    }
    for (ours, theirs) in sides.into_values() {
        let are_paired = ours.len() == theirs.len()
            && match twins {
                Twins::Unmatched => ours.len() == 1,
                Twins::InOrder(name) => ours.iter().zip(&theirs).all(|(ours, theirs)| {
                    let both = of.get(*ours).zip(among.get(*theirs));
                    both.is_some_and(|(one, other)| are_one(name(one), name(other)))
                }),
            };
        if are_paired {
            found.extend(ours.into_iter().cloned().zip(theirs.into_iter().cloned()));
        }
    }
}

/// The account without the default groups that the other does not have, where they are as born, nobody is a member, and no rule names them.
pub(super) fn without<'a>(account: &'a Account, matching: &Matching) -> Cow<'a, Account> {
    let alone = |id: &ResourceId| !matching.groups.contains_key(id);
    let born = account.groups.iter().filter(|(id, group)| alone(id) && group.is_default_as_born(id));
    let mut unused: HashSet<ResourceId> = born.map(|(id, _)| id.clone()).collect();
    if unused.is_empty() {
        return Cow::Borrowed(account);
    }
    for interface in account.interfaces.values() {
        match interface.groups.known() {
            Some(groups) => unused.retain(|id| !groups.contains(id)),
            // It may be a member.
            None => return Cow::Borrowed(account),
        }
    }
    for (own, group) in &account.groups {
        for rule in group.all_rules() {
            if let Peer::Group(id) = &rule.peer
                && id != own
            {
                unused.remove(id);
            }
        }
    }
    let mut account = account.clone();
    account.groups.retain(|id, _| !unused.contains(id));
    Cow::Owned(account)
}
