//! Documented semantics of a new flow: the reading that never looks at the compiler. Pure.
//!
//! Written to be read next to Amazon's documentation, with plain loops over everything: no index, no set, no cache. The
//! sources are pages of the "Amazon VPC user guide" (VPC) and of the "Amazon EC2 user guide" (EC2; "2018" for its last
//! edition that covers EC2-Classic).
//!
//! New flows are judged by the rules of this moment; what a connection may still do, [`tracking`] says. A stopped
//! instance is reached by nobody, also where it keeps its private address: the address has no link then, and routing comes
//! before the groups. One that has crashed and keeps its address keeps its link: the verdict is what the groups say, and
//! a probe will find silence behind an open door.
//!
//! A load balancer ends the flow that comes to it, and begins another to one of its instances. Each is judged by itself:
//! a flow to it by its own groups, and one from it, with its private address, by those of the instance.
//!
//! There is one evaluator. [`walk`](fn@walk) tells all that happened to a flow, and [`judge`] only what it came to.

pub mod behind;
mod holders;
mod icmp_errors;
mod judge;
#[cfg(test)]
mod load_balancer_tests;
mod meeting;
mod memory;
mod remedies;
#[cfg(test)]
mod remedies_tests;
mod routes;
mod rules;
#[cfg(test)]
mod secondary_tests;
#[cfg(test)]
mod tests;
pub mod tracking;
#[cfg(test)]
mod tracking_tests;
mod unproved;
mod walk;
#[cfg(test)]
mod way_tests;

pub use icmp_errors::port_unreachable_dropped;
pub use icmp_errors::{Arrival, SmallLink, small_link};
pub use judge::{judge, walk};
pub use meeting::{Meeting, meeting};
pub use memory::{Memory, memory};
pub use remedies::{Remedy, remedies};
pub use unproved::unproved;
pub use walk::*;
