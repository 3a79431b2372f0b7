//! `sglab completions`.

use std::io::{Write, stdout};

use clap::CommandFactory;

use super::Exit;
use super::arguments::{Arguments, CompletionsArguments};

pub(super) fn run(arguments: &CompletionsArguments) -> anyhow::Result<Exit> {
    // To memory first: clap panics over a reader that leaves early.
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "sglab", &mut script);
    stdout().write_all(&script)?;
    Ok(Exit::Ok)
}
