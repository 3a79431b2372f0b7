//! Frames of a connection: replies as frames, and the time for which it may be silent.

use std::time::Duration;

use crate::protocol::{self, MAX_REPLY, Reply};

/// Time to send a request: a silent client must not hold a place for ever.
pub(super) const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// A reply as a frame; one that is too large as the word that it is.
pub(super) fn frame(reply: &Reply) -> Vec<u8> {
    let frame = protocol::frame(reply, MAX_REPLY);
    let frame = frame.or_else(|error| protocol::frame(&Reply::Failed(error.to_string()), MAX_REPLY));
    frame.unwrap_or_default()
}
