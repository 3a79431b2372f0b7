//! `sglab learn` and `sglab grade` from outside: words, files of answers, what is handed in.

use std::fs;
use std::path::Path;
use std::process::Output;

use crate::program::{Program, User};
use crate::walk::{err, json, out, typed};

fn run(program: &Program, arguments: &[&str]) -> Output {
    program.run(User::Ours, arguments).output().expect("the program")
}

/// The file to edit of self-trust, with other rules of DB.
fn mine(rules: &str) -> String {
    let solution = include_str!("../../lessons/03-self-trust/solution.yaml");
    let given = "[tcp 3306 from WEB, tcp 4444 from DB]";
    assert!(solution.contains(given));
    solution.replace(given, rules)
}

const SOLVED: &str = "[tcp 3306 from WEB, tcp 4444 from DB]";

#[test]
fn lessons_are_listed_by_theme_within_80_columns() {
    let program = Program::copy();
    let listed = run(&program, &["learn"]);
    assert_eq!((listed.status.code(), err(&listed).as_str()), (Some(0), ""), "{listed:?}");
    let said = out(&listed);
    assert!(said.starts_with("Groups\n  union-of-groups") && said.contains("  self-trust "), "{said}");
    assert!(said.lines().all(|line| line.chars().count() <= 80), "{said}");
    let lessons = json(&run(&program, &["learn", "--format", "json"]))["lessons"].as_array().expect("a list").clone();
    assert!(lessons.len() >= 14);
    let lines = said.lines().filter(|line| line.starts_with("  ")).count();
    assert_eq!(lines, lessons.len(), "a line each: {said}");
    let folders = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("lessons")).unwrap().count();
    assert_eq!(lessons.len(), folders);
    let unknown = run(&program, &["learn", "self-trsut"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(err(&unknown).contains("did you mean `self-trust`?"), "{unknown:?}");
}

#[test]
fn a_lesson_is_played_by_files_of_answers_and_solutions() {
    let program = Program::copy();
    let write = |name: &str, text: &str| fs::write(program.scratch().join(name), text).unwrap();
    let template = out(&run(&program, &["learn", "self-trust", "--questions"]));
    write("answers", &template);
    write("mine.yaml", &mine(SOLVED));
    let arguments = ["learn", "self-trust", "--answers", "answers", "--solution", "mine.yaml", "--format", "json"];
    let played = run(&program, &arguments);
    assert_eq!(played.status.code(), Some(0), "{played:?}");
    let stages = json(&played)["stages"].clone();
    let wanted = template.lines().filter(|line| line.starts_with('?')).count() - 4;
    assert_eq!(stages[0]["score"]["skipped"], 4, "{stages}");
    assert_eq!(stages[1]["of"], wanted, "{stages}");
    assert_eq!((&stages[2]["kind"], &stages[2]["holds"]), (&"fix".into(), &true.into()), "{stages}");
    assert_eq!(stages[2]["score"], 100, "{stages}");
    write("mine.yaml", &mine("[tcp 3306 from WEB]"));
    let played = run(&program, &["learn", "self-trust", "--solution", "mine.yaml"]);
    assert_eq!(played.status.code(), Some(1), "{played:?}");
    assert!(out(&played).contains("MISSING step 1: db1 -> db2:4444"), "{played:?}");
    assert!(!out(&played).contains("tcp 4444 from DB`"), "the remedy is a hint, and costs points");
    write("mine.yaml", &mine("[tcp 3306 from WBE]"));
    let played = run(&program, &["learn", "self-trust", "--solution", "mine.yaml"]);
    assert_eq!(played.status.code(), Some(2), "{played:?}");
    assert!(err(&played).contains("mine.yaml:10:") && err(&played).contains("did you mean `WEB`?"), "{played:?}");
    write("answers", "open\nopen\n");
    let played = run(&program, &["learn", "self-trust", "--answers", "answers"]);
    assert_eq!((played.status.code(), out(&played).as_str()), (Some(2), ""), "{played:?}");
}

#[test]
fn files_to_edit_are_written_once_and_checked_as_they_are() {
    let program = Program::copy();
    let path = program.scratch().join("here/self-trust-fix.yaml");
    let first = run(&program, &["learn", "self-trust", "--into", "here"]);
    assert_eq!(first.status.code(), Some(0), "{first:?}");
    let given = fs::read_to_string(&path).expect("a file");
    assert!(given.starts_with("# Change `groups:`") && given.contains("tcp 3306 from office"), "{given}");
    let second = run(&program, &["learn", "self-trust", "--into", "here"]);
    assert_eq!(second.status.code(), Some(1), "as it is given it fails: {second:?}");
    assert!(out(&second).contains("on packets: 0 of 100 points"), "{second:?}");
    fs::write(&path, given.replace("tcp 3306 from office", "tcp 4444 from DB")).unwrap();
    let third = run(&program, &["learn", "self-trust", "--into", "here"]);
    assert_eq!(third.status.code(), Some(0), "{third:?}");
    let tested = run(&program, &["test", "here/self-trust-fix.yaml"]);
    assert_eq!(tested.status.code(), Some(0), "{tested:?}");
}

/// A class of six, of whom one is right.
fn class(program: &Program) {
    let folder = program.scratch().join("class");
    fs::create_dir_all(folder.join("dora")).unwrap();
    let write = |name: &str, text: &str| fs::write(folder.join(name), text).unwrap();
    write("alice.yaml", &mine(SOLVED));
    write("bob.yaml", &mine("[tcp 3306 from WEB, tcp 4444 from anywhere]"));
    write("carl.yaml", &mine("[tcp 3306 from WEB, tcp 3306 from office]"));
    write("dora/self-trust-fix.yaml", &mine("[tcp 3306 from WEB]"));
    write("eve.yaml", &mine(SOLVED).replace("web1: {", "web1: {services: {x: {command: reboot}}, "));
    write("frank.yaml", "groups: [\n");
}

#[test]
fn a_class_is_graded_and_one_broken_file_ends_nothing() {
    let program = Program::copy();
    class(&program);
    let graded = run(&program, &["grade", "self-trust", "class", "--format", "json"]);
    assert_eq!((graded.status.code(), err(&graded).as_str()), (Some(0), ""), "{graded:?}");
    let document = json(&graded);
    let all = document["participants"].as_array().expect("a list");
    let scores: Vec<(&str, u64)> =
        all.iter().map(|it| (it["participant"].as_str().unwrap(), it["score"].as_u64().unwrap())).collect();
    assert_eq!(
        scores,
        [("alice", 100), ("bob", 0), ("carl", 0), ("dora", 66), ("eve", 0), ("frank", 0)],
        "{document:#}"
    );
    assert_eq!(all[0]["evidence"], "packets");
    let bob = &all[1]["faults"][0];
    assert_eq!(bob["kind"], "leak");
    let words =
        "DB \"tcp 4444 from anywhere\" lets through what must be dropped; without it DB lacks `tcp 4444 from DB`";
    assert_eq!(bob["what"], words);
    assert_eq!(bob["place"], "bob.yaml:10:27");
    assert_eq!(all[3]["faults"][0]["what"], "DB lacks `tcp 4444 from DB`", "{document:#}");
    assert!(all[4]["refused"]["problems"].to_string().contains("`services` is refused here"), "{document:#}");
    assert!(all[5]["refused"].is_object());
    let again = run(&program, &["grade", "self-trust", "class", "--format", "json", "--jobs", "1"]);
    assert_eq!(out(&graded), out(&again), "the order is that of names");
}

#[test]
fn marks_are_text_csv_and_a_page_and_names_can_be_left_out() {
    let program = Program::copy();
    class(&program);
    let text = out(&run(&program, &["grade", "self-trust", "class"]));
    assert!(text.contains("alice  100  the goal holds, on packets"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    let csv = out(&run(&program, &["grade", "self-trust", "class", "--format", "csv"]));
    assert_eq!(csv.lines().count(), 7, "{csv}");
    assert!(csv.contains("alice,alice.yaml,100,yes,6,0,6,0,0,0,0,"), "{csv}");
    let page = out(&run(&program, &["grade", "self-trust", "class", "--format", "html", "--anonymous"]));
    assert!(page.starts_with("<!doctype html>") && page.contains("4444 from anywhere"), "{page}");
    for name in ["alice", "bob", "carl", "dora", "eve", "frank"] {
        let told = [format!("{name}.yaml"), format!(">{name}<"), format!(">{name}:")];
        assert!(told.iter().all(|words| !page.contains(words)), "{name} in {page}");
    }
    fs::create_dir(program.scratch().join("empty")).unwrap();
    for arguments in [["grade", "self-trust", "empty"], ["grade", "self-trust", "absent"], ["grade", "absent", "class"]]
    {
        let said = run(&program, &arguments);
        assert_eq!((said.status.code(), out(&said).as_str()), (Some(2), ""), "{arguments:?}: {said:?}");
    }
    let said = run(&program, &["grade", "self-trust", "class", "--stage", "make"]);
    assert!(err(&said).contains("has no stage make"), "{said:?}");
}

#[test]
fn a_link_in_a_class_leads_nowhere() {
    let program = Program::copy();
    let folder = program.scratch().join("class");
    fs::create_dir(&folder).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", folder.join("mallory.yaml")).unwrap();
    let text = out(&run(&program, &["grade", "self-trust", "class"]));
    assert!(text.contains("links are not followed") && !text.contains("root:"), "{text}");
}

#[test]
fn a_lesson_of_ones_own_is_held_to_its_word_without_privilege() {
    let program = Program::copy();
    let folder = program.scratch().join("01-mine");
    fs::create_dir(&folder).unwrap();
    let write = |name: &str, text: &str| fs::write(folder.join(name), text).unwrap();
    let lesson = include_str!("../../lessons/03-self-trust/lesson.yaml");
    write("lesson.yaml", lesson);
    write("solution.yaml", &mine(SOLVED));
    write("start.yaml", include_str!("../../lessons/03-self-trust/start.yaml"));
    let checked = run(&program, &["learn", "--check", "01-mine"]);
    assert_eq!(checked.status.code(), Some(0), "{checked:?}");
    assert!(out(&checked).starts_with("ok     mine "), "{checked:?}");
    write("start.yaml", &format!("groups:\n  WEB: [tcp 443 from anywhere]\n  DB: {SOLVED}\n"));
    let checked = run(&program, &["learn", "--check", "01-mine"]);
    assert_eq!(checked.status.code(), Some(1), "{checked:?}");
    assert!(out(&checked).contains("the start reaches the goal already"), "{checked:?}");
    write("lesson.yaml", &lesson.replace("title:", "titel:"));
    let checked = run(&program, &["learn", "--check", "01-mine"]);
    assert_eq!((checked.status.code(), out(&checked).as_str()), (Some(2), ""), "{checked:?}");
    assert!(err(&checked).contains("01-mine/lesson.yaml:2:1") && err(&checked).contains("`title`?"), "{checked:?}");
}

#[test]
fn at_a_terminal_enter_checks_again_and_hints_cost_points() {
    let program = Program::copy();
    let folder = program.scratch().join("01-quick");
    fs::create_dir(&folder).unwrap();
    let write = |name: &str, text: &str| fs::write(folder.join(name), text).unwrap();
    write("lesson.yaml", "lesson: 1\ntitle: Quick\ntheme: Own\nsurprise: None.\nstages: [{fix: {rules: 3}}]\n");
    write("solution.yaml", &mine(SOLVED));
    write("start.yaml", include_str!("../../lessons/03-self-trust/start.yaml"));
    let prompt = "q to end: ";
    let dialogue = [(prompt, "h\n"), (prompt, "h\n"), (prompt, "\n"), (prompt, "q\n")];
    let (code, said) = typed(&program, "learn ./01-quick --into here", &dialogue);
    assert_eq!(code, Some(1), "{said}");
    for words in [
        "hint, 5 points off: step 1: office -> db1:3306",
        "hint, 10 points off",
        "0 of 100 points, 15 of them for hints off",
    ] {
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains(words), "no {words:?} in {said}");
    }
    fs::write(program.scratch().join("here/quick-fix.yaml"), mine(SOLVED)).unwrap();
    let (code, said) = typed(&program, "learn ./01-quick --into here", &[(prompt, "h\n"), (prompt, "\n")]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("nothing to hint at") && said.contains("100 of 100 points"), "{said}");
}
