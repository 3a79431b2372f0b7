//! `sglab schema`.

use std::io::{Write, stdout};

use super::Exit;

pub(super) fn run() -> anyhow::Result<Exit> {
    let schema = serde_json::to_string_pretty(&sglab::topology::schema())?;
    writeln!(stdout(), "{schema}")?;
    Ok(Exit::Ok)
}
