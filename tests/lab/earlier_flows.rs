//! Ends that have begun flows from many ports before a probe takes one of them: what passes by these no group is asked of.

use std::net::Ipv4Addr;

use etherparse::PacketBuilder;
use sglab::lab::Lab;
use sglab::model::Era;
use sglab::probe::{Outcome, Part};
use sglab::topology::read_operations;

use crate::bare::send_raw;
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
            Outcome::Inconclusive { why } => assert!(why.contains("it passed by an earlier flow"), "{why}"),
            other => assert!(is_dropped(other), "{other:?}"),
        }
    }
}

/// Sends so many that the log may have no place for all: a canary then has none either.
async fn send_many(lab: &mut Lab, from: &str, packets: Vec<Vec<u8>>) {
    send_raw(&node(lab, from), packets).await;
    while !lab.probe(&[]).await.unwrap_or_else(|error| panic!("{error}")).canaries_held {}
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
