//! Fragments: whose they are is judged before they are put together, and who never finishes a datagram starves nobody.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Instant;

use sglab::fabric::Namespace;
use sglab::model::Era;
use sglab::network::record::Record;
use socket2::{Domain, Protocol, Socket, Type};

use crate::answers::{Answers, TOO_LARGE_IPV6, receiver, send};
use crate::bare::{Bare, FAMILIES, inside, own, run, soon};
use crate::clouds::*;

const CLOUD: &str = "sglab: 1
era: vpc
vpcs: {main: {cidr: 10.0.0.0/16, ipv6: yes}}
hosts: {office: [203.0.113.10, '2001:db8:ffff::10'], neighbour: [203.0.113.11, '2001:db8:ffff::11']}
groups: {ALL: [udp 9000 from anywhere, 'udp 9000 from ::/0'], LONE: []}
instances: {a: {groups: ALL}, b: {groups: ALL}, c: {groups: LONE}}
scenario: [{step: as launched, expect: {open: ['a -> b:9000/udp']}}]
";

const PORT: u16 = 9000;
/// Of each family more than a link may leave unfinished: all numbers of IPv4, of each of these protocols.
const FLOOD: u32 = u16::MAX as u32;
const FLOOD_PROTOCOLS: [u8; 4] = [17, 6, 50, 99];

async fn cloud() -> Bare {
    Bare::boot(initial_cloud(&topology(CLOUD), Era::Vpc).0).await
}

fn outer(bare: &Bare, name: &str, ipv4: bool) -> IpAddr {
    if ipv4 && bare.cloud.instances.contains_key(name) {
        public(&bare.cloud, name).0.into()
    } else {
        own(bare, name, ipv4)
    }
}

/// A piece of a datagram, that begins so many bytes in; more follows it, or not.
fn piece(from: IpAddr, to: IpAddr, id: u32, (offset, more): (u16, bool), payload: &[u8]) -> Vec<u8> {
    const UDP: u8 = 17;
    const FRAGMENT: u8 = 44;
    let length = u16::try_from(payload.len()).expect("a short piece");
    let mut packet = Vec::new();
    match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            packet.extend([0x45, 0]);
            packet.extend((length + 20).to_be_bytes());
            packet.extend(u16::try_from(id).expect("an id").to_be_bytes());
            packet.extend(((offset / 8) | if more { 0x2000 } else { 0 }).to_be_bytes());
            // The kernel fills in the checksum.
            packet.extend([64, UDP, 0, 0]);
            packet.extend(from.octets());
            packet.extend(to.octets());
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            packet.extend([0x60, 0, 0, 0]);
            packet.extend((length + 8).to_be_bytes());
            packet.extend([FRAGMENT, 64]);
            packet.extend(from.octets());
            packet.extend(to.octets());
            packet.extend([UDP, 0]);
            packet.extend((offset | u16::from(more)).to_be_bytes());
            packet.extend(id.to_be_bytes());
        }
        _ => panic!("{from} and {to} are of two families"),
    }
    packet.extend(payload);
    packet
}

/// A datagram of 48 bytes of payload, all the same.
fn payload(from: IpAddr, to: IpAddr, byte: u8) -> Vec<u8> {
    let mut packet = Vec::new();
    let written = match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => etherparse::PacketBuilder::ipv4(from.octets(), to.octets(), 64)
            .udp(5000, PORT)
            .write(&mut packet, &[byte; 48]),
        (IpAddr::V6(from), IpAddr::V6(to)) => etherparse::PacketBuilder::ipv6(from.octets(), to.octets(), 64)
            .udp(5000, PORT)
            .write(&mut packet, &[byte; 48]),
        _ => panic!("{from} and {to} are of two families"),
    };
    written.expect("a vector takes it");
    packet.split_off(if from.is_ipv4() { 20 } else { 40 })
}

/// c has the second piece there before a sends its first, with a's address and the number that a will use.
#[sglab::test]
async fn a_forged_fragment_is_mixed_into_nobodys_datagram() {
    let bare = cloud().await;
    let mut log = bare.log("vpc-main").await;
    for ipv4 in FAMILIES {
        let [a, b] = ["a", "b"].map(|name| own(&bare, name, ipv4));
        let socket = receiver(&bare.node("b"), ipv4, PORT).await;
        let (honest, forged) = (payload(a, b, b'h'), payload(a, b, b'f'));
        let first = piece(a, b, 77, (0, true), &honest[..32]);
        let second = |bytes: &[u8]| piece(a, b, 77, (32, false), &bytes[32..]);
        send(&bare.node("c"), second(&forged)).await.expect("it leaves");
        send(&bare.node("a"), first).await.expect("it leaves");
        send(&bare.node("a"), second(&honest)).await.expect("it leaves");
        let mut received = [0; 100];
        let length = socket.recv(&mut received).expect("the honest datagram");
        assert_eq!(&received[..length], [b'h'; 48], "ipv4 {ipv4}");
        // One record of the piece itself, of which no more than its addresses can be told.
        assert_eq!(log.drops(), [Record::Spoofed], "ipv4 {ipv4}");
    }
}

/// Sends many pieces, each of another datagram, as fast as it goes; whether that was more than a link's share. A machine that is busy with
/// other things may not come to it, and then nobody is starved.
async fn floods(from: &Arc<Namespace>, source: IpAddr, to: IpAddr) -> bool {
    const SHARE: u32 = 32 << 20;
    let begun = Instant::now();
    let sent = inside(from, move || {
        let domain = if source.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
        let socket = Socket::new(domain, Type::RAW, Some(Protocol::from(libc::IPPROTO_RAW)))?;
        for protocol in FLOOD_PROTOCOLS {
            for id in 1..FLOOD {
                // The first piece, or another.
                let place = if id % 2 == 0 { (0, true) } else { (1400, false) };
                let mut piece = piece(source, to, id, place, &[b'x'; 1400]);
                piece[if to.is_ipv4() { 9 } else { 40 }] = protocol;
                socket.send_to(&piece, &SocketAddr::new(to, 0).into())?;
            }
        }
        Ok::<(), std::io::Error>(())
    });
    sent.await.expect("they leave the sender");
    let bytes = f64::from(FLOOD) * FLOOD_PROTOCOLS.len() as f64 * 1400.0;
    bytes > f64::from(SHARE) * (1.0 + 1.2 * begun.elapsed().as_secs_f64())
}

/// Nobody cuts up IPv6 on the way: the first large datagram that leaves a VPC is answered, and lost.
async fn learns_what_the_gateway_takes(node: &Arc<Namespace>, sender: &UdpSocket, to: SocketAddr) {
    let IpAddr::V6(address) = to.ip() else { return };
    if address.segments()[2] == 0xffff {
        let mut answers = Answers::of(node, false).await;
        sender.send_to(&[b'x'; 9000], to).expect("it leaves");
        assert_eq!(answers.next().message, TOO_LARGE_IPV6);
    }
}

/// Large datagrams from one to another, each of which must arrive.
async fn large_ones_arrive(bare: &Bare, from: (&str, IpAddr), to: (&str, IpAddr), length: usize) {
    let socket = receiver(&bare.node(to.0), to.1.is_ipv4(), PORT).await;
    let (source, destination) = (from.1, to.1);
    let sender = inside(&bare.node(from.0), move || UdpSocket::bind((source, 0))).await.expect("a socket");
    learns_what_the_gateway_takes(&bare.node(from.0), &sender, SocketAddr::new(destination, PORT)).await;
    let mut received = vec![0; 65_536];
    for number in 0..50 {
        sender.send_to(&vec![b'x'; length], (destination, PORT)).expect("it leaves");
        let arrived = socket.recv(&mut received).unwrap_or_else(|error| panic!("{from:?}, {to:?}, {number}: {error}"));
        assert_eq!(arrived, length);
    }
}

#[sglab::test]
async fn who_finishes_no_datagram_starves_nobody_in_the_vpc() {
    let bare = cloud().await;
    let mut log = bare.log("vpc-main").await;
    for ipv4 in FAMILIES {
        let [a, b, c] = ["a", "b", "c"].map(|name| own(&bare, name, ipv4));
        if floods(&bare.node("c"), c, b).await {
            assert_eq!(log.next_fragment((c, b)), Record::Fragments, "ipv4 {ipv4}");
        }
        large_ones_arrive(&bare, ("a", a), ("b", b), 20_000).await;
        let public_b = outer(&bare, "b", ipv4);
        large_ones_arrive(&bare, ("office", own(&bare, "office", ipv4)), ("b", public_b), 20_000).await;
        large_ones_arrive(&bare, ("a", a), ("office", own(&bare, "office", ipv4)), 20_000).await;
    }
}

#[sglab::test]
async fn who_finishes_no_datagram_starves_nobody_from_outside() {
    let bare = cloud().await;
    let mut log = bare.log("internet").await;
    for ipv4 in FAMILIES {
        let [a, office, neighbour] = ["a", "office", "neighbour"].map(|name| own(&bare, name, ipv4));
        let (public_a, public_b) = (outer(&bare, "a", ipv4), outer(&bare, "b", ipv4));
        if floods(&bare.node("neighbour"), neighbour, public_b).await {
            assert_eq!(log.next_fragment((neighbour, public_b)), Record::Fragments, "ipv4 {ipv4}");
        }
        large_ones_arrive(&bare, ("office", office), ("a", public_a), 20_000).await;
        large_ones_arrive(&bare, ("a", a), ("office", office), 20_000).await;
    }
}

/// More than the receiver's socket has room for: its kernel counts what it has put together.
#[sglab::test]
async fn large_datagrams_pass_in_bursts() {
    const BURST: usize = 100;
    let bare = cloud().await;
    let (mut inner, mut beyond) = (bare.log("vpc-main").await, bare.log("internet").await);
    for ipv4 in FAMILIES {
        let [a, b, office] = ["a", "b", "office"].map(|name| own(&bare, name, ipv4));
        let (public_a, public_b) = (outer(&bare, "a", ipv4), outer(&bare, "b", ipv4));
        // Inside a VPC, by public address, in and out.
        let ways =
            [("a", a, "b", b), ("a", a, "b", public_b), ("office", office, "a", public_a), ("a", a, "office", office)];
        for (name, source, to, destination) in ways {
            let receiver = bare.node(to);
            let sender = inside(&bare.node(name), move || UdpSocket::bind((source, 0))).await.expect("a socket");
            learns_what_the_gateway_takes(&bare.node(name), &sender, SocketAddr::new(destination, PORT)).await;
            let before = put_together(&receiver, ipv4).await;
            for _ in 0..BURST {
                sender.send_to(&[b'x'; 60_000], (destination, PORT)).expect("it leaves");
            }
            let begun = Instant::now();
            let all = (BURST as u64, 0);
            let since = |now: (u64, u64)| (now.0 - before.0, now.1 - before.1);
            while since(put_together(&receiver, ipv4).await) != all {
                assert!(begun.elapsed() < soon(), "{name} to {destination}: {:?}", put_together(&receiver, ipv4).await);
            }
        }
    }
    assert_eq!((inner.drops(), beyond.drops()), (vec![], vec![]));
}

/// How many datagrams a namespace has put together, and how often it has failed.
async fn put_together(node: &Arc<Namespace>, ipv4: bool) -> (u64, u64) {
    if ipv4 {
        let lines = run(node, "cat", "/proc/net/snmp").await;
        let mut of_ip = lines.lines().filter(|line| line.starts_with("Ip:")).map(|line| line.split(' '));
        let (names, values) = (of_ip.next().expect("names"), of_ip.next().expect("values"));
        let values: Vec<(&str, &str)> = names.zip(values).collect();
        let of = |name| values.iter().find(|(it, _)| *it == name).expect("a number").1.parse().expect("a number");
        (of("ReasmOKs"), of("ReasmFails"))
    } else {
        let lines = run(node, "cat", "/proc/net/snmp6").await;
        let of = |name: &str| {
            let line = lines.lines().find(|line| line.starts_with(name)).expect("a number");
            line.split_whitespace().last().expect("a number").parse().expect("a number")
        };
        (of("Ip6ReasmOKs"), of("Ip6ReasmFails"))
    }
}
