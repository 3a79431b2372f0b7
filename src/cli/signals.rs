//! The signals that end a run.

use super::common::Exit;
use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};

/// Waits for an interrupt or a request to terminate. Everything is torn down with the process.
pub(super) async fn received() -> anyhow::Result<Exit> {
    let exit = quiet().await?;
    eprintln!("ended by a signal; the lab is gone");
    Ok(exit)
}

/// The same, and leaves it to the caller what is said.
pub(super) async fn quiet() -> anyhow::Result<Exit> {
    let wait = |kind| signal(kind).context("failed to listen for signals");
    let (mut interrupt, mut terminate, mut hangup) =
        (wait(SignalKind::interrupt())?, wait(SignalKind::terminate())?, wait(SignalKind::hangup())?);
    Ok(tokio::select! {
        _ = interrupt.recv() => Exit::Interrupted,
        _ = terminate.recv() => Exit::Terminated,
        _ = hangup.recv() => Exit::Terminated,
    })
}
