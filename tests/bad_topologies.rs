//! Every broken file under `topologies-bad/` is told what is wrong with it, exactly as the `.stderr` beside it says.
//!
//! `SGLAB_BLESS=1 cargo test --test bad_topologies` writes those anew; read the difference before it is committed.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test panics")]

use std::fs;
use std::path::{Path, PathBuf};

use sglab::model::topology::Topology;
use sglab::scenario::FilesFrom;

fn broken_files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/topologies-bad");
    let mut files: Vec<_> = fs::read_dir(folder)
        .expect("the folder is there")
        .map(|entry| entry.expect("it can be listed").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    files.sort();
    files
}

fn told(path: &Path) -> Result<String, String> {
    let name = path.file_name().expect("a file").to_string_lossy();
    let bytes = fs::read(path).expect("it can be read");
    match Topology::parse_beside(&name, &bytes, &FilesFrom::folder(path.parent())) {
        Ok(_) => Err(format!("{name} is accepted")),
        Err(problems) => Ok(format!("{problems}\n")),
    }
}

#[test]
fn each_broken_file_is_told_what_is_wrong() {
    let bless = std::env::var_os("SGLAB_BLESS").is_some();
    let mut failures = Vec::new();
    for path in broken_files() {
        let told = match told(&path) {
            Ok(told) => told,
            Err(failure) => {
                failures.push(failure);
                continue;
            }
        };
        let expected = path.with_extension("stderr");
        if bless {
            fs::write(&expected, &told).expect("it can be written");
        } else if fs::read_to_string(&expected).ok().as_deref() != Some(&told) {
            failures.push(format!("{}: told\n{told}", path.display()));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn there_are_at_least_forty_broken_files_and_no_stray_answers() {
    let files = broken_files();
    assert!(files.len() >= 40, "only {}", files.len());
    let folder = files[0].parent().expect("a folder");
    let answers = fs::read_dir(folder).expect("it can be listed").filter_map(Result::ok);
    let answers = answers.filter(|entry| entry.path().extension().is_some_and(|extension| extension == "stderr"));
    assert_eq!(answers.count(), files.len());
}

#[test]
fn a_problem_has_a_place_a_message_and_help() {
    let text = "sglab: 1\nera: vpc\ngroups: {WEB: [], DB: [tcp 1 from WBE]}\n";
    let problems = Topology::parse("x.yaml", text.as_bytes()).expect_err("it is broken");
    let problem = problems.iter().find(|problem| problem.place().line == 3).expect("it is found");
    assert_eq!(problem.place().to_string(), "x.yaml:3:35");
    assert_eq!(problem.message(), "unknown security group `WBE`");
    assert_eq!(problem.help(), Some("did you mean `WEB`?"));
}
