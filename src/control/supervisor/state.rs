//! The state of a lab as it is sent.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use indexmap::IndexMap;

use super::supervised::Supervised;
use crate::lab::{CurrentCloud, ProcessStates};
use crate::model::{Cloud, InstanceName, InstanceState, LoadBalancerName};
use crate::probe::RunningBalancer;
use crate::protocol::{Reply, Revision, State};

/// Parts of the state of a lab, also while a request is carried out: the cloud is that of the operation in force, and processes are as they are.
pub(super) struct Glimpse {
    lab: String,
    file: String,
    folder: Option<std::path::PathBuf>,
    pid: u32,
    up: Instant,
    revision: Revision,
    before: Arc<Cloud>,
    since: Arc<HashMap<InstanceName, Instant>>,
    now: CurrentCloud,
    processes: ProcessStates,
    balancers: IndexMap<LoadBalancerName, RunningBalancer>,
}

impl Glimpse {
    /// Of a lab, before a request.
    pub fn of(supervised: &Supervised) -> Self {
        let now = supervised.lab.now();
        Self {
            lab: supervised.name.to_string(),
            file: supervised.file.clone(),
            folder: supervised.lab.folder().map(std::path::Path::to_owned),
            pid: supervised.pid,
            up: supervised.up,
            revision: supervised.revision,
            before: now.cloud(),
            since: Arc::clone(&supervised.since),
            now,
            processes: supervised.lab.process_states(),
            balancers: supervised.lab.balancers_at_work(),
        }
    }

    /// The reply that has the state now.
    pub fn reply(&self) -> Reply {
        Reply::State(Box::new(self.state()))
    }

    /// The state now.
    fn state(&self) -> State {
        let cloud = with_hosts_of(&self.before, self.now.cloud());
        let runs = |cloud: &Cloud, name: &InstanceName| {
            cloud.instances.get(name).is_some_and(|it| it.state == InstanceState::Running)
        };
        let mut running = IndexMap::new();
        let mut pending = Vec::new();
        let mut processes: IndexMap<InstanceName, IndexMap<_, _>> = IndexMap::new();
        for (name, instance) in &cloud.instances {
            let state = |process| self.processes.of(name, process);
            let (ran, runs) = (runs(&self.before, name), runs(&cloud, name));
            if let Some(since) = self.since.get(name).filter(|_| ran && runs) {
                running.insert(name.clone(), since.elapsed().as_secs_f64());
            }
            if runs && !ran && instance.processes.keys().any(|process| state(process).is_coming()) {
                pending.push(name.clone());
            }
            if !instance.processes.is_empty() {
                let states = instance.processes.keys().map(|process| (process.clone(), state(process)));
                processes.insert(name.clone(), states.collect());
            }
        }
        State {
            lab: self.lab.clone(),
            file: self.file.clone(),
            folder: self.folder.clone(),
            pid: self.pid,
            uptime: self.up.elapsed().as_secs_f64(),
            revision: self.revision,
            running,
            pending,
            processes,
            health: self.balancers.iter().map(|(name, at_work)| (name.clone(), at_work.standings())).collect(),
            cloud,
        }
    }
}

/// A cloud without the hosts that are there for somebody's probe only. No operation changes hosts.
fn with_hosts_of(before: &Cloud, mut now: Arc<Cloud>) -> Arc<Cloud> {
    if now.hosts != before.hosts {
        Arc::make_mut(&mut now).hosts.clone_from(&before.hosts);
    }
    now
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Era;
    use crate::model::sample::Sample;

    #[test]
    fn a_host_that_is_there_for_somebodys_probe_is_not_in_the_state() {
        let before = Sample::new(Era::Vpc).group("G", &["tcp 22 from anywhere"]).instance("a", &["G"]).0;
        let mut probed = before.clone();
        let (name, host) = before.synthetic_host("203.0.113.9".parse().unwrap()).unwrap();
        probed.hosts.insert(name, host);
        assert_eq!(*with_hosts_of(&before, Arc::new(probed)), before);
    }
}
