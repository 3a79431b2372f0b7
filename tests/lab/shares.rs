//! What one fills of the filter's memory, and of connection tracking, takes nothing from others.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use sglab::fabric::Namespace;
use sglab::lab::LabError;
use sglab::model::{ConnectionName, Direction, Endpoint, Era, Flow, InstanceName, Peers, Port, Service, Via};
use sglab::network::record::Record;
use sglab::probe::Outcome;
use socket2::{Domain, Protocol, Socket, Type};

use crate::answers::receiver;
use crate::bare::{Bare, FAMILIES, Log, hears, inside, own, raw, run, soon, word};
use crate::clouds::{stop as stopping, *};

const CLOUD: &str = "sglab: 1
era: vpc
# The longest, so that what a test has sent is not forgotten before it ends.
tracking: {udp: 60}
vpcs: {main: {cidr: 10.0.0.0/16, ipv6: yes}}
hosts: {office: [203.0.113.10, '2001:db8:ffff::10'], neighbour: [203.0.113.11, '2001:db8:ffff::11']}
groups: {PEERS: [], OPEN: [udp 9000-9999 from anywhere, 'udp 9000-9999 from ::/0']}
instances:
  a: {groups: PEERS, listens: udp 500}
  b: {groups: PEERS, listens: udp 500}
  c: {groups: PEERS, listens: udp 500}
  d: {groups: OPEN, listens: udp 500}
scenario: [{step: as launched, expect: {dropped: ['a -> b:45001/udp']}}]
";

/// As `compile` gives each interface.
const DATAGRAMS: usize = 1 << 11;
const PROTOCOLS: usize = 1 << 11;
const FLOWS: u16 = 1 << 14;

async fn cloud() -> Bare {
    Bare::boot(initial_cloud(&topology(CLOUD), Era::Vpc).0).await
}

async fn bound(node: &Arc<Namespace>, at: (IpAddr, u16)) -> UdpSocket {
    let socket = inside(node, move || UdpSocket::bind(at)).await.expect("a socket");
    socket.set_read_timeout(Some(soon())).expect("a timeout");
    socket
}

/// Sends a datagram from each of so many ports to each of those.
async fn sends_to_many(node: &Arc<Namespace>, from: IpAddr, ports: u16, to: IpAddr, those: std::ops::Range<u16>) {
    let sent = inside(node, move || {
        for port in 0..ports {
            let socket = UdpSocket::bind((from, 20_000 + port))?;
            for to_port in those.clone() {
                socket.send_to(b"x", (to, to_port))?;
            }
        }
        Ok::<(), std::io::Error>(())
    });
    sent.await.expect("they leave the sender");
}

/// How many elements of a set are of an interface.
async fn elements(bare: &Bare, set: &str, interface: &str) -> usize {
    let listed = match set {
        "udp-sent" => run(&bare.node("vpc-main"), "nft", "list set inet sglab udp-sent").await,
        "udp-sent-ipv6" => run(&bare.node("vpc-main"), "nft", "list set inet sglab udp-sent-ipv6").await,
        "other" => run(&bare.node("vpc-main"), "nft", "list set inet sglab other").await,
        "other-ipv6" => run(&bare.node("vpc-main"), "nft", "list set inet sglab other-ipv6").await,
        _ => panic!("{set}"),
    };
    listed.matches(&format!("\"{interface}\" . ")).count()
}

#[sglab::test]
async fn who_sends_to_many_ports_fills_no_more_than_its_share_of_memory() {
    let bare = cloud().await;
    let mut log = bare.log("vpc-main").await;
    for ipv4 in FAMILIES {
        let [a, b, c] = ["a", "b", "c"].map(|name| own(&bare, name, ipv4));
        sends_to_many(&bare.node("a"), a, 4, b, 1..3000).await;
        log.next_of(Record::NoRoom);
        let set = if ipv4 { "udp-sent" } else { "udp-sent-ipv6" };
        // What has come back by then of its tokens, however slow this machine is.
        let most = 2 * DATAGRAMS;
        let filled = elements(&bare, set, "a").await;
        assert!(filled <= most, "{filled} of {set}");
        // Others are remembered all the same.
        let (one, two) = (bound(&bare.node("c"), (c, 45001)).await, bound(&bare.node("b"), (b, 45002)).await);
        one.send_to(b"word", (b, 45002)).expect("sent");
        let mut buffer = [0; 8];
        // The drop is on record, so that the answer comes behind it.
        log.next_of(Record::Drop(Direction::Ingress));
        two.send_to(b"word", (c, 45001)).expect("sent");
        one.recv(&mut buffer).unwrap_or_else(|error| panic!("the answer, ipv4 {ipv4}: {error}"));
        one.send_to(b"word", (b, 45002)).expect("sent");
        two.recv(&mut buffer).unwrap_or_else(|error| panic!("the question, ipv4 {ipv4}: {error}"));
    }
}

/// Packets of many protocols to many addresses outside.
async fn sends_many_protocols(node: &Arc<Namespace>, from: IpAddr) {
    let sent = inside(node, move || {
        let domain = if from.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
        let socket = Socket::new(domain, Type::RAW, Some(Protocol::from(libc::IPPROTO_RAW)))?;
        for protocol in 150..250u8 {
            for number in 1..60u8 {
                let (packet, to): (Vec<u8>, IpAddr) = match from {
                    IpAddr::V4(from) => {
                        let to = [198, 51, 100, number];
                        let head = [0x45, 0, 0, 28, 0, 0, 0, 0, 64, protocol, 0, 0];
                        ([&head[..], &from.octets(), &to, &[0; 8]].concat(), to.into())
                    }
                    IpAddr::V6(from) => {
                        let to = [0x20, 1, 0xd, 0xb8, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 1, number];
                        let head = [0x60, 0, 0, 0, 0, 8, protocol, 64];
                        ([&head[..], &from.octets(), &to, &[0; 8]].concat(), to.into())
                    }
                };
                socket.send_to(&packet, &SocketAddr::new(to, 0).into())?;
            }
        }
        Ok::<(), std::io::Error>(())
    });
    sent.await.expect("they leave the sender");
}

#[sglab::test]
async fn who_sends_many_protocols_fills_no_more_than_its_share_of_memory() {
    let bare = cloud().await;
    let mut log = bare.log("vpc-main").await;
    for ipv4 in FAMILIES {
        sends_many_protocols(&bare.node("a"), own(&bare, "a", ipv4)).await;
        log.next_of(Record::NoRoom);
        let set = if ipv4 { "other" } else { "other-ipv6" };
        let filled = elements(&bare, set, "a").await;
        assert!(filled <= 2 * PROTOCOLS, "{filled} of {set}");
    }
    let (b, c) = (private(&bare.cloud, "b").0, private(&bare.cloud, "c").0);
    let (one, two) = (raw(&bare.node("c"), 50, c).await, raw(&bare.node("b"), 50, b).await);
    word(&one, b);
    log.next_of(Record::Drop(Direction::Ingress));
    word(&two, c);
    hears(&one, "the answer");
    word(&one, b);
    hears(&two, "the question");
}

const BURST: u32 = 10_000;

/// Sends more than there is room for, as long as it goes on.
async fn floods(node: &Arc<Namespace>, from: IpAddr, to: IpAddr, stop: Arc<AtomicBool>) -> JoinHandle<()> {
    let sockets: Vec<UdpSocket> = {
        let mut sockets = Vec::new();
        for port in 20_000..20_008 {
            sockets.push(bound(node, (from, port)).await);
        }
        sockets
    };
    let send = move |number: u32| {
        let (socket, port) = (&sockets[number as usize % 8], 1000 + (number / 8 % 50_000) as u16);
        let _ = socket.send_to(b"x", (to, port));
    };
    // Its tokens are gone before this returns.
    (0..BURST).for_each(&send);
    std::thread::spawn(move || {
        for number in BURST.. {
            if stop.load(Ordering::Relaxed) {
                return;
            }
            send(number);
            if number % 16 == 0 {
                std::thread::sleep(Duration::from_micros(200));
            }
        }
    })
}

/// Two who have filled their own shares are owed memory that they have not got: of one of them is enough to meet. Nobody else's verdict
/// is touched, and the lab is operated meanwhile.
#[sglab::test]
async fn what_there_was_no_room_to_remember_makes_a_verdict_inconclusive() {
    let mut lab = boot(&topology(CLOUD), Era::Vpc).await;
    let [a, b, c] = ["a", "b", "c"].map(|name| IpAddr::from(private(lab.cloud(), name).0));
    sends_many_protocols(&node(&lab, "a"), a).await;
    let stop = Arc::new(AtomicBool::new(false));
    let both = [
        floods(&node(&lab, "a"), a, b, Arc::clone(&stop)).await,
        floods(&node(&lab, "b"), b, c, Arc::clone(&stop)).await,
    ];
    let end = |name: &str| Endpoint::Instance(InstanceName::new(name));
    let peers = |from, port, to| {
        let service = Service::Udp(Port(500));
        Peers::of(&Flow { from: end(from), to: end(to), via: Via::Private, service }, Some(Port(port)))
    };
    // One of its tokens comes back now and then.
    let mut met = Vec::new();
    for port in 4500..4505 {
        met.push(lab.meet(&ConnectionName::new(format!("own-{port}")), &peers("a", port, "b")).await);
        if met.last().is_some_and(Result::is_err) {
            break;
        }
    }
    assert!(matches!(met.last(), Some(Err(LabError::NotProved { .. }))), "{met:?}");
    lab.meet(&ConnectionName::new("others"), &peers("c", 4500, "d")).await.expect("they meet");
    for operation in [stopping("d"), start("d")] {
        lab.apply(&operation).await.unwrap_or_else(|error| panic!("{operation:?}: {error}"));
    }
    stop.store(true, Ordering::Relaxed);
    for flood in both {
        flood.join().expect("no panic");
    }
    let asked = [flow("b", "a", Service::Protocol(50)), flow("d", "c", Service::Protocol(50))];
    let begun = Instant::now();
    loop {
        let batch = lab.probe(&asked).await.unwrap_or_else(|error| panic!("{error}"));
        let [own, others] = [0, 1].map(|flow| &batch.observations[flow].outcome);
        assert!(matches!(own, Outcome::Inconclusive { .. }), "{own:?}");
        // Nothing is proved of anybody as long as records of the flood are to be read.
        if batch.canaries_held && is_dropped(others) {
            break;
        }
        assert!(begun.elapsed() < 6 * soon(), "{others:?}");
    }
}

/// Opens flows to a port from so many others until one is dropped for want of a share. The records of a flood may have
/// displaced the first of those.
async fn opens_until_dropped(node: &Arc<Namespace>, from: IpAddr, to: IpAddr, log: &mut Log) {
    let begun = Instant::now();
    loop {
        log.drops();
        sends_to_many(node, from, 40, to, 9000..9001).await;
        if log.drops().contains(&Record::Connections) {
            return;
        }
        assert!(begun.elapsed() < 6 * soon(), "no flow was dropped for want of a share");
    }
}

#[sglab::test]
async fn who_opens_many_flows_keeps_connection_tracking_from_nobody() {
    let bare = cloud().await;
    let mut log = bare.log("vpc-main").await;
    let [a, c, d] = ["a", "c", "d"].map(|name| own(&bare, name, true));
    let under_way = bound(&bare.node("a"), (a, 4000)).await;
    let listener = receiver(&bare.node("d"), true, 9000).await;
    let mut buffer = [0; 8];
    under_way.send_to(b"word", (d, 9000)).expect("sent");
    listener.recv(&mut buffer).expect("the first word");
    drop(listener);
    sends_to_many(&bare.node("a"), a, FLOWS / 999 + 6, d, 9001..10_000).await;
    opens_until_dropped(&bare.node("a"), a, d, &mut log).await;
    let listener = receiver(&bare.node("d"), true, 9000).await;
    let fresh = bound(&bare.node("a"), (a, 4001)).await;
    fresh.send_to(b"word", (d, 9000)).expect("sent");
    under_way.send_to(b"held", (d, 9000)).expect("sent");
    listener.recv(&mut buffer).expect("what was under way goes on");
    assert_eq!(&buffer[..4], b"held", "no more than its share");
    for ipv4 in FAMILIES {
        let (c, d) = (if ipv4 { c } else { own(&bare, "c", false) }, own(&bare, "d", ipv4));
        let listener = receiver(&bare.node("d"), ipv4, 9001).await;
        bound(&bare.node("c"), (c, 4000)).await.send_to(b"word", (d, 9001)).expect("sent");
        listener.recv(&mut buffer).unwrap_or_else(|error| panic!("another's flow, ipv4 {ipv4}: {error}"));
    }
}

#[sglab::test]
async fn of_what_comes_from_outside_each_source_has_a_share_of_connection_tracking() {
    let bare = cloud().await;
    let mut log = bare.log("vpc-main").await;
    for ipv4 in FAMILIES {
        let [office, neighbour] = ["office", "neighbour"].map(|name| own(&bare, name, ipv4));
        let d = if ipv4 { public(&bare.cloud, "d").0.into() } else { own(&bare, "d", false) };
        sends_to_many(&bare.node("office"), office, FLOWS / 999 + 6, d, 9001..10_000).await;
        opens_until_dropped(&bare.node("office"), office, d, &mut log).await;
        let listener = receiver(&bare.node("d"), ipv4, 9000).await;
        bound(&bare.node("neighbour"), (neighbour, 4000)).await.send_to(b"word", (d, 9000)).expect("sent");
        listener.recv(&mut [0; 8]).unwrap_or_else(|error| panic!("another's flow, ipv4 {ipv4}: {error}"));
    }
}
