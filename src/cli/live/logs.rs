//! `sglab logs`.

use std::fs::File;
use std::io::{self, Write, stdout};
use std::os::fd::AsFd;
use std::sync::Arc;

use anyhow::Context;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::EventFd;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use sglab::control::protocol::{Reply, Request};
use sglab::control::{Client, LabName, Place};

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
    io::copy(&mut log, &mut stdout())?;
    Ok(Exit::Ok)
}

/// What a service has said; the lab has it.
fn of_service(lab: Option<&str>, service: &str) -> anyhow::Result<Exit> {
    let (instance, service) = service
        .split_once('/')
        .with_context(|| format!("`{service}` is no service: write INSTANCE/SERVICE, such as web1/nginx"))?;
    let request = Request::ServiceLog { instance: instance.to_owned(), service: service.to_owned() };
    match Client::connect(&speak::choose(lab)?)?.ask(request)? {
        Reply::Text(text) => {
            stdout().write_all(text.as_bytes())?;
            Ok(Exit::Ok)
        }
        other => speak::otherwise(other),
    }
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
    loop {
        io::copy(log, &mut stdout())?;
        stdout().flush()?;
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
