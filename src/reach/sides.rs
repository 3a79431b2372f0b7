//! Two accounts that are compared, and what of them is the same.

use std::collections::{HashMap, HashSet};

use super::admitted;
use super::classes::Class;
use super::matching::Matching;
use super::position::NamedBlocks;
use super::rules::{RuleKey, key};
use crate::account::{Account, Peer, PrefixList, ResourceId, Rule, SecurityGroup};
use crate::model::{Direction, PrefixFamily};

/// Two accounts, `other` being the one that lacks.
pub(super) struct Sides<'a> {
    pub other: &'a Account,
    pub account: &'a Account,
    pub matching: &'a Matching,
    /// Blocks that rules of both name.
    pub named: NamedBlocks,
    /// Numbers of members by group.
    sizes: HashMap<&'a ResourceId, usize>,
    /// Resources of which the other account alone leaves something out that is not known, each with the reason.
    left_out_there: HashMap<&'a ResourceId, String>,
}

impl<'a> Sides<'a> {
    pub fn new(other: &'a Account, account: &'a Account, matching: &'a Matching) -> Self {
        let known: HashSet<_> = account.left_out.iter().map(crate::account::LeftOut::key).collect();
        let alone = other.left_out.iter().filter(|item| item.is_unknown() && !known.contains(&item.key()));
        let left_out_there = alone.map(|item| (&item.origin.resource, item.reason.to_string())).collect();
        let mut sizes: HashMap<&ResourceId, usize> = HashMap::new();
        let groups = account.interfaces.values().filter_map(|interface| interface.groups.known()).flatten();
        groups.for_each(|id| *sizes.entry(id).or_default() += 1);
        Self { other, account, matching, named: NamedBlocks::of([other, account]), sizes, left_out_there }
    }

    /// The number of members of a group.
    pub fn members_of(&self, group: &ResourceId) -> usize {
        self.sizes.get(group).copied().unwrap_or_default()
    }

    /// The keys of the own rules of a class, in the other account's ids.
    pub fn keys(&self, class: &Class<'a>, direction: Direction) -> HashSet<RuleKey> {
        admitted::rules(self.account, &class.groups, direction).map(|(.., rule)| self.key(rule)).collect()
    }

    /// The key of an own rule, in the other account's ids.
    pub fn key(&self, rule: &Rule) -> RuleKey {
        key(rule, Some(self.matching))
    }

    /// Returns true if a prefix list has other entries in the two accounts.
    pub fn entries_differ(&self, rule: &Rule) -> bool {
        let Peer::PrefixList(id) = &rule.peer else { return false };
        let theirs = self.matching.prefix_lists.get(id).and_then(|id| self.other.prefix_lists.get(id));
        let own = self.account.prefix_lists.get(id);
        // Entries that nobody knows are the same where their text is.
        let told = |list: &'a PrefixList| (&list.entries, list.entries.why_unknown().map(|_| list.origin.digest));
        own.map(told) != theirs.map(told)
    }

    /// Returns true if the addresses of a member, or of the next one, stand elsewhere among the blocks that rules name in the other account.
    pub fn has_other_places(&self, class: &Class<'a>) -> bool {
        PrefixFamily::BOTH.into_iter().any(|family| {
            let places = class.places(family, self.account, self.other, &self.named);
            places.keys().any(|place| !place.is_same())
        })
    }

    /// Returns true if a member that both accounts have has other addresses in the other one.
    pub fn is_moved(&self, class: &Class<'a>) -> bool {
        !class.other_members.is_empty() && self.has_other_places(class)
    }

    /// The reason why nobody can tell the groups that a class has in the other account, or what they admit.
    pub fn unknown_there(&self, class: &Class<'a>) -> Option<String> {
        if let Some(why) = class.unknown_there() {
            let is_same = class.unknown == Some(why);
            return (!is_same).then(|| format!("the other source does not tell the groups: {}", why.reason));
        }
        let is_absent_here = |id: &&ResourceId| class.groups.contains(id) && !self.account.groups.contains_key(*id);
        let absent =
            class.others.iter().flatten().find(|id| !self.other.groups.contains_key(**id) && !is_absent_here(id));
        absent.map(|id| format!("the other source does not tell the rules of {id}"))
    }

    /// The reason why nobody can tell if the other account has an own rule that stands apart from its group.
    pub fn is_left_out_there(&self, rule: &Rule, group: &SecurityGroup) -> Option<String> {
        let resource = &rule.origin.resource;
        let why = self.left_out_there.get(resource).filter(|_| *resource != group.origin.resource)?;
        Some(format!("in the other source, {why}"))
    }
}

/// The reason why nobody can tell what a rule admits.
pub(super) fn why_unknown(account: &Account, rule: &Rule) -> Option<String> {
    let of_peer = || match &rule.peer {
        Peer::Unknown(why) => Some(why.clone()),
        Peer::PrefixList(id) => match account.prefix_lists.get(id) {
            Some(list) => list.entries.why_unknown().map(str::to_owned),
            None => Some(format!("no source has the entries of {id}")),
        },
        Peer::Block(_) | Peer::Group(_) => None,
    };
    rule.traffic.why_unknown().map(str::to_owned).or_else(of_peer)
}
