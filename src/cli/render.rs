//! `sglab render`.

use std::io::{Write, stdout};

use anyhow::bail;
use sglab::compile;
use sglab::model::{Era, apply};

use super::arguments::RenderArguments;
use super::common::{Exit, no_step};
use super::{live, sources};

pub(super) fn run(arguments: &RenderArguments) -> anyhow::Result<Exit> {
    let Some(file) = &arguments.topology else { return live::export::render(&arguments.which) };
    let Some(topology) = sources::read_cloud(file)? else { return Ok(Exit::BadInput) };
    let era = arguments.era.map_or(topology.eras[0], Era::from);
    let steps = arguments.step.unwrap_or(0);
    if steps > topology.steps.len() {
        bail!("{}", no_step(&topology, steps));
    }
    let mut cloud = topology.empty_cloud(era);
    for operation in &topology.initial {
        apply(&mut cloud, &operation.value)?;
    }
    for step in topology.steps[..steps].iter().filter(|step| step.is_of(era)) {
        cloud = step.cloud_after(&cloud);
    }
    write!(stdout(), "{}", compile::render(&cloud)?)?;
    Ok(Exit::Ok)
}
