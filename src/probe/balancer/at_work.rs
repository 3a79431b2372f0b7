//! A load balancer looked at while it works: what it thinks of each instance now, without waiting.

use std::sync::Arc;

use indexmap::IndexMap;

use super::shared::{Shared, Target, lock};
use crate::model::InstanceName;
use crate::probe::failure::Untaken;

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
