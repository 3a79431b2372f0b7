//! Every built-in lesson keeps its word, by the model; and what is handed in is worth what the scheme says.

use std::fs;

use sglab::scenario::Class;
use sglab::workshop::lesson::assess::{Assessment, assess};
use sglab::workshop::lesson::check::Checked;
use sglab::workshop::lesson::grade::faults;
use sglab::workshop::lesson::hints::{Level, hint};
use sglab::workshop::lesson::{Kind, Lesson, LessonFiles, Task, built_in, by_the_model, read};

use crate::lesson_any::lesson_any;

fn lessons() -> Vec<Lesson> {
    let read = |folder: &str| built_in::lesson(folder).unwrap_or_else(|told| panic!("{folder}: {}", told[0]));
    built_in::folders().into_iter().map(read).collect()
}

fn lesson(name: &str) -> Lesson {
    lessons().into_iter().find(|it| it.name == name).expect("a lesson")
}

fn task(lesson: &Lesson, kind: Kind) -> &Task {
    lesson.tasks().find(|task| task.kind == kind).expect("a task")
}

fn handed_in(task: &Task, text: &str) -> Assessment {
    let submission = task.read("mine.yaml", text.as_bytes()).unwrap_or_else(|told| panic!("{told}"));
    assess(task, &submission, &by_the_model(&submission.topology))
}

/// The file of a task with other rules of a group.
fn with(task: &Task, before: &str, now: &str) -> String {
    let text = task.file();
    assert!(text.contains(before), "{text}");
    text.replace(before, now)
}

fn refused(task: &Task, text: &str) -> String {
    task.read("mine.yaml", text.as_bytes()).expect_err("a refusal").to_string()
}

#[test]
fn every_file_of_a_lesson_that_is_kept_is_read_to_its_end() {
    let folder = format!("{}/fuzz/corpus/lesson", env!("CARGO_MANIFEST_DIR"));
    let (mut lessons, mut handed_in) = (0, 0);
    for entry in fs::read_dir(&folder).unwrap() {
        let (lesson, submission) = lesson_any(&fs::read(entry.unwrap().path()).unwrap());
        lessons += usize::from(lesson.is_some());
        handed_in += usize::from(submission.is_some());
    }
    assert_eq!((lessons, handed_in), (2, 1));
}

#[test]
fn every_built_in_lesson_keeps_its_word() {
    let mut faults = Vec::new();
    for lesson in lessons() {
        let mut checked = Checked::of(&lesson);
        for task in lesson.tasks() {
            checked.task(task, &by_the_model(&task.start), &by_the_model(&task.solution));
        }
        faults.extend(checked.faults.into_iter().map(|fault| format!("{}: {fault}", lesson.name)));
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn each_needs_only_what_comes_before_it_and_has_something_to_do() {
    let all = lessons();
    assert!(all.len() >= 14, "{}", all.len());
    for (index, lesson) in all.iter().enumerate() {
        let before: Vec<&str> = all[..index].iter().map(|it| it.name.as_str()).collect();
        assert!(lesson.needs.iter().all(|need| before.contains(&need.as_str())), "{}: {:?}", lesson.name, lesson.needs);
        assert!(lesson.tasks().count() > 0, "{}", lesson.name);
        assert!(lesson.surprise.chars().count() <= 49, "{}", lesson.surprise);
    }
}

#[test]
fn silence_earns_nothing_and_opening_everything_no_more() {
    let lesson = lesson("self-trust");
    let fix = task(&lesson, Kind::Fix);
    assert_eq!(handed_in(fix, &fix.file()).score, 0);
    let nothing = handed_in(fix, &with(fix, "[tcp 3306 from WEB, tcp 3306 from office]", "[]"));
    assert_eq!(nothing.score, 33, "two leaks closed, and what WEB had is gone: {:?}", faults(&nothing.wrong));
    let everything = handed_in(fix, &with(fix, "[tcp 3306 from WEB, tcp 3306 from office]", "[all from anywhere]"));
    assert_eq!((everything.score, everything.holds), (0, false));
}

#[test]
fn what_packets_do_not_prove_counts_neither_way() {
    let lesson = lesson("self-trust");
    let fix = task(&lesson, Kind::Fix);
    let solved = fix.solved();
    let mut runs = by_the_model(&solved.topology);
    let whole = assess(fix, &solved, &runs);
    assert_eq!((whole.score, whole.unproved), (100, 0));
    let goal = fix.goal.steps.iter().find(|step| step.cells.values().any(|wanted| wanted.counts)).expect("a step");
    let (flow, wanted) = goal.cells.iter().find(|(_, wanted)| wanted.counts).expect("a cell");
    let run = runs.iter_mut().find(|run| run.head.era == goal.era).expect("a run");
    let step = run.steps.iter_mut().find(|step| step.number == goal.number).expect("a step");
    step.probed.observed.insert(flow.clone(), Class::Inconclusive);
    let told = assess(fix, &solved, &runs);
    assert_eq!((told.score, told.unproved, told.of), (100, 1, whole.of - wanted.points()));
}

#[test]
fn the_rule_that_leaks_and_the_one_that_is_missing_are_named() {
    let lesson = lesson("self-trust");
    let fix = task(&lesson, Kind::Fix);
    let given = handed_in(fix, &fix.file());
    let told: Vec<String> = faults(&given.wrong).into_iter().map(|it| it.what).collect();
    assert_eq!(told, ["DB \"tcp 3306 from office\" lets through what must be dropped", "DB lacks `tcp 4444 from DB`"]);
    let place = faults(&given.wrong)[0].place.clone().expect("a place");
    assert!(place.starts_with("mine.yaml:"), "{place}");
}

#[test]
fn what_is_lacking_in_place_of_a_rule_that_is_too_wide_is_told_with_it() {
    let lesson = lesson("a-group-that-names-itself");
    let fix = task(&lesson, Kind::Fix);
    let given = handed_in(fix, &fix.file());
    let told = &faults(&given.wrong)[0].what;
    let words = "CLUSTER \"tcp 7000-7001 from anywhere\" lets through what must be dropped; without it CLUSTER lacks";
    assert!(told.starts_with(words) && told.ends_with("from CLUSTER`"), "{told}");
}

#[test]
fn a_sender_outside_is_told_by_the_word_of_the_solution() {
    let (ipv6, union) = (lesson("ipv6"), lesson("union-of-groups"));
    let fix = task(&ipv6, Kind::Fix);
    let given = handed_in(fix, &fix.file());
    let told: Vec<String> = faults(&given.wrong).into_iter().map(|it| it.what).collect();
    assert_eq!(told, ["WEB lacks `tcp 443 from ::/0`", "WEB lacks `icmpv6 echo from ::/0`"]);
    let fix = task(&union, Kind::Fix);
    let given = handed_in(fix, &fix.file());
    let told = faults(&given.wrong);
    assert!(told.iter().any(|it| it.what == "ADMIN lacks `tcp 22 from office`"), "{told:?}");
    assert!(told.iter().any(|it| it.what.ends_with("without it ADMIN lacks `tcp 22 from office`")), "{told:?}");
}

#[test]
fn a_leak_on_a_port_that_only_this_file_names_costs_twice_what_is_missing() {
    let lesson = lesson("self-trust");
    let fix = task(&lesson, Kind::Fix);
    let rules = "[tcp 3306 from WEB, tcp 3306 from office]";
    let missing = handed_in(fix, &with(fix, rules, "[tcp 4444 from DB]"));
    let leak = handed_in(fix, &with(fix, rules, "[tcp 3306 from WEB, tcp 4444 from DB, tcp 9 from WEB]"));
    assert_eq!((missing.spoilt, leak.spoilt), (2, 4), "two cells each");
    assert_eq!(leak.broken.len(), 1, "four rules, and three are the most");
}

#[test]
fn limits_are_kept_or_cost_points() {
    let lesson = lesson("addresses-through-a-restart");
    let fix = task(&lesson, Kind::Fix);
    let rules = "[tcp 3306 from 10.0.0.51/32, tcp 3306 from 10.0.0.52/32]";
    let solved = handed_in(fix, &with(fix, rules, "[tcp 3306 from WEB]"));
    assert_eq!((solved.score, solved.holds), (100, true));
    let both = handed_in(fix, &with(fix, rules, "[tcp 3306 from WEB, tcp 3306 from 10.0.0.53]"));
    assert!(!both.holds && both.broken[0].text.contains("names an address"), "{:?}", both.broken);
    let other =
        with(fix, rules, "[tcp 3306 from WEB]").replace("WEB: [tcp 80 from anywhere]", "WEB: [tcp 81 from anywhere]");
    let other = handed_in(fix, &other);
    assert!(other.broken.iter().any(|it| it.text == "WEB may not change"), "{:?}", other.broken);
}

#[test]
fn what_is_fixed_may_not_change_and_no_program_is_run() {
    let lesson = lesson("self-trust");
    let fix = task(&lesson, Kind::Fix);
    let said = refused(fix, &with(fix, "open: ['any -> web1:443'", "open: ['any -> web1:444'"));
    assert!(said.contains("mine.yaml:") && said.contains("only `groups:` may change here"), "{said}");
    let said = refused(fix, &with(fix, "web1: {groups: WEB,", "web1: {services: {x: {command: reboot}}, groups: WEB,"));
    assert!(said.contains("`services` is refused here"), "{said}");
    let said = refused(fix, &with(fix, "web1: {groups: WEB,", "web1: {mounts: {/srv: /etc}, groups: WEB,"));
    assert!(said.contains("`mounts` is refused here"), "{said}");
    let said = refused(fix, &with(fix, "tcp 3306 from office", "tcp 3306 from ofice"));
    assert!(said.contains("did you mean `office`?"), "{said}");
    for broken in ["", "groups: [", "\u{0}", "&a [*a]"] {
        assert!(task(&lesson, Kind::Fix).read("mine.yaml", broken.as_bytes()).is_err(), "{broken:?}");
    }
}

/// Follows the last hint of each round, as a learner would who asks for everything.
#[test]
fn the_hints_lead_from_the_start_to_the_goal() {
    let lesson = lesson("self-trust");
    let fix = task(&lesson, Kind::Fix);
    let given = handed_in(fix, &fix.file());
    let levels: Vec<String> = Level::ALL.into_iter().map(|level| hint(&given, level).expect("a hint")).collect();
    assert!(levels[0].contains("office -> db1:3306") && !levels[0].contains("DB"), "{}", levels[0]);
    assert!(levels[1].contains("DB") && !levels[1].contains("tcp 3306 from office"), "{}", levels[1]);
    assert!(levels[2].contains("DB \"tcp 3306 from office\""), "{}", levels[2]);
    assert!(levels[3].contains("take \"tcp 3306 from office\" out of DB"), "{}", levels[3]);
    assert!(levels[0].ends_with("look at what db1 lets in"), "{}", levels[0]);
    let without = with(fix, "tcp 3306 from WEB, tcp 3306 from office", "tcp 3306 from WEB");
    let last = hint(&handed_in(fix, &without), Level::Remedy).expect("a hint");
    assert_eq!(last, "step 1: DB lacks `tcp 4444 from DB`");
    let solved = handed_in(fix, &without.replace("from WEB]", "from WEB, tcp 4444 from DB]"));
    assert!(solved.holds && hint(&solved, Level::End).is_none());
}

#[test]
fn a_lesson_that_breaks_its_word_is_told_how() {
    let of = |stem| built_in::text("03-self-trust", stem).expect("a file");
    let files = |start: &'static str| LessonFiles {
        folder: "x/03-self-trust",
        lesson: of("lesson").as_bytes(),
        start: Some(start.as_bytes()),
        solution: of("solution").as_bytes(),
    };
    let solved = "groups:\n  WEB: [tcp 443 from anywhere]\n  DB: [tcp 3306 from WEB, tcp 4444 from DB]\n";
    let lesson = read(&files(solved), &built_in::names()).expect("a lesson");
    let mut checked = Checked::of(&lesson);
    let fix = task(&lesson, Kind::Fix);
    checked.task(fix, &by_the_model(&fix.start), &by_the_model(&fix.solution));
    assert!(checked.faults.iter().any(|it| it == "fix: the start reaches the goal already"), "{:?}", checked.faults);
}

#[test]
fn everything_wrong_with_a_lesson_is_told_at_once_with_carets() {
    let lesson = "lesson: 1\ntitel: x\ntheme: y\nsurprise: z\nneeds: self-trus\nstages:\n  - predict: example:self-trst\n  - investigate: strat\n  - fix: {groups: [DBB], rules: many}\n  - run: 1\n";
    let files = LessonFiles {
        folder: "x/01-mine",
        lesson: lesson.as_bytes(),
        start: Some(b"tables: {}\n"),
        solution: built_in::text("03-self-trust", "solution").expect("a file").as_bytes(),
    };
    let told = read(&files, &built_in::names()).expect_err("problems");
    let told: String = told.iter().map(|it| format!("{it}\n\n")).collect();
    for words in [
        "x/01-mine/lesson.yaml:2:1",
        "did you mean `title`?",
        "`title` is missing",
        "did you mean `self-trust`?",
        "did you mean `example:self-trust`?",
        "did you mean `start`?",
        "x/01-mine/lesson.yaml:9:33",
        "`predict` is enough",
        "x/01-mine/start.yaml:1:1",
    ] {
        assert!(told.contains(words), "{words}\n{told}");
    }
}
