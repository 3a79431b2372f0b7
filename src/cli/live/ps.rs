//! `sglab ps` and `sglab state`.

use std::io::{Write, stdout};
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};
use sglab::control::{Client, Place, place};
use sglab::protocol::{Reply, Request, State};
use sglab::report::lab_state::LabState;
use sglab::report::live::{self, Silent};

use super::speak;
use crate::cli::common::{Exit, PlainFormat, Which};
use crate::cli::screen;

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
  sglab state --name demo --format json | jq '.instances[].name'")]
pub(crate) struct StateArguments {
    #[command(flatten)]
    pub which: Which,
    /// How to print
    #[arg(long, value_enum, default_value_t = PlainFormat::Text)]
    pub format: PlainFormat,
}

/// A lab that goes on says how it is at once, whatever it does.
const PATIENCE: Duration = Duration::from_millis(800);

pub(super) fn run(arguments: &PsArguments) -> anyhow::Result<Exit> {
    let places = place::all()?;
    // Side by side: one that says nothing costs its own time only.
    let asked: Vec<Asked> = std::thread::scope(|scope| {
        let asking: Vec<_> = places.iter().map(|place| scope.spawn(|| ask(place))).collect();
        asking.into_iter().map(|asked| asked.join().unwrap_or(Asked::Silent(None))).collect()
    });
    let (mut states, mut silent): (Vec<State>, Vec<Silent>) = (Vec::new(), Vec::new());
    for (place, asked) in places.into_iter().zip(asked) {
        match asked {
            Asked::State(state) => states.push(*state),
            // It may have ended since: then there is nothing to tell of it.
            Asked::Silent(why) if place.is_up()? => silent.push(Silent { lab: place.name.to_string(), why }),
            Asked::Silent(_) => {}
        }
    }
    let died: Vec<String> = place::died()?.iter().map(|place| place.name.to_string()).collect();
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
enum Asked {
    State(Box<State>),
    Silent(Option<String>),
}

fn ask(place: &Place) -> Asked {
    match Client::connect_within(place, PATIENCE).and_then(|client| client.ask(Request::State)) {
        Ok(Reply::State(state)) => Asked::State(state),
        Ok(Reply::Failed(why)) => Asked::Silent(Some(why)),
        Ok(_) | Err(_) => Asked::Silent(None),
    }
}

pub(super) fn state(arguments: &StateArguments) -> anyhow::Result<Exit> {
    let state = speak::state(&arguments.which)?;
    match arguments.format {
        PlainFormat::Text => stdout().write_all(screen::fit(&stdout(), &live::state(&state)).as_bytes())?,
        PlainFormat::Json => writeln!(stdout(), "{}", serde_json::to_string_pretty(&LabState::of(&state))?)?,
    }
    Ok(Exit::Ok)
}
