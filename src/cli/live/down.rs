//! `sglab down`.

use anyhow::bail;
use sglab::control::protocol::{Reply, Request};
use sglab::control::{Client, Place, place};

use super::{DownArguments, speak};
use crate::cli::Exit;

pub(super) fn run(arguments: &DownArguments) -> anyhow::Result<Exit> {
    let places = if arguments.all { place::all()? } else { vec![speak::choose(arguments.lab.as_deref())?] };
    for place in &places {
        down(place)?;
        println!("{} is down", place.name);
    }
    Ok(Exit::Ok)
}

/// Asks a lab to end, and waits until nothing of it is left.
fn down(place: &Place) -> anyhow::Result<()> {
    match Client::connect(place).and_then(|client| client.ask(Request::Down)) {
        Ok(Reply::Done) => {}
        Ok(Reply::Failed(why)) => bail!("{why}"),
        // It may have ended at this moment by itself; the lock tells.
        Ok(_) | Err(_) => {}
    }
    place.wait_until_down()?;
    Ok(())
}
