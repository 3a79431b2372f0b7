//! `sglab init`.

use std::fs::OpenOptions;
use std::io::Write;

use anyhow::Context;
use sglab::model::topology::STARTER;

use super::arguments::InitArguments;
use super::{Exit, told};

pub(super) fn run(arguments: &InitArguments) -> anyhow::Result<Exit> {
    let name = &arguments.name;
    // `create_new` and not a look before: nobody's file is overwritten, whatever happens in between.
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(name)
        .with_context(|| format!("failed to write {}", told(&name)))?;
    file.write_all(STARTER.as_bytes()).with_context(|| format!("failed to write {}", told(&name)))?;
    eprintln!("wrote {}; now: sglab test {0}", told(&name));
    Ok(Exit::Ok)
}
