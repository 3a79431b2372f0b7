//! A lab that stays up: the supervisor that holds it, the socket by which it is spoken to, and the places of both.
//!
//! `place` says where labs are on this machine and which of them live, `protocol` what is said over a socket, `supervisor`
//! serves one lab, `told` is what it tells of flows and events, and `client` speaks to it.

pub mod client;
mod holders;
pub mod place;
pub mod protocol;
pub mod supervisor;
pub mod told;

pub use client::{Client, ClientError, Ender};
pub use place::{LabName, Place, PlaceError, Taken};
