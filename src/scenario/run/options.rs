//! Options, progress and errors of a run of a scenario.

use crate::lab::LabError;
use crate::model::{Era, Refusal, SourceLocation};
use crate::scenario::results::{Head, StepResult};
use crate::scenario::services::StartServices;
use crate::topology::Step;

/// Options of a run.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Stop after the step of this number in the file, from 1.
    pub until_step: Option<usize>,
    /// Stop at the first step that fails; the others are reported as not run.
    pub fail_fast: bool,
    /// A rule that no packet matched fails the run.
    pub require_rule_coverage: bool,
    /// Keep every probe and compiled ruleset in the results, and capture the packets of failing cells.
    pub keep: bool,
    /// Start of the services of the file. Default: they are not started.
    pub services: StartServices,
    /// Is told, in a sentence, what a step waits for, once that takes longer than a second.
    pub tell_waits: Option<fn(&str)>,
}

/// Event of a run under way, for whoever wants to watch.
#[derive(Clone, Copy, Debug)]
pub enum Progress<'a> {
    /// The lab is up.
    Booted(&'a Head),
    /// A step begins.
    Started(usize, &'a Step),
    /// A step is done.
    Done(&'a StepResult),
}

/// Error that keeps a scenario from its end. No verdict is known then.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The initial cloud cannot be launched under this era.
    #[error("{}the initial cloud was refused under era {era}: {refusal}", at(.place.as_ref()))]
    Initial {
        /// The era.
        era: Era,
        /// Refusal of an operation.
        refusal: Refusal,
        /// Place of the refused operation in the file, if it has one.
        place: Option<SourceLocation>,
    },
    /// The lab did not come up.
    #[error("the lab did not come up: {0}")]
    Boot(#[source] LabError),
    /// The lab failed at a step.
    #[error("{place}: the lab failed at step {step}: {error}")]
    Lab {
        /// The step's number.
        step: usize,
        /// Place in the file where it begins.
        place: SourceLocation,
        /// Error of the lab.
        #[source]
        error: LabError,
    },
}

fn at(place: Option<&SourceLocation>) -> String {
    place.map_or_else(String::new, |place| format!("{place}: "))
}
