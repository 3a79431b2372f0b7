//! `sglab schema`.

use std::io::Write;

use super::common::Exit;
use super::output::stdout;

pub(super) fn run() -> anyhow::Result<Exit> {
    let schema = serde_json::to_string_pretty(&sglab::topology::schema())?;
    writeln!(stdout(), "{schema}")?;
    Ok(Exit::Ok)
}
