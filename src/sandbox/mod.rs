//! The sandbox that a lab lives in: entered before the first thread, gone with the last process.
//!
//! Three processes: the caller, who waits and forwards signals; PID 1 of the lab, who reaps orphans; and the
//! program itself. When any of them dies, by whatever signal, the kernel ends the others and drops every
//! namespace, link and table with the last reference.

pub mod background;
mod before_main;
pub mod bounds;
pub(crate) mod child;
pub mod descriptors;
mod given;
pub mod ids;
pub(crate) mod instance_namespaces;
pub mod limits;
pub mod machine;
pub(crate) mod raw;
pub mod reexec;
pub mod relay;
pub mod remedies;
pub mod terminal;
pub mod which;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::process;
use std::sync::OnceLock;

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, unshare};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, getegid, geteuid};

/// Proof that this process is inside a sandbox; a fabric asks for it.
#[derive(Clone, Copy, Debug)]
pub struct Sandbox {
    /// True if a user namespace was needed, that is, the caller is not root.
    pub rootless: bool,
    /// True if `/proc` shows the lab's processes; some containers refuse a fresh one.
    pub fresh_proc: bool,
}

/// Error of entering a sandbox.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// Some thread exists already.
    #[error("failed to enter the sandbox: the process has {0} threads, and it must be entered before the first")]
    Threads(usize),
    /// The kernel refused the namespaces.
    #[error("failed to make the sandbox's namespaces: {0}")]
    Unshare(Errno),
    /// The kernel made them but withholds their privileges, as AppArmor does on recent Ubuntu.
    #[error("failed to {attempt} in the sandbox: {source}")]
    Withheld {
        /// Action that was attempted.
        attempt: &'static str,
        /// The OS error.
        source: io::Error,
    },
}

impl SandboxError {
    /// The limit of the system's that is in the way, if one is.
    pub fn limit(&self) -> Option<String> {
        match self {
            Self::Unshare(errno) => limits::named(*errno),
            Self::Withheld { source, .. } => limits::named(Errno::from_raw(source.raw_os_error()?)),
            Self::Threads(_) => None,
        }
    }
}

static CURRENT: OnceLock<Sandbox> = OnceLock::new();

/// The sandbox that this process is in, if it has entered one.
pub fn current() -> Option<Sandbox> {
    CURRENT.get().copied()
}

/// Enters a sandbox. Returns in the lab's own process only; the two others end with its exit code.
/// That process may open as many files as the hard limit lets it.
///
/// # Errors
/// [`SandboxError`], in the calling process or in the lab's; nothing was changed outside.
pub fn enter() -> Result<Sandbox, SandboxError> {
    let threads = fs::read_dir("/proc/self/task").map(Iterator::count).unwrap_or(1);
    if threads != 1 {
        return Err(SandboxError::Threads(threads));
    }
    bounds::look();
    let rootless = unshare_namespaces()?;
    let (alive_read, alive_write) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC).map_err(SandboxError::Unshare)?;
    match raw::fork_single_threaded().map_err(SandboxError::Unshare)? {
        ForkResult::Parent { child } => {
            drop(alive_read);
            let code = supervise(child);
            drop(alive_write);
            process::exit(code);
        }
        ForkResult::Child => become_init(&alive_read, alive_write),
    }
    // PID 2 of the lab: the program.
    if rootless {
        raise_ambient_capabilities()?;
    }
    let fresh_proc = mount_private()?;
    raise_descriptor_limit();
    Ok(*CURRENT.get_or_init(|| Sandbox { rootless, fresh_proc }))
}

/// A lab of hundreds of instances holds more descriptors than the usual soft limit. Where that stays it holds fewer, and the
/// kernel says so when there are too many: so it is no error here.
fn raise_descriptor_limit() {
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

/// Does some work in a sandbox of its own, made by a child of this process, and gives back what it came to.
///
/// # Errors
/// Why there is no sandbox, in words; then nothing was done.
pub(crate) fn in_child(work: impl FnOnce(Sandbox) -> String) -> Result<String, String> {
    let threads = fs::read_dir("/proc/self/task").map(Iterator::count).unwrap_or(1);
    if threads != 1 {
        return Err(SandboxError::Threads(threads).to_string());
    }
    let (mut read, write) = io::pipe().map_err(|error| error.to_string())?;
    match raw::fork_single_threaded().map_err(|errno| format!("failed to fork: {errno}"))? {
        ForkResult::Child => {
            drop(read);
            let (mark, text) = match enter() {
                Ok(sandbox) => ('+', work(sandbox)),
                Err(error) => ('-', error.to_string()),
            };
            let _ = write!(&write, "{mark}{text}");
            process::exit(0);
        }
        ForkResult::Parent { child } => {
            drop(write);
            let mut text = String::new();
            let answer = read.read_to_string(&mut text);
            let ended = waitpid(child, None);
            answer.map_err(|error| error.to_string())?;
            match text.split_at_checked(1) {
                Some(("+", work)) => Ok(work.to_owned()),
                Some((_, error)) => Err(error.to_owned()),
                None => Err(format!("the sandbox ended without a word: {ended:?}")),
            }
        }
    }
}

/// Reports whether the kernel has namespaces of control groups: one that has the groups has these.
pub(crate) fn has_control_groups() -> bool {
    Path::new("/proc/self/ns/cgroup").exists()
}

/// Makes the namespaces, with a user namespace where the caller has not the right without. True if one was made.
fn unshare_namespaces() -> Result<bool, SandboxError> {
    let mut wanted =
        CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWIPC;
    if has_control_groups() {
        wanted |= CloneFlags::CLONE_NEWCGROUP;
    }
    let (uid, gid) = (geteuid(), getegid());
    if uid.is_root() {
        match unshare(wanted) {
            Ok(()) => return Ok(false),
            // Root of a plain container: not allowed as it stands, perhaps allowed in a user namespace.
            Err(Errno::EPERM) => {}
            Err(errno) => return Err(SandboxError::Unshare(errno)),
        }
    }
    let mapper = ids::Mapper::start();
    let unshared = unshare(wanted | CloneFlags::CLONE_NEWUSER).map_err(SandboxError::Unshare);
    // Without the namespace it ends unheard, as its pipe closes.
    unshared?;
    let mapped = mapper.is_some_and(ids::Mapper::map);
    let write = |path: &str, text: String| {
        fs::write(path, text).map_err(|source| SandboxError::Withheld { attempt: "map the user", source })
    };
    if mapped {
        return Ok(true);
    }
    write("/proc/self/setgroups", "deny".into())?;
    // The caller's own ids and not 0: tcpdump and servers that change users fail where they look like root.
    // What a mapper has half done stays.
    let unmapped = |path: &str| fs::read_to_string(path).is_ok_and(|map| map.trim().is_empty());
    if unmapped("/proc/self/uid_map") {
        write("/proc/self/uid_map", format!("{} {uid} 1", ids::inside(uid.as_raw())))?;
    }
    write("/proc/self/gid_map", format!("{gid} {gid} 1"))?;
    Ok(true)
}

/// PID 1 of the lab: waits for the program and reaps orphans. Returns in the program (its child) only.
fn become_init(alive: &OwnedFd, write_end: OwnedFd) {
    drop(write_end);
    let parent_is_gone = nix::sys::prctl::set_pdeathsig(Signal::SIGKILL).is_err() || {
        // The pipe's other end is the parent's: if it is closed, the parent died before the line above.
        let mut fds = [PollFd::new(alive.as_fd(), PollFlags::POLLIN)];
        poll(&mut fds, PollTimeout::ZERO).is_err()
            || fds[0].revents().is_some_and(|events| events.contains(PollFlags::POLLHUP))
    };
    if parent_is_gone {
        process::exit(137);
    }
    match raw::fork_single_threaded() {
        Ok(ForkResult::Child) => {}
        Ok(ForkResult::Parent { child }) => process::exit(supervise(child)),
        Err(errno) => {
            let limit = limits::named(errno).map_or_else(String::new, |limit| format!("; {limit}"));
            eprintln!("error: this machine cannot host a lab: failed to fork in the sandbox: {errno}{limit}");
            process::exit(3);
        }
    }
}

/// Waits for a child and reaps whatever else ends; forwards signals to it. The child's exit code, or 128 + signal.
fn supervise(child: Pid) -> i32 {
    let mut signals = SigSet::empty();
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT, Signal::SIGUSR1, Signal::SIGCHLD] {
        signals.add(signal);
    }
    // Blocked, a signal waits for us; PID 1 would otherwise lose what it does not handle.
    if signals.thread_block().is_err() {
        return 3;
    }
    loop {
        loop {
            match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(pid, code)) if pid == child => return code,
                Ok(WaitStatus::Signaled(pid, signal, _)) if pid == child => return 128 + signal as i32,
                Ok(WaitStatus::StillAlive) => break,
                Ok(_) | Err(Errno::EINTR) => {}
                Err(_) => return 3,
            }
        }
        match signals.wait() {
            Ok(Signal::SIGCHLD) | Err(_) => {}
            // It may have ended a moment ago; then the next round finds it.
            Ok(signal) => drop(kill(child, signal)),
        }
    }
}

/// Hands the capabilities that we have in our user namespace to the programs that we start.
fn raise_ambient_capabilities() -> Result<(), SandboxError> {
    let withheld = |source: caps::errors::CapsError| SandboxError::Withheld {
        attempt: "raise ambient capabilities",
        source: io::Error::other(source.to_string()),
    };
    let ours = caps::read(None, caps::CapSet::Permitted).map_err(withheld)?;
    caps::set(None, caps::CapSet::Inheritable, &ours).map_err(withheld)?;
    caps::set(None, caps::CapSet::Ambient, &ours).map_err(withheld)
}

/// Gives `/etc` an empty `hosts` and `resolv.conf` where the system has none: a lab's own are later mounted over them. `/etc` is
/// read-only then. Left alone where something is mounted below `/etc`, which would not be seen any more.
fn make_places_for_names() -> io::Result<()> {
    let missing = |name: &&str| fs::symlink_metadata(Path::new("/etc").join(name)).is_err();
    let names: Vec<&str> = ["hosts", "resolv.conf"].into_iter().filter(missing).collect();
    let mounts = fs::read_to_string("/proc/self/mounts")?;
    if names.is_empty() || mounts.lines().any(|line| line.contains(" /etc/")) {
        return Ok(());
    }
    fs::create_dir_all(PLACES)?;
    for name in names {
        File::create(Path::new(PLACES).join(name))?;
    }
    let layers = format!("lowerdir={PLACES}:/etc");
    Ok(mount(Some("overlay"), "/etc", Some("overlay"), MsFlags::MS_NOSUID | MsFlags::MS_NODEV, Some(layers.as_str()))?)
}

/// The empty files that stand in for those that `/etc` lacks.
const PLACES: &str = "/run/sglab/etc";

/// Path of a read-only bind mount of this program. An instance's root may own the file, and reaches it by `/proc/PID/exe` of a
/// process that is about to exec; by this mount it cannot write to it.
const PROGRAM: &str = "/run/sglab/program";

/// This program's file, by this namespace's own mounts: the kernel's link to it leads by those of whoever started it, which cannot be mounted.
fn own_program() -> io::Result<File> {
    let path = fs::read_link("/proc/self/exe")?;
    let file = OpenOptions::new().read(true).custom_flags(libc::O_PATH).open(path)?;
    let (found, runs) = (file.metadata()?, fs::metadata("/proc/self/exe")?);
    if (found.dev(), found.ino()) != (runs.dev(), runs.ino()) {
        return Err(io::Error::other("its file has been replaced meanwhile"));
    }
    Ok(file)
}

fn place_program(program: &File) -> io::Result<()> {
    const NONE: Option<&str> = None;
    File::create(PROGRAM)?;
    let opened = format!("/proc/self/fd/{}", program.as_raw_fd());
    mount(Some(opened.as_str()), PROGRAM, NONE, MsFlags::MS_BIND, NONE)?;
    Ok(raw::restrict_mounts(Path::new(PROGRAM))?)
}

/// A mount tree of our own, with places for namespace names; true if a fresh `/proc` could be mounted too.
fn mount_private() -> Result<bool, SandboxError> {
    let withheld = |attempt| move |errno: Errno| SandboxError::Withheld { attempt, source: errno.into() };
    const NONE: Option<&str> = None;
    mount(NONE, "/", NONE, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NONE).map_err(withheld("make mounts private"))?;
    let shown = |source| SandboxError::Withheld { attempt: "show this program read-only", source };
    // It may lie in the host's `/run`.
    let program = own_program().map_err(shown)?;
    let tmpfs = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount(Some("tmpfs"), "/run", Some("tmpfs"), tmpfs, Some("mode=0755")).map_err(withheld("mount /run"))?;
    let netns = fs::create_dir_all("/run/netns").and_then(|()| fs::create_dir_all("/run/sglab"));
    netns.map_err(|source| SandboxError::Withheld { attempt: "make /run/netns", source })?;
    place_program(&program).map_err(shown)?;
    // A comfort too: `doctor` says where there is no place for names.
    let _ = make_places_for_names();
    let quiet = tmpfs | MsFlags::MS_NOEXEC;
    // Both are comforts: without them the host's stay visible, read-only for us. `doctor` says so.
    let _ = mount(Some("sysfs"), "/sys", Some("sysfs"), quiet, NONE);
    Ok(mount(Some("proc"), "/proc", Some("proc"), quiet, NONE).is_ok())
}
