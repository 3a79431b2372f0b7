//! Sockets in namespaces, and how their evidence becomes an outcome.
//!
//! A drop has two proofs: the filter's own record of the tuple, and the receiver's link, over which the router has sent a later
//! canary and not the packet. An answer has two as well: what was sent over both links. No end of a flow is an observer, and a timeout is a
//! fallback and proves nothing.

mod ask;
mod attempt;
mod balancer;
mod canary;
pub mod connections;
mod dropped;
mod evidence;
mod failure;
mod held;
mod listening;
mod missing;
mod observer;
mod outcome;
mod parties;
mod patience;
mod ports;
mod prober;
mod probing;
mod question;
mod raw;
#[cfg(any(test, fuzzing))]
pub mod readers;
mod resolve;
mod servers;
mod socket_errors;
mod traffic;
mod unaskable;
mod waiting;
mod watched;

pub use ask::Ask;
pub use balancer::{Health, Plan, RunningBalancer, ScheduledHealth};
pub use canary::{KnownPath, Receiver};
pub use dropped::{Drop, DropCause, InterfaceLookup, Recorded, node_of};
pub use evidence::Logged;
pub use failure::{CloseReason, HealthDoubt, HealthFailure, SocketFailure, Untaken};
pub use held::{Connection, Held, NotMet};
pub use missing::MissingEvidence;
pub use outcome::{Batch, Observation, Outcome, Resolution, SOMEBODY_ELSE};
pub use parties::{Ends, LinkPosition, Private, Route};
pub use prober::Prober;
pub use question::Answering;
pub use traffic::{Course, Packet, Part, Streams, Trace};
pub use unaskable::{NoAddress, Unaskable};
