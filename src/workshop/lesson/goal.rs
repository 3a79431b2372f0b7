//! The goal of a task: the cells that a solution has otherwise than the start, and other expectations of the scenario.
//!
//! Who hands in what was given has changed none of these, and gets nothing.

use std::collections::HashSet;

use indexmap::IndexMap;

use super::fates::{Fate, by_the_model, moments};
use crate::model::{Cloud, Era, Flow};
use crate::scenario::RunResult;
use crate::scenario::results::{Check, StepResult, StepStatus};
use crate::topology::{ExpectedConnection, Topology};

/// Points of a cell, or another expectation, that must come to be open.
pub(super) const OPENED: usize = 1;
/// Points of one that must be kept closed: a leak costs more than what is missing.
pub(super) const CLOSED: usize = 2;

/// The goal of a task.
#[derive(Clone, Debug, Default)]
pub struct Goal {
    /// The steps of each era, in order.
    pub steps: Vec<GoalStep>,
}

/// The goal at one step.
#[derive(Clone, Debug)]
pub struct GoalStep {
    /// The era.
    pub era: Era,
    /// The step's number in the file.
    pub number: usize,
    /// The solution's cloud after it.
    pub cloud: Cloud,
    /// Every cell of the start and the solution.
    pub cells: IndexMap<Flow, Wanted>,
    /// Other expectations of the step, by their words.
    pub others: IndexMap<String, Wanted>,
    /// Findings of the start, which a file does not pay for.
    pub findings: HashSet<String>,
}

/// The outcome that is wanted of a cell or another expectation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Fate that the goal wants.
    pub fate: Fate,
    /// True if the start has it otherwise, so that it is worth points.
    pub counts: bool,
}

impl Wanted {
    /// The points that it is worth, or costs.
    pub fn points(self) -> usize {
        if self.fate == Fate::Kept { CLOSED } else { OPENED }
    }
}

impl Goal {
    /// Compares what is given with a solution, by the model.
    pub(super) fn of(start: &Topology, solution: &Topology) -> Self {
        let (given, solved) = (by_the_model(start), by_the_model(solution));
        let mut steps = Vec::new();
        for run in &solved {
            let era = run.head.era;
            let (begun, after) = (moments(start, era), moments(solution, era));
            for step in &run.steps {
                let of = |all: &[(usize, Cloud)]| {
                    all.iter().find(|(number, _)| *number == step.number).map(|(_, cloud)| cloud.clone())
                };
                let (Some(before), Some(cloud)) = (of(&begun), of(&after)) else { continue };
                steps.push(goal_at(era, step, (cloud, before), step_of(&given, era, step.number)));
            }
        }
        Self { steps }
    }

    /// The points of the whole goal.
    pub fn points(&self) -> usize {
        let all = self.steps.iter().flat_map(|step| step.cells.values().chain(step.others.values()));
        all.filter(|wanted| wanted.counts).map(|wanted| wanted.points()).sum()
    }

    /// The number of cells and other expectations that are worth points.
    pub fn counted(&self) -> usize {
        let all = self.steps.iter().flat_map(|step| step.cells.values().chain(step.others.values()));
        all.filter(|wanted| wanted.counts).count()
    }
}

fn goal_at(era: Era, solved: &StepResult, (cloud, before): (Cloud, Cloud), given: Option<&StepResult>) -> GoalStep {
    let observed = given.map(|step| &step.probed.observed);
    let mut cells = IndexMap::new();
    for flow in solved.probed.observed.keys().chain(observed.into_iter().flat_map(IndexMap::keys)) {
        let now = solved.probed.observed.get(flow).map_or_else(|| Fate::predicted(&cloud, flow), |it| Fate::of(*it));
        let was =
            observed.and_then(|all| all.get(flow)).map_or_else(|| Fate::predicted(&before, flow), |it| Fate::of(*it));
        if now != Fate::Unknown {
            let counts = was != Fate::Unknown && was != now;
            cells.entry(flow.clone()).or_insert(Wanted { fate: now, counts });
        }
    }
    let passed = |key: &str| given.is_some_and(|step| others(step).any(|(it, check)| it == key && check.is_passed()));
    let mut expected = IndexMap::new();
    for (key, check) in others(solved).filter(|(_, check)| check.is_passed()) {
        let counts = !passed(&key);
        expected.insert(key, Wanted { fate: fate_of(check), counts });
    }
    let findings = given.into_iter().flat_map(|step| &step.findings).map(|finding| finding.text.clone()).collect();
    GoalStep { era, number: solved.number, cloud, cells, others: expected, findings }
}

/// Expectations of a step besides cells, each by its words.
pub(super) fn others(step: &StepResult) -> impl Iterator<Item = (String, &Check)> {
    let others = step.checks.iter().filter(|check| check.details.cell().is_none());
    others.map(|check| {
        (
            if check.subject.is_empty() {
                check.expected.clone()
            } else {
                format!("{}: {}", check.subject, check.expected)
            },
            check,
        )
    })
}

/// A connection that must not go on is kept, all else must come about.
fn fate_of(check: &Check) -> Fate {
    match check.details.connection().map(|it| it.expected) {
        Some(ExpectedConnection::Cut | ExpectedConnection::Gone | ExpectedConnection::Unanswerable) => Fate::Kept,
        Some(ExpectedConnection::Alive) | None => Fate::Through,
    }
}

/// A step of a run under an era, unless it was not run.
pub(super) fn step_of(runs: &[RunResult], era: Era, number: usize) -> Option<&StepResult> {
    let run = runs.iter().find(|run| run.head.era == era)?;
    run.steps.iter().find(|step| step.number == number && step.status != StepStatus::NotRun)
}
