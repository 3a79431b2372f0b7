//! A flow log that a lab keeps by itself, for who changes the lab and asks in between: each window ends when it is asked for.

use super::recording::{FlowLogs, Journal};
use super::records::FlowRecord;
use crate::lab::booted::Lab;
use crate::lab::error::LabError;
use crate::probe::Logged;

impl Lab {
    /// Keeps a flow log of what begins from now on. Its namespaces' routers count packets and bytes from now on.
    ///
    /// # Errors
    /// The OS error.
    pub async fn flow_logs(&self) -> Result<FlowLogs, LabError> {
        FlowLogs::of(&self.state).await
    }

    /// Tells a flow log what a filter has recorded.
    pub fn hear(&self, logs: &mut FlowLogs, logged: &Logged) {
        logs.hear(&self.state, logged);
    }

    /// Ends the window and returns its records. Packets are put into the window in which connection tracking's count of them was read.
    ///
    /// # Errors
    /// The OS error; what was counted is then in the next window.
    pub async fn end_window_of(&self, logs: &mut FlowLogs) -> Result<Vec<FlowRecord>, LabError> {
        logs.close(&self.state).await
    }

    /// Keeps a flow log from now on, in place of whoever listened to the filters before.
    ///
    /// # Errors
    /// The OS error.
    pub async fn keep_flow_log(&mut self) -> Result<(), LabError> {
        if self.journal.is_none() {
            let logs = self.flow_logs().await?;
            let verdicts = self.verdicts();
            // Records that were lost before are no part of it.
            self.unheard();
            self.journal = Some(Journal { verdicts, logs });
        }
        Ok(())
    }

    /// Notes all that the filters have recorded so far, as the cloud is now: before it changes.
    ///
    /// # Errors
    /// A lab without its namespaces.
    pub async fn note_flow_log(&mut self) -> Result<(), LabError> {
        let Some(mut journal) = self.journal.take() else { return Ok(()) };
        let known = self.known_paths();
        // Each filter's log is read in order: behind the record of a canary nothing is missing that was there before it.
        let whole = match &known {
            Ok(known) => self.prober.settles(known).await,
            Err(_) => false,
        };
        while let Some(logged) = journal.verdicts.ready() {
            journal.logs.hear(&self.state, &logged);
        }
        if !whole || self.unheard() > 0 {
            journal.logs.lose();
        }
        self.journal = Some(journal);
        known.map(drop)
    }

    /// Ends the window of the flow log that is kept; empty where none is.
    ///
    /// # Errors
    /// The OS error.
    pub async fn end_flow_log_window(&mut self) -> Result<Vec<FlowRecord>, LabError> {
        self.note_flow_log().await?;
        let Some(mut journal) = self.journal.take() else { return Ok(Vec::new()) };
        let records = journal.logs.close(&self.state).await;
        self.journal = Some(journal);
        records
    }
}
