//! Root inside an instance: floods, lies about who it is, sends what no stack sends, or breaks its own stack.

use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::sync::Arc;

use etherparse::PacketBuilder;
use sglab::fabric::Namespace;
use sglab::fabric::tap::Tap;
use sglab::model::Era;
use sglab::network::record::Record;
use sglab::probe::Outcome;
use sglab::scenario::agreement::{Agreement, compare};
use sglab::{model, policy};

use crate::bare::{Bare, ODD_FLAGS, inside, run, seen, segment, send_raw, tap};
use crate::clouds::*;
use crate::snapshot::Snapshot;

const CLOUD: &str = "sglab: 1
era: vpc
hosts: {office: 203.0.113.10}
groups: {WEB: [], DB: [tcp 3306 from WEB, udp 53 from WEB, tcp 80 from anywhere]}
instances: {web1: {groups: [WEB]}, web2: {groups: [WEB]}, db1: {groups: [DB]}}
scenario: [{step: as launched, expect: {open: ['web1 -> db1:3306', 'web1 -> db1:53/udp'], dropped: ['web1 -> db1:22']}}]
";

async fn cloud() -> Bare {
    Bare::boot(initial_cloud(&topology(CLOUD), Era::Vpc).0).await
}

/// The destination ports of what has arrived, by the time that an honest datagram to port 53 from port 6000 has.
async fn arrived(tap: &mut Tap, from: &Arc<Namespace>, source: Ipv4Addr, to: Ipv4Addr) -> Vec<(u8, u16)> {
    let honest = inside(from, move || UdpSocket::bind((source, 6000))).await.expect("a socket");
    honest.send_to(b"honest", (to, 53)).expect("sent");
    let seen = seen(tap, |tuple| tuple.source_port == 6000);
    let before = seen.iter().take_while(|tuple| tuple.source_port != 6000);
    before.map(|tuple| (tuple.protocol, tuple.destination_port)).collect()
}

#[sglab::test]
async fn a_flood_makes_no_wrong_verdict() {
    let mut lab = boot(&topology(CLOUD), Era::Vpc).await;
    let (web1, db1) = (private(lab.cloud(), "web1").0, private(lab.cloud(), "db1").0);
    let socket = inside(&node(&lab, "web1"), move || UdpSocket::bind((web1, 5000))).await.expect("a socket");
    let flood = std::thread::spawn(move || {
        // To an open port, to a closed one, and to nobody.
        for number in 0..60_000u32 {
            let to = if number % 3 == 0 { (db1, 53) } else { (db1, 22) };
            let _ = socket.send_to(&number.to_be_bytes(), to);
        }
    });
    let flows = [flow("web2", "db1", tcp(3306)), flow("web2", "db1", tcp(22)), flow("web1", "db1", tcp(22))];
    let mut rounds = 0;
    while rounds < 3 || !flood.is_finished() {
        let batch = lab.probe(&flows).await.unwrap_or_else(|error| panic!("{error}"));
        for seen in &batch.observations {
            let verdict = policy::judge(lab.cloud(), &seen.flow);
            let agreement = compare(&verdict, seen);
            assert!(agreement != Agreement::Disagree, "{}: {verdict:?} and {:?}", seen.flow, seen.outcome);
        }
        rounds += 1;
    }
    flood.join().expect("no panic");
    let found = outcomes(&mut lab, &flows).await;
    assert!(is_open(&found[0]) && is_dropped(&found[1]) && is_dropped(&found[2]), "when it is over: {found:?}");
}

#[sglab::test]
async fn a_large_datagram_in_fragments_has_one_verdict_by_its_ports() {
    let bare = cloud().await;
    let (mut log, mut tap) = (bare.log("vpc-default").await, tap(&bare.node("db1")).await);
    let (web1, db1) = (private(&bare.cloud, "web1").0, private(&bare.cloud, "db1").0);
    let server = inside(&bare.node("db1"), || UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 53))).await.expect("a socket");
    server.set_read_timeout(Some(crate::bare::soon())).expect("a timeout");
    let client = inside(&bare.node("web1"), move || UdpSocket::bind((web1, 5000))).await.expect("a socket");
    let large = vec![7; 4000];
    client.send_to(&large, (db1, 53)).expect("sent");
    let mut buffer = vec![0; 5000];
    assert_eq!(server.recv(&mut buffer).expect("all of it"), 4000);
    assert_eq!(log.drops(), []);
    client.send_to(&large, (db1, 22)).expect("sent");
    let (record, tuple, _) = log.next_drop();
    assert_eq!((record, tuple.destination_port), (Record::Drop(model::Direction::Ingress), 22));
    let seen = arrived(&mut tap, &bare.node("web2"), private(&bare.cloud, "web2").0, db1).await;
    assert!(seen.iter().all(|(_, port)| *port == 53 || *port == 0), "{seen:?}");
    assert!(!seen.iter().any(|(_, port)| *port == 22));
    assert_eq!(log.drops(), [], "one verdict for all fragments");
}

/// A fragment of a packet: its payload begins `offset` bytes in.
fn fragment(source: Ipv4Addr, to: Ipv4Addr, protocol: u8, offset: u16, more: bool, payload: &[u8]) -> Vec<u8> {
    let flags = (offset / 8) | if more { 0x2000 } else { 0 };
    let length = u16::try_from(20 + payload.len()).expect("short");
    let mut packet = vec![0x45, 0];
    packet.extend(length.to_be_bytes());
    packet.extend([0x12, 0x34]);
    packet.extend(flags.to_be_bytes());
    // The kernel fills in the checksum.
    packet.extend([64, protocol, 0, 0]);
    packet.extend(source.octets());
    packet.extend(to.octets());
    packet.extend(payload);
    packet
}

fn udp_payload(port: u16, length: u16) -> Vec<u8> {
    let mut payload = Vec::new();
    payload.extend(5000u16.to_be_bytes());
    payload.extend(port.to_be_bytes());
    payload.extend(length.to_be_bytes());
    payload.extend([0, 0]);
    payload.resize(length.into(), 7);
    payload
}

#[sglab::test]
async fn fragments_that_overlap_or_hide_their_ports_pass_no_filter() {
    let bare = cloud().await;
    let mut tap = tap(&bare.node("db1")).await;
    let (web1, db1) = (private(&bare.cloud, "web1").0, private(&bare.cloud, "db1").0);
    let (open, closed) = (udp_payload(53, 32), udp_payload(22, 32));
    let piece = |offset: u16, more, bytes: &[u8]| fragment(web1, db1, 17, offset, more, bytes);
    send_raw(
        &bare.node("web1"),
        vec![
            // The ports of an open flow, and a second beginning over it with those of a closed one.
            piece(0, true, &open[..16]),
            piece(0, true, &closed[..16]),
            piece(16, false, &closed[16..]),
        ],
    )
    .await;
    // The ports alone in a first fragment, the rest of a TCP header behind it; and a rest whose beginning never comes.
    let mut syn = Vec::new();
    PacketBuilder::ipv4(web1.octets(), db1.octets(), 64)
        .tcp(5001, 22, 1, 1024)
        .syn()
        .write(&mut syn, &[])
        .expect("a vector takes it");
    let tcp = &syn[20..];
    let tiny = [
        fragment(web1, db1, 6, 0, true, &tcp[..8]),
        fragment(web1, db1, 6, 8, false, &tcp[8..]),
        fragment(web1, db1, 6, 512, false, &[0; 64]),
    ];
    send_raw(&bare.node("web1"), tiny.to_vec()).await;
    let seen = arrived(&mut tap, &bare.node("web2"), private(&bare.cloud, "web2").0, db1).await;
    assert!(seen.is_empty(), "{seen:?}");
}

#[sglab::test]
async fn odd_tcp_flags_reach_nobody() {
    let bare = cloud().await;
    let (mut tap, mut log) = (tap(&bare.node("db1")).await, bare.log("vpc-default").await);
    let (web1, db1) = (private(&bare.cloud, "web1").0, private(&bare.cloud, "db1").0);
    let packet = |from: u16, to: u16, flags| segment(SocketAddrV4::new(web1, from), SocketAddrV4::new(db1, to), flags);
    // One is open to the group, one to everybody, so that nothing of it is tracked, and one to nobody.
    for port in [3306, 80, 22] {
        let packets = ODD_FLAGS.iter().zip(7000..).map(|(flags, source)| packet(source + port, port, *flags));
        send_raw(&bare.node("web1"), packets.collect()).await;
    }
    let seen = arrived(&mut tap, &bare.node("web2"), private(&bare.cloud, "web2").0, db1).await;
    assert!(seen.is_empty(), "{seen:?}");
    let drops = log.drops();
    assert!(drops.iter().all(|record| *record == Record::Invalid), "{drops:?}");
    assert_eq!(drops.len(), 3 * ODD_FLAGS.len());
    // So would a good beginning: it is let in where it may.
    send_raw(&bare.node("web1"), [3306, 80, 22].map(|port| packet(9000, port, 2)).to_vec()).await;
    let seen = arrived(&mut tap, &bare.node("web2"), private(&bare.cloud, "web2").0, db1).await;
    assert_eq!(seen, [(6, 3306), (6, 80)]);
}

#[sglab::test]
async fn answers_to_arp_for_others_move_no_packet() {
    let mut lab = boot(&topology(CLOUD), Era::Vpc).await;
    let before = Snapshot::of(&lab).await;
    let (web2, db1) = (private(lab.cloud(), "web2").0, private(lab.cloud(), "db1").0);
    let web1 = node(&lab, "web1");
    // web1 takes the addresses of the others and then another MAC, which its kernel tells everybody at once.
    inside(&web1, || std::fs::write("/proc/sys/net/ipv4/conf/eth0/arp_notify", "1")).await.expect("a setting");
    for address in [web2, db1] {
        run(&web1, "ip", &format!("address add {address}/32 dev eth0")).await;
    }
    run(&web1, "ip", "link set eth0 address 02:de:ad:00:00:01").await;
    let flows = [flow("web2", "db1", tcp(3306)), flow("web2", "db1", tcp(22)), flow("db1", "web2", tcp(22))];
    let found = outcomes(&mut lab, &flows).await;
    assert!(is_open(&found[0]) && is_dropped(&found[1]) && is_dropped(&found[2]), "{found:?}");
    let after = Snapshot::of(&lab).await;
    assert_eq!(after.but_for("web1"), before.but_for("web1"), "no neighbour has moved");
}

#[sglab::test]
async fn a_stack_that_is_broken_from_inside_is_never_taken_for_the_filter() {
    // Who breaks what, and how it is mended.
    let breaks: &[(&str, &str, &str)] = &[
        ("web1", "ip address flush dev eth0", ""),
        ("web1", "ip route flush table main", ""),
        ("web1", "ip link set eth0 down", ""),
        ("db1", "ip address flush dev eth0", ""),
        ("db1", "ip route flush table main", ""),
        ("db1", "ip link set eth0 down", ""),
        (
            "web1",
            "nft",
            "add table inet own; add chain inet own o { type filter hook output priority 0; policy drop; }",
        ),
        ("db1", "nft", "add table inet own; add chain inet own i { type filter hook input priority 0; policy drop; }"),
    ];
    for (who, words, script) in breaks {
        let mut lab = boot(&topology(CLOUD), Era::Vpc).await;
        let (program, arguments) = words.split_once(' ').unwrap_or((words, ""));
        if script.is_empty() {
            run(&node(&lab, who), program, arguments).await;
        } else {
            crate::bare::nft_script(&node(&lab, who), (*script).to_owned()).await;
        }
        let flows = [flow("web1", "db1", tcp(3306)), flow("web1", "db1", udp(53)), flow("web1", "db1", tcp(22))];
        let batch = lab.probe(&flows).await.unwrap_or_else(|error| panic!("{error}"));
        for (seen, allowed) in batch.observations.iter().zip([true, true, false]) {
            let right = match &seen.outcome {
                Outcome::Inconclusive { .. } => true,
                // That it is refused by the receiver itself, or dropped by the filter, is true all the same.
                Outcome::Refused { .. } => allowed,
                Outcome::Dropped(_) => !allowed,
                _ => false,
            };
            assert!(right, "{who}: {words} {script}: {}: {:?}", seen.flow, seen.outcome);
        }
    }
}
