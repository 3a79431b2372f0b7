//! The history since the page has been there: operations, and the truth table as it stood after each.

use std::collections::VecDeque;

use serde::Serialize;

use super::picture::LivePicture;
use super::sides::Side;
use super::table::{Row, Table};
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
    /// Knowledge of the table of that revision.
    pub kept: Kept,
    #[serde(skip)]
    past: Option<Past>,
}

/// Knowledge of an entry's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kept {
    /// It can be looked at.
    Whole,
    /// Packets are proving it.
    Coming,
    /// The next change came before packets had proved all of it.
    Overtaken,
    /// Nothing was changed.
    Refused,
    /// It had to give way to later ones.
    Dropped,
}

/// The table and the picture of a moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Past {
    /// The table.
    #[serde(flatten)]
    pub table: KeptTable,
    /// The picture.
    pub picture: LivePicture,
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
                self.entries.iter_mut().filter(|it| it.kept == Kept::Coming).for_each(|it| it.kept = Kept::Overtaken);
                self.push(Entry { changes, in_force_ms: Some(in_force_ms), ..entry(number, time, operation) });
            }
            EventKind::Refused { operation, refusal } => {
                let refused = format!("{}: {}", refusal.code.as_str(), refusal.message);
                self.push(Entry {
                    refused: Some(refused),
                    kept: Kept::Refused,
                    ..entry(number, time, operation.to_string())
                });
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

    /// Keeps the table and the picture of the last change, if they are of its revision.
    pub fn keep(&mut self, table: &Table, picture: LivePicture) {
        let is_of = |entry: &&mut Entry| entry.refused.is_none() && entry.revision == Some(table.revision);
        if let Some(entry) = self.entries.iter_mut().rev().find(is_of) {
            entry.past = Some(Past { table: KeptTable::of(table), picture });
            entry.kept = Kept::Whole;
        }
        let size = |past: &Past| past.table.cells.len();
        let mut cells: usize = self.entries.iter().flat_map(|entry| &entry.past).map(size).sum();
        for entry in self.entries.iter_mut().filter(|entry| entry.past.is_some()) {
            if cells <= MAX_CELLS {
                break;
            }
            cells -= entry.past.take().as_ref().map_or(0, size);
            entry.kept = Kept::Dropped;
        }
    }

    /// The table and the picture after an entry.
    pub fn past(&self, number: u64) -> Option<&Past> {
        self.entries.iter().rev().find(|entry| entry.number == number)?.past.as_ref()
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
        kept: Kept::Coming,
        past: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Era, InstanceName, Operation};
    use crate::protocol::Applied;
    use crate::topology::Topology;
    use crate::web::cell::Moment;
    use crate::web::table::Shown;

    fn picture_and_table(revision: Revision) -> (LivePicture, Table) {
        let text = "sglab: 1\nera: vpc\ngroups: {a: []}\ninstances: {x: {groups: a}, y: {groups: a}}\n";
        let cloud = Topology::parse_cloud("t.yaml", text.as_bytes()).unwrap().initial_cloud(Era::Vpc).unwrap();
        let shown = Shown::usual();
        let table = Table::new(&cloud, (revision, Moment::default().next()), &shown, Table::default());
        (LivePicture::new(&cloud, &table, &shown), table)
    }

    #[test]
    fn an_entry_says_why_its_table_is_not_there() {
        let mut history = History::default();
        history.begin(0.0, "as it was found", Revision::default());
        let mut number = 0;
        let mut next = |kind: EventKind| {
            number += 1;
            Event { number, time: 0.0, kind }
        };
        let stop = || Operation::Stop(InstanceName::new("x"));
        let change = || EventKind::Change(Applied { operation: stop(), changes: Vec::new(), in_force: 0.0 });
        history.hear(&next(change()));
        let kept = |history: &History| history.entries().map(|entry| entry.kept).collect::<Vec<_>>();
        assert_eq!(kept(&history), [Kept::Overtaken, Kept::Coming]);
        let revision = Revision(1);
        history.reach(revision);
        let (picture, table) = picture_and_table(revision);
        history.keep(&table, picture);
        assert_eq!(kept(&history), [Kept::Overtaken, Kept::Whole]);
        assert!(history.past(1).is_some() && history.past(0).is_none());
        history.hear(&next(change()));
        history.hear(&next(change()));
        assert_eq!(kept(&history), [Kept::Overtaken, Kept::Whole, Kept::Overtaken, Kept::Coming]);
    }
}
