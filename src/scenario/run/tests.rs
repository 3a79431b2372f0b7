use std::net::Ipv4Addr;

use super::*;
use crate::lab::ServiceResponse;
use crate::model::{
    Attachment, Cloud, GroupName, InstanceName, InstanceState, Operation, Peer, PrivateIp, PublicIp, Refusal,
    RefusalCode, Service, VpcService,
};
use crate::probe::Outcome;
use crate::scenario::predict;
use crate::scenario::results::{CellDetails, Check, Class, RunVerdict, Section, StepResult, StepStatus};
use crate::scenario::testing::{
    Double, by_the_article, cloud, doing, dropped, flows, open, place, step, table, topology,
};
use crate::topology::{AddressFate, AddressKind, Expectation, ExpectedOutcome, Question, Selector, Step, Topology};

async fn results(mut lab: Double, steps: Vec<Step>, options: Options) -> RunResult {
    run_on(&mut lab, &topology(steps), Duration::from_millis(24), &options, &mut |_| ()).await.expect("a result")
}

async fn one(lab: Double, step: Step) -> StepResult {
    results(lab, vec![step], Options::default()).await.steps.remove(0)
}

/// The first cell that did not pass.
fn wrong(step: &StepResult) -> (&Check, &CellDetails) {
    step.wrong().next().expect("a wrong cell")
}

fn start(name: &str) -> Operation {
    Operation::Start(InstanceName::new(name))
}

fn refuse(code: RefusalCode) -> impl Fn(&mut Cloud, &Operation) -> Result<(), Refusal> {
    move |_, _| Err(Refusal { code, message: "no".to_owned(), unknown: Vec::new(), culprits: Vec::new() })
}

#[tokio::test]
async fn a_cloud_that_does_as_the_table_says_passes() {
    let result =
        results(Double::new(by_the_article), vec![step("s", vec![table("two-tier")])], Options::default()).await;
    assert_eq!(result.verdict, RunVerdict::Passed);
    assert_eq!((result.counts.cells, result.counts.open, result.counts.dropped), (140, 22, 118));
    assert_eq!(result.steps[0].probed.grid.rows.len(), 8);
}

#[tokio::test]
async fn an_open_cell_that_no_table_opens_fails_with_the_rule_that_let_it_in() {
    let lab = Double::new(|cloud, flow| {
        let next_door = flow.from.to_string() == "neighbour" && flow.service == Service::Tcp(crate::model::Port(22));
        if next_door { open(3) } else { by_the_article(cloud, flow) }
    });
    let step = one(lab, step("s", vec![table("two-tier")])).await;
    assert_eq!(step.status, StepStatus::Failed);
    assert_eq!(step.counts.wrong, 4);
    assert_eq!(wrong(&step).1.rule.as_ref().expect("a rule").written, "tcp 22 from office");
    assert_eq!(wrong(&step).0.said.words, "table two-tier, which does not list it as open");
}

#[tokio::test]
async fn a_refused_cell_is_neither_open_nor_dropped() {
    let lab = Double::new(|_, _| Outcome::Refused { admitted_by: None });
    let expected = vec![
        flows(ExpectedOutcome::Open, &["web1 -> db1:3306"]),
        flows(ExpectedOutcome::Dropped, &["web1 -> db2:3306"]),
    ];
    let step = one(lab, step("s", expected)).await;
    assert_eq!(step.counts.wrong, 2);
    assert_eq!(wrong(&step).0.reason.as_deref(), Some("the groups let it in, nobody listens"));
}

#[tokio::test]
async fn what_nothing_proves_is_inconclusive_and_never_a_pass() {
    let lab = Double::new(|_, _| Outcome::Inconclusive { why: crate::probe::MissingEvidence::NoTrace });
    let result = results(lab, vec![step("s", vec![table("two-tier")])], Options::default()).await;
    assert_eq!(result.verdict, RunVerdict::Inconclusive);
    assert_eq!(result.counts.wrong, 0);
}

#[tokio::test]
async fn a_step_whose_canaries_failed_is_inconclusive_whatever_it_saw() {
    let mut lab = Double::new(by_the_article);
    lab.canaries_held = false;
    assert_eq!(one(lab, step("s", vec![table("two-tier")])).await.status, StepStatus::Inconclusive);
}

#[tokio::test]
async fn a_drop_at_the_other_end_is_wrong() {
    let expected = || vec![flows(ExpectedOutcome::Dropped, &["db1 <-> db2:3306 at egress"])];
    let step = one(Double::new(dropped), step("s", expected())).await;
    assert_eq!((step.status, step.counts.wrong), (StepStatus::Failed, 2));
}

#[tokio::test]
async fn a_wrong_answerer_fails_a_step_that_did_not_ask() {
    let lab = Double::new(|cloud, flow| match by_the_article(cloud, flow) {
        Outcome::Open { .. } if flow.to.to_string() == "web2" => {
            Outcome::Misdelivered { answered_by: "web1".to_owned() }
        }
        outcome => outcome,
    });
    let step = one(lab, step("s", vec![flows(ExpectedOutcome::Dropped, &["db1 -> db2:3306"])])).await;
    assert_eq!(step.status, StepStatus::Failed);
    assert!(step.findings[0].text.ends_with("was answered by web1"), "{:?}", step.findings);
}

fn first(name: &str) -> Attachment {
    Attachment::first_of(&InstanceName::new(name))
}

#[tokio::test]
async fn a_start_on_new_addresses_is_told_and_one_on_old_addresses_fails() {
    let expects = |name: &str| vec![Expectation::NewAddresses(vec![first(name)])];
    let moves_web1 = |cloud: &mut Cloud, _: &Operation| {
        let interface = &mut cloud.instances[&InstanceName::new("web1")].interfaces[0];
        interface.private = Some(PrivateIp(Ipv4Addr::new(10, 0, 0, 31)));
        interface.public = Some(PublicIp(Ipv4Addr::new(198, 18, 0, 31)));
        Ok(())
    };
    let lab = Double::new(by_the_article).applying(moves_web1);
    let moved = one(lab, doing(vec![start("web1")], step("s", expects("web1")))).await;
    assert_eq!(moved.status, StepStatus::Passed);
    assert_eq!(moved.effects.addresses[0].private_now, Some(PrivateIp(Ipv4Addr::new(10, 0, 0, 31))));
    let stayed = one(Double::new(by_the_article), doing(vec![start("web1")], step("s", expects("web1")))).await;
    assert_eq!(
        stayed.findings[0].text,
        "new-addresses: web1 kept its private address 10.0.0.11, and web1 kept its public address 198.18.0.11"
    );
}

#[tokio::test]
async fn only_an_instance_that_was_stopped_is_to_be_stopped_in_the_same_step() {
    let without_public = |cloud: &mut Cloud, _: &Operation| {
        cloud.instances[&InstanceName::new("web1")].interfaces[0].public = None;
        Ok(())
    };
    let stops = |cloud: &mut Cloud, _: &Operation| {
        let web1 = &mut cloud.instances[&InstanceName::new("web1")];
        (web1.state, web1.interfaces[0].public) = (InstanceState::Stopped, None);
        Ok(())
    };
    let told = async |change: fn(&mut Cloud, &Operation) -> Result<(), Refusal>| {
        let mut told = Vec::new();
        for expected in [
            Expectation::NewAddresses(vec![first("web1")]),
            Expectation::Address(AddressKind::Public, AddressFate::Same, vec![first("web1")]),
        ] {
            let steps = vec![
                doing(vec![start("web1")], step("s", vec![])),
                doing(vec![start("web1")], step("t", vec![expected])),
            ];
            let lab = Double::new(by_the_article).applying(change);
            let step = results(lab, steps, Options::default()).await.steps.remove(1);
            told.push(step.findings[0].text.clone());
        }
        told
    };
    let had_none = "web1 had no public address before this step";
    for text in told(without_public).await {
        assert!(text.ends_with(had_none), "it ran: {text}");
    }
    for text in told(stops).await {
        assert!(text.contains(had_none) && text.contains("so stop and start it in one"), "it was stopped: {text}");
    }
}

#[tokio::test]
async fn rules_that_were_edited_are_counted() {
    let drops_a_rule = |cloud: &mut Cloud, _: &Operation| {
        cloud.groups[&GroupName::new("SG-T-DB")].ingress.clear();
        Ok(())
    };
    let lab = Double::new(by_the_article).applying(drops_a_rule);
    let result = one(lab, doing(vec![start("web1")], step("s", vec![Expectation::RulesUnchanged]))).await;
    assert_eq!(result.effects.rules_edited, Some(1));
    assert_eq!(result.findings[0].text, "rules: unchanged, but 1 rule was added, removed or replaced");
}

#[tokio::test]
async fn an_expected_refusal_passes_and_another_code_fails() {
    let expects = || vec![Expectation::Refusal(RefusalCode::IncorrectInstanceState)];
    let run = async |code| {
        let lab = Double::new(by_the_article).applying(refuse(code));
        one(lab, doing(vec![start("web1")], step("s", expects()))).await
    };
    assert_eq!(run(RefusalCode::IncorrectInstanceState).await.status, StepStatus::Passed);
    let other = run(RefusalCode::InvalidGroupNotFound).await;
    assert_eq!(other.findings[0].text, "expected IncorrectInstanceState, refused with InvalidGroup.NotFound: no");
    let carried_out = one(Double::new(by_the_article), doing(vec![start("web1")], step("s", expects()))).await;
    assert_eq!(carried_out.findings[0].text, "expected IncorrectInstanceState, and the operation was carried out");
}

#[tokio::test]
async fn an_unexpected_refusal_fails_the_step_and_the_rest_is_not_run() {
    let lab = Double::new(by_the_article).applying(refuse(RefusalCode::IncorrectInstanceState));
    let steps = vec![doing(vec![start("web1")], step("one", vec![])), step("two", vec![table("two-tier")])];
    let result = results(lab, steps, Options::default()).await;
    assert_eq!(result.steps[0].findings[0].text, "refused: IncorrectInstanceState: no");
    assert_eq!(result.steps[1].status, StepStatus::NotRun);
    assert_eq!(result.verdict, RunVerdict::Failed);
}

#[tokio::test]
async fn fail_fast_leaves_the_rest_and_until_step_stops() {
    let steps = || vec![step("one", vec![table("replicating")]), step("two", vec![table("two-tier")])];
    let fast = Options { fail_fast: true, ..Options::default() };
    let result = results(Double::new(by_the_article), steps(), fast).await;
    assert_eq!(result.steps[1].status, StepStatus::NotRun);
    let until = Options { until_step: Some(1), ..Options::default() };
    assert_eq!(results(Double::new(by_the_article), steps(), until).await.steps.len(), 1);
}

#[tokio::test]
async fn a_step_of_another_era_keeps_its_number_and_is_passed_over() {
    let of_vpc = Step { eras: vec![Era::Vpc], ..step("one", vec![table("replicating")]) };
    let result =
        results(Double::new(by_the_article), vec![of_vpc, step("two", vec![table("two-tier")])], Options::default())
            .await;
    assert_eq!(result.steps.iter().map(|step| step.number).collect::<Vec<_>>(), [2]);
    assert_eq!(result.verdict, RunVerdict::Passed);
}

#[tokio::test]
async fn cells_that_changed_since_the_step_before_are_told() {
    let lab = Double::new(|cloud, flow| {
        let between_dbs = flow.from.to_string().starts_with("db") && flow.to.to_string().starts_with("db");
        let replicates = between_dbs && flow.service == Service::Tcp(crate::model::Port(3306));
        if replicates && cloud.counters.rule == 9 { open(2) } else { by_the_article(cloud, flow) }
    })
    .applying(|cloud, _| {
        cloud.counters.rule = 9;
        Ok(())
    });
    let steps =
        vec![step("one", vec![table("two-tier")]), doing(vec![start("db1")], step("two", vec![table("replicating")]))];
    let result = results(lab, steps, Options::default()).await;
    assert_eq!(result.verdict, RunVerdict::Passed);
    let changed: Vec<_> =
        result.steps[1].probed.changed.iter().map(|cell| (cell.flow.to_string(), cell.was, cell.now)).collect();
    assert_eq!(
        changed,
        [
            ("db1 -> db2:3306".to_owned(), Class::Dropped, Class::Open),
            ("db2 -> db1:3306".to_owned(), Class::Dropped, Class::Open)
        ]
    );
}

#[tokio::test]
async fn a_group_that_names_itself_in_the_article_is_labelled_as_a_claim() {
    let mut lab = Double::new(by_the_article);
    let name = GroupName::new("SG-T-DB");
    lab.cloud.groups[&name].ingress[0].peer = Peer::Group(name.clone());
    let result = one(lab, step("s", vec![flows(ExpectedOutcome::Dropped, &["db1 -> db2:3306"])])).await;
    assert!(result.claims[0].starts_with("the article's claim"));
    let reason = result.checks[0].reason.as_deref().expect("a reason");
    assert!(
        reason.ends_with("SG-T-DB names itself, and db1 and db2 are members, but here that matches nobody"),
        "{reason}"
    );
    assert!(one(Double::new(by_the_article), step("s", vec![])).await.claims.is_empty());
}

#[tokio::test]
async fn a_file_without_tables_probes_only_what_the_step_names() {
    let mut topology = topology(vec![step("s", vec![flows(ExpectedOutcome::Open, &["web1 -> db1:3306"])])]);
    topology.tables.clear();
    let mut lab = Double::new(by_the_article);
    let result = run_on(&mut lab, &topology, Duration::ZERO, &Options::default(), &mut |_| ()).await.expect("a result");
    assert_eq!((result.counts.cells, result.head.addresses(), result.head.rules), (1, 4, 3));
    assert_eq!(*lab.cloud(), cloud());
}

fn answered(word: &str, service: VpcService) -> Expectation {
    let from = Selector::Group(GroupName::new(word));
    Expectation::Answered(vec![Question {
        written: format!("{word} -> {service}"),
        place: place(41, 15),
        from,
        service,
    }])
}

#[tokio::test]
async fn a_question_that_is_answered_passes_for_each_who_asks() {
    let step = one(Double::new(by_the_article), step("s", vec![answered("SG-T-WEB", VpcService::Dns)])).await;
    assert_eq!(step.status, StepStatus::Passed);
    let askers: Vec<_> = step.section(Section::ANSWERS).map(|check| check.subject.as_str()).collect();
    assert_eq!(askers, ["web1 -> dns", "web2 -> dns"]);
}

#[tokio::test]
async fn a_wrong_answer_fails_and_silence_is_inconclusive() {
    let told = |asked: fn(String) -> ServiceResponse| {
        let mut lab = Double::new(by_the_article);
        lab.asked = Box::new(move |from, service| asked(format!("{from} {service}")));
        lab
    };
    let expects = || step("s", vec![answered("SG-T-WEB", VpcService::Time)]);
    let wrong = one(told(|why| ServiceResponse::Wrong { why }), expects()).await;
    let silent = one(told(|why| ServiceResponse::Inconclusive { why }), expects()).await;
    assert_eq!((wrong.status, silent.status), (StepStatus::Failed, StepStatus::Inconclusive));
}

#[tokio::test]
async fn a_question_that_nobody_asks_is_a_mistake() {
    let step = one(Double::new(by_the_article), step("s", vec![answered("SG-NONE", VpcService::Dns)])).await;
    assert_eq!(step.status, StepStatus::Failed);
    assert_eq!(step.findings[0].text, "`SG-NONE -> dns` asks nothing: SG-NONE has no running member");
}

#[test]
fn a_call_on_several_is_refused_whole_and_changes_none_of_them() {
    let text = "sglab: 1\nera: vpc\nhosts: {office: 203.0.113.10}\n\
                groups: {WEB: [tcp 80 from anywhere], GONE: []}\n\
                instances: {web1: {groups: WEB, listens: [tcp 80]}, web2: {groups: WEB}}\nscenario:\n";
    // Each would pass, too, if what comes before the refusal stayed: but for the address that is asked for then.
    for (call, code) in [
        ("{stop: [web1, nope]}", "InvalidInstanceID.NotFound"),
        ("{terminate: [web1, nope]}", "InvalidInstanceID.NotFound"),
        ("{authorize: {WEB: [tcp 22 from office], NOPE: [tcp 22 from office]}}", "InvalidGroup.NotFound"),
        ("{delete-group: [GONE, WEB]}", "DependencyViolation"),
        ("{set-groups: {web1: GONE, nope: WEB}}", "InvalidInstanceID.NotFound"),
        ("{create-group: {NEW: [tcp 22 from office], GONE: []}}", "InvalidGroup.Duplicate"),
    ] {
        let step = format!(
            "  - step: refused\n    do: [{call}]\n    expect: {{refusal: {code}, open: ['office -> web1:80'], dropped: ['office -> web1:22']}}\n"
        );
        let topology = Topology::parse("refused.yaml", format!("{text}{step}").as_bytes());
        let topology = topology.unwrap_or_else(|problems| panic!("{call}: {problems}"));
        let before = topology.initial_cloud(Era::Vpc).expect("a cloud");
        assert_eq!(predict::cloud_at(&topology, Era::Vpc, 1).expect("a cloud"), before, "{call}");
        let result = predict::predict(&topology, Era::Vpc, &Options::default(), &mut |_| ()).expect("a result");
        assert_eq!(result.verdict, RunVerdict::Passed, "{call}: {:?}", result.steps[0].findings);
    }
}
