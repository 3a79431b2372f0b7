//! Other runners of tests. nextest asks an executable for its tests (`--list --format terse`), and runs each in a process of its own
//! (`--exact NAME --nocapture`), the head of a process group; what it knows of a test is its exit code. This speaks as nextest does.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Output, Stdio};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::failing::ON_PURPOSE;

fn this_executable() -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env("NEXTEST", "1").env("NEXTEST_EXECUTION_MODE", "process-per-test").env("RUST_BACKTRACE", "0");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    command
}

/// The names of tests, as nextest reads them.
fn listed(ignored: bool) -> Vec<String> {
    let mut command = this_executable();
    command.args(["--list", "--format", "terse"]).args(ignored.then_some("--ignored"));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .map(|line| line.strip_suffix(": test").unwrap_or_else(|| panic!("no test: {line}")).to_owned())
        .collect()
}

fn started(name: &str, ignored: bool) -> Child {
    let mut command = this_executable();
    command.args(["--exact", name, "--nocapture"]).args(ignored.then_some("--ignored"));
    command.spawn().unwrap()
}

#[test]
fn tests_are_listed_and_each_passes_in_a_process_of_its_own_beside_the_others() {
    let all = listed(false);
    let side_by_side: Vec<&String> = all.iter().filter(|name| name.starts_with("side_by_side::")).collect();
    assert_eq!(side_by_side.len(), 16, "{all:?}");
    let running: Vec<Child> = side_by_side[..4].iter().map(|name| started(name, false)).collect();
    for (name, running) in side_by_side.iter().zip(running) {
        // Both pipes come to their end: a process that outlives its test is a leak to nextest.
        let Output { status, stdout, stderr } = running.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&stdout) + String::from_utf8_lossy(&stderr);
        assert!(status.success() && said.contains("1 passed; 0 failed; 0 ignored"), "{name}: {said}");
        assert_eq!(said.matches("running 1 test").count(), 1, "the harness inside is heard too:\n{said}");
    }
}

#[test]
fn whatever_way_a_test_fails_its_process_does_and_says_why() {
    let ignored = listed(true);
    let failing = [
        ("an_assertion", "expected open\n  customer -> db1:5432: dropped at the ingress of db1"),
        ("an_error", "InvalidInstanceID.NotFound"),
        ("for_ever", "still ran after 1 s, and was ended"),
        ("an_abort", "ended early: ended by SIGABRT"),
        ("an_early_exit", "ended without"),
        ("behind_a_guard", "as was meant"),
    ];
    let run = |(name, _): &(&str, &str)| {
        let name = format!("failing::{name}");
        assert!(ignored.contains(&name), "{name} is not listed: {ignored:?}");
        let mut command = this_executable();
        command.args(["--exact", &name, "--nocapture", "--ignored"]).env(ON_PURPOSE, "1");
        command.spawn().unwrap()
    };
    let running: Vec<Child> = failing.iter().map(run).collect();
    for ((name, wanted), running) in failing.iter().zip(running) {
        let Output { status, stdout, stderr } = running.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&stdout) + String::from_utf8_lossy(&stderr);
        assert_eq!(status.code(), Some(101), "{name}: {said}");
        assert!(said.contains(wanted), "{name}: {said}");
    }
}

/// At its `slow-timeout` nextest sends SIGTERM to the test's process group, and SIGKILL ten seconds later.
#[test]
fn a_test_that_is_ended_at_its_slow_timeout_is_gone_with_all_of_its_lab() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut command = this_executable();
    command.args(["--exact", "failing::with_a_locked_file", "--nocapture", "--ignored"]).env(ON_PURPOSE, file.path());
    let mut running = command.spawn().unwrap();
    let mut lines = BufReader::new(running.stdout.take().unwrap()).lines();
    assert!(lines.by_ref().map_while(Result::ok).any(|line| line.contains("locked")), "it never came so far");
    assert!(file.as_file().try_lock().is_err(), "the test holds it");
    killpg(Pid::from_raw(running.id() as i32), Signal::SIGTERM).unwrap();
    assert!(!running.wait().unwrap().success());
    // Whoever still held the pipe or the lock would keep this from its end.
    assert_eq!(lines.map_while(Result::ok).count(), 0);
    File::open(file.path()).unwrap().lock().unwrap();
}
