//! Bounds of a lab's instances: the processes that each may have, and what the whole lab may take.
//!
//! The kernel counts processes by user namespace and user, and again for whoever made the namespace (Linux 5.14 and later). A fork fails
//! where either count is over its limit: the first over the process's own `RLIMIT_NPROC`, the second over that of whoever made the
//! namespace, as it was then. The second counts all instances together, so a low one would let one starve the others.
//! Therefore the processes themselves are limited, for good, since nobody in an instance may raise it; and what they make of
//! namespaces counts for their instance.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit, setrlimit};

/// Processes and threads that each user of an instance may have, at the most.
const MAX_PROCESSES: u64 = 2048;
/// With fewer not even a shell is of use.
const MIN_PROCESSES: u64 = 16;
/// Open files of a process of an instance.
const MAX_FILES: u64 = 1 << 16;
/// One of so many instances may be out of its mind, and all others still have what they need.
const INSTANCE_SHARE: u64 = 8;

/// Limits that the control groups of this process set for it and its children; nothing where they allow anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Groups {
    processes: Option<u64>,
    memory: Option<u64>,
}

static GROUPS: OnceLock<Groups> = OnceLock::new();

/// Looks at the control groups, before a sandbox hides them.
pub(super) fn look() {
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let read = |path: &Path| fs::read_to_string(path).ok();
    GROUPS.get_or_init(|| groups(&own, &read));
}

/// Returns the bytes of memory that the lab may take, if anything says so.
pub fn memory() -> Option<u64> {
    look();
    GROUPS.get().copied().unwrap_or_default().memory
}

/// Returns the number of processes and threads that each user of an instance may have.
pub fn processes() -> u64 {
    look();
    let number = |path: &str| fs::read_to_string(path).ok().and_then(|text| text.trim().parse().ok());
    let own = getrlimit(Resource::RLIMIT_NPROC).ok().map(|(soft, _)| soft).filter(|soft| *soft != RLIM_INFINITY);
    let of_system = ["/proc/sys/kernel/threads-max", "/proc/sys/kernel/pid_max"].map(number);
    let of_groups = GROUPS.get().copied().unwrap_or_default().processes;
    share(of_system.into_iter().chain([own, of_groups]).flatten().min().unwrap_or(u64::MAX))
}

fn share(all: u64) -> u64 {
    (all / INSTANCE_SHARE).clamp(MIN_PROCESSES, MAX_PROCESSES)
}

/// Returns the number of files that a process of an instance may have open, given the number for one of the lab's. The kernel counts descriptors that
/// are on their way over sockets by user, and lets nobody send more whose own limit that count has passed: so the lab's own stays above those of all
/// instances.
fn files(hard: u64) -> u64 {
    (hard / 2).min(MAX_FILES)
}

/// Limits the calling process, and those that it starts.
pub(super) fn restrict(processes: u64) -> nix::Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NPROC)?;
    let limit = processes.min(hard);
    setrlimit(Resource::RLIMIT_NPROC, limit, limit)?;
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let limit = files(hard);
    setrlimit(Resource::RLIMIT_NOFILE, soft.min(limit), limit)
}

/// Reads the limits that the groups of a process, by the text of `/proc/PID/cgroup`, and those above them set.
fn groups(own: &str, read: &impl Fn(&Path) -> Option<String>) -> Groups {
    let mut found = Groups::default();
    for line in own.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else { continue };
        let path = path.trim_start_matches('/');
        // The second version has one tree, and the first one for each controller.
        let (root, of_memory) = match controllers {
            "" => ("/sys/fs/cgroup".to_owned(), "memory.max"),
            one => (format!("/sys/fs/cgroup/{one}"), "memory.limit_in_bytes"),
        };
        let root = PathBuf::from(root);
        let lowest = |file: &str| {
            let folder = root.join(path);
            let folders = folder.ancestors().take_while(|folder| folder.starts_with(&root));
            folders.filter_map(|folder| read(&folder.join(file))?.trim().parse::<u64>().ok()).min()
        };
        let least = |one: Option<u64>, other: Option<u64>| one.into_iter().chain(other).min();
        found.processes = least(found.processes, lowest("pids.max"));
        // The first version says "any" by a number near the largest.
        found.memory = least(found.memory, lowest(of_memory).filter(|bytes| *bytes < 1 << 60));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_process_of_an_instance_may_have_as_many_files_as_one_of_the_labs() {
        for hard in [256, 4096, 1 << 20, RLIM_INFINITY] {
            assert!(files(hard) < hard && files(hard) <= MAX_FILES, "{hard}");
        }
    }

    #[test]
    fn the_lowest_limit_of_a_group_and_those_above_counts_in_both_versions() {
        let files = [
            ("/sys/fs/cgroup/user.slice/a/pids.max", "max\n"),
            ("/sys/fs/cgroup/user.slice/pids.max", "800\n"),
            ("/sys/fs/cgroup/user.slice/memory.max", "1000000\n"),
            ("/sys/fs/cgroup/pids/b/pids.max", "60\n"),
            ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
        ];
        let read = |path: &Path| {
            let found = files.iter().find(|(known, _)| Path::new(known) == path)?;
            Some(found.1.to_owned())
        };
        let second = groups("0::/user.slice/a\n", &read);
        assert_eq!(second, Groups { processes: Some(800), memory: Some(1_000_000) });
        let first = groups("9:pids:/b\n8:memory:/\n0::/nowhere\n", &read);
        assert_eq!(first, Groups { processes: Some(60), memory: None });
        assert_eq!(groups("nonsense", &read), Groups::default());
    }

    #[test]
    fn an_instance_has_a_share_that_leaves_others_enough() {
        assert_eq!((share(u64::MAX), share(8000), share(60)), (2048, 1000, 16));
    }
}
