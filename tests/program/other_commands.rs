//! Commands beside `test`, from outside: check, render, schema, init, completions, doctor, shell.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use crate::program::{Program, Said, User, json, run, said, sglab, users, write};

use serde_json::Value;

const TWO_RULES: &str = include_str!("../../topologies/two-rules.yaml");

/// As the least of our users.
fn without_privilege(program: &Program, arguments: &[&str]) -> Said {
    let user = *users().last().expect("a user");
    said(program.run(user, arguments))
}

#[test]
fn check_needs_no_privilege_and_says_what_is_valid() {
    let program = Program::copy();
    write(&program, "good.yaml", TWO_RULES);
    let good = without_privilege(&program, &["check", "good.yaml"]);
    assert_eq!((good.code, good.err.as_str()), (Some(0), ""), "{good:?}");
    assert!(good.out.starts_with("good.yaml: valid"), "{good:?}");
    write(&program, "bad.yaml", "sglab: 1\nera: modern\n");
    let bad = without_privilege(&program, &["check", "good.yaml", "bad.yaml", "--format", "json"]);
    assert_eq!(bad.code, Some(2), "{bad:?}");
    let document = json(&bad.out);
    assert_eq!(document["valid"], serde_json::json!(["good.yaml"]));
    assert!(!document["problems"].as_array().expect("problems").is_empty());
}

#[test]
fn render_needs_no_privilege_and_nft_accepts_what_it_prints() {
    let program = Program::copy();
    let rendered = without_privilege(&program, &["render", "example:two-tier", "--step", "3"]);
    assert_eq!((rendered.code, rendered.err.as_str()), (Some(0), ""), "{rendered:?}");
    assert!(rendered.out.contains("SG-I-DB1"), "the rule of step 3: {}", rendered.out);
    // One namespace's ruleset at a time, as the comments divide them.
    let rulesets: Vec<&str> = rendered.out.split("# namespace ").skip(1).collect();
    assert!(rulesets.len() >= 3, "router, gateway and internet: {}", rendered.out);
    for ruleset in rulesets {
        let mut command = program.dress(User::Ours, Command::new("unshare"), &["-Urn", "nft", "-c", "-f", "-"]);
        let mut nft = command.stdin(Stdio::piped()).spawn().expect("nft");
        let text = format!("# namespace {ruleset}");
        nft.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("nft reads");
        let output = nft.wait_with_output().expect("nft");
        assert!(output.status.success(), "{}\n{text}", String::from_utf8_lossy(&output.stderr));
    }
    let launched = without_privilege(&program, &["render", "example:two-tier"]);
    assert_ne!(launched.out, rendered.out, "another step, another ruleset");
}

#[test]
fn the_schema_is_json_and_every_topology_fits_it() {
    let said = run(&["schema"]);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""));
    let validator = jsonschema::validator_for(&json(&said.out)).expect("a schema");
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/topologies");
    for entry in fs::read_dir(folder).expect("the topologies") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let text = fs::read_to_string(&path).expect("a topology");
        let value: Value = serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let wrong: Vec<String> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
        assert!(wrong.is_empty(), "{}: {wrong:#?}", path.display());
    }
}

#[test]
fn init_writes_a_file_that_checks_and_tests_green_and_overwrites_nothing() {
    let program = Program::copy();
    let first = sglab(&program, &["init"]);
    assert_eq!((first.code, first.out.as_str()), (Some(0), ""), "{first:?}");
    assert!(first.err.contains("sglab test sglab.yaml"), "{first:?}");
    assert_eq!(sglab(&program, &["check", "sglab.yaml"]).code, Some(0));
    let tested = sglab(&program, &["test", "sglab.yaml"]);
    assert_eq!(tested.code, Some(0), "{tested:?}");
    fs::write(program.scratch().join("sglab.yaml"), "mine").unwrap();
    let second = sglab(&program, &["init"]);
    assert_eq!(second.code, Some(2), "{second:?}");
    assert_eq!(fs::read_to_string(program.scratch().join("sglab.yaml")).unwrap(), "mine");
    assert_eq!(sglab(&program, &["init", "another.yaml"]).code, Some(0));
}

#[test]
fn completions_are_what_the_shell_reads() {
    let program = Program::copy();
    let said = sglab(&program, &["completions", "bash"]);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""));
    let path = write(&program, "completions", &said.out);
    let script = format!(". {} && complete -p sglab", path.display());
    let loaded = self::said(program.dress(User::Ours, Command::new("bash"), &["-c", &script]));
    assert!(loaded.code == Some(0) && loaded.out.contains("_sglab"), "{loaded:?}");
}

#[test]
fn doctor_finds_this_machine_fit() {
    let program = Program::copy();
    for user in users() {
        let said = said(program.run(*user, &["doctor"]));
        assert_eq!(said.code, Some(0), "as {user:?}: {said:?}");
        assert!(said.out.contains("nft"), "{said:?}");
        let machine = self::said(program.run(*user, &["doctor", "--format", "json"]));
        assert_eq!(machine.code, Some(0), "as {user:?}: {machine:?}");
        json(&machine.out);
    }
}

/// A program that stands where nft does: one that knows no name and no number of ICMPv6, and else is nft.
#[test]
fn doctor_says_no_where_nft_refuses_what_a_lab_loads() {
    let program = Program::copy();
    let real = sglab::sandbox::which::nft().expect("nft").display().to_string();
    let words = "/dev/stdin:1:1-2: Error: Could not resolve protocol name";
    let script = format!(
        "#!/bin/sh\n[ \"$1\" = -f ] || exec {real} \"$@\"\ninput=$(cat)\ncase $input in *'l4proto 58'*) echo '{words}' >&2; \
         exit 1;; esac\necho \"$input\" | exec {real} -f -\n"
    );
    let path = write(&program, "bin/nft", &script);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("permissions");
    for user in users() {
        let mut command = program.run(*user, &["doctor"]);
        let bin = path.parent().expect("a folder").display();
        command.env("PATH", format!("{bin}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"));
        let said = said(command);
        assert_eq!(said.code, Some(3), "as {user:?}: {said:?}");
        let no: Vec<&str> = said.out.lines().filter(|line| line.starts_with("NO")).collect();
        assert!(no.len() == 1 && no[0].contains("rulesets of a whole lab"), "{said:?}");
        assert!(no[0].contains(&format!("vpc-main: {words}: add table inet sglab")), "{said:?}");
    }
}

#[test]
fn a_shell_runs_a_command_in_the_lab_and_gives_its_exit_code() {
    let inside = run(&["shell", "example:two-tier", "--", "ip", "netns", "list"]);
    assert_eq!(inside.code, Some(0), "{inside:?}");
    assert!(inside.out.contains("web1") && inside.out.contains("db2"), "{inside:?}");
    let web1 = run(&["shell", "example:two-tier", "--in", "web1", "--", "ip", "-4", "-o", "addr"]);
    assert!(web1.code == Some(0) && web1.out.contains("10.0.0.11"), "{web1:?}");
    let resolver = run(&["shell", "example:two-tier", "--in", "web2", "--", "cat", "/etc/resolv.conf"]);
    assert!(resolver.out.starts_with("nameserver 172.16.0.23\n"), "{resolver:?}");
    assert_eq!(run(&["shell", "example:two-tier", "--", "sh", "-c", "exit 7"]).code, Some(7));
    assert_eq!(run(&["shell", "example:two-tier", "--in", "absent", "--", "true"]).code, Some(2));
}
