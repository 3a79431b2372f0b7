//! The lab of a test: one value, whose handles can be held side by side.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tokio::sync::{Mutex as AsyncMutex, MutexGuard, watch};

use super::error::Error;
use super::error::unknown;
use super::seen::Probed;
use crate::lab::{self, Listeners, Site};
use crate::model::{Cloud, Direction, Era, Flow, InstanceName, Operation};
use crate::report::{Style, terminal};
use crate::scenario::{self, FilesFrom, Options, RunVerdict, cells};
use crate::topology::{Topology, read_flow, read_operations, read_rules};

/// A running cloud. Dropping it takes it down, with everything that runs in it.
///
/// Any number of labs may be up in one process, with the same addresses too: none sees another's packets.
#[derive(Debug)]
pub struct Lab {
    running: AsyncMutex<lab::Lab>,
    cloud: RwLock<Arc<Cloud>>,
    /// Senders by instance: dropping one ends what runs in its instance.
    lives: Mutex<HashMap<InstanceName, watch::Sender<()>>>,
    pub(super) connections: AtomicU64,
}

impl Lab {
    /// Boots the cloud of a topology, under the first of its eras.
    ///
    /// # Errors
    /// [`Error::Lab`], outside of a sandbox too: see [`testing`](crate::testing).
    pub async fn boot(topology: &Topology) -> Result<Self, Error> {
        Self::boot_under(topology, topology.eras[0]).await
    }

    /// Boots the cloud of a topology under an era.
    ///
    /// # Errors
    /// As [`Self::boot`], and where the era does not take that cloud.
    pub async fn boot_under(topology: &Topology, era: Era) -> Result<Self, Error> {
        // No columns: what the harness does not hold, a program of the test can.
        let listeners = Listeners { columns: Default::default(), closed_ports: topology.closed_ports.clone() };
        let (running, _) = scenario::boot_listening(topology, era, listeners).await?;
        let cloud = RwLock::new(Arc::new(running.cloud().clone()));
        Ok(Self { running: AsyncMutex::new(running), cloud, lives: Mutex::default(), connections: AtomicU64::new(0) })
    }

    /// Reads a topology file and boots its cloud; it need not have a scenario.
    ///
    /// # Errors
    /// [`Error::File`]; [`Error::Words`]; and as [`Self::boot`].
    pub async fn boot_file(file: impl AsRef<Path>) -> Result<Self, Error> {
        let file = file.as_ref();
        let name = file.display().to_string();
        let bytes = std::fs::read(file).map_err(|source| Error::File { file: name.clone(), source })?;
        Self::boot(&Topology::parse_cloud_beside(&name, &bytes, &FilesFrom::beside(&name))?).await
    }

    /// Starts the services of the instances that run, and waits until each is ready; from now on they start and end with their
    /// instance. Their paths are meant from `folder`. Without this, none is started.
    ///
    /// # Errors
    /// [`Error::Lab`] with the last words of the first that did not come up. Everything else goes on.
    pub async fn start_services(&self, folder: impl AsRef<Path>) -> Result<(), Error> {
        let folder = std::path::absolute(folder.as_ref())
            .map_err(|source| Error::File { file: folder.as_ref().display().to_string(), source })?;
        Ok(self.running.lock().await.start_processes(folder).await?)
    }

    /// The state of the cloud now: instances, groups, rules, addresses.
    pub fn cloud(&self) -> Arc<Cloud> {
        Arc::clone(&self.cloud.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Carries out operations, in the words of a file's `do:`, one or a list: `stop: web1`,
    /// `authorize: {db: [tcp 5432 from office]}`. All are carried out, or none where one of them is refused.
    ///
    /// # Errors
    /// [`Error::Words`]; [`Error::Refused`] in EC2's words, and then nothing has changed.
    pub async fn apply(&self, operations: &str) -> Result<(), Error> {
        let read: Vec<Operation> =
            read_operations(&self.cloud(), operations)?.into_iter().map(|placed| placed.value).collect();
        self.apply_all(&read).await
    }

    /// Carries out operations, all of them or none.
    pub(super) async fn apply_all(&self, operations: &[Operation]) -> Result<(), Error> {
        let mut running = self.running.lock().await;
        running.rehearse(operations).map_err(|failed| failed.1)?;
        for operation in operations {
            self.carry_out_on(&mut running, operation).await?;
        }
        Ok(())
    }

    /// Carries out one operation.
    ///
    /// # Errors
    /// [`Error::Refused`] in EC2's words; [`Error::Lab`]. Cloud and kernel are as before then, but where a service did not come
    /// up: its instance runs.
    pub async fn carry_out(&self, operation: &Operation) -> Result<(), Error> {
        self.carry_out_on(&mut *self.running.lock().await, operation).await
    }

    async fn carry_out_on(&self, running: &mut lab::Lab, operation: &Operation) -> Result<(), Error> {
        let done = running.carry_out(operation).await?;
        if let Operation::Stop(name) | Operation::Crash(name) | Operation::Reboot(name) | Operation::Terminate(name) =
            operation
        {
            self.lives.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
        }
        *self.cloud.write().unwrap_or_else(PoisonError::into_inner) = running.now().cloud();
        Ok(done.processes?)
    }

    /// Adds ingress rules to a group: `lab.authorize("db", ["tcp 5432 from web"])`.
    ///
    /// # Errors
    /// As [`Self::apply`].
    pub async fn authorize(&self, group: &str, rules: impl IntoIterator<Item: AsRef<str>>) -> Result<(), Error> {
        let (group, rules) = read_rules(&self.cloud(), group, Direction::Ingress, rules)?;
        self.carry_out(&Operation::AuthorizeIngress(group, rules)).await
    }

    /// Takes ingress rules from a group.
    ///
    /// # Errors
    /// As [`Self::apply`].
    pub async fn revoke(&self, group: &str, rules: impl IntoIterator<Item: AsRef<str>>) -> Result<(), Error> {
        let (group, rules) = read_rules(&self.cloud(), group, Direction::Ingress, rules)?;
        self.carry_out(&Operation::RevokeIngress(group, rules)).await
    }

    /// Probes a flow, in the words of a file: `web1 -> db1:5432`, `any -> web:443`, `web1 -> db1:22 by public address`.
    /// Where no program holds the port the harness answers, so that what the groups let through is open.
    ///
    /// # Errors
    /// [`Error::Words`]; [`Error::NoFlow`] if it means nobody now; [`Error::Lab`].
    pub async fn probe(&self, flow: &str) -> Result<Probed, Error> {
        self.probe_all([flow]).await
    }

    /// Probes many flows, all at the same time.
    ///
    /// # Errors
    /// As [`Self::probe`].
    pub async fn probe_all(&self, flows: impl IntoIterator<Item: AsRef<str>>) -> Result<Probed, Error> {
        let mut running = self.running.lock().await;
        let mut all: Vec<Flow> = Vec::new();
        for words in flows {
            for flow in select(running.cloud(), words.as_ref())? {
                if !all.contains(&flow) {
                    all.push(flow);
                }
            }
        }
        let batch = running.probe(&all).await?;
        Ok(Probed::new(&batch, running.cloud()))
    }

    pub(super) async fn running(&self) -> MutexGuard<'_, lab::Lab> {
        self.running.lock().await
    }

    /// Ends with the present life of an instance.
    pub(super) fn life(&self, name: &InstanceName) -> watch::Receiver<()> {
        let mut lives = self.lives.lock().unwrap_or_else(PoisonError::into_inner);
        lives.entry(name.clone()).or_insert_with(|| watch::Sender::new(())).subscribe()
    }

    /// Finds the instance or host of this name.
    pub(super) fn site(&self, name: &str) -> Result<Site, Error> {
        let cloud = self.cloud();
        Site::named(&cloud, name).ok_or_else(|| unknown("instance or host", name, Site::names(&cloud)))
    }
}

/// Runs the scenario of a topology under each of its eras, as `sglab test` does.
///
/// # Errors
/// [`Error::Lab`] and [`Error::Scenario`] if it cannot be run to its end.
///
/// # Panics
/// With the report, if something is not as the file expects, or not proved.
#[track_caller]
pub fn assert_scenario(topology: &Topology) -> impl Future<Output = Result<(), Error>> {
    let caller = std::panic::Location::caller();
    async move {
        for era in &topology.eras {
            let result = scenario::run(topology, *era, &Options::default(), &mut |_| {}).await?;
            if result.verdict != RunVerdict::Passed {
                let report = terminal::run(&result, Style::default());
                super::seen::fail_at(caller, &format!("{} does not hold\n{report}", topology.file));
            }
        }
        Ok(())
    }
}

/// The flows that the words mean now.
pub(super) fn select(cloud: &Cloud, words: &str) -> Result<Vec<Flow>, Error> {
    cells::select(&read_flow(cloud, words)?, None, cloud).map_err(Error::NoFlow)
}
