//! Programs of the caller's own in instances: they live as long as their instance runs.

use std::os::fd::OwnedFd;
use std::path::Path;

use super::{Lab, LabError};
use crate::fabric::machine::{Machine, Program, Running, StartError};
use crate::fabric::sandbox;
use crate::model::{InstanceName, InstanceState};

/// Why a program was not started in an instance.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// There is no such instance.
    #[error("there is no instance `{0}`")]
    NoInstance(InstanceName),
    /// It does not run.
    #[error("{0} does not run; `sglab start {0}` starts it")]
    NotRunning(InstanceName),
    /// The system's word.
    #[error("in {instance}: {source}")]
    Start {
        /// In which instance.
        instance: InstanceName,
        /// The system's word.
        source: StartError,
    },
    /// The lab's own.
    #[error(transparent)]
    Lab(#[from] LabError),
}

impl Lab {
    /// Starts a program in an instance, with this input, output and errors. It is root there, and fenced off from everything else;
    /// it finds the lab's names and resolver in `/etc`, and the metadata service at its address.
    ///
    /// It ends with its instance: when that is stopped, crashes, is rebooted or terminated, or the lab goes down.
    ///
    /// # Errors
    /// [`ProgramError`].
    pub async fn start_program(
        &mut self,
        instance: &InstanceName,
        program: Program,
        stdio: [OwnedFd; 3],
    ) -> Result<Running, ProgramError> {
        self.refuse_broken()?;
        let state = self.cloud.instances.get(instance).map(|it| it.state);
        match state {
            None => return Err(ProgramError::NoInstance(instance.clone())),
            Some(InstanceState::Running) => {}
            Some(_) => return Err(ProgramError::NotRunning(instance.clone())),
        }
        let failed = |source| ProgramError::Start { instance: instance.clone(), source };
        self.machine(instance).await?.run(program, stdio).await.map_err(failed)
    }

    /// The first process of an instance that runs, started if it is not there.
    pub(super) async fn machine(&mut self, instance: &InstanceName) -> Result<&Machine, ProgramError> {
        if !self.machines.contains_key(instance) {
            let sandbox = sandbox::current().ok_or(LabError::NoSandbox)?;
            let data = self.fabric.folder_for(&Path::new("data").join(instance.as_str())).map_err(LabError::from)?;
            let started = Machine::start(&self.in_instance(instance)?, data, sandbox).await;
            let machine = started.map_err(|source| ProgramError::Start { instance: instance.clone(), source })?;
            self.machines.insert(instance.clone(), machine);
        }
        self.machines.get(instance).ok_or_else(|| ProgramError::NotRunning(instance.clone()))
    }

    /// Ends every program of an instance; none is left after that.
    pub(super) async fn end_programs(&mut self, instance: &InstanceName) {
        self.daemons.leave(instance);
        if let Some(machine) = self.machines.shift_remove(instance) {
            machine.end().await;
        }
    }
}
