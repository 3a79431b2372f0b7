//! Programs of the caller's own: in an instance they live as long as it runs, in a host outside as long as the lab.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use super::{Lab, LabError, Site};
use crate::compile::names;
use crate::fabric::machine::view::{Mount, Source};
use crate::fabric::machine::{Entrance, Machine, Program, Running, StartError};
use crate::fabric::sandbox;
use crate::model::{InstanceName, InstanceState};

/// Why a program was not started.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// Nobody has this name.
    #[error("there is no instance or host `{0}`")]
    Nobody(String),
    /// The instance does not run.
    #[error("{0} does not run; `sglab start {0}` starts it")]
    NotRunning(InstanceName),
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
            let started = Machine::start(&self.in_site(site)?, data, self.mounts(site), sandbox).await;
            let machine = started.map_err(|source| ProgramError::Start { site: site.clone(), source })?;
            self.machines.insert(node.clone(), machine);
        }
        self.machines.get(&node).ok_or_else(|| ProgramError::Nobody(site.to_string()))
    }

    /// What an instance sees beside what every one does: the folder that its services' paths are meant from.
    fn mounts(&self, site: &Site) -> Vec<Mount> {
        let has_services = matches!(site, Site::Instance(name) if self.cloud.instances.get(name).is_some_and(|it| !it.daemons.is_empty()));
        let folder = self.daemons.folder().filter(|folder| has_services && !is_shared(folder));
        folder
            .map(|folder| Mount { place: folder.to_owned(), source: Source::ReadOnly(folder.to_owned()) })
            .into_iter()
            .collect()
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
