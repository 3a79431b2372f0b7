//! Whatever ends a run, and whenever: nothing of it is left, and the host is as it was.
//!
//! Other labs may run on this machine meanwhile, so a run is known by what is its own: its executable (a copy that
//! nobody else runs), and the namespaces that its processes were seen in or held.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test panics")]

mod program;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::LazyLock;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use program::{Program, User, users};

/// What every run here runs: seven steps with stops, starts, a crash and launches, and no file that must be readable.
const RUN: &[&str] = &["test", "example:two-tier"];

/// How long something that must come about may take on a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);

#[test]
fn nothing_is_left_when_the_caller_is_killed() {
    kill_at_every_moment(Target::Caller);
}

#[test]
fn nothing_is_left_when_the_first_process_of_the_lab_is_killed() {
    kill_at_every_moment(Target::Init);
}

#[test]
fn nothing_is_left_when_the_program_itself_is_killed() {
    kill_at_every_moment(Target::Program);
}

#[test]
fn a_lab_that_would_go_on_for_ever_ends_with_any_of_its_processes() {
    // The runs above are over soon in any case: here only the death of one process ends the others.
    let for_ever = &["shell", "example:two-tier", "--", "sleep", "1000000"];
    for user in users() {
        for target in [Target::Caller, Target::Init, Target::Program] {
            let program = Program::copy();
            let mut run = Run::of(&program, *user, for_ever);
            run.wait_for(Moment::Booted);
            let victim = run.process(target).unwrap_or_else(|| panic!("no {target:?}"));
            kill(victim, Signal::SIGKILL).expect("a process to kill");
            // Its output is not awaited: whoever is left holds it open.
            run.child.wait().expect("its end");
            run.assert_nothing_left(&format!("{target:?} of a lasting lab killed as {user:?}"));
        }
    }
}

#[test]
fn nothing_is_left_of_a_run_that_ends_by_itself() {
    for user in users() {
        let program = Program::copy();
        let mut run = Run::start(&program, *user);
        let status = run.end();
        assert_eq!(status.code(), Some(0), "as {user:?}: {}", run.words());
        run.assert_nothing_left(&format!("a whole run as {user:?}"));
    }
}

#[test]
fn an_interrupt_ends_a_run_with_130_and_nothing_is_left() {
    signal_at_some_moments(Signal::SIGINT, 130);
}

#[test]
fn a_request_to_terminate_ends_a_run_with_143_and_nothing_is_left() {
    signal_at_some_moments(Signal::SIGTERM, 143);
}

#[test]
fn an_interrupt_from_the_terminal_reaches_every_process_and_still_ends_a_run_with_130() {
    for user in users() {
        let program = Program::copy();
        let mut run = Run::start(&program, *user);
        run.wait_for(Moment::Booted);
        killpg(run.caller(), Signal::SIGINT).expect("a signal to the whole group");
        let status = run.end();
        assert_eq!(status.code(), Some(130), "as {user:?}: {status}: {}", run.words());
        run.assert_nothing_left(&format!("^C as {user:?}"));
    }
}

#[test]
fn eight_runs_with_the_same_addresses_at_once_all_pass() {
    for user in users() {
        let program = Program::copy();
        let runs: Vec<Child> = (0..8).map(|_| program.run(*user, RUN).spawn().expect("a run")).collect();
        let outputs: Vec<Output> = runs.into_iter().map(|run| run.wait_with_output().expect("its output")).collect();
        for output in outputs {
            assert_eq!(output.status.code(), Some(0), "as {user:?}: {}", words(&output.stdout, &output.stderr));
        }
        let left = || left_of(&program, &Seen::default());
        assert!(await_fact(|| left().is_empty()), "eight runs as {user:?} left:\n{}", left().join("\n"));
    }
}

fn kill_at_every_moment(target: Target) {
    for user in users() {
        let program = Program::copy();
        let moments: Vec<Moment> = MOMENTS.iter().copied().filter(|moment| *moment >= target.birth()).collect();
        assert!(moments.len() >= 10, "{moments:?} are too few");
        for moment in moments {
            let (run, status) = signalled(&program, *user, moment, Signal::SIGKILL, target);
            let what = format!("{target:?} killed at {moment:?} as {user:?}");
            match target {
                Target::Caller => assert_eq!(status.signal(), Some(9), "{what}: {}", run.words()),
                _ => assert_eq!(status.code(), Some(137), "{what}: {status}: {}", run.words()),
            }
            run.assert_nothing_left(&what);
        }
    }
}

fn signal_at_some_moments(signal: Signal, code: i32) {
    for user in users() {
        let program = Program::copy();
        for moment in [Moment::Spawned, Moment::Program, Moment::Nft, Moment::Booted, Moment::Stranger] {
            let (run, status) = signalled(&program, *user, moment, signal, Target::Caller);
            // Before it has anything to tear down the signal itself may end it: a shell says the same code then.
            let early = moment < Moment::Booted && status.signal() == Some(signal as i32);
            let what = format!("{signal} at {moment:?} as {user:?}");
            assert!(early || status.code() == Some(code), "{what}: {status}: {}", run.words());
            run.assert_nothing_left(&what);
        }
    }
}

/// A run with a signal at a moment to one of its processes, and how it ended. A run that was over before the signal
/// came says nothing of it: it is done again.
fn signalled(program: &Program, user: User, moment: Moment, signal: Signal, target: Target) -> (Run<'_>, ExitStatus) {
    for _ in 0..20 {
        let mut run = Run::start(program, user);
        run.wait_for(moment);
        if let Some(victim) = run.process(target) {
            kill(victim, signal).expect("a process to signal");
        }
        let status = run.end();
        if status.code() != Some(0) {
            return (run, status);
        }
    }
    panic!("{signal} at {moment:?} never came before the run's end");
}

/// The three processes of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    /// The one that was started, who waits.
    Caller,
    /// PID 1 of the lab.
    Init,
    /// The program itself.
    Program,
}

impl Target {
    fn birth(self) -> Moment {
        match self {
            Self::Caller => Moment::Spawned,
            Self::Init => Moment::Init,
            Self::Program => Moment::Program,
        }
    }
}

/// How far a run is, told from outside; in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Moment {
    Spawned,
    Init,
    Program,
    /// The lab has a `/run` of its own.
    PrivateRun,
    FirstNamespace,
    FiveNamespaces,
    /// The first nft is at work.
    Nft,
    /// The thread that reads the logs runs.
    Witness,
    /// The names of the lab are written: it is up.
    Booted,
    WebStopped,
    WebBack,
    WebThree,
    Stranger,
}

const MOMENTS: &[Moment] = &[
    Moment::Spawned,
    Moment::Init,
    Moment::Program,
    Moment::PrivateRun,
    Moment::FirstNamespace,
    Moment::FiveNamespaces,
    Moment::Nft,
    Moment::Witness,
    Moment::Booted,
    Moment::WebStopped,
    Moment::WebBack,
    Moment::WebThree,
    Moment::Stranger,
];

/// What a run was seen to have.
#[derive(Clone, Default)]
struct Seen {
    /// Namespaces that its processes were in or held, such as `net:[4026532000]`.
    namespaces: BTreeSet<String>,
    /// Processes, with the time of their start: numbers are used again.
    processes: BTreeMap<i32, String>,
}

/// A run of the program under observation.
struct Run<'a> {
    program: &'a Program,
    child: Child,
    output: Vec<thread::JoinHandle<String>>,
    said: String,
    seen: Seen,
}

impl<'a> Run<'a> {
    fn start(program: &'a Program, user: User) -> Self {
        Self::of(program, user, RUN)
    }

    fn of(program: &'a Program, user: User, arguments: &[&str]) -> Self {
        // Before the first run, so that what the host was like is known.
        LazyLock::force(&HOST);
        let mut command = program.run(user, arguments);
        // A group of its own, as a shell gives it.
        let mut child = command.process_group(0).stdin(Stdio::null()).spawn().expect("a run");
        let pipes: Vec<Box<dyn Read + Send>> =
            vec![Box::new(child.stdout.take().expect("a pipe")), Box::new(child.stderr.take().expect("a pipe"))];
        let reading = pipes.into_iter().map(|mut pipe| {
            thread::spawn(move || {
                let mut bytes = Vec::new();
                drop(pipe.read_to_end(&mut bytes));
                String::from_utf8_lossy(&bytes).into_owned()
            })
        });
        Self { program, child, output: reading.collect(), said: String::new(), seen: Seen::default() }
    }

    fn caller(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).expect("a process number"))
    }

    fn process(&self, target: Target) -> Option<Pid> {
        let caller = self.caller();
        let only_child = |parent: Pid| children(parent).first().copied();
        match target {
            Target::Caller => Some(caller),
            Target::Init => only_child(caller),
            Target::Program => only_child(only_child(caller)?),
        }
    }

    /// Waits until the run is so far, and notes what it has then.
    fn wait_for(&mut self, moment: Moment) {
        let begun = Instant::now();
        while !self.is_at(moment) {
            if let Some(status) = self.child.try_wait().expect("its state") {
                self.end();
                panic!("the run ended with {status} before it came to {moment:?}: {}", self.words());
            }
            assert!(begun.elapsed() < DEADLINE, "the run never came to {moment:?}");
            // Not a wait for something to be done by then: only to leave the processor to the run.
            thread::sleep(Duration::from_micros(300));
        }
        let mut processes = vec![self.caller()];
        while let Some(process) = processes.pop() {
            processes.extend(children(process));
            self.seen.processes.extend(birth(process).map(|birth| (process.as_raw(), birth)));
            self.seen.namespaces.extend(held(process));
        }
        let here = held(Pid::this());
        self.seen.namespaces.retain(|namespace| !here.contains(namespace));
    }

    fn is_at(&self, moment: Moment) -> bool {
        let program = self.process(Target::Program);
        let inside = |path: &str| program.map(|program| PathBuf::from(format!("/proc/{program}/root/run/{path}")));
        let names = || inside("netns").and_then(|path| fs::read_dir(path).ok()).map_or(0, Iterator::count);
        // Of a lab's own: before it has a private `/run`, this is the host's.
        let private = || inside("sglab").is_some_and(|path| path.exists());
        let hosts = || inside("sglab/0/hosts").and_then(|path| fs::read_to_string(path).ok()).unwrap_or_default();
        match moment {
            Moment::Spawned => true,
            Moment::Init => self.process(Target::Init).is_some(),
            Moment::Program => program.is_some(),
            Moment::PrivateRun => private(),
            Moment::FirstNamespace => private() && names() >= 1,
            Moment::FiveNamespaces => private() && names() >= 5,
            Moment::Nft => program.is_some_and(|program| children(program).into_iter().any(|child| is(child, "nft"))),
            Moment::Witness => program.is_some_and(|program| threads(program).contains(&"witness".to_owned())),
            Moment::Booted => hosts().contains(" db2\n"),
            Moment::WebStopped => hosts().contains(" db2\n") && !hosts().contains("10.0.0.11 web1\n"),
            Moment::WebBack => hosts().contains(" web1\n") && !hosts().contains("10.0.0.11 web1\n"),
            Moment::WebThree => hosts().contains(" web3\n"),
            Moment::Stranger => hosts().contains(" stranger\n"),
        }
    }

    /// Waits for the caller's end and for all that was said.
    fn end(&mut self) -> ExitStatus {
        let status = self.child.wait().expect("its end");
        // The pipes close when the last process that holds them is gone.
        for output in self.output.drain(..) {
            self.said.push_str(&output.join().expect("a reader"));
        }
        status
    }

    fn words(&self) -> &str {
        &self.said
    }

    fn assert_nothing_left(&self, what: &str) {
        let left = || left_of(self.program, &self.seen);
        // The kernel clears away in its own time.
        assert!(await_fact(|| left().is_empty()), "{what}: there is left\n{}", left().join("\n"));
    }
}

/// Waits until something holds; false if it does not come about.
fn await_fact(holds: impl Fn() -> bool) -> bool {
    let begun = Instant::now();
    loop {
        if holds() {
            return true;
        }
        if begun.elapsed() > DEADLINE {
            return false;
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// Everything that is left of a run, a line each.
fn left_of(program: &Program, seen: &Seen) -> Vec<String> {
    let mut left = Vec::new();
    // What has ended is the host's to clear away, which some hosts do in seconds; its namespaces end with it.
    for process in processes().into_iter().filter(|process| stat(*process).is_some()) {
        let describe =
            || format!("process {process}: {}", read(&format!("/proc/{process}/cmdline")).replace('\0', " "));
        let executable = fs::read_link(format!("/proc/{process}/exe")).unwrap_or_default();
        let is_seen = seen.processes.get(&process.as_raw()).is_some_and(|born| birth(process).as_ref() == Some(born));
        if executable.starts_with(program.folder()) || is_seen {
            left.push(describe());
        }
        for namespace in held(process).intersection(&seen.namespaces) {
            left.push(format!("namespace {namespace}, held by {}", describe()));
        }
    }
    for entry in fs::read_dir(program.scratch()).expect("the scratch folder") {
        left.push(format!("file {}", entry.expect("an entry").path().display()));
    }
    left.extend(HOST.difference(&host()));
    left
}

/// The host before the first run.
static HOST: LazyLock<Host> = LazyLock::new(|| {
    // What a kernel loads on first use brings settings of its own; a first run has it loaded.
    for user in users() {
        let output = Program::copy().run(*user, RUN).output().expect("a run");
        assert_eq!(output.status.code(), Some(0), "as {user:?}: {}", words(&output.stdout, &output.stderr));
    }
    host()
});

/// All of the host that a lab could touch: a text for each kind of thing.
struct Host(BTreeMap<String, String>);

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

fn birth(process: Pid) -> Option<String> {
    stat(process).map(|(_, _, birth)| birth)
}

fn children(parent: Pid) -> Vec<Pid> {
    let is_child = |process: &Pid| stat(*process).is_some_and(|(_, of, _)| of == parent);
    processes().into_iter().filter(is_child).collect()
}

fn is(process: Pid, name: &str) -> bool {
    read(&format!("/proc/{process}/comm")).trim() == name
}

fn threads(process: Pid) -> Vec<String> {
    let tasks = names_in(Path::new(&format!("/proc/{process}/task")));
    tasks.iter().map(|task| read(&format!("/proc/{process}/task/{task}/comm")).trim().to_owned()).collect()
}

/// The namespaces that a process is in, has open, or has mounted.
fn held(process: Pid) -> BTreeSet<String> {
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

fn words(stdout: &[u8], stderr: &[u8]) -> String {
    format!("{}{}", String::from_utf8_lossy(stdout), String::from_utf8_lossy(stderr))
}
