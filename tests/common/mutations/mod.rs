//! One change of a compiled network, and the door by which the lab suite has it: `tests/mutants` runs its cases on altered networks.
#![allow(dead_code, reason = "the lab suite alters networks, and says nothing of how")]

pub mod mutation;
pub mod rewriting;

use sglab::network::Network;

use mutation::{Mutation, all};

/// A mutation, by what is common to it in all clouds, that every lab of a process has in which this is set.
pub const COMMON: &str = "SGLAB_MUTATION";

/// The network as it is wanted.
pub fn altered(network: Network) -> Network {
    let Ok(wanted) = std::env::var(COMMON) else { return network };
    let is_wanted = |mutation: &Mutation| mutation.common().as_deref() == Some(&wanted);
    let mutations: Vec<_> = all(&network).into_iter().filter(is_wanted).collect();
    mutations.into_iter().fold(network, |network, mutation| mutation.of(network))
}

/// Whether labs are to be altered.
pub fn alters() -> bool {
    std::env::var_os(COMMON).is_some()
}
