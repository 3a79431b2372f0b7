//! A program in an instance of a lab that this process has booted itself, at this process's input, output and errors.

use std::os::fd::{AsFd, OwnedFd};

use anyhow::Context;
use nix::fcntl::OFlag;
use nix::unistd::pipe2;
use sglab::lab::Lab;
use sglab::sandbox::machine::{Program, Running, view};
use sglab::sandbox::relay::{Ends, Relay};
use sglab::sandbox::terminal::{self, Raw};
use tokio::signal::unix::{SignalKind, signal};

/// Picks a shell where none is named: the caller's own, if instances see it, else `/bin/sh`.
pub(super) fn shell() -> String {
    let own = std::env::var("SHELL").ok();
    let seen = own.filter(|shell| view::HOST_FOLDERS.iter().any(|shown| shell.starts_with(shown)));
    seen.unwrap_or_else(|| "/bin/sh".into())
}

/// Greeting of a shell inside.
pub(super) fn welcome(site: &str) -> String {
    format!(
        "You are root in {site}.\n\
         Here is no internet and nothing to install: the host's files are read-only.\n\
         The filter is outside of it, and `nft list ruleset` is empty in here.\n\
         /etc/hosts has the lab's names, and /etc/resolv.conf its resolver.\n"
    )
}

/// Runs a program until it has ended: its exit code. It has a terminal of its own where this process's input is one.
pub(super) async fn run(lab: &mut Lab, instance: &str, program: Program) -> anyhow::Result<i32> {
    if !terminal::at_stdin() {
        let Ends { given, relay } = Ends::ours().context("failed to make pipes")?;
        let running = lab.start_program(instance, program, given).await?;
        return attend(running, relay, None).await;
    }
    let (given, far) = Ends::own_terminal().context("failed to make a socket")?;
    let size = terminal::size().context("failed to use the terminal")?;
    let running = lab.start_program(instance, Program { terminal: Some(size), ..program }, given).await?;
    let (relay, pty) = far.arrive().context("failed to take the terminal")?;
    let _raw = Raw::begin().context("failed to use the terminal")?;
    attend(running, relay, Some(pty)).await
}

/// Passes on what is typed and printed until the program has ended.
async fn attend(mut running: Running, mut relay: Relay, pty: Option<OwnedFd>) -> anyhow::Result<i32> {
    let mut resized = signal(SignalKind::window_change()).context("failed to listen for signals")?;
    let (ended, under_way) = pipe2(OFlag::O_CLOEXEC).context("failed to make a pipe")?;
    let passing = tokio::task::spawn_blocking(move || {
        while !relay.turn([ended.as_fd()])?[0] {}
        relay.finish();
        std::io::Result::Ok(())
    });
    loop {
        tokio::select! {
            code = running.ended() => {
                drop(under_way);
                passing.await?.context("failed to pass on what is typed and printed")?;
                return Ok(code);
            }
            _ = resized.recv() => {
                if let Some(pty) = &pty {
                    terminal::resize(pty)?;
                }
            }
        }
    }
}
