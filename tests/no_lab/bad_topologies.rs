//! Every broken file under `topologies-bad/` is told what is wrong with it, exactly as `topologies-bad.stderr` says.
//!
//! `SGLAB_BLESS=1 cargo test --test no_lab bad_topologies` writes it anew; read the difference before it is committed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use sglab::scenario::FilesFrom;
use sglab::topology::Topology;

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

/// What all files are told, each below its name.
fn all_told() -> Result<String, Vec<String>> {
    let (mut all, mut accepted) = (String::new(), Vec::new());
    for path in broken_files() {
        let name = path.file_name().expect("a file").to_string_lossy();
        match told(&path) {
            Ok(told) => all.push_str(&format!("{NAMED}{name}\n{told}")),
            Err(failure) => accepted.push(failure),
        }
    }
    if accepted.is_empty() { Ok(all) } else { Err(accepted) }
}

/// What a line with the name of a file begins with.
const NAMED: &str = "==== ";

#[test]
fn each_broken_file_is_told_what_is_wrong() {
    let expected = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/topologies-bad.stderr");
    let told = all_told().unwrap_or_else(|accepted| panic!("{}", accepted.join("\n")));
    if std::env::var_os("SGLAB_BLESS").is_some() {
        fs::write(&expected, &told).expect("it can be written");
    }
    let expected = fs::read_to_string(&expected).expect("it can be read");
    let expected: BTreeMap<_, _> = expected.split(NAMED).filter_map(|one| one.split_once('\n')).collect();
    let told: BTreeMap<_, _> = told.split(NAMED).filter_map(|one| one.split_once('\n')).collect();
    let differ: Vec<_> = told.iter().filter(|(name, told)| expected.get(*name) != Some(told)).collect();
    let differ = differ.iter().map(|(name, told)| format!("{name}: told\n{told}")).collect::<Vec<_>>();
    assert!(differ.is_empty(), "{}", differ.join("\n"));
    let stray: Vec<_> = expected.keys().filter(|name| !told.contains_key(*name)).collect();
    assert!(stray.is_empty(), "there are no files {stray:?}");
}

#[test]
fn there_are_at_least_forty_broken_files() {
    let files = broken_files();
    assert!(files.len() >= 40, "only {}", files.len());
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
