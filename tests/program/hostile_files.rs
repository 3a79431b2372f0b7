//! Files, folders and their words that somebody meant ill with: read without hanging, and shown without effect.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output};

use crate::labs::Labs;
use crate::program::{self, Program, Said, User, json, write};

const TWO_RULES: &str = include_str!("../../topologies/two-rules.yaml");

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

// Words.

/// What a terminal, or a workflow, would act on; in the words of YAML.
const HOSTILE: &str =
    r#""x\e]0;title\a\x9b31m\u202egnp\u2066\u200b\u2028y\r\n::error::forged\n##[error]forged\n  ::warning::forged""#;
/// The same as a part of a file's name.
const HOSTILE_NAME: &str = "x\u{1b}]0;t\u{7}\u{9b}\u{202e}\n::error::forged\n##[error]forged\n";

fn hostile() -> String {
    format!(
        "sglab: 1\nera: [vpc, classic]\nhosts: {{customer: 198.51.100.7}}\n\
         groups: {{web: [{{protocol: tcp, port: 80, from: anywhere, description: plain}}]}}\n\
         instances: {{web1: {{groups: web}}}}\n\
         scenario:\n  - step: {HOSTILE}\n    note: {HOSTILE}\n    expect: {{open: [customer -> web1:80]}}\n\
         \x20 - step: {}\n    note: {HOSTILE}\n    expect: {{open: [customer -> web1:81]}}\n",
        HOSTILE.replace("\"x", "\"y")
    )
}

/// Nothing in it acts on a terminal, hides, or begins a line that nobody has begun.
fn assert_plain(what: &str, text: &str) {
    for c in text.chars() {
        let hidden = c.is_control() && c != '\n'
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}');
        assert!(!hidden, "{what} has {c:?} in {text:?}");
    }
    for line in text.lines().map(str::trim_start) {
        let forged = ["::error::forged", "::warning::forged", "forged"];
        assert!(!forged.iter().any(|words| line.starts_with(words)), "{what} has {line:?} in {text}");
        assert!(!line.contains("##["), "the older form counts anywhere in a line: {what} has {line:?} in {text}");
    }
}

#[test]
fn words_of_others_are_shown_without_effect_by_every_command_that_reads_a_file() {
    let program = Program::copy();
    let name = format!("{HOSTILE_NAME}.yaml");
    write(&program, &name, &hostile());
    write(&program, &format!("all/{name}"), &hostile());
    write(&program, "all/other.yaml", TWO_RULES);
    write(&program, "::error::forged.yaml", TWO_RULES);
    symlink(".", program.scratch().join(format!("all/{HOSTILE_NAME}"))).expect("a link");
    let bad = format!(
        "sglab: 1\nera: classic\ngroups: {{web: {{description: {HOSTILE}, in: [tcp 80 from anywhere]}}}}\n{HOSTILE}: 1\n"
    );
    write(&program, &format!("bad{name}"), &bad);
    let bad = format!("bad{name}");
    for (code, arguments) in [
        (0, &["check", &name][..]),
        (0, &["check", "all", "--explain-era=vpc"]),
        (0, &["check", "::error::forged.yaml"]),
        (0, &["list", "::error::forged.yaml"]),
        (0, &["explain", "::error::forged.yaml", "a -> b:22"]),
        (0, &["predict", "::error::forged.yaml", "--era", "vpc"]),
        (2, &["check", &bad]),
        (2, &["check", &format!("absent{name}")]),
        (2, &["list", &bad]),
        (0, &["list", "all"]),
        (0, &["list", "all", "--long"]),
        (1, &["predict", &name]),
        (1, &["predict", &name, "--grid", "--era", "vpc"]),
        (0, &["explain", &name, "customer -> web1:80", "--step", "1"]),
        (0, &["render", &name]),
        (0, &["walk", &name, "--questions"]),
        (1, &["walk", &name]),
        (1, &["test", &name]),
        (1, &["test", &name, "--era", "vpc", "--grid"]),
        (1, &["test", "all"]),
        (1, &["test", &name, "--evidence", &format!("kept{HOSTILE_NAME}"), "--junit", "junit.xml"]),
        (0, &["shell", &name, "--step", "1", "--", "true"]),
    ] {
        let said = ends(&program, User::Ours, arguments);
        assert_eq!(said.code, Some(code), "{arguments:?}: {said:?}");
        // What nft reads is indented by tabs.
        assert_plain(&format!("{arguments:?}"), &said.out.replace('\t', " "));
        assert_plain(&format!("{arguments:?}"), &said.err);
    }
    let coloured = ends(&program, User::Ours, &["predict", &name, "--color", "always"]).out;
    assert!(coloured.contains("\u{1b}[") && !coloured.contains("\u{1b}]"), "{coloured:?}");
    let junit = fs::read_to_string(program.scratch().join("junit.xml")).expect("a report");
    assert!(junit.chars().all(|c| !c.is_control() || matches!(c, '\n' | '\r' | '\t' | '\u{7f}'..='\u{9f}')), "{junit}");
}

#[test]
fn a_name_makes_no_command_of_a_workflow() {
    let program = Program::copy();
    let name = format!("{HOSTILE_NAME}.yaml");
    write(&program, &name, &hostile());
    write(&program, "bad.yaml", &format!("sglab: 1\nera: vpc\n{HOSTILE}: 1\n'##[error]forged': 1\n"));
    for file in [name.as_str(), "bad.yaml", "absent##[error]forged.yaml"] {
        let said = ends(&program, User::Ours, &["test", file, "--format", "github"]);
        assert_ne!(said.code, Some(0), "{said:?}");
        assert_plain("stderr", &said.err);
        assert_plain("stdout", &said.out);
        for line in said.out.lines() {
            assert!(line.starts_with("::") && line.contains(" file=") && line.contains(",title="), "{line}");
        }
    }
}

#[test]
fn a_bundle_that_was_tampered_with_is_shown_without_effect() {
    let program = Program::copy();
    write(&program, "shop.yaml", &hostile().replace("era: [vpc, classic]", "era: vpc"));
    let said = ends(&program, User::Ours, &["test", "shop.yaml", "--evidence", "kept"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    let manifest = program.scratch().join("kept/sglab-evidence.json");
    let mut value = json(&fs::read_to_string(&manifest).expect("a manifest"));
    value["versions"] = serde_json::json!({ "sglab": HOSTILE_NAME, "kernel": HOSTILE_NAME, "nft": HOSTILE_NAME });
    value["runs"][0]["verdict"] = HOSTILE_NAME.into();
    value["runs"][0]["file"] = HOSTILE_NAME.into();
    fs::write(&manifest, value.to_string()).expect("written");
    let probes = program.scratch().join("kept/001-shop-vpc/step-001/probes.json");
    let mut value = json(&fs::read_to_string(&probes).expect("probes"));
    value["status"] = HOSTILE_NAME.into();
    value["probes"][0]["flow"] = HOSTILE_NAME.into();
    value["probes"][0]["detail"] = HOSTILE_NAME.into();
    fs::write(&probes, value.to_string()).expect("written");
    let compiled = program.scratch().join("kept/001-shop-vpc/step-001/compiled.nft");
    fs::write(&compiled, HOSTILE_NAME).expect("written");
    let said = ends(&program, User::Ours, &["replay", "kept"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert_plain("stdout", &said.out);
    assert_plain("stderr", &said.err);
    let before = fs::read_to_string(&manifest).expect("a manifest");
    for key in ["folder", "era"] {
        let mut value = json(&before);
        value["runs"][0][key] = HOSTILE_NAME.into();
        fs::write(&manifest, value.to_string()).expect("written");
        let said = ends(&program, User::Ours, &["replay", "kept"]);
        assert_eq!(said.code, Some(2), "{said:?}");
        assert_plain(key, &said.err);
    }
}

#[test]
fn words_of_others_are_shown_without_effect_by_a_lab_that_is_up() {
    let labs = Labs::of(User::Ours);
    let name = format!("{HOSTILE_NAME}.yaml");
    let service = r#"services: {it: {command: [sh, -c, "printf '\\033]0;x\\007 tab\\there\\n'; exec sleep 60"]}}"#;
    let text = hostile().replace("web1: {groups: web}", &format!("web1: {{groups: web, {service}}}"));
    write(&labs.program, &name, &text);
    for (code, arguments) in [
        (0, &["up", &name, "--name", "it", "--era", "vpc", "--step", "1"][..]),
        (0, &["ps"]),
        (0, &["state"]),
        (0, &["probe", "customer", "web1:80"]),
        (0, &["explain", "customer", "web1:80"]),
        (0, &["create-group", "other", "--description", "plain"]),
        (1, &["create-group", "another", "--description", HOSTILE_NAME]),
        (1, &["create-group", "another", "--description", "x\u{1b}[1m\n::error::forged\n##[error]forged"]),
        (2, &["stop", HOSTILE_NAME]),
        (0, &["events"]),
        (0, &["logs"]),
        (0, &["down"]),
        (2, &["up", &format!("absent{name}")]),
    ] {
        let said = labs.say(arguments);
        assert_eq!(said.code, Some(code), "{arguments:?}: {said:?}");
        assert_plain(&format!("{arguments:?}"), &said.out);
        assert_plain(&format!("{arguments:?}"), &said.err);
    }
}
