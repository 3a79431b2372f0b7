//! Every topology of the article holds, under each of its eras.

use sglab::report::json;
use sglab::scenario::{self, Options, RunResult, RunVerdict, StepResult, predict};
use sglab::topology::Topology;

pub async fn holds(name: &str, text: &str) {
    let topology = Topology::parse(name, text.as_bytes()).unwrap_or_else(|problems| panic!("{problems}"));
    for era in &topology.eras {
        let result = scenario::run(&topology, *era, &Options::default(), &mut |_| {}).await;
        let result = result.unwrap_or_else(|error| panic!("{error}"));
        let wrong: Vec<_> = result.steps.iter().flat_map(StepResult::wrong).collect();
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
