//! nft's changes carried out on data, as strictly as nft would.

use crate::network::nft::{Chain, Change, Map, Ruleset, Set};

use super::naming::{chains, is_named, sets};

/// Carries out a transaction; panics where nft would refuse it.
pub fn carry_out(ruleset: &Ruleset, changes: &[Change]) -> Ruleset {
    let mut now = ruleset.clone();
    for change in changes {
        step(&mut now, change);
    }
    for chain in now.chains.values() {
        for rule in &chain.rules {
            names_what_is_there(&now, &rule.text);
        }
    }
    for value in now.maps.values().flat_map(|map| map.elements.values()) {
        names_what_is_there(&now, value);
    }
    now
}

fn names_what_is_there(ruleset: &Ruleset, text: &str) {
    for name in sets(text) {
        assert!(ruleset.sets.contains_key(name) || ruleset.maps.contains_key(name), "{text} names no set or map");
    }
    for name in chains(text) {
        assert!(ruleset.chains.contains_key(name), "{text} names no chain");
    }
}

fn step(now: &mut Ruleset, change: &Change) {
    match change {
        Change::AddSet(name, key) => {
            let set = Set { key: key.clone(), elements: Default::default() };
            assert!(now.sets.insert(name.clone(), set).is_none());
        }
        Change::AddMap(name, key, value) => {
            let map = Map { key: key.clone(), value: value.clone(), elements: Default::default() };
            assert!(now.maps.insert(name.clone(), map).is_none());
        }
        Change::AddChain(name, hook) => {
            let chain = Chain { hook: hook.clone(), rules: vec![] };
            assert!(now.chains.insert(name.clone(), chain).is_none());
        }
        Change::AddRule(name, rule) => {
            names_what_is_there(now, &rule.text);
            let chain = now.chains.get_mut(name).unwrap();
            assert!(chain.rules.iter().all(|other| other.id != rule.id), "{} twice in {name}", rule.id);
            chain.rules.push(rule.clone());
        }
        Change::DeleteRule(name, id) => {
            let chain = now.chains.get_mut(name).unwrap();
            let at = chain.rules.iter().position(|rule| rule.id == *id).unwrap();
            chain.rules.remove(at);
        }
        Change::FlushChain(name) => now.chains.get_mut(name).unwrap().rules.clear(),
        Change::AddElements(name, elements) => {
            let set = now.sets.get_mut(name).unwrap();
            for element in elements {
                assert!(set.elements.insert(element.clone()));
            }
        }
        Change::AddMapElements(name, elements) => {
            for (key, value) in elements {
                names_what_is_there(now, value);
                assert!(now.maps.get_mut(name).unwrap().elements.insert(key.clone(), value.clone()).is_none());
            }
        }
        Change::DeleteElements(name, keys) => {
            for key in keys {
                let gone = match now.sets.get_mut(name) {
                    Some(set) => set.elements.shift_remove(key),
                    None => now.maps.get_mut(name).unwrap().elements.shift_remove(key).is_some(),
                };
                assert!(gone, "{name} has no {key}");
            }
        }
        Change::DeleteChain(name) => {
            assert!(!is_named(now, name), "{name} is in use");
            assert!(now.chains.shift_remove(name).unwrap().rules.is_empty());
        }
        Change::DeleteSet(name) => {
            assert!(!is_named(now, name), "{name} is in use");
            assert!(now.sets.shift_remove(name).is_some());
        }
        // Elements that packets have put there are not compiled.
        Change::Forget(_) | Change::Recall(_) => {}
        Change::DeleteMap(name) => {
            assert!(!is_named(now, name), "{name} is in use");
            assert!(now.maps.shift_remove(name).is_some());
        }
    }
}
