//! What is said of tests that fail, and that nothing of them stays.

use std::io::{BufRead, BufReader};
use std::process::{Command, Output};

use super::failing::ON_PURPOSE;
use crate::patience::patience;

fn failing(name: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([&format!("failing::{name}"), "--exact", "--ignored", "--color", "never"]);
    command
}

/// What libtest says of one of them.
fn failed(name: &str) -> String {
    let Output { status, stdout, .. } = failing(name).env(ON_PURPOSE, "1").output().unwrap();
    let text = String::from_utf8(stdout).unwrap();
    assert_eq!(status.code(), Some(101), "{text}");
    assert!(text.contains("0 passed; 1 failed"), "{text}");
    text
}

#[test]
fn a_failed_assertion_is_passed_on_with_what_was_printed_and_which_rule_was_missing() {
    let text = failed("an_assertion");
    let order = [
        "---- failing::an_assertion stdout ----",
        "said before",
        "panicked at tests/lab_library/failing.rs:",
        "expected open\n  customer -> db1:5432: dropped at the ingress of db1\n    no rule of db admits tcp 5432 from 198.51.100.7",
        "failures:",
    ];
    let mut at = 0;
    for said in order {
        at += text[at..].find(said).unwrap_or_else(|| panic!("{said} is missing, or too early, in\n{text}"));
    }
    assert_eq!(text.matches("running 1 test").count(), 1, "the harness inside is heard too:\n{text}");
}

#[test]
fn a_flow_that_is_too_open_is_told_with_the_rule_that_let_it_in() {
    let text = failed("too_open");
    let said = "expected dropped\n  web1 -> db1:5432: open\n    admitted by db \"tcp 5432 from web\"   builder:";
    assert!(text.contains(said), "{text}");
}

#[test]
fn an_error_is_shown_as_people_read_it() {
    let text = failed("an_error");
    assert!(text.contains("Error: InvalidInstanceID.NotFound: "), "{text}");
}

#[test]
fn a_test_that_never_ends_is_ended_at_its_time() {
    assert!(failed("for_ever").contains("failing::for_ever still ran after 1 s, and was ended"));
}

#[test]
fn a_process_that_ends_early_is_no_passed_test() {
    let aborted = failed("an_abort");
    assert!(aborted.contains("failing::an_abort ended early: ended by SIGABRT"), "{aborted}");
    let exited = failed("an_early_exit");
    assert!(exited.contains("failing::an_early_exit inside a sandbox, and ended without"), "{exited}");
}

#[test]
fn a_failure_behind_a_guard_is_passed_on() {
    assert!(failed("behind_a_guard").contains("as was meant"));
}

#[test]
fn what_fails_on_purpose_does_nothing_otherwise() {
    let output = failing("an_assertion").output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn when_the_test_is_killed_nothing_of_it_stays() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut command = failing("with_a_locked_file");
    command.arg("--nocapture").env(ON_PURPOSE, file.path()).stdout(std::process::Stdio::piped());
    let mut outside = command.spawn().unwrap();
    let lines = BufReader::new(outside.stdout.take().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|line| line.contains("locked")), "it never came so far");
    assert!(file.as_file().try_lock().is_err(), "the test holds it");
    outside.kill().unwrap();
    outside.wait().unwrap();
    // The kernel gives the lock back when the last process that holds it is gone.
    let (told, gone) = std::sync::mpsc::channel();
    std::thread::spawn(move || told.send(file.as_file().lock()));
    gone.recv_timeout(patience(30)).expect("the test inside still runs").unwrap();
}
