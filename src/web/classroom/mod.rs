//! A class that plays lessons in its browsers: a seat for each browser, with labs of its own.
//!
//! `seats` has who is there, `play` a lesson as one learner plays it, `labs` the labs, `view` and `stages` what browsers are sent, `server` speaks HTTP
//! at a `place`.

mod labs;
mod place;
mod play;
mod seats;
mod server;
mod stages;
mod view;

pub use labs::LabThread;
pub use place::{ClassError, Place};
pub use server::{Class, Serving, Wanted};
