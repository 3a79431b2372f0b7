//! What has happened since the page has been there: operations, and the truth table as it stood after each.

use std::collections::VecDeque;

use serde::Serialize;

use super::table::{Row, Side, Table};
use crate::protocol::{Event, EventKind, Revision};
use crate::report::live::AppliedView;

/// Entries that are kept.
const MAX_ENTRIES: usize = 200;
/// Cells of tables that are kept, in all entries together.
const MAX_CELLS: usize = 2_000_000;

/// All that has happened, the oldest first.
#[derive(Debug, Default)]
pub struct History {
    entries: VecDeque<Entry>,
}

/// An operation, or the beginning.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    /// The event's number; 0 for the beginning.
    pub number: u64,
    /// Seconds since 1970.
    pub time: f64,
    /// The operation in a few words.
    pub words: String,
    /// All that it changed, a line each.
    pub changes: Vec<String>,
    /// Milliseconds until it was in force; nothing where it was refused.
    pub in_force_ms: Option<f64>,
    /// EC2's code and text where it was refused.
    pub refused: Option<String>,
    /// Revision that it led to, once that is known.
    pub revision: Option<Revision>,
    /// True once the table of that revision is kept.
    pub has_table: bool,
    #[serde(skip)]
    table: Option<KeptTable>,
}

/// A truth table as it stood.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeptTable {
    /// Ports.
    pub ports: Vec<String>,
    /// Receivers.
    pub columns: Vec<Side>,
    /// Senders.
    pub rows: Vec<Row>,
    /// Codes of the cells, a row after the other; empty for none.
    pub cells: Vec<String>,
}

impl KeptTable {
    /// A table as it stands.
    pub fn of(table: &Table) -> Self {
        Self {
            ports: table.services.iter().map(ToString::to_string).collect(),
            columns: table.columns.clone(),
            rows: table.rows.clone(),
            cells: (0..table.cells.len()).map(|index| table.code(index)).collect(),
        }
    }
}

impl History {
    /// Notes the beginning.
    pub fn begin(&mut self, time: f64, words: &str, revision: Revision) {
        self.push(Entry { revision: Some(revision), ..entry(0, time, words.to_owned()) });
    }

    /// Notes a change or a refusal; other events are none of its business.
    pub fn hear(&mut self, event: &Event) {
        let (number, time) = (event.number, event.time);
        match &event.kind {
            EventKind::Change(applied) => {
                let AppliedView { operation, changes, in_force_ms } = AppliedView::of(applied);
                self.push(Entry { changes, in_force_ms: Some(in_force_ms), ..entry(number, time, operation) });
            }
            EventKind::Refused { operation, refusal } => {
                let refused = format!("{}: {}", refusal.code.as_str(), refusal.message);
                self.push(Entry { refused: Some(refused), ..entry(number, time, operation.to_string()) });
            }
            EventKind::Probe(_) | EventKind::Verdict(_) | EventKind::Missed { .. } => {}
        }
    }

    /// The changes that were heard of last have led to this revision.
    pub fn reach(&mut self, revision: Revision) {
        for entry in self.entries.iter_mut().rev().take_while(|entry| entry.revision.is_none()) {
            entry.revision = Some(revision);
        }
    }

    /// Keeps the table of the last entry, if it is of its revision.
    pub fn keep(&mut self, table: &Table) {
        let last = self.entries.iter_mut().rev().find(|entry| entry.revision == Some(table.revision));
        if let Some(entry) = last {
            entry.table = Some(KeptTable::of(table));
            entry.has_table = true;
        }
        let mut cells: usize = self.entries.iter().flat_map(|entry| &entry.table).map(|it| it.cells.len()).sum();
        for entry in &mut self.entries {
            if cells <= MAX_CELLS {
                break;
            }
            cells -= entry.table.take().map_or(0, |table| table.cells.len());
            entry.has_table = entry.table.is_some();
        }
    }

    /// The table after an entry.
    pub fn table(&self, number: u64) -> Option<&KeptTable> {
        self.entries.iter().rev().find(|entry| entry.number == number)?.table.as_ref()
    }

    /// All entries, the oldest first.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    fn push(&mut self, entry: Entry) {
        if self.entries.len() == MAX_ENTRIES {
            self.entries.pop_front();
        }
        self.entries.push_back(entry);
    }
}

fn entry(number: u64, time: f64, words: String) -> Entry {
    Entry {
        number,
        time,
        words,
        changes: Vec::new(),
        in_force_ms: None,
        refused: None,
        revision: None,
        has_table: false,
        table: None,
    }
}
