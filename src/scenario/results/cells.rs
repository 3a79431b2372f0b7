//! Outcomes of a step's probes, cell by cell.

use std::fmt;
use std::net::IpAddr;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::outcomes::Class;
use super::reason::Reason;
use crate::model::{Endpoint, Flow, GroupName, RuleId, Service, SourceLocation, Via};
use crate::probe::Outcome;
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
    /// By which address of the receivers, if that was said.
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

/// A rule that decided.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DecidingRule {
    /// Its group.
    pub group: GroupName,
    /// Its id.
    pub id: RuleId,
    /// As its author wrote it.
    pub written: String,
    /// Place of the rule in the file, if it has one.
    pub place: Option<SourceLocation>,
}

/// A flow that was probed: what came of it, and why. One type from the run to reports, the socket of a lab that is up, and tests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbedFlow {
    /// Flow that was probed.
    pub flow: Flow,
    /// Observed outcome, by evidence.
    pub outcome: Outcome,
    /// The rule that let it in, while it stands.
    pub rule: Option<DecidingRule>,
    /// Reason for the outcome: for want of which rule it was dropped, or what is not proved.
    pub reason: Option<Reason>,
    /// The address that a flow by DNS name went to.
    pub resolved: Option<IpAddr>,
}

impl ProbedFlow {
    /// The outcome in one word.
    pub fn class(&self) -> Class {
        Class::of(&self.outcome)
    }
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

impl fmt::Display for ProbedFlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.flow, self.class().as_str())?;
        if let Outcome::Dropped(drop) = &self.outcome
            && let Some((at, interface, _)) = drop.cause.groups()
        {
            write!(f, " at the {at} of {}", interface.holder())?;
        }
        if let Some(rule) = &self.rule {
            write!(f, "\n    admitted by {} \"{}\"", rule.group, rule.written)?;
            if let Some(place) = &rule.place {
                write!(f, "   {place}")?;
            }
        }
        if let Some(reason) = &self.reason {
            write!(f, "\n    {reason}")?;
        }
        Ok(())
    }
}
