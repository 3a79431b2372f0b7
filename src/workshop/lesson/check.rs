//! Holds a lesson to its word: the start fails its goal, the solution reaches it within the limits, and every answer is computed.

use super::Which;
use super::assess::assess;
use super::hints::{Level, hint};
use super::investigate;
use super::read::{Lesson, Stage};
use super::task::{Submission, Task};
use crate::scenario::results::StepStatus;
use crate::scenario::{Evidence, RunResult, RunVerdict};
use crate::topology::{Sections, Topology};
use crate::workshop::questions;

/// The faults of a lesson that was checked.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct Checked {
    /// Its name.
    pub lesson: String,
    /// Its faults, a sentence each; none if it keeps its word.
    pub faults: Vec<String>,
    /// Number of questions, each with a computed answer.
    pub questions: usize,
    /// Its tasks.
    pub tasks: Vec<CheckedTask>,
}

/// A task that was checked.
#[derive(Clone, Debug, serde::Serialize)]
pub struct CheckedTask {
    /// Kind of task.
    pub kind: super::Kind,
    /// Number of cells and other expectations that count.
    pub cells: usize,
    /// Points of all of them.
    pub points: usize,
    /// Kind of evidence of its runs.
    pub evidence: Option<Evidence>,
}

impl Checked {
    /// Checks what needs no run: that there are questions, and that each has an answer.
    pub fn of(lesson: &Lesson) -> Self {
        let mut checked = Self { lesson: lesson.name.clone(), ..Self::default() };
        for stage in &lesson.stages {
            match stage {
                Stage::Predict(topology) => {
                    let era = lesson.era_of(topology);
                    let asked = questions::of(topology, era).unwrap_or_default();
                    let count: usize = asked.iter().map(|step| step.puzzles.len()).sum();
                    if count == 0 {
                        checked.faults.push(format!("predict: {} has nothing that could be asked", topology.file));
                    }
                    checked.questions += count;
                }
                Stage::Investigate(which) => {
                    let asked = lesson.file(*which).map(investigate::of).unwrap_or_default();
                    if asked.questions.iter().all(|it| it.answers.is_empty()) {
                        checked.faults.push("investigate: there is no flow that a rule decides".to_owned());
                    }
                    checked.questions += asked.questions.len();
                }
                Stage::Task(_) => {}
            }
        }
        if lesson.tasks().next().is_none() {
            checked.faults.push("there is nothing to do: a lesson has a stage `fix` or `make`".to_owned());
        }
        checked
    }

    /// Checks a task by runs of its start and of its solution.
    pub fn task(&mut self, task: &Task, start: &[RunResult], solution: &[RunResult]) {
        let kind = task.kind.as_str();
        let mut fault = |text: String| self.faults.push(format!("{kind}: {text}"));
        let begun = assess(task, &task.given(), start);
        let solved = assess(task, &task.solved(), solution);
        if task.goal.points() == 0 {
            fault("the start differs from the solution in nothing that the scenario expects".to_owned());
        }
        if begun.holds {
            fault("the start reaches the goal already".to_owned());
        }
        if begun.score > 0 {
            fault(format!("the start scores {}, and whoever hands it in has done nothing", begun.score));
        }
        let unread = start.iter().flat_map(|run| &run.steps).find(|step| step.status == StepStatus::NotRun);
        if let Some(step) = unread {
            fault(format!("step {} of the start does not come about", step.number));
        }
        for level in Level::ALL.into_iter().filter(|level| hint(&begun, *level).is_none()) {
            fault(format!("there is no hint of the level {level:?}").to_lowercase());
        }
        for limit in &solved.broken {
            fault(format!("the solution does not keep a limit: {limit}"));
        }
        for run in solution.iter().filter(|run| run.verdict != RunVerdict::Passed) {
            fault(format!("the solution does not reach the goal under era {}: {}", run.head.era, run.verdict.as_str()));
        }
        if let Some(wrong) = solved.wrong.first() {
            fault(format!("the solution is wrong at step {}: {}", wrong.step, wrong.subject));
        }
        if !solved.holds || solved.score != 100 {
            fault(format!("the solution scores {} of 100", solved.score));
        }
        let (cells, points) = (task.goal.counted(), task.goal.points());
        self.tasks.push(CheckedTask { kind: task.kind, cells, points, evidence: solved.evidence });
    }
}

impl Task {
    /// The file as it is given, handed in.
    pub fn given(&self) -> Submission {
        Submission { topology: self.start.clone(), broken: Vec::new() }
    }

    /// The solution, handed in.
    pub fn solved(&self) -> Submission {
        let broken = match (self.sections(), Sections::of(&self.solution.file, self.solution_text.as_bytes())) {
            (Ok(start), Ok(given)) => self.broken_by(&self.solution, &start, &given),
            _ => Vec::new(),
        };
        Submission { topology: self.solution.clone(), broken }
    }
}

impl Lesson {
    /// The tasks, in order.
    pub fn tasks(&self) -> impl Iterator<Item = &Task> {
        self.stages.iter().filter_map(|stage| if let Stage::Task(task) = stage { Some(&**task) } else { None })
    }

    /// A file of the lesson.
    pub fn file(&self, which: Which) -> Option<&Topology> {
        match which {
            Which::Start => self.start.as_ref(),
            Which::Solution => Some(&self.solution),
        }
    }
}
