//! Drives a lab through the steps of a file.

use std::time::Duration;

use super::backend::Backend;
use super::results::RunResult;
use crate::model::Era;
use crate::topology::Topology;

mod answers;
mod booting;
mod doing;
mod options;
mod past;
mod step;
mod stepper;
#[cfg(test)]
mod tests;

pub use booting::{boot, boot_as_asked, boot_listening, listeners};
pub use options::{Options, Progress, RunError};
pub use stepper::Stepper;

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

/// Runs a file under each of its eras, in a lab of its own each.
///
/// # Errors
/// As [`run`]; eras behind the one that fails are not run.
pub async fn run_eras(topology: &Topology) -> Result<Vec<RunResult>, RunError> {
    let mut all = Vec::new();
    for era in &topology.eras {
        all.push(run(topology, *era, &Options::default(), &mut |_| {}).await?);
    }
    Ok(all)
}

/// Runs the steps on a lab that is up with the initial cloud; `boot` is for the record only.
///
/// # Errors
/// When the lab fails other than by a refusal.
pub async fn run_on<L: Backend>(
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
