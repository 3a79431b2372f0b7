//! What the filters of a lab record of every new flow and every drop, told to whoever listens, in the cloud's words.

use tokio::sync::mpsc;

use super::Lab;
use crate::compile::names;
use crate::model::{Direction, Interface};
use crate::network::NodeName;
use crate::network::record::Record;
use crate::probe::Logged;

/// So many records wait for whoever listens; what comes then is counted, and goes by.
const WAITING: usize = 1 << 15;

/// Every record of every filter, in the order of their reading.
#[derive(Debug)]
pub struct Verdicts(mpsc::Receiver<Logged>);

/// Between which interfaces a packet was on its way when a filter recorded it. Nothing for the gateway, and for what is
/// no more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Where<'a> {
    /// From which interface it came.
    pub from: Option<&'a Interface>,
    /// To which it would go.
    pub to: Option<&'a Interface>,
}

impl<'a> Where<'a> {
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

impl Lab {
    /// Listens to the filters from now on, in place of whoever listened before.
    pub fn verdicts(&mut self) -> Verdicts {
        let (tell, hear) = mpsc::channel(WAITING);
        self.prober.tell(tell);
        Verdicts(hear)
    }

    /// How many records nobody could be told of, since this was last asked.
    pub fn unheard(&self) -> u64 {
        self.prober.unheard()
    }

    /// Where a record was made, as the cloud is now.
    pub fn whereabouts(&self, logged: &Logged) -> Where<'_> {
        // By number first: records are many, and a link's name is text.
        let at = |index: Option<u32>| {
            let number = index?;
            let mut interfaces = self.cloud.network_interfaces();
            interfaces.find(|it| names::port_index(it.number) == number && names::router(&it.vpc) == logged.node)
        };
        Where { from: at(logged.in_index), to: at(logged.out_index) }
    }

    /// The interface that has a port of a router.
    pub(super) fn interface_at(&self, router: &NodeName, port: &str) -> Option<&Interface> {
        let mut interfaces = self.cloud.network_interfaces();
        interfaces.find(|it| names::port(&it.id, it.number) == port && names::router(&it.vpc) == *router)
    }
}
