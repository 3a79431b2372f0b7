//! What needs no lab: what files of topologies are told, what the repository says of itself, and rulesets that nft alone loads.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test panics")]

mod account_difference;
mod bad_topologies;
mod carried;
mod certainties;
mod compile_loads;
mod cures;
mod cut_replies;
mod declared_clouds;
mod facts;
mod fleets;
mod found_again;
mod glossary;
#[path = "../../fuzz/fuzz_targets/import_any.rs"]
mod import_any;
mod imported;
mod imported_tables;
mod later_expressions;
#[path = "../../fuzz/fuzz_targets/lesson_any.rs"]
mod lesson_any;
mod lessons;
mod licences;
mod lint;
mod outward;
mod package;
mod pictures;
mod reach_agrees;
mod replies_of_accounts;
mod rooms;
mod unknown_differences;
mod unknown_halves;
