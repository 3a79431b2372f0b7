//! Processes that are started to be inside a sandbox: who starts one, and how it gets there before `main`.
//!
//! A thread of an ordinary process cannot enter a lab, and a test harness has threads. So the process starts its own
//! executable anew, with a variable in its environment; the new one finds it before `main`, when it has one thread, and enters a
//! sandbox there and then. From then on it is like any other, and `main` runs.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{self, Command, Stdio};
use std::sync::Mutex;

use nix::sys::signal::Signal;
use nix::unistd::{dup2_stdin, dup2_stdout, getppid};

use super::{raw, remedies, which};

/// Says who starts the process, and what for: `PID:WHAT`. A variable that has strayed here names another parent.
const VARIABLE: &str = "SGLAB_ORDER";

/// Task of a process, and the ways to tell what came of it.
#[derive(Debug)]
pub struct Reexec {
    /// Name of the task; a test's name.
    pub what: String,
    report: UnixStream,
    stdout: OwnedFd,
}

static RECEIVED: Mutex<Option<Reexec>> = Mutex::new(None);

/// Result of the task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// It was done.
    Done,
    /// It was not, and why.
    Failed(String),
    /// The sandbox could not be entered.
    NoSandbox(String),
}

impl Report {
    fn to_text(&self) -> String {
        match self {
            Self::Done => "+".to_owned(),
            Self::Failed(why) => format!("-{why}"),
            Self::NoSandbox(why) => format!("!{why}"),
        }
    }

    /// Reads what was reported; nothing if nothing was.
    pub fn from_text(text: &str) -> Option<Self> {
        let (mark, why) = text.split_at_checked(1)?;
        match mark {
            "+" => Some(Self::Done),
            "-" => Some(Self::Failed(why.to_owned())),
            "!" => Some(Self::NoSandbox(why.to_owned())),
            _ => None,
        }
    }
}

/// Prepares a command, of this executable, to be inside a sandbox before its `main`. The stream gives its report, as text, and
/// ends when the process has ended and everything in its sandbox with it.
///
/// Its standard output begins with [`Reexec::speak`]; what a harness prints before and after is nobody's concern.
///
/// # Errors
/// The OS error.
pub fn order(command: &mut Command, what: &str) -> io::Result<UnixStream> {
    // Else it would start itself for ever.
    if std::env::var(VARIABLE).is_ok_and(|value| wanted(&value).is_some()) {
        return Err(io::Error::other("the process was started for that, and what it does before `main` was not done"));
    }
    let (ours, theirs) = UnixStream::pair()?;
    command.env(VARIABLE, format!("{}:{what}", process::id())).stdin(Stdio::from(OwnedFd::from(theirs)));
    Ok(ours)
}

/// Takes the task that this process was started for; only the first who asks is told.
pub fn take() -> Option<Reexec> {
    RECEIVED.lock().ok()?.take()
}

impl Reexec {
    /// From now on standard output is heard.
    ///
    /// # Errors
    /// The OS error.
    pub fn speak(&self) -> io::Result<()> {
        io::stdout().flush()?;
        Ok(dup2_stdout(&self.stdout)?)
    }

    /// Says what came of it; then standard output is not heard any more.
    ///
    /// # Errors
    /// The OS error.
    pub fn report(mut self, report: &Report) -> io::Result<()> {
        io::stdout().flush()?;
        dup2_stdout(File::options().write(true).open("/dev/null")?)?;
        self.report.write_all(report.to_text().as_bytes())
    }
}

/// Reads the task that the parent of this process wants done; nothing if the variable is not from there.
fn wanted(value: &str) -> Option<&str> {
    let (parent, what) = value.split_once(':')?;
    (parent.parse() == Ok(getppid().as_raw())).then_some(what)
}

/// Before `main`: enters a sandbox if the process was started for that. Returns in a process that is to go on.
pub(super) fn answer() {
    let Ok(value) = std::env::var(VARIABLE) else { return };
    let Some(what) = wanted(&value) else { return };
    raw::forget_variable(VARIABLE);
    // Whoever asked is gone: then nobody wants to know, and nothing may stay.
    if nix::sys::prctl::set_pdeathsig(Signal::SIGKILL).is_err() || wanted(&value).is_none() {
        process::exit(137);
    }
    let order = match receive(what) {
        Ok(order) => order,
        Err(error) => {
            eprintln!("error: failed to take over standard input and output: {error}");
            process::exit(3);
        }
    };
    if let Err(why) = enter() {
        drop(order.report(&Report::NoSandbox(why)));
        process::exit(3);
    }
    if let Ok(mut received) = RECEIVED.lock() {
        *received = Some(order);
    }
}

/// Puts the report and standard output aside, so that nobody uses them by mistake.
fn receive(what: &str) -> io::Result<Reexec> {
    // A copy gets a number from 3 on, and is closed where a program is started.
    let report = io::stdin().as_fd().try_clone_to_owned()?;
    let stdout = io::stdout().as_fd().try_clone_to_owned()?;
    let nothing = File::options().read(true).write(true).open("/dev/null")?;
    dup2_stdin(&nothing)?;
    dup2_stdout(&nothing)?;
    Ok(Reexec { what: what.to_owned(), report: report.into(), stdout })
}

/// Enters a sandbox; in words with a remedy, why that cannot be.
fn enter() -> Result<(), String> {
    if which::nft().is_none() {
        return Err(format!("there is no nft program\n{}", remedies::NO_NFT));
    }
    super::enter().map(drop).map_err(|error| format!("{error}\n{}", remedies::remedy()))
}
