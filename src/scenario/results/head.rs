//! Head of a run, known before its first step.

use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;

use super::outcomes::Evidence;
use crate::model::{Era, HostIp, HostName};

/// Facts about a run that are known before its first step.
#[derive(Clone, Debug)]
pub struct Head {
    /// The file's stem.
    pub topology: String,
    /// The file as the user named it.
    pub file: Arc<str>,
    /// The era.
    pub era: Era,
    /// The first era of the topology, which commands are about unless told otherwise.
    pub first_era: Era,
    /// Steps of the file, whatever their eras.
    pub steps: usize,
    /// Instances at boot.
    pub instances: usize,
    /// Hosts outside with their addresses.
    pub hosts: IndexMap<HostName, Vec<HostIp>>,
    /// Security groups at boot.
    pub groups: usize,
    /// Rules at boot.
    pub rules: usize,
    /// Time that the lab took to come up.
    pub boot: Duration,
    /// Kind of evidence that the results rest on.
    pub evidence: Evidence,
    /// Fate of the services of the file; nothing where it has none.
    pub services: Option<ServicesTold>,
}

impl Head {
    /// Counts the addresses outside the cloud.
    pub fn addresses(&self) -> usize {
        self.hosts.values().map(Vec::len).sum()
    }
}

/// Fate of the services of a file in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ServicesTold {
    /// They were not started: the harness listened in their place.
    NotStarted,
    /// They were started.
    Started,
}
