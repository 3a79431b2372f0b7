//! The instrument itself: what it says when the filter lies, is silent, or leads astray.

use std::io::Write;
use std::net::SocketAddrV4;

use indexmap::IndexSet;
use sglab::compile::names::{Wire, macs};
use sglab::lab::Lab;
use sglab::model::{Era, InstanceName, Operation, Service, Via};
use sglab::probe::Outcome;
use sglab::scenario::cells;

use crate::bare::{connection, is_silent, nft_script, passes, rewrite, run};
use crate::clouds::*;

const TWO_TIER: &str = "sglab: 1
era: classic
hosts: {office: 203.0.113.10}
groups: {WEB: [tcp 80 from anywhere], DB: [tcp 3306 from WEB, udp 53 from WEB]}
instances:
  web1: {groups: [WEB], listens: [tcp 80]}
  db1: {groups: [DB], listens: [tcp 3306]}
  db2: {groups: [DB], listens: [tcp 3306]}
scenario: [{step: as launched, expect: {dropped: ['web1 -> db1:22', 'web1 -> db2:ping'], refused: ['db1 -> web1:4000']}}]
";

/// Boots the cloud above, and gives all its cells by both addresses.
async fn cloud_and_cells() -> (Lab, Vec<sglab::model::Flow>) {
    let topology = topology(TWO_TIER);
    let lab = boot(&topology, Era::Classic).await;
    let vias = IndexSet::from([None, Some(Via::Public)]);
    let cells = cells::grid(lab.cloud(), &topology.columns, &vias).collect();
    (lab, cells)
}

/// Puts `accept` in place of `drop` behind every log statement that blames a group.
async fn accept_behind_the_log(lab: &Lab) {
    let lies = |_: &str, rule: &str| {
        let blames = ["ingress drop", "ingress cut", "egress drop", "egress cut"];
        let of_groups = blames.iter().any(|blame| rule.contains(&format!("\"{blame}\"")));
        let (text, comment) = rule.split_once(" drop comment ")?;
        of_groups.then(|| format!("{text} accept comment {comment}"))
    };
    let keep_the_canary = |chain: &str, rule: &str| if chain == "to/canary" { None } else { lies(chain, rule) };
    // A chain of new flows and one of flows under way, for each of three interfaces.
    assert_eq!(rewrite(&node(lab, "vpc-default"), keep_the_canary).await, 6);
}

#[sglab::test]
async fn accept_behind_the_log_reads_open_in_every_cell_and_never_dropped() {
    let (mut lab, cells) = cloud_and_cells().await;
    let dropped: Vec<_> = cells.iter().zip(outcomes(&mut lab, &cells).await).filter(|(_, o)| is_dropped(o)).collect();
    let dropped: Vec<_> = dropped.into_iter().map(|(flow, _)| flow.clone()).collect();
    assert!(dropped.len() > 20, "{} cells are dropped at first", dropped.len());
    accept_behind_the_log(&lab).await;
    let found = outcomes(&mut lab, &dropped).await;
    for (flow, outcome) in dropped.iter().zip(found) {
        let closed_ports = flow.to.to_string() == "web1" && flow.service == tcp(4000);
        let right = if closed_ports { matches!(outcome, Outcome::Refused { .. }) } else { is_open(&outcome) };
        assert!(right, "{flow}: {outcome:?}");
    }
}

#[sglab::test]
async fn accept_behind_the_log_where_nobody_listens_reads_refused() {
    let (mut lab, _) = cloud_and_cells().await;
    let unheard = flow("db1", "web1", tcp(4000));
    assert!(is_dropped(&probe(&mut lab, unheard.clone()).await.outcome));
    accept_behind_the_log(&lab).await;
    let outcome = probe(&mut lab, unheard).await.outcome;
    assert!(matches!(outcome, Outcome::Refused { .. }), "{outcome:?}");
}

/// Rewrites the last rule of an interface's ingress chain; one rule it must be.
async fn rewrite_last(lab: &Lab, chain: &str, text: &str) {
    let last = |known: &str, rule: &str| {
        (known == chain && rule.ends_with("comment \"drop\"")).then(|| format!("{text} comment \"drop\""))
    };
    assert_eq!(rewrite(&node(lab, "vpc-default"), last).await, 1);
}

#[sglab::test]
async fn a_drop_that_is_not_logged_proves_nothing() {
    let (mut lab, _) = cloud_and_cells().await;
    rewrite_last(&lab, "to/db1.eth0", "drop").await;
    for service in [tcp(22), Service::IcmpEcho] {
        let observation = probe(&mut lab, flow("web1", "db1", service)).await;
        let Outcome::Inconclusive { why } = &observation.outcome else { panic!("{observation:?}") };
        let why = why.to_string();
        assert!(why.contains("no filter has a record"), "{why}");
        assert!(observation.timed_out, "patience had to end it, and that is counted");
    }
    assert!(is_dropped(&probe(&mut lab, flow("web1", "db2", tcp(22))).await.outcome), "db2's drops are on record");
}

#[sglab::test]
async fn a_receiver_that_no_canary_can_reach_proves_nothing() {
    let (mut lab, _) = cloud_and_cells().await;
    let closed = flow("web1", "db1", tcp(22));
    assert!(is_dropped(&probe(&mut lab, closed.clone()).await.outcome));
    run(&node(&lab, "db1"), "ip", "link set eth0 down").await;
    let outcome = probe(&mut lab, closed).await.outcome;
    let Outcome::Inconclusive { why } = &outcome else { panic!("{outcome:?}") };
    let why = why.to_string();
    assert!(why.contains("carried no canary"), "{why}");
}

async fn spoils_the_batch(lab: &mut Lab) {
    let flows = [flow("web1", "db1", tcp(3306)), flow("web1", "db1", tcp(22))];
    let batch = lab.probe(&flows).await.unwrap_or_else(|error| panic!("{error}"));
    assert!(!batch.canaries_held);
    for observation in batch.observations {
        assert!(matches!(observation.outcome, Outcome::Inconclusive { .. }), "{observation:?}");
    }
}

#[sglab::test]
async fn a_canary_that_ought_to_be_dropped_and_is_not_spoils_the_batch() {
    let (mut lab, _) = cloud_and_cells().await;
    // It is on record as dropped, and arrives nevertheless.
    rewrite_last(&lab, "to/canary", "log prefix \"ingress drop\" group 1 queue-threshold 1 accept").await;
    spoils_the_batch(&mut lab).await;
}

#[sglab::test]
async fn a_canary_that_ought_to_arrive_and_does_not_spoils_the_batch() {
    let (mut lab, _) = cloud_and_cells().await;
    nft_script(&node(&lab, "vpc-default"), "insert rule inet sglab to/canary drop\n".into()).await;
    spoils_the_batch(&mut lab).await;
}

#[sglab::test]
async fn an_answer_from_another_instance_is_misdelivered() {
    let (mut lab, _) = cloud_and_cells().await;
    let db1 = private(lab.cloud(), "db1");
    let number = lab.cloud().instances[&InstanceName::new("db2")].interfaces[0].number;
    let mac = macs(Wire::Instance, number).1.map(|byte| format!("{byte:02x}")).join(":");
    let router = node(&lab, "vpc-default");
    run(&router, "ip", &format!("neigh add {db1} lladdr {mac} nud permanent dev db2")).await;
    // What web1 sends only: the canaries go to db1 as ever.
    run(&router, "ip", &format!("route add {db1}/32 dev db2 scope link table 99")).await;
    run(&router, "ip", "rule add iif web1 lookup 99 priority 1").await;
    run(&node(&lab, "db2"), "ip", &format!("address add {db1}/32 dev lo")).await;
    nft_script(&router, format!("add element inet sglab sources {{ \"db2\" . {db1} }}\n")).await;
    let outcome = probe(&mut lab, flow("web1", "db1", tcp(3306))).await.outcome;
    assert_eq!(outcome, Outcome::Misdelivered { answered_by: "db2".into() });
    // An echo names nobody; that db1 has not seen the request, and has seen a canary since, tells it.
    change(&mut lab, &authorize("DB", sglab::model::Traffic::Icmp(sglab::model::IcmpMatch::All), block("0.0.0.0/0")))
        .await;
    let outcome = probe(&mut lab, flow("web1", "db1", Service::IcmpEcho)).await.outcome;
    assert!(matches!(outcome, Outcome::Misdelivered { .. }), "{outcome:?}");
}

#[sglab::test]
async fn a_reset_by_somebody_other_than_the_receiver_is_not_refused() {
    let (mut lab, _) = cloud_and_cells().await;
    rewrite_last(&lab, "to/db1.eth0", "reject with tcp reset").await;
    let outcome = probe(&mut lab, flow("web1", "db1", tcp(22))).await.outcome;
    let Outcome::Inconclusive { why } = &outcome else { panic!("{outcome:?}") };
    let why = why.to_string();
    assert!(why.contains("not by the receiver"), "{why}");
}

async fn crashes_silently(era: Era) {
    let text = "sglab: 1
era: classic
groups: {WEB: [], DB: [tcp 4000-4010 from WEB]}
instances: {web1: {groups: [WEB]}, web2: {groups: [WEB]}, db1: {groups: [DB]}}
scenario: [{step: as launched, expect: {open: ['web1 -> db1:4000']}}]
";
    let mut lab = boot(&topology(text), era).await;
    let at = SocketAddrV4::new(private(lab.cloud(), "db1").0, 4005);
    let source = private(lab.cloud(), "web1").0;
    let (mut client, mut server) = connection(&node(&lab, "web1"), source, &node(&lab, "db1"), at).await;
    assert!(passes(&mut client, &mut server));
    change(&mut lab, &Operation::Crash(InstanceName::new("web1"))).await;
    // The kernel closes the sockets of a dead machine's programs, and would say farewell for them.
    drop(client.write_all(b"last words"));
    drop(client);
    // What had left web1 would be here before the canaries of this probe are.
    assert!(is_dropped(&probe(&mut lab, flow("web2", "db1", tcp(4011))).await.outcome));
    assert!(is_silent(&mut server), "neither FIN nor RST nor data");
}

#[sglab::test]
async fn a_crash_is_silent_to_its_peers() {
    crashes_silently(Era::Article).await;
}

#[sglab::test]
async fn a_crash_that_keeps_its_address_is_silent_to_its_peers() {
    crashes_silently(Era::Vpc).await;
}
