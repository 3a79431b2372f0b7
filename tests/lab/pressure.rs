//! What an instance does to what it shares with others: a load balancer that it floods, its own queues, the table of neighbours.

use std::io::{BufRead, BufReader};
use std::net::Ipv4Addr;
use std::sync::Arc;

use sglab::fabric::Namespace;
use sglab::lab::Lab;
use sglab::model::{Endpoint, Era, Flow, LoadBalancerName, Scheme, Via};

use crate::bare::run;
use crate::clouds::*;
use crate::sabotage::{begin, script};

const CLOUD: &str = "sglab: 1
era: vpc
hosts: {office: 203.0.113.10}
groups:
  APP: []
  ELB: [tcp 80 from APP, tcp 80 from office]
  WEB: [tcp 80 from ELB]
  PLAIN: [tcp 80 from APP]
instances: {app: {groups: APP}, plain: {groups: PLAIN, listens: [tcp 80]}, other: {groups: APP}, web1: {groups: WEB, listens: [tcp 80]}}
load-balancers:
  site: {scheme: internal, groups: ELB, listeners: [tcp 80], targets: web1, health-check: {interval: 0.1, timeout: 1, healthy: 2}}
scenario: [{step: as launched, expect: {open: ['app -> site:80']}}]
";

async fn cloud() -> Lab {
    boot(&topology(CLOUD), Era::Vpc).await
}

fn to_site(from: &str) -> Flow {
    let to = Endpoint::LoadBalancer(LoadBalancerName::new("site"), Scheme::Internal);
    Flow { to, via: Via::Private, ..flow(from, "web1", tcp(80)) }
}

/// Others are served, and what is dropped is dropped.
async fn holds(lab: &mut Lab, after: &str) {
    let flows = [
        to_site("other"),
        flow("other", "plain", tcp(80)),
        flow("other", "web1", tcp(80)),
        flow("app", "other", tcp(22)),
    ];
    let found = outcomes(lab, &flows).await;
    assert!(found[..2].iter().all(is_open) && found[2..].iter().all(is_dropped), "{after}: {found:?}");
}

/// Descriptors of this process, which serves for everybody.
fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("its descriptors").count()
}

#[sglab::test]
async fn who_holds_many_connections_to_a_load_balancer_or_a_listener_keeps_it_from_nobody() {
    let mut lab = cloud().await;
    holds(&mut lab, "before").await;
    let before = descriptors();
    let site = lab.cloud().load_balancers["site"].interface.private.expect("an address").0;
    for at in [site, private(lab.cloud(), "plain").0] {
        floods(&mut lab, at, before).await;
    }
}

async fn floods(lab: &mut Lab, at: Ipv4Addr, before: usize) {
    const MANY: u32 = 2_000;
    // Each says a word and keeps the connection.
    let flood = format!(
        "use IO::Socket::INET; my @held; for (1..{MANY}) {{ \
         my $s = IO::Socket::INET->new(PeerAddr => qq({at}:80), Timeout => 2) or next; print $s qq(x\\n); push @held, $s }} \
         $| = 1; print @held > 100 ? qq(held\\n) : qq(few\\n); sleep 1000000"
    );
    let (_running, out) = begin(lab, "app", &format!("ulimit -n 10000; exec perl -e '{flood}'")).await;
    assert_eq!(BufReader::new(out).lines().next().expect("a line").expect("text"), "held");
    let mut most = 0;
    for _ in 0..5 {
        holds(lab, "meanwhile").await;
        most = most.max(descriptors());
    }
    assert!(most < before + 1_500, "{before} descriptors before, {most} meanwhile");
}

/// What there is no module for is refused, and costs nobody anything either.
#[sglab::test]
async fn queues_and_filters_of_its_own_cost_an_instance_only() {
    let mut lab = cloud().await;
    let queues = [
        "tc qdisc add dev eth0 root tbf rate 1kbit burst 1600 latency 1ms",
        "tc qdisc add dev eth0 root netem delay 100s",
        "tc qdisc add dev eth0 root pfifo limit 1",
        "tc qdisc add dev eth0 clsact && tc filter add dev eth0 egress matchall action drop",
        "tc qdisc add dev eth0 ingress && tc filter add dev eth0 parent ffff: matchall action mirred egress redirect dev eth0",
        "ip link set dev eth0 xdp off",
        "ip link set dev eth0 txqueuelen 1",
        "ethtool -K eth0 tx off rx off",
        "ip link set dev eth0 gso_max_size 0 gro_max_size 0",
        "ip link add dummy1 type dummy; ip link add br0 type bridge; ip link set eth0 master br0",
        "ip link add vlan1 link eth0 type vlan id 1; ip link add mac1 link eth0 type macvlan mode passthru",
    ];
    for queue in queues {
        // Not every kernel has every module.
        let _ = script(&mut lab, "app", &format!("({queue}) 2>/dev/null")).await;
        holds(&mut lab, queue).await;
        for operation in [stop("app"), start("app")] {
            change(&mut lab, &operation).await;
        }
        let found = outcomes(&mut lab, &[to_site("app")]).await;
        assert!(is_open(&found[0]), "{queue}: {found:?}");
    }
    // A program for the kernel is what its own calls refuse (`tests/program/fence.rs`); `ip` asks by the same call.
    let file = "printf x >/tmp/x.o; ip link set dev eth0 xdp obj /tmp/x.o; tc qdisc add dev eth0 clsact 2>/dev/null; \
                tc filter add dev eth0 egress bpf da obj /tmp/x.o; true";
    assert_eq!(script(&mut lab, "app", file).await, 0);
    holds(&mut lab, "programs for the kernel").await;
}

async fn entries(node: &Arc<Namespace>) -> String {
    run(node, "ip", "neighbour show nud all").await
}

/// Few, since the kernel's table is one for the whole machine, and bounded: a lab's own entries are permanent, and no part of that bound.
#[sglab::test]
async fn neighbours_of_its_own_making_are_an_instances_own() {
    let mut lab = cloud().await;
    let nodes = ["vpc-default", "gateway-default", "internet", "other", "web1"].map(|name| node(&lab, name));
    let mut before = Vec::new();
    for node in &nodes {
        before.push(entries(node).await);
    }
    let many = "ip addr add 10.200.0.1/24 dev eth0; for i in $(seq 2 100); do \
                ip neigh add 10.200.0.$i lladdr 02:00:00:00:01:$(printf %02x $i) nud reachable dev eth0; done; \
                ip neigh | wc -l | grep -q '^1[0-9][0-9]$' || ip neigh | grep -c 10.200.0 | grep -q 99";
    assert_eq!(script(&mut lab, "app", many).await, 0);
    holds(&mut lab, "neighbours").await;
    for (node, before) in nodes.iter().zip(before) {
        assert_eq!(entries(node).await, before);
        // So that a table which somebody has filled leaves the lab whole.
        let lost = before.lines().filter(|line| !line.contains("PERMANENT") && !line.contains("NOARP")).count();
        assert_eq!(lost, 0, "{before}");
    }
}
