//! `sglab init`.

use std::io::ErrorKind;
use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;
use sglab::topology::STARTER;

use super::common::{Exit, told};
use super::file;

/// `sglab init`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sglab init shop.yaml && sglab test shop.yaml")]
pub(crate) struct InitArguments {
    /// The file to write; an existing one is never overwritten
    #[arg(default_value = "sglab.yaml", value_name = "NAME")]
    pub name: PathBuf,
}

pub(super) fn run(arguments: &InitArguments) -> anyhow::Result<Exit> {
    let name = &arguments.name;
    let written = file::write_new(name, STARTER.as_bytes());
    if written.as_ref().is_err_and(|error| error.kind() == ErrorKind::AlreadyExists) {
        bail!(
            "{} is there already, and nothing is overwritten; `sglab init another.yaml` writes a file of another name",
            told(name)
        );
    }
    written.with_context(|| format!("failed to write {}", told(name)))?;
    eprintln!("wrote {}; now: sglab test {0}", told(name));
    Ok(Exit::Ok)
}
