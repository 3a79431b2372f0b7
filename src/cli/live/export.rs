//! `sglab export`, and `sglab render` of a lab that is up.

use std::io::{ErrorKind, Write};
use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;

use super::session;
use crate::cli::common::{Exit, LabChoice, told};
use crate::cli::file;
use crate::cli::output::stdout;
use crate::cli::outward::{self, To};
use crate::cli::screen;

/// `sglab export`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sglab export > now.yaml; sglab test now.yaml
      the same cloud and the same truth table, in a lab of its own
  sglab export -o now.yaml --name demo
  sglab export --to terraform > main.tf
      the same cloud as resources of Terraform")]
pub(crate) struct ExportArguments {
    /// Write to this file, which must not be there yet, instead of the output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Write it as others have it
    #[arg(long, value_enum, default_value_t = To::Topology, value_name = "FORM")]
    pub to: To,
    #[command(flatten)]
    pub which: LabChoice,
}

pub(super) fn run(arguments: &ExportArguments) -> anyhow::Result<Exit> {
    use sglab::scenario::export;

    let state = session::state(&arguments.which)?;
    let title = format!("The lab {} as it stood when it was exported.", state.lab);
    let text = match arguments.to.form() {
        None => match export::export(&state.cloud, &title) {
            Ok(text) => text,
            Err(error) => {
                let text = export::without_table(&state.cloud, &title)?;
                screen::tell(&format!("note: written without a table: {error}"));
                text
            }
        },
        Some(form) => outward::lab(&state, form, &title),
    };
    match &arguments.output {
        None => stdout().write_all(text.as_bytes())?,
        Some(path) => match file::write_new(path, text.as_bytes()) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                bail!("{0} is there already; `sglab export > {0}` overwrites it", told(path))
            }
            written => written.with_context(|| format!("failed to write {}", told(path)))?,
        },
    }
    Ok(Exit::Ok)
}

pub(in crate::cli) fn render(which: &LabChoice) -> anyhow::Result<Exit> {
    let text = sglab::compile::render(&session::state(which)?.cloud)?;
    stdout().write_all(text.as_bytes())?;
    Ok(Exit::Ok)
}
