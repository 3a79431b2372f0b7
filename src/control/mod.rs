//! A lab that stays up: the supervisor that holds it, the socket by which it is spoken to, and the places of both.
//!
//! `lab_dir` says where labs are on this machine and which of them live, `supervisor` serves one lab, and `client` speaks to it.
//! Their messages are in [`protocol`](crate::protocol).

pub mod client;
pub mod lab_dir;
pub mod supervisor;

pub use client::{CancelHandle, Client, ClientError};
pub(crate) use supervisor::now;

pub use lab_dir::{LabDir, LabDirError, LabDirState, LabName, LockedLabDir};
