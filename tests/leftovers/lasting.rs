//! A lab that stays up and a run of a story, ended at a moment that nobody has chosen, while all kinds of things are done: nothing is left.
//!
//! `SGLAB_KILLS` says how often, `SGLAB_KILLS_SEED` when (`scripts/attack`).

use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::BuildHasher;
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::labs::Labs;
use crate::left::{HOST, children, left_of, runs};
use crate::program::{Program, User, users};
use crate::run::{Run, Seen, Target};
use crate::{await_fact, deadline};

/// What is done when the end comes.
#[derive(Clone, Copy, Debug)]
enum Doing {
    Boot,
    Operations,
    Probes,
    Exec,
    Capture,
    Follow,
}

const DOING: [Doing; 6] = [Doing::Boot, Doing::Operations, Doing::Probes, Doing::Exec, Doing::Capture, Doing::Follow];
const TARGETS: [Target; 3] = [Target::Caller, Target::Init, Target::Program];
const OTHER_SIGNALS: [Signal; 9] = [
    Signal::SIGTERM,
    Signal::SIGINT,
    Signal::SIGHUP,
    Signal::SIGPIPE,
    Signal::SIGQUIT,
    Signal::SIGSEGV,
    Signal::SIGABRT,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
];

fn number_of(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap_or_else(|error| panic!("{variable}: {error}")))
}

/// So often, and in the short form as often as that each kind comes once.
fn rounds(short: usize) -> usize {
    number_of("SGLAB_KILLS").map_or(short, |rounds| rounds as usize)
}

/// A moment of a round: the same for the same seed.
fn moment(round: usize) -> Duration {
    static SEED: LazyLock<u64> = LazyLock::new(|| {
        let seed = number_of("SGLAB_KILLS_SEED").unwrap_or_else(|| RandomState::new().hash_one(0));
        println!("SGLAB_KILLS_SEED={seed}");
        seed
    });
    let mut word = seed_of(*SEED, round as u64);
    word ^= word >> 31;
    Duration::from_micros(word % 500_000)
}

fn seed_of(seed: u64, round: u64) -> u64 {
    let word = (seed ^ round.wrapping_mul(0x9e37_79b9_7f4a_7c15)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word ^ (word >> 27)
}

/// Begins it; it goes on until the lab ends, and then ends by itself.
fn begin(labs: &Labs, doing: Doing) -> Child {
    let script = |text: &str| {
        let shell = labs.program.dress(labs.user, Command::new("sh"), &["-c", text]);
        let mut command = shell;
        command.arg(labs.program.path()).env("SGLAB_RUNTIME_DIR", labs.folder());
        command
    };
    let mut command = match doing {
        Doing::Boot => labs.command(&["up", "example:two-tier"]),
        Doing::Operations => script("while \"$0\" stop web1 && \"$0\" start web1; do :; done"),
        Doing::Probes => script("while \"$0\" probe web1 db1:3306 db1:22; do :; done"),
        Doing::Exec => labs.command(&["exec", "web1", "--", "sh", "-c", "sleep 1000000 & yes"]),
        Doing::Capture => labs.command(&["capture", "web1"]),
        Doing::Follow => labs.command(&["events", "--follow"]),
    };
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("a program")
}

/// The process of a lab that has no parent of ours: who waits for its first process.
fn outermost(labs: &Labs, doing: Doing, begun: &Child) -> Option<Pid> {
    match doing {
        Doing::Boot => {
            let client = Pid::from_raw(begun.id() as i32);
            let is_in_between = |it: &Pid| children(*it).first().is_some_and(|child| !children(*child).is_empty());
            runs(&labs.program).into_iter().find(|it| *it != client && is_in_between(it))
        }
        _ => Some(labs.pid("two-tier")),
    }
}

fn end_of(outer: Pid, target: Target) -> Option<Pid> {
    let child = |of: Pid| children(of).first().copied();
    match target {
        Target::Caller => Some(outer),
        Target::Init => child(outer),
        Target::Program => child(child(outer)?),
    }
}

/// One end of a lab that stays up.
fn ends(round: usize, user: User, doing: Doing, signal: Signal, target: Target) {
    LazyLock::force(&HOST);
    let what = format!("{signal} to {target:?} during {doing:?} as {user:?}, round {round}");
    let (labs, mut seen) = (Labs::of(user), Seen::from_now_on());
    if !matches!(doing, Doing::Boot) {
        labs.ok(&["up", "example:two-tier"]);
    }
    let mut begun = begin(&labs, doing);
    let since = Instant::now();
    let outer = loop {
        if let Some(outer) = outermost(&labs, doing, &begun) {
            break Some(outer);
        }
        // A boot that has failed, or is over, shows nothing any more.
        if begun.try_wait().expect("its state").is_some() {
            break None;
        }
        assert!(since.elapsed() < deadline(), "{what}: there is no lab");
    };
    // A moment at random: nothing is waited for.
    thread::sleep(moment(round));
    if let Some(outer) = outer {
        seen.note(outer);
        if let Some(victim) = end_of(outer, target) {
            // It may just have ended.
            let _ = kill(victim, signal);
        }
    }
    if signal != Signal::SIGKILL || outer.is_none() {
        // Not every signal ends a lab.
        labs.say(&["down", "--all", "--force"]);
    }
    let left = || {
        let all = left_of(&labs.program, &seen).into_iter();
        all.filter(|line| !line.starts_with("file ")).collect::<Vec<_>>()
    };
    assert!(await_fact(|| left().is_empty()), "{what}: there is left\n{}", left().join("\n"));
    begun.wait().expect("its end");
    // One that was killed is told of, until somebody clears its name.
    let told = labs.ok(&["ps"]);
    let has_died = told.starts_with("two-tier has died: one of its processes was killed");
    assert!(has_died || told == "no lab is up\n", "{what}: {told}");
    let was_up = !matches!(doing, Doing::Boot);
    assert!(has_died || !(was_up && signal == Signal::SIGKILL), "{what}: {told}");
    if has_died {
        labs.ok(&["down", "two-tier"]);
        assert_eq!(labs.ok(&["ps"]), "no lab is up\n", "{what}");
    }
    let files = fs::read_dir(labs.folder()).expect("the folder").flatten();
    let files: Vec<_> = files.map(|it| it.file_name()).filter(|it| !it.to_string_lossy().ends_with(".log")).collect();
    assert!(files.is_empty(), "{what}: {files:?}");
}

#[test]
fn nothing_is_left_of_a_lab_that_is_killed_whatever_is_done_in_it() {
    let users = users();
    for round in 0..rounds(DOING.len() * users.len()) {
        let doing = DOING[round % DOING.len()];
        let user = users[round / DOING.len() % users.len()];
        // Over the long form each meets each.
        let target = TARGETS[(round + round / 18) % TARGETS.len()];
        ends(round, user, doing, Signal::SIGKILL, target);
    }
    println!("{} labs killed: nothing is left", rounds(DOING.len() * users.len()));
}

#[test]
fn nothing_is_left_of_a_lab_that_gets_any_other_signal() {
    let users = users();
    for round in 0..rounds(OTHER_SIGNALS.len()) {
        let signal = OTHER_SIGNALS[round % OTHER_SIGNALS.len()];
        let user = users[(round + round / OTHER_SIGNALS.len()) % users.len()];
        // The first process of a namespace hears from outside only what kills it.
        let target = if round % 2 == 0 { Target::Caller } else { Target::Program };
        ends(round, user, DOING[(round + round / 6) % DOING.len()], signal, target);
    }
    println!("{} labs ended by other signals: nothing is left", rounds(OTHER_SIGNALS.len()));
}

#[test]
fn nothing_is_left_of_a_run_that_is_killed_at_any_moment() {
    let users = users();
    for round in 0..rounds(6) {
        let (user, target) = (users[round / 3 % users.len()], TARGETS[round % 3]);
        let program = Program::copy();
        let mut run = Run::start(&program, user);
        thread::sleep(moment(round));
        run.note();
        if let Some(victim) = run.process(target) {
            let _ = kill(victim, Signal::SIGKILL);
        }
        run.end();
        run.assert_nothing_left(&format!("{target:?} killed as {user:?}, round {round}"));
    }
    println!("{} runs killed: nothing is left", rounds(6));
}
