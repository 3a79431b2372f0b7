//! Ends that have begun flows from many ports before a probe takes one of them: what passes by these no group is asked of.

use std::net::Ipv4Addr;

use etherparse::PacketBuilder;
use sglab::lab::Lab;
use sglab::model::Era;
use sglab::probe::{Outcome, Part};
use sglab::topology::read_operations;

use crate::bare::{inside, nft_script, run, send_raw, soon};
use crate::clouds::*;

/// `b` may send to `a`, and `a` to one port of `b`.
const CLOUD: &str = "sglab: 1
era: vpc
groups: {A: [udp all from B], B: [udp 53 from A, icmp echo from A]}
instances:
  a: {groups: A}
  b: {groups: B, listens: [udp 53, udp 54]}
scenario: [{step: one, expect: {open: ['a -> b:53/udp'], dropped: ['a -> b:54/udp']}}]
";

/// An eighth of all ports: half as many flows as one interface may have.
fn ports() -> impl Iterator<Item = u16> {
    (1024..=u16::MAX).step_by(8)
}

fn datagram((from, source): (Ipv4Addr, u16), (to, destination): (Ipv4Addr, u16)) -> Vec<u8> {
    let mut packet = Vec::new();
    let builder = PacketBuilder::ipv4(from.octets(), to.octets(), 64).udp(source, destination);
    builder.write(&mut packet, b"x").expect("a vector takes it");
    packet
}

fn addresses(lab: &Lab) -> (Ipv4Addr, Ipv4Addr) {
    (private(lab.cloud(), "a").0, private(lab.cloud(), "b").0)
}

/// Of so many some would have a port of an earlier flow.
async fn are_never_open(lab: &mut Lab, asked: sglab::model::Flow) {
    let found = outcomes(lab, &vec![asked; 60]).await;
    assert!(found.iter().any(is_dropped), "{found:?}");
    for outcome in found {
        match &outcome {
            Outcome::Inconclusive { why } => assert!(why.to_string().contains("it passed by an earlier flow"), "{why}"),
            other => assert!(is_dropped(other), "{other:?}"),
        }
    }
}

/// Sends so many that the log may have no place for all: a canary then has none either. Each has begun a flow, by the kernel's own count.
async fn send_many(lab: &mut Lab, from: &str, packets: Vec<Vec<u8>>) {
    let (before, sent) = (tracked(lab).await, packets.len());
    send_raw(&node(lab, from), packets).await;
    while !lab.probe(&[]).await.unwrap_or_else(|error| panic!("{error}")).canaries_held {}
    let now = tracked(lab).await;
    assert!(now >= before + sent, "{sent} packets: {now} flows are tracked, and {before} were");
}

/// Counts the flows that the router tracks.
async fn tracked(lab: &Lab) -> usize {
    let count = || std::fs::read_to_string("/proc/sys/net/netfilter/nf_conntrack_count");
    let count = inside(&node(lab, "vpc-default"), count).await.expect("the kernel tells");
    count.trim().parse().expect("a number")
}

async fn revoke_all(lab: &mut Lab) {
    for operation in
        read_operations(lab.cloud(), "[{revoke: {B: [udp 53 from A, icmp echo from A]}}]").expect("it reads")
    {
        change(lab, &operation.value).await;
    }
}

#[sglab::test]
async fn a_sender_that_has_begun_flows_from_many_ports_opens_none_to_a_probe() {
    let mut lab = boot(&topology(CLOUD), Era::Vpc).await;
    assert!(is_open(&probe(&mut lab, flow("a", "b", udp(53))).await.outcome));
    let (a, b) = addresses(&lab);
    send_many(&mut lab, "a", ports().map(|port| datagram((a, port), (b, 53))).collect()).await;
    revoke_all(&mut lab).await;
    are_never_open(&mut lab, flow("a", "b", udp(53))).await;
}

#[sglab::test]
async fn a_receiver_that_has_begun_flows_to_many_ports_opens_none_to_a_probe() {
    let mut lab = boot(&topology(CLOUD), Era::Vpc).await;
    let (a, b) = addresses(&lab);
    send_many(&mut lab, "b", ports().map(|port| datagram((b, 54), (a, port))).collect()).await;
    are_never_open(&mut lab, flow("a", "b", udp(54))).await;
}

#[sglab::test]
async fn a_sender_that_has_sent_many_pings_opens_none_to_a_probe() {
    let mut lab = boot(&topology(CLOUD), Era::Vpc).await;
    let (a, b) = addresses(&lab);
    let pings = ports().map(|id| {
        let mut packet = Vec::new();
        let builder = PacketBuilder::ipv4(a.octets(), b.octets(), 64).icmpv4_echo_request(id, 1);
        builder.write(&mut packet, b"x").expect("a vector takes it");
        packet
    });
    send_many(&mut lab, "a", pings.collect()).await;
    revoke_all(&mut lab).await;
    are_never_open(&mut lab, flow("a", "b", sglab::model::Service::IcmpEcho)).await;
}

/// And traffic by such ports is not said to leak, though it arrives.
#[sglab::test]
async fn packets_of_traffic_that_pass_by_earlier_flows_are_told() {
    let mut lab = boot(&topology(CLOUD), Era::Vpc).await;
    let (a, b) = addresses(&lab);
    send_many(&mut lab, "a", ports().map(|port| datagram((a, port), (b, 53))).collect()).await;
    revoke_all(&mut lab).await;
    let traffic = lab.begin_traffic(&[flow("a", "b", udp(53))]).await.unwrap_or_else(|error| panic!("{error}"));
    traffic.flows_on(300).await;
    let trace = lab.end_traffic(traffic).await;
    let new = trace.streams[0].iter().filter(|packet| packet.part == Part::New);
    let (arrived, dropped): (Vec<_>, Vec<_>) = new.partition(|packet| packet.arrived);
    assert!(arrived.len() > 2 && dropped.len() > 2, "{} arrived, {} dropped", arrived.len(), dropped.len());
    assert!(arrived.iter().all(|packet| !packet.judged), "{arrived:?}");
}

/// Of TCP a router lets any SYN pass as part of a connection whose beginning was answered: here its receiver has forgotten them at once.
#[sglab::test]
async fn a_sender_that_has_begun_connections_from_many_ports_opens_none_to_a_probe() {
    let text = CLOUD.replace("udp 53 from A, icmp", "tcp 80 from A, icmp").replace("[udp 53, udp 54]", "[tcp 80]");
    let mut lab =
        boot(&topology(&text.replace("a -> b:53/udp", "a -> b:80").replace("a -> b:54/udp", "a -> b:81")), Era::Vpc)
            .await;
    let (a, b) = addresses(&lab);
    let unreset = "table ip own { chain own { type filter hook output priority 0; tcp flags rst drop\n }\n}\n";
    nft_script(&node(&lab, "a"), unreset.to_owned()).await;
    let receiver = node(&lab, "b");
    inside(&receiver, || std::fs::write("/proc/sys/net/ipv4/tcp_synack_retries", "0")).await.expect("it is its own");
    let syns = ports().map(|port| {
        let mut packet = Vec::new();
        let builder = PacketBuilder::ipv4(a.octets(), b.octets(), 64).tcp(port, 80, 7, 1024).syn();
        builder.write(&mut packet, &[]).expect("a vector takes it");
        packet
    });
    send_many(&mut lab, "a", syns.collect()).await;
    let begun = std::time::Instant::now();
    while run(&receiver, "ss", "-Htn state syn-recv").await.lines().next().is_some() {
        assert!(begun.elapsed() < soon(), "the receiver forgets what it has answered");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    for operation in read_operations(lab.cloud(), "[{revoke: {B: [tcp 80 from A]}}]").expect("it reads") {
        change(&mut lab, &operation.value).await;
    }
    are_never_open(&mut lab, flow("a", "b", tcp(80))).await;
}

/// What `b` has sent before makes an answer of the question, which the rules of `a` then judge: it is no word of the groups on what begins.
const ANSWERED: &str = "sglab: 1
era: vpc
groups: {A: [udp 1-65535 from anywhere], B: [udp 53 from A]}
instances:
  a: {groups: A}
  b: {groups: B, listens: [udp 53]}
scenario: [{step: one, expect: {open: ['a -> b:53/udp']}}]
";

async fn after_some_from_the_receiver(ports: impl Iterator<Item = u16>) -> Lab {
    let mut lab = boot(&topology(ANSWERED), Era::Vpc).await;
    let (a, b) = addresses(&lab);
    send_many(&mut lab, "b", ports.map(|port| datagram((b, 53), (a, port))).collect()).await;
    for operation in read_operations(lab.cloud(), "[{revoke: {A: [udp 1-65535 from anywhere]}}]").expect("it reads") {
        change(&mut lab, &operation.value).await;
    }
    lab
}

#[sglab::test]
async fn a_receiver_that_has_begun_flows_to_many_ports_has_no_probe_dropped() {
    let mut lab = after_some_from_the_receiver(ports()).await;
    let found = outcomes(&mut lab, &vec![flow("a", "b", udp(53)); 60]).await;
    assert!(found.iter().any(is_open), "{found:?}");
    for outcome in found {
        match &outcome {
            Outcome::Inconclusive { why } => assert!(why.to_string().contains("as part of an earlier flow"), "{why}"),
            other => assert!(is_open(other), "{other:?}"),
        }
    }
}

#[sglab::test]
async fn a_receiver_that_has_begun_flows_to_many_ports_loses_no_packet_of_traffic() {
    // So few that the sender's datagrams are remembered beside them.
    let mut lab = after_some_from_the_receiver(ports().step_by(4)).await;
    let traffic = lab.begin_traffic(&[flow("a", "b", udp(53))]).await.unwrap_or_else(|error| panic!("{error}"));
    // One port of 32 is an earlier flow's: of so many packets some have one.
    traffic.flows_on(1_000).await;
    let trace = lab.end_traffic(traffic).await;
    let why = trace.unsent[0].as_ref().expect("some had the ports of earlier flows");
    assert!(why.contains("as part of an earlier flow"), "{why}");
    assert!(trace.streams[0].iter().all(|packet| packet.part != Part::New || packet.arrived), "{trace:?}");
}
