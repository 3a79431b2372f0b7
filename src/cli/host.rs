//! Entering the sandbox, and what to say where this machine cannot host a lab.

use sglab::fabric::Sandbox;

pub(super) fn enter() -> Option<Sandbox> {
    match sglab::fabric::sandbox::enter() {
        Ok(sandbox) => Some(sandbox),
        Err(error) => {
            eprintln!("error: {error}");
            None
        }
    }
}
