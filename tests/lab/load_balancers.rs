//! Load balancers: who answers behind them, and by what a check of that goes red.

use sglab::model::{Endpoint, Era, Flow, InstanceName, LoadBalancerName, Operation, Scheme, Via};
use sglab::probe::{Health, HealthFailure, Outcome, Untaken};
use sglab::scenario::{self, Options, RunResult};
use sglab::topology::Topology;

use crate::clouds::{boot, probe, tcp, topology};

const CLASSIC: &str = "sglab: 1
era: classic
hosts: {world: 198.51.100.7}
groups: {WEB: [tcp 80 from amazon-elb/amazon-elb-sg]}
instances:
  web1: {groups: WEB, listens: [tcp 80]}
  web2: {groups: WEB, listens: [tcp 80]}
load-balancers:
  lb: {listeners: [tcp 8000 to 80], targets: [web1, web2], health-check: {interval: 0.1, timeout: 1, healthy: 2}}
scenario:
";

fn cloud(steps: &str) -> Topology {
    topology(&format!("{CLASSIC}{steps}"))
}

async fn run(steps: &str) -> RunResult {
    let topology = cloud(steps);
    let result = scenario::run(&topology, topology.eras[0], &Options::default(), &mut |_| {}).await;
    result.unwrap_or_else(|error| panic!("{error}"))
}

fn from_world(topology: &Topology) -> Flow {
    let (name, host) = topology.empty_cloud(Era::Classic).hosts.into_iter().next().expect("a host");
    let to = Endpoint::LoadBalancer(LoadBalancerName::new("lb"), Scheme::InternetFacing);
    Flow { from: Endpoint::Host(name, host.addresses[0]), to, via: Via::Public, service: tcp(8000) }
}

const RIGHT: &str = "  - {step: one, expect: {open: [world -> lb:8000 answered by web1 and web2]}}\n";

#[sglab::test]
async fn a_wrong_word_about_a_load_balancer_goes_red() {
    let steps = "
  - {step: one too few, expect: {open: [world -> lb:8000 answered by web1]}}
  - {step: not out, expect: {out-of-service: {lb: web1}}}
  - {step: stopped, do: {stop: web1}, expect: {in-service: {lb: web1}}}
  - {step: one too many, expect: {open: [world -> lb:8000 answered by web1 and web2]}}
  - {step: nobody, do: {stop: web2}, expect: {open: [world -> lb:8000 answered by web2]}}
  - {step: and so it closes what it takes, expect: {closed: [world -> lb:8000]}}
";
    let result = run(steps).await;
    let found: Vec<_> = result.steps.iter().flat_map(|step| step.section(scenario::LOAD_BALANCERS)).collect();
    assert_eq!(found.len(), 5);
    for it in &found {
        assert!(it.is_failed(), "{it:?}");
    }
    assert_eq!(found[0].observed, "answered by web1 and web2");
    assert_eq!(found[1].observed, "in service");
    assert!(found[2].observed.starts_with("out of service; 10.0.0.11:80: unreachable"), "{:?}", found[2]);
    assert_eq!(found[3].observed, "answered by web2");
    assert!(found[4].observed.contains("no instance behind it is in service"), "{:?}", found[4]);
    assert_eq!(result.steps[5].counts.closed, 1);
    assert_eq!(result.counts.timed_out, 0);
}

/// EC2-Classic keeps the address of a crashed machine, with a link behind which nobody answers: no record, no error.
#[sglab::test]
async fn a_silent_target_leaves_by_the_timeout_of_its_health_check() {
    let topology = cloud(RIGHT);
    let mut lab = boot(&topology, Era::Classic).await;
    lab.apply(&Operation::Crash(InstanceName::new("web1"))).await.unwrap_or_else(|error| panic!("{error}"));
    let health = lab.health().await.unwrap_or_else(|error| panic!("{error}"));
    let of = |name: &str| health["lb"][&InstanceName::new(name)].clone();
    assert_eq!(
        of("web1"),
        Health::OutOfService { why: HealthFailure::Found(Untaken::NoAnswer("10.0.0.11:80".parse().unwrap())) }
    );
    assert_eq!(of("web2"), Health::InService);
}

#[sglab::test]
async fn who_gets_the_address_of_a_registration_gets_its_connections() {
    let steps = "
  - step: web1 restarts elsewhere, and a stranger gets its address
    do: [{stop: web1}, {start: web1}, {launch: {stranger: {groups: WEB, address: web1.previous}}}, {stop: web2}]
    expect: {in-service: {lb: web1}}
";
    let topology = cloud(steps);
    let mut lab = boot(&topology, Era::Classic).await;
    for operation in topology.steps[0].operations() {
        lab.apply(&operation.value).await.unwrap_or_else(|error| panic!("{error}"));
    }
    let seen = probe(&mut lab, from_world(&topology)).await;
    assert_eq!(seen.outcome, Outcome::Misdelivered { answered_by: "stranger".to_owned() });
}

#[sglab::test]
async fn a_terminated_target_is_forgotten() {
    let topology = cloud(RIGHT);
    let mut lab = boot(&topology, Era::Classic).await;
    lab.apply(&Operation::Terminate(InstanceName::new("web1"))).await.unwrap_or_else(|error| panic!("{error}"));
    let health = lab.health().await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(health["lb"].keys().map(InstanceName::as_str).collect::<Vec<_>>(), ["web2"]);
    for _ in 0..4 {
        let seen = probe(&mut lab, from_world(&topology)).await;
        assert_eq!(seen.answered_by.as_deref(), Some("web2"), "{seen:?}");
    }
}

/// The rule admits no other address, and yet a host outside is answered through the load balancer, and only so.
#[sglab::test]
async fn each_target_is_asked_from_the_load_balancers_own_address() {
    let topology = cloud(RIGHT);
    let mut lab = boot(&topology, Era::Classic).await;
    let seen = probe(&mut lab, from_world(&topology)).await;
    assert!(matches!(seen.outcome, Outcome::Open { admitted_by: Some(_) }), "{seen:?}");
    let direct = Flow { to: Endpoint::Instance(InstanceName::new("web1")), service: tcp(80), ..from_world(&topology) };
    assert!(matches!(probe(&mut lab, direct).await.outcome, Outcome::Dropped(_)));
    let balancer = lab.cloud().load_balancers["lb"].interface.private.expect("an address");
    let members = sglab::compile::render(lab.cloud()).expect("it compiles");
    assert!(members.contains(&format!("{balancer}")));
}

static TOLD: std::sync::Mutex<Vec<String>> = std::sync::Mutex::new(Vec::new());

/// Two checks must fail of one that is silent, and each waits for longer than a second before it does.
#[sglab::test]
async fn a_wait_for_slow_health_checks_is_told() {
    let steps = "  - {step: silent, do: {crash: web1}, expect: {out-of-service: {lb: web1}}}\n";
    let topology = topology(&format!("{CLASSIC}{steps}").replace("timeout: 1,", "timeout: 1.5,"));
    let tell: fn(&str) = |what| TOLD.lock().expect("no panic").push(what.to_owned());
    let options = Options { tell_waits: Some(tell), ..Options::default() };
    let result = scenario::run(&topology, topology.eras[0], &options, &mut |_| {}).await;
    assert_eq!(result.unwrap_or_else(|error| panic!("{error}")).verdict, scenario::RunVerdict::Passed);
    let expected = "waiting for the health checks of lb: one every 0.1 s, 2 that pass or 2 that fail in a row decide";
    assert_eq!(*TOLD.lock().expect("no panic"), [expected]);
}

const VPC: &str = "sglab: 1
era: vpc
hosts: {office: 203.0.113.10}
groups:
  APP: []
  ELB: [tcp 80 from APP, tcp 80 from office]
  WEB: [tcp 80 from ELB]
instances:
  app: {groups: APP}
  web1: {groups: WEB, listens: [tcp 80]}
load-balancers:
  lb: {groups: ELB, listeners: [tcp 80], targets: web1, health-check: {interval: 0.1, timeout: 1, healthy: 2}}
  in: {scheme: internal, groups: ELB, listeners: [tcp 80], targets: web1, health-check: {interval: 0.1, timeout: 1, healthy: 2}}
tables:
  usual: {open: [office -> lb:80, app -> in:80, lb -> web1:80, in -> web1:80]}
  private: {by: private, open: [office -> lb:80, app -> lb:80, app -> in:80, lb -> web1:80, in -> web1:80]}
scenario:
";

#[sglab::test]
async fn by_its_name_a_load_balancer_is_its_public_address_inside_and_an_internal_one_is_nowhere_outside() {
    let steps = "
  - step: without a word about the address it is the one that the name means
    expect:
      table: [usual, private]
      dropped: [app -> lb:80 at ingress, app -> lb:80 by dns name at ingress, app -> lb:80 by public address at ingress]
      open: [app -> in:80 answered by web1, app -> in:80 by dns name, app -> lb:80 by private address answered by web1]
      unreachable: [office -> in:80 by dns name]
";
    let topology = topology(&format!("{VPC}{steps}"));
    let result = scenario::run(&topology, Era::Vpc, &Options::default(), &mut |_| {}).await;
    let result = result.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(result.verdict, scenario::RunVerdict::Passed, "{:#?}", result.steps[0]);
    assert_eq!(result.counts.timed_out, 0);
}

/// A rule behind the lab's back drops what one of the two sends, and records nothing.
#[sglab::test]
async fn a_kernel_that_drops_a_health_check_against_the_model_is_told() {
    let steps =
        "  - {step: one, expect: {dropped: [app -> lb:80]}}\n  - {step: two, expect: {closed: [office -> lb:80]}}\n";
    let topology = topology(&format!("{VPC}{steps}"));
    let mut lab = boot(&topology, Era::Vpc).await;
    let router = crate::clouds::node(&lab, "vpc-default");
    let of = |name: &str| lab.cloud().load_balancers[name].interface.private.expect("an address");
    let rule = format!("ip saddr {} tcp dport 80 drop", of("lb"));
    let inserted = router.run(move || {
        let program = sglab::sandbox::which::nft().expect("nft");
        let words = ["insert", "rule", "inet", "sglab", "ingress/WEB"].into_iter().chain(rule.split(' '));
        std::process::Command::new(program).args(words).status()
    });
    assert!(inserted.await.expect("a thread").expect("nft").success());
    let (options, mut ignore) = (Options::default(), |_: scenario::Progress<'_>| ());
    let running = scenario::run_on(&mut lab, &topology, std::time::Duration::ZERO, &options, &mut ignore);
    let result = running.await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(result.verdict, scenario::RunVerdict::Failed);
    let told: Vec<String> = result.steps[1].model.flows.iter().map(|it| it.flow.to_string()).collect();
    let both = ["office -> lb:80", "app -> lb:80 by private address"];
    assert_eq!(told, both, "the file expects what it sees, and the model does not");
}
