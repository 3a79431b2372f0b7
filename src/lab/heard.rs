//! Records of filters, told to whoever listens.

use tokio::sync::mpsc;

use crate::probe::Logged;

/// So many records wait for whoever listens; what comes then is counted, and goes by.
pub(super) const WAITING: usize = 1 << 15;

/// Every record of every filter, in the order of their reading.
#[derive(Debug)]
pub struct Verdicts(pub(super) mpsc::Receiver<Logged>);

impl Verdicts {
    /// The next record. Nothing once the lab is gone, or another listens in place of this one.
    pub async fn next(&mut self) -> Option<Logged> {
        self.0.recv().await
    }

    /// The next record that is there already.
    pub fn ready(&mut self) -> Option<Logged> {
        self.0.try_recv().ok()
    }
}
