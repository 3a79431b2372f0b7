//! Interfaces by what holds them.

use indexmap::IndexMap;

use crate::account::{Account, Holder, Interface, ResourceId};

/// One interface at its place in its holder.
pub struct Attached<'a> {
    pub device: u32,
    pub id: &'a ResourceId,
    pub interface: &'a Interface,
}

/// A holder with its interfaces, the first first.
pub struct Held<'a> {
    pub id: &'a ResourceId,
    pub label: &'a str,
    pub holder: Holder,
    pub interfaces: Vec<Attached<'a>>,
}

/// All holders of an account. Interfaces of other holders than instances are each by itself.
pub fn holders(account: &Account) -> Vec<Held<'_>> {
    let mut found: IndexMap<(&ResourceId, &str), Held<'_>> = IndexMap::new();
    for (id, interface) in &account.interfaces {
        let (label, device) = interface.holder_and_device();
        let key = if interface.holder.is_instance() { account.holder_of(id, interface) } else { id };
        let held = found.entry((key, label)).or_insert_with(|| Held {
            id: key,
            label,
            holder: interface.holder,
            interfaces: Vec::new(),
        });
        held.interfaces.push(Attached { device, id, interface });
    }
    let mut all: Vec<Held<'_>> = found.into_values().collect();
    for held in &mut all {
        held.interfaces.sort_by_key(|attached| attached.device);
    }
    all
}
