//! A test's own code in an instance or a host: clients and servers, with sockets and names of that place.

use std::panic::resume_unwind;

use super::error::Error;
use super::lab::Lab;
use crate::fabric::{self, Ending, FabricError, Task};
use crate::lab::{LabError, Site};

/// A future under way in an instance or a host. Dropping this ends it.
#[derive(Debug)]
#[must_use = "dropping it ends what runs"]
pub struct Running<T> {
    task: Task<T>,
    place: String,
}

impl Lab {
    /// Runs a future in an instance or a host outside, and gives back what it gives.
    ///
    /// It is driven by a thread of its own that is inside that network namespace: sockets that it opens are that instance's, and
    /// names resolve there as they do for the instance's programs, by the lab's `/etc/hosts` and resolver. What it spawns
    /// on its runtime ends with it. It shares the test's memory, so it is as trusted as the test.
    ///
    /// # Errors
    /// [`Error::Unknown`]; [`Error::NotRunning`]; [`Error::Stopped`] if the instance was stopped, rebooted, crashed or
    /// terminated before it was done.
    ///
    /// # Panics
    /// As the future does.
    pub async fn run_in<T: Send + 'static>(
        &self,
        place: &str,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Error> {
        self.run_local_in(place, move || future).await
    }

    /// As [`Self::run_in`], for a future that cannot be sent to another thread: it is made inside.
    ///
    /// # Errors
    /// As [`Self::run_in`].
    pub async fn run_local_in<T: Send + 'static, F: Future<Output = T>>(
        &self,
        place: &str,
        make: impl FnOnce() -> F + Send + 'static,
    ) -> Result<T, Error> {
        self.start_in(place, make).await?.done().await
    }

    /// Starts a future in an instance or a host outside, such as a server, and goes on.
    ///
    /// # Errors
    /// [`Error::Unknown`]; [`Error::NotRunning`].
    pub async fn spawn_in<T: Send + 'static>(
        &self,
        place: &str,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Result<Running<T>, Error> {
        self.start_in(place, move || future).await
    }

    async fn start_in<T: Send + 'static, F: Future<Output = T>>(
        &self,
        place: &str,
        make: impl FnOnce() -> F + Send + 'static,
    ) -> Result<Running<T>, Error> {
        let site = self.site(place)?;
        // Held, so that the instance cannot be stopped between the two.
        let running = self.running().await;
        let life = match &site {
            Site::Instance(name) => Some(self.life(name)),
            Site::Host(_) => None,
        };
        let inside: fabric::Inside = running.in_site(&site).map_err(|error| match error {
            LabError::Fabric(FabricError::NoNode(_)) => Error::NotRunning(place.to_owned()),
            other => other.into(),
        })?;
        let gone = async move {
            match life {
                // Its sender says nothing: it is dropped when the instance stops.
                Some(mut life) => while life.changed().await.is_ok() {},
                None => std::future::pending().await,
            }
        };
        let task = inside.drive(make, gone).map_err(Error::Inside)?;
        Ok(Running { task, place: place.to_owned() })
    }
}

impl<T> Running<T> {
    /// Waits until it is done.
    ///
    /// # Errors
    /// [`Error::Stopped`] if its instance was stopped before.
    ///
    /// # Panics
    /// As the future does.
    pub async fn done(mut self) -> Result<T, Error> {
        match self.task.ending().await.map_err(Error::Inside)? {
            Ending::Done(value) => Ok(value),
            Ending::Panicked(panic) => resume_unwind(panic),
            Ending::Stopped => Err(Error::Stopped(self.place)),
        }
    }
}
