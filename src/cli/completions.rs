//! `sglab completions`.

use std::io::stdout;

use clap::CommandFactory;

use super::Exit;
use super::arguments::{Arguments, CompletionsArguments};

pub(super) fn run(arguments: &CompletionsArguments) -> anyhow::Result<Exit> {
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "sglab", &mut stdout());
    Ok(Exit::Ok)
}
