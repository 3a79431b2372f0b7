//! From the state of a cloud to namespaces, links and rulesets, as data. Pure: touches nothing, needs no privilege.
//!
//! [`network()`] says what should be, [`diff()`] how to get there from what is, [`text`] how nft reads it.

mod connections;
mod diff;
mod error;
mod filter;
mod fragments;
mod icmp_errors;
mod idle;
mod layout;
pub mod memory;
pub mod names;
pub mod network;
pub mod nft;
pub mod record;
pub mod remembered;
mod rule;
mod ruleset_diff;
pub mod services;
mod shares;
pub mod text;
mod translation;

#[cfg(test)]
mod tests;

pub use diff::diff;
pub use error::CompileError;
pub use layout::{network, render};
pub use names::group_chains;
pub use ruleset_diff::changes;
pub use text::{ADD_TABLE, MissingHandle, transaction};
