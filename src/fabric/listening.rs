//! Looks for somebody who listens at a port of a namespace, without a packet that the program would see.

use std::fs;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::oneshot;

use super::error::FabricError;
use super::namespace::Namespace;
use crate::model::Service;

/// The kernel tells nobody that a port is listened at, so it is asked again after this time, and then less and less often.
const FIRST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_millis(32);

/// Stops looking when it is dropped.
struct Looking(Arc<AtomicBool>);

impl Drop for Looking {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// Waits until a program listens there, for ever if none does; may be given up.
///
/// # Errors
/// [`FabricError::Enter`] if the namespace cannot be looked into.
pub async fn awaited(namespace: &Arc<Namespace>, service: Service) -> Result<(), FabricError> {
    let wanted = Arc::new(AtomicBool::new(true));
    let _looking = Looking(Arc::clone(&wanted));
    let (done, result) = oneshot::channel();
    let inside = Arc::clone(namespace);
    let failed = |source| FabricError::Enter { node: namespace.name.clone(), source };
    let thread = std::thread::Builder::new().name(namespace.name.0.clone()).spawn(move || {
        let looked = inside.enter().and_then(|()| {
            let mut pause = FIRST;
            while wanted.load(Ordering::Relaxed) && !is_held(service)? {
                std::thread::sleep(pause);
                pause = (pause * 2).min(LONGEST);
            }
            Ok(())
        });
        drop(done.send(looked));
    });
    thread.map_err(failed)?;
    result.await.unwrap_or_else(|_| Err(io::Error::other("the thread inside panicked"))).map_err(failed)
}

/// Reports whether a socket of this thread's namespace listens there.
fn is_held(service: Service) -> io::Result<bool> {
    let (table, port, listens) = match service {
        Service::Tcp(port) => ("tcp", port.0, Some("0A")),
        Service::Udp(port) => ("udp", port.0, None),
        _ => return Ok(false),
    };
    for table in [table.to_owned(), format!("{table}6")] {
        match fs::read_to_string(format!("/proc/thread-self/net/{table}")) {
            Ok(text) if holds(&text, port, listens) => return Ok(true),
            Ok(_) => {}
            // A kernel without IPv6.
            Err(error) if error.kind() == io::ErrorKind::NotFound && table.ends_with('6') => {}
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

/// Reports whether a table of the kernel's sockets has one at a port, in a state.
fn holds(table: &str, port: u16, state: Option<&str>) -> bool {
    let end = format!(":{port:04X}");
    table.lines().skip(1).any(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let (local, found) = (fields.next(), fields.nth(1));
        local.is_some_and(|local| local.ends_with(&end)) && state.is_none_or(|state| found == Some(state))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "  sl  local_address rem_address   st tx_queue rx_queue
   0: 00000000:0CEA 00000000:0000 0A 00000000:00000000
   1: 0100007F:1F90 0100007F:0CEB 01 00000000:00000000
";

    #[test]
    fn only_who_listens_counts_and_only_at_that_port() {
        assert!(holds(TABLE, 3306, Some("0A")));
        assert!(!holds(TABLE, 3307, Some("0A")), "the other end's port is none of ours");
        assert!(!holds(TABLE, 8080, Some("0A")), "connected");
        assert!(holds(TABLE, 8080, None));
    }
}
