//! The difference of two accounts: what becomes open, what becomes closed, and the rules and members that make it so.

use std::collections::HashSet;

use indexmap::IndexMap;

use super::classes::classes;
use super::gained::gained;
use super::matching::Matching;
use super::matching::without;
use super::passage::{Certainty, Passage, Way};
use super::public::{AddressChange, addresses_of_one};
use super::renumbered::renumber;
use super::rules::{
    EntryChange, GroupChange, MemberChange, RuleChange, entries_of_one, groups_of_one, members_of_one, rules_of_one,
};
use crate::account::{Account, Known, LeftOut, Origin, Peer, ResourceId, Rule, SecurityGroup};

/// The difference between an account before and after a change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Passages that only the account after admits, from outside first.
    pub opened: Vec<Passage>,
    /// Passages that only the account before admits.
    pub closed: Vec<Passage>,
    /// Groups that only the account after has.
    pub groups_added: Vec<GroupChange>,
    /// Groups that only the account before has.
    pub groups_removed: Vec<GroupChange>,
    /// Rules that only the account after has.
    pub rules_added: Vec<RuleChange>,
    /// Rules that only the account before has.
    pub rules_removed: Vec<RuleChange>,
    /// Entries that prefix lists have in the account after only.
    pub entries_added: Vec<EntryChange>,
    /// Entries that prefix lists have in the account before only.
    pub entries_removed: Vec<EntryChange>,
    /// Memberships that only the account after has.
    pub members_added: Vec<MemberChange>,
    /// Memberships that only the account before has.
    pub members_removed: Vec<MemberChange>,
    /// Public addresses that interfaces of both have in the account after only.
    pub addresses_added: Vec<AddressChange>,
    /// Public addresses that interfaces of both have in the account before only.
    pub addresses_removed: Vec<AddressChange>,
    /// Items that only the account after leaves out, and that may open or close something.
    pub not_known: Vec<LeftOut>,
    /// Those that only the account before leaves out, and of which the account after has nothing.
    pub gone: Vec<LeftOut>,
}

impl Difference {
    /// Gives what is newly open from outside, for certain.
    pub fn opened_from_outside(&self) -> impl Iterator<Item = &Passage> {
        self.opened.iter().filter(|passage| passage.way == Way::FromOutside && passage.certainty == Certainty::Known)
    }

    /// Gives what may have become open or closed: something is not known.
    pub fn unknown(&self) -> impl Iterator<Item = &Passage> {
        self.opened.iter().chain(&self.closed).filter(|passage| passage.certainty != Certainty::Known)
    }

    /// Returns true if both have the same groups, rules, entries of prefix lists and members.
    pub fn is_same(&self) -> bool {
        let lengths = [
            self.groups_added.len(),
            self.groups_removed.len(),
            self.rules_added.len(),
            self.rules_removed.len(),
            self.entries_added.len(),
            self.entries_removed.len(),
            self.members_added.len(),
            self.members_removed.len(),
            self.addresses_added.len(),
            self.addresses_removed.len(),
        ];
        lengths.iter().all(|length| *length == 0) && self.is_empty()
    }

    /// Returns true if nobody reaches anybody else than before, and the same is not known.
    pub fn is_empty(&self) -> bool {
        self.opened.is_empty() && self.closed.is_empty() && self.not_known.is_empty() && self.gone.is_empty()
    }
}

/// Lists what one account leaves out as not known and another does not: rules of unknown groups, peers of other accounts. What is not emulated
/// counts where the other would tell it as well.
fn left_out_of_one(of: &Account, other: &Account) -> Vec<LeftOut> {
    let known: HashSet<_> = other.left_out.iter().map(LeftOut::key).collect();
    let counts = |item: &LeftOut| item.is_unknown() || item.matters() && of.sources == other.sources;
    of.left_out.iter().filter(|item| counts(item) && !known.contains(&item.key())).cloned().collect()
}

/// All that an account admits, by group: what is newly open where nothing was before.
pub fn admitted(account: &Account) -> Vec<Passage> {
    let none = Matching::default();
    of_all(&Account::default(), account, (&none, &none)).opened
}

/// Compares two accounts.
///
/// ```
/// use sglab::import::{Text, read};
/// use sglab::reach::compare;
///
/// let account = |block: &str| {
///     let text = format!(r#"{{"SecurityGroups": [{{"GroupId": "sg-1", "GroupName": "db", "IpPermissions":
///         [{{"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "IpRanges": [{{"CidrIp": "{block}"}}]}}]}}]}}"#);
///     read(&[Text { name: "groups.json".into(), text: text.into() }], None)
/// };
/// let difference = compare(&account("203.0.113.0/24")?, &account("0.0.0.0/0")?);
/// let opened = difference.opened_from_outside().next().expect("a widened rule");
/// assert_eq!((opened.target(), opened.from.as_str()), ("db:5432".to_owned(), "anywhere"));
/// assert_eq!(opened.already, ["tcp 5432 from 203.0.113.0/24"]);
/// # Ok::<(), sglab::import::Faults>(())
/// ```
pub fn compare(before: &Account, after: &Account) -> Difference {
    let mut to_before = Matching::new(after, before);
    let mut to_after = to_before.reversed();
    let (mut before, mut after) = (without(before, &to_after), without(after, &to_before));
    renumber(&mut before, &after, &to_after);
    renumber(&mut after, &before, &to_before);
    let absent = absent_groups(&before, &after);
    let outside = |of: &Account, matching: &Matching| -> Vec<(ResourceId, SecurityGroup)> {
        let alone = of.outside.iter().filter(|id| !matching.groups.contains_key(*id));
        alone.filter_map(|id| Some((id.clone(), of.groups.get(id)?.clone()))).collect()
    };
    let (of_before, of_after) = (outside(&before, &to_after), outside(&after, &to_before));
    for (account, groups) in [(&mut before, [&absent, &of_after]), (&mut after, [&absent, &of_before])] {
        for (id, group) in groups.into_iter().flatten() {
            to_before.groups.insert(id.clone(), id.clone());
            to_after.groups.insert(id.clone(), id.clone());
            account.to_mut().groups.insert(id.clone(), group.clone());
        }
    }
    to_before.add_fleets(&after, &before);
    to_after.add_fleets(&before, &after);
    of_all(&before, &after, (&to_before, &to_after))
}

/// Groups that interfaces of both accounts are in and of which neither has the rules: these are not known, and the same.
fn absent_groups(before: &Account, after: &Account) -> Vec<(ResourceId, SecurityGroup)> {
    let of = |account: &Account| -> IndexMap<ResourceId, SecurityGroup> {
        let mut absent = IndexMap::new();
        for interface in account.interfaces.values() {
            let groups = interface.groups.known().into_iter().flatten();
            for id in groups.filter(|id| !account.groups.contains_key(*id)) {
                let origin = Origin { digest: 0, ..interface.origin.clone() };
                let rule = Rule {
                    traffic: Known::Unknown("no source has it".to_owned()),
                    peer: Peer::Unknown(format!("no source has the rules of {id}")),
                    description: None,
                    origin: origin.clone(),
                };
                absent.entry(id.clone()).or_insert_with(|| SecurityGroup {
                    label: id.to_string(),
                    name: None,
                    description: None,
                    vpc: interface.vpc.clone(),
                    ingress: vec![rule.clone()],
                    egress: vec![rule],
                    origin,
                });
            }
        }
        absent
    };
    let there = of(before);
    of(after).into_iter().filter(|(id, _)| there.contains_key(id)).collect()
}

/// Compares two accounts, whose resources are matched.
fn of_all(before: &Account, after: &Account, (to_before, to_after): (&Matching, &Matching)) -> Difference {
    let not_known = left_out_of_one(after, before);
    let mut gone = left_out_of_one(before, after);
    // Name once what both accounts leave out in other words.
    let there: HashSet<_> = not_known.iter().map(|item| (&item.kind, &item.origin.resource)).collect();
    gone.retain(|item| !there.contains(&(&item.kind, &item.origin.resource)));
    Difference {
        opened: gained(before, after, &classes(after, before, to_before), to_before),
        closed: gained(after, before, &classes(before, after, to_after), to_after),
        groups_added: groups_of_one(after, to_before),
        groups_removed: groups_of_one(before, to_after),
        rules_added: rules_of_one(after, before, to_before),
        rules_removed: rules_of_one(before, after, to_after),
        entries_added: entries_of_one(after, before, to_before),
        entries_removed: entries_of_one(before, after, to_after),
        members_added: members_of_one(after, before, to_before),
        members_removed: members_of_one(before, after, to_after),
        addresses_added: addresses_of_one(after, before, to_before),
        addresses_removed: addresses_of_one(before, after, to_after),
        not_known,
        gone,
    }
}
