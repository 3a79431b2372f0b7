//! `sglab completions`.

use std::io::{Write, stdout};

use anyhow::bail;
use clap_complete::env::Shells;

use super::arguments::CompletionsArguments;
use super::common::Exit;
use super::completing;

pub(super) fn run(arguments: &CompletionsArguments) -> anyhow::Result<Exit> {
    let shells = Shells::builtins();
    let name = arguments.shell.to_string();
    let Some(shell) = shells.completer(&name) else { bail!("there are no completions for {name}") };
    let mut script = Vec::new();
    // The script asks the program itself: what there is to offer changes with the lab.
    shell.write_registration(completing::VARIABLE, "sglab", "sglab", "sglab", &mut script)?;
    stdout().write_all(&script)?;
    Ok(Exit::Ok)
}
