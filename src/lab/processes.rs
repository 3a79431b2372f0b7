//! `services:` of instances: programs that start with their instance and end with it.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::future::join_all;
use indexmap::IndexMap;
use tokio::task::JoinSet;

use super::booted::Lab;
use super::error::LabError;
use super::inside::Site;
use super::logs::LogUse;
use super::process_states::{ProcessState, ProcessStates};
use super::programs::ProgramError;
use super::{room, sources};
use crate::compile::names;
use crate::fabric::listening;
use crate::model::{InstanceName, InstanceState, Process, ProcessName};
use crate::sandbox::ids;
use crate::sandbox::machine::{DATA, Folder, Program, Running};

/// A process that neither listens nor ends is waited for so long.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// So much of a log is shown, from its end, in bytes.
const MAX_LOG_BYTES: u64 = 1 << 20;
/// Lines of a log that are told as the last words of a process.
const LAST_WORDS: usize = 12;

/// Reason for which there is nothing to read of what a process has said.
#[derive(Debug, thiserror::Error)]
pub enum ProcessLogError {
    /// No instance has the name.
    #[error("there is no instance `{0}`")]
    NoInstance(InstanceName),
    /// No process of the instance has the name.
    #[error("{instance} has no service `{process}`")]
    NoProcess {
        /// The instance.
        instance: InstanceName,
        /// The name.
        process: ProcessName,
        /// Its processes.
        known: Vec<ProcessName>,
    },
    /// The lab starts none.
    #[error("services are not started in this lab")]
    NotStarted,
    /// The folder of logs could not be made.
    #[error("{0}")]
    NoFolder(io::Error),
    /// The log could not be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// Its path.
        path: PathBuf,
        /// The OS error.
        source: io::Error,
    },
}

impl Lab {
    /// Starts the processes of the instances that run, those of one instance in their order, each once the one before is ready;
    /// from now on they are started with their instance. Their paths are meant from `folder`.
    ///
    /// Without this the harness listens in their place where it is told to.
    ///
    /// # Errors
    /// [`LabError::Process`] for the first that did not come up, [`LabError::Machine`] for an instance whose `mounts` cannot be mounted.
    /// Everything else goes on.
    pub async fn start_processes(&mut self, folder: PathBuf) -> Result<(), LabError> {
        self.find_files_from(&folder);
        self.processes.start_from(self.mounted.folder().map(Path::to_owned));
        self.start_missing_processes().await
    }

    /// Starts the processes of instances that run without, and machines for those that mount something: that it cannot be mounted
    /// is known then, and not when somebody comes to start a program.
    pub(super) async fn start_missing_processes(&mut self) -> Result<(), LabError> {
        let Some(folder) = self.processes.folder().map(Path::to_owned) else { return Ok(()) };
        let runs_without = |name: &InstanceName| !self.processes.are_taken_up(name);
        let running = self.state.cloud().instances.iter().filter(|(_, it)| it.state == InstanceState::Running);
        let mut missing: Vec<(InstanceName, IndexMap<ProcessName, Process>)> = running
            .filter(|(name, it)| !(it.processes.is_empty() && it.mounts.is_empty()) && runs_without(name))
            .map(|(name, instance)| (name.clone(), instance.processes.clone()))
            .collect();
        let mut failed = None;
        let mut without = Vec::new();
        for (name, _) in &missing {
            if let Err(error) = self.machine(&Site::Instance(name.clone())).await {
                failed.get_or_insert(match error {
                    ProgramError::Lab(error) => error,
                    other => LabError::Machine(other.to_string()),
                });
                without.push(name.clone());
            }
        }
        // The others are not kept by one, and no later operation fails for it.
        missing.retain(|(name, _)| !without.contains(name));
        without.into_iter().for_each(|name| self.processes.take_up(name, JoinSet::new()));
        let lab = &*self;
        let starting = missing.iter().map(|(name, processes)| lab.start_in_order(name, processes, &folder));
        for ((name, _), (watched, failure)) in missing.iter().zip(join_all(starting).await) {
            self.processes.take_up(name.clone(), watched);
            failed = failed.or(failure);
        }
        failed.map_or(Ok(()), Err)
    }

    async fn start_in_order(
        &self,
        instance: &InstanceName,
        processes: &IndexMap<ProcessName, Process>,
        folder: &Path,
    ) -> (JoinSet<()>, Option<LabError>) {
        let mut watched = JoinSet::new();
        for (name, process) in processes {
            match self.start_process(instance, name, process, folder).await {
                Ok(running) => {
                    self.processes.states().set(instance, name, ProcessState::Ready);
                    watched.spawn(watch(self.processes.states().clone(), instance.clone(), name.clone(), running));
                }
                Err((why, last_words)) => {
                    let (instance, process) = (instance.clone(), name.clone());
                    return (watched, Some(LabError::Process { instance, process, why, last_words }));
                }
            }
        }
        (watched, None)
    }

    /// Starts one and waits until it is ready; else why not, and what it said.
    async fn start_process(
        &self,
        instance: &InstanceName,
        name: &ProcessName,
        process: &Process,
        folder: &Path,
    ) -> Result<Running, (String, String)> {
        let plain = |why: String| (why, String::new());
        let path = self.log_of(instance, name, process, folder).map_err(|error| plain(error.to_string()))?;
        let in_log = |error: io::Error| plain(format!("failed to open its log {}: {error}", path.display()));
        let mut log = self.mounted.open_leased_log(&path, LogUse::Add).await.map_err(in_log)?;
        let begins = log.seek(SeekFrom::End(0)).map_err(in_log)?;
        let output = || log.try_clone().map(OwnedFd::from).map_err(in_log);
        let nothing = File::open("/dev/null").map_err(in_log)?.into();
        let program = Program {
            command: process.command.clone(),
            environment: environment(instance),
            folder: Folder::OrRoot(folder.to_owned()),
            terminal: None,
        };
        let machine = self
            .machines
            .get(&names::instance(instance))
            .ok_or_else(|| plain("the instance does not run".to_owned()))?;
        let started = machine.entrance().run(program, [nothing, output()?, output()?]).await;
        let mut running = started.map_err(|error| plain(error.to_string()))?;
        let state = |state| self.processes.states().set(instance, name, state);
        let Some(port) = process.port else { return Ok(running) };
        state(ProcessState::Starting);
        let namespace =
            self.state.fabric().node(&names::instance(instance)).map_err(|error| plain(error.to_string()))?;
        let ready = async {
            tokio::select! {
                code = running.ended() => {
                    state(ProcessState::Exited(code));
                    Err(format!("it ended with exit code {code} before it listened on {port}"))
                }
                listens = listening::awaited(namespace, port) => {
                    listens.inspect_err(|_| state(ProcessState::GivenUp)).map_err(|error| error.to_string())
                }
                () = tokio::time::sleep(START_TIMEOUT) => {
                    state(ProcessState::GivenUp);
                    Err(format!("it runs, and does not listen on {port} after {} s", START_TIMEOUT.as_secs()))
                }
            }
        };
        let sentence = || format!("waiting for the service {name} of {instance} to listen on {port}");
        match self.telling(sentence, ready).await {
            Ok(()) => Ok(running),
            Err(why) => Err((why, last_words(self.mounted.open_log(&path, LogUse::Read), begins))),
        }
    }

    /// Returns the states of its processes, now and later.
    pub fn process_states(&self) -> ProcessStates {
        self.processes.states().clone()
    }

    fn log_of(
        &self,
        instance: &InstanceName,
        name: &ProcessName,
        process: &Process,
        folder: &Path,
    ) -> io::Result<PathBuf> {
        if let Some(log) = &process.log {
            return Ok(sources::named_from(folder, log));
        }
        let logs = self
            .state
            .fabric()
            .files()
            .volume_for(&Path::new("logs").join(instance.as_str()))
            .map_err(io::Error::other)?;
        Ok(logs.join(format!("{name}.log")))
    }

    /// Reads what a process has said, at least the last of it.
    ///
    /// # Errors
    /// [`ProcessLogError`].
    pub fn process_log(&self, instance: &InstanceName, name: &ProcessName) -> Result<String, ProcessLogError> {
        let holder = self.state.cloud().instances.get(instance);
        let processes = &holder.ok_or_else(|| ProcessLogError::NoInstance(instance.clone()))?.processes;
        let process = processes.get(name).ok_or_else(|| ProcessLogError::NoProcess {
            instance: instance.clone(),
            process: name.clone(),
            known: processes.keys().cloned().collect(),
        })?;
        let folder = self.processes.folder().ok_or(ProcessLogError::NotStarted)?;
        let path = self.log_of(instance, name, process, folder).map_err(ProcessLogError::NoFolder)?;
        let said = self.mounted.open_log(&path, LogUse::Read).and_then(|log| {
            let size = log.metadata()?.len();
            since(log, size.saturating_sub(MAX_LOG_BYTES))
        });
        said.map_err(|source| ProcessLogError::Read { path, source })
    }
}

/// Tells of one that ends while its instance runs on.
async fn watch(states: ProcessStates, instance: InstanceName, name: ProcessName, mut running: Running) {
    let code = running.ended().await;
    states.set(&instance, &name, ProcessState::Exited(code));
    eprintln!("{instance}: the service {name} has ended with exit code {code}");
}

fn environment(instance: &InstanceName) -> Vec<(String, String)> {
    let variables = [
        ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
        ("HOME", "/root"),
        ("SGLAB_INSTANCE", instance.as_str()),
        ("SGLAB_DATA", DATA),
    ];
    variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn since(mut file: File, begin: u64) -> io::Result<String> {
    file.seek(SeekFrom::Start(begin))?;
    let mut bytes = Vec::new();
    file.take(MAX_LOG_BYTES).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The end of what was said, each line indented; and what may be the cause where programs cannot change users.
fn last_words(log: io::Result<File>, begins: u64) -> String {
    let said = log.and_then(|log| since(log, begins)).unwrap_or_default();
    let lines: Vec<&str> = said.lines().collect();
    let mut words: String =
        lines[lines.len().saturating_sub(LAST_WORDS)..].iter().map(|line| format!("\n  | {line}")).collect();
    if let Some(told) = room::lacking(&said) {
        words += &format!("\n  {told}");
    }
    if !ids::are_many() {
        words +=
            &format!("\n  here instances have one user id, and programs that change users fail: {}", ids::remedy());
    }
    words
}
