//! The page of a lab, in a real browser and by bare HTTP.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test panics")]

mod accessible;
mod browser;
mod changing;
mod class;
mod geometry;
mod guarded;
mod imported;
#[path = "../common/labs.rs"]
mod labs;
#[path = "../common/patience.rs"]
mod patience;
mod pictures;
#[path = "../common/program.rs"]
mod program;
mod room;
mod served;
mod watched;
