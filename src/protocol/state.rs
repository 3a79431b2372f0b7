//! The state of a lab: its cloud whole, and what no cloud knows.

use std::path::PathBuf;
use std::sync::Arc;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::lab::ProcessState;
use crate::model::{Cloud, InstanceName, LoadBalancerName, ProcessName};
use crate::probe::ScheduledHealth;

/// Counts the operations that a lab has carried out since it came up; 0 before the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Revision(pub u64);

/// The state of a lab at a revision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Name of the lab.
    pub lab: String,
    /// Topology file, as it was named.
    pub file: String,
    /// Folder that paths of the file are meant from: absolute.
    pub folder: Option<PathBuf>,
    /// Process of the supervisor, by its number outside of the lab.
    pub pid: u32,
    /// Seconds since the lab came up.
    pub uptime: f64,
    /// Operations so far.
    pub revision: Revision,
    /// Instances, groups with their rules, addresses, load balancers, hosts, prefix lists.
    pub cloud: Arc<Cloud>,
    /// Seconds since the launch or last start of each instance that runs.
    pub running: IndexMap<InstanceName, f64>,
    /// Instances that wait for a process of theirs: EC2's `pending`.
    pub pending: Vec<InstanceName>,
    /// Processes by instance, in the order of their starts.
    pub processes: IndexMap<InstanceName, IndexMap<ProcessName, ProcessState>>,
    /// Health of the targets of each load balancer.
    pub health: IndexMap<LoadBalancerName, IndexMap<InstanceName, ScheduledHealth>>,
}
