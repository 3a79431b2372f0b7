use super::*;
use crate::model::{
    Direction, GroupName, InstanceName, InterfaceId, Port, PortRange, SubnetName, Traffic, Via, VpcName,
};
use crate::probe::{Drop, DropCause};
use crate::scenario::testing::{Double, columns, pattern, placed, step, topology};
use crate::scenario::{Options, RunResult, RunVerdict, predict, run_on};
use crate::topology::{Action, Opening, Step};

fn session() -> ConnectionName {
    ConnectionName::new("session")
}

fn opening(flow: &str) -> Step {
    let open = Action::Open(placed(Opening { name: session(), flow: pattern(flow) }));
    Step { actions: vec![open], ..step("a session", vec![]) }
}

fn cut() -> Held {
    let groups = vec![GroupName::new("SG-T-DB"), GroupName::new("SG-T-ADMIN")];
    let cause = DropCause::by_groups(Direction::Ingress, InterfaceId::first_of(&InstanceName::new("db1")), groups);
    Held::Cut(vec![Drop { cause, source: [10, 0, 0, 11].into() }])
}

/// A lab whose new flows do as the model says.
fn obeying() -> Double {
    Double::new(|cloud, flow| {
        let listeners =
            crate::lab::Listeners { columns: columns().iter().copied().collect(), closed_ports: Default::default() };
        predict::observe::observation(cloud, &listeners, flow).outcome
    })
}

/// Two steps over one session, about which the file itself expects nothing.
fn run_in(mut lab: Double, steps: Vec<Step>) -> RunResult {
    lab.predictor = Some(policy::judge);
    let topology = topology(steps);
    let (options, mut ignore) = (Options::default(), |_: crate::scenario::Progress<'_>| ());
    let running = run_on(&mut lab, &topology, Duration::ZERO, &options, &mut ignore);
    futures::executor::block_on(running).expect("a result")
}

fn run(flow: &str, fate: Held) -> RunResult {
    let lab = Double { fate: Box::new(move |_, _| fate.clone()), ..obeying() };
    run_in(lab, vec![opening(flow), step("later", vec![])])
}

const ADMITTED: &str = "web1 -> db1:3306";

#[test]
fn what_lives_as_the_model_says_is_counted_at_each_step() {
    let result = run(ADMITTED, Held::Alive);
    assert_eq!(result.verdict, RunVerdict::Passed);
    assert_eq!((result.counts.connections, result.counts.connections_not_compared), (2, 0));
}

#[test]
fn what_the_kernel_cuts_against_the_model_fails_each_step_and_is_kept_once() {
    let result = run(ADMITTED, cut());
    assert_eq!(result.verdict, RunVerdict::Failed);
    let [first, later] = result.steps.as_slice() else { panic!("two steps") };
    let [disagreement] = first.model.connections.disagreements.as_slice() else { panic!("{:?}", first.model) };
    assert_eq!(disagreement.predicted, PredictedState::Stands(ConnectionState::Alive));
    assert_eq!((&disagreement.observed, disagreement.is_new), (&cut(), true));
    let disagreement = first.model.disagreement.as_ref().expect("a disagreement");
    assert!(disagreement.files[0].1.contains("connection session: web1 -> db1:3306"), "{}", disagreement.files[0].1);
    assert!(later.model.disagreement.is_none());
}

#[test]
fn what_the_model_cuts_and_the_kernel_lets_live_is_told() {
    let idle = Step { actions: vec![Action::Idle(placed(session()))], ..step("for too long", vec![]) };
    let result = run_in(obeying(), vec![opening(ADMITTED), idle]);
    let [disagreement] = result.steps[1].model.connections.disagreements.as_slice() else {
        panic!("{:?}", result.steps[1])
    };
    assert_eq!(disagreement.predicted, PredictedState::Stands(ConnectionState::Forgotten));
    assert_eq!(result.verdict, RunVerdict::Failed);
}

#[test]
fn what_could_not_have_been_opened_and_was_is_told() {
    let result = run("db1 -> db2:3306", Held::Alive);
    let [disagreement] = result.steps[0].model.connections.disagreements.as_slice() else {
        panic!("{:?}", result.steps[0])
    };
    assert!(matches!(disagreement.predicted, PredictedState::NotOpened(Verdict::Dropped { .. })));
}

#[test]
fn what_nothing_proves_is_inconclusive() {
    let result = run(ADMITTED, Held::Inconclusive { why: "nobody knows".to_owned() });
    assert_eq!(result.verdict, RunVerdict::Inconclusive);
    assert_eq!((result.counts.connections, result.counts.connections_not_compared), (0, 2));
}

#[test]
fn an_end_that_has_ended_its_own_connection_disagrees_with_nobody() {
    let result = run(ADMITTED, Held::Gone { why: "the connection has ended: reset by peer".to_owned() });
    assert_eq!(result.verdict, RunVerdict::Inconclusive);
    assert_eq!((result.counts.connections, result.counts.connections_not_compared), (0, 2));
}

#[test]
fn broken_canaries_compare_nothing() {
    let lab = Double { fate: Box::new(|_, _| cut()), canaries_held: false, ..obeying() };
    let asked = crate::scenario::testing::flows(crate::topology::ExpectedOutcome::Open, &[ADMITTED]);
    let probing = Step { expectations: vec![placed(asked)], ..opening(ADMITTED) };
    let result = run_in(lab, vec![probing]);
    assert_eq!((result.verdict, result.counts.connections), (RunVerdict::Inconclusive, 0));
    assert_eq!(result.counts.connections_not_compared, 1, "and says so");
}

#[test]
fn what_may_lead_through_a_middlebox_is_named_and_not_compared() {
    let mut lab = Double { fate: Box::new(|_, _| cut()), ..obeying() };
    let block: ipnet::Ipv4Net = "10.0.0.0/24".parse().expect("a block");
    let subnet = SubnetName::new("default");
    let routes = IndexMap::from([(subnet.clone(), Vec::new())]);
    let vpc = crate::model::Vpc {
        cidr: block,
        subnets: [(subnet, block)].into(),
        routes,
        without_public: Default::default(),
        ipv6_subnets: Default::default(),
        ipv6: None,
    };
    lab.cloud.vpcs.insert(VpcName::new("default"), vpc);
    lab.cloud.instances[&InstanceName::new("web2")].forwarding = Forwarding::Plain;
    let result = run_in(lab, vec![opening(ADMITTED)]);
    let [it] = result.steps[0].model.connections.not_compared.as_slice() else { panic!("{:?}", result.steps[0]) };
    assert!(it.name == session() && it.reason.contains("middlebox"), "{it:?}");
    assert_eq!((result.verdict, result.counts.connections), (RunVerdict::Passed, 0));
}

#[test]
fn a_datagram_that_nobody_asks_about_again_ages_from_when_it_was_sent() {
    let mut lab = Double { fate: Box::new(|_, _| cut()), ..obeying() };
    let port = Port(3306);
    lab.cloud.groups[&GroupName::new("SG-T-DB")].ingress[0].traffic = Traffic::Udp(PortRange::single(port));
    let end = |name| Endpoint::Instance(InstanceName::new(name));
    let flow = Flow { from: end("web1"), to: end("db1"), via: Via::Private, service: Service::Udp(port) };
    let mut tracker = ConnectionTracker::default();
    tracker.open(&lab.cloud, &session(), &flow);
    let sent = tracker.held[&session()].used;
    for _ in 0..2 {
        let compared = futures::executor::block_on(tracker.compare(&mut lab, &[])).expect("a comparison");
        assert_eq!((compared.compared, compared.disagreements.len()), (1, 0), "another question would find it cut");
    }
    assert_eq!(tracker.held[&session()].used, sent);
}
