//! Connections of a test that are held open while the cloud changes.

use std::panic::Location;
use std::sync::atomic::Ordering;

use super::error::Error;
use super::lab::{Lab, select};
use super::seen::fail_at;
use crate::model::{ConnectionName, Flow};
use crate::probe::Held;
use crate::scenario::held;
use crate::topology::ExpectedConnection;

/// A connection that is held.
#[derive(Debug)]
pub struct Connection<'lab> {
    lab: &'lab Lab,
    name: ConnectionName,
    flow: Flow,
}

impl Lab {
    /// Opens a connection by a flow's words, and holds it while the cloud changes.
    ///
    /// # Errors
    /// As [`Self::probe`], and [`Error::Lab`] if it does not come about.
    pub async fn open(&self, flow: &str) -> Result<Connection<'_>, Error> {
        let mut running = self.running().await;
        let flows = select(running.cloud(), flow)?;
        let [one] = flows.as_slice() else {
            return Err(Error::NoFlow(format!("`{flow}` means {} flows, and a connection is one", flows.len())));
        };
        let name = ConnectionName::new(format!("connection-{}", self.connections.fetch_add(1, Ordering::Relaxed)));
        running.open(&name, one).await?;
        Ok(Connection { lab: self, name, flow: one.clone() })
    }
}

impl Connection<'_> {
    /// The flow that it is.
    pub fn flow(&self) -> &Flow {
        &self.flow
    }

    /// Has each end send something, and finds out what becomes of it.
    ///
    /// # Errors
    /// [`Error::Lab`].
    pub async fn examine(&self) -> Result<Held, Error> {
        Ok(self.lab.running().await.examine(&self.name).await?)
    }

    /// Asserts that what each end sends arrives.
    ///
    /// # Errors
    /// As [`Self::examine`].
    ///
    /// # Panics
    /// With what has become of it instead, and why.
    #[track_caller]
    pub fn assert_alive(&self) -> impl Future<Output = Result<(), Error>> {
        self.assert(ExpectedConnection::Alive, Location::caller())
    }

    /// Asserts that what each end sends is dropped, by proof.
    ///
    /// # Errors
    /// As [`Self::examine`].
    ///
    /// # Panics
    /// With what has become of it instead, and why.
    #[track_caller]
    pub fn assert_cut(&self) -> impl Future<Output = Result<(), Error>> {
        self.assert(ExpectedConnection::Cut, Location::caller())
    }

    /// Asserts that an end of it is no more.
    ///
    /// # Errors
    /// As [`Self::examine`].
    ///
    /// # Panics
    /// With what has become of it instead, and why.
    #[track_caller]
    pub fn assert_gone(&self) -> impl Future<Output = Result<(), Error>> {
        self.assert(ExpectedConnection::Gone, Location::caller())
    }

    /// Closes it.
    pub async fn close(self) {
        self.lab.running().await.close(&self.name);
    }

    async fn assert(&self, fate: ExpectedConnection, caller: &Location<'_>) -> Result<(), Error> {
        let found = self.examine().await?;
        if !held::is(&found, fate) {
            let reason = held::reason(&found).map_or_else(String::new, |reason| format!("\n    {reason}"));
            let text = format!("expected {}\n  {}: {}{reason}", fate.as_str(), self.flow, held::word(&found));
            fail_at(caller, &text);
        }
        Ok(())
    }
}
