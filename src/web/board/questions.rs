//! Questions of the room that predicts, on the board.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::watch;

use super::super::frame::{FrameName, json};
use super::super::room::{Participant, Prediction, Rejected, Room};
use super::super::script::Script;
use super::{Board, Inner};
use crate::protocol::Revision;

impl Board {
    /// The room's view, and each that follows.
    pub fn room(&self) -> watch::Receiver<Arc<str>> {
        self.room.subscribe()
    }

    /// Asks the room about the flow of a cell. Returns `false` where there is no room, or no such cell.
    pub fn ask_room(&self, cell: usize, at: Revision) -> bool {
        let flow = self.flow(cell, at);
        let mut inner = self.inner();
        let step = inner.script.as_ref().and_then(Script::next).map(|step| step.name.clone());
        let (Some(flow), Some(room)) = (flow, &mut inner.room) else { return false };
        room.ask(flow, at, step);
        self.tell_room(&mut inner);
        true
    }

    /// Takes the room's question back.
    pub fn withdraw(&self) {
        let mut inner = self.inner();
        inner.room.iter_mut().for_each(Room::withdraw);
        self.tell_room(&mut inner);
    }

    /// Takes a prediction.
    ///
    /// # Errors
    /// [`Rejected`].
    pub fn predict(
        &self,
        who: &Participant,
        question: u64,
        prediction: Prediction,
        now: Instant,
    ) -> Result<(), Rejected> {
        let mut inner = self.inner();
        inner.room.as_mut().ok_or(Rejected::Closed)?.answer(who, question, prediction, now)?;
        self.tell_room(&mut inner);
        Ok(())
    }

    /// Closes the room's question with what packets have shown by now. Returns `false` where that is not proved.
    pub fn reveal(&self) -> bool {
        let mut inner = self.inner();
        let moment = inner.table.moment;
        let cell = inner.room.as_ref().and_then(Room::open_question).and_then(|flow| inner.table.cell_of(flow));
        let proved = cell.and_then(|cell| cell.proved(moment));
        let (Some(outcome), Some(room)) = (proved, &mut inner.room) else { return false };
        room.reveal(outcome);
        self.tell_room(&mut inner);
        true
    }

    /// Takes no more answers once packets have shown what they are about.
    pub(super) fn close_question(&self, inner: &mut Inner) {
        let Some((flow, asked)) = inner.room.as_ref().and_then(Room::taking) else { return };
        let cell = inner.table.cell_of(flow);
        let is_shown = cell.is_some_and(|cell| cell.proved(inner.table.moment).is_some());
        if is_shown && inner.table.revision > asked {
            inner.room.iter_mut().for_each(Room::close);
            self.tell_room(inner);
        }
    }

    /// Counts a phone in, or out. Phones show no such number, so the page alone is told.
    pub fn count_phone(&self, change: impl FnOnce(&mut Room)) {
        let mut inner = self.inner();
        let Some(room) = &mut inner.room else { return };
        change(room);
        let view = room.view();
        self.send(&mut inner, FrameName::Room, &view);
    }

    fn tell_room(&self, inner: &mut Inner) {
        let view = inner.room.as_ref().map(Room::view);
        self.room.send_replace(json(&view));
        self.send(inner, FrameName::Room, &view);
    }
}
