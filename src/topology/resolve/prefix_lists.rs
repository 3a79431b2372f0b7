//! Prefix lists: those of the start, and what steps do with them.

use ipnet::IpNet;

use super::names::EntityKind;
use super::peers::block;
use super::resolver::Resolver;
use crate::model::{CreatePrefixList, Era, Operation, PrefixFamily, PrefixListName, RefusalCode};
use crate::topology::document::networks::{PrefixList, PrefixListEdit};
use crate::topology::document::shape::{Any, Field, Map, Or};
use crate::topology::document::words::{ListedBlock, Name};
use crate::topology::placed::Placed;
use crate::topology::problem::{Diagnostic, quote};

impl Resolver<'_> {
    /// `prefix-lists: {offices: [203.0.113.0/24]}`, or `{offices: {entries: [...], max-entries: 10}}`.
    pub fn prefix_lists(&mut self, said: &Map<Name<PrefixListName>, PrefixList>) -> Vec<Placed<Operation>> {
        if self.cloud.eras.iter().any(|era| *era != Era::Vpc) {
            let draft = Diagnostic::new(said.span, "prefix lists belong to era vpc");
            self.report(draft.help("EC2-Classic had none; take them out, or run the file under `era: vpc` alone"));
        }
        let mut made = Vec::new();
        for entry in &said.entries {
            let (span, entries, most) = match &entry.value {
                Some(Or::Short(list)) => (list.span, self.entries(Some(list)), None),
                Some(Or::Long(long)) => (long.at.span, self.entries(long.entries.get()), long.max_entries.get()),
                None => continue,
            };
            let Some(name) = self.declared(entry.key.as_deref(), EntityKind::PrefixList).map(PrefixListName::new)
            else {
                continue;
            };
            let family = entries.first().map_or(PrefixFamily::Ipv4, |entry| PrefixFamily::of(*entry));
            if let Some(other) = entries.iter().find(|entry| PrefixFamily::of(**entry) != family) {
                let message = format!("a prefix list is of one family, and {other} is not of {family}");
                self.report(Diagnostic::new(span, message).help("write two lists"));
                continue;
            }
            let full = u32::try_from(entries.len()).unwrap_or(u32::MAX).max(1);
            let max_entries = most.map_or(full, |most| most.value);
            let request = CreatePrefixList { name, family, entries, max_entries };
            made.push(Placed { value: Operation::CreatePrefixList(request), place: self.place(entry.at) });
        }
        made
    }

    fn entries(&mut self, said: Option<&Any<ListedBlock>>) -> Vec<IpNet> {
        let mut entries = Vec::new();
        for item in said.into_iter().flat_map(|list| &list.items) {
            match block(item.text(), item.span) {
                Ok(net) => entries.push(net),
                Err(draft) => self.report(draft),
            }
        }
        entries
    }

    /// `edit-prefix-list: {offices: {add: [198.51.100.7/32], remove: [203.0.113.0/24]}}`.
    pub fn prefix_list_edits(&mut self, said: &Map<Name<PrefixListName>, PrefixListEdit>) -> Vec<Placed<Operation>> {
        let mut operations = Vec::new();
        for entry in &said.entries {
            let name = entry.key.as_deref().map(|key| key.text());
            let known = name.filter(|name| {
                self.names.sort(name) == Some(EntityKind::PrefixList)
                    || self.is_for_ec2(name, RefusalCode::InvalidPrefixListIdNotFound)
            });
            if let (Some(name), None) = (name, known) {
                self.unknown(name, entry.at, EntityKind::PrefixList);
            }
            let Some(edit) = &entry.value else { continue };
            let (add, remove) = (self.entries(edit.add.get()), self.entries(edit.remove.get()));
            let names_any = |list: &Field<Any<ListedBlock>>| {
                list.is_unread() || list.get().is_some_and(|it| it.unread || !it.items.is_empty())
            };
            if !names_any(&edit.add) && !names_any(&edit.remove) {
                let named = quote(name.unwrap_or_default());
                let draft = Diagnostic::new(edit.at.span, format!("nothing of {named} changes"));
                self.missing(&edit.at, draft.help("`add:` or `remove:`"));
            }
            let Some(name) = known.map(PrefixListName::new) else { continue };
            let value = Operation::ModifyPrefixList { name, add, remove };
            operations.push(Placed { value, place: self.place(entry.at) });
        }
        operations
    }
}
