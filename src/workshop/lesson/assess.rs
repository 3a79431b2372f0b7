//! The assessment of a file that was handed in: its wrong cells, with the rule that leaks or the one that is missing, and its score.

use indexmap::IndexSet;

use super::fates::{Fate, moments};
use super::goal::{GoalStep, Wanted, others, step_of};
use super::limits::BrokenLimit;
use super::remedy::{Missing, Remedies};
use super::task::{Submission, Task};
use crate::model::{Cloud, Era, Flow};
use crate::policy;
use crate::scenario::results::StepResult;
use crate::scenario::{DecidingRule, Evidence, RunResult, RunVerdict, explain};

/// Points of a hundred that a broken limit costs.
pub const LIMIT_COSTS: u32 = 25;

/// Result of a file.
#[derive(Clone, Debug)]
pub struct Assessment {
    /// From 0, the file as it is given, to 100.
    pub score: u32,
    /// Points of what counts and is right.
    pub right: usize,
    /// Points of what was right in the file as given, and is wrong now.
    pub spoilt: usize,
    /// Points of the whole goal, without what could not be proved.
    pub of: usize,
    /// Cells and other expectations that could not be proved.
    pub unproved: usize,
    /// All that is not as the goal wants it, leaks first.
    pub wrong: Vec<Wrong>,
    /// Limits that are not kept.
    pub broken: Vec<BrokenLimit>,
    /// True if the goal holds within the limits.
    pub holds: bool,
    /// Kind of evidence that it rests on.
    pub evidence: Option<Evidence>,
}

/// A cell, or another expectation, that is not as the goal wants it.
#[derive(Clone, Debug)]
pub struct Wrong {
    /// The era, where the task has several.
    pub era: Option<Era>,
    /// The step's number in the file.
    pub step: usize,
    /// Kind of fault.
    pub kind: WrongKind,
    /// The flow, or the words of the expectation.
    pub subject: String,
    /// The flow, if it is a cell.
    pub flow: Option<Flow>,
    /// True if the file as given has it wrong too.
    pub given: bool,
    /// The rule that lets it through.
    pub rule: Option<DecidingRule>,
    /// The rule that would let it through, within the limits; of a leak, the one that is lacking once the leaking rule is taken out.
    pub missing: Option<Missing>,
    /// The reason for what was found, where one is known.
    pub reason: Option<String>,
}

impl Wrong {
    /// Where in the scenario it is: `step 2`, or `step 2 in era vpc`.
    pub fn moment(&self) -> String {
        let era = self.era.map_or_else(String::new, |era| format!(" in era {era}"));
        format!("step {}{era}", self.step)
    }
}

/// Kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum WrongKind {
    /// It gets through, and must not.
    Leak,
    /// It must get through, and does not.
    Missing,
    /// A step could not be carried out, or says something else.
    Other,
}

impl WrongKind {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Leak => "LEAK",
            Self::Missing => "MISSING",
            Self::Other => "WRONG",
        }
    }
}

/// Compares the runs of a file with the goal of its task.
pub fn assess(task: &Task, submission: &Submission, runs: &[RunResult]) -> Assessment {
    let mut counting = Counting { eras: task.solution.eras.len(), ..Counting::default() };
    for era in &task.solution.eras {
        let clouds = moments(&submission.topology, *era);
        for goal in task.goal.steps.iter().filter(|step| step.era == *era) {
            let cloud = clouds.iter().find(|(number, _)| *number == goal.number).map(|(_, cloud)| cloud);
            match step_of(runs, *era, goal.number).zip(cloud) {
                Some((step, cloud)) => counting.step(task, goal, step, cloud),
                None => counting.not_reached(goal),
            }
        }
    }
    let Counting { mut wrong, right, spoilt, unproved, unproved_points, .. } = counting;
    wrong.sort_by_key(|it| it.kind);
    let of = task.goal.points() - unproved_points;
    let broken = submission.broken.clone();
    let passed = runs.len() == task.solution.eras.len() && runs.iter().all(|run| run.verdict == RunVerdict::Passed);
    let share = (100 * right.saturating_sub(spoilt)).checked_div(of).unwrap_or(0);
    let costs = LIMIT_COSTS.saturating_mul(u32::try_from(broken.len()).unwrap_or(u32::MAX));
    let score = u32::try_from(share).unwrap_or(100).saturating_sub(costs);
    let holds = passed && wrong.is_empty() && broken.is_empty();
    let evidence = runs.first().map(|run| run.head.evidence);
    Assessment { score, right, spoilt, of, unproved, wrong, broken, holds, evidence }
}

/// An outcome, compared with the one that is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    Right,
    Wrong,
    /// Nothing proves either.
    Unproved,
}

#[derive(Default)]
struct Counting {
    eras: usize,
    wrong: Vec<Wrong>,
    right: usize,
    spoilt: usize,
    unproved: usize,
    /// Points of what is worth some and could not be proved.
    unproved_points: usize,
}

impl Counting {
    /// A fault at a step of the goal, of which no more is known.
    fn fault(&self, goal: &GoalStep, kind: WrongKind, subject: String) -> Wrong {
        Wrong {
            era: (self.eras > 1).then_some(goal.era),
            step: goal.number,
            kind,
            subject,
            flow: None,
            given: false,
            rule: None,
            missing: None,
            reason: None,
        }
    }

    /// Nothing of a step is right that was not run.
    fn not_reached(&mut self, goal: &GoalStep) {
        let worth = goal.cells.values().chain(goal.others.values()).filter(|wanted| wanted.counts);
        if worth.count() > 0 {
            let subject = "the scenario did not get as far as this step".to_owned();
            self.wrong.push(self.fault(goal, WrongKind::Other, subject));
        }
    }

    fn step(&mut self, task: &Task, goal: &GoalStep, step: &StepResult, cloud: &Cloud) {
        let mut remedies = Remedies::new(task, goal, cloud);
        for (flow, wanted) in &goal.cells {
            let found = step.probed.observed.get(flow);
            // A cell that this file has no column or host for is judged on paper.
            let fate = found.map_or_else(|| Fate::predicted(cloud, flow), |class| Fate::of(*class));
            let outcome = match fate {
                fate if fate == wanted.fate => Found::Right,
                Fate::Unknown => Found::Unproved,
                Fate::Through | Fate::Kept => Found::Wrong,
            };
            if self.count(outcome, *wanted) {
                self.cell(goal, step, cloud, (flow, wanted.fate, wanted.counts), &mut remedies);
            }
        }
        // Columns and hosts that only this file has: its tables say what must be there.
        let own = step.cells().filter(|(check, cell)| check.is_failed() && !goal.cells.contains_key(&cell.flow));
        let own: IndexSet<(Flow, Fate)> = own
            .map(|(_, cell)| {
                let wanted =
                    if cell.expected == crate::topology::ExpectedOutcome::Open { Fate::Through } else { Fate::Kept };
                (cell.flow.clone(), wanted)
            })
            .collect();
        for (flow, fate) in &own {
            self.count(Found::Wrong, Wanted { fate: *fate, counts: false });
            self.cell(goal, step, cloud, (flow, *fate, false), &mut remedies);
        }
        for (key, wanted) in &goal.others {
            let found = others(step).find(|(it, _)| it == key).map(|(_, check)| check);
            let outcome = match found {
                Some(check) if check.is_passed() => Found::Right,
                Some(check) if check.is_inconclusive() => Found::Unproved,
                Some(_) | None => Found::Wrong,
            };
            if self.count(outcome, *wanted) {
                let kind = if wanted.fate == Fate::Kept { WrongKind::Leak } else { WrongKind::Missing };
                let reason = found.map(|check| format!("observed {}", check.observed));
                let fault = self.fault(goal, kind, key.clone());
                self.wrong.push(Wrong { reason, given: wanted.counts, ..fault });
            }
        }
        for finding in &step.findings {
            let given = goal.findings.contains(&finding.text);
            self.spoilt += usize::from(!given);
            let fault = self.fault(goal, WrongKind::Other, finding.text.clone());
            self.wrong.push(Wrong { given, ..fault });
        }
    }

    /// Counts what was found where something is wanted; tells if it is wrong.
    fn count(&mut self, found: Found, wanted: Wanted) -> bool {
        match (found, wanted.counts) {
            (Found::Right, true) => self.right += wanted.points(),
            (Found::Right, false) | (Found::Wrong, true) => {}
            (Found::Unproved, counts) => {
                self.unproved += 1;
                self.unproved_points += if counts { wanted.points() } else { 0 };
            }
            (Found::Wrong, false) => self.spoilt += wanted.points(),
        }
        found == Found::Wrong
    }

    fn cell(
        &mut self,
        goal: &GoalStep,
        step: &StepResult,
        cloud: &Cloud,
        (flow, wanted, given): (&Flow, Fate, bool),
        remedies: &mut Remedies<'_>,
    ) {
        let check = step.cells().find(|(check, cell)| cell.flow == *flow && check.is_failed());
        let (kind, rule) = match wanted {
            Fate::Kept => {
                let recorded = check.and_then(|(_, cell)| cell.rule.clone());
                (WrongKind::Leak, recorded.or_else(|| admitting(cloud, flow)))
            }
            Fate::Through | Fate::Unknown => (WrongKind::Missing, None),
        };
        let missing = match (kind, &rule) {
            (WrongKind::Leak, Some(rule)) => remedies.in_place_of(rule.id),
            (WrongKind::Leak, None) => None,
            (WrongKind::Missing | WrongKind::Other, _) => remedies.of(flow),
        };
        self.wrong.push(Wrong {
            flow: Some(flow.clone()),
            given,
            rule,
            missing,
            reason: check.and_then(|(check, _)| check.reason.clone()),
            ..self.fault(goal, kind, flow.to_string())
        });
    }
}

/// The rule that lets a flow in at its receiver, or out at its sender where the receiver has no groups.
pub(super) fn admitting(cloud: &Cloud, flow: &Flow) -> Option<DecidingRule> {
    let walk = policy::walk(cloud, flow);
    let asked = walk.stages.iter().rev().find_map(|stage| match stage {
        policy::Stage::RuleEvaluation(asked) => Some(asked),
        _ => None,
    })?;
    let (group, rule) = cloud.rule(asked.admitted_by().next()?)?;
    Some(explain::of_group(group, rule))
}
