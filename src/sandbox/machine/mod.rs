//! The processes of an instance: a first one, which has process, mount, host name and IPC namespaces of its own, and the programs
//! that are started beside it. With the first all of them end.
//!
//! No process with threads can enter a user namespace, and this one has threads: so it starts its own executable anew, which
//! does what is wanted before `main` (`init`). They speak over a stream, a line of JSON each: whoever closes it ends what it is
//! about. Nobody of ours has to wait for them: they are the lab's first process's children.
//!
//! What runs in an instance is not trusted. It has no end of a stream, and cannot look into a process of ours; and whatever is
//! awaited from there has a size and a deadline.

mod calls;
pub(super) mod init;
pub mod links;
pub mod owners;
pub mod view;

use std::fs;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream as StdStream;
use std::path::PathBuf;
use std::process::{self, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::{User, geteuid};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use view::{Mounts, View};

use super::given::{FOLDER_WITHHELD, Kind};
use super::terminal::Size;
use super::{PROGRAM, Sandbox, bounds, descriptors, ids, raw};
use crate::model::DATA_FOLDER;

/// Says who starts the process: a variable that has strayed here names another parent.
const VARIABLE: &str = "SGLAB_MACHINE";

/// A folder of an instance that is empty when the lab comes up, outlives its restarts, and goes with the lab.
pub const DATA: &str = DATA_FOLDER;

/// Order to a process that was started for an instance, with the number of processes that an instance may have.
#[derive(Debug, Serialize, Deserialize)]
struct Order {
    job: Job,
    processes: u64,
}

/// Job of a process that was started for an instance.
#[derive(Debug, Serialize, Deserialize)]
enum Job {
    /// To be the first. Beside it come its user and its network namespace, and user namespaces for what it mounts.
    First { name: String, view: View },
    /// To start a program beside the first, and to say how it ends. Beside it come the first's descriptor and the program's
    /// input, output and errors.
    Program(Program),
}

/// Message from such a process.
#[derive(Debug, Serialize, Deserialize)]
enum Message {
    /// The first, by its number in the lab.
    Up(u32),
    /// The program has begun.
    Begun,
    /// It could not be done: an error of the system, and at what.
    Failed(String, i32),
    /// The program has ended: its exit code, or 128 and the signal.
    Ended(i32),
}

/// A program to be started in an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// It and its arguments; never empty.
    pub command: Vec<String>,
    /// All of its environment.
    pub environment: Vec<(String, String)>,
    /// Its working directory.
    pub folder: Folder,
    /// It gets a terminal of its instance's own, of this size. In place of its input, output and errors comes a socket, three times, by
    /// which the terminal's other end is sent.
    pub terminal: Option<Size>,
}

/// The working directory of a program, as it is seen in its instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Folder {
    /// This one; without it the program is not started.
    Only(PathBuf),
    /// This one, where it is to be seen; else the root.
    OrRoot(PathBuf),
}

/// Error of a program that could not be started.
#[derive(Debug, thiserror::Error)]
#[error("failed to {attempt}: {source}")]
pub struct StartError {
    /// Action that was attempted, in words.
    pub attempt: String,
    /// The OS error.
    pub source: io::Error,
}

/// Namespaces and files of an instance, in which it is to have its processes.
#[derive(Debug)]
pub struct InstanceHome {
    /// The name of the instance.
    pub name: String,
    /// Its user namespace.
    pub user: OwnedFd,
    /// Its network namespace.
    pub net: OwnedFd,
    /// Its `/etc/hosts`.
    pub hosts: PathBuf,
    /// Its `/etc/resolv.conf`.
    pub resolver: PathBuf,
}

/// The first process of an instance. Dropping it ends it, and with it every program of the instance.
#[derive(Debug)]
pub struct Machine {
    /// It ends with this.
    _stream: Stream,
    entrance: Entrance,
}

/// Handle by which programs of an instance are started. It does not keep the instance alive.
#[derive(Clone, Debug)]
pub struct Entrance {
    name: String,
    first: Arc<OwnedFd>,
}

/// A program under way. Dropping it kills the program.
#[derive(Debug)]
pub struct Running(Stream);

impl Machine {
    /// Starts the first process of an instance, whose [`DATA`] is this folder; beside what every instance sees it sees `mounts`.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start(
        place: InstanceHome,
        data: PathBuf,
        mounts: Mounts,
        sandbox: Sandbox,
    ) -> Result<Self, StartError> {
        let InstanceHome { name, user, net, hosts, resolver } = place;
        let attempt = || format!("start the first process of {name}");
        let failed = |source| StartError { attempt: attempt(), source };
        let Mounts { all, written } = mounts;
        let (mounts, users) = owners::of(all).map_err(failed)?;
        let view = View {
            hosts,
            resolver,
            data,
            owner: ids::of_instances().root(),
            hidden: hidden(),
            mounts,
            written,
            fresh_proc: sandbox.fresh_proc,
        };
        let job = Job::First { name: name.clone(), view };
        let sent = [user, net].into_iter().chain(users).collect();
        let (stream, word) = Stream::start(job, sent).await.map_err(failed)?;
        match word {
            Message::Up(first) => {
                let first = Arc::new(raw::process(first).map_err(|e| failed(e.into()))?);
                Ok(Self { _stream: stream, entrance: Entrance { name, first } })
            }
            other => Err(unexpected(other, attempt())),
        }
    }

    /// Returns the handle by which programs are started beside it.
    pub fn entrance(&self) -> Entrance {
        self.entrance.clone()
    }

    /// Reports whether it has ended by itself: the system may kill it, where memory is short.
    pub fn has_ended(&self) -> bool {
        let mut fds = [PollFd::new(self.entrance.first.as_fd(), PollFlags::POLLIN)];
        poll(&mut fds, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
    }

    /// Ends it, and waits until none of its processes is left.
    pub async fn end(self) {
        // The kernel ends the others with it, and lets nobody see it gone before they are.
        let first = &self.entrance.first;
        let gone = async {
            raw::kill(first.as_fd())?;
            raw::ended(first.try_clone()?).await
        };
        if !matches!(tokio::time::timeout(KILL_TIMEOUT, gone).await, Ok(Ok(()))) {
            eprintln!("{}: some of its programs may have been left", self.entrance.name);
        }
    }
}

impl Entrance {
    /// Starts a program beside it, with this input, output and errors.
    ///
    /// # Errors
    /// [`StartError`]; of the kind [`ErrorKind::NotFound`] where there is no such program.
    pub async fn run(&self, program: Program, stdio: [OwnedFd; 3]) -> Result<Running, StartError> {
        let attempt = format!("start `{}`", program.command.first().map_or("", String::as_str));
        let failed = |source| StartError { attempt: attempt.clone(), source };
        for end in &stdio {
            let why = match Kind::of(end).map_err(failed)? {
                // Whatever it leaves behind would read what is typed there later.
                Kind::Terminal => "a terminal that is not its own is given to no program of an instance",
                Kind::Folder => FOLDER_WITHHELD,
                Kind::Plain | Kind::Other => continue,
            };
            return Err(failed(io::Error::new(ErrorKind::PermissionDenied, why)));
        }
        let first = self.first.try_clone().map_err(failed)?;
        let sent = [first].into_iter().chain(stdio).collect();
        let (stream, word) = Stream::start(Job::Program(program), sent).await.map_err(failed)?;
        match word {
            Message::Begun => Ok(Running(stream)),
            other => Err(unexpected(other, attempt)),
        }
    }
}

impl Running {
    /// Sends it a signal, by its number. One that has ended hears nothing.
    pub async fn signal(&mut self, signal: i32) {
        drop(self.0.write.write_all(format!("{signal}\n").as_bytes()).await);
    }

    /// Waits for its end: its exit code, or 128 and the signal that ended it. May be given up and asked again.
    pub async fn ended(&mut self) -> i32 {
        match self.0.word().await {
            Ok(Message::Ended(code)) => code,
            // Whoever watched it was killed with the whole instance.
            _ => 128 + libc::SIGKILL,
        }
    }
}

/// Returns the folders that nobody in an instance is to see, wherever they lie: the user's own, and those of programs that run.
fn hidden() -> Vec<PathBuf> {
    let variables = ["HOME", "XDG_RUNTIME_DIR", "SGLAB_RUNTIME_DIR", "TMPDIR"];
    let own = User::from_uid(geteuid()).ok().flatten().map(|user| user.dir);
    let named = variables.into_iter().filter_map(std::env::var_os).map(PathBuf::from).chain(own);
    // By its own name, and by where that leads.
    named.flat_map(|folder| [fs::canonicalize(&folder).ok(), Some(folder)]).flatten().collect()
}

fn unexpected(word: Message, attempt: String) -> StartError {
    match word {
        Message::Failed(attempt, errno) => StartError { attempt, source: io::Error::from_raw_os_error(errno) },
        other => StartError { attempt, source: io::Error::other(format!("it said {other:?}")) },
    }
}

/// A process that was started for an instance, to speak with.
#[derive(Debug)]
struct Stream {
    write: OwnedWriteHalf,
    read: OwnedReadHalf,
    /// Bytes that have been read and are no whole line yet.
    pending: Vec<u8>,
}

/// Bytes of a word at the most.
const LONGEST_WORD: usize = 1 << 16;

/// Whoever has been killed, and all of its processes, is gone by then; else the kernel keeps them, and nobody waits any longer.
const KILL_TIMEOUT: Duration = Duration::from_secs(10);

impl Stream {
    /// Starts it, and waits for its first word.
    async fn start(job: Job, sent: Vec<OwnedFd>) -> io::Result<(Self, Message)> {
        let order = Order { job, processes: bounds::processes() };
        let starting = async {
            let started = tokio::task::spawn_blocking(move || start(&order, &sent)).await.map_err(io::Error::other)?;
            let stream = started?;
            stream.set_nonblocking(true)?;
            let (read, write) = UnixStream::from_std(stream)?.into_split();
            let mut stream = Self { write, read, pending: Vec::new() };
            let word = stream.word().await?;
            Ok((stream, word))
        };
        let late = |_| {
            Err(io::Error::new(ErrorKind::TimedOut, format!("it has not begun after {} s", KILL_TIMEOUT.as_secs())))
        };
        tokio::time::timeout(KILL_TIMEOUT, starting).await.unwrap_or_else(late)
    }

    /// May be given up and asked again.
    async fn word(&mut self) -> io::Result<Message> {
        loop {
            if let Some(end) = self.pending.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.pending.drain(..=end).collect();
                return serde_json::from_slice(&line).map_err(io::Error::other);
            }
            if self.pending.len() > LONGEST_WORD {
                return Err(io::Error::new(ErrorKind::InvalidData, "it said too much"));
            }
            if self.read.read_buf(&mut self.pending).await? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

/// Starts this executable anew for a job. What was started goes on in a child of its own, so that nobody here waits for it.
fn start(order: &Order, sent: &[OwnedFd]) -> io::Result<StdStream> {
    use std::io::Write;
    let (mut ours, theirs) = StdStream::pair()?;
    // Before it reads: a stream has room for it.
    descriptors::send(&ours, &sent.iter().map(|one| one as &dyn AsFd).collect::<Vec<_>>())?;
    let mut command = Command::new(PROGRAM);
    command.env(VARIABLE, process::id().to_string()).stdin(Stdio::from(OwnedFd::from(theirs)));
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    drop(command);
    if !status.success() {
        return Err(io::Error::other(format!("the process for it ended with {status}")));
    }
    serde_json::to_writer(&mut ours, order).map_err(io::Error::other)?;
    ours.write_all(b"\n")?;
    Ok(ours)
}
