//! Prefix lists: make one, and change its entries. Rules that name it follow at once.
//!
//! Source: "Managed prefix lists" (Amazon VPC user guide). The texts of the refusals are sglab's own.

use indexmap::IndexSet;
use ipnet::IpNet;

use super::edit::Edit;
use super::lookup::{refuse, unknown};
use super::quota;
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

#[cfg(test)]
mod tests {
    use ipnet::IpNet;

    use crate::model::sample::*;
    use crate::model::*;

    fn net(text: &str) -> IpNet {
        text.parse().unwrap()
    }

    fn list(max_entries: u32) -> Operation {
        Operation::CreatePrefixList(CreatePrefixList {
            name: PrefixListName::new("offices"),
            family: PrefixFamily::Ipv4,
            entries: vec![net("203.0.113.18/24")],
            max_entries,
        })
    }

    fn edit(add: &[&str], remove: &[&str]) -> Operation {
        let nets = |texts: &[&str]| texts.iter().map(|text| net(text)).collect();
        Operation::ModifyPrefixList { name: PrefixListName::new("offices"), add: nets(add), remove: nets(remove) }
    }

    fn authorize_list(group: &str) -> Operation {
        let peer = PeerRequest::Peer(Peer::PrefixList(PrefixListName::new("offices")));
        let permission = Permission {
            peers: vec![(peer, String::new())],
            description: None,
            place: None,
            ..permission("tcp 22 from 1.2.3.4")
        };
        Operation::AuthorizeIngress(GroupName::new(group), vec![permission])
    }

    fn sample(max_entries: u32) -> Sample {
        Sample::new(Era::Vpc).with(list(max_entries)).group("G", &[])
    }

    fn refusal(sample: &Sample, operation: &Operation) -> String {
        sample.try_apply(operation).map(|_| ()).unwrap_err().to_string()
    }

    #[test]
    fn its_entries_are_canonical_and_change_all_or_nothing() {
        let edited = sample(3).with(edit(&["198.51.100.7/32"], &["203.0.113.0/24"]));
        assert_eq!(edited.0.prefix_lists[0].entries, [net("198.51.100.7/32")].into());
        let expected = "InvalidParameterValue: The prefix list 'offices' has the entry 203.0.113.0/24 already.";
        assert_eq!(refusal(&sample(3), &edit(&["10.0.0.0/8", "203.0.113.0/24"], &[])), expected);
        let expected = "InvalidParameterValue: The prefix list 'offices' has no entry 10.0.0.0/8.";
        assert_eq!(refusal(&sample(3), &edit(&[], &["10.0.0.0/8"])), expected);
        let expected = "InvalidParameterValue: The entry ::/0 is not of the family of the prefix list 'offices'.";
        assert_eq!(refusal(&sample(3), &edit(&["::/0"], &[])), expected);
        let expected = "PrefixListMaxEntriesExceeded: The prefix list 'offices' has at most 1 entries.";
        assert_eq!(refusal(&sample(1), &edit(&["10.0.0.0/8"], &[])), expected);
    }

    #[test]
    fn a_rule_that_names_it_counts_as_many_as_it_may_have_entries() {
        let message =
            "RulesPerSecurityGroupLimitExceeded: The maximum number of rules per security group has been reached.";
        assert_eq!(refusal(&sample(61), &authorize_list("G")), message);
        let full = sample(60).with(authorize_list("G"));
        assert_eq!(refusal(&full, &authorize("G", "tcp 80 from 10.0.0.0/8")), message);
    }

    #[test]
    fn classic_has_none_and_nobody_names_one_that_is_not_there() {
        let expected = "InvalidParameter: Prefix lists are for VPC security groups.";
        assert_eq!(refusal(&Sample::new(Era::Classic), &list(3)), expected);
        let expected = "InvalidPrefixListID.NotFound: The prefix list ID 'offices' does not exist";
        let without = Sample::new(Era::Vpc).group("G", &[]);
        assert_eq!(refusal(&without, &authorize_list("G")), expected);
        assert_eq!(refusal(&without, &edit(&["10.0.0.0/8"], &[])), expected);
    }
}
