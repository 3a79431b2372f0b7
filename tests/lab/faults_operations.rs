//! A fault at every step of every operation: what failed is undone, and what is undone was never done.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::sync::Arc;

use indexmap::IndexSet;
use sglab::fabric::faults::{Faults, Moment, Step};
use sglab::fabric::{FabricError, Namespace};
use sglab::lab::{Lab, LabError};
use sglab::model::{Cloud, Direction, Era, InstanceName, Operation, Via};
use sglab::policy;
use sglab::probe::{Health, Outcome};
use sglab::scenario::agreement::{Agreement, compare};
use sglab::scenario::cells;
use sglab::topology::Topology;

use crate::bare::{connection, inside, is_silent, passes, run};
use crate::clouds::*;
use crate::dealt::is_ours;
use crate::snapshot::Snapshot;

/// Groups with rules of every kind of peer, an interface to come, addresses that move.
const VPC: &str = "sglab: 1
era: vpc
vpcs: {main: {cidr: 10.0.0.0/16, ipv6: yes, subnets: {a: 10.0.0.0/24, b: 10.0.1.0/24}}}
hosts: {office: 203.0.113.10}
prefix-lists: {partners: [203.0.113.0/24]}
elastic-ips: {spare: none}
groups:
  WEB: [tcp 80 from anywhere, tcp 4000-4009 from office, icmp echo from partners]
  DB: [tcp 3306 from WEB, tcp 4000-4009 from WEB]
  OTHER: []
instances:
  web1: {groups: [WEB], listens: [tcp 80]}
  web2: {groups: [WEB]}
  db1: {groups: [DB], subnet: b}
scenario:
- step: as launched
  expect: {open: ['web1 -> db1:3306', 'office -> web1:ping']}
- step: all that is done
  do:
  OPERATIONS
  expect: {open: ['web2 -> db1:3306']}
";

const ARTICLE: &str = "sglab: 1
era: article
hosts: {office: 203.0.113.10}
groups:
  WEB: [tcp 80 from anywhere, tcp 4000-4009 from office]
  DB: [tcp 3306 from WEB, tcp 4000-4009 from WEB]
  OTHER: []
instances: {web1: {groups: [WEB]}, web2: {groups: [WEB]}, db1: {groups: [DB]}}
scenario:
- step: as launched
  expect: {open: ['web1 -> db1:3306']}
- step: all that is done
  do:
  OPERATIONS
  expect: {open: ['web2 -> db1:3306']}
";

#[sglab::test]
async fn rules_groups_and_prefix_lists_are_changed_whole_or_not_at_all() {
    let operations = "
    - authorize: {DB: [tcp 22 from partners, 'tcp 3306 from ::/0']}
    - authorize-egress: {DB: [tcp 443 to WEB]}
    - edit-prefix-list: {partners: {add: [192.0.2.0/25], remove: [203.0.113.0/24]}}
    - revoke: {WEB: [tcp 80 from anywhere]}
    - revoke-egress: {DB: [all to anywhere]}
    - set-groups: {web2: [WEB, OTHER]}
    - create-group: {NEW: [tcp 80 from WEB]}
    - set-groups: {web2: [WEB, NEW]}
    - set-groups: {web2: [WEB]}
    - delete-group: NEW";
    whole_or_not_at_all(VPC, operations, Era::Vpc).await;
}

#[sglab::test]
async fn interfaces_and_addresses_are_changed_whole_or_not_at_all() {
    let operations = "
    - attach-interface: {db1: {eth1: {groups: OTHER, subnet: a}}}
    - source-dest-check: {db1.eth1: off}
    - detach-interface: db1.eth1
    - allocate-address: second
    - associate-address: {second: web2}
    - associate-address: {spare: web1}
    - associate-address: {second: db1}
    - disassociate-address: second
    - associate-address: {second: db1}
    - release-address: second";
    whole_or_not_at_all(VPC, operations, Era::Vpc).await;
}

#[sglab::test]
async fn instances_of_a_vpc_come_and_go_whole_or_not_at_all() {
    let operations = "
    - reboot: web1
    - launch: {web3: {groups: [WEB], interfaces: {eth1: {groups: OTHER, subnet: b}}}}
    - stop: web1
    - start: web1
    - crash: web1
    - start: web1
    - terminate: web3";
    whole_or_not_at_all(VPC, operations, Era::Vpc).await;
}

#[sglab::test]
async fn instances_of_the_article_come_and_go_whole_or_not_at_all() {
    let operations = "
    - stop: web1
    - set-groups: {web1: [WEB, OTHER]}
    - start: web1
    - crash: web1
    - launch: {web3: {groups: [WEB], address: web1.previous}}
    - start: web1
    - terminate: web3";
    whole_or_not_at_all(ARTICLE, operations, Era::Article).await;
}

/// Connections that no failure may end.
struct Held {
    pairs: Vec<(TcpStream, TcpStream)>,
    in_service: Vec<(String, bool)>,
}

/// Whom each load balancer has in service, once its health checks agree about it.
async fn in_service(lab: &Lab) -> Vec<(String, bool)> {
    let all = lab.health().await.unwrap_or_else(|error| panic!("{error}"));
    let targets = all.iter().flat_map(|(balancer, targets)| targets.iter().map(move |target| (balancer, target)));
    targets.map(|(balancer, (name, health))| (format!("{name} of {balancer}"), *health == Health::InService)).collect()
}

/// Every so many steps the load balancers are asked: they take their time.
const STEPS_BETWEEN_HEALTH: usize = 12;

impl Held {
    /// As many as there are running instances for.
    async fn open(lab: &Lab, port: u16) -> Self {
        let running = |name: &str| {
            let instance = &lab.cloud().instances[&InstanceName::new(name)];
            instance.state == sglab::model::InstanceState::Running
        };
        let mut pairs = Vec::new();
        let at = |port| SocketAddrV4::new(private(lab.cloud(), "db1").0, port);
        for (number, client) in ["web1", "web2"].into_iter().enumerate().filter(|(_, name)| running(name)) {
            let source = private(lab.cloud(), client).0;
            let at = at(port + u16::try_from(number).expect("few"));
            pairs.push(connection(&node(lab, client), source, &node(lab, "db1"), at).await);
        }
        if running("web1") {
            let at = SocketAddrV4::new(public(lab.cloud(), "web1").0, port);
            let office = Ipv4Addr::new(203, 0, 113, 10);
            pairs.push(connection(&node(lab, "office"), office, &node(lab, "web1"), at).await);
        }
        Self { pairs, in_service: in_service(lab).await }
    }

    fn all_pass(&mut self) -> bool {
        self.pairs.iter_mut().all(|(client, server)| passes(client, server) && passes(server, client))
    }
}

/// A step that deletes a tracked flow: there is no way back behind it.
fn forgets(step: &Step) -> bool {
    step.attempt == "forget a tracked flow"
}

/// Carries out each operation of a topology's second step. Before it succeeds it fails at every step that it has (that is
/// ours: with two users, one has the even ones and the other the odd).
pub async fn whole_or_not_at_all(template: &str, operations: &str, era: Era) {
    let topology = topology(&template.replace("\n  OPERATIONS", operations));
    let faults = Faults::default();
    let operations: Vec<Operation> = topology.steps[1].operations().map(|it| it.value.clone()).collect();
    let mut lab = lab_after(&topology, era, &faults, &[]).await;
    let mut steps = BTreeMap::new();
    for (done, operation) in operations.iter().enumerate() {
        let mut held = Held::open(&lab, 4004).await;
        let before = Snapshot::of(&lab).await;
        let mut number = 0;
        loop {
            // Shift by the operation: where two kinds of steps take turns, each user meets both.
            if !is_ours(number + done) {
                number += 1;
                continue;
            }
            // First what it would meet; then the same again, where it has its effect and fails nevertheless.
            let Some(step) = fails(&mut lab, &faults, operation, number, Moment::Before, &before, &mut held).await
            else {
                break;
            };
            if is_broken(&mut lab).await {
                // There was more than one flow to forget: this lab is done with, and the operation with its faults.
                assert!(forgets(&step), "{operation:?}, {step:?}");
                lab = lab_after(&topology, era, &faults, &operations[..=done]).await;
                break;
            }
            if !forgets(&step) {
                fails(&mut lab, &faults, operation, number, Moment::After, &before, &mut held).await.expect("a step");
            }
            *steps.entry(step.attempt.split(' ').take(3).collect::<Vec<_>>().join(" ")).or_insert(0) += 1;
            number += 1;
        }
        drop(held);
        as_the_policy_says(&mut lab, &topology, operation).await;
    }
    assert!(steps.len() > 1, "{steps:?}");
}

/// A lab in which operations have been carried out.
async fn lab_after(topology: &Topology, era: Era, faults: &Faults, operations: &[Operation]) -> Lab {
    let (cloud, listeners) = initial_cloud(topology, era);
    let mut lab = Lab::boot_with(cloud, listeners, faults.clone()).await.unwrap_or_else(|error| panic!("{error}"));
    for operation in operations {
        change(&mut lab, operation).await;
    }
    lab
}

/// Whether a lab refuses to measure.
async fn is_broken(lab: &mut Lab) -> bool {
    matches!(lab.probe(&[]).await, Err(LabError::Broken(_)))
}

/// An operation that fails at a step changes nothing; gives the step, or nothing if it has succeeded for want of one.
async fn fails(
    lab: &mut Lab,
    faults: &Faults,
    operation: &Operation,
    number: usize,
    moment: Moment,
    before: &Snapshot,
    held: &mut Held,
) -> Option<Step> {
    faults.arm([(number, moment)]);
    let done = lab.apply(operation).await;
    let step = faults.disarm().into_iter().find(|step| step.failed.is_some());
    let Some(step) = step else {
        done.unwrap_or_else(|error| panic!("{operation:?}, without a fault: {error}"));
        return None;
    };
    let told = format!("{operation:?}, where \"{}\" in {} fails {moment:?} its effect", step.attempt, step.node);
    if forgets(&step) && done.is_ok() {
        // Another flow had ended by itself meanwhile, so they were listed anew, and this one went with the rest.
        return None;
    }
    let error = done.err().unwrap_or_else(|| panic!("it has succeeded: {told}"));
    let text = error.to_string();
    if forgets(&step) && text.contains("forgotten already") {
        return Some(step);
    }
    assert!(!matches!(error, LabError::Fabric(FabricError::Broken { .. }) | LabError::Broken(_)), "{told}: {text}");
    assert!(text.contains("memory"), "{told}: {text}");
    if step.node.0 != "*" {
        assert!(text.contains(&step.node.0), "it names the place, {told}: {text}");
    }
    let of_nft = matches!(error, LabError::Fabric(FabricError::Nft { .. }));
    assert!(of_nft || text.contains(&step.attempt), "it names what was attempted, {told}: {text}");
    assert!(held.all_pass(), "every connection lives, after {told}");
    before.assert_is_now(lab, &told).await;
    if !held.in_service.is_empty() && number.is_multiple_of(STEPS_BETWEEN_HEALTH) {
        assert_eq!(in_service(lab).await, held.in_service, "who is in service, after {told}");
    }
    Some(step)
}

/// Every cell by every kind of address is what the policy says.
async fn as_the_policy_says(lab: &mut Lab, topology: &Topology, after: &Operation) {
    let vias = IndexSet::from([None, Some(Via::Public), Some(Via::Ipv6)]);
    let flows: Vec<_> = cells::grid(lab.cloud(), &topology.columns, &vias).collect();
    let batch = lab.probe(&flows).await.unwrap_or_else(|error| panic!("{error}"));
    assert!(batch.canaries_held);
    for seen in &batch.observations {
        let verdict = policy::judge(lab.cloud(), &seen.flow);
        // Who has crashed and keeps its address is silent, and silence proves nothing.
        let crashed = seen
            .flow
            .to
            .interface()
            .is_some_and(|id| lab.cloud().state_of(&id) == Some(sglab::model::InstanceState::Crashed));
        let agreement = compare(&verdict, seen);
        let right = agreement == Agreement::Agree || (crashed && agreement == Agreement::Unproved);
        assert!(right, "after {after:?}, {}: {verdict:?} and {:?}", seen.flow, seen.outcome);
    }
}

/// The cloud of the tests below, with one flow between each two.
async fn lab_with_faults(era: Era) -> (Lab, Faults) {
    let (cloud, listeners) = small(era);
    let faults = Faults::default();
    let lab = Lab::boot_with(cloud, listeners, faults.clone()).await.unwrap_or_else(|error| panic!("{error}"));
    (lab, faults)
}

fn small(era: Era) -> (Cloud, sglab::lab::Listeners) {
    let text = "sglab: 1
era: vpc
hosts: {office: 203.0.113.10}
groups: {WEB: [tcp 4000-4009 from office], DB: [tcp 4000-4009 from WEB]}
instances: {web1: {groups: [WEB]}, db1: {groups: [DB]}}
scenario: [{step: as launched, expect: {open: ['web1 -> db1:4000']}}]
";
    initial_cloud(&topology(text), era)
}

/// What of labs this process holds: names of namespaces, descriptors, threads that watch.
fn holdings() -> (usize, usize, usize) {
    let count = |folder: &str| std::fs::read_dir(folder).map_or(0, Iterator::count);
    let named = |task: &std::fs::DirEntry| std::fs::read_to_string(task.path().join("comm")).unwrap_or_default();
    let tasks = std::fs::read_dir("/proc/self/task").expect("threads").flatten();
    let watching = tasks.filter(|task| named(task).starts_with("witness")).count();
    let labs = std::fs::read_dir("/run/sglab")
        .map_or(0, |labs| labs.flatten().map(|lab| count(&format!("{}/netns", lab.path().display()))).sum());
    (count("/run/netns") + labs, count("/proc/self/fd"), watching)
}

#[sglab::test]
async fn a_boot_that_fails_leaves_nothing_of_itself() {
    let (cloud, listeners) = small(Era::Vpc);
    // The runtime opens what it needs on first use.
    drop(Lab::boot(cloud.clone(), listeners.clone()).await.unwrap_or_else(|error| panic!("{error}")));
    let before = holdings();
    let mut number = 0;
    loop {
        let faults = Faults::default();
        faults.arm([(number, Moment::Before)]);
        let booted = Lab::boot_with(cloud.clone(), listeners.clone(), faults.clone()).await;
        let Some(step) = faults.disarm().into_iter().find(|step| step.failed.is_some()) else {
            let mut lab = booted.unwrap_or_else(|error| panic!("{error}"));
            assert!(is_open(&probe(&mut lab, flow("web1", "db1", tcp(4000))).await.outcome));
            break;
        };
        let error = booted.err().unwrap_or_else(|| panic!("it has booted without: {step:?}")).to_string();
        assert!(error.contains("memory"), "{step:?}: {error}");
        assert!(step.node.0 == "*" || error.contains(&step.node.0), "{step:?}: {error}");
        // The runtime closes the sockets of a task that was ended when it comes to it.
        let begun = std::time::Instant::now();
        loop {
            let after = holdings();
            if (after.0, after.2) == (before.0, before.2) && after.1 <= before.1 {
                break;
            }
            assert!(begun.elapsed() < crate::bare::soon(), "{step:?}: {before:?}, {after:?}");
            tokio::task::yield_now().await;
        }
        // One of each kind and the rest in larger strides: a boot has hundreds of steps of few kinds.
        number += if number < 60 { 1 } else { 7 };
    }
    assert!(number > 60);
}

#[sglab::test]
async fn an_undo_that_fails_breaks_the_lab_and_nothing_is_measured_any_more() {
    // As many steps as a stop has, and the undo of the last.
    let (mut lab, faults) = lab_with_faults(Era::Vpc).await;
    faults.arm([]);
    change(&mut lab, &stop("web1")).await;
    let steps = faults.disarm();
    drop(lab);
    let last = steps.iter().rposition(|step| !step.attempt.contains("tracked flow")).expect("a step");
    for undone in [last + 1, last + 3] {
        let (mut lab, faults) = lab_with_faults(Era::Vpc).await;
        faults.arm([(last, Moment::Before), (undone, Moment::Before)]);
        let error = lab.apply(&stop("web1")).await.expect_err("it fails");
        let met: Vec<_> = faults.disarm().into_iter().filter(|step| step.failed.is_some()).collect();
        assert_eq!(met.len(), 2, "{met:?}");
        let text = error.to_string();
        assert!(text.contains(&steps[last].attempt) && text.contains("taking it back failed"), "{text}");
        let refused = lab.probe(&[flow("web1", "db1", tcp(4000))]).await.expect_err("nothing is measured");
        assert!(matches!(&refused, LabError::Broken(_)) && refused.to_string().contains("broken"), "{refused}");
        let refused = lab.apply(&start("web1")).await.expect_err("nothing is changed");
        assert!(matches!(refused, LabError::Broken(_)), "{refused}");
    }
}

/// The flows that a namespace tracks with a port of theirs.
async fn tracked(node: &Arc<Namespace>, ports: &[u16]) -> usize {
    let listed = run(node, "conntrack", "-L -p tcp").await;
    let has = |line: &&str| ports.iter().any(|port| line.contains(&format!("sport={port} ")));
    listed.lines().filter(has).count()
}

#[sglab::test]
async fn a_flow_that_cannot_be_forgotten_undoes_the_operation() {
    let (mut lab, faults) = lab_with_faults(Era::Vpc).await;
    let at = SocketAddrV4::new(private(lab.cloud(), "db1").0, 4004);
    let (mut client, mut server) =
        connection(&node(&lab, "web1"), private(lab.cloud(), "web1").0, &node(&lab, "db1"), at).await;
    let ports = [client.local_addr().expect("an address").port()];
    let router = node(&lab, "vpc-default");
    assert_eq!(tracked(&router, &ports).await, 1);
    let before = Snapshot::of(&lab).await;
    let mut number = 0;
    // Every failure up to the deletion itself; behind that there is nothing more to fail.
    loop {
        faults.arm([(number, Moment::Before)]);
        let done = lab.apply(&stop("web1")).await;
        let Some(step) = faults.disarm().into_iter().find(|step| step.failed.is_some()) else {
            done.unwrap_or_else(|error| panic!("{error}"));
            break;
        };
        let error = done.expect_err("it fails").to_string();
        assert_eq!(tracked(&router, &ports).await, 1, "{step:?}: {error}");
        assert!(passes(&mut client, &mut server), "{step:?}: {error}");
        if step.attempt.contains("tracked flow") {
            before.assert_is_now(&lab, &step.attempt).await;
        }
        number += 1;
    }
    assert_eq!(tracked(&router, &ports).await, 0, "and when it succeeds it is forgotten");
}

#[sglab::test]
async fn flows_that_are_forgotten_in_one_place_only_break_the_lab() {
    let (mut lab, faults) = lab_with_faults(Era::Vpc).await;
    let at = SocketAddrV4::new(public(lab.cloud(), "web1").0, 4004);
    // By public address: both the gateway and the router track it.
    let held = connection(&node(&lab, "office"), Ipv4Addr::new(203, 0, 113, 10), &node(&lab, "web1"), at).await;
    let mut number = 0;
    let (error, step) = loop {
        faults.arm([(number, Moment::Before)]);
        let done = lab.apply(&stop("web1")).await;
        let steps = faults.disarm();
        let deletions: Vec<_> = steps.iter().filter(|step| forgets(step)).collect();
        let step = steps.iter().find(|step| step.failed.is_some()).expect("one of its steps fails").clone();
        let error = done.expect_err("it fails");
        // The last deletion is refused when another has been carried out.
        if deletions.len() > 1 {
            break (error, step);
        }
        assert!(!matches!(error, LabError::Fabric(FabricError::Broken { .. })), "{step:?}: {error}");
        number += 1;
    };
    assert!(matches!(error, LabError::Fabric(FabricError::Broken { .. })), "{step:?}: {error}");
    assert!(error.to_string().contains("forgotten already"), "{error}");
    let refused = lab.probe(&[flow("web1", "db1", tcp(4000))]).await.expect_err("nothing is measured");
    assert!(matches!(refused, LabError::Broken(_)), "{refused}");
    drop(held);
}

#[sglab::test]
async fn an_operation_that_nobody_waits_for_breaks_the_lab() {
    let (mut lab, _) = lab_with_faults(Era::Vpc).await;
    {
        let operation = stop("web1");
        let mut begun = Box::pin(lab.apply(&operation));
        // It is under way, and then it is dropped.
        assert!(futures::poll!(&mut begun).is_pending());
    }
    let refused = lab.probe(&[flow("web1", "db1", tcp(4000))]).await.expect_err("nothing is measured");
    assert!(refused.to_string().contains("nobody waited"), "{refused}");
}

#[sglab::test]
async fn a_reboot_keeps_its_ports_and_ends_its_connections() {
    let (mut lab, _) = lab_with_faults(Era::Vpc).await;
    let at = SocketAddrV4::new(private(lab.cloud(), "db1").0, 4000);
    let web1 = private(lab.cloud(), "web1").0;
    // To the harness' own listener, which answers the first sixteen bytes.
    let sender = node(&lab, "web1");
    let client = inside(&sender, move || {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
        socket.bind(&SocketAddrV4::new(web1, 0).into())?;
        socket.connect(&at.into())?;
        socket.set_read_timeout(Some(crate::bare::soon()))?;
        Ok::<TcpStream, std::io::Error>(socket.into())
    });
    let mut client = client.await.expect("a connection");
    std::io::Write::write_all(&mut client, b"sixteen bytes...").expect("sent");
    let mut answer = [0; 64];
    assert!(std::io::Read::read(&mut client, &mut answer).expect("an answer") > 16);
    assert!(is_silent(&mut client), "it lives");
    change(&mut lab, &Operation::Reboot(InstanceName::new("db1"))).await;
    let ended = std::io::Read::read(&mut client, &mut answer);
    assert!(matches!(ended, Ok(0)) || ended.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset));
    let found = outcomes(&mut lab, &[flow("web1", "db1", tcp(4000)), flow("db1", "web1", tcp(4000))]).await;
    assert!(is_open(&found[0]), "{found:?}");
    assert!(
        matches!(&found[1], Outcome::Dropped(_)) && dropped_at(&found[1]) == Some((Direction::Ingress, "web1".into()))
    );
}
