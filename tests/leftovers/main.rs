//! Whatever ends a run, and whenever: nothing of it is left, and the host is as it was.
//!
//! Apart from `tests/program`, whose tests change the host for a moment (mounts, control groups): here the whole host is compared with itself.
//!
//! Other labs may run on this machine meanwhile, so a run is known by what is its own: its executable (a copy that
//! nobody else runs), and the namespaces that its processes were seen in or held.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test panics")]

#[path = "../common/labs.rs"]
mod labs;
mod lasting;
mod left;
#[path = "../common/patience.rs"]
mod patience;
#[path = "../common/program.rs"]
mod program;
mod run;

use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus, Output};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill, killpg};
use patience::patience;

use left::left_of;
use program::{Program, User, users};
use run::{MOMENTS, Moment, Run, Seen, Target};

/// What every run here runs: seven steps with stops, starts, a crash and launches, and no file that must be readable.
const RUN: &[&str] = &["test", "example:two-tier"];

/// How long something that must come about may take on a busy machine.
fn deadline() -> Duration {
    patience(60)
}

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
    let users = users();
    for (share, user) in users.iter().enumerate() {
        let program = Program::copy();
        let moments: Vec<Moment> = MOMENTS.iter().copied().filter(|moment| *moment >= target.birth()).collect();
        assert!(moments.len() >= 10, "{moments:?} are too few");
        // Dealt out among the users; which of them has a moment is another for the next process.
        for moment in moments.into_iter().filter(|moment| (*moment as usize + target as usize) % users.len() == share) {
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

/// Waits until something holds; false if it does not come about.
fn await_fact(holds: impl Fn() -> bool) -> bool {
    let begun = Instant::now();
    loop {
        if holds() {
            return true;
        }
        if begun.elapsed() > deadline() {
            return false;
        }
        thread::sleep(Duration::from_millis(5));
    }
}

fn words(stdout: &[u8], stderr: &[u8]) -> String {
    format!("{}{}", String::from_utf8_lossy(stdout), String::from_utf8_lossy(stderr))
}
