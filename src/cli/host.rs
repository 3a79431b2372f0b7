//! Entering the sandbox, and what to say where this machine cannot host a lab.

use sglab::report::shown_lines;
use sglab::sandbox::{self, Sandbox, limits, remedies, which};
use tokio::runtime::Runtime;

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
