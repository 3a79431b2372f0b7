//! Choosing a lab, and what every command does with its answer.

use anyhow::{Context, bail};
use sglab::control::protocol::{FrameError, Reply, Request};
use sglab::control::{Client, ClientError, Ender, LabName, Place, place};
use sglab::report::{shown, shown_lines};

use super::Which;
use crate::cli::{Exit, progress};

/// The place of the lab that is meant: by name, by `SGLAB_LAB`, or the only one.
pub(super) fn choose(named: Option<&str>) -> anyhow::Result<Place> {
    let from_environment = std::env::var("SGLAB_LAB").ok().filter(|name| !name.is_empty());
    if let Some(name) = named.map(str::to_owned).or(from_environment) {
        let Some(lab) = LabName::new(&name) else { bail!("`{name}` cannot be the name of a lab") };
        let place = Place::of(lab)?;
        if place.is_up()? {
            return Ok(place);
        }
        bail!("no lab named `{name}` is up{}", also()?);
    }
    let mut up = place::all()?;
    match up.len() {
        1 => up.pop().context("there is one"),
        0 => bail!("no lab is up; `sglab up FILE` boots one"),
        _ => {
            let names: Vec<&str> = up.iter().map(|place| place.name.as_str()).collect();
            bail!("several labs are up: {}; choose one with --name or SGLAB_LAB", names.join(", "))
        }
    }
}

fn also() -> anyhow::Result<String> {
    let up = place::all()?;
    let names: Vec<&str> = up.iter().map(|place| place.name.as_str()).collect();
    Ok(if names.is_empty() {
        "; `sglab up FILE` boots one".to_owned()
    } else {
        format!("; there are {}", names.join(", "))
    })
}

/// Asks the lab that is meant.
pub(super) fn ask(which: &Which, request: Request) -> anyhow::Result<Reply> {
    let place = choose(which.name.as_deref())?;
    let _telling = progress::waiting(format!("waiting for {}, which does one thing after the other", place.name));
    Ok(Client::connect(&place)?.ask(request)?)
}

/// Asks for what comes in many answers, and takes each until the last; gives what `take` does not take. Ends well where the
/// lab goes down meanwhile.
pub(super) fn follow(
    which: &Which,
    request: Request,
    take: impl FnMut(Reply) -> anyhow::Result<Option<Reply>>,
) -> anyhow::Result<Exit> {
    follow_until(which, request, |_| (), take)
}

/// As [`follow`], and gives to `begun` by what it can be ended.
pub(super) fn follow_until(
    which: &Which,
    request: Request,
    begun: impl FnOnce(Ender),
    mut take: impl FnMut(Reply) -> anyhow::Result<Option<Reply>>,
) -> anyhow::Result<Exit> {
    let place = choose(which.name.as_deref())?;
    let mut client = Client::connect(&place)?;
    client.send(request)?;
    begun(client.ender()?);
    loop {
        match client.receive() {
            Ok(Reply::Done) => return Ok(Exit::Ok),
            Ok(reply) => {
                if let Some(other) = take(reply)? {
                    return otherwise(other);
                }
            }
            // Without a last word only a lab ends that is going down, however it goes.
            Err(ClientError::Frame { source: FrameError::Closed | FrameError::Io(_), .. }) => {
                place.wait_until_down()?;
                eprintln!("{} has gone down", place.name);
                return Ok(Exit::Ok);
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// What every answer that is not the wanted one comes to.
pub(super) fn otherwise(reply: Reply) -> anyhow::Result<Exit> {
    match reply {
        Reply::Refused { code, message, help, .. } => {
            eprintln!("refused: {code}: {}", shown(&message));
            if let Some(help) = help {
                eprintln!("         {}", shown(&help));
            }
            Ok(Exit::Differs)
        }
        Reply::Invalid(problems) => {
            eprintln!("{}", shown_lines(problems.trim_end()));
            Ok(Exit::BadInput)
        }
        Reply::Failed(why) => bail!("{why}"),
        _ => bail!("the lab answered something else than it was asked"),
    }
}
