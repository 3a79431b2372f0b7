//! `sglab exec`: a program in an instance or a host of a lab that is up, with this process's input, output and errors.

use std::io::{self, stderr, stdin, stdout};
use std::os::fd::{AsFd, OwnedFd};

use anyhow::{Context, bail};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use sglab::control::Client;
use sglab::fabric::terminal::{self, Pty, Raw};
use sglab::protocol::{Exec, Reply, Request};

use super::{ExecArguments, speak};
use crate::cli::Exit;
use crate::cli::inside::print;

/// What is passed on to the program. Of a terminal these come as keys, by the program's own terminal.
const PASSED_ON: [Signal; 7] = [
    Signal::SIGINT,
    Signal::SIGTERM,
    Signal::SIGHUP,
    Signal::SIGQUIT,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGCONT,
];

pub(super) fn run(arguments: ExecArguments) -> anyhow::Result<Exit> {
    if arguments.tty && !terminal::at_stdin() {
        bail!("--tty needs a terminal as standard input; without it the program gets standard input as it is");
    }
    let place = speak::choose(arguments.which.name.as_deref())?;
    let mut client = Client::connect(&place)?;
    // Before the program is there: none is lost.
    let signals = signals(arguments.tty).context("failed to listen for signals")?;
    let pty = arguments.tty.then(Pty::like_ours).transpose().context("failed to make a terminal")?;
    client.send(Request::Exec(Box::new(Exec {
        instance: arguments.site,
        command: arguments.command,
        environment: environment(place.name.as_str()),
        folder: std::env::current_dir().unwrap_or_else(|_| "/".into()),
        terminal: arguments.tty,
    })))?;
    match client.receive()? {
        Reply::GoOn => {}
        other => return speak::otherwise(other),
    }
    let ours = match pty {
        Some(Pty { ours, theirs }) => {
            client.send_descriptors(&[&theirs, &theirs, &theirs])?;
            Some(ours)
        }
        None => {
            client.send_descriptors(&[&stdin(), &stdout(), &stderr()])?;
            None
        }
    };
    match client.receive()? {
        Reply::Started => {}
        Reply::NotStarted { why, code } => {
            eprintln!("error: {why}");
            std::process::exit(code);
        }
        other => return speak::otherwise(other),
    }
    let code = {
        let _raw = ours.is_some().then(Raw::begin).transpose().context("failed to use the terminal")?;
        attend(&mut client, &signals, ours.as_ref())?
    };
    // The program's own exit code, whatever it is, and not one of ours.
    std::process::exit(code)
}

/// The caller's environment, with where Debian keeps what an ordinary user's path leaves out: inside the program is root.
pub(in crate::cli) fn environment(lab: &str) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| !["PATH", "SGLAB_LAB", "HOME", "TMPDIR", "XDG_RUNTIME_DIR"].contains(&name.as_str()))
        .collect();
    let path = std::env::var("PATH").unwrap_or_else(|_| "/usr/local/bin:/usr/bin:/bin".to_owned());
    all.push(("PATH".to_owned(), format!("{path}:/usr/sbin:/sbin")));
    all.push(("SGLAB_LAB".to_owned(), lab.to_owned()));
    // The caller's own folders are not to be seen inside.
    all.push(("HOME".to_owned(), "/root".to_owned()));
    all
}

fn signals(tty: bool) -> io::Result<SignalFd> {
    let mut set = SigSet::empty();
    PASSED_ON.iter().for_each(|signal| set.add(*signal));
    if tty {
        set.add(Signal::SIGWINCH);
    }
    set.thread_block()?;
    Ok(SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?)
}

/// Passes signals on, and between the terminals what is typed and printed, until the program has ended: its exit code.
fn attend(client: &mut Client, signals: &SignalFd, pty: Option<&OwnedFd>) -> anyhow::Result<i32> {
    let mut typed: Vec<u8> = Vec::new();
    let (mut input_open, mut pty_open) = (pty.is_some(), pty.is_some());
    loop {
        let (standard_input, pty) = (stdin(), pty.filter(|_| pty_open));
        let mut fds =
            vec![PollFd::new(signals.as_fd(), PollFlags::POLLIN), PollFd::new(client.as_fd(), PollFlags::POLLIN)];
        if let Some(pty) = pty {
            let typing = if typed.is_empty() { PollFlags::empty() } else { PollFlags::POLLOUT };
            fds.push(PollFd::new(pty.as_fd(), PollFlags::POLLIN | typing));
            // No more is read than the program takes.
            if input_open && typed.is_empty() {
                fds.push(PollFd::new(standard_input.as_fd(), PollFlags::POLLIN));
            }
        }
        match poll(&mut fds, PollTimeout::NONE) {
            Ok(_) => {}
            Err(Errno::EINTR) => continue,
            Err(errno) => return Err(errno).context("failed to wait for the program"),
        }
        let ready: Vec<bool> = fds.iter().map(|fd| fd.any().unwrap_or(false)).collect();
        drop(fds);
        if ready[0] {
            pass_on(client, signals, pty)?;
        }
        if let Some(pty) = pty {
            if ready.get(3) == Some(&true) {
                let mut bytes = [0; 4096];
                let read = nix::unistd::read(&standard_input, &mut bytes).unwrap_or(0);
                input_open = read > 0;
                typed.extend_from_slice(&bytes[..read]);
            }
            type_in(pty, &mut typed)?;
            if ready[2] {
                pty_open = print(pty)?;
            }
        }
        if ready[1] {
            match client.receive()? {
                Reply::Ended(code) => {
                    // What it printed last; a program that it left behind may hold the terminal open, and is not waited for.
                    if let Some(pty) = pty {
                        print(pty)?;
                    }
                    return Ok(code);
                }
                Reply::Failed(why) => bail!("{why}"),
                other => bail!("the lab answered something else than it was asked: {other:?}"),
            }
        }
    }
}

fn pass_on(client: &mut Client, signals: &SignalFd, pty: Option<&OwnedFd>) -> anyhow::Result<()> {
    while let Ok(Some(signal)) = signals.read_signal() {
        let number = i32::try_from(signal.ssi_signo)?;
        match pty {
            Some(pty) if number == Signal::SIGWINCH as i32 => terminal::resize(pty)?,
            _ => client.signal(number)?,
        }
    }
    Ok(())
}

/// Gives the program what was typed, as much as it takes.
fn type_in(pty: &OwnedFd, typed: &mut Vec<u8>) -> anyhow::Result<()> {
    while !typed.is_empty() {
        match nix::unistd::write(pty, typed) {
            Ok(written) => drop(typed.drain(..written)),
            Err(Errno::EAGAIN) => break,
            // Nobody is there to read it.
            Err(Errno::EIO) => typed.clear(),
            Err(errno) => return Err(errno).context("failed to pass on what was typed"),
        }
    }
    Ok(())
}
