//! Tests on real packets: each in a process of its own, inside a sandbox, as users of the library have them.
//!
//! `scripts/test` runs them twice where it is root, at once: as root, and as an ordinary user; long sweeps are dealt out among the two.
//! A test that cannot run fails with the reason; none is skipped.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test panics")]

mod addresses;
mod agreement;
mod alive;
mod altered;
mod answered;
mod answers;
mod bare;
mod blink;
mod blink_pings;
mod blocks;
mod broken_packets;
#[path = "../common/cells.rs"]
mod cells;
mod clients;
mod clouds;
mod coverage;
mod dealt;
mod disagreements;
mod earlier_flows;
mod elastic_ips;
mod errors_of_others;
mod evidence;
mod faults_load_balancers;
mod faults_log;
mod faults_nft;
mod faults_operations;
mod fence;
mod findings;
mod fixed_ports;
mod flow_logs;
mod foretold;
mod forged_answers;
mod forged_sources;
mod forgetting;
mod fragments;
mod gotchas;
mod hops;
mod hostile_instances;
mod hosts_files;
mod icmp_errors;
mod ipv6;
mod ipv6_addresses;
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
#[path = "../common/patience.rs"]
mod patience;
mod pressure;
mod protocols;
mod regressions;
mod resets;
mod sabotage;
mod scale;
mod secondary_addresses;
mod services;
mod shares;
mod snapshot;
mod timeouts;
mod topologies;
mod traceroute;
mod tracking;
mod udp_idle;
mod unproved;
mod untracked;
mod wrong_ends;
