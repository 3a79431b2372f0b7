//! All that a reference of an expression may mean.

use super::super::tree::Node;
use crate::account::ResourceId;

/// Something that a reference may mean.
#[derive(Clone)]
pub enum Meant<'t> {
    /// This id; `new` where it is known after the plan is applied only.
    Id { id: ResourceId, new: bool },
    /// A value that the plan tells.
    Literal(Node<'t>),
    /// A key.
    Word(String),
    /// It cannot be told.
    Unclear(String),
}

/// All that one reference may mean.
#[derive(Clone, Default)]
pub struct Slot<'t> {
    pub meant: Vec<Meant<'t>>,
    /// It goes through a local, so that a part of this may be all of it.
    pub loose: bool,
}

impl Slot<'_> {
    fn is_new(&self) -> bool {
        self.meant.iter().any(|meant| matches!(meant, Meant::Id { new: true, .. } | Meant::Unclear(_)))
    }
}

/// A value that the plan tells.
pub fn literal(node: Option<Node<'_>>) -> Vec<Meant<'_>> {
    node.map(Meant::Literal).into_iter().collect()
}

/// One slot, unless it means nothing.
pub fn slots(meant: Vec<Meant<'_>>) -> Vec<Slot<'_>> {
    if meant.is_empty() { Vec::new() } else { vec![Slot { meant, loose: false }] }
}

/// One slot of several.
pub fn merged<'t>(slots: Vec<Slot<'t>>) -> Slot<'t> {
    let loose = slots.iter().any(|slot| slot.loose);
    Slot { meant: slots.into_iter().flat_map(|slot| slot.meant).collect(), loose }
}

/// The slot of one instance of a list that `count.index` goes through. Each of the instances that are not known has a reference or more, so
/// where there are as many references as such instances, each has one, in their order.
pub fn nth<'t>(slots: Vec<Slot<'t>>, (rank, count): (usize, usize)) -> Slot<'t> {
    let new: Vec<&Slot<'t>> = slots.iter().filter(|slot| slot.is_new()).collect();
    match new.get(rank) {
        Some(own) if new.len() == count && new.iter().all(|slot| !slot.loose) => (*own).clone(),
        _ => merged(slots),
    }
}

/// Returns the truth that an expression means; false where it means nothing, which is the default, and nothing where it cannot be told.
pub fn truth(slots: &[Slot<'_>]) -> Option<bool> {
    let all = || slots.iter().flat_map(|slot| &slot.meant);
    let is = |meant: &Meant<'_>| matches!(meant, Meant::Literal(node) if node.boolean() == Some(true));
    match all().any(is) {
        true => Some(true),
        false if slots.iter().any(|slot| slot.loose) => None,
        false => (!all().any(|meant| matches!(meant, Meant::Unclear(_) | Meant::Id { .. }))).then_some(false),
    }
}
