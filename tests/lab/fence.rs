//! What a program in an instance can reach as root, and what it cannot; and whose address a packet may bear.

use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::os::fd::AsRawFd;
use std::process::{Command, Output};
use std::sync::Arc;

use etherparse::PacketBuilder;
use sglab::compile::names::port_index;
use sglab::fabric::Namespace;
use sglab::fabric::tap::Tap;
use sglab::model::{Direction, Era, InstanceName};
use sglab::network::record::Record;
use socket2::{Domain, Protocol, Socket, Type};

use crate::bare::{Bare, connection, inside, is_silent, passes, run, seen, send_raw, table, tap};
use crate::clouds::*;

const CLOUD: &str = "sglab: 1
era: classic
hosts: {office: 203.0.113.10, neighbour: 203.0.113.11}
groups: {WEB: [tcp 80 from office], DB: [tcp 3306 from WEB, udp 53 from WEB]}
instances: {web1: {groups: [WEB]}, web2: {groups: [WEB]}, db1: {groups: [DB]}}
scenario: [{step: as launched, expect: {open: ['web1 -> db1:3306']}}]
";

async fn cloud() -> Bare {
    Bare::boot(initial_cloud(&topology(CLOUD), Era::Classic).0).await
}

/// Runs a program as root of an instance, in its own namespaces as a program of the instance is.
async fn as_root_in(node: &Arc<Namespace>, words: &str) -> Output {
    let of = |fd: i32| format!("/proc/{}/fd/{fd}", std::process::id());
    let user = of(node.user().expect("an instance has a user namespace of its own").as_raw_fd());
    let net = of(node.net().as_raw_fd());
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let mut command = Command::new("nsenter");
    // An ordinary user is root inside already, and has no other id there.
    if !nix::unistd::geteuid().is_root() {
        command.arg("--preserve-credentials");
    }
    command.args([&format!("--user={user}"), &format!("--net={net}"), "--"]);
    command.args(words.split_whitespace()).env("PATH", path).env("LC_ALL", "C").output().expect("nsenter")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[sglab::test]
async fn root_in_an_instance_can_do_in_it_what_root_can() {
    let bare = cloud().await;
    let web1 = bare.node("web1");
    let id = as_root_in(&web1, "id -u").await;
    assert_eq!(String::from_utf8_lossy(&id.stdout).trim(), "0");
    for words in ["ip address add 10.9.9.9/32 dev lo", "nft add table inet own", "nft list table inet own"] {
        let output = as_root_in(&web1, words).await;
        assert!(output.status.success(), "{words}: {}", said(&output));
    }
}

#[sglab::test]
async fn root_in_an_instance_cannot_see_or_delete_the_filter() {
    let bare = cloud().await;
    let (web1, router) = (bare.node("web1"), bare.node("vpc-default"));
    let before = table(&router).await;
    for words in ["nft list table inet sglab", "nft delete table inet sglab"] {
        let output = as_root_in(&web1, words).await;
        assert!(said(&output).contains("No such file or directory"), "{words}: {}", said(&output));
    }
    let by_its_name = as_root_in(&web1, "nsenter --net=/run/netns/vpc-default -- nft delete table inet sglab").await;
    assert!(!by_its_name.status.success());
    let listed = as_root_in(&web1, "nft list ruleset").await;
    assert!(listed.status.success() && listed.stdout.is_empty(), "its own rules only: {}", said(&listed));
    assert_eq!(table(&router).await, before);
}

#[sglab::test]
async fn root_in_an_instance_cannot_enter_the_vpc_or_another_instance() {
    let bare = cloud().await;
    let web1 = bare.node("web1");
    for other in ["vpc-default", "gateway-default", "internet", "web2", "db1"] {
        let words = format!("nsenter --net=/run/netns/{other} -- true");
        let output = as_root_in(&web1, &words).await;
        assert!(said(&output).contains("Operation not permitted"), "{words}: {}", said(&output));
    }
    // The lab itself can, so the names are right.
    run(&web1, "nsenter", "--net=/run/netns/vpc-default -- true").await;
    let itself = as_root_in(&web1, "nsenter --net=/run/netns/web1 -- true").await;
    assert!(itself.status.success(), "{}", said(&itself));
}

#[sglab::test]
async fn root_in_an_instance_cannot_move_its_link_away() {
    let bare = cloud().await;
    let web1 = bare.node("web1");
    for other in ["vpc-default", "internet", "web2"] {
        let output = as_root_in(&web1, &format!("ip link set eth0 netns {other}")).await;
        assert!(said(&output).contains("Operation not permitted"), "{other}: {}", said(&output));
    }
    run(&web1, "ip", "link show eth0").await;
}

#[sglab::test]
async fn root_in_a_host_outside_is_fenced_off_too() {
    let bare = cloud().await;
    let office = bare.node("office");
    assert!(as_root_in(&office, "ip address add 10.9.9.9/32 dev lo").await.status.success());
    for other in ["vpc-default", "gateway-default", "internet", "neighbour", "web1"] {
        for words in [format!("nsenter --net=/run/netns/{other} -- true"), format!("ip link set eth0 netns {other}")] {
            let output = as_root_in(&office, &words).await;
            assert!(said(&output).contains("Operation not permitted"), "{words}: {}", said(&output));
        }
    }
    run(&office, "ip", "link show eth0").await;
}

fn udp_packet(source: Ipv4Addr, destination: Ipv4Addr) -> Vec<u8> {
    let mut packet = Vec::new();
    let builder = PacketBuilder::ipv4(source.octets(), destination.octets(), 64).udp(5000, 53);
    builder.write(&mut packet, b"spoofed").expect("a vector takes it");
    packet
}

/// Shows that a namespace has not seen the spoofed datagram, by one that its sender may send and that comes later.
async fn only_the_honest_one_arrives(tap: &mut Tap, from: &Arc<Namespace>, source: Ipv4Addr, to: Ipv4Addr) {
    let honest = inside(from, move || UdpSocket::bind((source, 5001))).await.expect("a socket");
    honest.send_to(b"honest", (to, 53)).expect("sent");
    let seen = seen(tap, |tuple| tuple.source_port == 5001);
    assert!(seen.iter().all(|tuple| tuple.source_port != 5000), "the spoofed one has arrived");
}

#[sglab::test]
async fn a_neighbours_address_as_source_is_dropped_and_on_record() {
    let bare = cloud().await;
    let (mut log, mut tap) = (bare.log("vpc-default").await, tap(&bare.node("db1")).await);
    let (web2, db1) = (private(&bare.cloud, "web2").0, private(&bare.cloud, "db1").0);
    send_raw(&bare.node("web1"), vec![udp_packet(web2, db1)]).await;
    let (record, tuple, by) = log.next_drop();
    assert_eq!((record, tuple.source, tuple.destination), (Record::Spoofed, web2.into(), db1.into()));
    let number = bare.cloud.instances[&InstanceName::new("web1")].interfaces[0].number;
    assert_eq!(by, Some(port_index(number)), "the record says whose link it came by");
    // The address in its holder's hand is as good as ever.
    only_the_honest_one_arrives(&mut tap, &bare.node("web2"), web2, db1).await;
    assert_eq!(log.drops(), []);
}

#[sglab::test]
async fn a_neighbours_address_taken_as_ones_own_is_dropped_and_on_record() {
    let bare = cloud().await;
    let (mut log, mut tap) = (bare.log("vpc-default").await, tap(&bare.node("db1")).await);
    let (web2, db1) = (private(&bare.cloud, "web2").0, private(&bare.cloud, "db1").0);
    let web1 = bare.node("web1");
    let taken = as_root_in(&web1, &format!("ip address add {web2}/32 dev lo")).await;
    assert!(taken.status.success(), "{}", said(&taken));
    let socket = inside(&web1, move || UdpSocket::bind((web2, 5000))).await.expect("a socket");
    socket.send_to(b"spoofed", (db1, 53)).expect("it leaves the sender");
    let (record, tuple, _) = log.next_drop();
    assert_eq!((record, tuple.source, tuple.destination), (Record::Spoofed, web2.into(), db1.into()));
    only_the_honest_one_arrives(&mut tap, &bare.node("web2"), web2, db1).await;
}

#[sglab::test]
async fn a_spoofed_reset_does_not_end_anothers_flow() {
    let bare = cloud().await;
    let mut log = bare.log("vpc-default").await;
    let (web2, db1) = (private(&bare.cloud, "web2").0, private(&bare.cloud, "db1").0);
    let at = SocketAddrV4::new(db1, 3306);
    // What db1 receives, to know the number that a reset must bear to count.
    let receiver = bare.node("db1");
    let ears = inside(&receiver, || {
        Socket::new(Domain::PACKET, Type::DGRAM, Some(Protocol::from(i32::from((libc::ETH_P_IP as u16).to_be()))))
    });
    let ears = ears.await.expect("a packet socket");
    let (mut client, mut server) = connection(&bare.node("web2"), web2, &receiver, at).await;
    assert!(passes(&mut client, &mut server));
    let next = next_number(&ears);
    let port = client.local_addr().expect("an address").port();
    let mut reset = Vec::new();
    let builder = PacketBuilder::ipv4(web2.octets(), db1.octets(), 64).tcp(port, 3306, next, 0).rst();
    builder.write(&mut reset, &[]).expect("a vector takes it");
    send_raw(&bare.node("web1"), vec![reset.clone()]).await;
    let (record, tuple, _) = log.next_drop();
    assert_eq!((record, tuple.source, tuple.source_port), (Record::Spoofed, web2.into(), port));
    assert!(is_silent(&mut server));
    assert!(passes(&mut client, &mut server) && passes(&mut server, &mut client), "the flow is tracked as before");
    // From its own sender the same reset would have ended it, so the number was right.
    let next = next_number(&ears);
    let mut reset = Vec::new();
    let builder = PacketBuilder::ipv4(web2.octets(), db1.octets(), 64).tcp(port, 3306, next, 0).rst();
    builder.write(&mut reset, &[]).expect("a vector takes it");
    send_raw(&bare.node("web2"), vec![reset]).await;
    let ended = std::io::Read::read(&mut server, &mut [0; 4]).expect_err("a reset");
    assert_eq!(ended.kind(), std::io::ErrorKind::ConnectionReset);
}

/// The sequence number that follows the last data among the packets that wait in a packet socket.
fn next_number(ears: &Socket) -> u32 {
    ears.set_nonblocking(true).expect("a flag");
    let mut next = None;
    let mut buffer = [0; 2048];
    while let Ok(length) = nix::sys::socket::recv(ears.as_raw_fd(), &mut buffer, nix::sys::socket::MsgFlags::empty()) {
        let sliced = etherparse::SlicedPacket::from_ip(&buffer[..length]).expect("a packet");
        if let Some(etherparse::TransportSlice::Tcp(tcp)) = &sliced.transport {
            next = Some(tcp.sequence_number().wrapping_add(tcp.payload().len() as u32).max(next.unwrap_or(0)));
        }
    }
    next.expect("data has arrived")
}

/// A host sends with a source that is not its own; its link to the internet drops it, on record.
async fn a_host_cannot_bear(source: impl FnOnce(&Bare) -> Ipv4Addr) {
    let bare = cloud().await;
    let (mut log, mut tap) = (bare.log("internet").await, tap(&bare.node("gateway-default")).await);
    let (source, db1) = (source(&bare), public(&bare.cloud, "db1").0);
    let neighbour = bare.node("neighbour");
    send_raw(&neighbour, vec![udp_packet(source, db1)]).await;
    let (record, tuple, _) = log.next_drop();
    assert_eq!((record, tuple.source, tuple.destination), (Record::Spoofed, source.into(), db1.into()));
    only_the_honest_one_arrives(&mut tap, &neighbour, Ipv4Addr::new(203, 0, 113, 11), db1).await;
}

#[sglab::test]
async fn a_host_that_bears_anothers_address_is_dropped_and_on_record() {
    a_host_cannot_bear(|_| Ipv4Addr::new(203, 0, 113, 10)).await;
}

#[sglab::test]
async fn a_host_that_bears_an_address_of_the_vpc_is_dropped_and_on_record() {
    a_host_cannot_bear(|bare| private(&bare.cloud, "web1").0).await;
}

/// The block of the VPC, no more and no less of it.
#[sglab::test]
async fn what_comes_from_the_gateway_with_an_address_of_the_vpc_is_dropped_and_on_record() {
    let bare = cloud().await;
    let (mut log, mut tap) = (bare.log("vpc-default").await, tap(&bare.node("db1")).await);
    let (web1, db1) = (private(&bare.cloud, "web1").0, private(&bare.cloud, "db1").0);
    for source in [web1, Ipv4Addr::new(10, 0, 255, 254), Ipv4Addr::new(10, 0, 0, 1)] {
        send_raw(&bare.node("gateway-default"), vec![udp_packet(source, db1)]).await;
        let (record, tuple, by) = log.next_drop();
        assert_eq!((record, tuple.source, tuple.destination), (Record::Spoofed, source.into(), db1.into()));
        assert_eq!(by, Some(2), "the index of the router's link to its gateway");
    }
    for stranger in [[10, 1, 0, 1], [9, 255, 255, 254]].map(Ipv4Addr::from) {
        send_raw(&bare.node("gateway-default"), vec![udp_packet(stranger, db1)]).await;
        let (record, tuple, _) = log.next_drop();
        assert_eq!((record, tuple.source), (Record::Drop(Direction::Ingress), stranger.into()));
    }
    only_the_honest_one_arrives(&mut tap, &bare.node("web1"), web1, db1).await;
}
