//! `sglab man`: a manual page for each command, made of what `--help` says.

use anyhow::Context;
use clap::CommandFactory;

use super::arguments::{Arguments, ManArguments};
use super::common::{Exit, told};

pub(super) fn run(arguments: &ManArguments) -> anyhow::Result<Exit> {
    let all = Arguments::command().disable_help_subcommand(true);
    clap_mangen::generate_to(all, &arguments.folder)
        .with_context(|| format!("failed to write into {}", told(&arguments.folder)))?;
    Ok(Exit::Ok)
}
