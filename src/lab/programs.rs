//! Programs of the caller's own: in an instance they live as long as it runs, in a host outside as long as the lab.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use super::{Lab, LabError, Site};
use crate::compile::names;
use crate::fabric::machine::view::{Mount, Source};
use crate::fabric::machine::{Entrance, Machine, Program, Running, StartError};
use crate::fabric::sandbox;
use crate::model::{InstanceName, InstanceState, MountAccess, MountPlace, MountSource};

/// Why a program was not started.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// Nobody has this name.
    #[error("there is no instance or host `{0}`")]
    Nobody(String),
    /// The instance does not run.
    #[error("{0} does not run; `sglab start {0}` starts it")]
    NotRunning(InstanceName),
    /// What it is to see cannot be found.
    #[error("in {instance}: failed to mount {path} at {place}: {why}")]
    Mount {
        /// Which instance.
        instance: InstanceName,
        /// Where.
        place: MountPlace,
        /// What, as the file says it.
        path: String,
        /// Why not.
        why: String,
    },
    /// Its first process was not started: the system's word.
    #[error("in {site}: {source}")]
    Machine {
        /// Where.
        site: Site,
        /// The system's word.
        source: StartError,
    },
    /// The system's word.
    #[error("in {site}: {source}")]
    Start {
        /// Where.
        site: Site,
        /// The system's word.
        source: StartError,
    },
    /// The lab's own.
    #[error(transparent)]
    Lab(#[from] LabError),
}

/// Where programs of one instance or host are started. What it leads to ends as it does otherwise.
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

    /// Where programs of an instance that runs, or of a host outside, are started; the lab need not wait for one to begin.
    ///
    /// # Errors
    /// [`ProgramError`].
    pub async fn door_of(&mut self, name: &str) -> Result<Door, ProgramError> {
        self.refuse_broken()?;
        let site = Site::named(&self.cloud, name).ok_or_else(|| ProgramError::Nobody(name.to_owned()))?;
        if let Site::Instance(name) = &site {
            let state = self.cloud.instances.get(name).map(|it| it.state);
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
            let sandbox = sandbox::current().ok_or(LabError::NoSandbox)?;
            let data = self.fabric.volume_for(&Path::new("data").join(&node.0)).map_err(LabError::from)?;
            let started = Machine::start(&self.in_site(site)?, data, self.mounts(site)?, sandbox).await;
            let machine = started.map_err(|source| ProgramError::Machine { site: site.clone(), source })?;
            self.machines.insert(node.clone(), machine);
        }
        self.machines.get(&node).ok_or_else(|| ProgramError::Nobody(site.to_string()))
    }

    /// What an instance sees beside what every one does: its `mounts`, and the folder that its services' paths are meant from.
    fn mounts(&self, site: &Site) -> Result<Vec<Mount>, ProgramError> {
        let Site::Instance(name) = site else { return Ok(Vec::new()) };
        let Some(instance) = self.cloud.instances.get(name) else { return Ok(Vec::new()) };
        let mut mounts: Vec<Mount> = Vec::new();
        for (place, source) in &instance.mounts {
            let source = match source {
                MountSource::Empty => Source::Empty,
                MountSource::Path(path, access) => {
                    let host = self.found(path).map_err(|why| {
                        let (instance, place, path) = (name.clone(), place.clone(), path.clone());
                        ProgramError::Mount { instance, place, path, why }
                    })?;
                    match access {
                        MountAccess::ReadOnly => Source::ReadOnly(host),
                        MountAccess::Writable => Source::Writable(host),
                    }
                }
            };
            mounts.push(Mount { place: place.as_str().into(), source });
        }
        let folder = self.daemons.folder().filter(|folder| !instance.daemons.is_empty() && !is_shared(folder));
        if let Some(folder) = folder.filter(|folder| mounts.iter().all(|mount| mount.place != **folder)) {
            mounts.push(Mount { place: folder.to_owned(), source: Source::Surroundings(folder.to_owned()) });
        }
        Ok(mounts)
    }

    /// Where a file or a folder is that the topology file names; else why it cannot be found.
    fn found(&self, path: &str) -> Result<PathBuf, String> {
        let host = match (Path::new(path), &self.folder) {
            (path, _) if path.is_absolute() => path.to_owned(),
            (path, Some(folder)) => folder.join(path),
            (_, None) => return Err("it is meant from the folder of a file, and this cloud is of none".to_owned()),
        };
        match std::fs::metadata(&host) {
            Ok(_) => Ok(host),
            Err(error) => Err(format!("{}: {error}", host.display())),
        }
    }

    /// Ends every program of an instance; none is left after that.
    pub(super) async fn end_programs(&mut self, instance: &InstanceName) {
        self.daemons.leave(instance);
        if let Some(machine) = self.machines.shift_remove(&names::instance(instance)) {
            machine.end().await;
        }
    }
}

/// Whether a folder is more than a project's: the home folder of the user, the folder of all temporary files, or one that has such in it.
fn is_shared(folder: &Path) -> bool {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let shared = ["/tmp", "/var/tmp", "/run", "/root", "/home", "/dev", "/proc", "/sys"].map(PathBuf::from);
    shared.into_iter().chain(home).any(|shared| shared.starts_with(folder))
}
