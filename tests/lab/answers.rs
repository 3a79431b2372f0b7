//! Answers that a filter drops on their way back: the question has come through, and yet nobody hears of it. That is no drop of
//! the flow and never a pass, and what is on record about it is told.

use sglab::lab::{Alteration, Lab};
use sglab::model::{Attachment, Direction, Endpoint, Era, Flow, InstanceName, InterfaceId, Via};
use sglab::network::nft::NftRule;
use sglab::network::record::Record;
use sglab::network::{Network, NodeName};
use sglab::policy;
use sglab::probe::{Observation, Outcome};
use sglab::scenario::agreement::{Agreement, compare};

use crate::clouds::*;

const CLOUD: &str = "sglab: 1
era: vpc
hosts: {home: 203.0.113.10}
elastic-ips: {e1: none}
vpcs: {v: {cidr: 10.0.0.0/16, subnets: {a: 10.0.1.0/24, b: 10.0.2.0/24}}}
groups: {CLIENT: [], A: [tcp 22 from home], B: [tcp 80 from anywhere, udp 53 from anywhere, udp 9 from anywhere, icmp echo from anywhere]}
instances:
  client: {groups: CLIENT, subnet: a}
  web: {groups: A, subnet: a, listens: tcp 80, interfaces: {eth1: {groups: B, subnet: b}}}
scenario:
  - step: as launched
    do: {associate-address: {e1: web.eth1}}
    expect: {open: ['home -> web.eth1:80', 'client -> web.eth1:53/udp', 'client -> web.eth1:ping']}
";

async fn altered(alter: impl Fn(Network) -> Network + Send + Sync + 'static) -> Lab {
    let topology = topology(CLOUD);
    let (cloud, mut listeners) = initial_cloud(&topology, Era::Vpc);
    listeners.columns.shift_remove(&udp(9));
    let booted = Lab::boot_altered(cloud, listeners, Alteration::new(alter)).await;
    let mut lab = booted.unwrap_or_else(|error| panic!("{error}"));
    for operation in topology.steps[0].operations() {
        change(&mut lab, &operation.value).await;
    }
    lab
}

fn second() -> Attachment {
    Attachment { instance: InstanceName::new("web"), device: 1 }
}

/// What was seen of a flow that the model says is open: inconclusive, by evidence and not for want of patience.
async fn unanswered(lab: &mut Lab, flow: Flow) -> (Observation, String) {
    let verdict = policy::judge(lab.cloud(), &flow);
    let seen = probe(lab, flow).await;
    assert_eq!(compare(&verdict, &seen), Agreement::Unproved, "{seen:?}");
    assert!(!seen.timed_out, "the record ends the wait: {seen:?}");
    let Outcome::Inconclusive { why } = seen.outcome.clone() else { panic!("{seen:?}") };
    let why = why.to_string();
    (seen, why)
}

/// As an ordinary image has it: nothing leads what has the address of the second interface out by that one.
#[sglab::test]
async fn an_answer_by_the_wrong_interface_is_told_as_dropped_for_its_source() {
    let without_policies = |mut network: Network| {
        network.nodes.get_mut(&NodeName("web".into())).expect("the instance").policies.clear();
        network
    };
    let mut lab = altered(without_policies).await;
    let to = Endpoint::Interface(second());
    let inside = |service| Flow { to: to.clone(), ..flow("client", "web", service) };
    let (home, host) = lab.cloud().hosts.first().map(|(name, host)| (name.clone(), host.addresses[0])).expect("home");
    let outside = Flow { from: Endpoint::Host(home, host), to: to.clone(), via: Via::Public, service: tcp(80) };
    for flow in [outside, inside(tcp(80)), inside(udp(53)), inside(sglab::model::Service::IcmpEcho)] {
        let (seen, why) = unanswered(&mut lab, flow).await;
        let drop = seen.answer_dropped.expect("its answer was dropped");
        let first = InterfaceId::first_of(&InstanceName::new("web"));
        assert_eq!((drop.cause.record(), drop.cause.interface()), (Record::Spoofed, Some(&first)), "{}", seen.flow);
        assert_eq!(
            why,
            "the receiver has seen it, and its answer was dropped as spoofed at web.eth0, source 10.0.2.11"
        );
        assert_eq!(seen.records.last().map(|it| it.record), Some(Record::Spoofed), "{}", seen.flow);
    }
}

#[sglab::test]
async fn an_answer_or_an_error_that_groups_drop_is_told_with_their_end() {
    let planted = |end: Direction, from: &'static str| {
        move |mut network: Network| {
            let router = network.nodes.get_mut(&NodeName("vpc-v".into())).and_then(|node| node.ruleset.as_mut());
            let chain = router.and_then(|router| router.chains.get_mut(&end.to_string())).expect("the chain");
            let record = Record::Drop(end);
            let text = format!("{from} log prefix \"{record}\" group 1 queue-threshold 1 drop");
            chain.rules.insert(0, NftRule { text, id: "planted".to_owned(), note: String::new() });
            network
        }
    };
    let client = InterfaceId::first_of(&InstanceName::new("client"));
    let cases = [
        (Direction::Ingress, "oifname \"client\" tcp sport 80", tcp(80), client),
        // Nobody listens there: what comes back is an ICMP error about the datagram.
        (Direction::Egress, "meta l4proto icmp", udp(9), second().into()),
    ];
    for (end, what, service, interface) in cases {
        let mut lab = altered(planted(end, what)).await;
        let asked = Flow { to: Endpoint::Interface(second()), ..flow("client", "web", service) };
        let (seen, why) = unanswered(&mut lab, asked).await;
        let drop = seen.answer_dropped.expect("its answer was dropped");
        let (at, dropped_at, _) = drop.cause.groups().unwrap_or_else(|| panic!("{drop:?}"));
        assert_eq!((at, dropped_at), (end, &interface), "{why}");
        assert!(why.contains(&format!("its answer was dropped at the {end} of {interface}")), "{why}");
    }
}
