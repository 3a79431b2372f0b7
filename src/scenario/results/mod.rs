//! Results of a run, as plain data: evaluators fill it, reports read it. It knows neither.

use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexSet;

use crate::model::{Flow, SourceLocation};

mod cells;
mod check;
mod coverage;
mod details;
mod findings;
mod head;
mod model;
mod outcomes;
mod probed;
pub mod reason;

pub use cells::{Cell, ChangedCell, Grid, Probed, Row};
pub use check::{Check, CheckStatus, Said};
pub use coverage::{CountedRule, Coverage};
pub use details::*;
pub use findings::{AddressChange, Effects, Finding};
pub use findings::{MAX_CAPTURED, StepEvidence};
pub use head::{Head, ServicesTold};
pub use model::{
    AgainstModel, Compared, Disagreement, DisagreementFiles, HeldDisagreement, NotCompared, PredictedState, Why,
};
pub use outcomes::{Class, Counts, Evidence, NotAsked, RunVerdict, StepStatus};
pub use probed::{Agreement, DecidingRule, PacketVerdict, ProbeRecords, ProbedFlow};
pub use reason::Reason;

/// One file, run under one era.
#[derive(Clone, Debug)]
pub struct RunResult {
    /// Head of the run: its file, its era, and what was booted.
    pub head: Head,
    /// The steps of this era, in the order of the file.
    pub steps: Vec<StepResult>,
    /// The sum over the steps.
    pub counts: Counts,
    /// From the first step to the last.
    pub took: Duration,
    /// Verdict on all steps, and on coverage where that is required.
    pub verdict: RunVerdict,
    /// Coverage of the rules; nothing where no packet was sent.
    pub coverage: Option<Coverage>,
}

/// One step of a run.
#[derive(Clone, Debug)]
pub struct StepResult {
    /// Its number in the file, from 1; steps of other eras count.
    pub number: usize,
    /// Its name.
    pub name: String,
    /// Place in the file where it begins.
    pub place: SourceLocation,
    /// The file's word for the reader.
    pub note: Option<String>,
    /// Status of the step.
    pub status: StepStatus,
    /// Checks of its expectations: cells first, then section by section. A cell that a table expects is here only if it
    /// fails.
    pub checks: Vec<Check>,
    /// Findings besides the checks.
    pub findings: Vec<Finding>,
    /// Outcomes of its probes.
    pub probed: Probed,
    /// Number of cells probed, by outcome.
    pub counts: Counts,
    /// Comparison with the model.
    pub model: AgainstModel,
    /// Effects of its operations besides what was probed.
    pub effects: Effects,
    /// Claims that hold at this step by the article's word only.
    pub claims: Vec<String>,
    /// Evidence kept of the step for later; nothing unless the run was to keep it.
    pub kept: Option<Arc<StepEvidence>>,
    /// Time that the step took, changes and probes.
    pub took: Duration,
}

impl RunResult {
    /// Lists the claims that hold in this run by the article's word only, each said once.
    pub fn claims(&self) -> Vec<&str> {
        let mut all: Vec<&str> = Vec::new();
        for claim in self.steps.iter().flat_map(|step| &step.claims) {
            if !all.contains(&claim.as_str()) {
                all.push(claim);
            }
        }
        all
    }
}

impl StepResult {
    /// Gives the checks of cells.
    pub fn cells(&self) -> impl Iterator<Item = (&Check, &CellDetails)> {
        self.checks.iter().filter_map(|check| Some((check, check.details.cell()?)))
    }

    /// Gives the checks of cells that did not pass.
    pub fn wrong(&self) -> impl Iterator<Item = (&Check, &CellDetails)> {
        self.cells().filter(|(check, _)| !check.is_passed())
    }

    /// Gives the checks of a section.
    pub fn section(&self, section: Section) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(move |check| check.section() == Some(section))
    }

    /// Gives the checks of all sections.
    pub fn sections(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|check| check.section().is_some())
    }

    /// Gives the checks of connections that are held.
    pub fn connections(&self) -> impl Iterator<Item = (&Check, &ConnectionDetails)> {
        self.checks.iter().filter_map(|check| Some((check, check.details.connection()?)))
    }

    /// The flows that are not as expected, or not as predicted.
    pub fn failing(&self) -> IndexSet<Flow> {
        let flows = self.model.flows.iter().map(|it| &it.flow).chain(self.wrong().map(|(_, cell)| &cell.flow));
        flows.cloned().collect()
    }
}
