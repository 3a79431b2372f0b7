//! `sglab init`.

use std::io::ErrorKind;

use anyhow::{Context, bail};
use sglab::topology::STARTER;

use super::arguments::InitArguments;
use super::common::{Exit, told};
use super::file;

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
