//! `sglab ps` and `sglab state`.

use std::io::Write;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use sglab::control::{Client, LabDir, lab_dir};
use sglab::outward::Form;
use sglab::protocol::{Reply, Request, State};
use sglab::report::lab_state::LabState;
use sglab::report::live::{self, Silent};

use super::session;
use crate::cli::common::{Exit, LabChoice, PlainFormat};
use crate::cli::output::stdout;
use crate::cli::{outward, screen};

/// `sglab ps`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sglab ps
  sglab ps --format json | jq '.[].lab'")]
pub(crate) struct PsArguments {
    /// How to print
    #[arg(long, value_enum, default_value_t = PlainFormat::Text)]
    pub format: PlainFormat,
}

/// `sglab state`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sglab state
  sglab state --name demo --format json | jq '.instances[].name'
  sglab state --format describe
      as `aws ec2 describe-vpcs` and its like would tell it")]
pub(crate) struct StateArguments {
    #[command(flatten)]
    pub which: LabChoice,
    /// How to print
    #[arg(long, value_enum, default_value_t = StateFormat::Text)]
    pub format: StateFormat,
}

/// Formats of a lab's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum StateFormat {
    /// For people
    Text,
    /// For programs
    Json,
    /// Its cloud as replies of `aws ec2 describe-*`, in one document
    Describe,
}

/// A lab that goes on says how it is at once, whatever it does.
const STATE_TIMEOUT: Duration = Duration::from_millis(800);

pub(super) fn run(arguments: &PsArguments) -> anyhow::Result<Exit> {
    let places = lab_dir::all()?;
    // Side by side: one that says nothing costs its own time only.
    let asked: Vec<StateReply> = std::thread::scope(|scope| {
        let asking: Vec<_> = places.iter().map(|place| scope.spawn(|| ask(place))).collect();
        asking.into_iter().map(|asked| asked.join().unwrap_or(StateReply::Silent(None))).collect()
    });
    let (mut states, mut silent): (Vec<State>, Vec<Silent>) = (Vec::new(), Vec::new());
    for (place, asked) in places.into_iter().zip(asked) {
        match asked {
            StateReply::State(state) => states.push(*state),
            // It may have ended since: then there is nothing to tell of it.
            StateReply::Silent(why) if place.is_up()? => silent.push(Silent { lab: place.name.to_string(), why }),
            StateReply::Silent(_) => {}
        }
    }
    let died: Vec<String> = lab_dir::died()?.iter().map(|place| place.name.to_string()).collect();
    match arguments.format {
        PlainFormat::Text => {
            stdout().write_all(screen::fit(&stdout(), &live::all_labs(&states, &silent, &died)).as_bytes())?
        }
        PlainFormat::Json => {
            let states = states.iter().map(|state| serde_json::to_value(LabState::of(state)));
            let silent = silent.iter().map(|it| Ok(json!({ "lab": it.lab, "answers": false })));
            let died = died.iter().map(|name| Ok(json!({ "lab": name, "answers": false, "died": true })));
            let all: Vec<Value> = states.chain(silent).chain(died).collect::<Result<_, serde_json::Error>>()?;
            writeln!(stdout(), "{}", serde_json::to_string_pretty(&all)?)?;
        }
    }
    Ok(Exit::Ok)
}

/// Reply of a lab that was asked for its state; `Silent` after a timeout, or with the reason why it has none.
enum StateReply {
    State(Box<State>),
    Silent(Option<String>),
}

fn ask(place: &LabDir) -> StateReply {
    match Client::connect_within(place, STATE_TIMEOUT).and_then(|client| client.ask(Request::State)) {
        Ok(Reply::State(state)) => StateReply::State(state),
        Ok(Reply::Failed(failure)) => StateReply::Silent(Some(failure.to_string())),
        Ok(_) | Err(_) => StateReply::Silent(None),
    }
}

pub(super) fn state(arguments: &StateArguments) -> anyhow::Result<Exit> {
    let state = session::state(&arguments.which)?;
    match arguments.format {
        StateFormat::Text => stdout().write_all(screen::fit(&stdout(), &live::state(&state)).as_bytes())?,
        StateFormat::Json => writeln!(stdout(), "{}", serde_json::to_string_pretty(&LabState::of(&state))?)?,
        StateFormat::Describe => stdout().write_all(outward::lab(&state, Form::Describe, "").as_bytes())?,
    }
    Ok(Exit::Ok)
}
