//! What the filters of a lab record of every new flow and every drop, in the cloud's words.

use tokio::sync::mpsc;

use super::booted::Lab;
use super::heard::{Verdicts, WAITING};
use super::whereabouts::Where;
use crate::probe::Logged;

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
        self.state.whereabouts(logged)
    }
}
