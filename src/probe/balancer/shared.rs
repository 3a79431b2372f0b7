//! State that the parts of a load balancer share: its plan, and the health of each instance.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use indexmap::IndexMap;
use tokio::sync::watch;

use crate::fabric::Namespace;
use crate::model::{HealthCheck, InstanceName, Port};
use crate::probe::evidence::EvidenceBoard;
use crate::probe::failure::Untaken;

/// Configuration of a load balancer.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Its namespace.
    pub node: Arc<Namespace>,
    /// Its address there, from which it opens its own connections.
    pub address: IpAddr,
    /// Its ports, each with that of the instances.
    pub listeners: IndexMap<Port, Port>,
    /// Health check that decides which instances are in service.
    pub health_check: HealthCheck,
}

#[derive(Debug)]
pub struct Shared {
    pub plan: Plan,
    pub board: Arc<EvidenceBoard>,
    pub state: Mutex<State>,
    /// Counts the changes of state, and first checks.
    pub news: watch::Sender<u64>,
}

#[derive(Debug, Default)]
pub struct State {
    pub targets: IndexMap<InstanceName, Target>,
    pub turn: usize,
}

#[derive(Clone, Debug)]
pub struct Target {
    pub address: IpAddr,
    pub in_service: bool,
    /// Nothing is known of it yet: one pass brings it into service.
    pub fresh: bool,
    /// Number of checks in a row that contradict its present state.
    pub against: u32,
    pub why: Untaken,
}

/// A panic elsewhere leaves whole targets.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
