//! Who may send in others' names opens nobody else's door: a flow that an interface has had nothing of is asked there as a new one.

use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::sync::Arc;

use etherparse::PacketBuilder;
use sglab::fabric::Namespace;
use sglab::model::{Direction, Era};
use sglab::network::record::Record;
use sglab::topology::read_operations;

use crate::bare::{Bare, Log, inside, segment, send_raw, soon};
use crate::clouds::*;

/// No rule of `b` lets anything in. `x` and `box` may send in anybody's name.
const CLOUD: &str = "sglab: 1
era: vpc
vpcs:
  main:
    cidr: 10.0.0.0/16
    subnets:
      front: {cidr: 10.0.1.0/24, routes: {10.0.2.0/24: box}}
      back: 10.0.2.0/24
      middle: 10.0.3.0/24
groups: {A: [udp 2000 from 10.0.0.0/16, tcp 2000 from 10.0.0.0/16], B: [], BOX: [all from 10.0.0.0/16], X: []}
instances:
  a: {groups: A, subnet: front}
  b: {groups: B, subnet: back}
  c: {groups: A, subnet: back}
  box: {groups: BOX, subnet: middle, source-dest-check: off, forwards: as-is}
  x: {groups: X, subnet: middle, source-dest-check: off}
scenario: [{step: one, expect: {dropped: ['a -> b:54/udp']}}]
";

async fn cloud() -> (Bare, Log) {
    let bare = Bare::boot(initial_cloud(&topology(CLOUD), Era::Vpc).0).await;
    let log = bare.log("vpc-main").await;
    (bare, log)
}

fn at(bare: &Bare, name: &str, port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(private(&bare.cloud, name).0, port)
}

async fn bound(node: &Arc<Namespace>, port: u16) -> UdpSocket {
    let socket = inside(node, move || UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port))).await.expect("a socket");
    socket.set_read_timeout(Some(soon())).expect("a timeout");
    socket
}

fn datagram(from: SocketAddrV4, to: SocketAddrV4) -> Vec<u8> {
    let mut packet = Vec::new();
    let builder = PacketBuilder::ipv4(from.ip().octets(), to.ip().octets(), 64).udp(from.port(), to.port());
    builder.write(&mut packet, b"word").expect("a vector takes it");
    packet
}

/// Waits for the next drop, which is of a packet to here, by the groups of its holder.
fn is_dropped_at(log: &mut Log, to: SocketAddrV4) {
    let (record, tuple, _) = log.next_drop();
    assert_eq!(record, Record::Drop(Direction::Ingress), "{tuple:?}");
    assert_eq!((tuple.destination, tuple.destination_port), ((*to.ip()).into(), to.port()), "{tuple:?}");
}

#[sglab::test]
async fn a_middlebox_that_forges_an_answer_opens_nobodys_door() {
    let (bare, mut log) = cloud().await;
    let (from, to) = (at(&bare, "a", 45001), at(&bare, "b", 54));
    let a = bound(&bare.node("a"), 45001).await;
    a.send_to(b"word", to).expect("sent");
    // It is honest once, and passes the question on.
    is_dropped_at(&mut log, to);
    send_raw(&bare.node("box"), vec![datagram(to, from)]).await;
    a.recv(&mut [0; 4]).expect("who has asked takes the answer, from whomever it is");
    for _ in 0..2 {
        a.send_to(b"word", to).expect("sent");
        is_dropped_at(&mut log, to);
    }
}

#[sglab::test]
async fn who_forges_a_question_has_the_answer_arrive_nowhere() {
    let (bare, mut log) = cloud().await;
    let (forged, asked) = (at(&bare, "b", 54), at(&bare, "c", 2000));
    let c = bound(&bare.node("c"), 2000).await;
    send_raw(&bare.node("x"), vec![datagram(forged, asked)]).await;
    c.recv(&mut [0; 4]).expect("a rule lets it in");
    for _ in 0..2 {
        c.send_to(b"word", forged).expect("sent");
        is_dropped_at(&mut log, forged);
    }
    // Nobody listens there, and so the answer is a reset; then an error, of a datagram.
    let (forged, asked) = (at(&bare, "b", 22), at(&bare, "c", 2000));
    send_raw(&bare.node("x"), vec![segment(forged, asked, 2)]).await;
    is_dropped_at(&mut log, forged);
    drop(c);
    send_raw(&bare.node("x"), vec![datagram(at(&bare, "b", 55), asked)]).await;
    let (record, tuple, _) = log.next_drop();
    assert_eq!(record, Record::Drop(Direction::Ingress), "{tuple:?}");
    assert_eq!(tuple.destination, std::net::IpAddr::from(*forged.ip()), "{tuple:?}");
}

/// Nothing that it has left opens what it could not open itself.
#[sglab::test]
async fn what_was_forged_is_doubted_when_the_forger_is_gone() {
    for gone in ["{terminate: x}", "{stop: x}", "{source-dest-check: {x: on}}"] {
        // Nobody else may send what is not its own: nobody is left who may.
        let alone =
            CLOUD.replace("source-dest-check: off, forwards: as-is", "").replace(", routes: {10.0.2.0/24: box}", "");
        let mut bare = Bare::boot(initial_cloud(&topology(&alone), Era::Vpc).0).await;
        let mut log = bare.log("vpc-main").await;
        let (forged, asked) = (at(&bare, "b", 54), at(&bare, "c", 2000));
        let c = bound(&bare.node("c"), 2000).await;
        send_raw(&bare.node("x"), vec![datagram(forged, asked)]).await;
        c.recv(&mut [0; 4]).expect("a rule lets it in");
        for operation in read_operations(&bare.cloud, &format!("[{gone}]")).expect("an operation") {
            bare.apply(&operation.value).await;
        }
        for _ in 0..2 {
            c.send_to(b"word", forged).expect("sent");
            is_dropped_at(&mut log, forged);
        }
    }
}

#[sglab::test]
async fn what_a_rule_lets_in_arrives_though_somebody_has_forged_its_flow() {
    let (bare, _log) = cloud().await;
    let (forged, asked) = (at(&bare, "b", 54), at(&bare, "c", 2000));
    let c = bound(&bare.node("c"), 2000).await;
    send_raw(&bare.node("x"), vec![datagram(forged, asked)]).await;
    c.recv(&mut [0; 4]).expect("a rule lets it in");
    c.send_to(b"word", forged).expect("sent");
    // It asks the same by itself, and has the answer.
    let b = bound(&bare.node("b"), 54).await;
    b.send_to(b"word", asked).expect("sent");
    c.recv(&mut [0; 4]).expect("the question");
    c.send_to(b"word", forged).expect("sent");
    b.recv(&mut [0; 4]).expect("the answer");
}

/// The services answer over no filter of groups.
#[sglab::test]
async fn who_asks_a_service_in_anothers_name_has_it_answered_nowhere() {
    let (bare, mut log) = cloud().await;
    for service in
        [SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 2), 53), SocketAddrV4::new(Ipv4Addr::new(169, 254, 169, 123), 123)]
    {
        let forged = at(&bare, "b", 54);
        send_raw(&bare.node("x"), vec![datagram(forged, service)]).await;
        let (record, tuple, _) = log.next_drop();
        let dropped = (record, tuple.source, tuple.destination);
        assert_eq!(dropped, (Record::Unserved, (*forged.ip()).into(), (*service.ip()).into()));
    }
    let service = SocketAddrV4::new(Ipv4Addr::new(169, 254, 169, 254), 80);
    send_raw(&bare.node("x"), vec![segment(at(&bare, "b", 22), service, 2)]).await;
    assert_eq!(log.next_drop().0, Record::Unserved);
}
