//! What a table asks, by whole files that the model runs.

use crate::model::Era;
use crate::scenario::{Options, RunVerdict, predict};
use crate::topology::Topology;

fn topology(rest: &str) -> Topology {
    let text = format!("sglab: 1\nera: vpc\n{rest}");
    Topology::parse("t.yaml", text.as_bytes()).unwrap_or_else(|problems| panic!("{problems}"))
}

/// The wrong cells of a file, and whatever else is wrong with its steps.
fn wrong(rest: &str) -> Vec<String> {
    let result = predict::predict(&topology(rest), Era::Vpc, &Options::default(), &mut |_| ()).expect("a result");
    let mut wrong = Vec::new();
    for step in &result.steps {
        wrong.extend(step.wrong().map(|(_, cell)| cell.flow.to_string()));
        wrong.extend(step.findings.iter().map(|finding| finding.text.clone()));
    }
    assert_eq!(wrong.is_empty(), result.verdict == RunVerdict::Passed, "{wrong:?}");
    wrong
}

const SECOND_INTERFACE: &str = "\
hosts: {o: 8.8.8.8}
elastic-ips: [e]
groups: {closed: [tcp 80 from closed], wide: [tcp 22 from anywhere]}
instances: {a: {groups: closed}, b: {groups: closed, interfaces: {eth1: {groups: wide}}}}
";

#[test]
fn a_table_has_the_cells_of_further_interfaces() {
    let file = |open: &str| {
        format!(
            "{SECOND_INTERFACE}tables: {{t: {{open: [{open}]}}}}\n\
             scenario: [{{step: s, do: [{{associate-address: {{e: b.eth1}}}}], expect: {{table: t}}}}]\n"
        )
    };
    let wrong_cells = wrong(&file("'closed -> closed:80'"));
    for flow in ["o -> b.eth1:22", "elsewhere -> b.eth1:22", "a -> b.eth1:22"] {
        assert!(wrong_cells.iter().any(|cell| cell == flow), "{flow}: {wrong_cells:?}");
    }
    assert!(wrong_cells.iter().all(|cell| cell.ends_with("-> b.eth1:22")), "{wrong_cells:?}");
    // By the interface, or by the group that it wears.
    for open in ["'any -> b.eth1:22'", "'any -> wide:22'"] {
        assert_eq!(wrong(&file(&format!("'closed -> closed:80', {open}"))), Vec::<String>::new());
    }
}

#[test]
fn an_interface_that_a_table_names_is_there_at_each_step_that_expects_it() {
    let text = format!(
        "sglab: 1\nera: vpc\n{SECOND_INTERFACE}tables: {{t: {{open: ['a -> b.eth2:22', 'a -> a.eth0:22']}}}}\n\
         scenario: [{{step: s, expect: {{table: t}}}}]\n"
    );
    let problems = Topology::parse("t.yaml", text.as_bytes()).unwrap_err().to_string();
    assert!(problems.contains("the table `t` names `b.eth2`, which does not exist at this step"), "{problems}");
}

#[test]
fn what_has_no_way_out_is_unreachable_and_a_hole_nowhere() {
    let file = "groups: {g: [tcp 22 from anywhere]}\n\
                instances: {a: {groups: g}, b: {groups: g, public: no, interfaces: {eth1: {groups: g}}}}\n\
                tables: {t: {by: public, open: ['any -> a:22']}}\n\
                scenario: [{step: s, expect: {table: t}}]\n";
    assert_eq!(wrong(file), ["b -> a:22 by public address", "b.eth1 -> a:22 by public address"]);
    assert_eq!(wrong(&file.replace("'any -> a:22'", "'elsewhere -> a:22'")), Vec::<String>::new());
}
