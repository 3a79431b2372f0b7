//! From one ruleset of a namespace to another, in one transaction.

use std::collections::HashSet;

use indexmap::IndexMap;

use super::names;
use super::nft::{Chain, Change, NftRule, Ruleset};

/// The changes that make `new` of `old`, in an order that nft takes: what names something goes before it does, and
/// comes after it does. Types of sets and maps and hooks of chains belong to their names and never change.
///
/// A rule of a group that stands in both is not touched, so its handle stays. The chains of interfaces are written anew.
pub fn changes(old: &Ruleset, new: &Ruleset) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut rules = Vec::new();
    for (name, chain) in &old.chains {
        match new.chains.get(name) {
            // Rule by rule, as an edit does: what the rules of a group have counted is read when they go.
            None if names::is_group_chain(name) => {
                changes.extend(chain.rules.iter().map(|rule| Change::DeleteRule(name.clone(), rule.id.clone())));
            }
            None => changes.extend((!chain.rules.is_empty()).then(|| Change::FlushChain(name.clone()))),
            Some(new) if new.rules == chain.rules => {}
            Some(new) if names::is_group_chain(name) => edit(name, chain, new, &mut changes, &mut rules),
            Some(new) => {
                changes.push(Change::FlushChain(name.clone()));
                rules.extend(new.rules.iter().map(|rule| Change::AddRule(name.clone(), rule.clone())));
            }
        }
    }
    changes.extend(closing(old, new));
    for (name, set) in new.sets.iter().filter(|(name, _)| !old.sets.contains_key(*name)) {
        changes.push(Change::AddSet(name.clone(), set.key.clone()));
    }
    for (name, map) in new.maps.iter().filter(|(name, _)| !old.maps.contains_key(*name)) {
        changes.push(Change::AddMap(name.clone(), map.key.clone(), map.value.clone()));
    }
    for (name, chain) in new.chains.iter().filter(|(name, _)| !old.chains.contains_key(*name)) {
        changes.push(Change::AddChain(name.clone(), chain.hook.clone()));
        rules.extend(chain.rules.iter().map(|rule| Change::AddRule(name.clone(), rule.clone())));
    }
    for (name, set) in &new.sets {
        let had = old.sets.get(name);
        let elements: Vec<String> =
            set.elements.iter().filter(|e| !had.is_some_and(|had| had.elements.contains(*e))).cloned().collect();
        changes.extend((!elements.is_empty()).then(|| Change::AddElements(name.clone(), elements)));
    }
    changes.extend(rules);
    for (name, map) in &new.maps {
        let had = old.maps.get(name);
        let added =
            map.elements.iter().filter(|(key, value)| had.and_then(|had| had.elements.get(*key)) != Some(value));
        let elements: Vec<_> = added.map(|(key, value)| (key.clone(), value.clone())).collect();
        changes.extend((!elements.is_empty()).then(|| Change::AddMapElements(name.clone(), elements)));
    }
    let gone = |name: &&String| !new.maps.contains_key(*name);
    changes.extend(old.maps.keys().filter(gone).map(|name| Change::DeleteMap(name.clone())));
    let gone = |name: &&String| !new.chains.contains_key(*name);
    changes.extend(old.chains.keys().filter(gone).map(|name| Change::DeleteChain(name.clone())));
    let gone = |name: &&String| !new.sets.contains_key(*name);
    changes.extend(old.sets.keys().filter(gone).map(|name| Change::DeleteSet(name.clone())));
    changes
}

/// Only what has to go before anything else may move: the elements of sets and maps that do not stand in `new`.
pub fn closing(old: &Ruleset, new: &Ruleset) -> Vec<Change> {
    let mut changes = Vec::new();
    for (name, map) in &old.maps {
        let stays =
            |key: &String, value: &String| new.maps.get(name).is_some_and(|new| new.elements.get(key) == Some(value));
        let gone = map.elements.iter().filter(|(key, value)| !stays(key, value)).map(|(key, _)| key.clone());
        let gone: Vec<String> = gone.collect();
        changes.extend((!gone.is_empty()).then(|| Change::DeleteElements(name.clone(), gone)));
    }
    for (name, set) in &old.sets {
        let stays = |element: &String| new.sets.get(name).is_some_and(|new| new.elements.contains(element));
        let gone: Vec<String> = set.elements.iter().filter(|element| !stays(element)).cloned().collect();
        changes.extend((!gone.is_empty()).then(|| Change::DeleteElements(name.clone(), gone)));
    }
    changes
}

/// The first transaction of a change that spans namespaces: [`closing`], or all of it where nothing is added.
pub fn first(old: &Ruleset, new: &Ruleset) -> Vec<Change> {
    let all = changes(old, new);
    if all.iter().all(takes_away) { all } else { closing(old, new) }
}

/// Reports whether a change only ever admits less.
fn takes_away(change: &Change) -> bool {
    match change {
        Change::AddSet(..)
        | Change::AddMap(..)
        | Change::AddChain(..)
        | Change::AddRule(..)
        | Change::AddElements(..)
        | Change::AddMapElements(..)
        | Change::Recall(_) => false,
        Change::DeleteRule(..)
        | Change::FlushChain(_)
        | Change::DeleteElements(..)
        | Change::DeleteChain(_)
        | Change::DeleteSet(_)
        | Change::DeleteMap(_)
        | Change::Forget(_) => true,
    }
}

/// `old` after [`first`].
pub fn closed(old: &Ruleset, new: &Ruleset) -> Ruleset {
    if changes(old, new).iter().all(takes_away) {
        return new.clone();
    }
    let mut closed = old.clone();
    for (name, set) in &mut closed.sets {
        set.elements.retain(|element| new.sets.get(name).is_some_and(|new| new.elements.contains(element)));
    }
    for (name, map) in &mut closed.maps {
        map.elements.retain(|key, value| new.maps.get(name).is_some_and(|new| new.elements.get(key) == Some(value)));
    }
    closed
}

/// Edits a group's chain rule by rule. Rules are only ever added at the end: whatever does not fit is deleted first.
fn edit(name: &str, old: &Chain, new: &Chain, deleted: &mut Vec<Change>, added: &mut Vec<Change>) {
    let at: IndexMap<&str, usize> = old.rules.iter().enumerate().map(|(i, rule)| (rule.id.as_str(), i)).collect();
    let mut kept: HashSet<usize> = HashSet::new();
    let mut last = None;
    let mut rest: &[NftRule] = &new.rules;
    while let [rule, tail @ ..] = rest {
        let Some(&i) = at.get(rule.id.as_str()) else { break };
        if old.rules[i] != *rule || last.is_some_and(|last| i <= last) {
            break;
        }
        kept.insert(i);
        last = Some(i);
        rest = tail;
    }
    let gone = old.rules.iter().enumerate().filter(|(i, _)| !kept.contains(i));
    deleted.extend(gone.map(|(_, rule)| Change::DeleteRule(name.to_owned(), rule.id.clone())));
    added.extend(rest.iter().map(|rule| Change::AddRule(name.to_owned(), rule.clone())));
}
