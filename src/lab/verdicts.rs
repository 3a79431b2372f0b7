//! Records that the filters of a lab make of every new flow and every drop, in the cloud's words.

use tokio::sync::mpsc;

use super::booted::Lab;
use super::heard::PacketEndpoints;
use super::heard::{Verdicts, WAITING};
use crate::probe::Logged;

impl Lab {
    /// Listens to the filters from now on, in place of whoever listened before.
    pub fn verdicts(&mut self) -> Verdicts {
        let (tell, hear) = mpsc::channel(WAITING);
        self.prober.tell(tell);
        Verdicts(hear)
    }

    /// Takes the number of records that nobody could be told of, and begins anew at 0.
    pub fn unheard(&self) -> u64 {
        self.prober.unheard()
    }

    /// Finds the interfaces between which a record was made, as the cloud is now.
    pub fn packet_endpoints(&self, logged: &Logged) -> PacketEndpoints<'_> {
        self.state.packet_endpoints(logged)
    }
}
