//! What an end of a flow sends broken, so that the filter cannot judge it as what was asked: no rule has blocked it then.

use sglab::lab::Lab;
use sglab::model::{ConnectionName, Era, Flow, IcmpMessage, Service, Via};
use sglab::network::record::Record;
use sglab::probe::{Held, Outcome};

use crate::bare::nft_script;
use crate::clouds::*;
use crate::liars::*;

/// Each message is admitted by a rule of its own, and by none for all: only what has a state meets a rule for pings.
const CLOUD: &str = "sglab: 1
era: vpc
vpcs: {main: {cidr: 10.0.0.0/16, ipv6: yes}}
hosts: {office: [203.0.113.10, '2001:db8:ffff::10'], world: [198.51.100.7, '3fff::7']}
groups:
  A: []
  B: [icmp 8/0 from A, icmpv6 128/0 from A, icmp 13 from A, icmp 3/1 from A, icmpv6 1/1 from A,
    icmp 8/0 from 203.0.113.0/24, 'icmpv6 128/0 from 2001:db8:ffff::/64', icmp 13 from 203.0.113.0/24,
    icmp 3/1 from 203.0.113.0/24, 'icmpv6 1/1 from 2001:db8:ffff::/64']
  O: {egress: [icmp 8/0 to 198.51.100.0/24, 'icmpv6 128/0 to 3fff::/64', icmp 13 to 198.51.100.0/24,
    icmp 3/1 to 198.51.100.0/24, 'icmpv6 1/1 to 3fff::/64']}
  ECHO: [icmp echo from A, icmpv6 echo from A, icmp echo from 203.0.113.0/24, 'icmpv6 echo from 2001:db8:ffff::/64']
  OE: {egress: [icmp echo to 198.51.100.0/24, 'icmpv6 echo to 3fff::/64']}
instances:
  a: {groups: A}
  b: {groups: B}
  e: {groups: ECHO}
  o: {groups: O}
  p: {groups: OE}
scenario: [{step: as launched, expect: {open: ['a -> b:ping', 'a -> b:icmp 3/1', 'a -> e:ping', 'a -> b:icmp 13',
  'a -> b:icmp 1/1 by ipv6 address'], dropped: ['a -> e:icmp 13']}}]
";

const PINGED: [Ends; 3] =
    [Ends { from: "a", to: "e" }, Ends { from: "office", to: "e" }, Ends { from: "p", to: "world" }];

/// A flow between ends, inside by private address.
fn asked(lab: &Lab, ends: Ends, family: Family, service: Service) -> Flow {
    let flow = over(lab, ends, family, service);
    if ends.from == "a" && family == Family::Ipv4 { Flow { via: Via::Private, ..flow } } else { flow }
}

async fn booted() -> Lab {
    boot(&topology(CLOUD), Era::Vpc).await
}

/// Has what an end sends changed on its way out.
async fn change_what_leaves(lab: &Lab, name: &str, rules: &str) {
    let script = format!("table inet own {{ chain own {{ type filter hook output priority 0; {rules}\n }}\n}}\n");
    nft_script(&node(lab, name), script).await;
}

const WRONG_CHECKSUM: &str =
    "icmp type { 3, 8, 13 } icmp checksum set 0x1\n icmpv6 type { 1, 128 } icmpv6 checksum set 0x1\n";
const WRONG_IN_ANSWERS: &str = "icmp type 0 icmp checksum set 0x1\n icmpv6 type 129 icmpv6 checksum set 0x1\n";

fn icmp(kind: u8, code: u8) -> Service {
    Service::Icmp(IcmpMessage { kind, code })
}

fn unreachable(family: Family) -> Service {
    icmp(if family == Family::Ipv4 { 3 } else { 1 }, 1)
}

/// Asks these of everybody, honestly and then after something.
async fn asked_before_and_after(flows: &[Flow], lab: &mut Lab, senders: &[Ends], rules: &str, word: &str) {
    for (flow, outcome) in flows.iter().zip(outcomes(lab, flows).await) {
        assert!(is_open(&outcome), "{flow}: {outcome:?}");
    }
    for ends in senders {
        change_what_leaves(lab, ends.from, rules).await;
    }
    let batch = lab.probe(flows).await.unwrap_or_else(|error| panic!("{error}"));
    for seen in &batch.observations {
        let Outcome::Inconclusive { why } = &seen.outcome else { panic!("{}: {:?}", seen.flow, seen.outcome) };
        let why = why.to_string();
        assert!(why.contains(word), "{}: {why}", seen.flow);
        assert!(!seen.timed_out, "{}: {why}", seen.flow);
    }
}

#[sglab::test]
async fn a_ping_with_a_wrong_checksum_was_not_judged() {
    let mut lab = booted().await;
    let flows: Vec<Flow> = PINGED
        .into_iter()
        .flat_map(|ends| FAMILIES.map(|family| (ends, family)))
        .map(|(ends, family)| asked(&lab, ends, family, Service::IcmpEcho))
        .collect();
    asked_before_and_after(&flows, &mut lab, &PINGED, WRONG_CHECKSUM, "checksum").await;
}

/// Such rules admit what has no state too, as most of these messages have none.
#[sglab::test]
async fn a_rule_for_a_message_lets_a_broken_one_in() {
    let mut lab = booted().await;
    let ends = [INSIDE, Ends { from: "office", to: "b" }, Ends { from: "o", to: "world" }];
    let pinged = ends.iter().flat_map(|ends| FAMILIES.map(|family| asked(&lab, *ends, family, Service::IcmpEcho)));
    let timestamps = ends.iter().map(|ends| asked(&lab, *ends, Family::Ipv4, icmp(13, 0)));
    let flows: Vec<Flow> = pinged.chain(timestamps).collect();
    for (flow, outcome) in flows.iter().zip(outcomes(&mut lab, &flows).await) {
        assert!(is_open(&outcome), "{flow}: {outcome:?}");
    }
    for ends in &ends {
        change_what_leaves(&lab, ends.from, WRONG_CHECKSUM).await;
    }
    let batch = lab.probe(&flows).await.unwrap_or_else(|error| panic!("{error}"));
    for seen in &batch.observations {
        assert!(!is_dropped(&seen.outcome), "{}: {:?}", seen.flow, seen.outcome);
        assert!(seen.records.iter().all(|logged| !logged.record.is_drop()), "{}: {:?}", seen.flow, seen.records);
    }
}

#[sglab::test]
async fn a_message_of_another_code_than_was_asked_proves_nothing() {
    let mut lab = booted().await;
    let ends = [INSIDE, Ends { from: "office", to: "b" }, Ends { from: "o", to: "world" }];
    let services = |family| [Service::IcmpEcho, unreachable(family)];
    let flows: Vec<Flow> = ends
        .into_iter()
        .flat_map(|ends| FAMILIES.map(|family| (ends, family)))
        .flat_map(|(ends, family)| services(family).map(|service| (ends, family, service)))
        .map(|(ends, family, service)| asked(&lab, ends, family, service))
        .collect();
    asked_before_and_after(&flows, &mut lab, &ends, "icmp code set 5\n icmpv6 code set 5\n", "code").await;
}

#[sglab::test]
async fn a_held_ping_whose_checksum_is_wrong_is_not_cut() {
    let mut lab = booted().await;
    let mut held = Vec::new();
    for (ends, family) in PINGED.into_iter().flat_map(|ends| FAMILIES.map(|family| (ends, family))) {
        let name = ConnectionName::new(format!("{}-{family:?}", ends.from));
        let flow = asked(&lab, ends, family, Service::IcmpEcho);
        lab.open(&name, &flow).await.unwrap_or_else(|error| panic!("{error}"));
        held.push(name);
    }
    for ends in PINGED {
        change_what_leaves(&lab, ends.from, WRONG_CHECKSUM).await;
    }
    for name in &held {
        let found = lab.examine(name).await.unwrap_or_else(|error| panic!("{error}"));
        let Held::Inconclusive { why } = &found else { panic!("{name:?}: {found:?}") };
        assert!(why.contains("checksum"), "{name:?}: {why}");
    }
}

/// Whoever remembers the question takes an answer, if it is one.
#[sglab::test]
async fn a_server_that_breaks_what_it_sends_is_not_forgotten() {
    let mut lab = cloud().await;
    let mut held = Vec::new();
    for (ends, family) in ENDS.into_iter().flat_map(|ends| FAMILIES.map(|family| (ends, family))) {
        let name = ConnectionName::new(format!("{}-{family:?}", ends.from));
        let flow = over(&lab, ends, family, tcp(80));
        lab.open(&name, &flow).await.unwrap_or_else(|error| panic!("{error}"));
        held.push(name);
    }
    for name in RECEIVERS {
        change_what_leaves(&lab, name, "tcp sport 80 tcp flags set fin | syn | rst").await;
    }
    for name in &held {
        let found = lab.examine_answer(name).await.unwrap_or_else(|error| panic!("{error}"));
        assert!(matches!(found, Held::Inconclusive { .. }), "{name:?}: {found:?}");
    }
}

/// The sender takes answers only, and the receiver says what it likes.
#[sglab::test]
async fn an_answer_with_a_wrong_checksum_is_not_dropped_by_groups() {
    let mut lab = booted().await;
    for name in ["e", "world"] {
        change_what_leaves(&lab, name, WRONG_IN_ANSWERS).await;
    }
    for (ends, family) in PINGED.into_iter().flat_map(|ends| FAMILIES.map(|family| (ends, family))) {
        let flow = asked(&lab, ends, family, Service::IcmpEcho);
        let seen = probe(&mut lab, flow).await;
        let Outcome::Inconclusive { why } = &seen.outcome else { panic!("{}: {:?}", seen.flow, seen.outcome) };
        let why = why.to_string();
        let Some(drop) = &seen.answer_dropped else {
            // No group stands before a host outside.
            assert_eq!(ends.from, "office", "{}: {why}", seen.flow);
            continue;
        };
        assert_eq!(drop.cause.record(), Record::Invalid, "{}: {why}", seen.flow);
    }
}

#[sglab::test]
async fn a_sender_that_breaks_headers_is_never_taken_for_the_filter() {
    let broken = [
        "tcp flags & (syn | ack) == syn tcp flags set fin | syn",
        "tcp flags & (syn | ack) == syn tcp flags set syn | ack",
        "tcp flags & (syn | ack) == syn tcp flags set 0x0",
        "tcp flags & (syn | ack) == syn tcp flags set rst",
        "tcp doff set 4",
        "tcp doff set 15",
        "tcp checksum set 0x1\n udp checksum set 0x1",
        "udp length set 4",
        "udp length set 4000",
        "icmp checksum set 0x1\n icmpv6 checksum set 0x1",
        "icmp code set 7\n icmpv6 code set 7",
        "ip length set 27\n ip6 length set 7",
        "ip6 nexthdr set 59\n ip protocol set 59",
        "ip6 nexthdr set 51\n ip protocol set 51",
        "ip6 nexthdr set 0\n ip6 nexthdr set 44",
        "ip frag-off set 0x2000",
        "ip frag-off set 0x0001",
    ];
    for rules in broken {
        let mut lab = cloud().await;
        for ends in ENDS {
            change_what_leaves(&lab, ends.from, rules).await;
        }
        says_nothing_false(rules, &ask_all(&mut lab).await);
    }
}
