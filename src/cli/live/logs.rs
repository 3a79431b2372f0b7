//! `sglab logs`.

use std::fs::File;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::os::fd::AsFd;
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::Args;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::EventFd;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use sglab::control::{Client, LabDir, LabDirState, LabName};
use sglab::model::no_such;
use sglab::model::{Instance, InstanceName, ProcessName};
use sglab::protocol::{Reply, Request, State};
use sglab::report::shown_lines;

use super::session;
use crate::cli::common::{Exit, LabChoice, told};
use crate::cli::output::{Stdout, stdout};

/// `sglab logs`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sglab logs --follow
  sglab logs --service web1/nginx")]
pub(crate) struct LogsArguments {
    /// The lab; may be left out if only one is up
    #[arg(value_name = "LAB")]
    pub lab: Option<String>,
    /// The same, for who is used to it from other commands
    #[arg(long, value_name = "LAB", hide = true, conflicts_with = "lab")]
    pub name: Option<String>,
    /// Go on printing, like `tail -f`, until Ctrl-C or the end of the lab
    #[arg(short, long)]
    pub follow: bool,
    /// What a service of an instance has said, instead; for the last megabyte of it
    #[arg(long, value_name = "INSTANCE/SERVICE", conflicts_with = "follow")]
    pub service: Option<String>,
}

/// The log outlives its lab, so that one that ended by itself can be asked why.
pub(super) fn run(arguments: &LogsArguments) -> anyhow::Result<Exit> {
    if let Some(service) = &arguments.service {
        return of_service(arguments.lab.as_deref().or(arguments.name.as_deref()), service);
    }
    let named = arguments.lab.as_deref().or(arguments.name.as_deref());
    let place = match named.and_then(LabName::new) {
        Some(name) => LabDir::of(name)?,
        None => session::choose_word(named, "logs")?,
    };
    let mut log = match File::open(place.log()) {
        Err(error) if error.kind() == ErrorKind::NotFound => bail!("{}", no_log(&place)),
        opened => opened.with_context(|| format!("failed to open {}", told(place.log())))?,
    };
    let followed = arguments.follow && place.is_up()?;
    if followed {
        follow(&place, &mut log)?;
    }
    io::copy(&mut log, &mut Out::here())?;
    if followed && matches!(place.life(), Ok(LabDirState::Died)) {
        bail!("{}", session::has_died(&place));
    }
    Ok(Exit::Ok)
}

/// That there is no such log; where a lab has something of that name, how that is asked for.
fn no_log(place: &LabDir) -> String {
    let name = &place.name;
    let is_instance = |state: &State| state.cloud.instances.contains_key(&InstanceName::new(name.as_str()));
    let which = LabChoice { name: None };
    match session::state(&which) {
        Ok(state) if is_instance(&state) => {
            let of = |(service, _): (&ProcessName, _)| format!("`sglab logs --service {name}/{service}`");
            let services = &state.cloud.instances[&InstanceName::new(name.as_str())].processes;
            match services.iter().map(of).collect::<Vec<_>>().as_slice() {
                [] => format!(
                    "{name} is an instance of {}, without services; a log is a lab's, or a service's",
                    state.lab
                ),
                words => format!("{name} is an instance of {}; what its services say: {}", state.lab, words.join(", ")),
            }
        }
        _ => {
            let labs = session::names().unwrap_or_default();
            no_such("log of a lab named", name.as_str(), &labs.iter().map(String::as_str).collect::<Vec<_>>())
        }
    }
}

/// Prints what a service has said; the lab has it.
fn of_service(lab: Option<&str>, service: &str) -> anyhow::Result<Exit> {
    let place = session::choose_word(lab, "logs")?;
    let known = match Client::connect(&place)?.ask(Request::State)? {
        Reply::State(state) => services_of(&state),
        other => return session::unexpected_reply(other),
    };
    let Some((instance, process)) = service.split_once('/').filter(|_| known.iter().any(|one| one == service)) else {
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        bail!("{}", no_such("service", service, &known));
    };
    let request = Request::ProcessLog { instance: InstanceName::new(instance), process: ProcessName::new(process) };
    match Client::connect(&place)?.ask(request)? {
        Reply::Text(text) => {
            Out::here().write_all(text.as_bytes())?;
            Ok(Exit::Ok)
        }
        other => session::unexpected_reply(other),
    }
}

/// Every service as it is named: `web1/nginx`.
fn services_of(state: &State) -> Vec<String> {
    let of = |(name, instance): (&InstanceName, &Instance)| -> Vec<String> {
        instance.processes.keys().map(|service| format!("{name}/{service}")).collect()
    };
    state.cloud.instances.iter().flat_map(of).collect()
}

/// Prints what is written as it is written, until the lab is down.
fn follow(place: &LabDir, log: &mut File) -> anyhow::Result<()> {
    let written = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
    written.add_watch(&place.log(), AddWatchFlags::IN_MODIFY)?;
    let down = Arc::new(EventFd::new()?);
    let (told, of) = (Arc::clone(&down), place.clone());
    // It ends with this process at the latest.
    std::thread::spawn(move || {
        drop(of.wait_until_down());
        told.write(1)
    });
    let mut out = Out::here();
    loop {
        io::copy(log, &mut out)?;
        out.flush()?;
        let ready = |fd: &PollFd<'_>| fd.any().unwrap_or(true);
        let mut both = [PollFd::new(written.as_fd(), PollFlags::POLLIN), PollFd::new(down.as_fd(), PollFlags::POLLIN)];
        match poll(&mut both, PollTimeout::NONE) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        let (more, over) = (ready(&both[0]), ready(&both[1]));
        if over {
            return Ok(());
        }
        if more {
            written.read_events()?;
        }
    }
}

/// The output. What programs have said acts on no terminal; into a pipe or a file it goes as it is.
enum Out {
    Pipe(Stdout),
    /// With the bytes of a character that has not come to its end.
    Terminal(Stdout, Vec<u8>),
}

impl Out {
    fn here() -> Self {
        if stdout().is_terminal() { Self::Terminal(stdout(), Vec::new()) } else { Self::Pipe(stdout()) }
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Pipe(out) => out.write(bytes),
            Self::Terminal(out, begun) => {
                begun.extend_from_slice(bytes);
                out.write_all(take_shown(begun).as_bytes())?;
                Ok(bytes.len())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Pipe(out) | Self::Terminal(out, _) => out.flush(),
        }
    }
}

/// Takes what there is of whole characters, as it can be shown; tabs stay.
fn take_shown(begun: &mut Vec<u8>) -> String {
    let mut text = String::new();
    loop {
        let (whole, skip) = match std::str::from_utf8(begun) {
            Ok(_) => (begun.len(), 0),
            Err(error) => (error.valid_up_to(), error.error_len().unwrap_or(0)),
        };
        let rest = begun.split_off(whole + skip);
        let taken = String::from_utf8_lossy(begun).into_owned();
        text.extend(taken.split_inclusive('\t').map(|part| match part.strip_suffix('\t') {
            Some(part) => shown_lines(part) + "\t",
            None => shown_lines(part),
        }));
        *begun = rest;
        if skip == 0 {
            return text;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_says_is_shown_character_by_character() {
        let mut begun = Vec::new();
        let mut text = String::new();
        for byte in "a\tb\u{1b}[1m\u{9b}\u{e9}\n".bytes().chain([0xff, b'c', 0xc3]) {
            begun.push(byte);
            text.push_str(&take_shown(&mut begun));
        }
        assert_eq!(text, "a\tb\\u{1b}[1m\\u{9b}\u{e9}\n\u{fffd}c");
        assert_eq!(begun, [0xc3], "its other half may come");
    }
}
