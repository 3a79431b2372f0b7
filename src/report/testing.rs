//! Results for the snapshots: the two-tier story on the scenario's double, with made-up times.

use std::net::Ipv4Addr;
use std::time::Duration;

use clap::ValueEnum;

use super::format::{ResultFormat, TextGoes};
use super::json::Listed;
use super::junit::junit;
use super::{Entry, Style, terminal};
use crate::model::{
    Attachment, Cloud, ConnectionName, Direction, Flow, GroupName, InstanceName, InterfaceId, Operation, Peer, Port,
    PrivateIp, PublicIp, Refusal, RefusalCode, RuleId, Service,
};
use crate::probe::{Drop, DropCause, Held, Outcome};
use crate::scenario::testing::{
    Double, by_the_article, doing, dropped, flows, open, pattern, placed, step, table, topology,
};
use crate::scenario::{Options, Progress, RunResult, run_on};
use crate::topology::{Action, Expectation, ExpectedOutcome, Opening, Step};

fn ran(lab: Double, steps: Vec<Step>) -> RunResult {
    ran_with(lab, steps, Options::default())
}

fn ran_with(mut lab: Double, steps: Vec<Step>, options: Options) -> RunResult {
    let topology = topology(steps);
    let mut ignore = |_: Progress<'_>| ();
    let running = run_on(&mut lab, &topology, Duration::from_millis(24), &options, &mut ignore);
    let mut result = futures::executor::block_on(running).expect("a result");
    result.took = Duration::from_millis(310);
    for step in &mut result.steps {
        step.took = Duration::from_micros(6_200);
    }
    result
}

fn operation() -> Operation {
    Operation::Start(InstanceName::new("web1"))
}

fn story() -> Vec<Step> {
    let web1 = vec![Attachment::first_of(&InstanceName::new("web1"))];
    vec![
        step("as launched", vec![table("two-tier")]),
        step(
            "db1 and db2 share SG-T-DB, and still cannot replicate",
            vec![flows(ExpectedOutcome::Dropped, &["db1 <-> db2:3306 at ingress"])],
        ),
        doing(vec![operation()], step("a rule lets them", vec![table("replicating")])),
        doing(
            vec![operation()],
            step(
                "web1 stops and starts, on new addresses",
                vec![table("replicating"), Expectation::NewAddresses(web1), Expectation::RulesUnchanged],
            ),
        ),
    ]
}

fn between_dbs(flow: &Flow) -> bool {
    let db = |name: String| name.starts_with("db");
    db(flow.from.to_string()) && db(flow.to.to_string()) && flow.service == Service::Tcp(Port(3306))
}

/// Reports of results in every format, each with its name.
pub fn reports(entries: &[Entry]) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = ResultFormat::value_variants()
        .iter()
        .map(|format| {
            let output = format.output();
            let text = match output.text {
                TextGoes::Stdout => terminal::entries(entries, Style::default()),
                TextGoes::Stderr | TextGoes::Nowhere => String::new(),
            };
            let document = (output.document)(entries, Listed::Few).expect("a document");
            (format!("{format:?}"), text + &document)
        })
        .collect();
    all.push(("JUnit".to_owned(), junit(entries).expect("XML")));
    all
}

/// Texts of one snapshot, each below a line that says what it is of.
pub fn sections(all: &[(&str, String)]) -> String {
    all.iter().map(|(of, text)| format!("==== {of}\n{text}\n")).collect()
}

/// The first operation opens db1 <-> db2, the second moves web1.
fn unfold(cloud: &mut Cloud, _: &Operation) -> Result<(), Refusal> {
    cloud.counters.rule += 1;
    if cloud.counters.rule == 2 {
        let interface = &mut cloud.instances[&InstanceName::new("web1")].interfaces[0];
        interface.private = Some(PrivateIp(Ipv4Addr::new(10, 0, 0, 31)));
        interface.public = Some(PublicIp(Ipv4Addr::new(198, 18, 0, 31)));
    }
    Ok(())
}

fn answer(cloud: &Cloud, flow: &Flow) -> Outcome {
    if between_dbs(flow) && cloud.counters.rule > 0 { open(2) } else { by_the_article(cloud, flow) }
}

/// Every step as expected, and the third rule matched no packet.
pub(crate) fn unexercised(required: bool) -> RunResult {
    let mut lab = Double::new(answer).applying(unfold);
    lab.packets = Some([(RuleId(1), 7), (RuleId(2), 3), (RuleId(3), 0)].into());
    let options = Options { require_rule_coverage: required, ..Options::default() };
    ran_with(lab, vec![step("as launched", vec![table("two-tier")])], options)
}

/// Every step as expected.
pub(crate) fn passed() -> RunResult {
    ran(Double::new(answer).applying(unfold), story())
}

/// The office's neighbour gets in by SSH, at every step.
pub(crate) fn failed() -> RunResult {
    let next_door = |flow: &Flow| flow.from.to_string() == "neighbour" && flow.service == Service::Tcp(Port(22));
    let answer = move |cloud: &Cloud, flow: &Flow| if next_door(flow) { open(3) } else { answer(cloud, flow) };
    ran(Double::new(answer).applying(unfold), story())
}

/// Nothing proves one cell.
pub(crate) fn inconclusive() -> RunResult {
    let answer = |cloud: &Cloud, flow: &Flow| {
        let unproved = flow.from.to_string() == "office" && flow.service == Service::IcmpEcho;
        if unproved {
            Outcome::Inconclusive {
                why: crate::probe::MissingEvidence::Socket(crate::probe::SocketFailure::Kernel(
                    "no record & no answer".to_owned(),
                )),
            }
        } else {
            by_the_article(cloud, flow)
        }
    };
    ran(Double::new(answer), vec![step("as <launched>", vec![table("two-tier")])])
}

/// An operation is refused, so that the second step is not run.
pub(crate) fn refused() -> RunResult {
    let code = RefusalCode::IncorrectInstanceState;
    let lab = Double::new(answer).applying(move |_, _| {
        Err(Refusal {
            code,
            message: "The instance 'web1' is not in a state from which it can be started.".to_owned(),
            unknown: Vec::new(),
            culprits: Vec::new(),
        })
    });
    let steps =
        vec![doing(vec![operation()], step("web1 starts twice", vec![])), step("as launched", vec![table("two-tier")])];
    ran(lab, steps)
}

/// Of two sessions that the file opens and expects nothing of, the kernel cuts one against the model, and proves nothing of
/// the other.
pub(crate) fn disagreeing() -> RunResult {
    let fate = |_: &Cloud, name: &ConnectionName| match name.as_str() {
        "session" => {
            let groups = vec![GroupName::new("SG-T-DB"), GroupName::new("SG-T-ADMIN")];
            let cause =
                DropCause::by_groups(Direction::Ingress, InterfaceId::first_of(&InstanceName::new("db1")), groups);
            Held::Cut(vec![Drop { cause, source: [10, 0, 0, 11].into() }])
        }
        _ => Held::Inconclusive { why: "what the client sent neither arrived nor is recorded".to_owned() },
    };
    let mut lab = Double::new(answer);
    lab.fate = Box::new(fate);
    lab.predictor = Some(crate::policy::judge);
    let open =
        |name: &str, flow: &str| Action::Open(placed(Opening { name: ConnectionName::new(name), flow: pattern(flow) }));
    let actions = vec![open("session", "web1 -> db1:3306"), open("other", "web2 -> db1:3306")];
    ran(lab, vec![Step { actions, ..step("two sessions", vec![]) }])
}

/// db1 and db2 in a group that contains itself, in the article's world.
pub(crate) fn claimed() -> RunResult {
    let name = GroupName::new("SG-T-DB");
    let mut lab = Double::new(dropped);
    lab.cloud.groups[&name].ingress[0].peer = Peer::Group(name.clone());
    let expected = vec![flows(ExpectedOutcome::Dropped, &["db1 -> db2:3306 at ingress"])];
    ran(lab, vec![step("a group that contains itself", expected)])
}
