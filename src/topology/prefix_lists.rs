//! Prefix lists: those of the start, and what steps do with them.

use ipnet::IpNet;

use super::Placed;
use super::names::Sort;
use super::problem::{Draft, quote};
use super::reading::Reading;
use super::rules::block;
use super::tree::{Node, Value};
use crate::model::{CreatePrefixList, Era, Operation, PrefixFamily, PrefixListName};

/// EC2 takes no more entries than this.
const MOST_ENTRIES: u32 = 1_000;

impl Reading<'_> {
    /// `prefix-lists: {offices: [203.0.113.0/24]}`, or `{offices: {entries: [...], max-entries: 10}}`.
    pub fn prefix_lists(&mut self, node: &Node) -> Vec<Placed<Operation>> {
        if self.eras.iter().any(|era| *era != Era::Vpc) {
            let draft = Draft::new(node.span, "prefix lists belong to era vpc");
            self.report(draft.help("EC2-Classic had none; take them out, or run the file under `era: vpc` alone"));
        }
        let mut made = Vec::new();
        for (key, value) in self.mapping(node, "a mapping of prefix lists") {
            let (entries, most) = match &value.value {
                Value::Mapping(_) => {
                    let Some(fields) = self.fields(value, "a prefix list", &["entries", "max-entries"]) else {
                        continue;
                    };
                    let entries = fields.get("entries").map(|node| self.entries(node)).unwrap_or_default();
                    let most =
                        fields.get("max-entries").and_then(|n| self.number(n, "a number of entries", 1..=MOST_ENTRIES));
                    (entries, most)
                }
                _ => (self.entries(value), None),
            };
            let Some(name) = self.declared(key, Sort::PrefixList).map(PrefixListName::new) else { continue };
            let family = entries.first().map_or(PrefixFamily::Ipv4, |entry| PrefixFamily::of(*entry));
            if let Some(other) = entries.iter().find(|entry| PrefixFamily::of(**entry) != family) {
                let message = format!("a prefix list is of one family, and {other} is not of {family}");
                self.report(Draft::new(value.span, message).help("write two lists"));
                continue;
            }
            let max_entries = most.unwrap_or_else(|| u32::try_from(entries.len()).unwrap_or(MOST_ENTRIES).max(1));
            let request = CreatePrefixList { name, family, entries, max_entries };
            made.push(Placed { value: Operation::CreatePrefixList(request), place: self.place(key.span) });
        }
        made
    }

    fn entries(&mut self, node: &Node) -> Vec<IpNet> {
        let mut entries = Vec::new();
        let items = match &node.value {
            Value::Sequence(items) => items.as_slice(),
            _ => std::slice::from_ref(node),
        };
        for item in items {
            let Some(word) = self.text(item, "an address block, such as 203.0.113.0/24") else { continue };
            match block(word, item.span) {
                Ok(net) => entries.push(net),
                Err(draft) => self.report(draft),
            }
        }
        entries
    }

    /// `edit-prefix-list: {offices: {add: [198.51.100.7/32], remove: [203.0.113.0/24]}}`.
    pub fn prefix_list_edits(&mut self, node: &Node) -> Vec<Placed<Operation>> {
        let mut operations = Vec::new();
        for (key, value) in self.mapping(node, "a mapping of prefix lists") {
            let name = self.text(key, "the name of a prefix list");
            let known = name.filter(|name| self.names.sort(name) == Some(Sort::PrefixList));
            if let (Some(name), None) = (name, known) {
                self.unknown(name, key.span, Sort::PrefixList);
            }
            let Some(fields) = self.fields(value, "a change of entries", &["add", "remove"]) else { continue };
            let add = fields.get("add").map(|node| self.entries(node)).unwrap_or_default();
            let remove = fields.get("remove").map(|node| self.entries(node)).unwrap_or_default();
            if add.is_empty() && remove.is_empty() {
                let named = quote(name.unwrap_or_default());
                self.report(Draft::new(value.span, format!("nothing of {named} changes")).help("`add:` or `remove:`"));
            }
            let Some(name) = known.map(PrefixListName::new) else { continue };
            let value = Operation::ModifyPrefixList { name, add, remove };
            operations.push(Placed { value, place: self.place(key.span) });
        }
        operations
    }
}
