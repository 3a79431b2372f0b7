//! Choosing a lab, and what every command does with its answer.

use std::io::{Write, stderr};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use sglab::control::{CancelHandle, Client, ClientError, LabDir, LabDirState, LabName, lab_dir};
use sglab::model::{Cloud, Flow, Operation, Refusal, meant};
use sglab::protocol::{FrameError, MAX_FLOWS, ProbeDetails, Reply, Request, State};
use sglab::report::live::{self, RefusedView};
use sglab::report::replies;
use sglab::report::shown_lines;
use sglab::topology::Problems;

use crate::cli::common::{Exit, LabChoice, PlainFormat};
use crate::cli::output::stdout;
use crate::cli::screen;

/// A lab whose supervisor has ended is gone by then.
const ENDING: Duration = Duration::from_secs(2);

/// The place of the lab that is meant: by name, by `SGLAB_LAB`, or the only one.
pub(super) fn choose(named: Option<&str>) -> anyhow::Result<LabDir> {
    choose_by(named, "--name or SGLAB_LAB")
}

/// The same for a command that takes the lab as its word.
pub(super) fn choose_word(named: Option<&str>, command: &str) -> anyhow::Result<LabDir> {
    choose_by(named, &format!("`sglab {command} LAB` or SGLAB_LAB"))
}

fn choose_by(named: Option<&str>, how: &str) -> anyhow::Result<LabDir> {
    let from_environment = std::env::var("SGLAB_LAB").ok().filter(|name| !name.is_empty());
    if let Some(name) = named.map(str::to_owned).or(from_environment) {
        let Some(lab) = LabName::new(&name) else { bail!("`{name}` cannot be the name of a lab") };
        let place = LabDir::of(lab)?;
        return match place.life()? {
            LabDirState::Up => Ok(place),
            LabDirState::Died => bail!("{}", has_died(&place)),
            LabDirState::None => {
                let up = names()?;
                let up: Vec<&str> = up.iter().map(String::as_str).collect();
                match up.as_slice() {
                    [] => bail!("no lab named `{name}` is up; `sglab up FILE` boots one"),
                    up => bail!("no lab named `{name}` is up; {}", meant([name.as_str()], up)),
                }
            }
        };
    }
    let mut up = lab_dir::all()?;
    match up.len() {
        1 => up.pop().context("there is one"),
        0 => {
            let died: Vec<String> = lab_dir::died()?.iter().map(has_died).collect();
            bail!("{}", [&["no lab is up; `sglab up FILE` boots one".to_owned()], died.as_slice()].concat().join("\n"))
        }
        _ => {
            let names: Vec<&str> = up.iter().map(|place| place.name.as_str()).collect();
            bail!("several labs are up: {}; choose one with {how}", names.join(", "))
        }
    }
}

/// The names of labs that are up.
pub(super) fn names() -> anyhow::Result<Vec<String>> {
    Ok(lab_dir::all()?.iter().map(|place| place.name.to_string()).collect())
}

/// That a lab was killed, and what is known of it.
pub(super) fn has_died(place: &LabDir) -> String {
    live::died(place.name.as_str())
}

/// Tells a lab that has died or gone down from one that answers wrongly. The kernel ends the rest of a lab with its supervisor, but a moment
/// later: so its lock is looked at until it is free, for a while.
pub(super) fn failed(place: &LabDir, error: ClientError) -> anyhow::Error {
    let is_closed = matches!(&error, ClientError::Frame { source: FrameError::Closed | FrameError::Io(_), .. });
    let until = Instant::now() + ENDING;
    while is_closed && Instant::now() < until && place.is_up().unwrap_or(false) {
        std::thread::sleep(Duration::from_millis(10));
    }
    match place.life() {
        Ok(LabDirState::Died) => anyhow!("{}", has_died(place)),
        Ok(LabDirState::None) => anyhow!("{} has gone down", place.name),
        Ok(LabDirState::Up) | Err(_) => error.into(),
    }
}

/// Asks the lab that is meant.
pub(super) fn ask(which: &LabChoice, request: Request) -> anyhow::Result<Reply> {
    let place = choose(which.name.as_deref())?;
    let _telling = screen::waiting(format!(
        "waiting for {}, which has not answered yet: a lab does one thing at a time",
        place.name
    ));
    Client::connect(&place).and_then(|client| client.ask(request)).map_err(|error| failed(&place, error))
}

/// The state of the lab that is meant.
pub(in crate::cli) fn state(which: &LabChoice) -> anyhow::Result<State> {
    match ask(which, Request::State)? {
        Reply::State(state) => Ok(*state),
        Reply::Failed(failure) => bail!(failure),
        _ => bail!(replies::UNEXPECTED),
    }
}

/// Asks what depends on the state; again where the lab has moved on meanwhile. Where no lab can be asked, what is wrong `alone`, whatever lab
/// is meant, is told first.
pub(super) fn ask_at<T>(
    which: &LabChoice,
    alone: impl Fn() -> Result<(), Invalid>,
    request: impl Fn(&State) -> Result<(Request, T), Invalid>,
) -> anyhow::Result<Result<(Reply, State, T), Invalid>> {
    loop {
        let state = match state_or(which, &alone)? {
            Ok(state) => state,
            Err(invalid) => return Ok(Err(invalid)),
        };
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

/// As [`ask_at`], for probes: however many there are, they are asked for in portions that a lab takes, all at one revision.
pub(super) fn probe_at<T>(
    which: &LabChoice,
    alone: impl Fn() -> Result<(), Invalid>,
    details: ProbeDetails,
    flows: impl Fn(&State) -> Result<(Vec<Flow>, T), Invalid>,
) -> anyhow::Result<Result<(Reply, State, T), Invalid>> {
    'moved_on: loop {
        let state = match state_or(which, &alone)? {
            Ok(state) => state,
            Err(invalid) => return Ok(Err(invalid)),
        };
        let (flows, more) = match flows(&state) {
            Ok(flows) => flows,
            Err(invalid) => return Ok(Err(invalid)),
        };
        let mut all = Vec::new();
        for portion in flows.chunks(MAX_FLOWS) {
            match ask(which, Request::Probe { flows: portion.to_vec(), details, at: Some(state.revision) })? {
                Reply::Probed(probed) => all.extend(probed),
                Reply::Stale(_) => continue 'moved_on,
                other => return Ok(Ok((other, state, more))),
            }
        }
        return Ok(Ok((Reply::Probed(all), state, more)));
    }
}

/// The state, or what is wrong alone where no lab can be asked.
fn state_or(which: &LabChoice, alone: &impl Fn() -> Result<(), Invalid>) -> anyhow::Result<Result<State, Invalid>> {
    state(which).map(Ok).or_else(|error| alone().map_or_else(|invalid| Ok(Err(invalid)), |()| Err(error)))
}

/// Words that mean nothing in the lab's cloud.
pub(super) enum Invalid {
    /// Every problem, with carets.
    Words(Problems),
    /// One problem without a place.
    Text(String),
}

impl Invalid {
    /// One problem without a place.
    pub fn new(why: &str) -> Self {
        Self::Text(format!("error: {why}"))
    }

    /// Prints the problems; gives the exit code for bad input.
    pub fn say(&self) -> Exit {
        match self {
            Self::Words(problems) => eprintln!("{}", screen::problems(problems)),
            Self::Text(why) => tell(why),
        }
        Exit::BadInput
    }
}

impl From<Problems> for Invalid {
    fn from(problems: Problems) -> Self {
        Self::Words(problems)
    }
}

/// Prints what is wrong. What has carets stays in its lines.
fn tell(problems: &str) {
    let text = shown_lines(problems.trim_end());
    if text.contains('\n') { eprintln!("{text}") } else { screen::tell(&text) }
}

/// A refusal as a document.
#[derive(serde::Serialize)]
struct Document {
    refused: RefusedView,
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
            let document = Document { refused: RefusedView::of(operation, refusal, cloud) };
            writeln!(stdout(), "{}", serde_json::to_string_pretty(&document)?)?;
        }
    }
    Ok(if refusal.unknown.is_empty() { Exit::Differs } else { Exit::BadInput })
}

/// Asks for what comes in many answers, and takes each until the last; gives what `take` does not take. Ends well where the
/// lab goes down meanwhile.
pub(super) fn follow(
    which: &LabChoice,
    request: Request,
    take: impl FnMut(Reply) -> anyhow::Result<Option<Reply>>,
) -> anyhow::Result<Exit> {
    follow_until(which, request, |_| (), take)
}

/// As [`follow`], and gives to `begun` by what it can be ended.
pub(super) fn follow_until(
    which: &LabChoice,
    request: Request,
    begun: impl FnOnce(CancelHandle),
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
                    return unexpected_reply(other);
                }
            }
            // Without a last word only a lab ends that is going down, however it goes.
            Err(ClientError::Frame { source: FrameError::Closed | FrameError::Io(_), .. }) => {
                match place.wait_until_down()? {
                    LabDirState::Died => bail!("{}", has_died(&place)),
                    LabDirState::Up | LabDirState::None => eprintln!("{} has gone down", place.name),
                }
                return Ok(Exit::Ok);
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Ends a command by a reply that is not the wanted one.
pub(super) fn unexpected_reply(reply: Reply) -> anyhow::Result<Exit> {
    match reply {
        Reply::Unfit(unfit) => Ok(Invalid::new(&replies::unfit(&unfit)).say()),
        Reply::Partly { done, failed, why } => bail!("{}", replies::partly(&done, failed.as_deref(), &why)),
        Reply::Failed(failure) => bail!(failure),
        _ => bail!(replies::UNEXPECTED),
    }
}
