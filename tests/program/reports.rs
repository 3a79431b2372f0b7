//! What programs read of a run: JSON, JUnit, annotations. See `docs/output.md`.

use std::collections::BTreeSet;
use std::fs;

use crate::program::{Program, json, mistake, sglab, write};
use serde_json::Value;

#[test]
fn json_is_one_document_of_the_documented_shape() {
    let program = Program::copy();
    write(&program, "two-tier.yaml", &mistake());
    let said = sglab(&program, &["test", "two-tier.yaml", "--format", "json"]);
    assert_eq!((said.code, said.err.as_str()), (Some(1), ""));
    let document = json(&said.out);
    assert_eq!((&document["format"], &document["exit_code"]), (&Value::from(1), &Value::from(1)));
    let run = &document["runs"][0];
    assert_eq!(
        (&run["topology"], &run["era"], &run["verdict"]),
        (&"two-tier".into(), &"article".into(), &"failed".into())
    );
    assert_eq!(run["counts"]["cells"], 1325);
    assert_eq!(run["counts"]["wrong"], 52);
    assert!(run["boot_ms"].as_f64().is_some_and(|time| time > 0.0));
    let steps = run["steps"].as_array().expect("steps");
    assert_eq!(steps.len(), 7);
    let numbers: Vec<_> = steps.iter().map(|step| step["number"].as_u64().expect("a number")).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6, 7]);
    let wrong = &steps[0]["wrong"][0];
    assert_eq!((&wrong["expected"], &wrong["observed"]), (&"dropped".into(), &"open".into()));
    assert_eq!((&wrong["from"], &wrong["service"]), (&"neighbour".into(), &"tcp 22".into()));
    assert_eq!(wrong["rule"]["group"], "SG-T-ADMIN");
    assert_eq!(wrong["rule"]["place"]["file"], "two-tier.yaml");
    assert_eq!(steps[3]["addresses"][0]["instance"], "web1");
    assert_eq!(steps[3]["rules_edited"], 0);
    let row = &steps[0]["grid"]["rows"][0];
    assert_eq!(row["cells"][0].as_str().map(str::len), steps[0]["grid"]["services"].as_array().map(Vec::len));
}

#[test]
fn the_pages_list_the_formats_of_results() {
    let program = Program::copy();
    let help = sglab(&program, &["test", "--help"]).out;
    let (_, values) = help.split_once("--format <FORMAT>\n").unwrap();
    let (values, _) = values.split_once("[default: text]").unwrap();
    let named = |line: &str| Some(line.trim_start().strip_prefix("- ")?.split(':').next()?.to_owned());
    let mut formats: BTreeSet<String> = values.lines().filter_map(named).collect();
    assert!(formats.remove("text"), "{formats:?}");
    for (page, row) in
        [(include_str!("../../README.md"), "| `sglab test FILE"), (include_str!("../../docs/cli.md"), "| `--format ")]
    {
        let row = page.lines().find(|line| line.starts_with(row)).unwrap();
        let listed = row.split("--format ").skip(1).filter_map(|rest| rest.split('`').next());
        let listed: BTreeSet<String> = listed.flat_map(|words| words.split("\\|").map(str::to_owned)).collect();
        assert_eq!(listed, formats, "{row}");
    }
}

#[test]
fn junit_is_xml_with_a_case_for_each_step() {
    let program = Program::copy();
    write(&program, "two-tier.yaml", &mistake());
    let said = sglab(&program, &["test", "two-tier.yaml", "--junit", "results.xml"]);
    assert_eq!(said.code, Some(1));
    let text = fs::read_to_string(program.scratch().join("results.xml")).expect("a report");
    let report = quick_junit::Report::deserialize_from_str(&text).expect("a JUnit report");
    let [suite] = report.test_suites.as_slice() else { panic!("one suite for one file and era: {text}") };
    assert_eq!(suite.test_cases.len(), 7);
    assert_eq!((report.failures, report.errors), (6, 0), "wrong is a failure");
}

#[test]
fn github_annotations_stand_where_the_expectation_does() {
    let program = Program::copy();
    write(&program, "two-tier.yaml", &mistake());
    let said = sglab(&program, &["test", "two-tier.yaml", "--format", "github", "--step", "1"]);
    assert_eq!(said.code, Some(1));
    assert!(said.out.lines().all(|line| line.starts_with("::")), "annotations only on stdout: {}", said.out);
    assert!(said.out.starts_with("::error file=two-tier.yaml,line="), "{}", said.out);
    assert!(said.err.contains("FAILED"), "the report for people on stderr: {}", said.err);
}
