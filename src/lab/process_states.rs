//! The processes of a lab's instances, `services:` of a file: which are up, and how each is.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use indexmap::IndexMap;
use tokio::task::JoinSet;

use crate::model::{Cloud, InstanceName, ProcessName, Service};

/// State of a process of an instance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProcessState {
    /// It was not started: its instance does not run, one before it did not come up, or processes are not started at all.
    #[default]
    NotStarted,
    /// It was started, and does not listen on its port yet.
    Starting,
    /// It listens on its port; without one, it has begun.
    Ready,
    /// It has ended by itself, with this exit code.
    Exited(i32),
    /// It ran, did not listen on its port for so long that nobody waited any more, and was ended.
    GivenUp,
}

impl ProcessState {
    /// Returns `true` if it is still to be started, or to be ready.
    pub fn is_coming(self) -> bool {
        matches!(self, Self::NotStarted | Self::Starting)
    }
}

/// States of every process of a lab, at any moment, also while somebody waits for one.
#[derive(Clone, Debug, Default)]
pub struct ProcessStates(Arc<Mutex<HashMap<(InstanceName, ProcessName), ProcessState>>>);

impl ProcessStates {
    /// Returns the present state of a process.
    pub fn of(&self, instance: &InstanceName, process: &ProcessName) -> ProcessState {
        self.all().get(&(instance.clone(), process.clone())).copied().unwrap_or_default()
    }

    pub(super) fn set(&self, instance: &InstanceName, process: &ProcessName, state: ProcessState) {
        self.all().insert((instance.clone(), process.clone()), state);
    }

    /// Each entry is whole, whatever happened elsewhere.
    fn all(&self) -> MutexGuard<'_, HashMap<(InstanceName, ProcessName), ProcessState>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The processes of a lab.
#[derive(Debug, Default)]
pub(super) struct ProcessTable {
    /// Folder that paths of processes are relative to; nothing where they are not started at all.
    folder: Option<PathBuf>,
    /// Those of the instances that run, each watched by a task that ends with this: the end of a lab is no news of theirs.
    up: IndexMap<InstanceName, JoinSet<()>>,
    states: ProcessStates,
}

impl ProcessTable {
    /// Of a lab that starts them from a folder, or not at all.
    pub(super) fn of(folder: Option<PathBuf>) -> Self {
        Self { folder, ..Self::default() }
    }

    /// From now on they are started, and their paths are meant from this folder.
    pub(super) fn start_from(&mut self, folder: Option<PathBuf>) {
        self.folder = folder;
    }

    /// Takes up those of an instance, started or not: they are not started again until it leaves.
    pub(super) fn take_up(&mut self, instance: InstanceName, watched: JoinSet<()>) {
        self.up.insert(instance, watched);
    }

    /// Returns `true` if those of an instance are taken up.
    pub(super) fn are_taken_up(&self, instance: &InstanceName) -> bool {
        self.up.contains_key(instance)
    }

    /// Returns the state of each.
    pub(super) fn states(&self) -> &ProcessStates {
        &self.states
    }

    /// Folder that the paths of processes are relative to, if they are started.
    pub(super) fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// Returns `true` if a port is for a process of an instance, and processes are started.
    pub(super) fn hold(&self, cloud: &Cloud, instance: &InstanceName, service: Service) -> bool {
        let processes = cloud.instances.get(instance).map(|it| &it.processes);
        self.folder.is_some() && processes.is_some_and(|all| all.values().any(|process| process.port == Some(service)))
    }

    /// Forgets those of an instance.
    pub(super) fn leave(&mut self, instance: &InstanceName) {
        self.up.shift_remove(instance);
        self.states.all().retain(|(of, _), _| of != instance);
    }
}
