//! Tests on real packets. Each runs in a process of its own, which enters the sandbox before it has threads.
//!
//! Started as root, every case runs twice: as root, and as an ordinary user; long sweeps are dealt out among the two. A
//! case that cannot run fails with the reason; none is skipped.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test panics")]

#[macro_use]
#[path = "../common/cases.rs"]
mod cases;

mod addresses;
mod agreement;
mod alive;
mod altered;
mod answered;
mod answers;
mod bare;
mod blink;
mod broken_packets;
#[path = "../common/cells.rs"]
mod cells;
mod clients;
mod clouds;
mod coverage;
#[path = "../common/dealt.rs"]
mod dealt;
mod disagreements;
mod elastic_ips;
mod errors_of_others;
mod evidence;
mod faults_load_balancers;
mod faults_log;
mod faults_nft;
mod faults_operations;
mod fence;
mod fixed_ports;
mod flow_logs;
mod foretold;
mod fragments;
mod gotchas;
mod hostile_instances;
mod hosts_files;
mod icmp_errors;
mod ipv6;
mod liars;
mod literal;
mod load_balancers;
mod lying_boxes;
mod lying_ends;
mod memory;
mod minimal_system;
mod mtu;
#[path = "../common/mutations/mod.rs"]
mod mutations;
mod odd_frames;
mod outside;
#[path = "../common/patience.rs"]
mod patience;
mod pressure;
mod protocols;
mod regressions;
mod sabotage;
mod scale;
mod services;
mod shares;
mod snapshot;
mod timeouts;
mod topologies;
mod traceroute;
mod tracking;
mod udp_idle;
mod untracked;
mod wrong_ends;

use std::process::ExitCode;

use cases::Case;

/// Every module's cases.
const ALL: &[&[Case]] = &[
    addresses::CASES,
    agreement::CASES,
    alive::CASES,
    answers::CASES,
    altered::CASES,
    disagreements::CASES,
    blink::CASES,
    broken_packets::CASES,
    coverage::CASES,
    elastic_ips::CASES,
    errors_of_others::CASES,
    evidence::CASES,
    faults_load_balancers::CASES,
    faults_log::CASES,
    faults_nft::CASES,
    faults_operations::CASES,
    fence::CASES,
    fixed_ports::CASES,
    flow_logs::CASES,
    foretold::CASES,
    fragments::CASES,
    gotchas::CASES,
    hostile_instances::CASES,
    hosts_files::CASES,
    icmp_errors::CASES,
    ipv6::CASES,
    literal::CASES,
    minimal_system::CASES,
    load_balancers::CASES,
    lying_boxes::CASES,
    lying_ends::CASES,
    memory::CASES,
    mtu::CASES,
    odd_frames::CASES,
    outside::CASES,
    pressure::CASES,
    protocols::CASES,
    regressions::CASES,
    sabotage::CASES,
    scale::CASES,
    timeouts::CASES,
    services::CASES,
    shares::CASES,
    topologies::CASES,
    traceroute::CASES,
    tracking::CASES,
    udp_idle::CASES,
    untracked::CASES,
    wrong_ends::CASES,
];

fn main() -> ExitCode {
    cases::main(ALL)
}
