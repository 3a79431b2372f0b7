//! The running cloud: applies operations to the state and to the kernel, and probes it.
//!
//! An operation is judged by the pure [`apply`](fn@crate::model::apply), compiled, and the difference goes to the
//! kernel. If any part of that fails, kernel and state are as they were, or the lab says that it is broken.

mod addresses;
mod alteration;
mod altered;
mod balancers;
mod booted;
mod change;
mod connections;
mod error;
pub mod flow_log;
mod heard;
mod held;
mod hosts_file;
mod inside;
mod kernel_snapshot;
mod lent;
mod listeners;
mod logs;
mod mounted;
mod names;
mod paths;
mod probing;
mod process_states;
mod processes;
mod programs;
#[cfg(any(test, fuzzing))]
pub mod readers;
mod resolved;
mod room;
mod services;
mod shared_folders;
pub mod sources;
mod state;
mod synthetic_hosts;
mod traffic;
mod unfit;
mod verdicts;
mod ways;

pub use alteration::Alteration;
pub use balancers::HealthOfAll;
pub use booted::Lab;
pub use change::InForce;
pub use connections::{Admission, Admissions, AdmittedBy};
pub use error::LabError;
pub use heard::PacketEndpoints;
pub use heard::Verdicts;
pub use inside::Site;
pub use kernel_snapshot::KernelSnapshot;
pub use kernel_snapshot::{RuleHandles, RulePackets};
pub use listeners::Listeners;
pub use probing::Captured;
pub use process_states::{ProcessState, ProcessStates};
pub use processes::ProcessLogError;
pub use programs::{Door, ProgramError};
pub use services::{CurrentCloud, ServiceResponse};
pub use shared_folders::folder_of_labs;
pub use unfit::UnmountableReason;
