//! Errors of operations on a lab.

use std::io;

use crate::compile::CompileError;
use crate::fabric::FabricError;
use crate::model::{ConnectionName, InstanceName, ProcessName, Refusal};
use crate::sandbox::limits;

/// Error of an operation on a lab.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// EC2 would not carry it out; nothing changed.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A rule cannot be compiled; nothing changed.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// The kernel refused; what had been done was taken back.
    #[error(transparent)]
    Fabric(#[from] FabricError),
    /// The system has too little of something; nothing was made.
    #[error(transparent)]
    Scarce(#[from] limits::Scarce),
    /// The process is not in a sandbox, which must be entered before it has threads.
    #[error(
        "failed to boot a lab: the process is not in a sandbox. In a test, write `#[sglab::test]` in place of `#[test]` or \
         `#[tokio::test]`, or begin it with `sglab::sandboxed!();`; in a `main`, wrap its work in `sglab::testing::main`"
    )]
    NoSandbox,
    /// The observer of arrivals and verdicts could not be started.
    #[error("failed to start the thread that reads logs and links: {0}")]
    Observer(io::Error),
    /// The names of the lab could not be written for its programs.
    #[error("failed to write the {file}: {source}")]
    Names {
        /// Name of the file.
        file: String,
        /// The OS error.
        source: io::Error,
    },
    /// A connection that was to be held did not come about.
    #[error("the connection {name}, {flow}, could not be opened: {why}")]
    NotOpened {
        /// Its name.
        name: ConnectionName,
        /// Flow that it was to carry.
        flow: String,
        /// Outcome instead, in words.
        why: String,
    },
    /// A connection that was to be held did not come about, and nothing proves that it is for the groups.
    #[error("nothing proves whether the connection {name}, {flow}, can be opened: {why}")]
    NotProved {
        /// Its name.
        name: ConnectionName,
        /// Flow that it was to carry.
        flow: String,
        /// Outcome instead, in words.
        why: String,
    },
    /// Traffic that was to flow cannot.
    #[error("no traffic can flow for {flow}: {why}")]
    NoTraffic {
        /// Flow of the traffic.
        flow: String,
        /// Obstacle, in words.
        why: String,
    },
    /// Traffic that was to flow would prove nothing.
    #[error("nothing would be proved by traffic for {flow}: {why}")]
    UnprovedTraffic {
        /// Flow of the traffic.
        flow: String,
        /// Evidence that is missing, in words.
        why: String,
    },
    /// A connection is remembered though it was idle for its time.
    #[error("the connection {name} is still tracked: {why}")]
    NotForgotten {
        /// Its name.
        name: ConnectionName,
        /// Evidence that it is still tracked, in words.
        why: String,
    },
    /// A process of an instance did not come up; the instance runs, and so does everything else.
    #[error("the service {process} of {instance} did not come up: {why}{last_words}")]
    Process {
        /// Instance that the service is of.
        instance: InstanceName,
        /// Name of the process.
        process: ProcessName,
        /// Reason, in words.
        why: String,
        /// Last output of the process, in indented lines.
        last_words: String,
    },
    /// The first process of an instance could not be started; the instance runs without.
    #[error("no program can be started: {0}")]
    Machine(String),
    /// An instance would begin without what it mounts; nothing changed.
    #[error("{0}; nothing has changed")]
    NoMounts(String),
    /// An earlier change could neither be finished nor taken back.
    #[error("the lab is broken: {0}")]
    Broken(String),
}

impl LabError {
    /// Returns `true` if the topology file asks for what cannot be, on any machine.
    pub fn is_of_the_file(&self) -> bool {
        matches!(
            self,
            Self::Refused(_)
                | Self::Compile(_)
                | Self::NotOpened { .. }
                | Self::NoTraffic { .. }
                | Self::Process { .. }
        )
    }
}
