//! Keeps the board up to date: follows the lab's events, and probes what is not proved.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::mpsc;

use super::board::Board;
use super::lab::LabClient;
use crate::control::{Client, LabDir};
use crate::protocol::{Event, EventKind, ProbeDetails, Reply, Request, State};

/// Flows that one request probes. A change that comes meanwhile waits for as many.
const PROBED_AT_ONCE: usize = 128;
/// Events that wait for the board, at most.
const MAX_WAITING: usize = 4096;
/// Health checks change without an event.
const HEALTH_INTERVAL: Duration = Duration::from_secs(2);

/// Probes of the page itself whose times are known.
const MAX_OWN: usize = 64;
const UNEXPECTED: &str = "the lab answered something else than it was asked";
const GONE: &str = "the lab has gone down";

/// Error for which a lab cannot be watched any longer, in words.
pub type WatchError = String;

/// Asks for the state.
pub async fn state(client: &LabClient) -> Result<State, WatchError> {
    match client.ask(Request::State).await {
        Ok(Reply::State(state)) => Ok(*state),
        Ok(Reply::Failed(why)) => Err(why),
        Ok(_) => Err(UNEXPECTED.to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Seconds since 1970.
pub fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

/// Follows a lab until it goes down; says why.
pub async fn watch(board: Arc<Board>, client: LabClient) -> WatchError {
    let (tell, events) = mpsc::channel(MAX_WAITING);
    let place = client.place.clone();
    std::thread::spawn(move || follow(&place, &tell));
    let mut watcher = Watcher { board, client, events, since: now(), own: VecDeque::new() };
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
    /// What was before is no part of the page's history.
    since: f64,
    /// Beginning and end of the probes of the page itself, the last of them.
    own: VecDeque<(f64, f64)>,
}

impl Watcher {
    /// Hears what has happened; then probes the next cells, or waits where all are proved.
    async fn go_on(&mut self) -> Result<(), WatchError> {
        let (revision, flows) = self.board.unproved(PROBED_AT_ONCE);
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
                self.board.note(revision, &all);
                Ok(())
            }
            Reply::Stale(_) => self.refresh().await,
            Reply::Failed(why) => Err(why),
            _ => Err(UNEXPECTED.to_owned()),
        }
    }

    /// The next event, or something else to do. Health checks change without an event, so they are looked at.
    async fn wait(&mut self) -> Result<Option<Event>, WatchError> {
        let has_balancers = !self.board.state().cloud.load_balancers.is_empty();
        tokio::select! {
            event = self.events.recv() => event.map(Some).ok_or_else(|| GONE.to_owned()),
            () = self.board.work.notified() => Ok(None),
            () = tokio::time::sleep(HEALTH_INTERVAL), if has_balancers => {
                let state = state(&self.client).await?;
                if state.health != self.board.state().health {
                    self.board.show(state);
                }
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

/// Whether events say that the cloud is another.
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
