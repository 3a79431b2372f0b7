//! Events of a lab: kept for a while, and told to whoever follows.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::broadcast;

use super::feed::{Answer, Feed, now};
use crate::protocol::{Event, EventKind, Failure, Limited, Reply};

/// So many events are kept for who asks later, and so many wait for a slow reader.
const KEPT: usize = 4096;
/// So many may follow at the same time.
const MAX_FOLLOWERS: usize = 64;

/// The events of a lab.
pub(super) struct Events {
    kept: VecDeque<Arc<Reply>>,
    news: broadcast::Sender<Arc<Reply>>,
    /// Changes only: probes are many, and must not hide one.
    changes: broadcast::Sender<Arc<Reply>>,
    told: u64,
}

impl Default for Events {
    fn default() -> Self {
        Self { kept: VecDeque::new(), news: broadcast::channel(KEPT).0, changes: broadcast::channel(KEPT).0, told: 0 }
    }
}

impl Events {
    /// Something has happened.
    pub fn tell(&mut self, kind: EventKind) {
        self.told += 1;
        let changes = matches!(kind, EventKind::Change { .. });
        let event = Arc::new(Reply::Event(Box::new(Event { number: self.told, time: now(), kind })));
        if self.kept.len() == KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back(Arc::clone(&event));
        // Nobody may be following.
        if changes {
            drop(self.changes.send(Arc::clone(&event)));
        }
        drop(self.news.send(event));
    }

    /// Returns the events that are kept, and those to come if `follow`.
    pub fn feed(&self, follow: bool) -> Answer {
        if follow && self.is_full() {
            return too_many();
        }
        let news = follow.then(|| self.news.subscribe());
        Answer::Many(Feed { kept: self.kept.iter().cloned().collect(), news, source: None })
    }

    /// A first word, then changes as they come.
    pub fn changes(&self, first: Reply) -> Answer {
        if self.is_full() {
            return too_many();
        }
        Answer::Many(Feed { kept: vec![Arc::new(first)], news: Some(self.changes.subscribe()), source: None })
    }

    fn is_full(&self) -> bool {
        self.news.receiver_count() + self.changes.receiver_count() >= MAX_FOLLOWERS
    }
}

fn too_many() -> Answer {
    Answer::failed(Failure::TooMany { of: Limited::Followers, most: MAX_FOLLOWERS })
}
