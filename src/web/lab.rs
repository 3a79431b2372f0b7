//! Speaks to the lab without holding a thread of the runtime.

use crate::control::{Client, ClientError, LabDir};
use crate::protocol::{Failure, Reply, Request};

/// A lab that is up, for many requests.
#[derive(Clone, Debug)]
pub struct LabClient {
    /// Where it is.
    pub place: LabDir,
}

impl LabClient {
    /// Asks, and gives the one answer. Each request is a connection of its own.
    ///
    /// # Errors
    /// [`ClientError`], also where the lab has gone down.
    pub async fn ask(&self, request: Request) -> Result<Reply, ClientError> {
        let place = self.place.clone();
        let asking = tokio::task::spawn_blocking(move || Client::connect(&place)?.ask(request));
        match asking.await {
            Ok(reply) => reply,
            // Only a panic or the end of the runtime ends it.
            Err(error) => Ok(Reply::Failed(Failure::of(&error))),
        }
    }
}
