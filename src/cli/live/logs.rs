//! `sglab logs`.

use std::fs::File;
use std::io::{self, IsTerminal, Stdout, Write, stdout};
use std::os::fd::AsFd;
use std::sync::Arc;

use anyhow::{Context, bail};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::EventFd;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use sglab::control::{Client, LabName, Place};
use sglab::model::{DaemonName, Instance, InstanceName};
use sglab::protocol::{Reply, Request, State};
use sglab::report::shown_lines;

use super::{LogsArguments, speak};
use crate::cli::Exit;

/// The log outlives its lab, so that one that ended by itself can be asked why.
pub(super) fn run(arguments: &LogsArguments) -> anyhow::Result<Exit> {
    if let Some(service) = &arguments.service {
        return of_service(arguments.lab.as_deref(), service);
    }
    let place = match arguments.lab.as_deref().and_then(LabName::new) {
        Some(name) => Place::of(name)?,
        None => speak::choose(arguments.lab.as_deref())?,
    };
    let mut log =
        File::open(place.log()).with_context(|| format!("there is no log of a lab named `{}`", place.name))?;
    if arguments.follow && place.is_up()? {
        follow(&place, &mut log)?;
    }
    io::copy(&mut log, &mut Out::here())?;
    Ok(Exit::Ok)
}

/// What a service has said; the lab has it.
fn of_service(lab: Option<&str>, service: &str) -> anyhow::Result<Exit> {
    let place = speak::choose(lab)?;
    let known = match Client::connect(&place)?.ask(Request::State)? {
        Reply::State(state) => services_of(&state),
        other => return speak::otherwise(other),
    };
    let Some((instance, service)) = service.split_once('/').filter(|_| known.iter().any(|one| one == service)) else {
        match known.as_slice() {
            [] => bail!("`{service}` is no service of {}: no instance has any", place.name),
            known => bail!("`{service}` is no service of {}; there are {}", place.name, known.join(", ")),
        }
    };
    let request = Request::ServiceLog { instance: InstanceName::new(instance), service: DaemonName::new(service) };
    match Client::connect(&place)?.ask(request)? {
        Reply::Text(text) => {
            Out::here().write_all(text.as_bytes())?;
            Ok(Exit::Ok)
        }
        other => speak::otherwise(other),
    }
}

/// Every service as it is named: `web1/nginx`.
fn services_of(state: &State) -> Vec<String> {
    let of = |(name, instance): (&InstanceName, &Instance)| -> Vec<String> {
        instance.daemons.keys().map(|service| format!("{name}/{service}")).collect()
    };
    state.cloud.instances.iter().flat_map(of).collect()
}

/// Prints what is written as it is written, until the lab is down.
fn follow(place: &Place, log: &mut File) -> anyhow::Result<()> {
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
