//! What a run is of, known before its first step.

use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;

use super::outcomes::Evidence;
use crate::model::{Era, HostIp, HostName};

/// What was booted: known before the first step.
#[derive(Clone, Debug)]
pub struct Head {
    /// The file's stem.
    pub topology: String,
    /// The file as the user named it.
    pub file: Arc<str>,
    /// The era.
    pub era: Era,
    /// The first era of the file, which commands are about unless told otherwise.
    pub first_era: Era,
    /// Instances at boot.
    pub instances: usize,
    /// Hosts outside with their addresses.
    pub hosts: IndexMap<HostName, Vec<HostIp>>,
    /// Security groups at boot.
    pub groups: usize,
    /// Rules at boot.
    pub rules: usize,
    /// How long the lab took to come up.
    pub boot: Duration,
    /// What the results rest on.
    pub evidence: Evidence,
    /// What became of the services of the file; nothing where it has none.
    pub services: Option<ServicesTold>,
}

impl Head {
    /// How many addresses outside the cloud there are.
    pub fn addresses(&self) -> usize {
        self.hosts.values().map(Vec::len).sum()
    }
}

/// What became of the services of a file in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ServicesTold {
    /// They were not started: the harness listened in their place.
    NotStarted,
    /// They were started.
    Started,
}
