//! `sglab ps` and `sglab state`.

use std::io::{Write, stdout};

use sglab::control::protocol::{Reply, Request, State};
use sglab::control::{Client, place};
use sglab::report::live;

use super::{PsArguments, StateArguments, speak};
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
                PlainFormat::Text => stdout().write_all(live::state(&state).as_bytes())?,
                PlainFormat::Json => writeln!(stdout(), "{}", serde_json::to_string_pretty(&state)?)?,
            }
            Ok(Exit::Ok)
        }
        other => speak::otherwise(other),
    }
}
