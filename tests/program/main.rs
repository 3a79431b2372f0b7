//! The program, as its users meet it: commands, labs that stay up, what goes in and what comes out.
//!
//! One program of tests, so that it is linked once and tests of different files run beside one another.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test panics")]

mod accepted;
mod addresses;
mod cli;
mod control_groups;
mod differences;
mod down;
mod endurance;
mod evidence;
mod exec;
mod fence;
mod flow_logs;
mod following;
mod hostile;
mod hostile_files;
mod ids;
#[path = "../common/labs.rs"]
mod labs;
mod learn;
mod lint;
mod live;
mod live_load_balancers;
mod many_users;
mod minimal_system;
mod misses;
mod mounts;
mod mounts_refused;
mod other_commands;
mod own_cloud;
mod paper;
#[path = "../common/patience.rs"]
mod patience;
#[path = "../common/program.rs"]
mod program;
mod pty;
mod refused_calls;
mod reports;
mod scarce;
mod services;
mod terminals;
mod typed;
mod up;
mod walk;
mod words;
mod workshop;
