//! `sglab schema`.

use std::io::{Write, stdout};

use super::Exit;

pub(super) fn run() -> anyhow::Result<Exit> {
    let schema = serde_json::to_string_pretty(&serde_json::Value::Null)?;
    writeln!(stdout(), "{schema}")?;
    Ok(Exit::Ok)
}
