//! The truth table that the page shows: each cell with its prediction and with what packets proved, and when.

use std::collections::{BTreeSet, HashMap};

use indexmap::{IndexMap, IndexSet};
use serde::Serialize;

use super::cell::{Cell, Measured, Moment, Standing};
use super::classes::Classes;
use super::sides::{Side, Way, sides, way};
use crate::lab::Listeners;
use crate::model::{Cloud, Flow, Service, Via};
use crate::protocol::Revision;
use crate::scenario;
use crate::scenario::cells::{self, Extent};
use crate::scenario::predict::observe::observation;
use crate::scenario::{Agreement, ProbedFlow};
use crate::topology::{Columns, Egress, columns_of};

/// Doublings of the time after which what packets did not prove is asked again.
const MAX_DOUBLINGS: u32 = 5;

/// The part of the truth table that is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// Addresses of receivers; nothing stands for the usual one.
    pub vias: IndexSet<Option<Via>>,
    /// Titles of classes that are taken apart.
    pub open: BTreeSet<String>,
}

impl Shown {
    /// By the usual address, and nothing taken apart.
    pub fn usual() -> Self {
        Self { vias: IndexSet::from([None]), open: BTreeSet::new() }
    }
}

/// Numbers of cells by their standing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Cells that packets have proved.
    pub measured: usize,
    /// Cells that were probed at this moment, and of which that proved nothing.
    pub inconclusive: usize,
    /// Cells that were measured before.
    pub stale: usize,
    /// Cells that are known by the model alone.
    pub predicted: usize,
}

impl Counts {
    /// Returns true if all cells were probed at this moment.
    pub fn is_whole(&self) -> bool {
        self.stale + self.predicted == 0
    }
}

/// A truth table at a moment.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// Revision of the cloud that it is of.
    pub revision: Revision,
    /// Moment of the last change; cells that were measured before it are stale.
    pub moment: Moment,
    /// Ports.
    pub services: Vec<Service>,
    /// Receivers.
    pub columns: Vec<Side>,
    /// Senders.
    pub rows: Vec<Row>,
    /// All cells, a row after the other.
    pub cells: Vec<Option<Cell>>,
    by_flow: HashMap<Flow, usize>,
}

/// A sender.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The sender.
    #[serde(flatten)]
    pub side: Side,
    /// Address of the receivers, where that is not the usual one: `public`.
    pub by: Option<String>,
}

impl Table {
    /// The table of a cloud, with what `before` knew of the same flows.
    pub fn new(cloud: &Cloud, (revision, moment): (Revision, Moment), shown: &Shown, before: Self) -> Self {
        let columns = columns_of(cloud, &Egress::default());
        let classes = Classes::new(cloud, &shown.open);
        let listeners = Listeners { columns: columns.iter().copied().collect(), ..Listeners::default() };
        let extent = Extent { vias: shown.vias.clone(), egress: Egress::default() };
        let senders = cells::senders(cloud, &shown.vias);
        let services = cells::columns_of(&columns, &senders);
        let (columns_of_ends, rows) = sides(cloud, &classes, &extent, &shown.vias);
        let mut known: HashMap<Flow, Measured> = before.into_measured();
        let mut cells = Vec::with_capacity(rows.len() * columns_of_ends.len() * services.len());
        let mut by_flow = HashMap::new();
        for (row, via) in &rows {
            for column in &columns_of_ends {
                let way = way(cloud, &row.ends, &column.ends, *via);
                for service in &services {
                    let cell = way.as_ref().and_then(|way| a_cell(cloud, &listeners, &columns, way, *service));
                    let cell = cell.map(|cell| Cell { measured: known.remove(&cell.flow), ..cell });
                    if let Some(cell) = &cell {
                        by_flow.insert(cell.flow.clone(), cells.len());
                    }
                    cells.push(cell);
                }
            }
        }
        let by = |via: Option<Via>| via.filter(|_| shown.vias.len() > 1).map(|via| via.word().into_owned());
        Self {
            revision,
            moment,
            services,
            columns: columns_of_ends.into_iter().map(|column| column.side).collect(),
            rows: rows.into_iter().map(|(row, via)| Row { side: row.side, by: by(via) }).collect(),
            cells,
            by_flow,
        }
    }

    /// The table of what was observed, and of nothing else.
    pub fn of_observed(cloud: &Cloud, observed: &IndexMap<Flow, scenario::Class>) -> Self {
        // From outside, the public address is the usual one.
        let usual = |flow: &Flow| if flow.from.interface().is_some() { Via::Private } else { Via::Public };
        let by = observed.keys().map(|flow| Some(flow.via).filter(|via| *via != usual(flow)));
        let shown = Shown { vias: std::iter::once(None).chain(by).collect(), ..Shown::default() };
        let moment = Moment::default().next();
        let mut table = Self::new(cloud, (Revision::default(), moment), &shown, Self::default());
        for cell in &mut table.cells {
            *cell = cell.take().and_then(|cell| {
                let outcome = *observed.get(&cell.flow)?;
                let measured = Measured {
                    outcome,
                    agreement: Agreement::Unproved,
                    predicted: cell.predicted,
                    moment,
                    inconclusive: 0,
                };
                Some(Cell { measured: Some(measured), ..cell })
            });
        }
        table
    }

    /// Index of the cell of a flow.
    pub fn index_of(&self, flow: &Flow) -> Option<usize> {
        self.by_flow.get(flow).copied()
    }

    fn into_measured(self) -> HashMap<Flow, Measured> {
        let known = self.cells.into_iter().flatten();
        known.filter_map(|cell| Some((cell.flow, cell.measured?))).collect()
    }

    /// Flows that are not proved at this moment, at most so many: those whose prediction has changed first.
    pub fn unproved(&self, most: usize) -> Vec<Flow> {
        let of = |wanted: Standing| {
            let cells = self.cells.iter().flatten();
            cells.filter(move |cell| cell.standing(self.moment) == wanted).map(|cell| cell.flow.clone())
        };
        of(Standing::Predicted).chain(of(Standing::Stale)).take(most).collect()
    }

    /// Notes what a probe found at the table's moment; gives the index of the cell.
    pub fn note(&mut self, probed: &ProbedFlow) -> Option<usize> {
        let agreement = probed.records.as_ref().map_or(Agreement::Unproved, |records| records.agreement);
        self.note_outcome(&probed.flow, probed.class(), agreement)
    }

    fn note_outcome(&mut self, flow: &Flow, outcome: scenario::Class, agreement: Agreement) -> Option<usize> {
        let index = self.index_of(flow)?;
        let moment = self.moment;
        let cell = self.cells.get_mut(index)?.as_mut()?;
        let before = cell.measured.as_ref().map_or(0, |measured| measured.inconclusive);
        let inconclusive = if outcome == scenario::Class::Inconclusive { before + 1 } else { 0 };
        cell.measured = Some(Measured { outcome, agreement, predicted: cell.predicted, moment, inconclusive });
        Some(index)
    }

    /// The cell of a flow, if it has one.
    pub fn cell_of(&self, flow: &Flow) -> Option<&Cell> {
        self.cells.get(*self.by_flow.get(flow)?)?.as_ref()
    }

    /// Takes all that was proved for stale, so that it is probed again.
    pub fn forget(&mut self) {
        self.moment = self.moment.next();
    }

    /// Takes what packets did not prove for stale, so that it is probed again: at each tick, and more seldom where that goes on.
    pub fn doubt(&mut self, tick: u64) {
        for measured in self.cells.iter_mut().flatten().filter_map(|cell| cell.measured.as_mut()) {
            let doublings = measured.inconclusive.min(MAX_DOUBLINGS);
            if doublings > 0 && tick.is_multiple_of(1 << (doublings - 1)) {
                measured.moment = Moment::default();
            }
        }
    }

    /// True where a probe has proved nothing.
    pub fn has_inconclusive(&self) -> bool {
        self.cells.iter().flatten().any(|cell| cell.measured.as_ref().is_some_and(|measured| measured.inconclusive > 0))
    }

    /// Counts cells by standing.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for cell in self.cells.iter().flatten() {
            let count = match cell.standing(self.moment) {
                Standing::Measured if cell.outcome(self.moment) == scenario::Class::Inconclusive => {
                    &mut counts.inconclusive
                }
                Standing::Measured => &mut counts.measured,
                Standing::Stale => &mut counts.stale,
                Standing::Predicted => &mut counts.predicted,
            };
            *count += 1;
        }
        counts
    }

    /// The code of a cell; empty where there is none.
    pub fn code(&self, index: usize) -> String {
        self.cells.get(index).and_then(Option::as_ref).map_or_else(String::new, |cell| cell.code(self.moment))
    }

    /// The place of a cell: row, column and port.
    pub fn place(&self, index: usize) -> (usize, usize, usize) {
        let (ports, columns) = (self.services.len().max(1), self.columns.len().max(1));
        (index / (ports * columns), index / ports % columns, index % ports)
    }
}

fn a_cell(cloud: &Cloud, listeners: &Listeners, columns: &Columns, way: &Way, service: Service) -> Option<Cell> {
    if !columns.are_asked(service, way.via) {
        return None;
    }
    let flow = Flow { from: way.from.clone(), to: way.to.clone(), via: way.via, service };
    let predicted = scenario::Class::of(&observation(cloud, listeners, &flow).outcome);
    Some(Cell { flow, pairs: way.pairs, predicted, measured: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Era;
    use crate::topology::Topology;

    fn noted(table: &mut Table, outcome: scenario::Class) {
        let flow = table.cells.iter().flatten().next().expect("a cell").flow.clone();
        table.note_outcome(&flow, outcome, Agreement::Unproved);
    }

    #[test]
    fn what_packets_did_not_prove_is_asked_again_and_more_seldom_as_that_goes_on() {
        let text = "sglab: 1\nera: vpc\ngroups: {web: [tcp 80 from anywhere]}\ninstances: {a: {groups: web}, b: {groups: web}}\n";
        let topology = Topology::parse_cloud("t.yaml", text.as_bytes()).unwrap();
        let cloud = topology.initial_cloud(Era::Vpc).unwrap();
        let now = (Revision::default(), Moment::default().next());
        let mut table = Table::new(&cloud, now, &Shown::usual(), Table::default());
        let all = table.unproved(usize::MAX).len();
        let mut asked = Vec::new();
        noted(&mut table, scenario::Class::Inconclusive);
        assert_eq!(table.unproved(usize::MAX).len(), all - 1);
        let counts = table.counts();
        assert_eq!((counts.measured, counts.inconclusive, counts.predicted), (0, 1, all - 1));
        for tick in 1..=8 {
            table.doubt(tick);
            if table.unproved(usize::MAX).len() == all {
                asked.push(tick);
                noted(&mut table, scenario::Class::Inconclusive);
            }
        }
        assert_eq!(asked, [1, 2, 4, 8]);
        noted(&mut table, scenario::Class::Open);
        (9..=64).for_each(|tick| table.doubt(tick));
        assert_eq!((table.unproved(usize::MAX).len(), table.has_inconclusive()), (all - 1, false));
    }
}
