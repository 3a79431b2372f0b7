//! `sglab render`.

use std::io::Write;

use anyhow::bail;
use clap::Args;
use sglab::compile;
use sglab::model::{Era, apply};

use super::common::{Exit, LabChoice, no_step};
use super::output::stdout;
use super::{live, sources};

/// `sglab render`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sglab render two-tier.yaml            as launched
  sglab render two-tier.yaml --step 3
      as it stands after the third step's operations
  sglab render                          of the lab that is up, as it stands now")]
pub(crate) struct RenderArguments {
    /// A topology file or a built-in one; without it, the lab that is up
    #[arg(value_name = "FILE|example:NAME", conflicts_with = "name")]
    pub topology: Option<String>,
    /// After the operations of this step; without it, as launched
    #[arg(long, value_name = "N", requires = "topology")]
    pub step: Option<usize>,
    /// Under this era; without it under vpc, or the file's first
    #[arg(long, value_enum, value_name = "ERA", requires = "topology")]
    pub era: Option<Era>,
    #[command(flatten)]
    pub which: LabChoice,
}

pub(super) fn run(arguments: &RenderArguments) -> anyhow::Result<Exit> {
    let Some(file) = &arguments.topology else { return live::export::render(&arguments.which) };
    let Some(topology) = sources::read_cloud(file)? else { return Ok(Exit::BadInput) };
    let era = arguments.era.unwrap_or(topology.eras[0]);
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
