//! Steps and expectations, run against a lab.
//!
//! `run` drives a lab through the steps. Of what a step expects (`expected`) each part has its evaluator, which makes checks
//! of it, and `results` is what reports read. Everything else here is pure: which cells there are (`cells`), what a step
//! demands of them (`demand`), whether the evidence gives it (`judge`), whether it is what `policy` predicts (`agreement`), and where eras differ (`differences`). `predict` takes the same steps
//! without a lab.

mod addresses;
mod admitted;
pub mod agreement;
mod backend;
pub mod cells;
mod change;
mod claims;
mod compared;
pub mod connection_tracker;
pub mod coverage;
pub mod demand;
pub mod differences;
pub mod differing;
mod disagreement_files;
pub(crate) mod expected;
pub mod explain;
pub mod export;
mod files;
pub mod health;
pub mod held;
pub mod judge;
mod kept;
pub mod predict;
pub mod proved;
pub mod proving;
#[cfg(any(test, fuzzing))]
pub mod readers;
mod reproduce;
pub mod results;
mod run;
pub mod services;
pub mod subject;
#[cfg(test)]
pub(crate) mod testing;
pub mod traffic;

pub use backend::Backend;
pub use expected::{FLOW_LOGS, LOAD_BALANCERS, SECTIONS};
pub use files::FilesFrom;
pub use results::*;
pub use run::{Options, Progress, RunError, Stepper, boot, boot_listening, run, run_eras, run_on};
pub use services::StartServices;
