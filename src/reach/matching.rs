//! Matching of the resources of two accounts: by id, else by the resource that declares them, else by name, which a topology may have
//! made a plain one.

use std::collections::HashMap;
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
        let renamed = |interface: &Interface| {
            let (holder, device) = interface.holder_and_device();
            let name = plain_name(holder).to_lowercase();
            let name = if is_own(interface) { without_number(&name).to_owned() } else { name };
            Some((name, device))
        };
        for is_first_own in [true, false] {
            let side = |interface: &Interface, own: bool| renamed(interface).filter(|_| is_own(interface) == own);
            add_in_order(
                &mut self.interfaces,
                &of.interfaces,
                &among.interfaces,
                |interface| side(interface, is_first_own),
                |interface| side(interface, !is_first_own),
            );
            let list = |list: &PrefixList, own: bool| {
                let is_own = list.origin.resource.as_str() == list.label;
                let name = plain_name(&list.label).to_lowercase();
                (is_own == own).then(|| if own { without_number(&name).to_owned() } else { name })
            };
            add_in_order(
                &mut self.prefix_lists,
                &of.prefix_lists,
                &among.prefix_lists,
                |it| list(it, is_first_own),
                |it| list(it, !is_first_own),
            );
        }
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

/// Returns true for an interface of a topology: its holder has no other id than its name.
fn is_own(interface: &Interface) -> bool {
    interface.origin.resource.as_str() == interface.holder_and_device().0
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
    add(&mut found, all(of), all(among), |item| Some(resource(item)), |item| Some(resource(item)));
    add(&mut found, all(of), all(among), |item| name(of, item), |item| name(among, item));
    let plain = |account: &Account, item: &T| name(account, item).map(|(name, _)| name);
    add(&mut found, all(of), all(among), |item| plain(of, item), |item| plain(among, item));
    found
}

/// Matches what has no partner yet by a key that is unique on both sides.
fn add<T, K: Eq + Hash>(
    found: &mut HashMap<ResourceId, ResourceId>,
    of: &IndexMap<ResourceId, T>,
    among: &IndexMap<ResourceId, T>,
    key_of: impl Fn(&T) -> Option<K>,
    key_among: impl Fn(&T) -> Option<K>,
) {
    let taken: std::collections::HashSet<ResourceId> = found.values().cloned().collect();
    let unique = |all: Vec<(K, ResourceId)>| {
        let mut by_key: HashMap<K, Option<ResourceId>> = HashMap::new();
        for (key, id) in all {
            by_key.entry(key).and_modify(|known| *known = None).or_insert(Some(id));
        }
        by_key
    };
    let left =
        of.iter().filter(|(id, _)| !found.contains_key(*id)).filter_map(|(id, item)| Some((key_of(item)?, id.clone())));
    let left = unique(left.collect());
    let right = among
        .iter()
        .filter(|(id, _)| !taken.contains(*id))
        .filter_map(|(id, item)| Some((key_among(item)?, id.clone())));
    let mut right = unique(right.collect());
    for (key, id) in left {
        if let (Some(id), Some(Some(other))) = (id, right.remove(&key)) {
            found.insert(id, other);
        }
    }
}

/// Matches what has no partner yet by a key of which both sides have as many, in their order.
fn add_in_order<T, K: Eq + Hash>(
    found: &mut HashMap<ResourceId, ResourceId>,
    of: &IndexMap<ResourceId, T>,
    among: &IndexMap<ResourceId, T>,
    key_of: impl Fn(&T) -> Option<K>,
    key_among: impl Fn(&T) -> Option<K>,
) {
    let taken: std::collections::HashSet<ResourceId> = found.values().cloned().collect();
    let mut sides: HashMap<K, (Vec<&ResourceId>, Vec<&ResourceId>)> = HashMap::new();
    for (id, item) in of.iter().filter(|(id, _)| !found.contains_key(*id)) {
        key_of(item).into_iter().for_each(|key| sides.entry(key).or_default().0.push(id));
    }
    for (id, item) in among.iter().filter(|(id, _)| !taken.contains(*id)) {
        key_among(item).into_iter().for_each(|key| sides.entry(key).or_default().1.push(id));
    }
    for (ours, theirs) in sides.into_values().filter(|(ours, theirs)| ours.len() == theirs.len()) {
        found.extend(ours.into_iter().cloned().zip(theirs.into_iter().cloned()));
    }
}
