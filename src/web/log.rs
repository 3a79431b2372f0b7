//! Events as the page lists them, the newest of them.

use std::collections::VecDeque;

use serde::Serialize;

use crate::protocol::Event;
use crate::report::events::{self, EventView};

/// Events that are kept.
const MAX_EVENTS: usize = 500;

/// The newest events.
#[derive(Debug, Default)]
pub struct Log {
    lines: VecDeque<LogLine>,
}

/// An event.
#[derive(Clone, Debug, Serialize)]
pub struct LogLine {
    /// The event as `sglab events --format json` has it.
    #[serde(flatten)]
    event: EventView,
    /// The same for people, without its time.
    text: String,
}

impl LogLine {
    /// An event as it was received.
    pub fn of(event: &Event) -> Self {
        Self { event: EventView::of(event), text: events::words(event).trim_end().to_owned() }
    }
}

impl Log {
    /// Keeps an event.
    pub fn push(&mut self, line: LogLine) {
        if self.lines.len() == MAX_EVENTS {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }

    /// All that are kept, the oldest first.
    pub fn lines(&self) -> impl Iterator<Item = &LogLine> {
        self.lines.iter()
    }
}
