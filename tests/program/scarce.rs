//! Too little of what the system limits: an error that names the limit before anything is made, and never a hang or a panic.

use std::fmt::Write;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::patience::patience;
use crate::program::{self, Program, Said, User, write};

/// What takes longer is killed.
fn longest() -> Duration {
    patience(30)
}

const TWO_RULES: &str = include_str!("../../topologies/two-rules.yaml");

/// Runs it under a limit, as a user who has no other process: limits of processes are of users, and root has none. Nothing where
/// the tests do not run as root. What hangs is killed, and fails the test.
fn limited(program: &Program, whose: u32, limit: &str, arguments: &[&str]) -> Option<Said> {
    if !program::is_root_or_skipped() {
        return None;
    }
    let mut command = Command::new("timeout");
    command.args(["--signal=KILL", &longest().as_secs_f64().to_string(), "prlimit", limit]).arg(program.path());
    let mut command = program.dress(User::Unused(whose), command, arguments);
    let folder = program.scratch().join("run").display().to_string();
    let begun = Instant::now();
    let output = command.env("SGLAB_RUNTIME_DIR", folder).output().expect("timeout");
    assert!(begun.elapsed() < longest(), "{limit}: {arguments:?} hangs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    Some(Said { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) })
}

/// A test that passes or says which limit is in its way; how many passed.
fn passes_or_names(program: &Program, whose: u32, limits: impl Iterator<Item = String>, named: &str) -> usize {
    limits
        .filter_map(|limit| {
            Some((limited(program, whose, &limit, &["test", "two-rules.yaml", "--era", "vpc"])?, limit))
        })
        .filter(|(said, limit)| {
            let all = format!("{}{}", said.out, said.err);
            assert!(!all.contains("panicked"), "{limit}: {all}");
            assert!(said.code == Some(0) || said.code == Some(3) && all.contains(named), "{limit}: {said:?}");
            assert!(said.code == Some(0) || !all.contains("up in"), "{limit}: before anything is made: {said:?}");
            said.code == Some(0)
        })
        .count()
}

#[test]
fn too_few_processes_are_an_error_that_names_the_limit() {
    let program = Program::copy();
    write(&program, "two-rules.yaml", TWO_RULES);
    let passed = passes_or_names(&program, 1, (1..=28).map(|most| format!("--nproc={most}")), "ulimit -u");
    assert!(passed <= 20, "{passed}");
    for most in [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 400] {
        let Some(said) = limited(&program, 1, &format!("--nproc={most}"), &["up", "two-rules.yaml"]) else { return };
        assert!(!said.err.contains("panicked"), "{most}: {said:?}");
        if said.code == Some(0) {
            assert_eq!(limited(&program, 1, "--nproc=400", &["down"]).and_then(|said| said.code), Some(0));
        } else {
            assert!(said.code == Some(3) && said.err.contains("ulimit -u"), "{most}: {said:?}");
        }
    }
}

#[test]
fn too_few_open_files_are_an_error_that_names_the_limit() {
    let program = Program::copy();
    write(&program, "two-rules.yaml", TWO_RULES);
    // With fewer than four not even the program can be loaded.
    let some = (4..=20).chain((25..=100).step_by(5)).chain([200]);
    let passed = passes_or_names(&program, 2, some.map(|most| format!("--nofile={most}")), "ulimit -Hn");
    assert!((1..20).contains(&passed) || !nix::unistd::geteuid().is_root(), "{passed}");
}

#[test]
fn more_columns_than_files_can_be_open_are_an_error_before_anything_is_made() {
    let program = Program::copy();
    let mut text = "sglab: 1\nera: vpc\nhosts: {world: 198.51.100.7}\ngroups: {A: [tcp 80 from anywhere]}\n\
        instances: {a: {groups: A}, b: {groups: A}}\ntables: {t: {open: ['any -> A:80'], ports: ["
        .to_owned();
    (1..4999).for_each(|port| write!(text, "tcp {port}, ").expect("text"));
    text.push_str("tcp 4999]}}\nscenario: [{step: s, expect: {open: [world -> a:80]}}]\n");
    write(&program, "wide.yaml", &text);
    assert_eq!(program::sglab(&program, &["check", "wide.yaml"]).code, Some(0));
    let Some(said) = limited(&program, 3, "--nofile=4096", &["test", "wide.yaml"]) else { return };
    assert_eq!(said.code, Some(3), "{said:?}");
    for words in ["files more", "a process may have 4096 files open", "ulimit -Hn"] {
        assert!(said.out.contains(words), "{words}: {said:?}");
    }
    assert!(!said.out.contains("listen on"), "{said:?}");
}

#[test]
fn too_little_memory_is_no_hang_and_no_panic() {
    let program = Program::copy();
    write(&program, "two-rules.yaml", TWO_RULES);
    let limit = |size: u32| format!("--as={}", size << 20);
    let loads =
        |size: &u32| limited(&program, 4, &limit(*size), &["--version"]).is_none_or(|said| said.code == Some(0));
    // With less not even the program can be loaded: without optimisation it has more than 50 MiB itself.
    let least = (30..=300).step_by(2).find(loads).expect("the program is smaller than 300 MiB");
    for limit in (least + 10..=300).step_by(10).map(limit) {
        let Some(said) = limited(&program, 4, &limit, &["test", "two-rules.yaml", "--era", "vpc"]) else { return };
        let all = format!("{}{}", said.out, said.err);
        assert!(!all.contains("panicked"), "{limit}: {said:?}");
        assert!(said.code == Some(0) || said.code == Some(3) && all.contains("ulimit -v"), "{limit}: {said:?}");
    }
}

/// Needs a file system that is full, which only root can have at hand.
#[test]
fn on_a_full_disk_no_file_is_left_empty_or_cut_short() {
    if !program::is_root_or_skipped() {
        return;
    }
    let program = Program::copy();
    write(&program, "two-rules.yaml", TWO_RULES);
    let script = "mkdir small && mount -t tmpfs -o size=64k tmpfs small && echo before >small/old.xml && \
        head -c 100000 /dev/zero >small/zero 2>/dev/null; export SGLAB_RUNTIME_DIR=$PWD/run
        $0 test two-rules.yaml --era vpc --junit small/new.xml; echo code $?
        $0 test two-rules.yaml --era vpc --junit small/old.xml; echo code $?
        $0 init small/new.yaml; echo code $?
        $0 up two-rules.yaml && $0 export -o small/export.yaml; echo code $?; $0 down
        ls -A small; cat small/old.xml
        rm small/zero; ln -s old.xml small/link.xml
        $0 test two-rules.yaml --era vpc --junit small/link.xml >small/out; echo code $?
        $0 test two-rules.yaml --era vpc --junit /dev/stdout | grep -c '<testsuites'
        grep -c '<testsuites' small/old.xml; ls -A small; umount small";
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", script]);
    let said = program::said(program.dress(User::Ours, command, &[&program.path().display().to_string()]));
    let lines: Vec<&str> = said.out.lines().collect();
    assert_eq!(lines.iter().filter(|line| **line == "code 2").count(), 4, "{said:?}");
    let told: Vec<&str> = lines.iter().copied().skip_while(|line| !line.ends_with("is down")).skip(1).collect();
    let after = ["old.xml", "zero", "before", "code 0", "1", "1", "link.xml", "old.xml", "out"];
    assert_eq!(told, after, "{said:?}");
}
