//! Outcomes of a step's probes, cell by cell.

use indexmap::IndexMap;

use super::outcomes::Class;
use super::probed::{DecidingRule, ProbedFlow};
use crate::model::{Endpoint, Flow, Service, Via};
use crate::topology::ExpectedOutcome;

/// Outcomes of a step's probes.
#[derive(Clone, Debug)]
pub struct Probed {
    /// The exhaustive grid; empty where the file has no tables.
    pub grid: Grid,
    /// Every cell that was probed, with the class of its outcome.
    pub observed: IndexMap<Flow, Class>,
    /// The flows that somebody besides the step asked about, in their order.
    pub asked: Vec<ProbedFlow>,
    /// Cells whose outcome is another than at the step before.
    pub changed: Vec<ChangedCell>,
    /// True if the canaries gave what they must, and where nothing was probed.
    pub canaries_held: bool,
}

impl Default for Probed {
    fn default() -> Self {
        Self {
            grid: Grid::default(),
            observed: IndexMap::new(),
            asked: Vec::new(),
            changed: Vec::new(),
            canaries_held: true,
        }
    }
}

/// The exhaustive grid at a step: who, to whom, for which services.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grid {
    /// The columns of every block.
    pub services: Vec<Service>,
    /// The receivers.
    pub targets: Vec<Endpoint>,
    /// The senders.
    pub rows: Vec<Row>,
}

/// One sender of a grid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Sender.
    pub from: Endpoint,
    /// Address of the receivers, if one was named.
    pub via: Option<Via>,
    /// One block a target, of one cell a service; nothing where there is no such path, or no probe that asks for the service.
    pub blocks: Vec<Option<Vec<Option<Cell>>>>,
}

/// One cell of a grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// Class of the observed outcome.
    pub class: Class,
    /// Expected outcome, if any was expected.
    pub expected: Option<ExpectedOutcome>,
    /// True if the cell is known to differ from an expectation.
    pub wrong: bool,
}

/// A cell whose outcome is another than at the step before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedCell {
    /// Flow of the cell.
    pub flow: Flow,
    /// Class at the step before.
    pub was: Class,
    /// Class at this step.
    pub now: Class,
    /// The rule that lets it in now.
    pub rule: Option<DecidingRule>,
}
