//! Ids that an attribute tells: by value where it is known, by what its expression refers to where it is not.

use indexmap::IndexSet;

use super::super::tree::Node;
use super::resolver::{Resolver, Scope};
use super::resource::{Block, Resource, Value};
use super::slots::{Meant, Slot};
use super::wanted::Wanted;
use crate::account::ResourceId;

/// An id that an attribute tells.
pub enum Told<T> {
    Is(T),
    /// It is absent.
    Absent,
    /// Nobody says it, so that AWS chooses.
    Chosen,
    /// It cannot be told, for this reason.
    Unknown(String),
}

const HIDDEN: &str = "its value is marked as sensitive";

impl<'t> Resolver<'_, 't> {
    /// The one id of an attribute.
    pub fn one(&self, resource: &Resource<'t>, block: &Block<'t>, key: &str, wanted: Wanted) -> Told<ResourceId> {
        match block.value(key) {
            Value::Is(node) => match node.text().filter(|text| !text.is_empty()) {
                Some(text) => Told::Is(ResourceId::new(text)),
                None => Told::Absent,
            },
            Value::Absent => Told::Absent,
            Value::Hidden => Told::Unknown(HIDDEN.to_owned()),
            Value::Unknown => {
                let Some(slots) = self.slots(resource, block, key, wanted) else { return Told::Chosen };
                match new_ids(&slots) {
                    Ok(ids) if is_chosen(&slots, &ids) => Told::Chosen,
                    Ok(ids) => only(ids, key).map_or_else(Told::Unknown, Told::Is),
                    Err(why) => Told::Unknown(why),
                }
            }
        }
    }

    /// The ids of a list or set.
    pub fn several(
        &self,
        resource: &Resource<'t>,
        block: &Block<'t>,
        key: &str,
        wanted: Wanted,
    ) -> Told<IndexSet<ResourceId>> {
        let (known, unknown) = block.elements(key);
        let known = texts(known.into_iter());
        match block.value(key) {
            Value::Absent => return Told::Absent,
            Value::Hidden => return Told::Unknown(HIDDEN.to_owned()),
            Value::Is(_) if unknown == 0 => return Told::Is(known),
            Value::Is(_) | Value::Unknown => {}
        }
        let Some(slots) = self.slots(resource, block, key, wanted) else { return Told::Chosen };
        let whole = unknown == 0;
        if whole && new_ids(&slots).is_ok_and(|ids| is_chosen(&slots, &ids)) {
            return Told::Chosen;
        }
        let told = if whole { all_ids(&slots, key) } else { elements(&slots, unknown, key) };
        match told {
            Ok(ids) => Told::Is(known.into_iter().chain(ids).collect()),
            Err(why) => Told::Unknown(why),
        }
    }

    /// Follows the expressions of an attribute that is not known; nothing where it has none. A `dynamic` block has no expressions at all, so
    /// that it may refer to whatever its module can.
    pub fn slots(
        &self,
        resource: &Resource<'t>,
        block: &Block<'t>,
        key: &str,
        wanted: Wanted,
    ) -> Option<Vec<Slot<'t>>> {
        let siblings = self.index.siblings(resource);
        let unknown = |at: &&usize| matches!(self.index.resources[**at].body.value(key), Value::Unknown);
        let unknown: Vec<usize> = siblings.iter().filter(unknown).copied().collect();
        let own = unknown.iter().position(|at| self.index.resources[*at].address == resource.address);
        let rank = own.map(|own| (own, unknown.len()));
        let scope = Scope { rank, ..Scope::of(resource, siblings.len()) };
        let expressions = block.expressions_of(key);
        if self.index.configuration.module(&resource.module).is_none() {
            let why = format!(
                "`{key}` is known after apply, and the plan has no `configuration` that says what it refers to"
            );
            return Some(vec![Slot { meant: vec![Meant::Unclear(why)], loose: false }]);
        }
        if resource.configured.is_none() {
            let why = format!("`{key}` is known after apply, and the `configuration` has no such resource");
            return Some(vec![Slot { meant: vec![Meant::Unclear(why)], loose: false }]);
        }
        if expressions.is_empty() && block.expressions.is_empty() {
            let meant = self.reachable(&resource.module, wanted, 0);
            return Some(vec![Slot { meant, loose: true }]);
        }
        let loose = block.shared.is_some();
        let all = expressions.iter().flat_map(|expression| self.evaluate(*expression, &[], scope, wanted));
        let all = all.map(|slot| Slot { loose: loose || slot.loose, ..slot });
        (!expressions.is_empty()).then(|| all.collect())
    }
}

/// Returns true if an expression is null, so that AWS chooses what is unknown: `var.groups` that is null.
fn is_chosen(slots: &[Slot<'_>], new: &IndexSet<ResourceId>) -> bool {
    new.is_empty() && slots.iter().all(|slot| !slot.loose)
}

/// The texts of values and of lists in them.
fn texts<'t>(nodes: impl Iterator<Item = Node<'t>>) -> IndexSet<ResourceId> {
    nodes.flat_map(Node::items).filter_map(Node::text).filter(|text| !text.is_empty()).map(ResourceId::new).collect()
}

/// Ids among which the unknown one is: those that are known after the plan is applied only.
pub fn new_ids(slots: &[Slot<'_>]) -> Result<IndexSet<ResourceId>, String> {
    let mut ids = IndexSet::new();
    for meant in slots.iter().flat_map(|slot| &slot.meant) {
        match meant {
            Meant::Id { id, new: true } => {
                ids.insert(id.clone());
            }
            Meant::Unclear(why) => return Err(why.clone()),
            Meant::Id { new: false, .. } | Meant::Literal(_) | Meant::Word(_) => {}
        }
    }
    Ok(ids)
}

/// The only one of some ids.
pub fn only(ids: IndexSet<ResourceId>, key: &str) -> Result<ResourceId, String> {
    let mut all = ids.into_iter();
    match (all.next(), all.next()) {
        (Some(one), None) => Ok(one),
        (None, _) => Err(format!("`{key}` is known after apply, and its expression names no resource that it can be")),
        (Some(one), Some(other)) => {
            let more = all.count();
            let more = if more == 0 { String::new() } else { format!(" or {more} more") };
            Err(format!("`{key}` is known after apply, and may be {one} or {other}{more}"))
        }
    }
}

/// The unknown elements of a list: one reference each, or all of them the same.
fn elements(slots: &[Slot<'_>], unknown: usize, key: &str) -> Result<IndexSet<ResourceId>, String> {
    let ids = new_ids(slots)?;
    let each: Vec<IndexSet<ResourceId>> = slots
        .iter()
        .map(|slot| new_ids(std::slice::from_ref(slot)))
        .filter(|ids| ids.as_ref().map_or(true, |ids| !ids.is_empty()))
        .collect::<Result<_, _>>()?;
    let plain = slots.iter().all(|slot| !slot.loose) && each.iter().map(IndexSet::len).sum::<usize>() == unknown;
    if plain { Ok(ids) } else { only(ids, key).map(|one| [one].into_iter().collect()) }
}

/// The elements of a set that is not known as a whole: all that its references mean, unless a condition or a local may choose among them.
fn all_ids(slots: &[Slot<'_>], key: &str) -> Result<IndexSet<ResourceId>, String> {
    let new = new_ids(slots)?;
    let mut ids = IndexSet::new();
    let mut condition = slots.iter().any(|slot| slot.loose);
    for meant in slots.iter().flat_map(|slot| &slot.meant) {
        match meant {
            Meant::Id { id, .. } => {
                ids.insert(id.clone());
            }
            Meant::Literal(node) => {
                condition |= node.boolean().is_some();
                let groups = texts([*node].into_iter()).into_iter().filter(|id| id.as_str().starts_with("sg-"));
                ids.extend(groups);
            }
            Meant::Word(_) | Meant::Unclear(_) => {}
        }
    }
    if new.is_empty() {
        return only(new, key).map(|one| [one].into_iter().collect());
    }
    if condition { only(ids, key).map(|one| [one].into_iter().collect()) } else { Ok(ids) }
}
