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
use idle::idle_in;
use mutation::{Mutation, Of, all};
use noticing::Plan;

pub use campaign::main;

cases![
    a_sample_of_mutations_is_noticed,
    every_claim_of_equivalence_has_its_reason,
    the_network_shows_what_no_packet_comes_to_and_nothing_else,
];

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

/// Of the two tiers in a VPC, with their groups' rules for all that goes out, and no IPv6.
async fn the_network_shows_what_no_packet_comes_to_and_nothing_else() {
    let cloud = topology(TWO_TIER).initial_cloud(Era::Vpc).expect("the two tiers are launched in a VPC");
    let network = sglab::compile::network(&cloud).expect("a cloud that compiles");
    let why = |label: &str| {
        let label = format!("router vpc-default {label}");
        let mutation = all(&network).into_iter().find(|mutation| mutation.label() == label);
        idle_in(&cloud, &network, &mutation.unwrap_or_else(|| panic!("there is no {label}")))
    };
    for (label, expected) in [
        ("rule to/web1.eth0 drop: delete", None),
        ("rule from/web1.eth0 drop: delete", Some("everything is accepted before it")),
        ("rule from/web1.eth0 group/SG-T-WEB: delete", None),
        ("rule from/web1.eth0 group/SG-T-ADMIN: delete", Some("everything is accepted before it")),
        ("rule to-live/db1.eth0 cut: flip", None),
        ("rule to/web1.eth0 group/SG-I-WEB1: delete", Some("leads to an empty chain")),
        ("rule to/web1.eth0 group/SG-I-WEB1: flip", None),
        ("rule ingress/SG-T-DB sgr-11: delete", None),
        ("element members/SG-T-WEB 10.0.0.11: delete", None),
        ("element members/SG-T-DB 10.0.0.13: delete", Some("nothing names it")),
    ] {
        assert_eq!(why(label), expected, "{label}");
    }
}
