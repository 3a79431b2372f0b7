//! Model and kernel are held against each other in every run, and what they disagree about is kept.

use sglab::lab::{Alteration, Lab};
use sglab::model::{Endpoint, Era, InstanceName};
use sglab::network::nft::NftRule;
use sglab::network::{Network, NodeName};
use sglab::scenario::{self, Options, RunVerdict};
use sglab::topology::Topology;

use crate::clouds::{boot, topology};

const CLOUD: &str = "sglab: 1
era: vpc
hosts: {office: 203.0.113.10}
groups: {WEB: [tcp 80 from anywhere], DB: [tcp 3306 from WEB], IDLE: []}
instances: {web1: {groups: [WEB]}, db1: {groups: [DB, IDLE]}, other: {groups: [IDLE]}}
tables: {t: {open: ['any -> web1:80', 'web1 -> db1:3306']}}
scenario: [{step: as launched, expect: {dropped: ['office -> db1:22']}}, {step: later, expect: {table: t}}]
";

async fn run(lab: &mut Lab, topology: &Topology) -> scenario::RunResult {
    let result = scenario::run_on(lab, topology, std::time::Duration::ZERO, &Options::default(), &mut |_| {}).await;
    result.unwrap_or_else(|error| panic!("{error}"))
}

/// As if the compiler had left the port of a rule away.
fn without_the_port(mut network: Network) -> Network {
    let router = network.nodes.get_mut(&NodeName("vpc-default".into())).and_then(|node| node.ruleset.as_mut());
    let chain = router.and_then(|ruleset| ruleset.chains.get_mut("ingress/DB"));
    for rule in chain.into_iter().flat_map(|chain| &mut chain.rules) {
        rule.text = rule.text.replace("tcp dport 3306 ", "meta l4proto 6 ");
    }
    network
}

#[sglab::test]
async fn a_compiler_that_lets_too_much_in_is_told_and_cut_down_to_a_file() {
    let topology = topology(CLOUD);
    let (cloud, listeners) = crate::clouds::initial_cloud(&topology, Era::Vpc);
    let altered = Lab::boot_altered(cloud, listeners, Alteration::new(without_the_port)).await;
    let mut lab = altered.unwrap_or_else(|error| panic!("{error}"));
    let result = run(&mut lab, &topology).await;
    assert_eq!(result.verdict, RunVerdict::Failed);
    let disagreement = result.steps[0].model.disagreement.as_ref().expect("a disagreement");
    let file = |name: &str| &disagreement.files.iter().find(|(it, _)| it == name).expect(name).1;
    let readme = file("README.txt");
    let words = "predicted: dropped; no rule of DB, IDLE admits tcp 22 from 10.0.0.11\n  observed:  open, by DB \"tcp 3306 from WEB\"";
    assert!(readme.contains("shows it again") && readme.contains(words), "{readme}");
    let small = file("reproduction.yaml");
    let cut = ["other:", "IDLE", "office", "tcp 80"].iter().all(|word| !small.contains(word));
    assert!(cut && small.contains("tcp 3306 from WEB"), "{small}");
}

/// The same, and as if it let out what no rule lets out.
fn without_the_port_and_egress(network: Network) -> Network {
    let mut network = without_the_port(network);
    let router = network.nodes.get_mut(&NodeName("vpc-default".into())).and_then(|node| node.ruleset.as_mut());
    let chains = router.into_iter().flat_map(|ruleset| &mut ruleset.chains);
    for (_, chain) in chains.filter(|(name, _)| name.starts_with("egress/")) {
        let text = "meta nfproto ipv4 ct mark set ct mark | 0x1 log prefix \"egress accept sgr-1\" group 1 queue-threshold 1 accept";
        chain.rules.push(NftRule { text: text.to_owned(), id: "more".to_owned(), note: String::new() });
    }
    network
}

/// A smaller cloud without rules for what goes out would show another fault.
#[sglab::test]
async fn a_file_that_is_cut_down_shows_the_fault_that_was_found() {
    let topology = topology(CLOUD);
    let (cloud, listeners) = crate::clouds::initial_cloud(&topology, Era::Vpc);
    let altered = Lab::boot_altered(cloud, listeners, Alteration::new(without_the_port_and_egress)).await;
    let mut lab = altered.unwrap_or_else(|error| panic!("{error}"));
    let result = run(&mut lab, &topology).await;
    let disagreement = result.steps[0].model.disagreement.as_ref().expect("a disagreement");
    let file = |name: &str| &disagreement.files.iter().find(|(it, _)| it == name).expect(name).1;
    let (readme, small) = (file("README.txt"), file("reproduction.yaml"));
    assert!(readme.contains("shows it again") && readme.contains("predicted: dropped; no rule of"), "{readme}");
    assert!(small.contains("  WEB: []\n"), "the sender may send everything: {small}");
}

#[sglab::test]
async fn a_lab_in_step_with_the_model_agrees() {
    let topology = topology(CLOUD);
    let mut lab = boot(&topology, Era::Vpc).await;
    let result = run(&mut lab, &topology).await;
    assert_eq!(result.verdict, RunVerdict::Passed);
    assert!(result.steps.iter().all(|step| step.model.flows.is_empty() && step.model.disagreement.is_none()));
}

/// The kernel's filter is changed behind the lab's back: a rule of db1's groups goes.
#[sglab::test]
async fn a_lab_that_does_not_follow_the_model_is_told_by_every_run() {
    let topology = topology(CLOUD);
    let mut lab = boot(&topology, Era::Vpc).await;
    let router = crate::clouds::node(&lab, "vpc-default");
    let flushed = router.run(|| {
        let program = sglab::sandbox::which::nft().expect("nft");
        std::process::Command::new(program).args(["flush", "chain", "inet", "sglab", "ingress/DB"]).status()
    });
    assert!(flushed.await.expect("a thread").expect("nft").success());
    let result = run(&mut lab, &topology).await;
    assert_eq!(result.verdict, RunVerdict::Failed);
    let first = &result.steps[0];
    let wrong: Vec<_> = first.wrong().collect();
    assert!(wrong.is_empty(), "the file itself has nothing to say about it: {wrong:?}");
    let [disagreement] = first.model.flows.as_slice() else { panic!("{:?}", first.model.flows) };
    assert_eq!(disagreement.flow.from, Endpoint::Instance(InstanceName::new("web1")));
    assert_eq!(disagreement.flow.to, Endpoint::Instance(InstanceName::new("db1")));
    let disagreement = first.model.disagreement.as_ref().expect("a disagreement");
    let file = |name: &str| &disagreement.files.iter().find(|(it, _)| it == name).expect(name).1;
    // A fresh lab does not do it, and the kept files say so.
    assert!(file("README.txt").contains("does NOT show it"), "{}", file("README.txt"));
    assert!(file("records.txt").contains("ingress drop"), "{}", file("records.txt"));
    assert!(file("compiled.nft").contains("3306") && !file("kernel-vpc-default.nft").contains("dport 3306"));
    let again = Topology::parse("again.yaml", file("reproduction.yaml").as_bytes());
    assert!(again.is_ok(), "{}", again.unwrap_err());
    assert!(result.steps[1].model.disagreement.is_none(), "the same flow is not kept twice");
}

const SESSION: &str = "sglab: 1
era: classic
groups: {WEB: [], DB: [udp 53 from anywhere, udp 53 from WEB]}
instances: {web1: {groups: [WEB]}, db1: {groups: [DB]}}
scenario:
  - {step: a session that is not tracked, do: {open: {session: 'web1 -> db1:53/udp'}}, expect: {open: ['web1 -> db1:53/udp']}}
  - {step: the rule goes, do: {revoke: {DB: [udp 53 from anywhere]}}}
  - {step: the other goes too, do: {revoke: {DB: [udp 53 from WEB]}}}
";

/// Runs the story of a session on a lab that is altered, whose new flows are judged as they must be.
async fn session_with(alter: fn(Network) -> Network) -> scenario::RunResult {
    let topology = topology(SESSION);
    let (cloud, listeners) = crate::clouds::initial_cloud(&topology, Era::Classic);
    let altered = Lab::boot_altered(cloud, listeners, Alteration::new(alter)).await;
    let mut lab = altered.unwrap_or_else(|error| panic!("{error}"));
    run(&mut lab, &topology).await
}

fn rules_of<'a>(network: &'a mut Network, chain: &str) -> &'a mut Vec<NftRule> {
    let node = network.nodes.get_mut(&NodeName("vpc-default".into())).expect("the router");
    &mut node.ruleset.as_mut().expect("its ruleset").chains.get_mut(chain).expect("the chain").rules
}

fn told(result: &scenario::RunResult) -> Vec<usize> {
    result.steps.iter().map(|step| step.model.connections.disagreements.len()).collect()
}

#[sglab::test]
async fn a_kernel_that_cuts_a_session_against_the_model_is_told_where_the_file_expects_nothing() {
    let result = session_with(|network| network).await;
    assert_eq!((told(&result), result.counts.connections), (vec![0, 0, 0], 3), "as compiled the two agree");
    // As if the compiler had forgotten, of what is under way, the rule that names a group.
    let result = session_with(|mut network| {
        rules_of(&mut network, "ingress-live/DB").retain(|rule| !rule.text.contains("members/WEB"));
        network
    });
    let result = result.await;
    assert_eq!((told(&result), result.verdict), (vec![0, 1, 0], RunVerdict::Failed));
    let disagreement = result.steps[1].model.disagreement.as_ref().expect("a disagreement");
    assert!(disagreement.files[0].1.contains("connection session: web1 -> db1:53/udp"), "{}", disagreement.files[0].1);
}

#[sglab::test]
async fn a_kernel_that_lets_a_session_live_against_the_model_is_told_where_the_file_expects_nothing() {
    let result = session_with(|mut network| {
        let cut = rules_of(&mut network, "to-live/db1.eth0");
        cut.retain(|rule| !rule.text.contains("drop"));
        network
    });
    let result = result.await;
    assert_eq!((told(&result), result.verdict), (vec![0, 0, 1], RunVerdict::Failed));
}
