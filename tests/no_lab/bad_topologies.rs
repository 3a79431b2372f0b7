//! Every broken file under `topologies-bad/` is told what is wrong with it, exactly as the `.stderr` of its folder says.
//!
//! `SGLAB_BLESS=1 cargo test --test no_lab bad_topologies` writes these anew; read the difference before it is committed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use sglab::scenario::FilesFrom;
use sglab::topology::Topology;

/// What a line with the name of a file begins with.
const NAMED: &str = "==== ";

/// The folders of broken files, one a subject.
fn subjects() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/topologies-bad");
    let entries = fs::read_dir(root).expect("the folder is there").map(|entry| entry.expect("an entry").path());
    let mut folders: Vec<_> = entries.filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

fn broken_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the folder is there").map(|entry| entry.expect("an entry").path());
    let mut files: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|extension| extension == "yaml")).collect();
    files.sort();
    files
}

fn told(path: &Path) -> String {
    let name = path.file_name().expect("a file").to_string_lossy();
    let bytes = fs::read(path).expect("it can be read");
    match Topology::parse_beside(&name, &bytes, &FilesFrom::folder(path.parent())) {
        Ok(_) => format!("{NAMED}{name}\naccepted\n"),
        Err(problems) => format!("{NAMED}{name}\n{problems}\n"),
    }
}

/// What is told of each file, by its name.
fn by_name(all: &str) -> BTreeMap<&str, &str> {
    all.split(NAMED).filter_map(|one| one.split_once('\n')).collect()
}

#[test]
fn each_broken_file_is_told_what_is_wrong() {
    let mut faults = Vec::new();
    for folder in subjects() {
        let told: String = broken_files(&folder).iter().map(|path| told(path)).collect();
        let path = folder.with_extension("stderr");
        if std::env::var_os("SGLAB_BLESS").is_some() {
            fs::write(&path, &told).expect("it can be written");
        }
        let expected = fs::read_to_string(&path).unwrap_or_default();
        let (expected, told) = (by_name(&expected), by_name(&told));
        faults.extend(
            told.iter().filter(|(_, told)| **told == "accepted\n").map(|(name, _)| format!("{name} is accepted")),
        );
        faults.extend(
            told.iter()
                .filter(|(name, told)| expected.get(*name) != Some(told))
                .map(|(name, told)| format!("{name}: told\n{told}")),
        );
        faults.extend(expected.keys().filter(|name| !told.contains_key(*name)).map(|name| format!("no file {name}")));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn there_are_at_least_forty_broken_files() {
    let files: Vec<_> = subjects().iter().flat_map(|folder| broken_files(folder)).collect();
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
