//! Hears what the filters record: for whoever follows events, and for the flow log and its windows.

use super::feed::Answer;
use super::probing::verdict;
use super::supervised::Supervised;
use crate::lab::LabError;
use crate::probe::Logged;
use crate::protocol::{EventKind, Failure};

impl Supervised {
    /// Hears what the filters have recorded so far: what came before is told before what comes.
    pub(super) fn hear_all(&mut self) {
        while let Some(logged) = self.verdicts.ready() {
            self.hear(&logged);
        }
        self.hear_of_lost();
    }

    /// Records that were lost are told of, also where none comes behind them.
    fn hear_of_lost(&mut self) {
        let missed = self.lab.unheard();
        if missed > 0 {
            self.events.tell(EventKind::Missed { events: missed });
            self.windows.logs.lose();
        }
    }

    /// A filter has recorded something. What concerns no interface of the cloud is the instrument's own.
    pub(super) fn hear(&mut self, logged: &Logged) {
        self.hear_of_lost();
        self.lab.hear(&mut self.windows.logs, logged);
        let packet_endpoints = self.lab.packet_endpoints(logged);
        if packet_endpoints.from.is_some() || packet_endpoints.to.is_some() {
            let verdict = verdict(&self.lab, logged);
            self.events.tell(EventKind::Verdict(Box::new(verdict)));
        }
    }

    /// Returns the records of the flow log, the window of this moment with them, and those to come if `follow`.
    pub(super) async fn feed_flow_logs(&mut self, follow: bool) -> Answer {
        if let Some(refusal) = self.windows.refusal(follow) {
            return refusal;
        }
        match self.end_window().await {
            Ok(()) => self.windows.feed(follow),
            Err(error) => Answer::failed(Failure::of(&error)),
        }
    }

    /// Ends the window if it has as much as it may hold. What instances send fills it, so one that cannot be counted is given up.
    pub(super) async fn end_full_window(&mut self) {
        if self.windows.logs.is_full() {
            self.end_window_by_clock().await;
        }
        if self.windows.logs.is_full() {
            self.windows.logs.give_up_window();
        }
    }

    /// Ends the window; that it cannot be counted is said where the supervisor says things, and the next has it too.
    pub(super) async fn end_window_by_clock(&mut self) {
        if let Err(error) = self.end_window().await {
            eprintln!("the window of the flow log does not end: {error}");
        }
    }

    /// Ends the window.
    async fn end_window(&mut self) -> Result<(), LabError> {
        self.hear_all();
        self.windows.close(&self.lab).await
    }
}
