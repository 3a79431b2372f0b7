//! Many rules, many instances, many labs.

use std::fmt::Write;
use std::process::{Command, Stdio};

use futures::future::join_all;
use sglab::lab::Lab;
use sglab::model::{Era, Flow};
use sglab::scenario::{Options, RunVerdict};

use crate::bare::run;
use crate::clouds::*;

#[sglab::test]
async fn a_cloud_of_1000_rules_boots_and_probes_right() {
    // 100 groups of 10 rules: each names the group before it, ports of its own.
    let mut text = String::from("sglab: 1\nera: vpc\ngroups:\n");
    for group in 0..100 {
        let peer = (group + 99) % 100;
        let rules: Vec<_> = (0..10).map(|rule| format!("tcp {} from G{peer}", 2000 + 10 * group + rule)).collect();
        writeln!(text, "  G{group}: [{}]", rules.join(", ")).expect("text");
    }
    text += "instances:\n";
    for (instance, groups) in [("a", 0..5), ("b", 5..10), ("c", 95..100)] {
        let groups: Vec<_> = groups.map(|group| format!("G{group}")).collect();
        writeln!(text, "  {instance}: {{groups: [{}]}}", groups.join(", ")).expect("text");
    }
    text += "scenario: [{step: as launched, expect: {open: ['a -> b:2050']}}]\n";
    let mut lab = boot(&topology(&text), Era::Vpc).await;
    let handles = lab.rule_handles().await.expect("handles");
    let rules: std::collections::HashSet<_> =
        handles.keys().filter(|(chain, id)| chain.starts_with("ingress/") && !id.contains('/')).collect();
    assert_eq!(rules.len(), 1000);
    // G5's rules admit G4, which is a's; G0's admit G99, which is c's; and so on round the ring.
    let open = ["a>b 2050", "a>b 2059", "c>a 2000", "a>a 2010"].map(one).into_iter().filter(|(from, to, _)| from != to);
    let open: Vec<Flow> = open.map(|(from, to, port)| flow(&from, &to, tcp(port))).collect();
    let closed: Vec<Flow> = ["c>b 2050", "b>a 2000", "a>c 2950", "b>c 2959", "a>b 2060", "a>b 2099"]
        .map(one)
        .map(|(from, to, port)| flow(&from, &to, tcp(port)))
        .into();
    for (flow, outcome) in open.iter().zip(outcomes(&mut lab, &open).await) {
        assert!(is_open(&outcome), "{flow}: {outcome:?}");
    }
    for (flow, outcome) in closed.iter().zip(outcomes(&mut lab, &closed).await) {
        assert!(is_dropped(&outcome), "{flow}: {outcome:?}");
    }
}

/// As many as EC2 allows a VPC. Each has a routing table of its own.
#[sglab::test]
async fn each_of_two_hundred_subnets_with_routes_goes_by_its_own() {
    let routed = |number: u8| format!("r{number}: {{cidr: 10.0.{number}.0/24, routes: {{0.0.0.0/0: nat}}}}");
    let subnets: Vec<String> = (1..=200).map(routed).collect();
    let text = format!(
        "sglab: 1
era: vpc
vpcs: {{main: {{cidr: 10.0.0.0/16, subnets: {{out: 10.0.250.0/24, {}}}}}}}
hosts: {{office: 203.0.113.10}}
groups: {{G: [all from 10.0.0.0/16]}}
instances:
  nat: {{subnet: out, groups: G, source-dest-check: off, forwards: nat}}
  first: {{subnet: r1, groups: G, public: no}}
  last: {{subnet: r200, groups: G, public: no}}
scenario: [{{step: by the NAT instance, expect: {{open: ['first -> office:443', 'last -> office:443']}}}}]
",
        subnets.join(", ")
    );
    let result = sglab::scenario::run(&topology(&text), Era::Vpc, &Options::default(), &mut |_| {}).await;
    assert_eq!(result.unwrap_or_else(|error| panic!("{error}")).verdict, RunVerdict::Passed);
}

/// `a>b 2050`
fn one(text: &str) -> (String, String, u16) {
    let (ends, port) = text.split_once(' ').expect("a port");
    let (from, to) = ends.split_once('>').expect("two ends");
    (from.into(), to.into(), port.parse().expect("a number"))
}

/// Every neighbour entry of a lab, of every kind.
async fn neighbours(lab: &Lab) -> usize {
    let listing =
        lab.fabric().nodes().map(|node| async move { run(node, "ip", "neigh show nud all").await.lines().count() });
    join_all(listing).await.into_iter().sum()
}

#[sglab::test]
async fn neighbour_entries_of_a_mesh_of_100_stay_proportional_to_instances() {
    let instances: Vec<_> = (0..100).map(|number| format!("i{number}: {{groups: [MESH]}}")).collect();
    let text = format!(
        "sglab: 1\nera: classic\ngroups: {{MESH: [tcp 80 from MESH]}}\ninstances: {{{}}}\n\
         scenario: [{{step: as launched, expect: {{open: ['MESH -> MESH:80']}}}}]\n",
        instances.join(", ")
    );
    let mut lab = boot(&topology(&text), Era::Classic).await;
    let quiet = neighbours(&lab).await;
    let names: Vec<String> = (0..100).map(|number| format!("i{number}")).collect();
    let pairs = names.iter().flat_map(|from| names.iter().filter(move |to| *to != from).map(move |to| (from, to)));
    let flows: Vec<Flow> = pairs.map(|(from, to)| flow(from, to, tcp(80))).collect();
    assert_eq!(flows.len(), 9900);
    for (flow, outcome) in flows.iter().zip(outcomes(&mut lab, &flows).await) {
        assert!(is_open(&outcome), "{flow}: {outcome:?}");
    }
    // One at either end of each link: 100 instances', the gateway's two and the canary's; and no more by traffic.
    assert_eq!(quiet, 2 * (100 + 3));
    assert_eq!(neighbours(&lab).await, quiet);
}

const PAIR: &str = "sglab: 1
era: classic
groups: {WEB: [], DB: [tcp 3306 from WEB]}
instances: {web1: {groups: [WEB]}, db1: {groups: [DB]}}
scenario: [{step: as launched, expect: {open: ['web1 -> db1:3306'], dropped: ['db1 -> web1:3306']}}]
";

async fn is_right(lab: &mut Lab) {
    let found = outcomes(lab, &[flow("web1", "db1", tcp(3306)), flow("db1", "web1", tcp(3306))]).await;
    assert!(is_open(&found[0]) && is_dropped(&found[1]), "{found:?}");
}

#[sglab::test]
async fn eight_labs_with_the_same_addresses_are_all_right_and_leave_each_other_alone() {
    let topology = topology(PAIR);
    let mut labs = join_all((0..8).map(|_| boot(&topology, Era::Classic))).await;
    join_all(labs.iter_mut().map(is_right)).await;
    let (first, others) = labs.split_first_mut().expect("eight");
    let before = join_all(others.iter().map(Lab::rule_handles)).await;
    change(first, &revoke("DB", tcp_port(3306), group("WEB"))).await;
    assert!(is_dropped(&probe(first, flow("web1", "db1", tcp(3306))).await.outcome));
    let after = join_all(others.iter().map(Lab::rule_handles)).await;
    for (before, after) in before.into_iter().zip(after) {
        assert_eq!(before.expect("handles"), after.expect("handles"));
    }
    join_all(others.iter_mut().map(is_right)).await;
    // One that is taken down takes nothing of the others with it.
    drop(labs.remove(0));
    join_all(labs.iter_mut().map(is_right)).await;
}

#[sglab::test]
async fn one_lab_of_the_eight_processes_is_right() {
    is_right(&mut boot(&topology(PAIR), Era::Classic).await).await;
}

#[sglab::test]
async fn eight_processes_with_the_same_addresses_are_all_right() {
    let program = std::env::current_exe().expect("this program");
    let started: Vec<_> = (0..8)
        .map(|_| {
            let words = ["scale::one_lab_of_the_eight_processes_is_right", "--exact", "--nocapture"];
            Command::new(&program).args(words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()
        })
        .collect();
    for process in started {
        let output = process.expect("it starts").wait_with_output().expect("it ends");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"), "{output:?}");
    }
}
