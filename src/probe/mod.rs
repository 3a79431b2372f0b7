//! Sockets in namespaces, and how their evidence becomes an outcome.

mod outcome;

pub use outcome::{Batch, Drop, DropCause, Observation, Outcome};
