//! Answers of many frames: what is kept, and then what comes, for as long as somebody reads.

use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::sys::eventfd::EventFd;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::oneshot;

use crate::protocol::{self, Event, EventKind, Failure, MAX_REPLY, Reply, Request};

/// Answer to a connection.
pub(super) enum Answer {
    /// One reply.
    Once(Reply),
    /// Many, until the feed ends.
    Many(Feed),
}

impl Answer {
    pub fn failed(failure: Failure) -> Self {
        Self::Once(Reply::Failed(failure))
    }
}

/// A request and where its answer goes.
pub(super) type Job = (Request, oneshot::Sender<Answer>);

/// Replies that are there, and those that come. The lab never waits for a reader: who reads too slowly is told how much went by.
pub(super) struct Feed {
    /// Replies that are there.
    pub kept: Vec<Arc<Reply>>,
    /// Replies that come, for a reader that follows.
    pub news: Option<Receiver<Arc<Reply>>>,
    /// Source of the replies for this one reader; it stops with the feed.
    pub source: Option<Source>,
}

/// Something that is to stop when nobody reads it any more.
pub(super) struct Source(pub Arc<EventFd>);

impl Drop for Source {
    fn drop(&mut self) {
        // It may have stopped by itself.
        let _ = self.0.write(1);
    }
}

impl Feed {
    /// Writes it all, and at its end [`Reply::Done`]. Ends also when the reader closes; what is made for this reader alone is
    /// told to stop then, and what it had by that moment is written to a reader that has closed its own side only.
    pub async fn stream_to(self, stream: &mut UnixStream) -> io::Result<()> {
        // Stops with this.
        let mut source = self.source;
        for reply in &self.kept {
            stream.write_all(&frame(reply)).await?;
        }
        if let Some(mut news) = self.news {
            let mut byte = [0];
            let mut is_ending = false;
            loop {
                let reply = tokio::select! {
                    told = news.recv() => match told {
                        Ok(reply) => reply,
                        Err(RecvError::Lagged(missed)) => Arc::new(went_by(missed)),
                        Err(RecvError::Closed) => break,
                    },
                    // Nothing more is asked on this connection: whatever comes is its end.
                    _ = stream.read(&mut byte), if !is_ending => match source.take() {
                        Some(source) => {
                            drop(source);
                            is_ending = true;
                            continue;
                        }
                        None => return Err(io::ErrorKind::ConnectionAborted.into()),
                    },
                };
                stream.write_all(&frame(&reply)).await?;
            }
        }
        stream.write_all(&frame(&Reply::Done)).await
    }
}

/// The word that so many replies went by.
fn went_by(replies: u64) -> Reply {
    let kind = EventKind::Missed { events: replies };
    Reply::Event(Box::new(Event { number: 0, time: now(), kind }))
}

/// Seconds since 1970.
pub(crate) fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

/// Time to send a request: a silent client must not hold a place for ever.
pub(super) const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// A reply as a frame; one that is too large as the word that it is.
pub(super) fn frame(reply: &Reply) -> Vec<u8> {
    let frame = protocol::frame(reply, MAX_REPLY);
    let frame = frame.or_else(|error| protocol::frame(&Reply::Failed(Failure::of(&error)), MAX_REPLY));
    frame.unwrap_or_default()
}
