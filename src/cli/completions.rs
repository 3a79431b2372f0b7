//! `sglab completions`.

use std::io::Write;

use anyhow::bail;
use clap::Args;
use clap_complete::env::Shells;

use super::common::Exit;
use super::output::stdout;

/// Environment variable by which the script asks this program.
pub(super) const VARIABLE: &str = "SGLAB_COMPLETE";

/// `sglab completions`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  source <(sglab completions bash)
  sglab completions zsh > ~/.zfunc/_sglab")]
pub(crate) struct CompletionsArguments {
    /// The shell
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

pub(super) fn run(arguments: &CompletionsArguments) -> anyhow::Result<Exit> {
    let shells = Shells::builtins();
    let name = arguments.shell.to_string();
    let Some(shell) = shells.completer(&name) else { bail!("there are no completions for {name}") };
    let mut script = Vec::new();
    // The script asks the program itself: what there is to offer changes with the lab.
    shell.write_registration(VARIABLE, "sglab", "sglab", "sglab", &mut script)?;
    stdout().write_all(&script)?;
    Ok(Exit::Ok)
}
