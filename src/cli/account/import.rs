//! `sglab import`.

use std::io::{Write, stdout};

use clap::Args;

use super::sources;
use crate::cli::common::Exit;

/// `sglab import`.
#[derive(Debug, Args)]
pub(crate) struct ImportArguments {
    /// Files, folders, or `-` for standard input; several make one cloud
    #[arg(required = true, value_name = "SOURCE")]
    pub sources: Vec<String>,
}

pub(super) fn run(arguments: &ImportArguments) -> anyhow::Result<Exit> {
    let Some(account) = sources::read(&arguments.sources, None)? else { return Ok(Exit::BadInput) };
    writeln!(stdout(), "{} groups", account.groups.len())?;
    Ok(Exit::Ok)
}
