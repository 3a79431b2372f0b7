//! Every topology of the article and every gotcha of the library holds under each of its eras, and the two readings agree about every step.

use sglab::report::json;
use sglab::scenario::{self, Options, RunResult, RunVerdict, predict};
use sglab::topology::Topology;

use crate::agreement::is_as_the_policy_says;
use crate::dealt::is_ours;

pub async fn holds(name: &str, text: &str) {
    let topology = Topology::parse(name, text.as_bytes()).unwrap_or_else(|problems| panic!("{problems}"));
    for era in &topology.eras {
        let result = scenario::run(&topology, *era, &Options::default(), &mut |_| {}).await;
        let result = result.unwrap_or_else(|error| panic!("{error}"));
        let wrong: Vec<_> =
            result.steps.iter().flat_map(|step| &step.checks).filter(|check| !check.is_passed()).collect();
        let findings: Vec<_> = result.steps.iter().flat_map(|step| &step.findings).collect();
        assert_eq!(result.verdict, RunVerdict::Passed, "{name} under {era}: {wrong:#?} {findings:#?}");
        assert_eq!(result.counts.timed_out, 0, "{name} under {era}: evidence and not patience decides");
        let options = Options::default();
        let predicted = predict::predict(&topology, *era, &options, &mut |_| {}).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(told(predicted), told(result), "{name} under {era}: what is predicted is what is measured");
    }
}

/// What a run tells of flows, addresses and rules, by program; how long it took and what it rests on differs.
pub fn told(result: RunResult) -> Vec<serde_json::Value> {
    let text = json::json(&[result.into()], json::Listed::All).expect("a document");
    let document: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let parts = ["grid", "flows", "findings", "changed", "addresses", "rules_edited", "claims", "disagreements"];
    let steps = document["runs"][0]["steps"].as_array().expect("steps");
    let balanced = |step: &serde_json::Value| {
        let all = step["load_balancers"].as_array().expect("a list").iter();
        all.map(|it| [it["expected"].clone(), it["proof"].clone()]).collect::<Vec<_>>()
    };
    let told = |step: &serde_json::Value| {
        parts.iter().map(|part| step[part].clone()).chain([serde_json::json!(balanced(step))]).collect::<Vec<_>>()
    };
    steps.iter().flat_map(told).collect()
}

#[sglab::test]
async fn two_tier_holds() {
    holds("two-tier.yaml", include_str!("../../topologies/two-tier.yaml")).await;
}

#[sglab::test]
async fn two_tier_vpc_holds() {
    holds("two-tier-vpc.yaml", include_str!("../../topologies/two-tier-vpc.yaml")).await;
}

#[sglab::test]
async fn by_address_holds() {
    holds("by-address.yaml", include_str!("../../topologies/by-address.yaml")).await;
}

#[sglab::test]
async fn by_address_vpc_holds() {
    holds("by-address-vpc.yaml", include_str!("../../topologies/by-address-vpc.yaml")).await;
}

#[sglab::test]
async fn self_trust_holds_under_each_era() {
    holds("self-trust.yaml", include_str!("../../topologies/self-trust.yaml")).await;
}

#[sglab::test]
async fn two_rules_holds_under_each_era() {
    holds("two-rules.yaml", include_str!("../../topologies/two-rules.yaml")).await;
}

#[sglab::test]
async fn instance_groups_holds() {
    holds("instance-groups.yaml", include_str!("../../topologies/instance-groups.yaml")).await;
}

#[sglab::test]
async fn the_example_of_the_documentation_holds() {
    let text = include_str!("../../docs/topology.md");
    let blocks = text.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
    holds("topology.md", &blocks.collect::<String>()).await;
}

#[sglab::test]
async fn groups_while_stopped_holds() {
    holds("groups-while-stopped.yaml", include_str!("../../topologies/groups-while-stopped.yaml")).await;
}

/// Further interfaces, every column, an ICMP type, what nothing names, and what goes out to hosts, on packets.
const EVERYTHING: &str = "sglab: 1
era: vpc
hosts: {o: 8.8.8.8}
elastic-ips: [e]
groups:
  g: {ingress: [all from g, icmp 13 from o], egress: [all to g, tcp 22 to w, tcp 443 to o, icmp 13 to o]}
  w: {ingress: [tcp 22 from anywhere], egress: []}
instances: {a: {groups: g}, b: {groups: g, interfaces: {eth1: {groups: w}}}}
tables:
  before: {egress: all, open: ['a <-> b:all', 'o -> g:icmp 13', 'a -> b.eth1:22', 'g -> o:443', 'g -> o:icmp 13']}
  after: {like: before, open: ['any -> w:22']}
scenario:
  - {step: as launched, expect: {table: before}}
  - {step: the internet comes to eth1, do: {associate-address: {e: b.eth1}}, expect: {table: after}}
";

#[sglab::test]
async fn a_table_has_every_cell_that_can_be_asked() {
    holds("everything.yaml", EVERYTHING).await;
}

macro_rules! library {
    ($($name:literal),* $(,)?) => {
        const LIBRARY: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../topologies/gotchas/", $name, ".yaml")))),*];
    };
}

library![
    "a-load-balancer-target-on-a-new-address",
    "a-middlebox-hides-the-group",
    "a-replaced-instance-in-a-vpc",
    "a-stranger-on-a-recycled-address",
    "an-idle-session-is-forgotten",
    "an-internet-facing-load-balancer-from-inside",
    "behind-a-load-balancer-in-classic",
    "behind-a-load-balancer-the-client-is-gone",
    "large-answers-hang-behind-a-smaller-link",
    "no-blink-while-groups-change",
    "case-01-rules-of-all-groups-count",
    "case-02-one-group-is-no-trust",
    "case-03-a-group-that-names-itself",
    "case-04-trust-ends-at-the-elastic-ip",
    "case-05-a-rule-for-the-senders-elastic-ip",
    "case-06-a-self-rule-for-tcp-is-for-tcp",
    "case-07-a-group-gains-and-loses-a-member",
    "case-08-groups-belong-to-the-interface",
    "case-09-the-wider-of-two-rules-wins",
    "case-10-the-edges-of-a-port-range",
    "case-11-tcp-is-not-udp",
    "case-12-icmp-echo-is-one-message",
    "case-13-icmp-is-not-icmpv6",
    "case-14-anywhere-is-not-ipv6",
    "case-15-other-protocols-have-no-ports",
    "case-16-a-tracked-session-outlives-its-rule",
    "case-17-an-untracked-session-is-cut",
    "case-18-narrower-egress-means-tracked",
    "case-19-a-ping-that-runs-goes-on",
    "case-20-answers-pass-without-an-egress-rule",
    "case-21-no-egress-no-way-out",
    "case-22-egress-by-group-is-by-private-address",
    "case-23-an-answer-needs-no-rule-and-an-afterthought-does",
    "case-24-behind-nat-the-group-is-lost",
    "case-25-one-subnet-is-no-trust",
    "case-26-a-restart-in-a-vpc",
    "case-27-a-restart-in-classic",
    "case-28-classic-groups-are-for-life",
    "case-29-classic-lets-everything-out",
    "case-30-the-source-is-checked-first",
    "case-39-a-ping-that-is-refused-is-one-record",
    "case-41-refused-is-not-dropped",
    "editing-a-prefix-list-edits-the-rules",
    "elastic-ip-trap-for-databases",
    "instance-groups-follow-the-instance",
    "itself-by-its-elastic-ip",
    "peers-that-send-from-fixed-ports",
    "rules-that-name-a-public-address",
    "scaling-out-edits-no-rule",
    "tracked-at-one-end-only",
];

#[sglab::test]
async fn every_gotcha_holds() {
    for (_, (name, text)) in LIBRARY.iter().enumerate().filter(|(number, _)| is_ours(*number)) {
        holds(&format!("{name}.yaml"), text).await;
    }
}

#[sglab::test]
async fn every_gotcha_is_as_the_policy_says() {
    for (name, text) in LIBRARY {
        is_as_the_policy_says(&format!("{name}.yaml"), text).await;
    }
}

/// An ordinary user may not be allowed to look into the folder of the build.
#[sglab::test]
async fn the_library_is_whole() {
    let Ok(folder) = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/topologies/gotchas")) else { return };
    for file in folder {
        let file = file.expect("an entry").file_name().into_string().expect("text");
        let name = file.trim_end_matches(".yaml");
        assert!(LIBRARY.iter().any(|(known, _)| *known == name), "{file} is not among the tests");
    }
}

#[sglab::test]
async fn of_every_gotcha_it_is_written_how_it_was_seen_to_fail() {
    let listed =
        include_str!("../mutants/gotchas.md").lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next());
    let listed: std::collections::BTreeSet<&str> = listed.skip(1).collect();
    let library = LIBRARY.iter().map(|(name, _)| *name).collect();
    assert_eq!(listed, library, "a row of tests/mutants/gotchas.md for each, and for nothing else");
}
