//! Prefix lists: make one, and change its entries. Rules that name it follow at once.
//!
//! Source: "Managed prefix lists" (Amazon VPC user guide). The texts of the refusals are sglab's own.

use indexmap::IndexSet;
use ipnet::IpNet;

use super::edit::Edit;
use super::quota;
use super::refuse::{refuse, unknown};
use crate::model::cloud::{Cloud, PrefixList};
use crate::model::name::PrefixListName;
use crate::model::refusal::{Refusal, RefusalCode};
use crate::model::request::CreatePrefixList;

/// `CreateManagedPrefixList`.
pub(in crate::model) fn create(cloud: &mut Edit<'_>, request: &CreatePrefixList) -> Result<(), Refusal> {
    let CreatePrefixList { name, family, entries, max_entries } = request;
    if !cloud.is_vpc() {
        let message = "Prefix lists are for VPC security groups.";
        return Err(refuse(RefusalCode::InvalidParameter, message));
    }
    if cloud.prefix_lists.contains_key(name) {
        // EC2 knows ids only.
        return Err(refuse(RefusalCode::InvalidParameterValue, format!("There is a prefix list '{name}' already.")));
    }
    let id = cloud.next_id(&[name.as_str()]);
    let mut list = PrefixList { id, family: *family, entries: IndexSet::new(), max_entries: *max_entries };
    change(name, &mut list, entries, &[])?;
    cloud.prefix_lists_mut().insert(name.clone(), list);
    Ok(())
}

/// `ModifyManagedPrefixList`: every entry of the request, or none.
pub(in crate::model) fn modify(
    cloud: &mut Edit<'_>,
    name: &PrefixListName,
    add: &[IpNet],
    remove: &[IpNet],
) -> Result<(), Refusal> {
    let mut list = known(cloud, name)?.clone();
    change(name, &mut list, add, remove)?;
    cloud.prefix_lists_mut().insert(name.clone(), list);
    quota::all_rules(cloud)
}

/// A prefix list by its name.
pub(super) fn known<'a>(cloud: &'a Cloud, name: &PrefixListName) -> Result<&'a PrefixList, Refusal> {
    cloud.prefix_lists.get(name).ok_or_else(|| {
        unknown(RefusalCode::InvalidPrefixListIdNotFound, name, format!("The prefix list ID '{name}' does not exist"))
    })
}

fn change(name: &PrefixListName, list: &mut PrefixList, add: &[IpNet], remove: &[IpNet]) -> Result<(), Refusal> {
    for entry in remove {
        if !list.entries.shift_remove(&entry.trunc()) {
            let message = format!("The prefix list '{name}' has no entry {entry}.");
            return Err(refuse(RefusalCode::InvalidParameterValue, message));
        }
    }
    for entry in add {
        if entry.addr().is_ipv4() != list.family.is_ipv4() {
            let message = format!("The entry {entry} is not of the family of the prefix list '{name}'.");
            return Err(refuse(RefusalCode::InvalidParameterValue, message));
        }
        if !list.entries.insert(entry.trunc()) {
            let message = format!("The prefix list '{name}' has the entry {entry} already.");
            return Err(refuse(RefusalCode::InvalidParameterValue, message));
        }
    }
    if list.entries.len() > list.max_entries as usize {
        let message = format!("The prefix list '{name}' has at most {} entries.", list.max_entries);
        return Err(refuse(RefusalCode::PrefixListMaxEntriesExceeded, message));
    }
    Ok(())
}
