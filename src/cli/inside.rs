//! A program in an instance of a lab that this process has booted itself, at this process's terminal.

use std::fs::File;
use std::io::{ErrorKind, Read, Write, stderr, stdin, stdout};
use std::os::fd::{AsFd, OwnedFd};

use anyhow::Context;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use sglab::fabric::machine::{Program, Running};
use sglab::fabric::terminal::{self, Pty, Raw};
use sglab::lab::Lab;
use tokio::signal::unix::{SignalKind, signal};

/// Runs a program until it has ended: its exit code. It has a terminal of its own where this process has one.
pub(super) async fn run(lab: &mut Lab, instance: &str, program: Program) -> anyhow::Result<i32> {
    if !terminal::at_stdin() {
        let ours = [stdin().as_fd(), stdout().as_fd(), stderr().as_fd()].map(|end| end.try_clone_to_owned());
        let [input, output, errors] = ours;
        return Ok(lab.start_program(instance, program, [input?, output?, errors?]).await?.ended().await);
    }
    let Pty { ours, theirs } = Pty::like_ours().context("failed to make a terminal")?;
    let ends = [theirs.try_clone()?, theirs.try_clone()?, theirs];
    let running = lab.start_program(instance, Program { terminal: true, ..program }, ends).await?;
    let _raw = Raw::begin().context("failed to use the terminal")?;
    attend(running, ours).await
}

/// Passes on what is typed and printed until the program has ended. The threads that do so end with this process.
async fn attend(mut running: Running, pty: OwnedFd) -> anyhow::Result<i32> {
    let mut resized = signal(SignalKind::window_change()).context("failed to listen for signals")?;
    let (printing, typing) = (pty.try_clone()?, pty.try_clone()?);
    std::thread::spawn(move || while awaited(&printing, PollFlags::POLLIN) && print(&printing).unwrap_or(false) {});
    std::thread::spawn(move || {
        let mut keys = [0; 4096];
        while let Ok(read @ 1..) = stdin().read(&mut keys) {
            type_in(&typing, &keys[..read]);
        }
    });
    loop {
        tokio::select! {
            code = running.ended() => {
                // What it printed last; a program that it left behind may hold the terminal open, and is not waited for.
                print(&pty)?;
                return Ok(code);
            }
            _ = resized.recv() => terminal::resize(&pty)?,
        }
    }
}

fn awaited(pty: &OwnedFd, what: PollFlags) -> bool {
    loop {
        match poll(&mut [PollFd::new(pty.as_fd(), what)], PollTimeout::NONE) {
            Err(Errno::EINTR) => {}
            ready => return ready.is_ok(),
        }
    }
}

/// Gives the program all that was typed; nobody may be there to read it.
fn type_in(pty: &OwnedFd, mut keys: &[u8]) {
    while !keys.is_empty() && awaited(pty, PollFlags::POLLOUT) {
        match nix::unistd::write(pty, keys) {
            Ok(written) => keys = &keys[written..],
            Err(Errno::EAGAIN | Errno::EINTR) => {}
            Err(_) => return,
        }
    }
}

/// Prints what the program has printed; false once nothing can come any more.
pub(super) fn print(pty: &OwnedFd) -> anyhow::Result<bool> {
    let mut from = File::from(pty.try_clone()?);
    let mut bytes = [0; 1 << 14];
    loop {
        match from.read(&mut bytes) {
            Ok(0) => return Ok(false),
            Ok(read) => {
                stdout().write_all(&bytes[..read])?;
                stdout().flush()?;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
            Err(error) if error.raw_os_error() == Some(Errno::EIO as i32) => return Ok(false),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error).context("failed to print what the program printed"),
        }
    }
}
