//! How a scenario is run, what is told meanwhile, and why it may not come to its end.

use crate::lab::LabError;
use crate::model::{Era, Place, Refusal};
use crate::scenario::results::{Head, StepResult};
use crate::scenario::services::StartServices;
use crate::topology::Step;

/// How to run a scenario.
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
    /// Whether the services of the file are started.
    pub services: StartServices,
    /// Is told, in a sentence, what a step waits for, once that takes longer than a second.
    pub tell_waits: Option<fn(&str)>,
}

/// What is under way, for whoever wants to watch.
#[derive(Clone, Copy, Debug)]
pub enum Progress<'a> {
    /// The lab is up.
    Booted(&'a Head),
    /// A step begins.
    Started(usize, &'a Step),
    /// A step is done.
    Done(&'a StepResult),
}

/// Why a scenario could not be run to its end. No verdict is known then.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The initial cloud cannot be launched under this era.
    #[error("{}the initial cloud was refused under era {era}: {refusal}", at(.place.as_ref()))]
    Initial {
        /// The era.
        era: Era,
        /// What was refused.
        refusal: Refusal,
        /// Where the file says so.
        place: Option<Place>,
    },
    /// The lab did not come up.
    #[error("the lab did not come up: {0}")]
    Boot(#[source] LabError),
    /// The lab failed at a step.
    #[error("{place}: the lab failed at step {step}: {error}")]
    Lab {
        /// The step's number.
        step: usize,
        /// Where it begins.
        place: Place,
        /// What happened.
        #[source]
        error: LabError,
    },
}

fn at(place: Option<&Place>) -> String {
    place.map_or_else(String::new, |place| format!("{place}: "))
}
