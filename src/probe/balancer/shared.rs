//! State that the parts of a load balancer share: its plan, and the health of each instance, which can be looked at while it works.

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

/// Health of an instance behind a load balancer at a moment, by the checks of its schedule alone.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScheduledHealth {
    /// It gets connections.
    InService,
    /// It gets none: its first check is under way.
    InProgress,
    /// It gets none: checks have failed.
    Failed {
        /// Result of the last of them.
        why: Untaken,
    },
    /// It gets none yet: checks pass, and more have to.
    Passing {
        /// So many have, in a row.
        passed: u32,
    },
}

/// A load balancer at work, to look at.
#[derive(Clone, Debug)]
pub struct RunningBalancer(pub(super) Arc<Shared>);

impl RunningBalancer {
    /// Returns the standing of each instance behind it now.
    pub fn standings(&self) -> IndexMap<InstanceName, ScheduledHealth> {
        let of = |target: &Target| match (target.in_service, target.fresh, target.against) {
            (true, ..) => ScheduledHealth::InService,
            (false, true, _) => ScheduledHealth::InProgress,
            (false, false, 0) => ScheduledHealth::Failed { why: target.why.clone() },
            (false, false, passed) => ScheduledHealth::Passing { passed },
        };
        lock(&self.0.state).targets.iter().map(|(name, target)| (name.clone(), of(target))).collect()
    }

    /// Waits until each instance behind it has been checked once.
    pub async fn first_checks(&self) {
        let mut news = self.0.news.subscribe();
        loop {
            news.mark_unchanged();
            let in_progress = lock(&self.0.state).targets.values().any(|target| target.fresh);
            if !in_progress || news.changed().await.is_err() {
                return;
            }
        }
    }
}
