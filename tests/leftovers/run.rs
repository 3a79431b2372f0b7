//! A run under observation: how far it is, what it has, and how it ends.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::LazyLock;
use std::thread;
use std::time::{Duration, Instant};

use nix::unistd::Pid;

use crate::left::{HOST, birth, children, held, is, left_of, now, threads};
use crate::program::{Program, User};
use crate::{RUN, await_fact, deadline};

/// The three processes of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The one that was started, who waits.
    Caller,
    /// PID 1 of the lab.
    Init,
    /// The program itself.
    Program,
}

impl Target {
    pub fn birth(self) -> Moment {
        match self {
            Self::Caller => Moment::Spawned,
            Self::Init => Moment::Init,
            Self::Program => Moment::Program,
        }
    }
}

/// How far a run is, told from outside; in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Moment {
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

pub const MOMENTS: &[Moment] = &[
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
pub struct Seen {
    /// Namespaces that its processes were in or held, such as `net:[4026532000]`.
    pub namespaces: BTreeSet<String>,
    /// Processes, with the time of their start: numbers are used again.
    pub processes: BTreeMap<i32, String>,
    /// From when to when its processes were born, as births are told. The numbers of namespaces are given again, to labs of others too.
    pub born: Option<(u64, u64)>,
}

impl Seen {
    /// Of a run that begins now.
    pub fn from_now_on() -> Self {
        Self { born: Some((now().saturating_sub(1), u64::MAX)), ..Self::default() }
    }

    /// Notes what a process and its descendants have, and nobody else.
    pub fn note(&mut self, of: Pid) {
        let mut processes = vec![of];
        while let Some(process) = processes.pop() {
            processes.extend(children(process));
            self.processes.extend(birth(process).map(|birth| (process.as_raw(), birth)));
            self.namespaces.extend(held(process));
        }
        self.born = self.born.map(|(first, _)| (first, now()));
        let here = held(Pid::this());
        self.namespaces.retain(|namespace| !here.contains(namespace));
    }
}

/// A run of the program under observation.
pub struct Run<'a> {
    program: &'a Program,
    pub child: Child,
    output: Vec<thread::JoinHandle<String>>,
    said: String,
    seen: Seen,
}

impl<'a> Run<'a> {
    pub fn start(program: &'a Program, user: User) -> Self {
        Self::of(program, user, RUN)
    }

    pub fn of(program: &'a Program, user: User, arguments: &[&str]) -> Self {
        // Before the first run, so that what the host was like is known.
        LazyLock::force(&HOST);
        let mut command = program.run(user, arguments);
        let seen = Seen::from_now_on();
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
        Self { program, child, output: reading.collect(), said: String::new(), seen }
    }

    pub fn caller(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).expect("a process number"))
    }

    pub fn process(&self, target: Target) -> Option<Pid> {
        let caller = self.caller();
        let only_child = |parent: Pid| children(parent).first().copied();
        match target {
            Target::Caller => Some(caller),
            Target::Init => only_child(caller),
            Target::Program => only_child(only_child(caller)?),
        }
    }

    /// Waits until the run is so far, and notes what it has then.
    pub fn wait_for(&mut self, moment: Moment) {
        let begun = Instant::now();
        while !self.is_at(moment) {
            if let Some(status) = self.child.try_wait().expect("its state") {
                self.end();
                panic!("the run ended with {status} before it came to {moment:?}: {}", self.words());
            }
            assert!(begun.elapsed() < deadline(), "the run never came to {moment:?}");
            // Not a wait for something to be done by then: only to leave the processor to the run.
            thread::sleep(Duration::from_micros(300));
        }
        self.note();
    }

    /// Notes what it has now.
    pub fn note(&mut self) {
        let caller = self.caller();
        self.seen.note(caller);
    }

    fn is_at(&self, moment: Moment) -> bool {
        let program = self.process(Target::Program);
        let inside = |path: &str| program.map(|program| PathBuf::from(format!("/proc/{program}/root/run/{path}")));
        let names = || inside("netns").and_then(|path| fs::read_dir(path).ok()).map_or(0, Iterator::count);
        // Of a lab's own: before it has a private `/run`, this is the host's.
        let private = || inside("sglab").is_some_and(|path| path.exists());
        let hosts =
            || inside("sglab/0/hosts-vpc-default").and_then(|path| fs::read_to_string(path).ok()).unwrap_or_default();
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
    pub fn end(&mut self) -> ExitStatus {
        let status = self.child.wait().expect("its end");
        // The pipes close when the last process that holds them is gone.
        for output in self.output.drain(..) {
            self.said.push_str(&output.join().expect("a reader"));
        }
        status
    }

    pub fn words(&self) -> &str {
        &self.said
    }

    pub fn assert_nothing_left(&self, what: &str) {
        let left = || left_of(self.program, &self.seen);
        // The kernel clears away in its own time.
        assert!(await_fact(|| left().is_empty()), "{what}: there is left\n{}", left().join("\n"));
    }
}
