//! Idle timeouts of connection tracking, with a clock that goes faster.

use sglab::model::Era;
use sglab::network::NodeKind;

use crate::clouds::*;

const CLOUD: &str = "sglab: 1
era: vpc
TRACKING
groups: {G: [tcp 80 from G]}
instances: {a: {groups: G}, b: {groups: G}}
scenario: [{step: as launched, expect: {open: ['a -> b:80']}}]
";

/// The settings of every router and gateway, in the order of `NAMES`.
async fn settings(tracking: &str) -> Vec<Vec<String>> {
    const NAMES: [&str; 5] =
        ["tcp_timeout_established", "udp_timeout", "udp_timeout_stream", "icmp_timeout", "generic_timeout"];
    let lab = boot(&topology(&CLOUD.replace("TRACKING", tracking)), Era::Vpc).await;
    let nodes = lab.fabric().nodes().filter(|node| matches!(node.kind, NodeKind::Router | NodeKind::Gateway));
    let mut all = Vec::new();
    for node in nodes {
        let read = |name: &str| {
            let path = format!("/proc/sys/net/netfilter/nf_conntrack_{name}");
            std::fs::read_to_string(path).expect("a setting").trim().to_owned()
        };
        all.push(node.run(move || NAMES.map(read).to_vec()).await.expect("to run inside"));
    }
    all
}

#[sglab::test]
async fn every_router_and_gateway_has_the_timeouts_of_the_file() {
    let all = settings("tracking: {tcp-established: 350, udp: 45, clock-factor: 20}").await;
    assert_eq!(all, vec![["18", "3", "9", "2", "30"]; 2], "rounded up, and none of less than a second");
}

#[sglab::test]
async fn without_a_word_in_the_file_they_are_those_of_ec2() {
    let all = settings("").await;
    assert_eq!(all, vec![["432000", "30", "180", "30", "600"]; 2]);
}
