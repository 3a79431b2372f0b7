//! Entering the sandbox, and what to say where this machine cannot host a lab.

use sglab::report::shown_lines;
use sglab::sandbox::{self, Sandbox, limits, remedies, which};
use tokio::runtime::Runtime;

use super::common::Exit;
use super::signals;

/// Works with labs in a sandbox until that is done or a signal comes. Gives the exit code where this machine cannot host a lab, and after a signal.
///
/// # Errors
/// Those of the work, and if the machine cannot listen to signals.
pub(super) fn run_until_signal<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<Result<T, Exit>> {
    let Some(_) = enter() else { return Ok(Err(Exit::CannotHost)) };
    let Some(runtime) = runtime() else { return Ok(Err(Exit::CannotHost)) };
    let done = runtime.block_on(async {
        tokio::select! {
            signal = signals::received() => signal.map(Err),
            done = work => done.map(Ok),
        }
    });
    // The labs go with this process; waiting for their parts one by one would only take longer.
    runtime.shutdown_background();
    done
}

/// Enters a sandbox. Nothing if this machine cannot host a lab; then the reason and its remedy have been printed.
pub(super) fn enter() -> Option<Sandbox> {
    if which::nft().is_none() {
        eprintln!("error: this machine cannot host a lab: there is no nft program");
        eprintln!("{}", remedies::NO_NFT);
        return None;
    }
    match sandbox::enter() {
        Ok(sandbox) => Some(sandbox),
        Err(error) => {
            eprintln!("error: this machine cannot host a lab: {}", shown_lines(&error.to_string()));
            eprintln!("{}", error.limit().unwrap_or_else(remedies::remedy));
            eprintln!("`sglab doctor` tells more.");
            None
        }
    }
}

/// Starts the runtime. Nothing if there is too little of something; then that has been printed.
pub(super) fn runtime() -> Option<Runtime> {
    let runtime = limits::runtime();
    runtime.map_err(|error| eprintln!("error: this machine cannot host a lab: {error}")).ok()
}
