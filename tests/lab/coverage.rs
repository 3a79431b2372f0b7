//! Which rules the packets of a run exercised, by the counters of the kernel.

use sglab::scenario::{self, Coverage, Options, RunVerdict};

use crate::clouds::topology;

async fn run(text: &str, require_rule_coverage: bool) -> (RunVerdict, Coverage) {
    let topology = topology(text);
    let options = Options { require_rule_coverage, ..Options::default() };
    let result = scenario::run(&topology, topology.eras[0], &options, &mut |_| {}).await;
    let result = result.unwrap_or_else(|error| panic!("{error}"));
    let failed: Vec<_> =
        result.steps.iter().filter(|step| !step.findings.is_empty() || step.wrong().next().is_some()).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    let coverage = result.coverage.expect("packets were sent");
    assert_eq!(coverage.unread, None);
    assert_eq!(coverage.contradicted(), Vec::<&scenario::CountedRule>::new(), "counters and records agree");
    (result.verdict, coverage)
}

fn unexercised(coverage: &Coverage) -> Vec<(String, u32)> {
    let of = |it: &&scenario::CountedRule| (it.rule.written.clone(), it.rule.place.as_ref().expect("a place").line);
    coverage.unexercised().iter().map(of).collect()
}

const GOING: &str = "sglab: 1
era: vpc
groups:
  WEB: []
  DB:
    ingress: [tcp 1000 from WEB, tcp 1001 from WEB]
    egress: [tcp 1 to anywhere]
  OLD: [tcp 2000 from WEB, tcp 2001 from WEB]
instances: {web1: {groups: [WEB]}, db1: {groups: [DB, OLD]}}
scenario:
  - {step: one, expect: {open: [web1 -> db1:1000, web1 -> db1:2000]}}
  - step: they come and go
    do: [authorize: {DB: [tcp 3000 from WEB]}, revoke: {DB: [tcp 3000 from WEB]}, authorize: {DB: [tcp 3001 from WEB]}]
    expect: {open: [web1 -> db1:3001]}
  - step: a whole group goes
    do: [set-groups: {db1: DB}, delete-group: OLD, revoke: {DB: [tcp 3001 from WEB]}]
    expect: {dropped: [web1 -> db1:2000, web1 -> db1:3001]}
";

#[sglab::test]
async fn a_rule_that_no_packet_matched_is_told_and_one_that_went_under_way_counts() {
    let (verdict, coverage) = run(GOING, false).await;
    assert_eq!(verdict, RunVerdict::Passed);
    let expected =
        [("tcp 1001 from WEB", 6), ("tcp 1 to anywhere", 7), ("tcp 2001 from WEB", 8), ("tcp 3000 from WEB", 13)];
    assert_eq!(unexercised(&coverage), expected.map(|(rule, line)| (rule.to_owned(), line)));
    assert_eq!(coverage.rules.len(), 7, "the rules for all that goes out are nobody's: {:#?}", coverage.rules);
}

/// The second rule admits nothing new: the connection was there before it, and outlives the first by it.
const HELD: &str = "sglab: 1
era: classic
groups: {WEB: [], DB: [tcp 4000 from anywhere]}
instances: {web1: {groups: [WEB]}, db1: {groups: [DB]}}
scenario:
  - {step: held, do: {open: {session: 'web1 -> db1:4000'}}, expect: {alive: session}}
  - step: by another rule
    do: [authorize: {DB: [tcp 4000-4001 from 10.0.0.0/8, tcp 4000 from 192.0.2.0/24]}, revoke: {DB: [tcp 4000 from anywhere]}]
    expect: {alive: session}
";

#[sglab::test]
async fn a_rule_that_carries_an_untracked_flow_under_way_is_exercised() {
    let (_, coverage) = run(HELD, false).await;
    assert_eq!(unexercised(&coverage), [("tcp 4000 from 192.0.2.0/24".to_owned(), 8)]);
}

#[sglab::test]
async fn a_run_that_requires_coverage_fails_for_one_rule() {
    assert_eq!(run(GOING, true).await.0, RunVerdict::Failed);
    let whole =
        GOING.replace(", tcp 1001 from WEB", "").replace(", tcp 2001 from WEB", "").replace("tcp 1 to", "tcp 9 to");
    let whole = whole.replace("authorize: {DB: [tcp 3000 from WEB]}, revoke: {DB: [tcp 3000 from WEB]}, ", "");
    // What goes out by the rule is dropped at the other end, and has exercised it.
    let asks = whole.replace("open: [web1 -> db1:1000", "dropped: [db1 -> web1:9 at ingress], open: [web1 -> db1:1000");
    let (verdict, coverage) = run(&asks, true).await;
    assert_eq!((verdict, unexercised(&coverage)), (RunVerdict::Passed, vec![]));
}
