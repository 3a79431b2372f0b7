//! Checks, before anything is made, that the system's limits leave what a lab takes: half a lab is none.

use std::fs;
use std::io;
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit};
use tokio::runtime::{Builder, Runtime};

/// So many threads are in namespaces at the same time, and so many programs beside them.
pub(crate) const MAX_CONCURRENT: usize = 64;
/// nft, and what else is started while a lab changes.
const PROGRAMS: usize = 8;
/// Sockets of probes, pipes of programs and whatever else is open for a moment.
const TEMPORARY_FILES: usize = 32;
/// Files that the runtime opens for itself, with room to spare.
const RUNTIME_FILES: usize = 16;
/// MiB of memory that a lab takes, and each of its threads for its stack: addresses only, until they are written to. An allocator's arena of a
/// thread has 64 of them, and where none is left a thread dies as it begins.
const MIB: usize = 192;
const MIB_OF_A_THREAD: usize = 3;

/// There is too little of something.
#[derive(Debug, thiserror::Error)]
pub enum Scarce {
    /// Threads and processes.
    #[error("failed to start {wanted} threads: {source}; {}", processes())]
    Threads {
        /// Number of threads that were to start.
        wanted: usize,
        /// The OS error.
        source: io::Error,
    },
    /// Open files.
    #[error("failed to open {wanted} files more: {open} are open; {}", files())]
    Files {
        /// Number of files that were to be opened.
        wanted: usize,
        /// Number of files that are open.
        open: usize,
    },
    /// Memory.
    #[error("failed to take {wanted} MiB of memory; {}", memory())]
    Memory {
        /// Size that was to be taken, in MiB.
        wanted: usize,
    },
    /// The runtime did not start, for another reason.
    #[error("failed to start: {0}")]
    Runtime(io::Error),
}

/// Starts the runtime that drives all probes, where there is room for it: tokio itself would panic or wait for ever.
///
/// # Errors
/// Resource that there is too little of.
pub fn runtime() -> Result<Runtime, Scarce> {
    afford_files(RUNTIME_FILES)?;
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    afford_threads(workers + PROGRAMS)?;
    Builder::new_multi_thread().worker_threads(workers).enable_all().build().map_err(Scarce::Runtime)
}

/// Checks that a lab of so many namespaces, in which so many ports are listened on, finds what it takes.
///
/// # Errors
/// Resource that there is too little of.
pub fn afford(namespaces: usize, ports: usize) -> Result<(), Scarce> {
    // Each namespace is held, with that of its users, and watched.
    afford_files(4 * namespaces + ports + TEMPORARY_FILES)?;
    afford_threads(namespaces.min(MAX_CONCURRENT) + PROGRAMS)
}

fn afford_files(wanted: usize) -> Result<(), Scarce> {
    let open = count("/proc/self/fd");
    let limit = getrlimit(Resource::RLIMIT_NOFILE).map_or(RLIM_INFINITY, |(soft, _)| soft);
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    if open.saturating_add(wanted) > limit { Err(Scarce::Files { wanted, open }) } else { Ok(()) }
}

fn afford_memory(mebibytes: usize) -> Result<(), Scarce> {
    let taken = Vec::<u8>::new().try_reserve_exact(mebibytes << 20);
    taken.map_err(|_| Scarce::Memory { wanted: mebibytes })
}

/// Starts so many threads at once, and ends them.
fn afford_threads(wanted: usize) -> Result<(), Scarce> {
    afford_memory(MIB + MIB_OF_A_THREAD * wanted)?;
    let before = count("/proc/self/task");
    let gate = RwLock::new(());
    let closed = gate.write().unwrap_or_else(PoisonError::into_inner);
    let started = std::thread::scope(|scope| {
        let started = (0..wanted).try_for_each(|_| {
            let thread = std::thread::Builder::new().spawn_scoped(scope, || drop(gate.read()));
            thread.map(drop)
        });
        drop(closed);
        started
    });
    // The kernel counts one a little longer than it can be waited for.
    let begun = Instant::now();
    while count("/proc/self/task") > before && begun.elapsed() < Duration::from_secs(1) {
        std::thread::yield_now();
    }
    started.map_err(|source| Scarce::Threads { wanted, source })
}

/// Counts the entries of a folder; 0 where it cannot be read.
fn count(folder: &str) -> usize {
    fs::read_dir(folder).map_or(0, Iterator::count)
}

/// Names the limit that withholds something, where the OS error says so.
pub fn named(error: Errno) -> Option<String> {
    match error {
        Errno::EAGAIN => Some(processes()),
        Errno::EMFILE | Errno::ENFILE => Some(files()),
        Errno::ENOMEM => Some(memory()),
        _ => None,
    }
}

fn processes() -> String {
    format!(
        "this user may have {} processes and threads (ulimit -u), a control group perhaps fewer (pids.max), and each takes \
         memory (ulimit -v)",
        limit(Resource::RLIMIT_NPROC)
    )
}

fn memory() -> String {
    "there is too little of it, or the limit of a process is too low (ulimit -v)".to_owned()
}

fn files() -> String {
    format!("a process may have {} files open (ulimit -Hn, LimitNOFILE= of a service)", limit(Resource::RLIMIT_NOFILE))
}

fn limit(resource: Resource) -> String {
    match getrlimit(resource) {
        Ok((_, RLIM_INFINITY)) | Err(_) => "any number of".to_owned(),
        Ok((_, hard)) => hard.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_can_be_had_and_too_much_is_named() {
        afford_threads(8).expect("threads");
        afford_files(1).expect("files");
        let error = afford_files(usize::MAX).expect_err("too many").to_string();
        assert!(error.contains("ulimit -Hn"), "{error}");
        assert!(named(Errno::EAGAIN).is_some_and(|text| text.contains("ulimit -u")));
        assert_eq!(named(Errno::EPERM), None);
    }
}
