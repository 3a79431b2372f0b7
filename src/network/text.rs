//! Rulesets and changes as nft reads them.

use std::fmt;

use super::nft::{Chain, Change, Map, NftRule, Ruleset, Set};
use crate::model::is_hidden;

/// The command that makes the table; harmless where it exists. The first line of what is sent to nft.
pub const ADD_TABLE: &str = "add table inet sglab";

/// The command that takes the table away, with all that is in it.
pub const DELETE_TABLE: &str = "delete table inet sglab";

/// nft takes comments of at most 128 bytes, its own quotes and end included.
const LONGEST_COMMENT: usize = 120;

/// A rule to be deleted that the kernel does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("chain {chain} has no rule {id}")]
pub struct MissingHandle {
    /// The chain.
    pub chain: String,
    /// The rule's id.
    pub id: String,
}

/// The text of a transaction: one command a line, so that a line of nft's error is a change. Without [`ADD_TABLE`].
/// Changes of many elements stay one line.
///
/// # Errors
/// A rule to be deleted for which `handles` (chain, rule id) knows no handle.
pub fn transaction(changes: &[Change], handles: &dyn Fn(&str, &str) -> Option<u64>) -> Result<String, MissingHandle> {
    let mut text = String::new();
    for change in changes {
        text += &command(change, handles)?;
        text.push('\n');
    }
    Ok(text)
}

fn command(change: &Change, handles: &dyn Fn(&str, &str) -> Option<u64>) -> Result<String, MissingHandle> {
    Ok(match change {
        Change::AddSet(set, key) => format!("add set inet sglab {set} {{ {key}; }}"),
        Change::AddMap(map, key, value) => format!("add map inet sglab {map} {{ type {key} : {value}; }}"),
        Change::AddChain(chain, None) => format!("add chain inet sglab {chain}"),
        Change::AddChain(chain, Some(hook)) => format!("add chain inet sglab {chain} {{ {hook} }}"),
        Change::AddRule(chain, rule) => format!("add rule inet sglab {chain} {rule}"),
        Change::DeleteRule(chain, id) => {
            let handle = handles(chain, id).ok_or_else(|| MissingHandle { chain: chain.clone(), id: id.clone() })?;
            format!("delete rule inet sglab {chain} handle {handle}")
        }
        Change::FlushChain(chain) => format!("flush chain inet sglab {chain}"),
        Change::AddElements(set, elements) => format!("add element inet sglab {set} {{ {} }}", elements.join(", ")),
        Change::AddMapElements(map, elements) => {
            format!("add element inet sglab {map} {{ {} }}", pairs(elements.iter().map(|(k, v)| (k, v))).join(", "))
        }
        Change::DeleteElements(set, elements) => {
            format!("delete element inet sglab {set} {{ {} }}", elements.join(", "))
        }
        Change::DeleteChain(chain) => format!("delete chain inet sglab {chain}"),
        Change::DeleteSet(set) => format!("delete set inet sglab {set}"),
        Change::DeleteMap(map) => format!("delete map inet sglab {map}"),
        // The elements are the kernel's to list: without the list this is no more than a remark.
        Change::Forget(address) => format!("# forget the packets of {address}"),
        Change::Recall(address) => format!("# remember the packets of {address} again"),
    })
}

fn pairs<'a>(elements: impl Iterator<Item = (&'a String, &'a String)>) -> Vec<String> {
    elements.map(|(key, value)| format!("{key} : {value}")).collect()
}

impl NftRule {
    /// The comment: the id, then the note without what would end the string, cut to what nft takes.
    pub fn comment(&self) -> String {
        let mut comment = self.id.clone();
        if !self.note.is_empty() {
            comment.push(' ');
            comment.extend(self.note.chars().map(|c| if matches!(c, '"' | '\\') || is_hidden(c) { ' ' } else { c }));
        }
        comment.truncate(cut(&comment, LONGEST_COMMENT));
        comment
    }
}

/// The longest start of a text that is at most `limit` bytes and ends between characters.
fn cut(text: &str, limit: usize) -> usize {
    (0..=limit.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}

impl fmt::Display for NftRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} comment \"{}\"", self.text, self.comment())
    }
}

/// A table that `nft -f` loads and a person can read.
impl fmt::Display for Ruleset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("table inet sglab {")?;
        for (name, Set { key, elements }) in &self.sets {
            write!(f, "\n\tset {name} {{\n\t\t{}", key.to_string().replace("; ", "\n\t\t"))?;
            write_elements(f, &elements.iter().cloned().collect::<Vec<_>>())?;
            f.write_str("\n\t}\n")?;
        }
        for (name, Map { key, value, elements }) in &self.maps {
            write!(f, "\n\tmap {name} {{\n\t\ttype {key} : {value}")?;
            write_elements(f, &pairs(elements.iter()))?;
            f.write_str("\n\t}\n")?;
        }
        for (name, Chain { hook, rules }) in &self.chains {
            write!(f, "\n\tchain {name} {{")?;
            if let Some(hook) = hook {
                write!(f, "\n\t\t{hook}")?;
            }
            for rule in rules {
                write!(f, "\n\t\t{rule}")?;
            }
            f.write_str("\n\t}\n")?;
        }
        f.write_str("}\n")
    }
}

fn write_elements(f: &mut fmt::Formatter<'_>, elements: &[String]) -> fmt::Result {
    match elements {
        [] => Ok(()),
        [one] => write!(f, "\n\t\telements = {{ {one} }}"),
        many => write!(f, "\n\t\telements = {{\n\t\t\t{}\n\t\t}}", many.join(",\n\t\t\t")),
    }
}

/// Weights of changes in a batch, in eighths of a rule: the kernel's buffer holds bytes, not rules.
const RULE_WEIGHT: usize = 8;
const OBJECT_WEIGHT: usize = 3;

/// Elements are sent in pieces of this many at most.
const ELEMENTS: usize = 100;

impl Ruleset {
    /// The ruleset as batches for a namespace that has none, each of at most `max_rules` rules and small enough
    /// for an ordinary user's buffer.
    ///
    /// Base chains come first, with their policies and no rules: a filter is closed. What opens it, the elements of the
    /// maps and the rules of the base chains, comes last.
    pub fn batches(&self, max_rules: usize) -> Vec<Vec<Change>> {
        let budget = max_rules.max(1) * RULE_WEIGHT;
        let mut batches = Vec::new();
        let mut batch = Vec::new();
        let mut weight = 0;
        let (closed, opening) = self.in_order();
        let first_opening = closed.len();
        let opens: usize = opening.iter().map(weight_of).sum();
        for (number, change) in closed.into_iter().chain(opening).enumerate() {
            let own = weight_of(&change);
            // What opens goes together where one batch holds it: half of a filter is none.
            let together = if number == first_opening && opens <= budget { opens } else { own };
            if weight + together > budget && !batch.is_empty() {
                batches.push(std::mem::take(&mut batch));
                weight = 0;
            }
            weight += own;
            batch.push(change);
        }
        if !batch.is_empty() {
            batches.push(batch);
        }
        batches
    }

    /// Returns the changes in order: those that leave the filter closed, and then those that open it.
    fn in_order(&self) -> (Vec<Change>, Vec<Change>) {
        let (base, plain): (Vec<_>, Vec<_>) = self.chains.iter().partition(|(_, chain)| chain.hook.is_some());
        let mut changes = Vec::new();
        changes.extend(base.iter().map(|(name, chain)| Change::AddChain((*name).clone(), chain.hook.clone())));
        changes.extend(self.sets.iter().map(|(name, set)| Change::AddSet(name.clone(), set.key.clone())));
        for (name, map) in &self.maps {
            changes.push(Change::AddMap(name.clone(), map.key.clone(), map.value.clone()));
        }
        for (name, set) in &self.sets {
            let elements: Vec<String> = set.elements.iter().cloned().collect();
            changes.extend(elements.chunks(ELEMENTS).map(|some| Change::AddElements(name.clone(), some.to_vec())));
        }
        changes.extend(plain.iter().map(|(name, _)| Change::AddChain((*name).clone(), None)));
        changes.extend(plain.iter().flat_map(rules_of));
        for (name, map) in &self.maps {
            let elements: Vec<(String, String)> = map.elements.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
            changes.extend(elements.chunks(ELEMENTS).map(|some| Change::AddMapElements(name.clone(), some.to_vec())));
        }
        (changes, base.iter().flat_map(rules_of).collect())
    }
}

fn rules_of<'a>((name, chain): &'a (&'a String, &'a Chain)) -> impl Iterator<Item = Change> + 'a {
    chain.rules.iter().map(|rule| Change::AddRule((*name).clone(), rule.clone()))
}

fn weight_of(change: &Change) -> usize {
    match change {
        Change::AddRule(..) => RULE_WEIGHT,
        Change::AddElements(_, elements) => 1 + elements.len(),
        Change::AddMapElements(_, elements) => 1 + elements.len(),
        _ => OBJECT_WEIGHT,
    }
}
