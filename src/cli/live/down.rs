//! `sglab down`.

use anyhow::bail;
use sglab::control::{Client, Place, place};
use sglab::protocol::{Reply, Request};

use super::{DownArguments, speak};
use crate::cli::{Exit, progress};

pub(super) fn run(arguments: &DownArguments) -> anyhow::Result<Exit> {
    let places = if arguments.all { place::all()? } else { vec![speak::choose(arguments.lab.as_deref())?] };
    for place in &places {
        if arguments.force {
            place.end_by_force()?;
        } else {
            down(place)?;
        }
        println!("{} is down", place.name);
    }
    Ok(Exit::Ok)
}

/// Asks a lab to end, and waits until nothing of it is left.
fn down(place: &Place) -> anyhow::Result<()> {
    let _telling = progress::waiting(format!("waiting for {0}; `sglab down --force {0}` kills it at once", place.name));
    match Client::connect(place).and_then(|client| client.ask(Request::Down)) {
        Ok(Reply::Done) => {}
        Ok(Reply::Failed(why)) => bail!("{why}"),
        // It may have ended at this moment by itself; the lock tells.
        Ok(_) | Err(_) => {}
    }
    place.wait_until_down()?;
    Ok(())
}
