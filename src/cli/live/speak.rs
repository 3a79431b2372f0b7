//! Choosing a lab, and what every command does with its answer.

use std::io::{Write, stderr, stdout};

use anyhow::{Context, bail};
use serde_json::json;
use sglab::control::{Client, ClientError, Ender, LabName, Place, place};
use sglab::model::{Cloud, Operation, Refusal};
use sglab::protocol::{FrameError, Reply, Request, State};
use sglab::report::live::{self, RefusedView};
use sglab::report::shown_lines;
use sglab::topology::Problems;

use super::Which;
use crate::cli::arguments::PlainFormat;
use crate::cli::{Exit, progress, screen};

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

/// The state of the lab that is meant.
pub(super) fn state(which: &Which) -> anyhow::Result<State> {
    match ask(which, Request::State)? {
        Reply::State(state) => Ok(*state),
        Reply::Failed(why) => bail!("{why}"),
        _ => bail!("the lab answered something else than it was asked"),
    }
}

/// Asks what depends on the state; again where the lab has moved on meanwhile.
pub(super) fn ask_at<T>(
    which: &Which,
    request: impl Fn(&State) -> Result<(Request, T), Invalid>,
) -> anyhow::Result<Result<(Reply, State, T), Invalid>> {
    loop {
        let state = state(which)?;
        let (request, more) = match request(&state) {
            Ok(request) => request,
            Err(invalid) => return Ok(Err(invalid)),
        };
        match ask(which, request)? {
            Reply::Stale(_) => {}
            reply => return Ok(Ok((reply, state, more))),
        }
    }
}

/// Words that mean nothing in the lab's cloud: every problem, with carets.
pub(super) struct Invalid(String);

impl Invalid {
    /// One problem without a place.
    pub fn new(why: &str) -> Self {
        Self(format!("error: {why}"))
    }

    /// Prints the problems; gives the exit code for bad input.
    pub fn say(&self) -> Exit {
        eprintln!("{}", shown_lines(self.0.trim_end()));
        Exit::BadInput
    }
}

impl From<Problems> for Invalid {
    fn from(problems: Problems) -> Self {
        Self(problems.to_string())
    }
}

/// Prints a refusal; gives the exit code. A name that nobody has is bad input, whoever says so.
pub(super) fn refused(
    operation: &Operation,
    refusal: &Refusal,
    cloud: &Cloud,
    format: PlainFormat,
) -> anyhow::Result<Exit> {
    match format {
        PlainFormat::Text => eprint!("{}", screen::fit(&stderr(), &live::refused(operation, refusal, cloud))),
        PlainFormat::Json => {
            let refused = json!({ "refused": RefusedView::of(operation, refusal, cloud) });
            writeln!(stdout(), "{}", serde_json::to_string_pretty(&refused)?)?;
        }
    }
    Ok(if refusal.unknown.is_empty() { Exit::Differs } else { Exit::BadInput })
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
        Reply::Invalid(problems) => {
            eprintln!("{}", shown_lines(problems.trim_end()));
            Ok(Exit::BadInput)
        }
        Reply::Failed(why) => bail!("{why}"),
        _ => bail!("the lab answered something else than it was asked"),
    }
}
