//! Holders of a lock: found by what the kernel shows of processes, since one that hangs says nothing itself.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::sys::signal::{Signal, kill as signal};
use nix::unistd::Pid;

/// Kills every process that holds the lock on a file, by its device and number: those of a lab, all with the same open file.
/// Leaves alone processes that have the file open without the lock: they only ask whether a lab lives.
pub(super) fn kill(file: (u64, u64)) {
    for pid in all(file) {
        // It may have gone a moment ago.
        let _ = signal(Pid::from_raw(pid), Signal::SIGKILL);
    }
}

/// One of them that is stopped by a signal, if one is.
pub(super) fn stopped(file: (u64, u64)) -> Option<i32> {
    all(file).find(|pid| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // Behind the name, which is in parentheses and may have anything in it.
        stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with(['T', 't']))
    })
}

fn all(file: (u64, u64)) -> impl Iterator<Item = i32> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    numbers.filter(move |pid| holds(*pid, file))
}

fn holds(pid: i32, file: (u64, u64)) -> bool {
    let process = Path::new("/proc").join(pid.to_string());
    let open = fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
    open.map(|entry| entry.file_name()).any(|number| {
        let found = fs::metadata(process.join("fd").join(&number));
        let is_it = found.is_ok_and(|found| (found.dev(), found.ino()) == file);
        is_it && fs::read_to_string(process.join("fdinfo").join(&number)).is_ok_and(|text| text.contains("\nlock:"))
    })
}
