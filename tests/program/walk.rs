//! `sglab list`, `sglab walk` and the table of eras from outside: words, files, pipes and a pseudo-terminal.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::program::{Program, User, users};
use serde_json::Value;

fn run(program: &Program, user: User, arguments: &[&str]) -> Output {
    program.run(user, arguments).output().expect("the program")
}

pub fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("text")
}

pub fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("text")
}

pub fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

fn files(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries
        .map(
            |path| {
                if path.is_dir() { files(&path) } else { usize::from(path.extension().is_some_and(|e| e == "yaml")) }
            },
        )
        .sum()
}

// The catalogue.

#[test]
fn the_whole_library_is_built_in_and_listed_without_privilege() {
    let program = Program::copy();
    let user = *users().last().expect("a user");
    let listed = run(&program, user, &["list", "--format", "json"]);
    assert_eq!((listed.status.code(), err(&listed).as_str()), (Some(0), ""), "{listed:?}");
    let topologies = json(&listed)["topologies"].as_array().expect("a list").clone();
    let all = files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("topologies"));
    assert_eq!(topologies.len(), all);
    for listed in topologies {
        let told = ["expect", "happens", "about"].iter().any(|part| !listed[part].as_array().unwrap().is_empty());
        assert!(told && !listed["steps"].as_array().unwrap().is_empty(), "{listed}");
    }
    let short = out(&run(&program, user, &["list"]));
    let lines = short.lines().filter(|line| line.contains(" step")).count();
    assert_eq!(lines, all, "{short}");
    let checked = run(&program, user, &["check", "example:gotchas", "example:two-tier", "example:gotchas/case-02"]);
    assert_eq!(checked.status.code(), Some(0), "{checked:?}");
    assert_eq!(
        out(&checked).lines().count(),
        files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("topologies/gotchas")) + 2
    );
}

#[test]
fn a_catalogue_of_ones_own_tells_what_there_is_and_what_is_wrong() {
    let program = Program::copy();
    let folder = program.scratch().join("mine");
    fs::create_dir(&folder).unwrap();
    let body = "sglab: 1\nera: vpc\ngroups: {A: []}\ninstances: {a: {groups: A}, b: {groups: A}}\n\
                scenario: [{step: they do not talk, expect: {dropped: ['a -> b:22']}}]\n";
    fs::write(folder.join("bare.yaml"), body).unwrap();
    fs::write(folder.join("told.yaml"), format!("# People expect: wonders.\n# Why: magic.\n{body}")).unwrap();
    let listed = run(&program, User::Ours, &["list", "mine"]);
    assert_eq!(listed.status.code(), Some(0), "{listed:?}");
    assert_eq!(out(&listed), "mine\n  bare  vpc              1 step\n  told  vpc              1 step   wonders.\n");
    let found = run(&program, User::Ours, &["list", "mine", "--filter", "MAGIC", "--long"]);
    assert!(out(&found).starts_with("mine/told.yaml   era vpc\n") && !out(&found).contains("bare"), "{found:?}");
    let none = run(&program, User::Ours, &["list", "mine", "--filter", "absent"]);
    assert_eq!((none.status.code(), out(&none).as_str()), (Some(2), ""), "{none:?}");
    fs::write(folder.join("wrong.yaml"), "sglab: 1\n").unwrap();
    let wrong = run(&program, User::Ours, &["list", "mine"]);
    assert_eq!(wrong.status.code(), Some(2), "{wrong:?}");
    assert!(out(&wrong).contains("told") && err(&wrong).contains("wrong.yaml:1:"), "{wrong:?}");
}

// The table of eras.

#[test]
fn what_the_eras_of_a_file_decide_otherwise_is_in_the_table_and_in_the_document() {
    let program = Program::copy();
    let name = "example:gotchas/case-03-a-group-that-names-itself";
    let tested = run(&program, User::Ours, &["test", name]);
    assert_eq!(tested.status.code(), Some(0), "{tested:?}");
    let row: Vec<String> = out(&tested)
        .lines()
        .filter(|line| line.contains("a <-> b:3306"))
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(row, ["a <-> b:3306 by private address open dropped open"], "{tested:?}");
    assert!(
        out(&tested).lines().next().is_some_and(|head| head.ends_with("vpc           article       classic")),
        "{tested:?}"
    );
    let document = json(&run(&program, User::Ours, &["test", name, "--format", "json"]));
    let first = &document["differences"][0];
    assert_eq!(first["steps"], serde_json::json!({"article": 2, "classic": 1, "vpc": 1}), "{document}");
    assert_eq!(first["outcomes"], serde_json::json!({"article": "dropped", "classic": "open", "vpc": "open"}));
    // Nothing where nothing differs.
    let name = "example:gotchas/case-06-a-self-rule-for-tcp-is-for-tcp";
    let document = json(&run(&program, User::Ours, &["test", name, "--format", "json"]));
    assert_eq!(document["differences"], serde_json::json!([]));
}

// The workshop.

#[test]
fn todays_ec2_is_the_era_of_who_names_none_wherever_the_file_lists_it() {
    let program = Program::copy();
    let first =
        |arguments: &[&str]| out(&run(&program, User::Ours, arguments)).lines().next().unwrap_or_default().to_owned();
    let name = "example:self-trust";
    assert!(
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/topologies/self-trust.yaml"))
            .unwrap()
            .contains("era: [article, classic, vpc]")
    );
    assert!(first(&["predict", name]).contains("   era vpc   "));
    assert!(first(&["walk", name, "--questions"]).contains("era vpc"), "{}", first(&["walk", name, "--questions"]));
    assert!(first(&["walk", name, "--questions", "--era", "article"]).contains("era article"));
}

const CASE: &str = "example:gotchas/case-04-trust-ends-at-the-elastic-ip";

#[test]
fn a_walk_by_a_file_of_answers_says_who_was_right_and_a_wrong_guess_is_no_failure() {
    let program = Program::copy();
    let answers = program.scratch().join("answers");
    for user in users() {
        fs::write(&answers, "dropped # by Elastic IP\n\nD # wrong\n").unwrap();
        let walked = run(&program, *user, &["walk", CASE, "--era", "vpc", "--answers", "answers"]);
        assert_eq!((walked.status.code(), err(&walked).as_str()), (Some(0), ""), "{walked:?}");
        let said = out(&walked);
        for words in [
            "Step 1: by Elastic IP they do not know each other",
            "right a -> b:3306 by public address   predicted dropped, observed dropped at b's ingress",
            "a rule that names a group matches",
            "wrong a -> b:3306 by private address   predicted dropped, observed open",
            "admitted by TIER \"tcp all from TIER\"",
            "1 of 2 predictions right",
            "PASSED  2 steps",
        ] {
            assert!(said.contains(words), "as {user:?}: no {words:?} in {said}");
        }
    }
}

#[test]
fn questions_filled_in_with_what_was_observed_are_all_right() {
    let program = Program::copy();
    let name = "example:gotchas/case-16";
    let template = out(&run(&program, User::Ours, &["walk", name, "--questions"]));
    fs::write(program.scratch().join("answers"), &template).unwrap();
    let skipped = json(&run(&program, User::Ours, &["walk", name, "--answers", "answers", "--format", "json"]));
    let steps = skipped["steps"].as_array().expect("steps");
    let questions: Vec<&Value> = steps.iter().flat_map(|step| step["questions"].as_array().unwrap()).collect();
    assert_eq!(skipped["score"]["skipped"], questions.len(), "{skipped}");
    assert!(questions.iter().any(|question| question["connection"].is_string()), "a session is asked about: {skipped}");
    let observed = questions.iter().map(|question| question["observed"].as_str().unwrap());
    fs::write(program.scratch().join("answers"), observed.collect::<Vec<_>>().join("\n")).unwrap();
    let walked = run(&program, User::Ours, &["walk", name, "--answers", "answers", "--format", "json"]);
    let document = json(&walked);
    assert_eq!((walked.status.code(), &document["exit_code"]), (Some(0), &Value::from(0)));
    let expected = serde_json::json!({"right": questions.len(), "wrong": 0, "skipped": 0, "unproved": 0});
    assert_eq!((&document["score"], &document["ended"]), (&expected, &Value::from("finished")));
    assert_eq!(document["steps"][0]["result"]["status"], "passed");
}

#[test]
fn answers_that_do_not_fit_are_told_with_their_places_before_anything_boots() {
    let program = Program::copy();
    fs::write(program.scratch().join("answers"), "opne\n").unwrap();
    let walked = run(&program, User::Ours, &["walk", CASE, "--answers", "answers"]);
    assert_eq!((walked.status.code(), out(&walked).as_str()), (Some(2), ""), "{walked:?}");
    for words in ["--> answers:1:1", "^^^^ did you mean `open`?", "1 answers to 2 questions"] {
        assert!(err(&walked).contains(words), "no {words:?} in {}", err(&walked));
    }
    for arguments in [
        ["walk", CASE, "--step", "9"].as_slice(),
        &["walk", "example:gotchas"],
        &["walk", CASE, "--answers", "absent"],
        &["walk", "example:gotchas/case-21", "--era", "classic"],
    ] {
        let said = run(&program, User::Ours, arguments);
        assert_eq!((said.status.code(), out(&said).as_str()), (Some(2), ""), "{arguments:?}: {said:?}");
    }
}

#[test]
fn without_a_terminal_nothing_is_asked_and_a_file_that_fails_is_still_1() {
    let program = Program::copy();
    let told = run(&program, User::Ours, &["walk", CASE, "--step", "2"]);
    assert_eq!(told.status.code(), Some(0), "{told:?}");
    assert!(err(&told).contains("nothing is asked"), "{told:?}");
    let said = out(&told);
    assert!(!said.contains("Step 1:") && said.contains("Step 2:") && said.contains("No predictions"), "{said}");
    let body = "sglab: 1\nera: vpc\ngroups: {A: []}\ninstances: {a: {groups: A}, b: {groups: A}}\n\
                scenario: [{step: they talk, expect: {open: ['a -> b:22']}}]\n";
    fs::write(program.scratch().join("wrong.yaml"), body).unwrap();
    fs::write(program.scratch().join("answers"), "dropped").unwrap();
    let failed = run(&program, User::Ours, &["walk", "wrong.yaml", "--answers", "answers"]);
    assert_eq!(failed.status.code(), Some(1), "{failed:?}");
    assert!(out(&failed).contains("1 of 1 prediction right"), "the person was right, and the file is not: {failed:?}");
}

/// A walk at a pseudo-terminal: whenever it stops at the next of these words, this is typed. Gives what was said.
fn at_a_terminal(program: &Program, dialogue: &[(&str, &str)]) -> (Option<i32>, String) {
    typed(program, &format!("walk {CASE} --era vpc"), dialogue)
}

/// A command at a terminal: each time that it says something, something is typed.
pub fn typed(program: &Program, command: &str, dialogue: &[(&str, &str)]) -> (Option<i32>, String) {
    let command = format!("{} {command}", program.path().display());
    let mut script = program.dress(User::Ours, Command::new("script"), &["-qec", &command, "/dev/null"]);
    let mut script = script.stdin(Stdio::piped()).spawn().expect("script, of util-linux");
    let (mut input, mut output) = (script.stdin.take().unwrap(), script.stdout.take().unwrap());
    let (mut said, mut behind) = (String::new(), 0);
    for (stop, typed) in dialogue {
        while !said[behind..].contains(stop) {
            let mut bytes = [0; 4096];
            let count = output.read(&mut bytes).expect("a terminal");
            assert!(count > 0, "no {stop:?} in {said}");
            said.push_str(&String::from_utf8_lossy(&bytes[..count]));
        }
        behind = said.len();
        input.write_all(typed.as_bytes()).expect("a terminal");
    }
    let mut rest = String::new();
    output.read_to_string(&mut rest).expect("a terminal");
    (script.wait().expect("script").code(), said + &rest)
}

#[test]
fn at_a_terminal_it_stops_before_each_step_and_q_ends_it_with_the_score() {
    let program = Program::copy();
    let ask = "o(pen) d(ropped) r(efused) u(nreachable) ? ";
    let (code, said) =
        at_a_terminal(&program, &[(ask, "what\n"), (ask, "d\n"), ("Enter for step 2", "\n"), (ask, "q\n")]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("? to skip, c for the cloud, q to end"), "a word it does not know: {said}");
    assert!(said.contains("1 of 1 prediction right") && said.contains("  1 step, "), "{said}");
    assert!(!said.contains("observed open"), "the second step was not run: {said}");
}

#[test]
fn an_interrupt_at_a_question_ends_it_with_130() {
    let program = Program::copy();
    let (code, said) = at_a_terminal(&program, &[("o(pen)", "\u{3}")]);
    assert_eq!(code, Some(130), "{said}");
    assert!(said.contains("the lab is gone"), "{said}");
}
