//! `sglab lint` as it is typed.

use crate::program::{Program, sglab, write};

const OPEN: &str = "sglab: 1
era: vpc
groups:
  web: [tcp 22 from anywhere]
instances: {web1: {groups: web}}
";

#[test]
fn the_exit_code_is_by_the_worst_level() {
    let program = Program::copy();
    write(&program, "open.yaml", OPEN);
    let said = sglab(&program, &["lint", "open.yaml"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.out.starts_with("error  admin-from-anywhere: ") && said.out.contains("open.yaml:4:9"), "{said:?}");
    assert!(said.out.contains("cure:  sglab authorize web 'tcp 22 from PREFIX-LIST'"), "{said:?}");
    for (arguments, code) in [
        (&["--fail-on", "never"][..], 0),
        (&["--profile", "all", "--level", "error"], 1),
        (&["--admin-ports", "3389"], 0),
        (&["--admin-ports", "3389", "--fail-on", "warning"], 1),
        (&["--convention", "tiers=a"], 2),
        (&["--allow", "absent.yaml"], 2),
    ] {
        let all: Vec<&str> = ["lint", "open.yaml"].iter().chain(arguments).copied().collect();
        let said = sglab(&program, &all);
        assert_eq!(said.code, Some(code), "{arguments:?}: {said:?}");
    }
    assert_eq!(sglab(&program, &["lint"]).code, Some(2));
}

#[test]
fn an_allowance_wants_a_reason_in_a_comment_and_in_a_file() {
    let program = Program::copy();
    write(&program, "open.yaml", &OPEN.replace("anywhere]", "anywhere]  # sglab: allow admin-from-anywhere"));
    let said = sglab(&program, &["lint", "open.yaml"]);
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(said.err.contains("has no reason") && said.err.contains("--> open.yaml:4:32"), "{said:?}");
    write(&program, "open.yaml", &OPEN.replace("anywhere]", "anywhere]  # sglab: allow admin-from-anywhere - a trap"));
    let said = sglab(&program, &["lint", "open.yaml"]);
    assert!(said.code == Some(0) && said.out.contains("; 1 allowed"), "{said:?}");
    write(&program, "open.yaml", OPEN);
    write(&program, "allow.yaml", "- {check: admin-from-anywhere, resource: web, reason: a trap, until: 2020-01-01}\n");
    let said = sglab(&program, &["lint", "open.yaml", "--allow", "allow.yaml"]);
    assert!(said.code == Some(1) && said.out.contains("ended on 2020-01-01"), "{said:?}");
    write(&program, "allow.yaml", "- {check: admin-from-anywhere, resource: web, reason: a trap, until: 2999-01-01}\n");
    assert_eq!(sglab(&program, &["lint", "open.yaml", "--allow", "allow.yaml"]).code, Some(0));
    write(&program, "allow.yaml", "- {check: admin-from-anywher, resource: web, reason: a trap}\n");
    let said = sglab(&program, &["lint", "open.yaml", "--allow", "allow.yaml"]);
    assert!(said.code == Some(2) && said.err.contains("did you mean `admin-from-anywhere`?"), "{said:?}");
}

#[test]
fn checks_are_listed_and_explained() {
    let program = Program::copy();
    let said = sglab(&program, &["lint", "--list"]);
    assert!(said.code == Some(0) && said.out.lines().count() >= 25, "{said:?}");
    let said = sglab(&program, &["lint", "--explain", "address-in-rule"]);
    assert!(said.code == Some(0) && said.out.contains("tcp 5432 from 10.0.0.11"), "{said:?}");
    let said = sglab(&program, &["lint", "--explain", "adress-in-rule"]);
    assert!(said.code == Some(2) && said.err.contains("did you mean `address-in-rule`?"), "{said:?}");
}

#[test]
fn programs_get_documents() {
    let program = Program::copy();
    write(&program, "open.yaml", OPEN);
    for (format, key) in [("json", "findings"), ("sarif", "runs")] {
        let said = sglab(&program, &["lint", "open.yaml", "--format", format]);
        let document: serde_json::Value = serde_json::from_str(&said.out).expect("JSON");
        assert!(said.code == Some(1) && document[key].is_array(), "{said:?}");
    }
}
