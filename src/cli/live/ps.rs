//! `sglab ps`, `sglab state` and `sglab logs`.

use std::io::{Write, stdout};

use anyhow::Context;
use sglab::control::protocol::{Reply, Request, State};
use sglab::control::{Client, LabName, Place, place};
use sglab::report::live;

use super::{LogsArguments, PsArguments, StateArguments, speak};
use crate::cli::Exit;
use crate::cli::arguments::PlainFormat;

pub(super) fn run(arguments: &PsArguments) -> anyhow::Result<Exit> {
    let mut states: Vec<State> = Vec::new();
    for place in place::all()? {
        match Client::connect(&place).and_then(|client| client.ask(Request::State)) {
            Ok(Reply::State(state)) => states.push(state),
            Ok(other) => return speak::otherwise(other),
            // It is booting, or has ended since: there is nothing to tell of it.
            Err(error) => eprintln!("{error}"),
        }
    }
    match arguments.format {
        PlainFormat::Text => stdout().write_all(live::labs(&states).as_bytes())?,
        PlainFormat::Json => writeln!(stdout(), "{}", serde_json::to_string_pretty(&states)?)?,
    }
    Ok(Exit::Ok)
}

pub(super) fn state(arguments: &StateArguments) -> anyhow::Result<Exit> {
    match speak::ask(&arguments.which, Request::State)? {
        Reply::State(state) => {
            match arguments.format {
                PlainFormat::Text => stdout().write_all(live::labs(&[state]).as_bytes())?,
                PlainFormat::Json => writeln!(stdout(), "{}", serde_json::to_string_pretty(&state)?)?,
            }
            Ok(Exit::Ok)
        }
        other => speak::otherwise(other),
    }
}

/// The log outlives its lab, so that one that ended by itself can be asked why.
pub(super) fn logs(arguments: &LogsArguments) -> anyhow::Result<Exit> {
    let place = match arguments.lab.as_deref().and_then(LabName::new) {
        Some(name) => Place::of(name)?,
        None => speak::choose(arguments.lab.as_deref())?,
    };
    let text =
        std::fs::read(place.log()).with_context(|| format!("there is no log of a lab named `{}`", place.name))?;
    stdout().write_all(&text)?;
    Ok(Exit::Ok)
}
