//! Whose address is whose: over restarts, behind the gateway, and where two VPCs use the same ones.

use std::net::{Ipv4Addr, UdpSocket};

use sglab::model::{AddressRequest, Direction, Endpoint, Era, Flow, HostName, InstanceName, Operation, Service};
use sglab::network::NodeName;
use sglab::network::record::Record;
use sglab::probe::Outcome;

use crate::bare::{Bare, inside, soon, table};
use crate::clouds::*;

#[sglab::test]
async fn equal_addresses_in_two_vpcs_each_answer_for_themselves() {
    let topology = topology(
        "sglab: 1
era: vpc
hosts: {office: 203.0.113.10}
vpcs: {left: {cidr: 10.0.0.0/16}, right: {cidr: 10.0.0.0/16}}
groups:
  L: {vpc: left, ingress: [tcp 22 from office, tcp 80 from L, udp 53 from L]}
  R: {vpc: right, ingress: [tcp 22 from office, tcp 80 from R, udp 53 from R]}
instances:
  l1: {vpc: left, groups: [L], address: 10.0.0.11}
  l2: {vpc: left, groups: [L], address: 10.0.0.12}
  r1: {vpc: right, groups: [R], address: 10.0.0.11}
  r2: {vpc: right, groups: [R], address: 10.0.0.12}
scenario: [{step: as launched, expect: {open: ['l1 -> l2:80', 'r1 -> r2:80', 'r1 -> r2:53/udp', 'office -> L:22']}}]
",
    );
    let mut lab = boot(&topology, Era::Vpc).await;
    assert_eq!(private(lab.cloud(), "l1"), private(lab.cloud(), "r1"));
    // An answer names its instance, so that "open" means this one and not its double.
    let mut open: Vec<Flow> = Vec::new();
    for (one, other) in [("l1", "l2"), ("l2", "l1"), ("r1", "r2"), ("r2", "r1")] {
        open.extend([tcp(80), udp(53)].map(|service| flow(one, other, service)));
    }
    open.extend(["l1", "l2", "r1", "r2"].map(|name| from_host(lab.cloud(), "office", name, tcp(22))));
    for (flow, outcome) in open.iter().zip(outcomes(&mut lab, &open).await) {
        assert!(is_open(&outcome), "{flow}: {outcome:?}");
    }
    // From one VPC to the other there is the public path only, and no group is known there.
    let between = [("l1", "r2"), ("r2", "l1"), ("l1", "r1")].map(|(from, to)| by_public(flow(from, to, tcp(80))));
    for (flow, outcome) in between.iter().zip(outcomes(&mut lab, &between).await) {
        assert_eq!(dropped_at(&outcome), Some((Direction::Ingress, flow.to.to_string())), "{outcome:?}");
    }
}

const TIERS: &str = "sglab: 1
era: article
hosts: {office: 203.0.113.10, world: [198.51.100.7, 192.0.2.99]}
groups: {WEB: [], DB: [tcp 3306 from WEB, udp 53 from WEB], STRANGER: []}
instances: {web1: {groups: [WEB]}, web2: {groups: [WEB]}, db1: {groups: [DB]}}
scenario: [{step: as launched, expect: {open: ['web1 -> db1:3306', 'web1 -> db1:53/udp']}}]
";

#[sglab::test]
async fn a_stranger_on_an_old_address_inherits_no_tracked_flow() {
    let mut bare = Bare::boot(initial_cloud(&topology(TIERS), Era::Article).0).await;
    let mut log = bare.log("vpc-default").await;
    let (web1, db1) = (private(&bare.cloud, "web1").0, private(&bare.cloud, "db1").0);
    let bound = move |address: Ipv4Addr, port: u16| move || UdpSocket::bind((address, port)).expect("a socket");
    let server = inside(&bare.node("db1"), bound(db1, 53)).await;
    server.set_read_timeout(Some(soon())).expect("a timeout");
    for port in [5000, 5001] {
        let client = inside(&bare.node("web1"), bound(web1, port)).await;
        client.set_read_timeout(Some(soon())).expect("a timeout");
        client.send_to(b"question", (db1, 53)).expect("sent");
        let (_, asker) = server.recv_from(&mut [0; 64]).expect("a question");
        server.send_to(b"answer", asker).expect("sent");
        client.recv_from(&mut [0; 64]).expect("an answer: the flow is tracked in both directions");
    }
    bare.apply(&stop("web1")).await;
    bare.apply(&launch("stranger", &["STRANGER"], AddressRequest::PreviousOf(InstanceName::new("web1")))).await;
    assert_eq!(private(&bare.cloud, "stranger").0, web1);
    let stranger = inside(&bare.node("stranger"), bound(web1, 5000)).await;
    stranger.send_to(b"question", (db1, 53)).expect("sent");
    let (record, tuple, _) = log.next_drop();
    assert_eq!((record, tuple.source, tuple.source_port), (Record::Drop(Direction::Ingress), web1.into(), 5000));
    // And what db1 still has to say to the old holder does not reach the new one, which has not asked from there.
    server.send_to(b"late answer", (web1, 5001)).expect("sent");
    let (record, tuple, _) = log.next_drop();
    assert_eq!((record, tuple.destination, tuple.source_port), (Record::Drop(Direction::Ingress), web1.into(), 53));
}

#[sglab::test]
async fn a_stopped_instance_is_unreachable_by_the_addresses_that_it_had() {
    for era in Era::ALL {
        let mut lab = boot(&topology(TIERS), era).await;
        change(&mut lab, &stop("db1")).await;
        let office = from_host(lab.cloud(), "office", "db1", tcp(3306));
        let services = [tcp(3306), udp(53), Service::IcmpEcho];
        // Often: a route alone would answer a sender five times, and then keep silent for a second.
        let often = std::iter::repeat_n(services, 10).flatten().map(|service| flow("web1", "db1", service));
        let flows: Vec<_> = often.chain(std::iter::repeat_n(office, 10)).collect();
        for (flow, outcome) in flows.iter().zip(outcomes(&mut lab, &flows).await) {
            let by = if matches!(flow.from, Endpoint::Host(..)) { "internet" } else { "vpc-default" };
            assert_eq!(outcome, Outcome::Unreachable { by: Some(NodeName(by.into())) }, "era {era}: {flow}");
        }
    }
}

#[sglab::test]
async fn a_group_reference_fails_on_the_public_path_until_a_rule_names_the_public_address() {
    let mut lab = boot(&topology(TIERS), Era::Classic).await;
    let (private_path, public_path) = (flow("web1", "db1", tcp(3306)), by_public(flow("web1", "db1", tcp(3306))));
    assert!(is_open(&probe(&mut lab, private_path).await.outcome));
    let outcome = probe(&mut lab, public_path.clone()).await.outcome;
    let Outcome::Dropped(drop) = &outcome else { panic!("{outcome:?}") };
    assert_eq!(drop.source, public(lab.cloud(), "web1").0, "the filter saw the sender's public address");
    assert_eq!(dropped_at(&outcome), Some((Direction::Ingress, "db1".into())));
    let cure = format!("{}/32", public(lab.cloud(), "web1"));
    change(&mut lab, &authorize("DB", tcp_port(3306), block(&cure))).await;
    assert!(is_open(&probe(&mut lab, public_path).await.outcome));
    let outcome = probe(&mut lab, by_public(flow("web2", "db1", tcp(3306)))).await.outcome;
    assert!(is_dropped(&outcome), "and web1's address is not web2's: {outcome:?}");
}

#[sglab::test]
async fn rights_follow_membership_by_one_element_and_no_rule_is_rewritten() {
    let mut lab = boot(&topology(TIERS), Era::Article).await;
    let router = node(&lab, "vpc-default");
    let members = |table: &str| {
        let set = table.split("set members/WEB").nth(1).expect("the set");
        set.split('}').next().expect("its elements").split_once("elements =").expect("elements").1.trim().to_owned()
    };
    let before = (lab.rule_handles().await.expect("handles"), members(&table(&router).await));
    let (old, web2) = (private(lab.cloud(), "web1"), private(lab.cloud(), "web2"));
    assert!(before.1.contains(&old.to_string()), "{}", before.1);
    change(&mut lab, &stop("web1")).await;
    change(&mut lab, &start("web1")).await;
    let new = private(lab.cloud(), "web1");
    assert_ne!(new, old);
    let after = (lab.rule_handles().await.expect("handles"), members(&table(&router).await));
    assert_eq!(after.0, before.0, "no rule was touched");
    let elements = |text: &str| -> std::collections::BTreeSet<String> {
        text.trim_matches(['{', ' ', '\n', '\t']).split(',').map(|element| element.trim().to_owned()).collect()
    };
    assert_eq!(elements(&after.1), [new, web2].map(|address| address.to_string()).into());
    assert!(is_open(&probe(&mut lab, flow("web1", "db1", tcp(3306))).await.outcome));
}

#[sglab::test]
async fn a_host_answers_a_datagram_from_the_address_that_was_asked() {
    let mut lab = boot(&topology(TIERS), Era::Classic).await;
    let world = HostName::new("world");
    for address in lab.cloud().hosts[&world].addresses.clone() {
        let to = Endpoint::Host(world.clone(), address);
        let asked = Flow { to, ..by_public(flow("web1", "db1", udp(53))) };
        assert!(is_open(&probe(&mut lab, asked).await.outcome), "{address}");
    }
}

const DESCRIBED: &str = "sglab: 1
era: vpc
groups:
  DB: {ingress: [tcp 3306 from WEB, {protocol: tcp, port: 22, from: WEB, description: by hand}]}
  WEB: []
instances: {web1: {groups: WEB}, db1: {groups: DB}}
scenario:
  - step: it is described anew while a session runs
    do:
      - open: {session: 'web1 -> db1:3306'}
      - update-description: {DB: [{protocol: tcp, port: 3306, from: WEB, description: queries of the shop}, tcp 22 from WEB]}
      - update-description-egress: {WEB: [{protocol: all, to: anywhere, description: as it was born}]}
    expect: {rules: unchanged, alive: session, open: ['web1 -> db1:3306', 'web1 -> db1:22']}
  - step: what is not there cannot be described
    do: {update-description: {DB: [{protocol: tcp, port: 3307, from: WEB, description: nothing}]}}
    expect: {refusal: InvalidPermission.NotFound, rules: unchanged, alive: session}
";

#[sglab::test]
async fn a_rule_that_is_described_anew_is_not_touched_in_the_kernel() {
    let topology = topology(DESCRIBED);
    let result = sglab::scenario::run(&topology, Era::Vpc, &Default::default(), &mut |_| {}).await.expect("it boots");
    assert_eq!(result.verdict, sglab::scenario::RunVerdict::Passed, "{result:#?}");
    let mut lab = boot(&topology, Era::Vpc).await;
    let router = node(&lab, "vpc-default");
    let before = (lab.rule_handles().await.expect("handles"), table(&router).await);
    let operations: Vec<&Operation> = topology.steps[0].operations().map(|placed| &placed.value).collect();
    assert!(matches!(operations[..], [Operation::UpdateDescription(..), Operation::UpdateDescriptionEgress(..)]));
    for operation in operations {
        change(&mut lab, operation).await;
    }
    assert_eq!((lab.rule_handles().await.expect("handles"), table(&router).await), before);
    let described: Vec<_> = lab.cloud().groups["DB"].ingress.iter().map(|rule| rule.description.as_deref()).collect();
    assert_eq!(described, [Some("queries of the shop"), None]);
}
