//! No blink: while the cloud changes, nothing leaks that neither side of the change admits, and nothing is lost that both
//! do.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Instant;

use sglab::lab::Lab;
use sglab::model::{Era, Flow, InstanceName, Operation, Service, SourceLocation, Via};
use sglab::scenario::traffic::{Moments, judge};
use sglab::scenario::{Check, Options, Promise, RunVerdict, Section, StepResult, StepStatus, TrafficDetails};

use crate::clouds::*;

/// Admits what comes, and has it on record: of what is not, no group was asked.
const ADMITS: &str = "log prefix \"egress accept\" group 1 accept";

/// 100 instances and a host; steps of every kind of change, of instances that are not the traffic's.
fn hundred() -> String {
    let mut text = String::from(
        "sglab: 1\nera: vpc\nhosts: {world: 198.51.100.7}\nprefix-lists: {partners: {max-entries: 5, entries: [192.0.2.0/24]}}\n\
         elastic-ips: [eip]\ngroups:\n  WEB: [tcp 80 from anywhere, udp 514 from WEB, tcp 90 from partners]\n  \
         DB: [tcp 3306 from WEB, udp 3306 from WEB]\n  OTHER: [tcp 80 from anywhere]\ninstances:\n",
    );
    for number in 0..100 {
        let group = ["WEB", "DB"][number % 2];
        let first = if number < 50 { format!(", address: 10.0.1.{}", 10 + number) } else { String::new() };
        writeln!(text, "  i{number}: {{groups: {group}{first}}}").expect("text");
    }
    text += "scenario:\n";
    let steps = [
        ("authorize", "{authorize: {DB: [udp 9000 from WEB]}}"),
        ("revoke", "{revoke: {DB: [udp 9000 from WEB]}}"),
        ("membership", "{set-groups: {i2: [OTHER]}}"),
        ("launch", "{launch: {new: {groups: [WEB, DB]}}}"),
        ("terminate", "{terminate: new}"),
        ("stop and start of a third", "[{stop: i5}, {start: i5}]"),
        ("an Elastic IP comes", "{associate-address: {eip: i6}}"),
        ("an Elastic IP moves", "{associate-address: {eip: i8}}"),
        ("a prefix list changes", "{edit-prefix-list: {partners: {add: [203.0.113.0/24], remove: [192.0.2.0/24]}}}"),
        ("a group and 60 rules", "RELOAD"),
        ("and it goes", "{delete-group: MANY}"),
    ];
    let rules: Vec<String> = (0..60).map(|port| format!("tcp {} from WEB", 20_000 + port)).collect();
    let reload = format!("{{create-group: {{MANY: [{}]}}}}", rules.join(", "));
    for (name, what) in steps {
        let what = what.replace("RELOAD", &reload);
        writeln!(
            text,
            "- step: {name}\n  do: {what}\n  during: ['i0 -> i1:3306', 'i0 -> i1:3306/udp', 'i4 -> i10:514/udp', 'world -> i0:80', \
             'i1 -> i0:3306/udp', 'i0 -> i3:9000/udp', 'world -> i1:3306']\n  expect: {{leak: none, loss: none}}"
        )
        .expect("text");
    }
    text
}

#[sglab::test]
async fn no_packet_of_a_cloud_of_100_leaks_or_is_lost_by_any_kind_of_change() {
    let topology = topology(&hundred());
    let result = sglab::scenario::run(&topology, Era::Vpc, &Options::default(), &mut |_| {}).await;
    let result = result.unwrap_or_else(|error| panic!("{error}"));
    let mut told = String::new();
    for step in &result.steps {
        writeln!(told, "{}: {:?}, applied in {:?}; {:?}", step.name, step.status, step.effects.in_force, step.findings)
            .expect("text");
        for check in step.section(Section::TRAFFIC) {
            let TrafficDetails { owed, barred, either, .. } = packets(check);
            let why = check.reason.as_deref().unwrap_or_default();
            writeln!(told, "  {check} (owed {owed}, barred {barred}, either {either}) {why}").expect("text");
        }
    }
    eprintln!("{told}");
    assert_eq!(result.verdict, RunVerdict::Passed, "{told}");
    let of_step = |step: &StepResult| step.section(Section::TRAFFIC).map(packets).cloned().collect::<Vec<_>>();
    let sent: usize = result.steps.iter().flat_map(of_step).map(|it| it.sent).sum();
    // Every step has packets that must come through and packets that must not.
    for step in &result.steps {
        let traffic = of_step(step);
        assert!(traffic.iter().any(|it| it.owed > 0) && traffic.iter().any(|it| it.barred > 0), "{told}");
    }
    assert!(sent >= result.steps.len() * 400, "{told}");
}

const APART: &str = "sglab: 1
era: vpc
groups:
  OLD: {ingress: [], egress: []}
  NEW: []
  DB: [tcp 5432 from OLD, udp 53 from OLD, tcp 80 from anywhere, udp 8125 from anywhere]
instances: {app: {groups: OLD}, db: {groups: DB}, other: {groups: NEW}}
scenario: [{step: as launched, expect: {open: ['other -> db:80', 'other -> db:8125/udp'], dropped: ['app -> db:5432', 'app -> db:53/udp']}}]
";

pub fn packets(check: &Check) -> &TrafficDetails {
    check.details.traffic().expect("traffic")
}

/// Traffic while operations are carried out, judged as if they were one: by the cloud before the first and after the last.
pub async fn as_one(lab: &mut Lab, flows: &[Flow], operations: &[Operation]) -> Vec<Check> {
    let place = SourceLocation { file: Arc::from("test.yaml"), line: 1, column: 1 };
    let flows: Vec<_> = flows.iter().map(|flow| (flow.clone(), place.clone())).collect();
    let all: Vec<Flow> = flows.iter().map(|(flow, _)| flow.clone()).collect();
    let before = lab.cloud().clone();
    let traffic = lab.begin_traffic(&all).await.unwrap_or_else(|error| panic!("{error}"));
    traffic.flows_on(100).await;
    let quiet = Some(Instant::now());
    assert!(lab.settle_traffic(&traffic).await, "the canaries arrived");
    for operation in operations {
        change(lab, operation).await;
        traffic.flows_on(20).await;
    }
    let clouds = [(Instant::now(), lab.cloud().clone())];
    traffic.flows_on(100).await;
    let trace = lab.end_traffic(traffic).await;
    let results = judge(
        &flows,
        &trace,
        &Moments { before: &before, quiet, clouds: &clouds },
        &[Promise::NoLeak, Promise::NoLoss],
    );
    for it in &results {
        eprintln!("{it} {:?}", it.reason);
    }
    results
}

#[sglab::test]
async fn a_change_in_two_parts_with_a_gap_is_seen_as_loss() {
    let mut lab = boot(&topology(APART), Era::Vpc).await;
    let (traffic, peer) = (tcp_port(80), block("0.0.0.0/0"));
    let gap = [revoke("DB", traffic, peer.clone()), authorize("DB", traffic, peer)];
    let flows = [flow("other", "db", tcp(80)), flow("other", "db", udp(8125))];
    let results = as_one(&mut lab, &flows, &gap).await;
    assert!(
        results[0].is_failed() && packets(&results[0]).lost > 0 && packets(&results[0]).leaked == 0,
        "{:?}",
        results[0]
    );
    assert_eq!(results[0].word(), "lost");
    let recorded =
        results[0].reason.as_ref().is_some_and(|why| why.starts_with("dropped at db's ingress; no rule of DB admits "));
    assert!(recorded, "the filter recorded it: {:?}", results[0]);
    assert!(results[1].is_passed() && packets(&results[1]).owed > 100, "the neighbour's: {:?}", results[1]);
}

#[sglab::test]
async fn a_change_that_adds_before_it_removes_is_seen_as_a_leak() {
    let mut lab = boot(&topology(APART), Era::Vpc).await;
    let groups = |names: &[&str]| {
        let all = names.iter().map(sglab::model::GroupName::new).collect();
        Operation::SetGroups(sglab::model::Target::Instance(InstanceName::new("app")), all)
    };
    let flows = [flow("app", "db", tcp(5432)), flow("app", "db", udp(53)), flow("other", "db", udp(8125))];
    let results = as_one(&mut lab, &flows, &[groups(&["OLD", "NEW"]), groups(&["NEW"])]).await;
    for result in &results[..2] {
        assert!(result.is_failed() && packets(result).leaked > 0 && packets(result).lost == 0, "{result:?}");
        assert_eq!(result.word(), "leaked");
    }
    assert!(results[2].is_passed(), "the neighbour's: {:?}", results[2]);
    // And back, in one.
    let results = as_one(&mut lab, &flows, &[groups(&["OLD"])]).await;
    assert!(results.iter().all(Check::is_passed), "{results:?}");
}

/// The filter is broken from outside, as a bug of the compiler would: what must be dropped is accepted for a moment.
#[sglab::test]
async fn what_is_admitted_against_the_word_of_a_file_is_told() {
    let text = APART.replace(
        "{step: as launched, expect:",
        "{step: s, do: {authorize: {NEW: [tcp 1 from OLD]}}, during: ['app -> db:5432'], expect: {leak: none, loss: none}}, \
         {step: as launched, expect:",
    );
    let topology = topology(&text);
    let mut lab = boot(&topology, Era::Vpc).await;
    let router = node(&lab, "vpc-default");
    for chain in ["egress", "egress-again"] {
        crate::bare::run(&router, "nft", &format!("insert rule inet sglab {chain} {ADMITS}")).await;
    }
    let result =
        sglab::scenario::run_on(&mut lab, &topology, Default::default(), &Options::default(), &mut |_| {}).await;
    let result = result.unwrap_or_else(|error| panic!("{error}"));
    let traffic: Vec<&Check> = result.steps[0].section(Section::TRAFFIC).collect();
    eprintln!("{traffic:?}");
    assert_eq!(result.steps[0].status, StepStatus::Failed);
    assert!(packets(traffic[0]).leaked > 0);
}

/// A transaction comes into force for each base chain by itself. A packet that was between the two just then had met the old
/// egress, which let it out, and met the new ingress, which let it in; neither the old nor the new cloud admits it. Seen
/// once in some hundred changes on a busy machine; here the egress chain is as the old one was.
#[sglab::test]
async fn what_egress_has_admitted_by_rules_that_have_gone_since_is_asked_again() {
    let mut lab = boot(&topology(APART), Era::Vpc).await;
    crate::bare::run(&node(&lab, "vpc-default"), "nft", &format!("insert rule inet sglab egress {ADMITS}")).await;
    let flows = [flow("app", "db", tcp(5432)), flow("app", "db", udp(53)), flow("other", "db", tcp(80))];
    let found = outcomes(&mut lab, &flows).await;
    for barred in &found[..2] {
        assert_eq!(dropped_at(barred), Some((sglab::model::Direction::Egress, "app".into())), "{barred:?}");
    }
    assert!(is_open(&found[2]), "{:?}", found[2]);
}

/// Each stream has ports set aside, and gives back those that nothing was sent from: more steps have traffic than its sender has ports for at once.
#[sglab::test]
async fn traffic_flows_in_as_many_steps_as_one_likes() {
    let mut lab = boot(&topology(APART), Era::Vpc).await;
    for step in 0..40 {
        let traffic = lab.begin_traffic(&[flow("other", "db", udp(8125))]).await;
        let traffic = traffic.unwrap_or_else(|error| panic!("step {step}: {error}"));
        traffic.flows_on(1).await;
        let trace = lab.end_traffic(traffic).await;
        assert!(trace.blind.is_none() && !trace.streams[0].is_empty(), "step {step}: {trace:?}");
    }
}

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
