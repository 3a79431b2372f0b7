//! `sglab doctor`.

use std::io::Write;

use anyhow::Context;
use clap::Args;
use sglab::fabric::doctor;
use sglab::model::Era;
use sglab::network::Network;
use sglab::report::{Style, shown_lines};
use sglab::topology::Topology;

use super::common::{Exit, PlainFormat};
use super::output::stdout;
use super::screen;

/// `sglab doctor`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sglab doctor
  sglab doctor --format json | jq .can_host")]
pub(crate) struct DoctorArguments {
    /// How to print the findings
    #[arg(long, value_enum, default_value_t = PlainFormat::Text)]
    pub format: PlainFormat,
}

/// A cloud with everything that the compiler has words for.
const EVERYTHING: &[u8] = include_bytes!("../compile/everything.yaml");

fn network() -> anyhow::Result<Network> {
    let topology = Topology::parse("everything.yaml", EVERYTHING).map_err(|problems| anyhow::anyhow!("{problems}"))?;
    let cloud = topology.initial_cloud(Era::Vpc).map_err(|(refusal, _)| anyhow::anyhow!("{refusal}"))?;
    sglab::compile::network(&cloud).context("the cloud of the examination does not compile")
}

pub(super) fn run(arguments: &DoctorArguments) -> anyhow::Result<Exit> {
    let examination = doctor::examine(&network()?);
    match arguments.format {
        PlainFormat::Json => writeln!(stdout(), "{}", serde_json::to_string_pretty(&examination)?)?,
        PlainFormat::Text => {
            let style = Style { width: screen::width_of(&stdout()), ..Style::default() };
            for line in shown_lines(&examination.to_string()).lines() {
                // A file of a remedy is to be copied as it is, so it is not broken; a command of one is in backticks.
                let is_file = line.starts_with("          ");
                writeln!(stdout(), "{}", if is_file { line.to_owned() } else { style.fit(line) })?;
            }
        }
    }
    Ok(if examination.can_host { Exit::Ok } else { Exit::CannotHost })
}
