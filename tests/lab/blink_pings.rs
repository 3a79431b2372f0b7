//! Pings that flow while the cloud changes: each echo request is judged, those of a held identifier too.

use sglab::model::{Era, Flow, Service, Via};
use sglab::scenario::{Check, Options, RunVerdict, Section, TrafficDetails};

use crate::blink::{as_one, packets};
use crate::clouds::*;

const PING: sglab::model::Traffic = sglab::model::Traffic::Icmp(sglab::model::IcmpMatch::Type(8));

/// Both families, inside and from outside; a rule that comes, one that goes, and a change that is nobody's here.
const PINGS: &str = "sglab: 1
era: vpc
vpcs: {main: {cidr: 10.0.0.0/16, ipv6: yes}}
hosts: {office: [203.0.113.10, '2001:db8:10::1']}
groups:
  APP: []
  OPEN: [icmp echo from APP, icmpv6 echo from APP, icmp echo from office, icmpv6 echo from office]
  SHUT: [tcp 80 from APP]
instances: {app: {groups: APP}, open: {groups: OPEN}, shut: {groups: SHUT}}
scenario:
- step: a change that no ping is about
  do: {authorize: {OPEN: [tcp 80 from APP]}}
  during: &pings ['app -> open:ping', 'app -> open:ping by ipv6 address', 'office -> open:ping', 'app -> open:ping by public address',
    'app -> shut:ping', 'app -> shut:ping by ipv6 address', 'office -> shut:ping']
  expect: {leak: none, loss: none}
- step: a rule comes
  do: {authorize: {SHUT: [icmp echo from APP]}}
  during: *pings
  expect: {leak: none, loss: none}
- step: and goes
  do: {revoke: {SHUT: [icmp echo from APP], OPEN: [icmpv6 echo from APP]}}
  during: *pings
  expect: {leak: none, loss: none}
";

#[sglab::test]
async fn pings_during_a_change_are_sent_and_judged_open_and_dropped() {
    let topology = topology(PINGS);
    let result = sglab::scenario::run(&topology, Era::Vpc, &Options::default(), &mut |_| {}).await;
    let result = result.unwrap_or_else(|error| panic!("{error}"));
    let told: Vec<String> = result
        .steps
        .iter()
        .flat_map(|step| step.section(Section::TRAFFIC).map(|check| format!("{}: {check:?}", step.name)))
        .collect();
    assert_eq!(result.verdict, RunVerdict::Passed, "{told:#?}");
    for (step, rule) in result.steps.iter().zip(["stays", "comes", "goes"]) {
        let checks: Vec<&TrafficDetails> = step.section(Section::TRAFFIC).map(packets).collect();
        assert_eq!(checks.len(), 9, "the office has two addresses: {told:#?}");
        let of = |flow: &str| {
            let all: Vec<_> = checks.iter().filter(|it| it.flow.to_string() == flow).collect();
            (all.iter().map(|it| it.owed).sum::<usize>(), all.iter().map(|it| it.barred).sum::<usize>())
        };
        let is = |flow: &str, wanted: (bool, bool)| {
            let (owed, barred) = of(flow);
            assert_eq!((owed > 10, barred > 10), wanted, "a rule {rule}, {flow}: {told:#?}");
        };
        is("app -> open:ping", (true, false));
        is("app -> open:ping by public address", (false, true));
        is("office -> open:ping", (true, false));
        is("office -> shut:ping", (false, true));
        is("app -> open:ping by IPv6 address", (true, rule == "goes"));
        is("app -> shut:ping by IPv6 address", (false, true));
        is("app -> shut:ping", (rule != "stays", true));
    }
}

fn pings() -> [Flow; 3] {
    let ping = |to, via| Flow { via, ..flow("app", to, Service::IcmpEcho) };
    [ping("open", Via::Private), ping("open", Via::Ipv6), ping("shut", Via::Private)]
}

#[sglab::test]
async fn a_gap_between_two_rules_is_seen_as_lost_pings() {
    let mut lab = boot(&topology(PINGS), Era::Vpc).await;
    let results =
        as_one(&mut lab, &pings(), &[revoke("OPEN", PING, group("APP")), authorize("OPEN", PING, group("APP"))]).await;
    assert_eq!(results[0].word(), "lost", "{results:?}");
    let why = results[0].reason.as_deref().unwrap_or_default();
    assert!(why.starts_with("dropped at open's ingress; no rule of OPEN admits icmp echo"), "{why}");
    assert!(results[1].is_passed() && packets(&results[1]).owed > 10, "the other family: {results:?}");
    assert!(results[2].is_passed() && packets(&results[2]).barred > 10, "{results:?}");
}

#[sglab::test]
async fn a_rule_that_stands_for_a_moment_is_seen_as_leaked_pings() {
    let mut lab = boot(&topology(PINGS), Era::Vpc).await;
    let results =
        as_one(&mut lab, &pings(), &[authorize("SHUT", PING, group("APP")), revoke("SHUT", PING, group("APP"))]).await;
    assert_eq!(results[2].word(), "leaked", "{results:?}");
    assert!(results[..2].iter().all(Check::is_passed), "{results:?}");
}
