//! Programs that a client starts in an instance or a host: with its own input, output and errors, for as long as it stays connected.

use std::os::fd::OwnedFd;

use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot};

use super::feed::REQUEST_TIMEOUT;
use super::supervised::Supervised;
use crate::lab::{ProcessLogError, ProgramError, Site};
use crate::model::{InstanceName, ProcessName};
use crate::protocol::{self, Exec, Failure, Kind, MAX_REPLY, Reply, Signal, Unfit};
use crate::sandbox::descriptors;
use crate::sandbox::machine::{Folder, Program, Running};

/// The largest message of a client while its program runs, in bytes.
const MAX_SIGNAL: usize = 1 << 10;

/// A program to be started, and where it is told how that went.
pub(super) struct StartProgram {
    exec: Exec,
    stdio: [OwnedFd; 3],
    started: oneshot::Sender<Result<Running, Reply>>,
}

impl Supervised {
    /// Starts a program. Whether it begins is up to its instance, and the lab does not wait for that.
    pub(super) async fn start(&mut self, start: StartProgram) {
        let StartProgram { exec, stdio, started } = start;
        let Exec { instance, command, environment, folder, terminal } = exec;
        let program = Program { command, environment, folder: Folder::Only(folder), terminal };
        let door = match self.lab.door_of(&instance).await {
            Ok(door) => door,
            Err(error) => return drop(started.send(Err(self.not_started(&error)))),
        };
        tokio::spawn(async move {
            let running = door.start(program, stdio).await;
            // The client may have gone; then the program goes too.
            drop(started.send(running.map_err(|error| refused(&error))));
        });
    }

    /// Returns what a process has said.
    pub(super) fn process_log(&self, instance: &InstanceName, process: &ProcessName) -> Reply {
        match self.lab.process_log(instance, process) {
            Ok(text) => Reply::Text(text),
            Err(error) => self.unread(error),
        }
    }

    fn unread(&self, error: ProcessLogError) -> Reply {
        match error {
            ProcessLogError::NoInstance(name) => Reply::Unfit(Unfit::no_instance(&name, self.lab.cloud())),
            ProcessLogError::NoProcess { instance, process, known } => {
                // As commands name it.
                let of = |process: &ProcessName| format!("{instance}/{process}");
                let known = known.iter().map(of).collect();
                Reply::Unfit(Unfit::NoSuch { kind: Kind::Process, name: of(&process), known })
            }
            ProcessLogError::NotStarted => Reply::Unfit(Unfit::NoProcesses),
            ProcessLogError::NoFolder(_) | ProcessLogError::Read { .. } => Reply::Failed(Failure::of(&error)),
        }
    }

    fn not_started(&self, error: &ProgramError) -> Reply {
        match error {
            ProgramError::Nobody(name) => {
                let known = Site::names(self.lab.cloud()).map(str::to_owned).collect();
                Reply::Unfit(Unfit::NoSuch { kind: Kind::InstanceOrHost, name: name.to_string(), known })
            }
            _ => refused(error),
        }
    }
}

fn refused(error: &ProgramError) -> Reply {
    match error {
        ProgramError::Start { source, .. } => {
            let code = if source.source.kind() == std::io::ErrorKind::NotFound { 127 } else { 126 };
            Reply::NotStarted { why: error.to_string(), code }
        }
        ProgramError::Machine { .. } | ProgramError::Mount { .. } => {
            Reply::NotStarted { why: error.to_string(), code: 126 }
        }
        _ => Reply::Failed(Failure::of(error)),
    }
}

/// The conversation about a program; gives the last word, if somebody is there to hear it.
pub(super) async fn handle_connection(
    stream: &mut UnixStream,
    exec: Exec,
    starts: &mpsc::Sender<StartProgram>,
) -> Option<Reply> {
    if exec.command.is_empty() {
        return Some(Reply::Failed(Failure::NoProgram));
    }
    say(stream, &Reply::GoOn).await?;
    let receiving = stream.async_io(Interest::READABLE, || descriptors::receive::<3>(stream));
    let stdio = match tokio::time::timeout(REQUEST_TIMEOUT, receiving).await {
        Ok(Ok(stdio)) => stdio,
        Ok(Err(error)) => return Some(Reply::Failed(Failure::WrongDescriptors { why: error.to_string() })),
        Err(_) => return Some(Reply::Failed(Failure::NoDescriptors)),
    };
    let (started, running) = oneshot::channel();
    if starts.send(StartProgram { exec, stdio, started }).await.is_err() {
        return Some(Reply::Failed(Failure::GoneDown));
    }
    let mut running = match running.await {
        Ok(Ok(running)) => running,
        Ok(Err(reply)) => return Some(reply),
        Err(_) => return Some(Reply::Failed(Failure::GoneDown)),
    };
    say(stream, &Reply::Started).await?;
    let (mut read, _) = stream.split();
    let (signals, mut wanted) = mpsc::channel(1);
    // Reading a frame must not be given up half way: it has a place of its own in the turn below.
    let reading = async move {
        let mut frame = Vec::new();
        while let Some(signal) = signal(&mut read, &mut frame).await {
            if signals.send(signal).await.is_err() {
                break;
            }
        }
    };
    tokio::pin!(reading);
    loop {
        tokio::select! {
            biased;
            code = running.ended() => return Some(Reply::Ended(code)),
            Some(signal) = wanted.recv() => running.signal(signal).await,
            // The client has gone, and so the program goes.
            () = &mut reading => return None,
        }
    }
}

/// The next signal; nothing at the end, or where something else is said.
async fn signal(read: &mut (impl AsyncReadExt + Unpin), frame: &mut Vec<u8>) -> Option<i32> {
    let mut head = [0; 4];
    read.read_exact(&mut head).await.ok()?;
    frame.resize(protocol::announced(head, MAX_SIGNAL).ok()?, 0);
    read.read_exact(frame).await.ok()?;
    serde_json::from_slice::<Signal>(frame).ok().map(|it| it.signal)
}

async fn say(stream: &mut UnixStream, reply: &Reply) -> Option<()> {
    let frame = protocol::frame(reply, MAX_REPLY).ok()?;
    stream.write_all(&frame).await.ok()
}
