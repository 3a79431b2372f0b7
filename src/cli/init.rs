//! `sglab init`.

use anyhow::Context;
use sglab::topology::STARTER;

use super::arguments::InitArguments;
use super::common::{Exit, told};
use super::file;

pub(super) fn run(arguments: &InitArguments) -> anyhow::Result<Exit> {
    let name = &arguments.name;
    file::write_new(name, STARTER.as_bytes()).with_context(|| format!("failed to write {}", told(name)))?;
    eprintln!("wrote {}; now: sglab test {0}", told(name));
    Ok(Exit::Ok)
}
