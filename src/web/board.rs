//! All that the page shows, in one place: what browsers are sent once as a whole, and then in parts.

mod questions;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tokio::sync::{Notify, broadcast, watch};

use super::cell::Moment;
use super::frame::{Frame, FrameName, json};
use super::history::{History, Past};
use super::log::{Log, LogLine};
use super::picture::LivePicture;
use super::room::Room;
use super::script::Script;
use super::table::{Shown, Table};
use super::view::{BoardView, CellsView};
use crate::model::{Flow, Operation};
use crate::protocol::{Event, EventKind, Revision, State};
use crate::report::explain::Offer;
use crate::scenario::ProbedFlow;

/// Frames that a browser may be behind; one that is more gets all of the board anew.
const MAX_BEHIND: usize = 256;
/// Operations that were offered as remedies and may be carried out.
const MAX_OFFERS: usize = 512;

/// The board, for the task that keeps it and for those that serve it.
#[derive(Debug)]
pub struct Board {
    inner: Mutex<Inner>,
    frames: broadcast::Sender<Frame>,
    /// The room's view, for phones.
    room: watch::Sender<Arc<str>>,
    /// Wakes whoever probes: there is something to do.
    pub work: Notify,
}

#[derive(Debug)]
struct Inner {
    state: Arc<State>,
    table: Table,
    shown: Shown,
    history: History,
    log: Log,
    script: Option<Script>,
    offers: VecDeque<Offer>,
    /// Nothing where there is no audience.
    room: Option<Room>,
    number: u64,
    whole: Option<Arc<str>>,
}

impl Board {
    /// The board of a lab as it was found.
    pub fn new(state: State, script: Option<Script>, room: Option<Room>, now: f64) -> Self {
        let shown = Shown::usual();
        let table = Table::new(&state.cloud, (state.revision, Moment::default().next()), &shown, Table::default());
        let mut history = History::default();
        history.begin(now, "as it was found", state.revision);
        let inner = Inner {
            state: Arc::new(state),
            table,
            shown,
            history,
            log: Log::default(),
            script,
            offers: VecDeque::new(),
            room,
            number: 0,
            whole: None,
        };
        let view = inner.room.as_ref().map(Room::view);
        Self {
            inner: Mutex::new(inner),
            frames: broadcast::channel(MAX_BEHIND).0,
            room: watch::channel(json(&view)).0,
            work: Notify::new(),
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Nobody panics while it is held; and if so, the next state makes it whole again.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All of the board now, and every frame from then on.
    pub fn subscribe(&self) -> (Frame, broadcast::Receiver<Frame>) {
        let mut inner = self.inner();
        let frames = self.frames.subscribe();
        (inner.whole(), frames)
    }

    /// The state that is shown.
    pub fn state(&self) -> Arc<State> {
        Arc::clone(&self.inner().state)
    }

    /// Shows a new state.
    pub fn show(&self, state: State) {
        let mut inner = self.inner();
        // Whoever changed the lab may have shown it before its event was heard.
        let known = (inner.state.revision, &inner.state.health, &inner.state.processes, &inner.state.pending);
        if known == (state.revision, &state.health, &state.processes, &state.pending) {
            inner.history.reach(state.revision);
            // All of it may be proved by now.
            if Self::keep(&mut inner) {
                self.send_whole(&mut inner);
            }
            return;
        }
        inner.state = Arc::new(state);
        let revision = inner.state.revision;
        inner.history.reach(revision);
        let moment = inner.table.moment.next();
        inner.redraw(moment);
        self.send_whole(&mut inner);
    }

    /// Changes how much is shown.
    pub fn change_shown(&self, change: impl FnOnce(&mut Shown)) {
        let mut inner = self.inner();
        change(&mut inner.shown);
        let moment = inner.table.moment;
        inner.redraw(moment);
        self.send_whole(&mut inner);
        self.work.notify_one();
    }

    /// Takes all that was proved for stale.
    pub fn forget(&self) {
        let mut inner = self.inner();
        inner.table.forget();
        self.send_whole(&mut inner);
        self.work.notify_one();
    }

    /// Takes what packets did not prove for stale, where a tick of the watcher's clock is one for it.
    pub fn doubt(&self, tick: u64) {
        self.inner().table.doubt(tick);
    }

    /// True where a probe has proved nothing.
    pub fn has_inconclusive(&self) -> bool {
        self.inner().table.has_inconclusive()
    }

    /// Hears of events.
    pub fn hear(&self, events: &[Event]) {
        let mut inner = self.inner();
        let lines: Vec<LogLine> = events.iter().map(LogLine::of).collect();
        for (event, line) in events.iter().zip(&lines) {
            inner.history.hear(event);
            inner.log.push(line.clone());
        }
        self.send(&mut inner, FrameName::Log, &lines);
        // A change is shown with the state that it has led to; a refusal leads to none.
        if events.iter().any(|event| matches!(event.kind, EventKind::Refused { .. })) {
            self.send_whole(&mut inner);
        }
    }

    /// Flows to be probed next, with the revision and the moment that they are of.
    pub fn unproved(&self, most: usize) -> (Revision, Moment, Vec<Flow>) {
        let inner = self.inner();
        (inner.table.revision, inner.table.moment, inner.table.unproved(most))
    }

    /// Notes what probes have found that began at a moment; nothing if the board has moved on.
    pub fn note(&self, moment: Moment, probed: &[ProbedFlow]) {
        let mut inner = self.inner();
        if inner.table.moment != moment {
            return;
        }
        let indexes: Vec<usize> = probed.iter().filter_map(|one| inner.table.note(one)).collect();
        let cells = indexes.into_iter().map(|index| (index, inner.table.code(index))).collect();
        let counts = inner.table.counts();
        self.send(&mut inner, FrameName::Cells, &CellsView { cells, counts });
        self.close_question(&mut inner);
        if Self::keep(&mut inner) {
            self.send_whole(&mut inner);
        } else {
            let picture = LivePicture::new(&inner.state.cloud, &inner.table, &inner.shown);
            self.send(&mut inner, FrameName::Picture, &picture);
        }
    }

    /// Keeps table and picture of the moment, if all of it is proved; tells if it is.
    fn keep(inner: &mut Inner) -> bool {
        let is_proved = inner.table.counts().is_whole();
        if is_proved {
            let picture = LivePicture::new(&inner.state.cloud, &inner.table, &inner.shown);
            inner.history.keep(&inner.table, picture);
        }
        is_proved
    }

    /// Tells every browser that the lab is gone.
    pub fn end(&self, why: &str) {
        self.send(&mut self.inner(), FrameName::Gone, &why);
    }

    /// Table and picture as they stood after an entry of the history.
    pub fn past(&self, entry: u64) -> Option<Past> {
        self.inner().history.past(entry).cloned()
    }

    /// Flow of a cell; nothing if the table is of another revision.
    pub fn flow(&self, cell: usize, at: Revision) -> Option<Flow> {
        let inner = self.inner();
        let table = Some(&inner.table).filter(|table| table.revision == at)?;
        table.cells.get(cell)?.as_ref().map(|cell| cell.flow.clone())
    }

    /// The steps of the file, if there is one.
    pub fn script(&self) -> Option<Script> {
        self.inner().script.clone()
    }

    /// Notes that the step behind so many is done; nothing if another browser was first.
    pub fn advance(&self, done: usize) {
        let mut inner = self.inner();
        if let Some(script) = inner.script.as_mut().filter(|script| script.done() == done) {
            script.advance();
            self.send_whole(&mut inner);
        }
    }

    /// Notes operations that were offered.
    pub fn offer(&self, offers: impl IntoIterator<Item = Offer>) {
        let mut inner = self.inner();
        inner.offers.extend(offers);
        let more = inner.offers.len().saturating_sub(MAX_OFFERS);
        inner.offers.drain(..more);
    }

    /// The operations that were offered by these words; nothing where there are none, or one of them was not offered.
    pub fn offered(&self, words: &[String]) -> Option<Vec<Operation>> {
        let inner = self.inner();
        // Of several by the same words the last one is meant, which is of the latest state.
        let known = inner.offers.iter().map(|offer| (offer.words.as_str(), &offer.operation));
        let known: HashMap<&str, &Operation> = known.collect();
        let operations = words.iter().map(|words| known.get(words.as_str()).copied().cloned());
        operations.collect::<Option<Vec<Operation>>>().filter(|all| !all.is_empty())
    }

    fn send(&self, inner: &mut Inner, name: FrameName, data: &impl Serialize) {
        inner.number += 1;
        inner.whole = None;
        // Nobody need be there to hear it.
        drop(self.frames.send(Frame { name, number: inner.number, data: json(data) }));
    }

    fn send_whole(&self, inner: &mut Inner) {
        inner.number += 1;
        inner.whole = None;
        if self.frames.receiver_count() > 0 {
            drop(self.frames.send(inner.whole()));
        }
    }
}

impl Inner {
    fn redraw(&mut self, moment: Moment) {
        let before = std::mem::take(&mut self.table);
        self.table = Table::new(&self.state.cloud, (self.state.revision, moment), &self.shown, before);
    }

    /// All of it; made once for all who ask before it changes.
    fn whole(&mut self) -> Frame {
        let data = match &self.whole {
            Some(data) => Arc::clone(data),
            None => {
                let picture = LivePicture::new(&self.state.cloud, &self.table, &self.shown);
                let view = BoardView::new(&self.state, &self.table, &self.shown, picture);
                let view =
                    view.with(self.history.entries(), self.log.lines(), self.script.as_ref(), self.room.as_ref());
                json(&view)
            }
        };
        self.whole = Some(Arc::clone(&data));
        Frame { name: FrameName::Board, number: self.number, data }
    }
}
