//! Programs of the caller's own: in an instance they live as long as it runs, in a host outside as long as the lab.

use std::os::fd::OwnedFd;
use std::path::Path;

use super::booted::Lab;
use super::error::LabError;
use super::inside::Site;
use super::shared_folders::is_shared;
use crate::compile::names;
use crate::fabric::Inside;
use crate::model::{Cloud, InstanceName, InstanceState, MountAccess, MountPlace, MountSource, Operation};
use crate::network::NodeName;
use crate::sandbox;
use crate::sandbox::machine::view::{Mount, Mounts, Source};
use crate::sandbox::machine::{Entrance, Machine, Program, Running, StartError};

/// Error for which a program was not started.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// Nobody has this name.
    #[error("there is no instance or host `{0}`")]
    Nobody(String),
    /// The instance does not run.
    #[error("{0} does not run; `sglab start {0}` starts it")]
    NotRunning(InstanceName),
    /// A mount that it is to see cannot be found.
    #[error("in {instance}: failed to mount {path} at {place}: {why}")]
    Mount {
        /// Instance that mounts it.
        instance: InstanceName,
        /// Path in the instance.
        place: MountPlace,
        /// Path on the host, as the file says it.
        path: String,
        /// Reason, in words.
        why: String,
    },
    /// Its first process was not started.
    #[error("in {site}: {source}")]
    Machine {
        /// Instance or host of the program.
        site: Site,
        /// Action that failed, with the OS error.
        source: StartError,
    },
    /// The program was not started.
    #[error("in {site}: {source}")]
    Start {
        /// Instance or host of the program.
        site: Site,
        /// Action that failed, with the OS error.
        source: StartError,
    },
    /// The lab's own.
    #[error(transparent)]
    Lab(#[from] LabError),
}

/// Entrance by which programs of one instance or host are started. What was started by it ends as it does otherwise.
#[derive(Clone, Debug)]
pub struct Door {
    site: Site,
    entrance: Entrance,
}

impl Door {
    /// Starts a program there: see [`Lab::start_program`].
    ///
    /// # Errors
    /// [`ProgramError::Start`].
    pub async fn start(&self, program: Program, stdio: [OwnedFd; 3]) -> Result<Running, ProgramError> {
        let started = self.entrance.run(program, stdio).await;
        started.map_err(|source| ProgramError::Start { site: self.site.clone(), source })
    }
}

impl Lab {
    /// Starts a program in an instance or a host outside, with this input, output and errors. It is root there, and fenced off from
    /// everything else; it finds the lab's names and resolver in `/etc`, and in an instance the metadata service at its address.
    ///
    /// It ends with its instance, when that is stopped, crashes, is rebooted or terminated; and when the lab goes down.
    ///
    /// # Errors
    /// [`ProgramError`].
    pub async fn start_program(
        &mut self,
        name: &str,
        program: Program,
        stdio: [OwnedFd; 3],
    ) -> Result<Running, ProgramError> {
        self.door_of(name).await?.start(program, stdio).await
    }

    /// Returns the door by which programs of an instance that runs, or of a host outside, are started; the lab need not wait for one to begin.
    ///
    /// # Errors
    /// [`ProgramError`].
    pub async fn door_of(&mut self, name: &str) -> Result<Door, ProgramError> {
        self.refuse_broken()?;
        let site = Site::named(self.state.cloud(), name).ok_or_else(|| ProgramError::Nobody(name.to_owned()))?;
        if let Site::Instance(name) = &site {
            let state = self.state.cloud().instances.get(name).map(|it| it.state);
            if state != Some(InstanceState::Running) {
                return Err(ProgramError::NotRunning(name.clone()));
            }
        }
        let entrance = self.machine(&site).await?.entrance();
        Ok(Door { site, entrance })
    }

    /// The first process of an instance that runs, or of a host; started if it is not there.
    pub(super) async fn machine(&mut self, site: &Site) -> Result<&Machine, ProgramError> {
        let node = site.node();
        if self.machines.get(&node).is_some_and(Machine::has_ended) {
            self.machines.shift_remove(&node);
        }
        if !self.machines.contains_key(&node) {
            self.mounted.learn(self.state.cloud());
            let mounts = self.mounts(self.state.cloud(), site)?;
            let machine = self.new_machine(self.in_site(site)?, site, mounts).await?;
            self.machines.insert(node.clone(), machine);
        }
        self.machines.get(&node).ok_or_else(|| ProgramError::Nobody(site.to_string()))
    }

    async fn new_machine(&self, inside: Inside, site: &Site, all: Vec<Mount>) -> Result<Machine, ProgramError> {
        let sandbox = sandbox::current().ok_or(LabError::NoSandbox)?;
        let data =
            self.state.fabric().files().volume_for(&Path::new("data").join(&site.node().0)).map_err(LabError::from)?;
        let mounts = Mounts { all, written: self.mounted.written().cloned().collect() };
        let started = inside.start_machine(data, mounts, sandbox).await;
        started.map_err(|source| ProgramError::Machine { site: site.clone(), source })
    }

    /// Asks whether there is what instances mount that are to begin in a cloud of soon. Nothing has been done for it yet.
    pub(super) fn refuse_missing_mounts(&mut self, cloud: &Cloud, operation: &Operation) -> Result<(), LabError> {
        let beginning = self.beginning(cloud, Some(operation));
        if !beginning.is_empty() {
            self.mounted.learn(cloud);
        }
        for name in beginning {
            self.mounts(cloud, &Site::Instance(name)).map_err(no_mounts)?;
        }
        Ok(())
    }

    /// Starts the first processes of the instances that mount something and begin with an operation, before it is beyond recall.
    pub(super) async fn start_with_mounts(
        &self,
        cloud: &Cloud,
        operation: Option<&Operation>,
        started: &mut Vec<(NodeName, Machine)>,
    ) -> Result<(), LabError> {
        for name in self.beginning(cloud, operation) {
            let site = Site::Instance(name);
            let mounts = self.mounts(cloud, &site).map_err(no_mounts)?;
            let inside = self.in_site_of(cloud, &site)?;
            started.push((site.node(), self.new_machine(inside, &site, mounts).await.map_err(no_mounts)?));
        }
        Ok(())
    }

    /// The instances that mount something and begin with an operation, in a lab that starts processes.
    fn beginning(&self, cloud: &Cloud, operation: Option<&Operation>) -> Vec<InstanceName> {
        if self.processes.folder().is_none() {
            return Vec::new();
        }
        let state = |cloud: &Cloud, name: &InstanceName| cloud.instances.get(name).map(|instance| instance.state);
        let runs = |cloud: &Cloud, name: &InstanceName| state(cloud, name) == Some(InstanceState::Running);
        let begins = |name: &InstanceName| {
            let is_rebooted = matches!(operation, Some(Operation::Reboot(rebooted)) if rebooted == name);
            runs(cloud, name) && (is_rebooted || !runs(self.state.cloud(), name))
        };
        let mounting = cloud.instances.iter().filter(|(name, it)| !it.mounts.is_empty() && begins(name));
        mounting.map(|(name, _)| name.clone()).collect()
    }

    /// Lists what an instance sees beside what every one does: its `mounts`, and the folder that its processes' paths are meant from.
    fn mounts(&self, cloud: &Cloud, site: &Site) -> Result<Vec<Mount>, ProgramError> {
        let Site::Instance(name) = site else { return Ok(Vec::new()) };
        let Some(instance) = cloud.instances.get(name) else { return Ok(Vec::new()) };
        let mut mounts: Vec<Mount> = Vec::new();
        for (place, source) in &instance.mounts {
            let (source, owner) = match source {
                MountSource::Empty => (Source::Empty, None),
                MountSource::Path(path, access) => {
                    let (host, owner) = self.mounted.found(path, *access).map_err(|why| {
                        let (instance, place, path) = (name.clone(), place.clone(), path.clone());
                        ProgramError::Mount { instance, place, path, why }
                    })?;
                    match access {
                        MountAccess::ReadOnly => (Source::ReadOnly(host), owner),
                        MountAccess::Writable => (Source::Writable(host), owner),
                    }
                }
            };
            mounts.push(Mount { place: place.as_str().into(), source, owner });
        }
        let folder = self.processes.folder().filter(|folder| !instance.processes.is_empty() && !is_shared(folder));
        if let Some(folder) = folder.filter(|folder| mounts.iter().all(|mount| mount.place != **folder)) {
            let host = self.mounted.untampered(folder).map_err(LabError::Machine)?.path;
            mounts.push(Mount { place: folder.to_owned(), source: Source::Surroundings(host), owner: None });
        }
        Ok(mounts)
    }

    /// Ends every program of an instance; none is left after that.
    pub(super) async fn end_programs(&mut self, instance: &InstanceName) {
        self.processes.leave(instance);
        if let Some(machine) = self.machines.shift_remove(&names::instance(instance)) {
            machine.end().await;
        }
    }
}

fn no_mounts(error: ProgramError) -> LabError {
    match error {
        ProgramError::Lab(LabError::Machine(why)) => LabError::NoMounts(why),
        ProgramError::Lab(error) => error,
        other => LabError::NoMounts(other.to_string()),
    }
}
