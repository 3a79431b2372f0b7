//! `docs/facts.md` says of every fact where it is tested or why not, and what it names is there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const FACTS: &str = include_str!("../../docs/facts.md");
/// Its tables, and how many rows of each there are at least: one lost in an edit is found.
const TABLES: [(&str, usize); 7] = [
    ("EC2-Classic and the VPC", 49),
    ("The rule", 28),
    ("Groups as peers", 24),
    ("Connection tracking", 21),
    ("What groups do not filter", 13),
    ("Refusals", 25),
    ("What nobody documents", 16),
];

/// The rows of the table under a heading, each with its cells.
fn rows(heading: &str) -> Vec<Vec<&'static str>> {
    let section = FACTS.split("\n## ").find(|section| section.lines().next() == Some(heading)).expect("a section");
    let table = section.lines().filter(|line| line.starts_with('|')).skip(2);
    table.map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect()).collect()
}

/// Every table of the file.
fn headings() -> impl Iterator<Item = &'static str> {
    FACTS.split("\n## ").skip(1).filter_map(|section| section.lines().next())
}

/// What stands between backticks.
fn quoted(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

struct Known {
    tests: BTreeSet<String>,
    files: BTreeSet<String>,
    literals: BTreeSet<String>,
}

impl Known {
    fn here() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut known = Self { tests: BTreeSet::new(), files: BTreeSet::new(), literals: BTreeSet::new() };
        for path in ["src", "tests"].iter().flat_map(|folder| files(&root.join(folder), "rs")) {
            let text = fs::read_to_string(&path).expect("it can be read");
            known.tests.extend(tests_of(&text));
            if path.parent().is_some_and(|folder| folder.ends_with("tests/lab/literal")) {
                known.literals.extend(literals_of(&text));
            }
        }
        let names = files(&root.join("topologies"), "yaml");
        known.files.extend(names.iter().filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())));
        known.files.extend(super::bad_topologies::names());
        known
    }

    /// Whether a word between backticks is a claim about this repository; nothing if it is just a word.
    fn has(&self, word: &str) -> Option<bool> {
        let is_name =
            word.len() > 12 && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        match word.strip_prefix("literal ") {
            Some(case) => Some(self.literals.contains(case)),
            None if word.ends_with(".yaml") => Some(self.files.contains(word)),
            None if is_name => Some(self.tests.contains(word)),
            None => None,
        }
    }
}

/// The names of functions that are run as tests: marked so, or made of a list of names and files.
fn tests_of(text: &str) -> Vec<String> {
    let name = |line: &str| Some(line.split_once("fn ")?.1.split('(').next()?.to_owned());
    let marked = text.split("test]\n").skip(1).filter_map(|rest| rest.lines().find_map(name));
    let listed = text.split("\npast! {").skip(1).filter_map(|rest| rest.split('}').next());
    let listed =
        listed.flat_map(|list| list.lines().filter_map(|line| Some(line.split_once(':')?.0.trim().to_owned())));
    marked.chain(listed).collect()
}

/// The cases of which a play has lines.
fn literals_of(text: &str) -> Vec<String> {
    let text: String = text.split_whitespace().collect();
    let lines = ["New(\"", "Refused(\"", "Became(\"", "Served(\"", "Address(\""];
    let after = lines.iter().flat_map(|line| text.split(line).skip(1).collect::<Vec<_>>());
    after.filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())).collect()
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|e| e == extension) {
            found.push(path);
        }
    }
    found
}

/// What is wrong with where a row says that it is tested.
fn fault(known: &Known, cell: &str) -> Option<String> {
    let named: Vec<_> = quoted(cell).filter_map(|word| Some((word, known.has(word)?))).collect();
    if let Some((word, _)) = named.iter().find(|(_, is_there)| !is_there) {
        return Some(format!("there is no `{word}`"));
    }
    let why = ["not emulated: ", "not tested: "].iter().find_map(|not| cell.strip_prefix(not)).map(str::len);
    match (named.is_empty(), why) {
        (false, None) | (true, Some(10..)) => None,
        (true, Some(_)) => Some("it does not say why not".to_owned()),
        (false, Some(_)) => Some("tested and not emulated at once".to_owned()),
        (true, None) => Some("neither tested nor said why not".to_owned()),
    }
}

#[test]
fn every_fact_is_tested_somewhere_or_says_why_it_is_not() {
    let known = Known::here();
    let mut wrong = Vec::new();
    for heading in headings() {
        for row in rows(heading) {
            let fault = match row.as_slice() {
                [fact, source, cell] if !fact.is_empty() && !source.is_empty() => fault(&known, cell),
                _ => Some("a row has a fact, a source and where it is tested".to_owned()),
            };
            wrong.extend(fault.map(|fault| format!("{heading}: {}: {fault}", row[0])));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

const ARCHITECTURE: &str = include_str!("../../docs/architecture.md");

#[test]
fn every_row_of_what_an_instance_can_and_cannot_do_names_its_test() {
    let known = Known::here();
    let section = ARCHITECTURE.split("\n### What an instance can and cannot do\n").nth(1).expect("the section");
    let table: Vec<&str> = section.lines().skip_while(|line| !line.starts_with('|')).skip(2).collect();
    let table: Vec<&str> = table.into_iter().take_while(|line| line.starts_with('|')).collect();
    assert!(table.len() >= 15, "{} rows", table.len());
    for row in table {
        let tests = row.trim_matches('|').rsplit(" | ").next().unwrap_or_default();
        let named: Vec<_> = quoted(tests).filter_map(|word| Some((word, known.has(word)?))).collect();
        assert!(!named.is_empty() && named.iter().all(|(_, is_there)| *is_there), "{row}: {named:?}");
    }
}

#[test]
fn no_table_of_facts_has_lost_a_row() {
    for (heading, least) in TABLES {
        let rows = rows(heading).len();
        assert!(rows >= least, "{heading} has {rows} rows of at least {least}");
    }
    let cases: Vec<_> = rows("The documented gotchas").iter().map(|row| row[0].to_owned()).collect();
    assert_eq!(cases, (1..=41).map(|case| case.to_string()).collect::<Vec<_>>());
}

/// Every variant of an enum, by its name in a source file.
fn variants(text: &str, of: &str) -> Vec<String> {
    let body =
        text.split_once(&format!("pub enum {of} {{\n")).and_then(|(_, rest)| rest.split_once("\n}")).expect("it");
    let names = body.0.lines().filter(|line| line.starts_with("    ") && line[4..].starts_with(char::is_uppercase));
    names.map(|line| line.trim().split(['(', ' ', ',']).next().unwrap_or_default().to_owned()).collect()
}

/// `CreateGroup` is `create-group` in a file; some have words of their own.
fn verb(operation: &str) -> String {
    match operation {
        "AuthorizeIngress" => "authorize".to_owned(),
        "RevokeIngress" => "revoke".to_owned(),
        "SetSourceDestCheck" => "source-dest-check".to_owned(),
        "CreatePrefixList" => "prefix-lists".to_owned(),
        "CreateLoadBalancer" => "load-balancers".to_owned(),
        "ModifyPrefixList" => "edit-prefix-list".to_owned(),
        _ => operation.chars().fold(String::new(), |verb, c| match c.is_uppercase() && !verb.is_empty() {
            true => verb + "-" + &c.to_lowercase().to_string(),
            false => verb + &c.to_lowercase().to_string(),
        }),
    }
}

fn texts(folder: &str, extension: &str) -> Vec<String> {
    let paths = files(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), extension);
    paths.iter().map(|path| fs::read_to_string(path).expect("it can be read")).collect()
}

const OPERATIONS: &str = include_str!("../../src/model/operation.rs");
const REFUSALS: &str = include_str!("../../src/model/refusal.rs");

#[test]
fn every_operation_is_carried_out_on_real_packets() {
    let (topologies, labs) = (texts("topologies", "yaml"), texts("tests/lab", "rs"));
    let missing: Vec<_> = variants(OPERATIONS, "Operation")
        .into_iter()
        .filter(|operation| {
            let (verb, variant) = (format!("{}:", verb(operation)), format!("Operation::{operation}"));
            let in_a_story = topologies
                .iter()
                .any(|text| text.split(|c: char| c.is_whitespace() || c == '{').any(|word| word == verb));
            !in_a_story && !labs.iter().any(|text| text.contains(&variant))
        })
        .collect();
    assert!(missing.is_empty(), "no topology and no test of the lab carries out {missing:?}");
}

#[test]
fn every_refusal_is_seen_with_its_text_by_a_test_of_the_pure_function() {
    let tests = texts("src/model/apply", "rs").into_iter().filter(|text| text.contains("#[test]")).collect::<String>();
    let spelt = REFUSALS.split_once("fn as_str").expect("the codes").1;
    let codes: Vec<&str> = spelt.split("=> \"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert_eq!(codes.len(), variants(REFUSALS, "RefusalCode").len());
    let missing: Vec<_> = codes.into_iter().filter(|code| !tests.contains(&format!("{code}: "))).collect();
    assert!(missing.is_empty(), "no test of `apply` sees {missing:?}");
}

#[test]
fn what_is_not_there_is_noticed() {
    let known = Known::here();
    let good = "`literal 7`, `the_rules_of_all_groups_add_up`, `two-tier.yaml`";
    assert_eq!(fault(&known, good), None);
    assert_eq!(fault(&known, "not emulated: there is no such thing"), None);
    for bad in [
        "",
        "of course",
        "not emulated: no",
        "`literal 99`",
        "`a_test_that_nobody_wrote`",
        "`no-such-file.yaml`",
        "`every_dependency_is_permissive` and `fn_that_is_not_there_at_all`",
        // A function, and not a test.
        "`literals_of_nothing_at_all`",
        "not emulated: `the_rules_of_all_groups_add_up`",
    ] {
        assert!(fault(&known, bad).is_some(), "{bad}");
    }
    assert!(!known.tests.contains("initial_cloud"), "a helper is no test");
}
