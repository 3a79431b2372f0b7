//! Going on in the background: a child that outlives its terminal, and a word from it when it is ready.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, dup2_stderr, dup2_stdin, dup2_stdout, setsid};

use super::raw;

/// Side of the fork that this process is on.
#[derive(Debug)]
pub enum Side {
    /// The caller's, which may wait for the other's word.
    Caller(MessagePipe),
    /// The one in the background.
    Background(Ready),
}

/// Pipe on which the process in the background says what it has to.
#[derive(Debug)]
pub struct MessagePipe {
    says: BufReader<File>,
    speaker: Pid,
}

/// Outcome of going on in the background.
#[derive(Debug)]
pub enum Begun {
    /// It is ready, and says this.
    Ready(String),
    /// It ended without a word: its exit code, unless a signal ended it.
    Ended(Option<i32>),
}

/// Beginning of a line that says what is waited for, and not that all is ready.
const WAITS: char = '\t';

/// Means of the process in the background to say that it is ready.
#[derive(Debug)]
pub struct Ready {
    caller: File,
    said: Arc<AtomicBool>,
}

/// Splits in two. The process in the background has a session of its own, reads nothing, and writes to the log. For a
/// process without threads only.
///
/// # Errors
/// The OS error; [`io::ErrorKind::Other`] where there are threads.
pub fn detach(log: &Path) -> io::Result<Side> {
    if std::fs::read_dir("/proc/self/task").map(Iterator::count).unwrap_or(1) != 1 {
        return Err(io::Error::other("the process has threads, and cannot be split"));
    }
    let log = File::create(log)?;
    let nothing = File::open("/dev/null")?;
    let (read, write): (OwnedFd, OwnedFd) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC)?;
    match raw::fork_single_threaded()? {
        ForkResult::Parent { child } => {
            Ok(Side::Caller(MessagePipe { says: BufReader::new(File::from(read)), speaker: child }))
        }
        ForkResult::Child => {
            setsid()?;
            // Whoever waits for the end of a pipe that the caller was given does not wait for the lab.
            raw::close_inherited()?;
            dup2_stdin(&nothing)?;
            dup2_stdout(&log)?;
            dup2_stderr(&log)?;
            // A folder that somebody wants to unmount is not held by a lab.
            std::env::set_current_dir("/")?;
            Ok(Side::Background(Ready { caller: File::from(write), said: Arc::default() }))
        }
    }
}

impl MessagePipe {
    /// Waits for the word, and tells meanwhile what the other waits for.
    ///
    /// # Errors
    /// The OS error.
    pub fn wait(mut self, mut tell: impl FnMut(&str)) -> io::Result<Begun> {
        loop {
            let mut word = String::new();
            self.says.read_line(&mut word)?;
            let Some(word) = word.strip_suffix('\n') else {
                let code = match waitpid(self.speaker, None)? {
                    WaitStatus::Exited(_, code) => Some(code),
                    _ => None,
                };
                return Ok(Begun::Ended(code));
            };
            match word.strip_prefix(WAITS) {
                Some(waits) => tell(waits),
                None => return Ok(Begun::Ready(word.to_owned())),
            }
        }
    }
}

impl Ready {
    /// Says what is waited for, one line. Nobody need be there to hear it.
    pub fn tell(&self, waits: &str) {
        drop(writeln!(&self.caller, "{WAITS}{waits}"));
    }

    /// Calls this, on a thread of its own, if whoever waits has gone before the word was said.
    ///
    /// # Errors
    /// The OS error.
    pub fn when_nobody_waits(&self, then: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let (caller, said) = (self.caller.try_clone()?, Arc::clone(&self.said));
        let watching = move || {
            // The end of the other side is told without being asked for.
            let mut fds = [PollFd::new(caller.as_fd(), PollFlags::empty())];
            while poll(&mut fds, PollTimeout::NONE) == Err(Errno::EINTR) {}
            if !said.load(Ordering::SeqCst) {
                then();
            }
        };
        std::thread::Builder::new().name("caller".into()).spawn(watching).map(drop)
    }

    /// Says a word, one line.
    ///
    /// # Errors
    /// The OS error: nobody waits any more.
    pub fn say(&self, word: &str) -> io::Result<()> {
        // Before it is said: the caller may be gone as soon as it has heard it.
        self.said.store(true, Ordering::SeqCst);
        writeln!(&self.caller, "{word}")
    }
}
