//! Keeps the board up to date: follows the lab's events, and probes what is not proved.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Interval, MissedTickBehavior};

use super::board::Board;
use super::lab::LabClient;
use crate::control::{Client, LabDir, now};
use crate::protocol::{Event, EventKind, ProbeDetails, Reply, Request, State};
use crate::report::replies;

/// Flows that one request probes. A change that comes meanwhile waits for as many.
const PROBED_AT_ONCE: usize = 128;
/// Events that wait for the board, at most.
const MAX_WAITING: usize = 4096;
/// Health checks and programs change without an event, so the state is asked for so often where there are any.
/// A probe that proved nothing is repeated at a multiple of it.
const STATE_INTERVAL: Duration = Duration::from_secs(2);

/// Probes of the page itself whose times are known.
const MAX_OWN: usize = 64;
const GONE: &str = "the lab has gone down";

/// Error for which a lab cannot be watched any longer, in words.
pub type WatchError = String;

/// Asks for the state.
pub async fn state(client: &LabClient) -> Result<State, WatchError> {
    match client.ask(Request::State).await {
        Ok(Reply::State(state)) => Ok(*state),
        Ok(Reply::Failed(failure)) => Err(failure.to_string()),
        Ok(_) => Err(replies::UNEXPECTED.to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Follows a lab until it goes down; says why. What happened before `since` is no part of the history.
pub async fn watch(board: Arc<Board>, client: LabClient, since: f64) -> WatchError {
    let (tell, events) = mpsc::channel(MAX_WAITING);
    let place = client.place.clone();
    let mut clock = tokio::time::interval(STATE_INTERVAL);
    // Ticks of quiet hours, in which nobody waits for the clock, are not made up for.
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    std::thread::spawn(move || follow(&place, &tell));
    let mut watcher = Watcher { board, client, events, since, own: VecDeque::new(), clock, ticks: 0 };
    loop {
        if let Err(why) = watcher.go_on().await {
            return why;
        }
    }
}

struct Watcher {
    board: Arc<Board>,
    client: LabClient,
    events: mpsc::Receiver<Event>,
    /// Seconds since 1970. Earlier events are no part of the page's history.
    since: f64,
    /// Beginning and end of the probes of the page itself, the last of them.
    own: VecDeque<(f64, f64)>,
    /// Ticks also where events never leave it a quiet interval.
    clock: Interval,
    /// Ticks of the clock so far.
    ticks: u64,
}

impl Watcher {
    /// Hears what has happened; then probes the next cells, or waits where all are proved.
    async fn go_on(&mut self) -> Result<(), WatchError> {
        let (revision, moment, flows) = self.board.unproved(PROBED_AT_ONCE);
        let mut heard = Vec::new();
        while let Ok(event) = self.events.try_recv() {
            heard.push(event);
        }
        if heard.is_empty() && flows.is_empty() {
            heard.extend(self.wait().await?);
        }
        if self.hear(heard) == Heard::Change {
            return self.refresh().await;
        }
        if flows.is_empty() {
            return Ok(());
        }
        let begun = now();
        let request = Request::Probe { flows, details: ProbeDetails::Records, at: Some(revision) };
        let reply = self.client.ask(request).await;
        if self.own.len() == MAX_OWN {
            self.own.pop_front();
        }
        self.own.push_back((begun, now()));
        match reply.map_err(|error| error.to_string())? {
            Reply::Probed(all) => {
                self.board.note(moment, &all);
                Ok(())
            }
            Reply::Stale(_) => self.refresh().await,
            Reply::Failed(failure) => Err(failure.to_string()),
            _ => Err(replies::UNEXPECTED.to_owned()),
        }
    }

    /// The next event, or something else to do.
    async fn wait(&mut self) -> Result<Option<Event>, WatchError> {
        let cloud = Arc::clone(&self.board.state().cloud);
        let is_quiet = cloud.load_balancers.is_empty() && cloud.instances.values().all(|it| it.processes.is_empty());
        let is_proved = !self.board.has_inconclusive();
        tokio::select! {
            event = self.events.recv() => event.map(Some).ok_or_else(|| GONE.to_owned()),
            () = self.board.work.notified() => Ok(None),
            _ = self.clock.tick(), if !(is_quiet && is_proved) => {
                self.refresh().await?;
                self.ticks += 1;
                self.board.doubt(self.ticks);
                Ok(None)
            }
        }
    }

    fn hear(&self, mut heard: Vec<Event>) -> Heard {
        heard.retain(|event| event.time >= self.since && !self.is_own(event));
        if !heard.is_empty() {
            self.board.hear(&heard);
        }
        let is_change = |event: &Event| matches!(event.kind, EventKind::Change(_) | EventKind::Missed { .. });
        if heard.iter().any(is_change) { Heard::Change } else { Heard::Nothing }
    }

    /// A probe of the page itself, or a record of it: the table shows these.
    fn is_own(&self, event: &Event) -> bool {
        let is_within = |(begun, ended): &(f64, f64)| (*begun..=*ended).contains(&event.time);
        matches!(event.kind, EventKind::Probe(_) | EventKind::Verdict(_)) && self.own.iter().any(is_within)
    }

    async fn refresh(&self) -> Result<(), WatchError> {
        self.board.show(state(&self.client).await?);
        Ok(())
    }
}

/// Consequence of events for the cloud.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Heard {
    Nothing,
    Change,
}

/// Follows the events on a thread of its own, until the lab or the page goes.
fn follow(place: &LabDir, tell: &mpsc::Sender<Event>) {
    let Ok(mut client) = Client::connect(place) else { return };
    if client.send(Request::Events { follow: true }).is_err() {
        return;
    }
    while let Ok(Reply::Event(event)) = client.receive() {
        if tell.blocking_send(*event).is_err() {
            return;
        }
    }
}
