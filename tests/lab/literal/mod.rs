//! The third reading: verdicts written down by hand from what Amazon documents, held against the policy and the packets.
//!
//! The other two readings see a cloud; this one is words. It shares nothing with the expectations of a file, and nothing
//! with clouds that are made up at random: a verdict is a text here, and has to be the text that each reading gives.

mod classic;
mod operations;
mod vpc;

use std::collections::BTreeSet;
use std::net::IpAddr;

use indexmap::IndexSet;
use sglab::lab::{Lab, LabError, ServiceResponse};
use sglab::model::{
    Attachment, Cloud, ConnectionName, DecidedBy, Endpoint, Era, Flow, GroupName, Half, HostName, IcmpMessage,
    InstanceName, Operation, Port, Reassociation, Service, SourceDestCheck, Target, Verdict, Via, VpcService,
};
use sglab::policy;
use sglab::probe::{Held, Outcome};

use crate::clouds::*;

/// One line of a play. The first word is the case of the list of documented gotchas that it is from, or the section of
/// the facts (`docs/facts.md`).
enum Line {
    /// A new flow, and the verdict.
    Flow(&'static str, &'static str, &'static str),
    /// A change that is carried out.
    Do(fn() -> Operation),
    /// A change that is refused, with code and text.
    Refused(&'static str, fn() -> Operation, &'static str),
    /// Opens a connection and holds it.
    Open(&'static str, &'static str),
    /// Waits until a connection is forgotten.
    Idle(&'static str),
    /// What has become of a connection: `alive`, `cut`; `unanswerable` for what its server alone sends.
    Held(&'static str, &'static str, &'static str),
    /// An instance asks the resolver, the metadata and the time, and is answered.
    Served(&'static str, &'static str),
    /// The private or the public address of an instance is the `same` as at the start, or a `new` one.
    Address(&'static str, &'static str, &'static str, &'static str),
}

use Line::{Address, Do, Flow as New, Held as Became, Idle, Open, Refused, Served};

/// Every play: its cloud, its era, its lines.
const PLAYS: &[(&str, Era, &[Line])] = &[
    (vpc::CLOUD, Era::Vpc, vpc::LINES),
    (vpc::RESTARTS, Era::Vpc, vpc::RESTART_LINES),
    (vpc::FORGED, Era::Vpc, vpc::FORGED_LINES),
    (vpc::NAT, Era::Vpc, vpc::NAT_LINES),
    (vpc::IDLE, Era::Vpc, vpc::IDLE_LINES),
    (vpc::LETTER, Era::Vpc, vpc::LETTER_LINES),
    (classic::CLOUD, Era::Classic, classic::LINES),
    (classic::ARTICLE, Era::Article, classic::ARTICLE_LINES),
    (operations::CLOUD, Era::Classic, operations::LINES),
    (operations::CLOUD, Era::Vpc, operations::LINES),
    (operations::CLOUD, Era::Vpc, operations::VPC_LINES),
];

#[sglab::test]
async fn the_literal_cases_of_a_vpc() {
    play(0).await;
}

#[sglab::test]
async fn the_literal_cases_of_a_vpc_that_restarts() {
    play(1).await;
}

#[sglab::test]
async fn the_literal_cases_of_forged_sources() {
    play(2).await;
}

#[sglab::test]
async fn the_literal_cases_behind_a_nat() {
    play(3).await;
}

#[sglab::test]
async fn the_literal_case_of_an_idle_question() {
    play(4).await;
}

#[sglab::test]
async fn the_literal_cases_of_ipv6_to_the_letter() {
    play(5).await;
}

#[sglab::test]
async fn the_literal_cases_of_classic() {
    play(6).await;
}

#[sglab::test]
async fn the_literal_cases_of_the_article() {
    play(7).await;
}

#[sglab::test]
async fn the_literal_cases_of_operations() {
    for number in 8..PLAYS.len() {
        play(number).await;
    }
}

/// 1 to 30, 39 and 41; the others are about calls alone, and `src/model/apply/documented.rs` has them.
#[sglab::test]
async fn every_documented_case_about_a_flow_is_among_them() {
    let lines = || PLAYS.iter().flat_map(|(.., lines)| lines.iter());
    let cases: BTreeSet<u8> = lines().filter_map(|line| line.case().parse().ok()).collect();
    let missing: Vec<u8> = (1..=30).chain([39, 41]).filter(|case| !cases.contains(case)).collect();
    assert!(missing.is_empty(), "no literal of {missing:?}");
    let flows = lines().filter(|line| matches!(line, New(..))).count();
    assert!(flows >= 40, "only {flows}");
}

impl Line {
    fn case(&self) -> &'static str {
        match self {
            New(case, ..) | Refused(case, ..) | Became(case, ..) | Served(case, _) | Address(case, ..) => case,
            Do(_) | Open(..) | Idle(_) => "",
        }
    }
}

async fn play(number: usize) {
    let (text, era, lines) = PLAYS[number];
    let mut lab = boot(&topology(text), era).await;
    let begun = lab.cloud().clone();
    let mut next = 0;
    let mut wrong = Vec::new();
    while let Some(line) = lines.get(next) {
        // What is asked in one breath is probed in one batch.
        let breath: Vec<_> = lines[next..]
            .iter()
            .map_while(|line| match line {
                New(case, flow, verdict) => Some((*case, *flow, *verdict)),
                _ => None,
            })
            .collect();
        next += breath.len().max(1);
        if !breath.is_empty() {
            wrong.extend(flows(&mut lab, &breath).await);
            continue;
        }
        let case = line.case();
        match line {
            New(..) => {}
            Do(operation) => change(&mut lab, &operation()).await,
            Refused(_, operation, expected) => match lab.apply(&operation()).await {
                Err(LabError::Refused(refusal)) if refusal.to_string() == *expected => {}
                other => wrong.push(format!("case {case}: {expected}: {other:?}")),
            },
            Open(name, words) => {
                let asked = flow_of(lab.cloud(), words);
                lab.open(&ConnectionName::new(name), &asked).await.unwrap_or_else(|error| panic!("{words}: {error}"));
            }
            Idle(name) => lab.idle(&ConnectionName::new(name)).await.unwrap_or_else(|error| panic!("{error}")),
            Became(_, name, expected) => {
                let name = ConnectionName::new(name);
                let held = match *expected {
                    "unanswerable" => lab.examine_answer(&name).await,
                    _ => lab.examine(&name).await,
                };
                let held = held.unwrap_or_else(|error| panic!("{error}"));
                let became = match &held {
                    Held::Alive => "alive",
                    Held::Cut(_) => "cut",
                    Held::Unanswerable(_) => "unanswerable",
                    Held::Gone { .. } => "gone",
                    Held::Inconclusive { .. } => "inconclusive",
                };
                if became != *expected {
                    wrong.push(format!("case {case}: {name} is to be {expected}: {held:?}"));
                }
            }
            Served(_, name) => {
                for service in VpcService::ALL {
                    let asked = lab.ask_service(&InstanceName::new(name), service).await;
                    let asked = asked.unwrap_or_else(|error| panic!("{error}"));
                    if !matches!(asked, ServiceResponse::Answered { .. }) {
                        wrong.push(format!("case {case}: {name} asks for {service}: {asked:?}"));
                    }
                }
            }
            Address(_, name, kind, expected) => {
                let of = |cloud: &Cloud| match *kind {
                    "private" => private(cloud, name).to_string(),
                    _ => public(cloud, name).to_string(),
                };
                let became = if of(&begun) == of(lab.cloud()) { "same" } else { "new" };
                if became != *expected {
                    wrong.push(format!("case {case}: the {kind} address of {name} is {became}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// What each reading says of flows, where it is not the literal verdict.
async fn flows(lab: &mut Lab, breath: &[(&str, &str, &str)]) -> Vec<String> {
    let asked: Vec<Flow> = breath.iter().map(|(_, words, _)| flow_of(lab.cloud(), words)).collect();
    let batch = lab.probe(&asked).await.unwrap_or_else(|error| panic!("{error}"));
    assert!(batch.canaries_held, "the canaries held");
    let mut wrong = Vec::new();
    for ((case, words, literal), observation) in breath.iter().zip(&batch.observations) {
        let (flow, outcome) = (&observation.flow, &observation.outcome);
        if observation.timed_out {
            wrong.push(format!("case {case}: {words}: patience and not evidence decided"));
        }
        let judged = said(&policy::judge(lab.cloud(), flow));
        // Whether anybody listens is no matter of groups.
        let of_groups = if *literal == "refused" { "open" } else { literal };
        if judged != of_groups {
            wrong.push(format!("case {case}: {words} is {literal}; the policy says {judged}"));
        }
        if seen(outcome) != *literal {
            wrong.push(format!("case {case}: {words} is {literal}; the packets say {outcome:?}"));
        }
    }
    wrong
}

fn said(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Open { .. } => "open".to_owned(),
        Verdict::Dropped { by, half: Half::Request } => match by {
            DecidedBy::GroupRules { at, interface, .. } => format!("dropped at {}'s {at}", interface.holder()),
            DecidedBy::SourceDestCheck { .. } => "spoofed".to_owned(),
            DecidedBy::Route { .. } => "blackhole".to_owned(),
            DecidedBy::Translation { .. } => "untranslated".to_owned(),
        },
        Verdict::Dropped { half: Half::Answer, .. } => "unanswered".to_owned(),
        Verdict::Unreachable { .. } => "unreachable".to_owned(),
        Verdict::Misdelivered { to } => format!("comes to {to}"),
        Verdict::Unresolved => "unresolved".to_owned(),
    }
}

fn seen(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Open { .. } => "open".to_owned(),
        Outcome::Refused { .. } => "refused".to_owned(),
        Outcome::Dropped(drop) => match drop.cause.groups() {
            Some((at, interface, _)) => format!("dropped at {}'s {at}", interface.holder()),
            None => drop.cause.record().to_string(),
        },
        Outcome::Unreachable { .. } => "unreachable".to_owned(),
        Outcome::Misdelivered { .. } => "misdelivered".to_owned(),
        Outcome::Closed { .. } => "closed".to_owned(),
        Outcome::Inconclusive { .. } => "inconclusive".to_owned(),
    }
}

/// `a -> b 22`, `a -> b udp 53`, `a -> b ping`, `a -> b icmp 13`, `a -> b protocol 47`; `a.eth1`, `a as 10.9.9.9`, a host;
/// and `by public`, `by dns` or `by ipv6` at the end.
fn flow_of(cloud: &Cloud, words: &str) -> Flow {
    let (words, via) = words.rsplit_once(" by ").map_or((words, "private"), |(words, via)| (words, via));
    let (from, rest) = words.split_once(" -> ").expect("FROM -> TO SERVICE");
    let (to, service) = rest.split_once(' ').expect("TO SERVICE");
    let number = |text: &str| text.parse().expect("a number");
    let service = match service.split_once(' ') {
        None if service == "ping" => Service::IcmpEcho,
        None => Service::Tcp(Port(number(service))),
        Some(("udp", port)) => Service::Udp(Port(number(port))),
        Some(("icmp", kind)) => Service::Icmp(IcmpMessage { kind: kind.parse().expect("a type"), code: 0 }),
        Some(("protocol", protocol)) => Service::Protocol(protocol.parse().expect("a protocol")),
        Some((other, _)) => panic!("no service: {other}"),
    };
    let (from, to) = (end(cloud, from), end(cloud, to));
    let outside = [&from, &to].into_iter().find_map(|end| match end {
        Endpoint::Host(_, address) => Some(address.0),
        _ => None,
    });
    let via = match (via, outside) {
        ("ipv6", _) | ("private", Some(IpAddr::V6(_))) => Via::Ipv6,
        ("public", _) | ("private", Some(IpAddr::V4(_))) => Via::Public,
        ("dns", _) => Via::Dns,
        ("private", None) => Via::Private,
        (other, _) => panic!("by {other}?"),
    };
    Flow { from, to, via, service }
}

fn end(cloud: &Cloud, word: &str) -> Endpoint {
    let interface = |instance: &str, device| Attachment { instance: InstanceName::new(instance), device };
    if let Some((name, source)) = word.split_once(" as ") {
        return Endpoint::Forged(interface(name, 0), source.parse::<IpAddr>().expect("an address"));
    }
    if let Some((name, device)) = word.split_once(".eth") {
        return Endpoint::Interface(interface(name, device.parse().expect("a device")));
    }
    match cloud.hosts.get(&HostName::new(word)) {
        Some(host) => Endpoint::Host(HostName::new(word), host.addresses[0]),
        None => Endpoint::Instance(InstanceName::new(word)),
    }
}

fn set_groups(instance: &str, groups: &[&str]) -> Operation {
    let groups: IndexSet<GroupName> = groups.iter().map(GroupName::new).collect();
    Operation::SetGroups(Target::Instance(InstanceName::new(instance)), groups)
}

fn egress(to: Operation) -> Operation {
    match to {
        Operation::AuthorizeIngress(group, permissions) => Operation::AuthorizeEgress(group, permissions),
        Operation::RevokeIngress(group, permissions) => Operation::RevokeEgress(group, permissions),
        other => other,
    }
}

fn check(instance: &str, check: SourceDestCheck) -> Operation {
    Operation::SetSourceDestCheck(Target::Instance(InstanceName::new(instance)), check)
}

fn associate(elastic_ip: &str, instance: &str) -> Operation {
    Operation::AssociateAddress {
        elastic_ip: sglab::model::ElasticIpName::new(elastic_ip),
        to: Target::Instance(InstanceName::new(instance)),
        reassociation: Reassociation::Allowed,
    }
}
