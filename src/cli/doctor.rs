//! `sglab doctor`.

use std::io::{Write, stdout};

use sglab::fabric::doctor;

use super::Exit;
use super::arguments::{DoctorArguments, PlainFormat};

pub(super) fn run(arguments: &DoctorArguments) -> anyhow::Result<Exit> {
    let examination = doctor::examine();
    match arguments.format {
        PlainFormat::Json => writeln!(stdout(), "{}", serde_json::to_string_pretty(&examination)?)?,
        PlainFormat::Text => write!(stdout(), "{examination}")?,
    }
    Ok(if examination.can_host { Exit::Ok } else { Exit::CannotHost })
}
