//! The largest packet of each link, and what becomes of larger ones.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use sglab::compile::names::{GATEWAY_ADDRESS, INTERNET_ADDRESS, INTERNET_ADDRESS_IPV6, gateway_ipv6};
use sglab::fabric::packet::ICMP;
use sglab::model::Era;

use crate::answers::*;
use crate::bare::{Bare, connection, seen, tap};
use crate::clouds::*;

const CLOUD: &str = "sglab: 1
era: vpc
vpcs: {main: {cidr: 10.0.0.0/16, ipv6: yes}}
hosts:
  office: [203.0.113.10, '2001:db8:ffff::10']
  home: {address: [203.0.113.80, '2001:db8:ffff::80'], mtu: 1400}
groups: {A: [udp 9000 from anywhere, 'udp 9000 from ::/0', tcp 80 from home]}
instances: {a: {groups: A}, b: {groups: A}}
scenario: [{step: as launched, expect: {open: ['home -> a:80']}}]
";

const OLD_CLOUD: &str = "sglab: 1
era: [article, classic]
groups: {A: [udp 9000 from anywhere]}
instances: {a: {groups: A}, b: {groups: A}}
scenario: [{step: as launched, expect: {open: ['a -> b:9000/udp']}}]
";

const PORT: u16 = 9000;
const OFFICE: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 10);
const HOME: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 80);

async fn cloud() -> Bare {
    Bare::boot(initial_cloud(&topology(CLOUD), Era::Vpc).0).await
}

fn inner(bare: &Bare, name: &str) -> IpAddr {
    private(&bare.cloud, name).0.into()
}

fn whole(from: IpAddr, to: IpAddr, length: usize) -> Vec<u8> {
    datagram(from, (to, PORT), 64, length, Fragments::Forbidden)
}

fn in_pieces(from: IpAddr, to: IpAddr, length: usize) -> Vec<u8> {
    datagram(from, (to, PORT), 64, length, Fragments::Allowed)
}

#[sglab::test]
async fn inside_a_vpc_nine_thousand_and_one_bytes_go_through_in_one_piece() {
    let bare = cloud().await;
    let (a, b) = (bare.node("a"), bare.node("b"));
    let socket = receiver(&b, true, PORT).await;
    send(&a, whole(inner(&bare, "a"), inner(&bare, "b"), 9001)).await.expect("the link takes it");
    assert_eq!(arrived(&socket), 9001 - 28);
    let larger = send(&a, whole(inner(&bare, "a"), inner(&bare, "b"), 9002)).await;
    assert_eq!(larger.expect_err("more than the link takes").raw_os_error(), Some(libc::EMSGSIZE));
}

#[sglab::test]
async fn in_the_older_eras_every_link_takes_1500_bytes() {
    for era in [Era::Article, Era::Classic] {
        let bare = Bare::boot(initial_cloud(&topology(OLD_CLOUD), era).0).await;
        let (a, b) = (bare.node("a"), bare.node("b"));
        let socket = receiver(&b, true, PORT).await;
        send(&a, whole(inner(&bare, "a"), inner(&bare, "b"), 1500)).await.expect("the link takes it");
        assert_eq!(arrived(&socket), 1500 - 28);
        let larger = send(&a, whole(inner(&bare, "a"), inner(&bare, "b"), 1501)).await;
        assert_eq!(larger.expect_err("more than the link takes").raw_os_error(), Some(libc::EMSGSIZE), "{era}");
    }
}

#[sglab::test]
async fn what_leaves_by_the_gateway_is_cut_up_or_answered_by_it() {
    let bare = cloud().await;
    let (a, office) = (bare.node("a"), bare.node("office"));
    let (socket, mut answers) = (receiver(&office, true, PORT).await, Answers::of(&a, true).await);
    let (from, to) = (inner(&bare, "a"), IpAddr::from(OFFICE));
    // Before and after the flow is known.
    for _ in 0..2 {
        send(&a, whole(from, to, 1501)).await.expect("it leaves the sender");
        let told = Answer { from: GATEWAY_ADDRESS.into(), message: TOO_LARGE_IPV4, mtu: 1500, about: (from, to) };
        assert_eq!(answers.next(), told);
        send(&a, whole(from, to, 1500)).await.expect("it leaves the sender");
        assert_eq!(arrived(&socket), 1500 - 28);
        // The kernel of the sender has learned the size, and would cut it up itself.
        crate::bare::run(&a, "ip", "route flush cache").await;
        send(&a, in_pieces(from, to, 4000)).await.expect("it leaves the sender");
        assert_eq!(arrived(&socket), 4000 - 28);
    }
}

#[sglab::test]
async fn what_comes_back_in_by_public_address_has_been_through_the_gateway_too() {
    let bare = cloud().await;
    let (a, b) = (bare.node("a"), bare.node("b"));
    let (socket, mut answers) = (receiver(&b, true, PORT).await, Answers::of(&a, true).await);
    let (from, to) = (inner(&bare, "a"), IpAddr::from(public(&bare.cloud, "b").0));
    for _ in 0..2 {
        send(&a, whole(from, to, 1501)).await.expect("it leaves the sender");
        let told = Answer { from: GATEWAY_ADDRESS.into(), message: TOO_LARGE_IPV4, mtu: 1500, about: (from, to) };
        assert_eq!(answers.next(), told);
        crate::bare::run(&a, "ip", "route flush cache").await;
        for length in [1500, 4000] {
            send(&a, in_pieces(from, to, length)).await.expect("it leaves the sender");
            assert_eq!(arrived(&socket), length - 28);
        }
    }
}

#[sglab::test]
async fn a_router_never_cuts_up_ipv6() {
    let bare = cloud().await;
    let ipv6 = |name: &str| -> IpAddr { bare.cloud.instances[name].interfaces[0].ipv6.expect("an address").0.into() };
    let (a, b) = (bare.node("a"), bare.node("b"));
    let inside = receiver(&b, false, PORT).await;
    send(&a, whole(ipv6("a"), ipv6("b"), 9001)).await.expect("it leaves the sender");
    assert_eq!(arrived(&inside), 9001 - 48);
    let mut answers = Answers::of(&a, false).await;
    let hosts: [(&str, &str, IpAddr, u32); 2] = [
        ("office", "2001:db8:ffff::10", gateway_ipv6(1).into(), 1500),
        ("home", "2001:db8:ffff::80", INTERNET_ADDRESS_IPV6.into(), 1400),
    ];
    for (host, address, answerer, mtu) in hosts {
        let socket = receiver(&bare.node(host), false, PORT).await;
        let (from, to) = (ipv6("a"), address.parse().expect("an address"));
        let most = usize::try_from(mtu).expect("a length");
        send(&a, whole(from, to, most + 1)).await.expect("it leaves the sender");
        let told = Answer { from: answerer, message: TOO_LARGE_IPV6, mtu, about: (from, to) };
        assert_eq!(answers.next(), told);
        send(&a, whole(from, to, most)).await.expect("it leaves the sender");
        assert_eq!(arrived(&socket), most - 48);
    }
}

#[sglab::test]
async fn the_internet_answers_for_the_small_link_of_a_host() {
    let bare = cloud().await;
    let (a, home) = (bare.node("a"), bare.node("home"));
    let (socket, mut answers) = (receiver(&home, true, PORT).await, Answers::of(&a, true).await);
    let (from, to) = (inner(&bare, "a"), IpAddr::from(HOME));
    send(&a, whole(from, to, 1401)).await.expect("it leaves the sender");
    let told = Answer { from: INTERNET_ADDRESS.into(), message: TOO_LARGE_IPV4, mtu: 1400, about: (from, to) };
    assert_eq!(answers.next(), told);
    send(&a, whole(from, to, 1400)).await.expect("it leaves the sender");
    assert_eq!(arrived(&socket), 1400 - 28);
    crate::bare::run(&a, "ip", "route flush cache").await;
    send(&a, in_pieces(from, to, 1500)).await.expect("it leaves the sender");
    assert_eq!(arrived(&socket), 1500 - 28);
}

/// Nothing but its route tells it, since its interface takes more.
#[sglab::test]
async fn a_host_behind_a_small_link_knows_how_much_gets_through_in_its_own_direction() {
    let bare = cloud().await;
    let (a, home, office) = (bare.node("a"), bare.node("home"), bare.node("office"));
    for (family, segment) in [("-4", 1500 - 40), ("-6", 1500 - 60)] {
        let routes = |node| async move { crate::bare::run(node, "ip", &format!("{family} route show default")).await };
        let small = routes(&home).await;
        assert!(small.contains(" mtu 1400 ") && small.contains(&format!(" advmss {segment} ")), "{small}");
        let usual = routes(&office).await;
        assert!(!usual.contains(" mtu ") && !usual.contains(" advmss "), "{usual}");
    }
    let links = crate::bare::run(&home, "ip", "link show eth0").await;
    assert!(links.contains(" mtu 1500 "), "{links}");
    let ipv6 = bare.cloud.instances["a"].interfaces[0].ipv6.expect("an address").0;
    let to: [(IpAddr, IpAddr, usize); 2] = [
        (HOME.into(), public(&bare.cloud, "a").0.into(), 28),
        ("2001:db8:ffff::80".parse().expect("an address"), ipv6.into(), 48),
    ];
    for (from, to, headers) in to {
        let socket = receiver(&a, from.is_ipv4(), PORT).await;
        // A piece that is larger than the link takes is lost in it without a word.
        let sent = move || std::net::UdpSocket::bind((from, 0))?.send_to(&[b'x'; 4000], (to, PORT));
        assert_eq!(crate::bare::inside(&home, sent).await.expect("it is sent"), 4000);
        assert_eq!(arrived(&socket), 4000);
        // And of what may not be cut up just so much gets through.
        send(&home, whole(from, to, 1400)).await.expect("it leaves the sender");
        assert_eq!(arrived(&socket), 1400 - headers);
    }
}

/// The host announces by TCP what its own interface takes, so that only an error tells the sender of the link before it.
#[sglab::test]
async fn a_long_stream_finds_out_about_a_small_link() {
    const LONG: usize = 400_000;
    let bare = cloud().await;
    let (a, home) = (bare.node("a"), bare.node("home"));
    let mut tap = tap(&a).await;
    let at = SocketAddr::new(public(&bare.cloud, "a").0.into(), 80);
    let SocketAddr::V4(at) = at else { panic!("{at}") };
    let (mut client, mut server) = connection(&home, HOME, &a, at).await;
    // Either way: what the host sends is small enough by itself.
    for _ in 0..2 {
        let (mut from, to) = (server.try_clone().expect("the same socket"), &mut client);
        let sending = std::thread::spawn(move || from.write_all(&vec![b'y'; LONG]));
        to.read_exact(&mut vec![0; LONG]).expect("all of it comes");
        sending.join().expect("no panic").expect("sent");
        std::mem::swap(&mut server, &mut client);
    }
    let told = seen(&mut tap, |tuple| (tuple.protocol, tuple.destination_port) == (ICMP, 3));
    assert!(told.iter().any(|tuple| tuple.protocol == ICMP && tuple.source == IpAddr::from(INTERNET_ADDRESS)));
}
