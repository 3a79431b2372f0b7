//! Labs on a system that lacks what a full one happens to have.

use std::fs;
use std::path::Path;

use nix::mount::{MsFlags, mount};
use sglab::model::Era;
use sglab::scenario::{self, Options, RunVerdict};

use crate::clouds::*;

/// The lists of names that Debian has in `netbase`, which container images leave out.
const NAMES: [&str; 3] = ["/etc/protocols", "/etc/services", "/etc/ethertypes"];

/// Empties files for this process alone: it is in a mount namespace of its own.
fn hide(files: &[&str]) {
    for file in files.iter().filter(|file| Path::new(file).exists()) {
        let none: Option<&str> = None;
        mount(Some("/dev/null"), *file, none, MsFlags::MS_BIND, none).unwrap_or_else(|e| panic!("{file}: {e}"));
        assert_eq!(fs::read_to_string(file).expect("an empty file"), "");
    }
}

/// Everything that the compiler has words for.
const EVERYTHING: &str = include_str!("../../src/compile/everything.yaml");

/// A rule goes, which takes its handle out of nft's list; and its counter is read from there.
const A_RULE_GOES: &str = "
  - step: a rule goes
    do: [revoke: {DB: [tcp 3306 from WEB]}]
    expect: {dropped: [web -> db:3306]}
";

#[sglab::test]
async fn a_lab_needs_no_list_of_protocols_and_services() {
    hide(&NAMES);
    let topology = topology(&format!("{EVERYTHING}{A_RULE_GOES}"));
    let result = scenario::run(&topology, Era::Vpc, &Options::default(), &mut |_| {}).await;
    let result = result.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(result.verdict, RunVerdict::Passed, "{:#?}", result.steps);
    assert_eq!(result.coverage.expect("packets were sent").unread, None);
}

#[sglab::test]
async fn a_lab_tells_its_rulesets_the_same_with_and_without_a_list_of_protocols() {
    let lab = boot(&topology(EVERYTHING), Era::Vpc).await;
    let before = lab.kernel_snapshot(&[]).await.unwrap_or_else(|error| panic!("{error}"));
    hide(&NAMES);
    let after = lab.kernel_snapshot(&[]).await.unwrap_or_else(|error| panic!("{error}"));
    assert!(before.rulesets.len() > 3 && before.rulesets == after.rulesets, "{before:#?} {after:#?}");
}
