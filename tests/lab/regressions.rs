//! Faults that other emulators of security groups shipped.

use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};

use sglab::fabric::FabricError;
use sglab::lab::{Lab, LabError};
use sglab::model::{
    AddressRequest, ConnectionName, Direction, Endpoint, Era, Flow, HostName, InstanceName, Operation, Service, Via,
};
use sglab::network::nft::{Change, NftRule};
use sglab::network::{Action, NodeName};
use sglab::probe::{Held, Outcome};

use crate::bare::{Bare, inside, nft_script, table};
use crate::clouds::*;

/// Messages without ports have no socket of their own: what a router said of one was heard by every socket of the same
/// sender that had no peer yet, and the last of many have none while the first are answered.
#[sglab::test]
async fn an_error_that_another_packet_brought_back_is_no_answer() {
    let many: Vec<String> =
        (0..400).map(|number| format!("203.0.{}.{}", number / 200 + 112, number % 200 + 1)).collect();
    let topology = topology(&format!(
        "sglab: 1
era: vpc
hosts: {{world: [{}]}}
groups: {{CLOSED: []}}
instances: {{a: {{groups: [CLOSED]}}, gone: {{groups: [CLOSED]}}}}
scenario: [{{step: as launched, expect: {{dropped: ['a -> gone:protocol 47']}}}}]
",
        many.join(", ")
    ));
    let mut lab = boot(&topology, Era::Vpc).await;
    change(&mut lab, &Operation::Stop(InstanceName::new("gone"))).await;
    let unreachable = flow("a", "gone", Service::Protocol(47));
    let world = HostName::new("world");
    let addresses = lab.cloud().hosts[&world].addresses.clone();
    let open = addresses.into_iter().map(|address| Flow {
        to: Endpoint::Host(world.clone(), address),
        via: Via::Public,
        ..unreachable.clone()
    });
    let flows: Vec<Flow> = std::iter::once(unreachable.clone()).chain(open).collect();
    let found = outcomes(&mut lab, &flows).await;
    assert_eq!(found[0], Outcome::Unreachable { by: Some(NodeName("vpc-default".into())) });
    for outcome in &found[1..] {
        assert!(is_open(outcome), "{outcome:?}");
    }
}

#[sglab::test]
async fn an_egress_accept_does_not_skip_the_receivers_ingress() {
    // Both orders: a peer's fault showed in one of them only.
    for instances in ["{a: {groups: [A]}, b: {groups: [B]}}", "{b: {groups: [B]}, a: {groups: [A]}}"] {
        let topology = topology(&format!(
            "sglab: 1
era: vpc
groups: {{A: [], B: [tcp 80 from A]}}
instances: {instances}
scenario: [{{step: as launched, expect: {{dropped: ['a -> b:22']}}}}]
"
        ));
        let mut lab = boot(&topology, Era::Vpc).await;
        let flows = [flow("a", "b", tcp(80)), flow("a", "b", tcp(22)), flow("a", "b", Service::IcmpEcho)];
        let found = outcomes(&mut lab, &flows).await;
        assert!(is_open(&found[0]), "{found:?}");
        for closed in &found[1..] {
            assert_eq!(dropped_at(closed), Some((Direction::Ingress, "b".into())), "{instances}");
        }
    }
}

#[sglab::test]
async fn an_open_ingress_does_not_skip_the_senders_egress() {
    for instances in ["{a: {groups: [A]}, b: {groups: [B]}}", "{b: {groups: [B]}, a: {groups: [A]}}"] {
        let topology = topology(&format!(
            "sglab: 1
era: vpc
groups: {{A: [], B: [tcp 80 from anywhere]}}
instances: {instances}
scenario: [{{step: as launched, expect: {{open: ['a -> b:80']}}}}]
"
        ));
        let (mut cloud, listeners) = initial_cloud(&topology, Era::Vpc);
        cloud.groups[0].egress.clear();
        assert_eq!(cloud.groups.get_index(0).expect("a group").0.as_str(), "A");
        let mut lab = Lab::boot(cloud, listeners).await.unwrap_or_else(|error| panic!("{error}"));
        let found = outcomes(&mut lab, &[flow("a", "b", tcp(80))]).await;
        assert_eq!(dropped_at(&found[0]), Some((Direction::Egress, "a".into())), "{instances}");
    }
}

const CLOSED: &str = "sglab: 1
era: classic
groups: {CLOSED: [], DB: [tcp 3306 from NOBODY], NOBODY: []}
instances: {web1: {groups: [CLOSED]}, web2: {groups: [CLOSED]}, db1: {groups: [DB]}}
scenario: [{step: as launched, expect: {dropped: ['web1 -> web2:80', 'web1 -> db1:3306', 'web1 -> db1:53/udp']}}]
";

#[sglab::test]
async fn two_instances_in_one_subnet_do_not_bypass_the_filter() {
    let mut lab = boot(&topology(CLOSED), Era::Classic).await;
    let subnet = |name: &str| private(lab.cloud(), name).0.octets()[..3].to_vec();
    assert_eq!(subnet("web1"), subnet("web2"));
    let services = [tcp(80), udp(53), Service::IcmpEcho];
    let flows = services.map(|service| flow("web1", "web2", service));
    for outcome in outcomes(&mut lab, &flows).await {
        assert_eq!(dropped_at(&outcome), Some((Direction::Ingress, "web2".into())));
    }
}

#[sglab::test]
async fn a_rule_for_an_empty_group_matches_nobody() {
    let mut lab = boot(&topology(CLOSED), Era::Classic).await;
    let flows = [flow("web1", "db1", tcp(3306)), flow("web2", "db1", tcp(3306))];
    for outcome in outcomes(&mut lab, &flows).await {
        assert_eq!(dropped_at(&outcome), Some((Direction::Ingress, "db1".into())));
    }
    change(&mut lab, &launch("first", &["NOBODY"], AddressRequest::Automatic)).await;
    assert!(is_open(&probe(&mut lab, flow("first", "db1", tcp(3306))).await.outcome), "its first member");
    assert!(is_dropped(&probe(&mut lab, flow("web1", "db1", tcp(3306))).await.outcome), "and nobody else");
}

fn good_rule() -> Change {
    let rule = NftRule { text: "tcp dport 22 accept".into(), id: "sgr-99".into(), note: String::new() };
    Change::AddRule("ingress/DB".into(), rule)
}

fn transaction(node: &str, forward: Vec<Change>, back: Vec<Change>) -> Action {
    Action::Nft { node: NodeName(node.into()), forward, back }
}

#[sglab::test]
async fn a_transaction_whose_second_line_fails_changes_nothing_and_says_what_nft_said() {
    let mut bare = Bare::boot(initial_cloud(&topology(CLOSED), Era::Classic).0).await;
    let router = bare.node("vpc-default");
    let before = table(&router).await;
    let taken_back = vec![Change::DeleteRule("ingress/DB".into(), "sgr-99".into())];
    let bad = vec![good_rule(), Change::DeleteSet("members/UNKNOWN".into())];
    let failed = bare.fabric.execute(&vec![vec![transaction("vpc-default", bad, taken_back)]]).await;
    let error = failed.expect_err("nft refuses the second line");
    let FabricError::Nft { node, script, message } = &error else { panic!("{error}") };
    assert_eq!(node.0, "vpc-default");
    assert!(script.contains("members/UNKNOWN"), "{script}");
    assert!(message.contains("No such file or directory") && message.contains("members/UNKNOWN"), "{message}");
    assert!(error.to_string().contains("vpc-default") && error.to_string().contains(message.as_str()), "{error}");
    assert_eq!(table(&router).await, before, "handles and all");
}

#[sglab::test]
async fn a_change_that_fails_in_one_namespace_is_taken_back_in_the_others() {
    let mut bare = Bare::boot(initial_cloud(&topology(CLOSED), Era::Classic).0).await;
    let (router, gateway) = (bare.node("vpc-default"), bare.node("gateway-default"));
    let before = (table(&router).await, table(&gateway).await);
    let good =
        transaction("vpc-default", vec![good_rule()], vec![Change::DeleteRule("ingress/DB".into(), "sgr-99".into())]);
    let bad = || transaction("gateway-default", vec![Change::DeleteSet("unknown".into())], vec![]);
    for phases in [vec![vec![good.clone()], vec![bad()]], vec![vec![good.clone(), bad()]]] {
        let error = bare.fabric.execute(&phases).await.expect_err("nft refuses the second");
        assert!(matches!(&error, FabricError::Nft { node, .. } if node.0 == "gateway-default"), "{error}");
        assert_eq!((table(&router).await, table(&gateway).await), before);
    }
}

#[sglab::test]
async fn an_operation_that_nft_refuses_leaves_lab_and_kernel_as_they_were() {
    let mut lab = boot(&topology(CLOSED), Era::Classic).await;
    let router = node(&lab, "vpc-default");
    // Somebody else has taken away what the operation would: so nft refuses it.
    let web1 = private(lab.cloud(), "web1");
    nft_script(&router, format!("delete element inet sglab members/CLOSED {{ {web1} }}")).await;
    let before = (lab.cloud().clone(), lab.rule_handles().await.expect("handles"), table(&router).await);
    let error = lab.apply(&stop("web1")).await.expect_err("nft refuses it");
    assert!(matches!(&error, LabError::Fabric(FabricError::Nft { .. })), "{error}");
    assert!(error.to_string().contains("No such file or directory"), "{error}");
    let after = (lab.cloud().clone(), lab.rule_handles().await.expect("handles"), table(&router).await);
    assert!(after == before, "{}\n{}", before.2, after.2);
    let found = outcomes(&mut lab, &[flow("web2", "web1", tcp(80))]).await;
    assert_eq!(dropped_at(&found[0]), Some((Direction::Ingress, "web1".into())), "web1 runs as before");
}

#[sglab::test]
async fn a_sender_that_does_not_run_proves_nothing() {
    let mut lab = boot(&topology(CLOSED), Era::Classic).await;
    change(&mut lab, &stop("web1")).await;
    let found = outcomes(&mut lab, &[flow("web1", "db1", tcp(3306))]).await;
    assert!(matches!(&found[0], Outcome::Inconclusive { why } if why.to_string().contains("not running")), "{found:?}");
}

const DEAF: &str = "sglab: 1
era: classic
groups: {WEB: [], DB: [tcp 3306 from WEB, udp 53 from WEB]}
instances: {web1: {groups: [WEB]}, db1: {groups: [DB]}}
scenario: [{step: as launched, expect: {refused: ['web1 -> db1:3306', 'web1 -> db1:53/udp']}}]
";

#[sglab::test]
async fn a_port_that_nobody_listens_on_is_refused_and_never_dropped() {
    let mut lab = boot(&topology(DEAF), Era::Classic).await;
    for service in [tcp(3306), udp(53)] {
        let observation = probe(&mut lab, flow("web1", "db1", service)).await;
        assert!(matches!(observation.outcome, Outcome::Refused { admitted_by: Some(_) }), "{observation:?}");
        assert!(!observation.timed_out);
    }
}

#[sglab::test]
async fn a_listener_that_never_answers_proves_nothing() {
    let mut lab = boot(&topology(DEAF), Era::Classic).await;
    let db1 = node(&lab, "db1");
    // The kernel completes the handshake, and the program behind it is dead.
    let dead = inside(&db1, || TcpListener::bind((Ipv4Addr::UNSPECIFIED, 3306))).await.expect("a listener");
    let observation = probe(&mut lab, flow("web1", "db1", tcp(3306))).await;
    assert!(matches!(observation.outcome, Outcome::Inconclusive { .. }), "{observation:?}");
    assert!(observation.timed_out, "patience had to end it, and that is counted");
    // A program that answers with something else is not the receiver's word either.
    drop(dead);
    let wrong = inside(&db1, || TcpListener::bind((Ipv4Addr::UNSPECIFIED, 3306))).await.expect("a listener");
    let answering = std::thread::spawn(move || {
        let (mut stream, _) = wrong.accept()?;
        stream.write_all(b"hello, who are you?\n")
    });
    let observation = probe(&mut lab, flow("web1", "db1", tcp(3306))).await;
    assert!(matches!(observation.outcome, Outcome::Inconclusive { .. }), "{observation:?}");
    answering.join().expect("no panic").expect("it answered");
}

/// The client had its answer before the server's end could be found: on a busy machine the connection read as gone.
#[sglab::test]
async fn a_connection_can_be_asked_as_soon_as_it_is_open() {
    let topology = topology(
        "sglab: 1\nera: vpc\ngroups: {A: [tcp 80 from A]}\ninstances: {a: {groups: A}, b: {groups: A}}\n\
         scenario: [{step: s, expect: {open: ['a -> b:80']}}]\n",
    );
    let mut lab = boot(&topology, Era::Vpc).await;
    for number in 0..100 {
        let name = ConnectionName::new(format!("c{number}"));
        lab.open(&name, &flow("a", "b", tcp(80))).await.unwrap_or_else(|error| panic!("{error}"));
        let held = lab.examine(&name).await.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(held, Held::Alive, "connection {number}");
        lab.close(&name);
    }
}
