//! From the state of a cloud to namespaces, links and rulesets, as data. Pure: touches nothing, needs no privilege.
//!
//! [`network()`] says what should be, in the words of [`crate::network`].

mod blocks;
mod doubts;
mod error;
mod filter;
mod icmp_errors;
mod idle;
mod layout;
mod members;
pub mod memory;
pub mod names;
mod parts;
mod rule;
pub mod services;
mod shares;
mod translation;

#[cfg(test)]
mod tests;

pub use error::CompileError;
pub use layout::{network, render};
