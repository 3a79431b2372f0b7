//! `sglab down`.

use std::io::Write;

use anyhow::bail;
use clap::Args;
use sglab::control::{Client, LabDir, LabDirState, LabName, lab_dir};
use sglab::protocol::{Reply, Request};
use sglab::report::live::DownView;

use super::session;
use crate::cli::common::{Exit, PlainFormat};
use crate::cli::output::stdout;
use crate::cli::screen;

/// `sglab down`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sglab down
  sglab down demo
  sglab down --all")]
pub(crate) struct DownArguments {
    /// The lab; may be left out if only one is up
    #[arg(value_name = "LAB")]
    pub lab: Option<String>,
    /// The same, for who is used to it from other commands
    #[arg(long, value_name = "LAB", hide = true, conflicts_with_all = ["lab", "all"])]
    pub name: Option<String>,
    /// Every lab
    #[arg(long, conflicts_with = "lab")]
    pub all: bool,
    /// Kill it, without asking it first: for one that hangs
    #[arg(long)]
    pub force: bool,
    /// How to print which labs are down
    #[arg(long, value_enum, default_value_t = PlainFormat::Text)]
    pub format: PlainFormat,
}

pub(super) fn run(arguments: &DownArguments) -> anyhow::Result<Exit> {
    let mut views = Vec::new();
    let ended = bring_down(arguments, &mut views);
    // Prints the labs that are down also where another one is not.
    if arguments.format == PlainFormat::Json && (ended.is_ok() || !views.is_empty()) {
        let told = writeln!(stdout(), "{}", serde_json::to_string_pretty(&views)?);
        return ended.and(told.map_err(anyhow::Error::from)).map(|()| Exit::Ok);
    }
    ended.map(|()| Exit::Ok)
}

/// Notes each lab that is down.
fn bring_down(arguments: &DownArguments, views: &mut Vec<DownView>) -> anyhow::Result<()> {
    let named = arguments.lab.as_deref().or(arguments.name.as_deref());
    let mut places = match (arguments.all, named.and_then(LabName::new)) {
        (true, _) => lab_dir::all()?,
        // One that has died is cleared by its name.
        (false, Some(name)) if LabDir::of(name.clone())?.life()? == LabDirState::Died => Vec::new(),
        (false, _) => vec![session::choose_word(named, "down")?],
    };
    places.sort_by(|a, b| a.name.cmp(&b.name));
    // That nobody reads what is said keeps no lab up.
    let mut told = Ok(());
    let mut tell = |what: String| {
        let said = if arguments.format == PlainFormat::Text { writeln!(stdout(), "{what}") } else { Ok(()) };
        if told.is_ok() {
            told = said;
        }
    };
    for place in &places {
        if arguments.force {
            place.end_by_force()?;
        } else {
            down(place)?;
        }
        views.push(DownView { lab: place.name.to_string(), had_died: false });
        tell(format!("{} is down", place.name));
    }
    let died = lab_dir::died()?;
    for place in died.iter().filter(|place| arguments.all || named == Some(place.name.as_str())) {
        place.clear()?;
        views.push(DownView { lab: place.name.to_string(), had_died: true });
        tell(format!("{} had died before, and is cleared", place.name));
    }
    Ok(told?)
}

/// Asks a lab to end, and waits until nothing of it is left.
pub(super) fn down(place: &LabDir) -> anyhow::Result<()> {
    let of = place.clone();
    let _telling = screen::waiting_for(move || {
        let force = format!("`sglab down --force {0}` kills it at once", of.name);
        match of.stopped() {
            Some(process) => format!(
                "waiting for {}, of which process {process} is stopped: `kill -CONT {process}` lets it go on, and {force}",
                of.name
            ),
            None => format!("waiting for {}, which boots, is at work or hangs; {force}", of.name),
        }
    });
    match Client::connect(place).and_then(|client| client.ask(Request::Down)) {
        Ok(Reply::Done) => {}
        Ok(Reply::Failed(failure)) => bail!(failure),
        // It may have ended at this moment by itself; the lock tells.
        Ok(_) | Err(_) => {}
    }
    // Whatever ended it, that was asked for.
    place.wait_until_down()?;
    Ok(place.clear()?)
}
