//! Labs that do not go down.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::thread;

use sglab::protocol::{self, Envelope, Failure, MAX_REQUEST, Reply, Request};

use crate::labs::Labs;
use crate::program::{User, json};

/// Stands in for the supervisor of a lab, and gives this answer when it is to go down.
fn stand_in(labs: &Labs, name: &str, answer: Reply) -> thread::JoinHandle<()> {
    let lock = File::create(labs.folder().join(format!("{name}.lock"))).expect("a lock");
    lock.set_permissions(fs::Permissions::from_mode(0o600)).expect("permissions");
    lock.lock().expect("a lock");
    let listener = UnixListener::bind(labs.socket(name)).expect("a socket");
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("who asks");
        let asked: Envelope = protocol::read(&mut stream, MAX_REQUEST).expect("a request");
        assert_eq!(asked.request, Request::Down);
        (&lock).write_all(b"ended\n").expect("a word");
        protocol::write(&mut stream, &answer, protocol::MAX_REPLY).expect("an answer");
    })
}

#[test]
fn labs_that_are_down_are_told_though_another_is_not() {
    let labs = Labs::of(User::Ours);
    fs::DirBuilder::new().mode(0o700).create(labs.folder()).expect("a folder");
    for (format, first, second) in [("json", "a", "b"), ("text", "c", "d")] {
        let busy = Reply::Failed(Failure::Words("it is at work".to_owned()));
        let all = [stand_in(&labs, first, Reply::Done), stand_in(&labs, second, busy)];
        let said = labs.say(&["down", "--all", "--format", format]);
        for one in all {
            one.join().expect("no panic");
        }
        assert_eq!(said.code, Some(2), "{said:?}");
        assert!(said.err.contains("it is at work"), "{said:?}");
        match format {
            "json" => assert_eq!(json(&said.out), serde_json::json!([{"lab": "a", "had_died": false}])),
            _ => assert_eq!(said.out, "c is down\n"),
        }
    }
}

/// As after `| head -n 1`.
#[test]
fn every_lab_is_taken_down_though_nobody_reads_what_is_said() {
    let labs = Labs::of(User::Ours);
    for name in ["one", "other", "third"] {
        labs.ok(&["up", "example:two-tier", "--name", name]);
    }
    let (read, write) = std::io::pipe().expect("a pipe");
    drop(read);
    let mut command = labs.command(&["down", "--all"]);
    let output = command.stdout(write).stderr(std::process::Stdio::piped()).output().expect("the program");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty(), "{output:?}");
    assert_eq!(labs.states().len(), 0);
}
