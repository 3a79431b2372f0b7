//! Mutations of compiled rulesets, one at a time: something has to go red, or the change is listed with its reason.
//!
//! A tool and its tests: `scripts/mutants` runs all of them, `cargo test` a small fixed sample.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test panics")]

mod accepting;
mod bench;
mod breaking;
mod campaign;
#[path = "../common/cells.rs"]
mod cells;
mod concerning;
mod equivalent;
mod held;
mod idle;
mod isolated;
#[path = "../common/mutations/mod.rs"]
mod mutations;
#[path = "../../src/compile/tests/naming.rs"]
#[allow(dead_code, reason = "the compiler's tests ask more")]
mod naming;
mod noticing;
#[path = "../common/patience.rs"]
mod patience;
mod results;
mod unit;

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Trial};
use sglab::compile::names;
use sglab::lab::Lab;
use sglab::model::Era;
use sglab::network::nft::{self, Ruleset, Set, SetKey};
use sglab::topology::Topology;

use cells::cells;
use concerning::concerns;
use equivalent::claims;
use idle::idle_in;
use idle::is_within;
use mutations::mutation::{Mutation, Of, all};
use mutations::{COMMON, mutation, rewriting};
use noticing::Plan;
use unit::Found;

/// Tests by the names of their functions.
macro_rules! tests {
    ($($function:ident),* $(,)?) => {
        vec![$(Trial::test(stringify!($function), || {
            $function();
            Ok(())
        })),*]
    };
}

fn main() -> ExitCode {
    if let Some(code) = campaign::main() {
        return code;
    }
    let tests = tests![
        in_a_lab_a_sample_of_mutations_is_noticed,
        every_claim_of_equivalence_has_its_reason,
        the_network_shows_what_no_packet_comes_to_and_nothing_else,
        why_a_mutation_is_idle_in_one_state_explains_nothing_of_another_that_tried_it,
        a_rule_of_a_load_balancers_group_concerns_what_comes_to_the_load_balancer,
        a_condition_is_within_those_that_ask_for_less_and_no_others,
    ];
    libtest_mimic::run(&Arguments::from_args(), tests).exit_code()
}

fn in_a_lab_a_sample_of_mutations_is_noticed() {
    sglab::testing::run(
        module_path!(),
        "in_a_lab_a_sample_of_mutations_is_noticed",
        0,
        a_sample_of_mutations_is_noticed,
    );
}

/// The topology of a text; panics with every problem if it has any.
fn topology(text: &str) -> Topology {
    Topology::parse("test.yaml", text.as_bytes()).unwrap_or_else(|problems| panic!("{problems}"))
}

const TWO_TIER: &str = include_str!("../../topologies/two-tier.yaml");

/// Every so many mutations of what decides about new flows are tried.
const EVERY: usize = 9;

/// Whether a mutation is of what the cells of a table show by themselves: rules for new flows, sources and translations.
fn is_of_the_sample(mutation: &Mutation) -> bool {
    match &mutation.of {
        Of::Rule { chain, .. } => chain.starts_with("ingress/") && mutation.change != "do not track",
        // What a gateway sends from its own address shows in traceroutes, and not in a table.
        Of::Element { set, element, .. } => {
            let of_a_gateway = element.contains(&names::gateway_outside_address(1).to_string());
            (set == "sources" && !element.contains("canary") && !of_a_gateway) || set == "translated"
        }
        Of::Entry { map, .. } => map == "public-of" || map == "private-of",
        Of::Chain(_) => false,
    }
}

async fn a_sample_of_mutations_is_noticed() {
    let topology: Topology = topology(TWO_TIER);
    let (mut lab, _) = sglab::scenario::boot(&topology, Era::Article).await.unwrap_or_else(|error| panic!("{error}"));
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

fn every_claim_of_equivalence_has_its_reason() {
    for claim in claims() {
        assert!(!claim.to_string().trim_matches(['*', ' ']).is_empty(), "{claim} claims everything");
    }
}

/// Of the two tiers in a VPC, with their groups' rules for all that goes out, and no IPv6.
fn the_network_shows_what_no_packet_comes_to_and_nothing_else() {
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
        ("rule ingress/SG-T-WEB sgr-10: drop `meta nfproto ipv4`", Some("of the VPCs none has IPv6")),
        ("rule from/web1.eth0 opposite: delete", Some("sets what is there already")),
        ("rule from/web1.eth0 opposite: mark all", None),
        ("rule to/web1.eth0 opposite: delete", None),
        ("rule to/web1.eth0 opposite: mark all", Some("no rule behind it asks for the mark")),
        ("rule to/web1.eth0 opposite: mark none", None),
        ("rule from-live/web1.eth0 group/SG-T-WEB: delete", Some("everything is accepted behind it")),
        ("rule egress-live/SG-T-WEB sgr-1: delete", Some("everything is accepted behind it")),
        ("rule egress-live/SG-T-WEB sgr-1: flip", None),
        ("rule ingress-live/SG-T-WEB sgr-10: delete", None),
        (
            "rule ingress/SG-T-WEB sgr-10: drop `meta mark & 0x1 == 0x1`",
            Some("whoever comes here has the mark that it asks for"),
        ),
        ("rule ingress/SG-T-WEB sgr-10/tracked: delete", Some("what it matches is accepted before it")),
        ("rule ingress/SG-T-WEB sgr-10/tracked: flip", Some("what it matches is accepted before it")),
        ("rule ingress/SG-T-WEB sgr-10/tracked: drop `tcp dport 80`", None),
        ("rule egress/SG-T-WEB sgr-1/tcp: delete", Some("nobody sets the mark that it asks for")),
        ("rule egress/SG-T-WEB sgr-1/tcp: drop `meta mark & 0x1 == 0x1`", None),
        ("rule ingress/SG-T-WEB sgr-10: delete", None),
        ("rule egress/SG-T-WEB sgr-1/stateless: delete", None),
        ("rule egress/SG-T-WEB sgr-1/stateless: match all", None),
        ("entry egress-live-of \"web1\": is accept", Some("leads to where everything is accepted")),
        ("entry egress-of \"web1\": is accept", None),
        ("entry ingress-live-of \"web1\": is accept", None),
    ] {
        assert_eq!(why(label), expected, "{label}");
    }
}

fn why_a_mutation_is_idle_in_one_state_explains_nothing_of_another_that_tried_it() {
    let cloud = topology(TWO_TIER).initial_cloud(Era::Vpc).expect("the two tiers are launched in a VPC");
    let network = sglab::compile::network(&cloud).expect("a cloud that compiles");
    let [tried, never] = [0, 1].map(|number| Arc::new(all(&network).swap_remove(number)));
    let mut found = Found::default();
    found.tried.insert(Arc::clone(&tried), 1);
    found.leave(vec![(Arc::clone(&tried), "idle"), (Arc::clone(&never), "idle")]);
    assert_eq!(found.alive, [(tried, None), (never, Some("idle"))]);
}

fn a_condition_is_within_those_that_ask_for_less_and_no_others() {
    let set = |elements: &[&str]| Set {
        key: SetKey::Values("ipv4_addr".into()),
        elements: elements.iter().map(|it| (*it).into()).collect(),
    };
    let sets = [("few", set(&["10.0.0.1"])), ("many", set(&["10.0.0.1", "10.0.0.2"])), ("far", set(&["10.9.0.1"]))];
    let ruleset = Ruleset { sets: sets.map(|(name, set)| (name.to_owned(), set)).into(), ..Ruleset::default() };
    let within = [
        ("tcp dport 80", "tcp dport 80"),
        ("tcp dport 80", "meta l4proto 6"),
        ("tcp dport 80-81", "tcp dport 80-90"),
        ("icmp type 8", "ip protocol 1"),
        ("ip saddr 10.0.0.1", "ip saddr 10.0.0.0/24"),
        ("ip saddr @few", "ip saddr @many"),
        ("ip saddr @many", "ip saddr 10.0.0.0/24"),
        ("ip daddr @many", "meta nfproto ipv4"),
    ];
    for (narrow, wide) in within {
        assert!(is_within(&ruleset, narrow, wide), "{narrow} is within {wide}");
        assert!(narrow == wide || !is_within(&ruleset, wide, narrow), "{wide} is not within {narrow}");
    }
    let others = [
        ("tcp dport 80", "meta l4proto 17"),
        ("tcp dport 80", "udp dport 80"),
        ("tcp dport 80-91", "tcp dport 80-90"),
        ("ip saddr 10.0.0.1", "ip daddr 10.0.0.0/24"),
        ("ip saddr @far", "ip saddr @many"),
        ("ip saddr @far", "ip saddr 10.0.0.0/24"),
        ("ip saddr 10.0.0.1", "ip saddr @few"),
    ];
    for (narrow, other) in others {
        assert!(!is_within(&ruleset, narrow, other), "{narrow} is not within {other}");
    }
}

const BEHIND_A_LOAD_BALANCER: &str = include_str!("../../topologies/gotchas/behind-a-load-balancer-in-classic.yaml");

fn a_rule_of_a_load_balancers_group_concerns_what_comes_to_the_load_balancer() {
    let file = topology(BEHIND_A_LOAD_BALANCER);
    let cloud = file.initial_cloud(Era::Classic).expect("a cloud that is launched");
    let network = sglab::compile::network(&cloud).expect("a cloud that compiles");
    let is_of_its_group = |mutation: &&Mutation| matches!(&mutation.of, Of::Rule { chain, .. } if chain.starts_with("ingress/amazon-elb/"));
    let mutations = all(&network);
    let mutation = mutations.iter().find(is_of_its_group).expect("a rule of the load balancer's group");
    let flows = cells(&cloud, &file);
    let concerned = flows.iter().filter(|flow| concerns(mutation, &cloud, flow));
    let receivers: std::collections::BTreeSet<String> = concerned.map(|flow| flow.to.to_string()).collect();
    assert_eq!(receivers.into_iter().collect::<Vec<_>>(), ["lb"]);
}
