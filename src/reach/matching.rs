//! Matching of the resources of two accounts: by id, else by the resource that declares them, else by name, which a topology may have
//! made a plain one.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use indexmap::IndexMap;

use crate::account::{
    Account, Interface, Origin, Peer, PrefixList, ResourceId, SecurityGroup, plain_name, without_number,
};

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
        for rule in group.ingress.iter().chain(&group.egress) {
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
