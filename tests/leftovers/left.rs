//! What is left of a run, and what of the host has changed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use nix::unistd::Pid;

use crate::program::{Program, users};
use crate::run::Seen;
use crate::{RUN, words};

/// Everything that is left of a run, a line each.
pub fn left_of(program: &Program, seen: &Seen) -> Vec<String> {
    let mut left = Vec::new();
    // What has ended is the host's to clear away, which some hosts do in seconds; its namespaces end with it.
    for process in processes().into_iter().filter(|process| stat(*process).is_some()) {
        let describe =
            || format!("process {process}: {}", read(&format!("/proc/{process}/cmdline")).replace('\0', " "));
        let executable = fs::read_link(format!("/proc/{process}/exe")).unwrap_or_default();
        let is_ours = executable.starts_with(program.folder()) || is_run_by(program, process);
        let is_seen = seen.processes.get(&process.as_raw()).is_some_and(|born| birth(process).as_ref() == Some(born));
        if is_ours || is_seen {
            left.push(describe());
        }
        let born = birth(process).and_then(|ticks| ticks.parse::<u64>().ok());
        if seen.born.is_some_and(|(first, last)| !born.is_some_and(|born| (first..=last).contains(&born))) {
            continue;
        }
        for namespace in held(process).intersection(&seen.namespaces) {
            left.push(format!("namespace {namespace}, held by {}", describe()));
        }
    }
    for entry in fs::read_dir(program.scratch()).expect("the scratch folder") {
        left.push(format!("file {}", entry.expect("an entry").path().display()));
    }
    // Looking at the host costs more than all of the above, and says nothing of a run that is not over.
    if left.is_empty() {
        left.extend(HOST.difference(&host()));
    }
    left
}

/// The host before the first run.
pub static HOST: LazyLock<Host> = LazyLock::new(|| {
    // What a kernel loads on first use brings settings of its own; a first run has it loaded.
    for user in users() {
        let output = Program::copy().run(*user, RUN).output().expect("a run");
        assert_eq!(output.status.code(), Some(0), "as {user:?}: {}", words(&output.stdout, &output.stderr));
    }
    host()
});

/// All of the host that a lab could touch: a text for each kind of thing.
pub struct Host(BTreeMap<String, String>);

fn host() -> Host {
    let mut host = BTreeMap::new();
    let commands = [
        "ip -d link",
        "ip addr",
        "ip -4 route show table all",
        "ip -6 route show table all",
        "ip -4 rule",
        "ip -6 rule",
        "ip netns list",
        "nft list tables",
        "nft -s list ruleset",
    ];
    for command in commands {
        let mut words = command.split(' ');
        let mut program = Command::new(words.next().expect("a program"));
        program.env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin").env("LC_ALL", "C");
        let output = program.args(words).output().unwrap_or_else(|error| panic!("{command}: {error}"));
        host.insert(command.to_owned(), without_clocks(&crate::words(&output.stdout, &output.stderr)));
    }
    host.insert("mounts".into(), read("/proc/self/mountinfo"));
    for folder in ["/run", "/run/netns", "/run/sglab"] {
        host.insert(folder.into(), names_in(Path::new(folder)).join("\n"));
    }
    let ours = names_in(&std::env::temp_dir()).into_iter().filter(|name| name.contains("sglab"));
    host.insert("the temporary folder".into(), ours.collect::<Vec<_>>().join("\n"));
    for folder in ["ipv4", "ipv6", "netfilter"] {
        let mut settings = Vec::new();
        read_settings(&Path::new("/proc/sys/net").join(folder), &mut settings);
        host.insert(format!("sysctl net/{folder}"), settings.join("\n"));
    }
    Host(host)
}

impl Host {
    /// What is now and was not, and the other way round.
    fn difference(&self, now: &Self) -> Vec<String> {
        let mut differing = Vec::new();
        for (what, before) in &self.0 {
            let now = now.0.get(what).map(String::as_str).unwrap_or_default();
            let lines = |text: &str| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
            let (old, new) = (lines(before), lines(now));
            differing.extend(new.difference(&old).map(|line| format!("{what}: new: {line}")));
            differing.extend(old.difference(&new).map(|line| format!("{what}: gone: {line}")));
            if *before != *now && old == new {
                differing.push(format!("{what}: in another order"));
            }
        }
        differing
    }
}

/// Addresses and routes from a router or a DHCP server count down.
fn without_clocks(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let mut after_clock = false;
        let words = line.split(' ').map(|word| {
            let shown = if after_clock { "..." } else { word };
            after_clock = matches!(word, "valid_lft" | "preferred_lft" | "expires");
            shown
        });
        out.push_str(&words.collect::<Vec<_>>().join(" "));
        out.push('\n');
    }
    out
}

fn read_settings(folder: &Path, settings: &mut Vec<String>) {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(folder).map(|entries| entries.flatten().map(|entry| entry.path()).collect()).unwrap_or_default();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            read_settings(&path, settings);
        } else if !path.ends_with("nf_conntrack_count") {
            // Some can only be written; then there is nothing to compare.
            let value = fs::read_to_string(&path).unwrap_or_default();
            settings.push(format!("{} = {}", path.display(), value.trim_end()));
        }
    }
}

fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn processes() -> Vec<Pid> {
    names_in(Path::new("/proc")).iter().filter_map(|name| name.parse().ok()).map(Pid::from_raw).collect()
}

/// State, parent and start of a process, from its `stat`; nothing if it is gone or a zombie, which holds nothing.
fn stat(process: Pid) -> Option<(String, Pid, String)> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name, in brackets, may hold anything.
    let (_, rest) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split(' ').collect();
    let parent = Pid::from_raw(fields.get(1)?.parse().ok()?);
    Some(((*fields.first()?).to_owned(), parent, (*fields.get(19)?).to_owned())).filter(|(state, ..)| state != "Z")
}

pub fn birth(process: Pid) -> Option<String> {
    stat(process).map(|(_, _, birth)| birth)
}

/// The time as births are told: hundredths of a second since the machine began.
pub fn now() -> u64 {
    let uptime = read("/proc/uptime");
    let seconds: f64 = uptime.split(' ').next().and_then(|text| text.parse().ok()).expect("a number");
    (seconds * 100.0) as u64
}

pub fn children(parent: Pid) -> Vec<Pid> {
    let is_child = |process: &Pid| stat(*process).is_some_and(|(_, of, _)| of == parent);
    processes().into_iter().filter(is_child).collect()
}

/// Whether a process runs the very file of a program: a lab's has a mount of its own for it.
fn is_run_by(program: &Program, process: Pid) -> bool {
    let file = |path: &Path| fs::metadata(path).ok().map(|it| (it.dev(), it.ino()));
    let runs = file(Path::new(&format!("/proc/{process}/exe")));
    runs.is_some() && runs == file(&program.path())
}

/// Who runs a program.
pub fn runs(program: &Program) -> Vec<Pid> {
    processes().into_iter().filter(|process| is_run_by(program, *process)).collect()
}

pub fn is(process: Pid, name: &str) -> bool {
    read(&format!("/proc/{process}/comm")).trim() == name
}

pub fn threads(process: Pid) -> Vec<String> {
    let tasks = names_in(Path::new(&format!("/proc/{process}/task")));
    tasks.iter().map(|task| read(&format!("/proc/{process}/task/{task}/comm")).trim().to_owned()).collect()
}

/// The namespaces that a process is in, has open, or has mounted.
pub fn held(process: Pid) -> BTreeSet<String> {
    let mut held = BTreeSet::new();
    for folder in ["ns", "fd"] {
        let links = fs::read_dir(format!("/proc/{process}/{folder}")).into_iter().flatten().flatten();
        let targets = links.filter_map(|link| fs::read_link(link.path()).ok());
        held.extend(targets.map(|target| target.to_string_lossy().into_owned()).filter(|target| is_namespace(target)));
    }
    let mounts = read(&format!("/proc/{process}/mountinfo"));
    held.extend(mounts.split([' ', '\n']).filter(|word| is_namespace(word)).map(str::to_owned));
    held
}

fn is_namespace(text: &str) -> bool {
    let kinds = ["net", "mnt", "pid", "user", "ipc", "uts", "cgroup", "time"];
    text.split_once(":[").is_some_and(|(kind, rest)| kinds.contains(&kind) && rest.ends_with(']'))
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}
