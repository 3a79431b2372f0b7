//! Between which interfaces a packet was when a filter recorded it.

use crate::model::{Direction, Interface};
use crate::network::record::Record;

/// Between which interfaces a packet was on its way when a filter recorded it. Nothing for the gateway, and for what is
/// no more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PacketEndpoints<'a> {
    /// From which interface it came.
    pub from: Option<&'a Interface>,
    /// To which it would go.
    pub to: Option<&'a Interface>,
}

impl<'a> PacketEndpoints<'a> {
    /// The interface that judged: the sender's at its egress, the receiver's at its ingress. Of drops that no group decides
    /// the sender's, where it has one.
    pub fn judged_by(self, record: Record) -> Option<&'a Interface> {
        match record {
            Record::Accept(direction, _)
            | Record::Pass(direction)
            | Record::Remembered(direction)
            | Record::Drop(direction)
            | Record::Cut(direction)
            | Record::Unclaimed(direction) => match direction {
                Direction::Egress => self.from,
                Direction::Ingress => self.to,
            },
            _ => self.from.or(self.to),
        }
    }
}
