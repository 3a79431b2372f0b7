//! Roles of a process that was started for an instance, before `main` and with one thread: be the instance's first process, or start a program beside
//! that and watch it.

use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{self, Command};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::prctl::{set_dumpable, set_pdeathsig};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill, killpg, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{
    ForkResult, Gid, Pid, Uid, dup2_stderr, dup2_stdin, dup2_stdout, getppid, pipe2, setgroups, sethostname, setresgid,
    setresuid, setsid,
};

use super::calls;
use super::calls::Failed;
use super::view::View;
use super::{Folder, Job, Message, Order, Program, VARIABLE};
use crate::sandbox::terminal::{Pty, Size};
use crate::sandbox::{bounds, descriptors, raw};

/// Time for a program to end by itself once its caller has gone.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(2);

/// Does what the process was started for, and ends; returns in a process that was started for something else.
pub(in crate::sandbox) fn answer() {
    let Ok(parent) = std::env::var(VARIABLE) else { return };
    if parent.parse() != Ok(getppid().as_raw()) {
        return;
    }
    raw::forget_variable(VARIABLE);
    // Whoever started this waits for no more than this: what goes on is the lab's first process's child.
    match raw::fork_single_threaded() {
        Ok(ForkResult::Parent { .. }) => process::exit(0),
        Ok(ForkResult::Child) => {}
        Err(errno) => process::exit(errno as i32),
    }
    let code = match Talk::begin().and_then(Talk::work) {
        Ok(()) => 0,
        Err(_) => 3,
    };
    process::exit(code);
}

/// The stream to whoever started this.
struct Talk {
    stream: BufReader<UnixStream>,
}

fn at(attempt: &str) -> impl Fn(Errno) -> Failed {
    move |errno| (attempt.to_owned(), errno.into())
}

impl Talk {
    /// Puts the stream aside, so that nobody uses it by mistake. Whatever else is open is closed: the lab's caller may have had it open.
    /// Programs of an instance cannot look into this process, nor into those that it forks, whoever they are there.
    fn begin() -> io::Result<Self> {
        raw::close_descriptors();
        set_dumpable(false)?;
        let stream = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
        dup2_stdin(File::open("/dev/null")?)?;
        setsid()?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    fn say(&mut self, word: &Message) -> io::Result<()> {
        let mut line = serde_json::to_vec(word).map_err(io::Error::other)?;
        line.push(b'\n');
        self.stream.get_mut().write_all(&line)
    }

    fn work(mut self) -> io::Result<()> {
        // They come with the first byte, before anything of the job is read.
        let mut descriptors = descriptors::receive_all(self.stream.get_ref())?;
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        let Order { job, processes } = serde_json::from_str(&line).map_err(io::Error::other)?;
        let done = match job {
            Job::First { name, view } => self.first(&name, &view, &descriptors),
            Job::Program(program) => {
                let stdio = descriptors.split_off(1.min(descriptors.len()));
                let first = descriptors.first().ok_or(ErrorKind::UnexpectedEof)?;
                self.program(&program, processes, first, stdio)
            }
        };
        match done {
            Ok(()) => Ok(()),
            Err(failed) => {
                let (attempt, errno) = in_words(&failed);
                self.say(&Message::Failed(attempt.clone(), errno))
            }
        }
    }

    /// The first process of an instance is a child of this one, which ends it when the stream closes.
    ///
    /// Its processes and mounts are made in the lab's user namespace: what it inherits of them it can add to, and change nothing.
    fn first(&mut self, name: &str, view: &View, namespaces: &[OwnedFd]) -> Result<(), Failed> {
        let [user, net, users @ ..] = namespaces else {
            return Err(("take two namespaces".to_owned(), ErrorKind::NotFound.into()));
        };
        setns(net, CloneFlags::CLONE_NEWNET).map_err(at("enter its network namespace"))?;
        unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWPID).map_err(at("make its namespaces"))?;
        view.build(users)?;
        let (alive, ours) = pipe2(OFlag::O_CLOEXEC).map_err(at("make a pipe"))?;
        let (read, write) = pipe2(OFlag::O_CLOEXEC).map_err(at("make a pipe"))?;
        match raw::fork_single_threaded().map_err(at("fork"))? {
            ForkResult::Child => {
                drop((ours, read));
                let failed = enter_instance(name, view, user, &alive).err();
                let line = serde_json::to_vec(&failed.as_ref().map(in_words)).unwrap_or_default();
                drop(File::from(write).write_all(&line));
                if failed.is_some() {
                    process::exit(3);
                }
                // The ids that it has taken may have set this back.
                if set_dumpable(false).is_err() {
                    process::exit(3);
                }
                // Nothing that it holds could be of use to anybody.
                raw::close_descriptors();
                reap_for_ever()
            }
            ForkResult::Parent { child } => {
                drop((alive, write));
                let mut line = Vec::new();
                let heard = File::from(read).read_to_end(&mut line).map_err(|error| ("hear of it".to_owned(), error));
                heard?;
                match serde_json::from_slice::<Option<(String, i32)>>(&line) {
                    Ok(None) => {}
                    Ok(Some((attempt, errno))) => return Err((attempt, io::Error::from_raw_os_error(errno))),
                    Err(_) => return Err(("begin".to_owned(), ErrorKind::UnexpectedEof.into())),
                }
                let up = self.say(&Message::Up(child.as_raw().unsigned_abs()));
                // Nothing comes: only the end does.
                let mut rest = [0; 64];
                while up.is_ok() && self.stream.read(&mut rest).is_ok_and(|read| read > 0) {}
                let _ = kill(child, Signal::SIGKILL);
                // Comes back when every process of its namespace is gone.
                waitpid(child, None).map(drop).map_err(at("wait for its end"))
            }
        }
    }

    /// Starts the program beside the first process, passes signals on, and says how it ended.
    fn program(
        &mut self,
        program: &Program,
        processes: u64,
        first: &OwnedFd,
        stdio: Vec<OwnedFd>,
    ) -> Result<(), Failed> {
        let all = CloneFlags::CLONE_NEWUSER
            | CloneFlags::CLONE_NEWNET
            | CloneFlags::CLONE_NEWNS
            | CloneFlags::CLONE_NEWUTS
            | CloneFlags::CLONE_NEWIPC
            | CloneFlags::CLONE_NEWPID;
        setns(first, all).map_err(at("enter the instance: its first process"))?;
        become_root()?;
        set_dumpable(false).map_err(at("be unseen"))?;
        // From here on it counts as one of the instance's; before, the limit would be of all of the lab's processes.
        bounds::restrict(processes).map_err(at("limit its processes"))?;
        let stdio = match program.terminal {
            Some(size) => {
                own_terminal(stdio, size).map_err(|error| ("make a terminal in the instance".to_owned(), error))?
            }
            None => stdio,
        };
        let mut watched = SigSet::empty();
        watched.add(Signal::SIGCHLD);
        let mut before = SigSet::empty();
        sigprocmask(SigmaskHow::SIG_BLOCK, Some(&watched), Some(&mut before)).map_err(at("block signals"))?;
        let ended = SignalFd::with_flags(&watched, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
            .map_err(at("await the program's end"))?;
        let (read, write) = pipe2(OFlag::O_CLOEXEC).map_err(at("make a pipe"))?;
        match raw::fork_single_threaded().map_err(at("fork"))? {
            ForkResult::Child => {
                let line = serde_json::to_vec(&in_words(&become_program(program, &stdio))).unwrap_or_default();
                drop(File::from(write).write_all(&line));
                process::exit(127);
            }
            ForkResult::Parent { child } => {
                drop((write, stdio));
                let mut line = Vec::new();
                // Closed by its beginning, or it says why there is none.
                let heard = File::from(read).read_to_end(&mut line);
                if let (Ok(_), Ok((attempt, errno))) = (heard, serde_json::from_slice::<(String, i32)>(&line)) {
                    let _ = waitpid(child, None);
                    return Err((attempt, io::Error::from_raw_os_error(errno)));
                }
                self.watch(child, &ended).map_err(|error| ("watch the program".to_owned(), error))
            }
        }
    }

    /// Until the program has ended, or nobody cares for it any more.
    fn watch(&mut self, child: Pid, ended: &SignalFd) -> io::Result<()> {
        self.say(&Message::Begun)?;
        let mut pending = self.stream.buffer().to_vec();
        loop {
            match waitpid(child, Some(WaitPidFlag::WNOHANG))? {
                WaitStatus::Exited(_, code) => return self.say(&Message::Ended(code)),
                WaitStatus::Signaled(_, signal, _) => return self.say(&Message::Ended(128 + signal as i32)),
                _ => {}
            }
            let stream = self.stream.get_ref();
            let mut fds =
                [PollFd::new(ended.as_fd(), PollFlags::POLLIN), PollFd::new(stream.as_fd(), PollFlags::POLLIN)];
            match poll(&mut fds, PollTimeout::NONE) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
            let [child_ended, spoken] = fds.map(|fd| fd.any().unwrap_or(false));
            if child_ended {
                let _ = ended.read_signal();
            }
            if spoken {
                let mut bytes = [0; 64];
                let read = self.stream.get_mut().read(&mut bytes).unwrap_or(0);
                if read == 0 {
                    return end(child, ended);
                }
                pending.extend_from_slice(&bytes[..read]);
                while let Some(end) = pending.iter().position(|byte| *byte == b'\n') {
                    let line: Vec<u8> = pending.drain(..=end).collect();
                    let number = String::from_utf8_lossy(&line).trim().parse::<i32>().ok();
                    if let Some(signal) = number.and_then(|number| Signal::try_from(number).ok()) {
                        // As a terminal's keys reach all of a command.
                        let _ = killpg(child, signal);
                    }
                }
            }
        }
    }
}

/// Makes one of the instance's terminals, and sends its other end to whoever waits at the socket.
fn own_terminal(sockets: Vec<OwnedFd>, size: Size) -> io::Result<Vec<OwnedFd>> {
    let Pty { caller, program } = Pty::of_the_instance(size)?;
    let socket = sockets.first().ok_or(ErrorKind::NotFound)?;
    descriptors::send(socket, &[&caller])?;
    Ok(vec![program.try_clone()?, program.try_clone()?, program])
}

/// Ends a program and all of its process group: asked at first, and killed where that takes too long.
fn end(child: Pid, ended: &SignalFd) -> io::Result<()> {
    let _ = killpg(child, Signal::SIGTERM);
    // A stopped process takes no other signal.
    let _ = killpg(child, Signal::SIGCONT);
    let until = Instant::now() + SHUTDOWN_GRACE;
    let mut is_reaped = false;
    while Instant::now() < until {
        is_reaped = is_reaped || waitpid(child, Some(WaitPidFlag::WNOHANG))? != WaitStatus::StillAlive;
        if is_reaped && killpg(child, None) == Err(Errno::ESRCH) {
            return Ok(());
        }
        // Nobody tells of the end of the others.
        poll(&mut [PollFd::new(ended.as_fd(), PollFlags::POLLIN)], PollTimeout::from(10_u8)).map(drop).or_else(
            |errno| {
                if errno == Errno::EINTR { Ok(()) } else { Err(errno) }
            },
        )?;
        while matches!(ended.read_signal(), Ok(Some(_))) {}
    }
    let _ = killpg(child, Signal::SIGKILL);
    if is_reaped { Ok(()) } else { waitpid(child, None).map(drop).map_err(io::Error::from) }
}

/// Reaps what is orphaned.
fn reap_for_ever() -> ! {
    let mut ended = SigSet::empty();
    ended.add(Signal::SIGCHLD);
    let _ = ended.thread_block();
    loop {
        while matches!(waitpid(None, Some(WaitPidFlag::WNOHANG)), Ok(status) if status != WaitStatus::StillAlive) {}
        let _ = ended.wait();
    }
}

/// Becomes the first process of an instance, as its root.
fn enter_instance(name: &str, view: &View, user: &OwnedFd, alive: &OwnedFd) -> Result<(), Failed> {
    view.enter()?;
    setns(user, CloneFlags::CLONE_NEWUSER).map_err(at("enter its user namespace"))?;
    let own = CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWUTS | CloneFlags::CLONE_NEWIPC;
    unshare(own).map_err(at("make its namespaces"))?;
    sethostname(name).map_err(at("set its host name"))?;
    become_root()?;
    // With the one above it goes, also if that ended a moment ago. Whoever changes users forgets it: so it is said now.
    set_pdeathsig(Signal::SIGKILL).map_err(at("end with the lab"))?;
    if closed(alive) { Err(("end with the lab".to_owned(), ErrorKind::BrokenPipe.into())) } else { Ok(()) }
}

/// Takes the ids of root in the user namespace that was entered.
fn become_root() -> Result<(), Failed> {
    // Refused where there is one id only, and nothing to be rid of.
    let _ = setgroups(&[]);
    let (root, group) = (Uid::from_raw(0), Gid::from_raw(0));
    setresgid(group, group, group).map_err(at("become root's group in the instance"))?;
    setresuid(root, root, root).map_err(at("become root in the instance"))?;
    calls::refuse().map_err(|error| ("refuse system calls".to_owned(), error))
}

fn in_words((attempt, error): &Failed) -> (&String, i32) {
    (attempt, error.raw_os_error().unwrap_or(libc::EIO))
}

/// Reports whether the other end of a pipe is closed.
fn closed(pipe: &OwnedFd) -> bool {
    let mut fds = [PollFd::new(pipe.as_fd(), PollFlags::POLLIN)];
    poll(&mut fds, PollTimeout::ZERO).is_err() || fds[0].revents().is_some_and(|it| it.contains(PollFlags::POLLHUP))
}

/// The calling process becomes the program; returns if it cannot.
fn become_program(program: &Program, stdio: &[OwnedFd]) -> Failed {
    let start = || format!("start `{}`", program.command.first().map_or("", String::as_str));
    let prepared = || -> io::Result<()> {
        let [input, output, errors] = stdio else { return Err(ErrorKind::NotFound.into()) };
        setsid()?;
        dup2_stdin(input)?;
        dup2_stdout(output)?;
        dup2_stderr(errors)?;
        if program.terminal.is_some() {
            raw::take_terminal()?;
        }
        sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)?;
        raw::default_signals();
        Ok(())
    };
    if let Err(error) = prepared() {
        return (start(), error);
    }
    let (folder, entered) = match &program.folder {
        Folder::Only(folder) => (folder, std::env::set_current_dir(folder)),
        Folder::OrRoot(folder) => {
            (folder, std::env::set_current_dir(folder).or_else(|_| std::env::set_current_dir("/")))
        }
    };
    if let Err(error) = entered {
        return (format!("enter the folder `{}`", folder.display()), error);
    }
    let Some((name, arguments)) = program.command.split_first() else { return (start(), ErrorKind::NotFound.into()) };
    let variables = program.environment.iter().map(|(name, value)| (name, value));
    (start(), Command::new(name).args(arguments).env_clear().envs(variables).exec())
}
