//! Frames that no honest stack sends, from every kind of sender, with a witness in everybody else's namespace: nothing comes that no rule lets in.
//!
//! `SGLAB_ODD_FRAMES` says how many each sender sends, `SGLAB_ODD_SEED` which (`scripts/attack`).

mod attack;
mod frames;
mod headers;
mod witness;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;
use sglab::model::Era;
use sglab::network::{Network, NodeName};

use crate::bare::Bare;
use crate::clouds::*;
use attack::{Round, prepare};

/// Both VPCs have the same block, so that an address says nothing of where somebody is.
const CLOUD: &str = "sglab: 1
era: vpc
vpcs:
  main:
    cidr: 10.0.0.0/16
    ipv6: yes
    subnets:
      a: 10.0.1.0/24
      b: 10.0.2.0/24
      by-nat: {cidr: 10.0.3.0/24, routes: {0.0.0.0/0: nat}}
      by-box: {cidr: 10.0.4.0/24, routes: {203.0.113.0/24: box}}
  other: {cidr: 10.0.0.0/16, ipv6: yes, subnets: {far: 10.0.1.0/24}}
hosts: {office: [203.0.113.10, '2001:db8:ffff::10'], stranger: [203.0.113.66, '2001:db8:ffff::66']}
elastic-ips: {second: two.eth1}
groups:
  SHORT: {vpc: main, ingress: &short [tcp 443 from anywhere, 'tcp 443 from ::/0', icmp echo from anywhere, 'icmpv6 128 from ::/0']}
  LONE: {vpc: main, ingress: []}
  FAR: {vpc: other, ingress: *short}
  FAR-LONE: {vpc: other, ingress: []}
instances:
  target: {groups: SHORT, vpc: main}
  closed: {groups: LONE, vpc: main}
  one: {groups: LONE, vpc: main}
  two: {groups: LONE, vpc: main, subnet: b, interfaces: {eth1: {groups: LONE, subnet: a}}}
  nat: {groups: SHORT, vpc: main, source-dest-check: off, forwards: nat}
  box: {groups: SHORT, vpc: main, source-dest-check: off, forwards: as-is}
  by-nat: {groups: LONE, vpc: main, subnet: by-nat}
  by-box: {groups: LONE, vpc: main, subnet: by-box}
  far: {groups: FAR, vpc: other}
  far-closed: {groups: FAR-LONE, vpc: other}
load-balancers: {site: {vpc: main, groups: SHORT, listeners: [tcp 443], targets: [target]}}
scenario: [{step: as launched, expect: {open: ['one -> target:443']}}]
";

/// Every kind of sender, with the interface that it sends by.
const SENDERS: &[(&str, usize)] = &[
    ("one", 0),
    ("two", 0),
    ("two", 1),
    ("nat", 0),
    ("box", 0),
    ("by-nat", 0),
    ("by-box", 0),
    ("far", 0),
    ("stranger", 0),
];
const HOSTS: [&str; 2] = ["office", "stranger"];
const SHORT: [&str; 5] = ["target", "nat", "box", "far", "site"];

/// One lab, altered or not, and so many frames of everybody.
async fn round(seed: u64, each: u32, alter: fn(Network) -> Network) -> Round {
    let bare = Bare::boot_altered(initial_cloud(&topology(CLOUD), Era::Vpc).0, alter).await;
    let mut attack = prepare(&bare, seed).await;
    let worked = std::thread::spawn(move || {
        // A processor's packets keep their order; those of another may overtake them.
        let mine = sched_getaffinity(Pid::from_raw(0)).expect("the processors");
        let first = (0..CpuSet::count()).find(|it| mine.is_set(*it).unwrap_or(false)).expect("a processor");
        let mut one = CpuSet::new();
        one.set(first).expect("a processor");
        sched_setaffinity(Pid::from_raw(0), &one).expect("a processor of its own");
        attack.run(each);
        attack.round
    });
    let round = worked.join();
    drop(bare);
    round.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn number_of(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap_or_else(|error| panic!("{variable}: {error}")))
}

fn seed() -> u64 {
    number_of("SGLAB_ODD_SEED").unwrap_or_else(|| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        since.as_nanos() as u64
    })
}

/// Source ports are used once in a lab, so that whatever comes begins something.
const MAX_OF_A_LAB: u64 = 36_000;

#[sglab::test]
async fn of_odd_frames_only_what_a_rule_lets_in_arrives() {
    let (each, mut seed) = (number_of("SGLAB_ODD_FRAMES").unwrap_or(250), seed());
    let (mut left, begun) = (each, Instant::now());
    while left > 0 {
        let now = left.min(MAX_OF_A_LAB / SENDERS.len() as u64);
        let round = round(seed, now as u32, |network| network).await;
        println!("seed {seed}: {} frames in {:?}, let in {:?}", round.sent, begun.elapsed(), round.let_in);
        let shown: Vec<&str> = round.faults.iter().take(10).map(String::as_str).collect();
        assert!(shown.is_empty(), "{} frames came that may not:\n{}", round.faults.len(), shown.join("\n"));
        assert!(round.not_taken * 10 < round.sent, "seed {seed}: {} of {} left", round.not_taken, round.sent);
        assert!(now < 200 || !round.let_in.is_empty(), "seed {seed}: of what was drawn nothing was let in");
        (left, seed) = (left - now, seed.wrapping_add(1));
    }
}

/// That something is found where there is something to be found.
async fn is_noticed(alter: fn(Network) -> Network, why: &str) {
    let seed = seed();
    let round = round(seed, 200, alter).await;
    assert!(round.faults.iter().any(|fault| fault.contains(why)), "seed {seed}: {:#?}", round.faults);
}

/// Has a rule of every router accept what it drops.
fn accepting(mut network: Network, chain: &str, id: &str) -> Network {
    let routers = network.nodes.iter_mut().filter(|(name, _)| name.0.starts_with("vpc-"));
    for ruleset in routers.filter_map(|(_, node)| node.ruleset.as_mut()) {
        let rules = &mut ruleset.chains.get_mut(chain).expect("the chain").rules;
        let rule = rules.iter_mut().find(|rule| rule.id == id).expect("the rule");
        assert!(rule.text.ends_with(" drop"), "{}", rule.text);
        rule.text = rule.text.replace(" drop", " accept");
    }
    network
}

#[sglab::test]
async fn odd_frames_are_noticed_where_nobody_looks_at_sources() {
    is_noticed(|network| accepting(network, "prerouting", "spoofed"), "it has not its sender's address").await;
}

#[sglab::test]
async fn odd_frames_are_noticed_where_a_rule_admits_too_much() {
    let alter = |mut network: Network| {
        let router = network.nodes.get_mut(&NodeName("vpc-main".into())).expect("the router");
        let chains = &mut router.ruleset.as_mut().expect("its ruleset").chains;
        for rule in &mut chains.get_mut("ingress/SHORT").expect("the group").rules {
            rule.text = rule.text.replace("tcp dport 443", "tcp dport 1-65535");
        }
        network
    };
    is_noticed(alter, "no rule lets it in").await;
}

#[sglab::test]
async fn odd_frames_are_noticed_where_what_begins_nothing_passes() {
    let alter = |network| accepting(accepting(network, "egress", "invalid"), "ingress", "invalid");
    is_noticed(alter, "no rule lets").await;
}
