//! Files, folders and their words that somebody meant ill with: read without hanging, and shown without effect.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test panics")]

mod program;

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output};

use program::{Program, Said, User, json, write};

const TWO_RULES: &str = include_str!("../topologies/two-rules.yaml");

/// What a run came to that ends by itself: one that hangs is killed, and fails the test.
fn ends(program: &Program, user: User, arguments: &[&str]) -> Said {
    let mut command = Command::new("timeout");
    command.args(["--signal=KILL", "60"]).arg(program.path());
    let Output { status, stdout, stderr } = program.dress(user, command, arguments).output().expect("timeout");
    assert!(status.signal().is_none() && status.code() != Some(137), "{arguments:?} hangs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    Said { code: status.code(), out: text(stdout), err: text(stderr) }
}

fn pipe(path: &Path) {
    nix::unistd::mkfifo(path, nix::sys::stat::Mode::from_bits_truncate(0o644)).expect("a named pipe");
}

// Folders.

#[test]
fn links_that_lead_in_circles_are_followed_once_and_each_file_is_read_once() {
    let program = Program::copy();
    write(&program, "all/b/two.yaml", TWO_RULES);
    write(&program, "outside/three.yaml", TWO_RULES);
    let all = program.scratch().join("all");
    for (link, to) in [("a", "b"), ("one", "."), ("two", "."), ("b/up", ".."), ("c", "../outside"), ("d", "../outside")]
    {
        symlink(to, all.join(link)).expect("a link");
    }
    let said = ends(&program, User::Ours, &["check", "all"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let files: Vec<&str> = said.out.lines().filter_map(|line| line.split(':').next()).collect();
    assert_eq!(files, ["all/b/two.yaml", "all/c/three.yaml"], "by the folder's own name where it has one: {said:?}");
    for link in ["all/a", "all/one", "all/two", "all/b/up", "all/d"] {
        assert!(said.err.contains(&format!("note: {link} is skipped: ")), "{link}: {said:?}");
    }
    let said = ends(&program, User::Ours, &["list", "all", "--format", "json"]);
    assert_eq!(json(&said.out)["topologies"].as_array().map(Vec::len), Some(2), "{said:?}");
}

#[test]
fn what_is_no_file_is_skipped_and_told_in_a_folder_and_may_be_named_by_itself() {
    let program = Program::copy();
    write(&program, "all/two.yaml", TWO_RULES);
    let all = program.scratch().join("all");
    pipe(&all.join("pipe.yaml"));
    symlink("pipe.yaml", all.join("link.yml")).expect("a link");
    symlink("/dev/zero", all.join("device.yaml")).expect("a link");
    drop(std::os::unix::net::UnixListener::bind(all.join("socket.yaml")).expect("a socket"));
    for arguments in [&["check", "all"][..], &["list", "all"], &["test", "all"]] {
        let said = ends(&program, User::Ours, arguments);
        assert_eq!(said.code, Some(0), "{said:?}");
        for (name, kind) in [
            ("pipe.yaml", "a named pipe"),
            ("link.yml", "a named pipe"),
            ("device.yaml", "a device"),
            ("socket.yaml", "a socket"),
        ] {
            let words = format!("note: all/{name} is skipped: it is {kind}, and no file\n");
            assert!(said.err.contains(&words), "{words}: {said:?}");
        }
    }
    fs::remove_file(all.join("two.yaml")).expect("removed");
    let said = ends(&program, User::Ours, &["check", "all"]);
    assert_eq!(said.code, Some(2), "nothing was checked: {said:?}");
    // Somebody who names a pipe wants it read.
    let mut command = Command::new("sh");
    command.args(["-c", "\"$0\" check /dev/stdin <two.yaml && cat two.yaml | \"$0\" check /dev/stdin"]);
    write(&program, "two.yaml", TWO_RULES);
    let sglab = program.path().display().to_string();
    let said = program::said(program.dress(User::Ours, command, &[&sglab]));
    assert_eq!((said.code, said.out.lines().count()), (Some(0), 2), "{said:?}");
}
