//! Drives a lab through the steps of a file.

use std::time::Duration;

use super::cloudlike::Cloudlike;
use super::results::{Evidence, Head, RunResult, RunVerdict, ServicesTold, StepResult, StepStatus};
use super::services::{self, StartServices};
use crate::lab::LabError;
use crate::model::topology::{Step, Topology};
use crate::model::{Cloud, Era, Place, Refusal};

mod booting;
mod doing;
mod step;
mod stepper;
#[cfg(test)]
mod tests;

pub use booting::{boot, boot_as_asked, boot_listening, listeners};
pub use stepper::Stepper;

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

/// Boots a lab and runs the steps of an era on it.
///
/// # Errors
/// When the lab cannot be booted, or fails other than by a refusal: no verdict is known then.
pub async fn run(
    topology: &Topology,
    era: Era,
    options: &Options,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<RunResult, RunError> {
    let (mut lab, took) = boot_as_asked(topology, era, options).await?;
    run_on(&mut lab, topology, took, options, progress).await
}

/// Runs the steps on a lab that is up with the initial cloud; `boot` is for the record only.
///
/// # Errors
/// When the lab fails other than by a refusal.
pub async fn run_on<L: Cloudlike>(
    lab: &mut L,
    topology: &Topology,
    boot: Duration,
    options: &Options,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<RunResult, RunError> {
    let mut stepper = Stepper::new(lab, topology, boot, options.clone());
    progress(Progress::Booted(stepper.head()));
    while let Some((number, step)) = stepper.upcoming() {
        if !stepper.is_halted() {
            progress(Progress::Started(number, step));
        }
        if let Some(result) = stepper.take(&[]).await? {
            progress(Progress::Done(result));
        }
    }
    stepper.measure_coverage().await;
    Ok(stepper.finish())
}

fn head(topology: &Topology, cloud: &Cloud, boot: Duration) -> Head {
    let rules = cloud
        .groups
        .values()
        .map(|group| group.ingress.len() + if cloud.has_egress_rules() { group.egress.len() } else { 0 });
    Head {
        topology: topology.name.clone(),
        file: topology.file.clone(),
        era: cloud.era,
        first_era: topology.eras.first().copied().unwrap_or(cloud.era),
        instances: cloud.instances.len(),
        hosts: cloud.hosts.iter().map(|(name, host)| (name.clone(), host.addresses.clone())).collect(),
        groups: cloud.groups.len(),
        rules: rules.sum(),
        boot,
        evidence: Evidence::Packets,
        services: services::has_services(topology).then_some(ServicesTold::NotStarted),
    }
}

fn verdict(steps: &[StepResult]) -> RunVerdict {
    let has = |status| steps.iter().any(|step| step.status == status);
    if has(StepStatus::Failed) {
        RunVerdict::Failed
    } else if has(StepStatus::Inconclusive) {
        RunVerdict::Inconclusive
    } else {
        RunVerdict::Passed
    }
}
