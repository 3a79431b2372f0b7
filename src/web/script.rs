//! The steps of a topology file, which can be walked from the page.

use serde::Serialize;

use crate::model::{Era, Operation};
use crate::topology::{Action, Topology, write};

/// Steps of a file, and how many of them are done.
#[derive(Clone, Debug)]
pub struct Script {
    steps: Vec<ScriptStep>,
    done: usize,
}

/// A step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ScriptStep {
    /// Its number in the file.
    pub number: usize,
    /// Its name, a sentence.
    pub name: String,
    /// A word for the reader.
    pub note: Option<String>,
    /// Its operations in the words of the file.
    pub operations: Vec<String>,
    /// True if it also holds connections, which the page does not.
    pub holds_connections: bool,
    /// Calls, each all or nothing.
    #[serde(skip)]
    pub calls: Vec<Vec<Operation>>,
}

impl Script {
    /// The steps of a file for an era, of which the first ones are done.
    pub fn new(topology: &Topology, era: Era, done: usize) -> Self {
        let steps = topology.steps.iter().enumerate().filter(|(_, step)| step.is_of(era));
        let steps = steps.map(|(index, step)| {
            let calls: Vec<Vec<Operation>> =
                step.calls().map(|call| call.iter().map(|placed| placed.value.clone()).collect()).collect();
            ScriptStep {
                number: index + 1,
                name: step.name.clone(),
                note: step.note.clone(),
                operations: calls.iter().flatten().map(write::operation).collect(),
                holds_connections: step.actions.iter().any(|action| !matches!(action, Action::Call(_))),
                calls,
            }
        });
        let steps: Vec<ScriptStep> = steps.collect();
        let done = steps.iter().filter(|step| step.number <= done).count();
        Self { steps, done }
    }

    /// Every step.
    pub fn steps(&self) -> &[ScriptStep] {
        &self.steps
    }

    /// Number of steps that are done.
    pub fn done(&self) -> usize {
        self.done
    }

    /// The step that comes next.
    pub fn next(&self) -> Option<&ScriptStep> {
        self.steps.get(self.done)
    }

    /// Goes on to the step behind.
    pub fn advance(&mut self) {
        self.done = (self.done + 1).min(self.steps.len());
    }
}
