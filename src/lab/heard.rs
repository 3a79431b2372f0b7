//! Records of filters, told to whoever listens, and between which interfaces a packet was when one was made.

use tokio::sync::mpsc;

use crate::model::{Direction, Interface};
use crate::network::record::Record;
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

/// Interfaces between which a packet was on its way when a filter recorded it. Nothing for the gateway, and for what is
/// no more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PacketEndpoints<'a> {
    /// Interface that it came from.
    pub from: Option<&'a Interface>,
    /// Interface that it would go to.
    pub to: Option<&'a Interface>,
}

impl<'a> PacketEndpoints<'a> {
    /// The interface that judged: the sender's at its egress, the receiver's at its ingress. Of drops that no group decides
    /// the sender's, where it has one.
    pub fn judged_by(self, record: Record) -> Option<&'a Interface> {
        match record.at() {
            Some(Direction::Egress) => self.from,
            Some(Direction::Ingress) => self.to,
            None => self.from.or(self.to),
        }
    }
}
