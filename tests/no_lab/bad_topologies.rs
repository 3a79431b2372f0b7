//! Every broken file of `topologies-bad/` is told what is wrong with it, exactly as stands below it there.
//!
//! A file there holds the cases of a subject: a line `==== NAME`, the broken file, a line `---- told`, and what it is told. What is no plain
//! text, or is told of files beside it, lies in the folder of the subject, and its case has nothing above `---- told`.
//!
//! `SGLAB_BLESS=1 cargo test --test no_lab bad_topologies` writes anew what they are told; read the difference before it is committed.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use sglab::scenario::FilesFrom;
use sglab::topology::Topology;

/// Beginning of the line before a broken file, with its name.
const NAMED: &str = "==== ";
/// The line between a broken file and what it is told.
const TOLD: &str = "---- told\n";

/// One broken file.
struct Case {
    name: String,
    /// Empty where the file lies in the folder of the subject.
    text: String,
    told: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/topologies-bad")
}

/// The files of cases, one a subject.
fn subjects() -> Vec<PathBuf> {
    let entries = fs::read_dir(root()).expect("the folder is there").map(|entry| entry.expect("an entry").path());
    let mut subjects: Vec<_> = entries.filter(|path| path.extension().is_some_and(|it| it == "txt")).collect();
    subjects.sort();
    subjects
}

fn cases(subject: &Path) -> Vec<Case> {
    let all = fs::read_to_string(subject).expect("it can be read");
    let case = |case: &str| {
        let (name, rest) = case.split_once('\n')?;
        // A file may be empty, so that the line below its name is the one between the two.
        let (text, told) = rest.split_once(TOLD)?;
        Some(Case { name: name.to_owned(), text: text.to_owned(), told: told.to_owned() })
    };
    let lines = format!("\n{}", all.strip_suffix('\n').unwrap_or(&all));
    let named = format!("\n{NAMED}");
    let cases = lines.split(&named).skip(1).map(|text| format!("{text}\n"));
    cases
        .map(|text| case(&text).unwrap_or_else(|| panic!("{}: no `{}` in {text}", subject.display(), TOLD.trim())))
        .collect()
}

/// The names of all broken files.
pub fn names() -> BTreeSet<String> {
    subjects().iter().flat_map(|subject| cases(subject)).map(|case| case.name).collect()
}

fn told(subject: &Path, case: &Case) -> String {
    let folder = subject.with_extension("");
    let bytes = match case.text.is_empty() {
        true => fs::read(folder.join(&case.name)).expect("it can be read"),
        false => case.text.clone().into_bytes(),
    };
    match Topology::parse_beside(&case.name, &bytes, &FilesFrom::folder(Some(&folder))) {
        Ok(_) => "accepted\n".to_owned(),
        Err(problems) => format!("{problems}\n"),
    }
}

#[test]
fn each_broken_file_is_told_what_is_wrong() {
    let mut faults = Vec::new();
    for subject in subjects() {
        let cases = cases(&subject);
        if std::env::var_os("SGLAB_BLESS").is_some() {
            let case = |case: &Case| format!("{NAMED}{}\n{}{TOLD}{}", case.name, case.text, told(&subject, case));
            fs::write(&subject, cases.iter().map(case).collect::<String>()).expect("it can be written");
            continue;
        }
        for case in &cases {
            match told(&subject, case) {
                accepted if accepted == "accepted\n" => faults.push(format!("{} is accepted", case.name)),
                told if told != case.told => faults.push(format!("{}: told\n{told}", case.name)),
                _ => {}
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn no_two_broken_files_have_one_name_and_no_file_of_bytes_is_forgotten() {
    let all: Vec<Case> = subjects().iter().flat_map(|subject| cases(subject)).collect();
    assert_eq!(names().len(), all.len());
    for subject in subjects().iter().map(|subject| subject.with_extension("")).filter(|folder| folder.is_dir()) {
        for entry in fs::read_dir(subject).expect("the folder is there") {
            let name = entry.expect("an entry").file_name();
            assert!(all.iter().any(|case| case.name == name.to_string_lossy() && case.text.is_empty()), "{name:?}");
        }
    }
}

#[test]
fn there_are_at_least_190_broken_files() {
    assert!(names().len() >= 190, "only {}", names().len());
}
