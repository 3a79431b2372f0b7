//! Mutations of compiled rulesets, one at a time: something has to go red, or the change is listed with its reason.
//!
//! `scripts/mutants` runs all of them; here runs a small fixed sample.

mod bench;
mod breaking;
mod campaign;
mod concerning;
mod equivalent;
mod held;
mod idle;
mod mutation;
mod noticing;
mod report;
mod results;
mod rewriting;
mod unit;

use std::sync::Arc;

use sglab::compile::network::Network;
use sglab::lab::Lab;
use sglab::model::Era;
use sglab::model::topology::Topology;

use crate::clouds::{boot, topology};
use equivalent::claims;
use mutation::{Mutation, Of, all};
use noticing::Plan;

pub use campaign::main;

cases![a_sample_of_mutations_is_noticed, every_claim_of_equivalence_has_its_reason];

/// A mutation, by what is common to it in all clouds, that every lab of this process has.
const COMMON: &str = "SGLAB_MUTATION";

/// The network as the campaign wants it, which runs these tests on altered networks too.
pub fn altered(network: Network) -> Network {
    let Ok(wanted) = std::env::var(COMMON) else { return network };
    let mutations: Vec<_> =
        all(&network).into_iter().filter(|mutation| mutation.common().as_deref() == Some(&wanted)).collect();
    mutations.into_iter().fold(network, |network, mutation| mutation.of(network))
}

/// Whether labs are to be altered.
pub fn alters() -> bool {
    std::env::var_os(COMMON).is_some()
}

const TWO_TIER: &str = include_str!("../../../topologies/two-tier.yaml");

/// Every so many mutations of what decides about new flows are tried.
const EVERY: usize = 9;

/// Whether a mutation is of what the cells of a table show by themselves: rules for new flows, sources and translations.
fn is_of_the_sample(mutation: &Mutation) -> bool {
    match &mutation.of {
        Of::Rule { chain, .. } => chain.starts_with("ingress/") && mutation.change != "do not track",
        Of::Element { set, element, .. } => (set == "sources" && !element.contains("canary")) || set == "translated",
        Of::Entry { map, .. } => map == "public-of" || map == "private-of",
        Of::Chain(_) => false,
    }
}

async fn a_sample_of_mutations_is_noticed() {
    let topology: Topology = topology(TWO_TIER);
    let mut lab = boot(&topology, Era::Article).await;
    let plan = Plan::of(&mut lab, &topology).await.expect("what is compiled is as the policy says");
    let network = sglab::compile::network(lab.cloud()).expect("a cloud that compiles");
    for mutation in all(&network).into_iter().filter(is_of_the_sample).step_by(EVERY).map(Arc::new) {
        lab.alter(Some(mutation.alteration())).await.unwrap_or_else(|error| panic!("{}: {error}", mutation.label()));
        assert!(is_noticed(&plan, &mut lab, &mutation).await, "nothing notices {}", mutation.label());
    }
    lab.alter(None).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(plan.red(&mut lab).await, None, "and as compiled again it is right again");
}

async fn is_noticed(plan: &Plan, lab: &mut Lab, mutation: &Mutation) -> bool {
    plan.few_red(lab).await.is_some() || plan.concerned_red(lab, mutation).await.is_some()
}

async fn every_claim_of_equivalence_has_its_reason() {
    for claim in claims() {
        assert!(!claim.to_string().trim_matches(['*', ' ']).is_empty(), "{claim} claims everything");
    }
}
