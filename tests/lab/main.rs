//! Tests on real packets: each in a process of its own, inside a sandbox, as users of the library have them.
//!
//! `scripts/test` runs them twice where it is root, at once: as root, and as an ordinary user; long sweeps are dealt out among the two.
//! A test that cannot run fails with the reason; none is skipped.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test panics")]

mod addresses;
mod agreement;
mod answers;
mod bare;
mod blink;
mod blocks;
mod broken_packets;
#[path = "../common/cells.rs"]
mod cells;
mod clients;
mod clouds;
mod coverage;
mod dealt;
mod earlier_flows;
mod errors_of_others;
mod evidence;
mod faults;
mod faults_operations;
mod fence;
mod findings;
mod flow_logs;
mod foretold;
mod forged;
mod forgetting;
mod fragments;
mod held;
mod hops;
mod hostile_instances;
mod hosts_files;
mod icmp_errors;
mod idle_timeouts;
mod ipv6;
mod ipv6_addresses;
mod lessons;
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
mod other_questions;
mod outside;
#[path = "../common/past_findings.rs"]
mod past_findings;
#[path = "../common/patience.rs"]
mod patience;
mod pressure;
mod protocols;
mod regressions;
mod resets;
mod sabotage;
mod scale;
mod services;
mod shares;
mod snapshot;
mod topologies;
mod tracking;
mod wrong_ends;
