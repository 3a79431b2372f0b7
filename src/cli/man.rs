//! `sglab man`: a manual page for each command, made of what `--help` says.

use anyhow::Context;
use clap::Args;
use clap::Command;
use std::path::PathBuf;

use super::common::{Exit, told};

/// `sglab man`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sglab man /usr/local/share/man/man1
      sglab.1, sglab-test.1 and so on, into a folder that is there")]
pub(crate) struct ManArguments {
    /// Existing folder to write to
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
}

pub(super) fn run(arguments: &ManArguments, commands: Command) -> anyhow::Result<Exit> {
    clap_mangen::generate_to(commands.disable_help_subcommand(true), &arguments.folder)
        .with_context(|| format!("failed to write into {}", told(&arguments.folder)))?;
    Ok(Exit::Ok)
}
