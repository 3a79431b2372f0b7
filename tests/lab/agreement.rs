//! The two readings: where packets and policy agree, what is made of it where they do not, and of which flows packets show nothing.

use sglab::lab::{Alteration, Lab};
use sglab::model::{Cloud, Endpoint, Era, Flow, Forwarding, InstanceName, Service, Via};
use sglab::network::nft::NftRule;
use sglab::network::{Network, NodeName};
use sglab::policy;
use sglab::scenario::agreement::{Agreement, compare};
use sglab::scenario::explain::routes_for;
use sglab::scenario::results::Class;
use sglab::scenario::{self, Options, RunVerdict, predict};
use sglab::topology::Topology;

use crate::cells::cells;
use crate::clouds::{boot, topology};
use crate::dealt::is_ours;

/// By every kind of address and after each single operation, also under eras that a file is not about. Eras are dealt out.
pub async fn is_as_the_policy_says(name: &str, text: &str) {
    let topology = Topology::parse(name, text.as_bytes()).unwrap_or_else(|problems| panic!("{problems}"));
    for (_, era) in Era::ALL.into_iter().enumerate().filter(|(number, _)| is_ours(*number)) {
        // Some files are of one era only: EC2 refuses what they are made of in the others.
        if topology.initial_cloud(era).is_err() {
            assert!(!topology.eras.contains(&era), "{name} cannot be launched under its own era {era}");
            continue;
        }
        let mut lab = boot(&topology, era).await;
        for step in &topology.steps {
            if !step.is_of(era) {
                continue;
            }
            for operation in step.operations() {
                // Some are to be refused, and under a foreign era more are; refused or not, the readings must agree.
                match lab.apply(&operation.value).await {
                    Ok(_) | Err(sglab::lab::LabError::Refused(_)) => {}
                    Err(error) => panic!("{name} under {era}, {}: {error}", step.name),
                }
                let mut flows = cells(lab.cloud(), &topology);
                flows.retain(|flow| !comes_back_by_its_appliance(lab.cloud(), flow));
                // One instance alone has nobody to ask.
                assert!(!flows.is_empty() || lab.cloud().instances.len() < 2);
                let batch = lab.probe(&flows).await.unwrap_or_else(|error| panic!("{error}"));
                assert!(batch.canaries_held, "the canaries held");
                let slow: Vec<_> = batch.observations.iter().filter(|seen| seen.timed_out).collect();
                assert!(slow.is_empty(), "evidence and not patience decides: {slow:#?}");
                let differ = batch.observations.iter().filter_map(|seen| {
                    let verdict = policy::judge(lab.cloud(), &seen.flow);
                    (compare(&verdict, seen) != Agreement::Agree)
                        .then(|| (seen.flow.to_string(), verdict, seen.outcome.clone()))
                });
                let differ: Vec<_> = differ.collect();
                assert!(differ.is_empty(), "{name} under {era}, {}: {differ:#?}", step.name);
            }
        }
    }
}

/// Without ports, what a NAT instance sends to its own public address comes back to it as an answer, which it passes on to whom it has sent it for:
/// to a sender whose route leads to it. That is nothing that a table asks about, and no prediction says it.
fn comes_back_by_its_appliance(cloud: &Cloud, flow: &Flow) -> bool {
    let Some((nat, from)) = flow.to.interface().zip(flow.from.interface()) else { return false };
    let Some(instance) = nat.instance() else { return false };
    let is_nat = cloud.instances.get(instance).is_some_and(|it| it.forwarding == Forwarding::Nat);
    let public = cloud.interface(&nat).and_then(|interface| interface.public);
    let leads_there = public.is_some_and(|public| {
        let route = routes_for(cloud, &from, public.0).max_by_key(|route| route.destination.prefix_len());
        route.is_some_and(|route| &route.target.instance == instance)
    });
    matches!(flow.service, Service::Protocol(_)) && flow.via == Via::Public && is_nat && leads_there
}

#[sglab::test]
async fn two_tier_is_as_the_policy_says() {
    is_as_the_policy_says("two-tier.yaml", include_str!("../../topologies/two-tier.yaml")).await;
}

#[sglab::test]
async fn two_tier_vpc_is_as_the_policy_says() {
    is_as_the_policy_says("two-tier-vpc.yaml", include_str!("../../topologies/two-tier-vpc.yaml")).await;
}

#[sglab::test]
async fn by_address_is_as_the_policy_says() {
    is_as_the_policy_says("by-address.yaml", include_str!("../../topologies/by-address.yaml")).await;
}

#[sglab::test]
async fn by_address_vpc_is_as_the_policy_says() {
    is_as_the_policy_says("by-address-vpc.yaml", include_str!("../../topologies/by-address-vpc.yaml")).await;
}

#[sglab::test]
async fn self_trust_is_as_the_policy_says() {
    is_as_the_policy_says("self-trust.yaml", include_str!("../../topologies/self-trust.yaml")).await;
}

#[sglab::test]
async fn two_rules_is_as_the_policy_says() {
    is_as_the_policy_says("two-rules.yaml", include_str!("../../topologies/two-rules.yaml")).await;
}

#[sglab::test]
async fn instance_groups_is_as_the_policy_says() {
    is_as_the_policy_says("instance-groups.yaml", include_str!("../../topologies/instance-groups.yaml")).await;
}

#[sglab::test]
async fn groups_while_stopped_is_as_the_policy_says() {
    is_as_the_policy_says("groups-while-stopped.yaml", include_str!("../../topologies/groups-while-stopped.yaml"))
        .await;
}

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

const UNPROVED: &str = "sglab: 1
era: vpc
hosts: {h: 198.51.100.9}
vpcs:
  one:
    cidr: 10.0.0.0/16
    ipv6: '2001:db8:1000::/56'
    subnets:
      pub: 10.0.0.0/24
      priv: {cidr: 10.0.1.0/24, routes: {0.0.0.0/0: nat}}
      boxed: {cidr: 10.0.2.0/24, routes: {0.0.0.0/0: box}}
      lost: {cidr: 10.0.3.0/24, routes: {0.0.0.0/0: down}}
groups: {g: {vpc: one, ingress: [all from anywhere, 'all from ::/0'], egress: [all to anywhere, 'all to ::/0']}}
instances:
  nat: {subnet: pub, groups: g, source-dest-check: off, forwards: nat}
  box: {subnet: pub, groups: g, source-dest-check: off, forwards: as-is}
  down: {subnet: pub, groups: g, source-dest-check: off, forwards: as-is}
  i: {subnet: priv, groups: g}
  j: {subnet: boxed, groups: g}
  k: {subnet: lost, groups: g}
  b: {subnet: pub, groups: g, address: 10.0.0.50, interfaces: {eth1: {subnet: pub, groups: g, address: 10.0.0.51}}}
  c: {subnet: pub, groups: g, source-dest-check: off}
  d: {subnet: pub, groups: g, source-dest-check: off, address: 10.0.0.60, interfaces: {eth1: {subnet: pub, groups: g, source-dest-check: off, address: 10.0.0.61}}}
load-balancers: {lb: {vpc: one, subnet: pub, groups: g, listeners: [tcp 22], targets: [b]}}
";

const SHOWN: &[&str] = &[
    "h -> i:ping",
    "h -> j:22",
    "h -> j:53/udp",
    "h -> k:protocol 47",
    "h -> k:icmp 13",
    "b -> j:22 by public address",
    "i -> j:22 by public address",
    "i -> h:22",
    "i -> h:protocol 47",
    "i -> b:protocol 132",
    "j -> h:protocol 132",
    "c as 10.0.9.9 -> b:53/udp",
    "c as 10.0.9.9 -> b:53/udp by dns name",
    "c as 10.0.0.60 -> b:53/udp",
    "c as 10.0.0.60 -> h:53/udp",
    "c as 10.0.0.60 -> b:53/udp by public address",
    "d.eth1 as 10.0.0.60 -> b:53/udp",
    "d as 10.0.0.61 -> b:53/udp",
];

const NOT_SHOWN: &[&str] = &[
    "h -> i:22",
    "h -> i:53/udp",
    "b -> i:22 by public address",
    "j -> i:22 by public address",
    "h -> k:22",
    "h -> k:53/udp",
    "h -> k:ping",
    "b -> k:22 by public address",
    "i -> h:protocol 132",
    "i -> h:protocol 136",
    "i -> b:protocol 132 by public address",
    "c as 10.0.0.50 -> b:53/udp",
    "c as 10.0.0.51 -> b:53/udp",
    "c as 10.0.0.50 -> b.eth1:53/udp",
    "c as 10.0.0.50 -> b:protocol 47",
    "d.eth1 as 10.0.9.9 -> b:53/udp",
    "d.eth1 as 2001:db8:9::9 -> b:53/udp",
];

/// Each class as it is predicted, and as it is measured.
#[sglab::test]
async fn what_no_packet_shows_is_predicted_as_not_proved() {
    let open = SHOWN.iter().chain(NOT_SHOWN).map(|flow| format!("'{flow}'")).collect::<Vec<_>>().join(", ");
    let topology =
        topology(&format!("{UNPROVED}scenario: [{{step: s, do: [{{stop: down}}], expect: {{open: [{open}]}}}}]\n"));
    let options = Options::default();
    let predicted = predict::predict(&topology, Era::Vpc, &options, &mut |_| {}).unwrap_or_else(|e| panic!("{e}"));
    let measured = scenario::run(&topology, Era::Vpc, &options, &mut |_| {}).await;
    let measured = measured.unwrap_or_else(|e| panic!("{e}"));
    for (how, result) in [("predicted", predicted), ("measured", measured)] {
        let found = |flow: &str| {
            let check = result.steps[0].checks.iter().find(|check| check.said.words == format!("open: {flow}"));
            let check = check.unwrap_or_else(|| panic!("{how}: no check of {flow}"));
            (check.observed.clone(), check.reason.clone())
        };
        for (flows, class) in [(SHOWN, Class::Open), (NOT_SHOWN, Class::Inconclusive)] {
            for flow in flows {
                assert_eq!(found(flow).0, class.as_str(), "{how}: {flow}: {:?}", found(flow).1);
            }
        }
    }
}
