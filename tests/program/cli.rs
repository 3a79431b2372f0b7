//! The program from outside: what it prints where, and its exit codes. See `docs/output.md`.

use std::fs;
use std::process::Command;

use crate::program::{Program, Said, User, json, mistake, run, said, sglab, users, write};
use serde_json::Value;

const TWO_RULES: &str = include_str!("../../topologies/two-rules.yaml");

// Exit codes.

#[test]
fn what_load_balancers_do_is_predicted_of_every_file_that_has_one() {
    for file in [
        "gotchas/a-load-balancer-target-on-a-new-address",
        "gotchas/an-internet-facing-load-balancer-from-inside",
        "gotchas/behind-a-load-balancer-in-classic",
        "gotchas/behind-a-load-balancer-the-client-is-gone",
        "real/replicating",
    ] {
        let said = run(&["predict", &format!("example:{file}")]);
        assert_eq!(said.code, Some(0), "{file}: {said:?}");
    }
}

#[test]
fn what_a_program_behind_a_load_balancer_does_is_inconclusive_and_never_a_failure() {
    let program = Program::copy();
    let text = |expect: &str, targets: &str| {
        format!(
            "sglab: 1\nera: vpc\nhosts: {{world: 198.51.100.7}}\ngroups: {{A: [tcp 80 from anywhere]}}\n\
             instances: {{web1: {{groups: A, services: {{it: {{command: ./it, port: tcp 80}}}}}}, other: {{groups: A}}}}\n\
             load-balancers: {{lb: {{groups: A, listeners: tcp 80, targets: {targets}}}}}\n\
             scenario: [{{step: s, expect: {expect}}}]\n"
        )
    };
    let both = "[web1, other]";
    for (expect, targets, code) in [
        ("{open: [world -> lb:80]}", "web1", 0),
        ("{closed: [world -> lb:80]}", "web1", 4),
        ("{open: [world -> lb:80 answered by web1]}", "web1", 0),
        ("{open: [world -> lb:80 answered by other]}", both, 4),
        ("{out-of-service: {lb: web1}}", "web1", 4),
        ("{in-service: {lb: web1}}", "web1", 4),
        ("{dropped: [world -> lb:80]}", "web1", 1),
    ] {
        write(&program, "it.yaml", &text(expect, targets));
        let said = sglab(&program, &["predict", "it.yaml"]);
        assert_eq!(said.code, Some(code), "{expect}: {said:?}");
    }
}

#[test]
fn a_passing_file_is_0_with_its_result_on_stdout_and_nothing_on_stderr() {
    let program = Program::copy();
    for user in users() {
        let said = said(program.run(*user, &["test", "example:two-tier"]));
        assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{said:?}");
        let last = said.out.lines().last().expect("a line");
        assert!(
            last.starts_with(
                "PASSED  7 steps, 1,170 cells (not asked: 550 to other addresses, 155 to oneself by public address), 0 "
            ),
            "{last}"
        );
        assert!(!said.out.contains('\x1b'), "no colours in a pipe");
    }
}

#[test]
fn colours_are_for_those_who_ask_or_look() {
    let always = run(&["test", "example:two-rules", "--era", "vpc", "--color", "always"]);
    assert!(always.out.contains('\x1b'), "{always:?}");
}

#[test]
fn a_wrong_cell_is_1_with_what_was_expected_what_was_seen_and_the_places_of_both_rules() {
    let program = Program::copy();
    let text = mistake();
    write(&program, "two-tier.yaml", &text);
    let said = sglab(&program, &["test", "two-tier.yaml"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    let line_of = |needle: &str| text.lines().position(|line| line.contains(needle)).expect("a line") + 1;
    let rule = format!("two-tier.yaml:{}:16", line_of("203.0.113.0/24"));
    let table = format!("two-tier.yaml:{}:3", line_of("  two-tier:"));
    let step_1 = said.out.split("\n 2 ").next().expect("the first step");
    for words in [
        "expected dropped, observed open",
        "neighbour, in-203-0-113-0-24 -> web1, web2, db1, db2 :22",
        "SG-T-ADMIN \"tcp 22 from 203.0.113.0/24\"",
        &rule,
        &table,
    ] {
        assert!(step_1.contains(words), "no {words:?} in {step_1}");
    }
    assert!(said.out.lines().any(|line| line.starts_with("FAILED  6 of 7 steps, 52 of 1,325 cells wrong")), "{said:?}");
}

#[test]
fn bad_input_is_2_with_words_on_stderr_and_nothing_on_stdout() {
    let program = Program::copy();
    write(&program, "bad.yaml", "sglab: 1\ngroups: {A: [tcp 22 from B]}\n");
    write(&program, "empty.yaml", "");
    write(&program, "folder/readme.txt", "no topology");
    write(&program, "good.yaml", TWO_RULES);
    let cases: &[(&[&str], &str)] = &[
        (&["test", "bad.yaml"], "bad.yaml:2:"),
        (&["test", "empty.yaml"], "empty.yaml"),
        (&["test", "absent.yaml"], "absent.yaml"),
        (&["test", "folder"], "there is no topology"),
        (&["test", "example:absent"], "example:two-tier"),
        (&["test", "good.yaml", "--filter", "absent"], "absent"),
        (&["test", "good.yaml", "--step", "99"], "99"),
        (&["test", "good.yaml", "--era", "modern"], "modern"),
        (&["test", "good.yaml", "-j", "0"], "0"),
        (&["test", "good.yaml", "bad.yaml"], "bad.yaml:2:"),
        (&["test"], "FILE|DIR|example:NAME"),
        (&["frobnicate"], "frobnicate"),
        (&[], "Usage"),
        (&["check", "bad.yaml"], "bad.yaml:2:"),
        (&["check", "absent.yaml"], "absent.yaml"),
        (&["render", "bad.yaml"], "bad.yaml:2:"),
        (&["render", "folder"], "folder"),
        (&["render", "good.yaml", "--step", "99"], "99"),
        (&["shell", "bad.yaml"], "bad.yaml:2:"),
    ];
    for (arguments, words) in cases {
        let said = sglab(&program, arguments);
        assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "{arguments:?}: {said:?}");
        assert!(said.err.contains(words), "{arguments:?}: no {words:?} in {}", said.err);
    }
}

#[test]
fn what_is_wrong_ends_with_its_line_and_an_empty_one_parts_it_from_the_next() {
    let program = Program::copy();
    for name in ["one.yaml", "two.yaml"] {
        write(&program, name, "sglab: 1\nera: vpc\ngroups: {A: [tcp 80 from B, tcp 81 from C]}\n");
    }
    write(&program, "good.yaml", TWO_RULES);
    let both = ["one.yaml", "two.yaml"];
    let commands: [(&[&str], usize); 9] = [
        (&["test", both[0], both[1]], 6),
        (&["test", "one.yaml"], 3),
        (&["walk", "one.yaml"], 3),
        // Whoever runs no test takes a file that expects nothing.
        (&["check", both[0], both[1]], 4),
        (&["list", both[0], both[1]], 4),
        (&["predict", both[0], both[1]], 4),
        (&["render", "one.yaml"], 2),
        (&["explain", "one.yaml", "a -> b:80"], 2),
        (&["explain", "good.yaml", "nobody -> nothing:80"], 2),
    ];
    for (command, problems) in commands {
        let told = sglab(&program, command);
        assert_eq!(told.code, Some(2), "{told:?}");
        assert!(told.err.ends_with('\n') && !told.err.ends_with("\n\n"), "{command:?}: {told:?}");
        let parts: Vec<_> = told.err.trim_end().split("\n\n").collect();
        assert_eq!(parts.len(), problems, "{command:?}: {}", told.err);
        assert!(parts.iter().all(|part| part.starts_with("error: ")), "{command:?}: {}", told.err);
    }
}

#[test]
fn a_machine_that_cannot_host_a_lab_is_3_and_the_remedy_is_told() {
    let program = Program::copy();
    // An ordinary user's namespaces in which no further one may be made.
    let script = "echo 0 > /proc/sys/user/$0 && exec \"$@\"";
    for limit in ["max_net_namespaces", "max_user_namespaces", "max_cgroup_namespaces"] {
        let path = program.path();
        let arguments = ["-Ur", "sh", "-c", script, limit, path.to_str().unwrap(), "test", "example:two-rules"];
        for user in users() {
            let said = said(program.dress(*user, Command::new("unshare"), &arguments));
            assert_eq!(said.code, Some(3), "{limit} as {user:?}: {said:?}");
            let all = format!("{}{}", said.out, said.err);
            assert!(all.contains("No space left on device") || all.contains("ENOSPC"), "the kernel's word: {all}");
            assert!(all.contains(limit), "the remedy names {limit}: {all}");
        }
    }
}

#[test]
fn what_is_neither_proved_nor_disproved_is_4() {
    let program = Program::copy();
    // Who has crashed keeps its address and never answers, and no filter says that it dropped the packet.
    let text = "\
sglab: 1
era: vpc
groups:
  A: [tcp 22 from anywhere]
instances:
  a: {groups: [A], listens: [tcp 22]}
  b: {groups: [A], listens: [tcp 22]}
scenario:
  - step: one is crashed and keeps its address, and nobody answers there
    do: [{crash: b}]
    expect: {open: [a -> b:22]}
";
    write(&program, "crashed.yaml", text);
    let said = sglab(&program, &["test", "crashed.yaml"]);
    assert_eq!(said.code, Some(4), "{said:?}");
    assert!(said.out.contains("INCONCLUSIVE"), "{said:?}");
}

#[test]
fn a_reader_that_leaves_early_is_no_failure() {
    let program = Program::copy();
    for arguments in ["test example:two-tier", "render example:two-tier", "schema", "completions bash", "--help"] {
        let script = format!("set -o pipefail; {} {arguments} | head -1", program.path().display());
        let said = said(program.dress(User::Ours, Command::new("bash"), &["-c", &script]));
        assert!(!said.err.contains("panicked"), "{arguments}: {said:?}");
        assert!(matches!(said.code, Some(0 | 141)), "{arguments}: {said:?}");
        assert_eq!(said.out.lines().count(), 1, "{arguments}: {said:?}");
    }
}

#[test]
fn a_report_without_a_folder_is_refused_before_anything_is_run() {
    let program = Program::copy();
    for option in ["--junit", "--html"] {
        let said = sglab(&program, &["test", "example:two-rules", option, "no/such/report"]);
        assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "{said:?}");
        assert!(said.err.contains("failed to write no/such/report"), "{said:?}");
    }
}

#[test]
fn a_full_disk_is_2_and_the_results_are_told_all_the_same() {
    let program = Program::copy();
    let said = sglab(&program, &["test", "example:two-rules", "--junit", "/dev/full"]);
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(said.err.contains("failed to write /dev/full") && said.err.contains("No space left"), "{said:?}");
    assert!(said.out.contains("3 passed"), "{said:?}");
    // A difference is worse than a missing report.
    write(&program, "two-tier.yaml", &mistake());
    let said = sglab(&program, &["test", "two-tier.yaml", "--junit", "/dev/full"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.err.contains("failed to write /dev/full"), "{said:?}");
    // And where the results themselves cannot be written, that is told.
    let script = format!("{} test example:two-rules > /dev/full", program.path().display());
    let full = said_of(&program, &script);
    assert_eq!(full.code, Some(2), "{full:?}");
    assert!(full.err.contains("No space left"), "{full:?}");
}

/// The clock of the machine is set forward and back by a year while a lab runs. It is the machine's own clock that is
/// left alone: what the program is told of it is what jumps.
#[test]
fn a_clock_that_jumps_moves_no_verdict_and_no_duration() {
    let program = Program::copy();
    let shim = "
        #define _GNU_SOURCE
        #include <sys/syscall.h>
        #include <sys/time.h>
        #include <time.h>
        #include <unistd.h>
        static long jump(void) { static long n; return (n++ % 2 ? 1 : -1) * 31536000L; }
        int clock_gettime(clockid_t id, struct timespec *t) {
            int r = syscall(SYS_clock_gettime, id, t);
            if (id == CLOCK_REALTIME) t->tv_sec += jump();
            return r;
        }
        int gettimeofday(struct timeval *t, void *z) {
            struct timespec s; clock_gettime(CLOCK_REALTIME, &s);
            t->tv_sec = s.tv_sec; t->tv_usec = s.tv_nsec / 1000; return 0;
        }
        time_t time(time_t *t) { struct timespec s; clock_gettime(CLOCK_REALTIME, &s); if (t) *t = s.tv_sec; return s.tv_sec; }
    ";
    write(&program, "jump.c", shim);
    let made = said_of(&program, "cc -shared -fPIC -o jump.so jump.c");
    assert_eq!(made.code, Some(0), "{made:?}");
    let clock = said_of(&program, "export LD_PRELOAD=$PWD/jump.so; date +%s; date +%s");
    let years: Vec<i64> = clock.out.lines().filter_map(|line| line.parse().ok()).collect();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs().cast_signed();
    assert!(years.iter().all(|told| (told - now).abs() > 30_000_000), "the clock jumps: {clock:?}");
    let script = format!("LD_PRELOAD=$PWD/jump.so {} test example:two-rules --format json", program.path().display());
    let said = said_of(&program, &script);
    assert_eq!(said.code, Some(0), "{said:?}");
    let document = json(&said.out);
    let milliseconds = |value: &Value| {
        let durations = durations(value);
        assert!(!durations.is_empty(), "{value}");
        durations
    };
    assert!(milliseconds(&document).iter().all(|took| (0.0..600_000.0).contains(took)), "{document}");
}

/// Every number of milliseconds in a document.
fn durations(value: &Value) -> Vec<f64> {
    match value {
        Value::Object(members) => members
            .iter()
            .flat_map(|(key, value)| match value.as_f64() {
                Some(number) if key.ends_with("_ms") => vec![number],
                _ => durations(value),
            })
            .collect(),
        Value::Array(values) => values.iter().flat_map(durations).collect(),
        _ => Vec::new(),
    }
}

/// What a script says, in the folder of the program.
fn said_of(program: &Program, script: &str) -> Said {
    said(program.dress(User::Ours, Command::new("bash"), &["-c", script]))
}

// What to run.

#[test]
fn a_folder_is_a_line_for_each_topology_and_era_in_order_whatever_runs_at_once() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/topologies");
    // What follows the first step of each is the lab suite's.
    let said = run(&["test", folder, "-j", "4", "--step", "1"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let named =
        |line: &str| line.starts_with("ok").then(|| line.split_whitespace().nth(1).map(str::to_owned)).flatten();
    let mut names: Vec<String> = said.out.lines().filter_map(named).collect();
    assert!(names.is_sorted(), "{names:?}");
    names.dedup();
    let inner = ["/gotchas", "/real"].map(|inner| topologies_in(&format!("{folder}{inner}")));
    let files = [topologies_in(folder)].into_iter().chain(inner);
    assert_eq!(names.len(), files.sum::<usize>(), "every file of the folder and of those in it: {names:?}");
}

fn topologies_in(folder: &str) -> usize {
    let paths = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    paths.filter(|path| path.extension().is_some_and(|ending| ending == "yaml")).count()
}

#[test]
fn filter_step_and_era_choose_what_runs() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/topologies");
    let said = run(&["test", folder, "--filter", "two-tier", "--era", "vpc", "--step", "1", "--format", "json"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let document = json(&said.out);
    let runs = document["runs"].as_array().expect("runs");
    let names: Vec<_> = runs.iter().map(|run| run["topology"].as_str().expect("a name")).collect();
    assert_eq!(names, ["two-tier-vpc", "two-tier"]);
    assert!(runs.iter().all(|run| run["era"] == "vpc"));
    assert!(runs.iter().all(|run| run["steps"].as_array().is_some_and(|steps| steps.len() == 1)));
    let eras = run(&["test", "example:self-trust", "--era", "article,classic", "--format", "json"]);
    let document = json(&eras.out);
    let eras: Vec<_> = document["runs"].as_array().expect("runs").iter().map(|run| run["era"].clone()).collect();
    assert_eq!(eras, ["article", "classic"]);
}

#[test]
fn the_shares_of_several_machines_are_the_whole_and_have_nothing_in_common() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/topologies");
    let share = |shard: &[&str]| {
        let all = [&["test", folder, "--filter", "case-0", "--step", "1", "--format", "json"], shard].concat();
        let document = json(&run(&all).out);
        let runs = document["runs"].as_array().expect("runs").clone();
        runs.iter().map(|run| format!("{} {}", run["topology"], run["era"])).collect::<Vec<_>>()
    };
    let (whole, mut both) = (share(&[]), [share(&["--shard", "1/2"]), share(&["--shard", "2/2"])].concat());
    both.sort();
    let mut sorted = whole.clone();
    sorted.sort();
    assert_eq!(both, sorted);
    assert!(share(&["--shard", "1/2"]).len() < whole.len(), "{whole:?}");
    let said = run(&["test", folder, "--filter", "two-tier", "--shard", "99/99", "--step", "1"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.err.contains("this share has no topology"), "{said:?}");
}

#[test]
fn fail_fast_leaves_the_rest_of_the_steps_alone() {
    let program = Program::copy();
    write(&program, "two-tier.yaml", &mistake());
    let said = sglab(&program, &["test", "two-tier.yaml", "--fail-fast", "--format", "json"]);
    assert_eq!(said.code, Some(1));
    let document = json(&said.out);
    let steps = document["runs"][0]["steps"].as_array().expect("steps");
    assert_eq!(steps[0]["status"], "failed");
    assert!(steps[1..].iter().all(|step| step["status"] == "not-run"), "{document}");
}

// The other commands.

#[test]
fn the_help_of_every_command_is_as_it_was() {
    let program = Program::copy();
    let commands = [
        "",
        "test",
        "replay",
        "list",
        "walk",
        "learn",
        "grade",
        "check",
        "lint",
        "render",
        "shell",
        "schema",
        "doctor",
        "init",
        "completions",
    ]
    .map(|command| {
        let arguments: Vec<&str> = command.split(' ').filter(|word| !word.is_empty()).chain(["--help"]).collect();
        let said = sglab(&program, &arguments);
        assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{command}");
        format!("$ sglab {}\n{}", arguments.join(" "), said.out)
    });
    insta::assert_snapshot!(commands.join("\n"));
}

#[test]
fn the_version_is_the_package_s() {
    let said = run(&["--version"]);
    assert_eq!((said.code, said.out.as_str()), (Some(0), concat!("sglab ", env!("CARGO_PKG_VERSION"), "\n")));
}
