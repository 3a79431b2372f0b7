//! Boots the labs of files.

use std::time::{Duration, Instant};

use super::options::{Options, RunError};
use crate::lab::{Lab, LabError, Listeners};
use crate::model::{Cloud, Era};
use crate::topology::Topology;

/// Boots the initial cloud of a file, and starts its services where that is asked for.
///
/// # Errors
/// As [`boot`], and where a service does not come up.
pub async fn boot_as_asked(topology: &Topology, era: Era, options: &Options) -> Result<(Lab, Duration), RunError> {
    let starts = options.services.folder(topology);
    let starts = starts.map_err(|source| RunError::Boot(LabError::Machine(source.to_string())))?;
    let (mut lab, took) = if let Some(folder) = starts {
        let (cloud, began) = (initial_cloud(topology, era)?, Instant::now());
        let booted = Lab::boot_for_processes(cloud, listeners(topology), folder.clone()).await;
        let mut lab = booted.map_err(RunError::Boot)?;
        lab.tell_waits(options.tell_waits);
        lab.start_processes(folder).await.map_err(RunError::Boot)?;
        (lab, began.elapsed())
    } else {
        boot(topology, era).await?
    };
    lab.tell_waits(options.tell_waits);
    Ok((lab, took))
}

fn initial_cloud(topology: &Topology, era: Era) -> Result<Cloud, RunError> {
    let failed = |(refusal, place)| RunError::Initial { era, refusal, place: Some(place) };
    topology.initial_cloud(era).map_err(failed)
}

/// Boots the initial cloud of a file, and says how long that took.
///
/// # Errors
/// When the cloud cannot be launched under the era, or the lab does not come up.
pub async fn boot(topology: &Topology, era: Era) -> Result<(Lab, Duration), RunError> {
    boot_with(topology, era, listeners(topology)).await
}

/// As [`boot`], but the harness listens on these ports, beside what the instances' own services hold, and answers probes at any
/// other that nobody holds.
///
/// # Errors
/// As [`boot`].
pub async fn boot_listening(topology: &Topology, era: Era, listeners: Listeners) -> Result<(Lab, Duration), RunError> {
    let (mut lab, took) = boot_with(topology, era, listeners).await?;
    lab.answer_where_nobody_listens();
    Ok((lab, took))
}

async fn boot_with(topology: &Topology, era: Era, listeners: Listeners) -> Result<(Lab, Duration), RunError> {
    let began = Instant::now();
    let cloud = initial_cloud(topology, era)?;
    let lab = Lab::boot(cloud, listeners).await.map_err(RunError::Boot)?;
    Ok((lab, began.elapsed()))
}

/// Returns the listeners of the harness in the labs of a file.
pub fn listeners(topology: &Topology) -> Listeners {
    Listeners { columns: topology.columns.iter().copied().collect(), closed_ports: topology.closed_ports.clone() }
}
