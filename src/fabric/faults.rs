//! Faults on purpose. A test that holds a fabric's [`Faults`] makes the kernel, nft or the log fail where it says; who
//! asks for none gets none, and pays one look at a flag.
//!
//! Whatever a fabric does to the kernel is a step. While faults are armed, steps are taken one after the other, so
//! that the same operation has the same steps every time.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::network::NodeName;

/// The faults of one fabric; a clone is another handle on the same ones.
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    armed: AtomicBool,
    plan: Mutex<Plan>,
}

#[derive(Debug, Default)]
struct Plan {
    wanted: BTreeMap<usize, Moment>,
    taken: Vec<Step>,
    nft: Option<Nft>,
    log: Option<LogFault>,
    late_ends: bool,
}

/// Another program in the place of nft, and how long it may run.
#[derive(Clone, Debug)]
pub struct Nft {
    /// The program.
    pub program: PathBuf,
    /// Time that it may run.
    pub patience: Duration,
}

/// Fault of the log of verdicts, in every namespace whose log is opened from then on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFault {
    /// Every so many records one is lost on the way.
    LoseEvery(u64),
    /// Every so many reads the kernel had no space left, and what was to be read is lost.
    OverflowEvery(u64),
    /// It cannot be read any more.
    Unreadable,
    /// It never says that there is something to read; who reads it all the same finds it.
    Silent,
}

/// Moment at which a step fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// It has no effect.
    Before,
    /// It has its effect, and the answer says that it failed.
    After,
}

/// Something that a fabric did, or was to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Namespace.
    pub node: NodeName,
    /// Action: `add route 10.0.0.11/32`.
    pub attempt: String,
    /// Moment of the fault that met it, if one did.
    pub failed: Option<Moment>,
}

impl Faults {
    /// From now on steps are counted from 0, and these fail.
    pub fn arm(&self, faults: impl IntoIterator<Item = (usize, Moment)>) {
        let mut plan = self.plan();
        (plan.wanted, plan.taken) = (faults.into_iter().collect(), Vec::new());
        self.0.armed.store(true, Ordering::Relaxed);
    }

    /// No step fails any more. Gives the steps since [`Faults::arm`].
    pub fn disarm(&self) -> Vec<Step> {
        self.0.armed.store(false, Ordering::Relaxed);
        let mut plan = self.plan();
        plan.wanted.clear();
        std::mem::take(&mut plan.taken)
    }

    /// From now on this runs in the place of nft; nothing puts nft itself back.
    pub fn replace_nft(&self, nft: Option<Nft>) {
        self.plan().nft = nft;
    }

    /// Sets the fault of logs that are opened from now on.
    pub fn spoil_logs(&self, fault: Option<LogFault>) {
        self.plan().log = fault;
    }

    /// From now on, who listens to the ends of flows does not hear of one by itself, and has read none before it is asked to: as
    /// a thread to which a busy machine gives no time.
    pub fn delay_ends(&self) {
        self.plan().late_ends = true;
    }

    /// Reports whether steps are counted, and therefore taken one by one.
    pub(crate) fn are_armed(&self) -> bool {
        self.0.armed.load(Ordering::Relaxed)
    }

    /// Counts a step, and says whether it is to fail.
    pub(crate) fn step(&self, node: &NodeName, attempt: &str) -> Option<Moment> {
        if !self.are_armed() {
            return None;
        }
        let mut plan = self.plan();
        let number = plan.taken.len();
        let failed = plan.wanted.remove(&number);
        plan.taken.push(Step { node: node.clone(), attempt: attempt.to_owned(), failed });
        failed
    }

    /// Counts a step that is one call, and carries it out unless it is to fail.
    pub(crate) fn around<T>(
        &self,
        node: &NodeName,
        attempt: &str,
        call: impl FnOnce() -> io::Result<T>,
    ) -> io::Result<T> {
        match self.step(node, attempt) {
            None => call(),
            Some(Moment::Before) => Err(error()),
            Some(Moment::After) => call().and(Err(error())),
        }
    }

    pub(super) fn nft(&self) -> Option<Nft> {
        self.plan().nft.clone()
    }

    pub(super) fn log(&self) -> Option<LogFault> {
        self.plan().log
    }

    pub(super) fn ends_are_late(&self) -> bool {
        self.plan().late_ends
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        // A test that panics with it in its hands has failed already.
        self.0.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Nft {
    /// A program in the place of nft.
    pub fn new(program: &Path, patience: Duration) -> Self {
        Self { program: program.to_owned(), patience }
    }
}

/// Returns the error of a step that fails on purpose: it could happen to any.
pub(super) fn error() -> io::Error {
    io::Error::from_raw_os_error(libc::ENOMEM)
}
