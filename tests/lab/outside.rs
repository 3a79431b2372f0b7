//! What happens between a VPC and the hosts outside, where no group is asked: gateways, the internet, and errors.

use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};

use sglab::fabric::packet::ICMP;
use sglab::model::{Era, Flow};
use sglab::network::record::Record;
use sglab::probe::Outcome;

use crate::bare::{Bare, ODD_FLAGS, answers_to_many, inside, seen, segment, send_raw, soon, tap};
use crate::clouds::*;

const CLOUD: &str = "sglab: 1
era: vpc
hosts: {office: 203.0.113.10}
groups: {WEB: [tcp 80 from anywhere, udp 53 from anywhere]}
instances: {web1: {groups: [WEB]}, web2: {groups: [WEB]}, inner: {groups: [WEB], public: no}}
scenario: [{step: as launched, expect: {open: ['office -> web1:80']}}]
";

const OFFICE: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 10);

async fn cloud() -> Bare {
    Bare::boot(initial_cloud(&topology(CLOUD), Era::Vpc).0).await
}

/// Only the first segment of a connection is translated, so that what belongs to none would go back to the internet.
#[sglab::test]
async fn what_no_connection_begins_with_ends_at_the_gateway_on_record() {
    let bare = cloud().await;
    let (mut log, mut beyond) = (bare.log("gateway-default").await, bare.log("internet").await);
    let mut tap = tap(&bare.node("web1")).await;
    let web1 = SocketAddrV4::new(public(&bare.cloud, "web1").0, 80);
    let packets =
        ODD_FLAGS.iter().zip(7000..).map(|(flags, port)| segment(SocketAddrV4::new(OFFICE, port), web1, *flags));
    send_raw(&bare.node("office"), packets.collect()).await;
    let ended = log.next_drops(ODD_FLAGS.len());
    assert_eq!(ended.len(), ODD_FLAGS.len());
    for (record, tuple) in ended {
        let expected = (Record::Invalid, OFFICE.into(), (*web1.ip()).into());
        assert_eq!((record, tuple.source, tuple.destination), expected, "{tuple:?}");
    }
    // None has gone back by the time that an honest datagram has come.
    let honest = inside(&bare.node("office"), || UdpSocket::bind((OFFICE, 6000))).await.expect("a socket");
    honest.send_to(b"honest", (*web1.ip(), 53)).expect("sent");
    seen(&mut tap, |tuple| tuple.source_port == 6000);
    assert_eq!((log.drops(), beyond.drops()), (vec![], vec![]));
}

#[sglab::test]
async fn whoever_looks_around_in_a_router_reaches_themselves() {
    let bare = cloud().await;
    for name in ["vpc-default", "internet", "gateway-default"] {
        let node = bare.node(name);
        let heard = inside(&node, || {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
            socket.set_read_timeout(Some(soon()))?;
            socket.send_to(b"word", socket.local_addr()?)?;
            socket.recv(&mut [0; 4])
        });
        assert_eq!(heard.await.unwrap_or_else(|error| panic!("{name}: {error}")), 4);
    }
}

/// The kernel's own answer is for a few and then one a second.
#[sglab::test]
async fn each_of_many_who_ask_for_nobody_is_told_so() {
    let mut lab = boot(&topology(CLOUD), Era::Vpc).await;
    change(&mut lab, &stop("web2")).await;
    let ports = 9000..9040;
    let inside = ports.clone().map(|port| flow("web1", "web2", tcp(port)));
    let outside: Vec<Flow> = ports.map(|port| from_host(lab.cloud(), "office", "web2", tcp(port))).collect();
    let flows: Vec<Flow> = inside.chain(outside).collect();
    for (flow, found) in flows.iter().zip(outcomes(&mut lab, &flows).await) {
        assert!(matches!(found, Outcome::Unreachable { .. }), "{flow}: {found:?}");
    }
}

/// A record is proof, and yet a program has to hear of it.
#[sglab::test]
async fn each_of_many_datagrams_to_nobody_is_answered_with_an_error() {
    const UNREACHABLE: (u8, u16) = (ICMP, 3);
    let mut bare = cloud().await;
    let (inside, outside) = (private(&bare.cloud, "web2").0, public(&bare.cloud, "web2").0);
    bare.apply(&stop("web2")).await;
    answers_to_many(&bare.node("web1"), inside.into(), UNREACHABLE).await;
    answers_to_many(&bare.node("office"), outside.into(), UNREACHABLE).await;
}

#[sglab::test]
async fn without_a_public_address_nothing_leaves_and_the_gateway_says_so() {
    let bare = cloud().await;
    let (mut log, mut beyond) = (bare.log("gateway-default").await, bare.log("internet").await);
    let mut tap = tap(&bare.node("office")).await;
    let inner = private(&bare.cloud, "inner").0;
    let socket = inside(&bare.node("inner"), move || UdpSocket::bind((inner, 5000))).await.expect("a socket");
    socket.send_to(b"word", (OFFICE, 53)).expect("sent");
    let (record, tuple, _) = log.next_drop();
    assert_eq!((record, tuple.source, tuple.destination), (Record::Untranslated, inner.into(), OFFICE.into()));
    let web1 = private(&bare.cloud, "web1").0;
    let honest = inside(&bare.node("web1"), move || UdpSocket::bind((web1, 6000))).await.expect("a socket");
    honest.send_to(b"honest", (OFFICE, 53)).expect("sent");
    let own = public(&bare.cloud, "web1").0;
    seen(&mut tap, |tuple| (tuple.source, tuple.source_port) == (own.into(), 6000));
    assert_eq!(beyond.drops(), []);
}
