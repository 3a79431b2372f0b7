//! Each interface tracks for itself: who has sent takes the answer, also while the other end still drops what comes.
//!
//! Source: "Security group connection tracking" (Amazon EC2 user guide).

use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::sync::Arc;
use std::time::Instant;

use etherparse::PacketBuilder;
use sglab::fabric::Namespace;
use sglab::fabric::packet::{ICMP, Tuple};
use sglab::model::{Attachment, Direction, Era, Operation, Port, PortRange, Traffic};
use sglab::network::record::Record;

use crate::bare::{Bare, Log, hears, inside, raw, run, seen, segment, send_raw, soon, tap, word};
use crate::clouds::*;

const CLOUD: &str = "sglab: 1
era: vpc
vpcs: {main: {cidr: 10.0.0.0/16, ipv6: yes, subnets: {a: 10.0.0.0/24, b: 10.0.1.0/24}}}
groups: {PEERS: [], LONE: [protocol 253 from LONE]}
instances:
  a: {groups: PEERS}
  b: {groups: PEERS}
  c: {groups: LONE}
scenario: [{step: as launched, expect: {dropped: ['c -> b:45001/udp']}}]
";

async fn cloud() -> (Bare, Log) {
    let bare = Bare::boot(initial_cloud(&topology(CLOUD), Era::Vpc).0).await;
    let log = bare.log("vpc-main").await;
    (bare, log)
}

/// A socket that is bound in a namespace.
async fn bound(node: &Arc<Namespace>, address: impl Into<SocketAddr>) -> UdpSocket {
    let address = address.into();
    let socket = inside(node, move || UdpSocket::bind(address)).await.expect("a socket");
    socket.set_read_timeout(Some(soon())).expect("a timeout");
    socket
}

fn at(bare: &Bare, name: &str, port: u16) -> SocketAddr {
    SocketAddrV4::new(private(&bare.cloud, name).0, port).into()
}

/// Sends from one to the other, where it must arrive.
fn arrives(from: &UdpSocket, to: &UdpSocket, address: SocketAddr) {
    from.send_to(b"word", address).expect("sent");
    to.recv(&mut [0; 4]).unwrap_or_else(|error| panic!("to {address}: {error}"));
}

/// Sends to an address, and waits for the record of the drop at the receiver's ingress.
fn is_dropped_at_ingress(from: &UdpSocket, address: SocketAddr, log: &mut Log) {
    from.send_to(b"word", address).expect("sent");
    let (record, tuple, _) = log.next_drop();
    assert_eq!((record, tuple.destination_port), (Record::Drop(Direction::Ingress), address.port()), "{tuple:?}");
}

/// WireGuard with keep-alives, IPsec behind NAT, NTP peers, hole punching. The first packet of the first side is lost.
#[sglab::test]
async fn two_peers_that_send_from_fixed_ports_meet_without_a_rule() {
    for era in Era::ALL {
        let text = "sglab: 1\nera: [article, classic, vpc]\ngroups: {PEERS: []}\ninstances: {a: {groups: PEERS}, b: {groups: PEERS}}\n\
                    scenario: [{step: s, expect: {dropped: ['a -> b:45001/udp']}}]\n";
        let bare = Bare::boot(initial_cloud(&topology(text), era).0).await;
        let mut log = bare.log("vpc-default").await;
        let (to_a, to_b) = (at(&bare, "a", 45001), at(&bare, "b", 45002));
        let (a, b) = (bound(&bare.node("a"), to_a).await, bound(&bare.node("b"), to_b).await);
        is_dropped_at_ingress(&a, to_b, &mut log);
        arrives(&b, &a, to_a);
        arrives(&a, &b, to_b);
        assert_eq!(log.drops(), [], "era {era}");
    }
}

#[sglab::test]
async fn they_meet_by_public_and_by_ipv6_address_as_well() {
    let (bare, mut log) = cloud().await;
    let by_public = |name: &str, port| SocketAddr::from((public(&bare.cloud, name).0, port));
    let by_ipv6 = |name: &str, port| {
        let interface =
            bare.cloud.interfaces().find(|(_, _, i)| i.id.holder().as_str() == name).expect("an interface").2;
        SocketAddr::from((interface.ipv6.expect("an address").0, port))
    };
    let own = [at(&bare, "a", 4500), at(&bare, "b", 4501)];
    let public = [by_public("a", 4500), by_public("b", 4501)];
    let six = [by_ipv6("a", 4500), by_ipv6("b", 4501)];
    for ([own_a, own_b], [to_a, to_b]) in [(own, public), (six, six)] {
        let (a, b) = (bound(&bare.node("a"), own_a).await, bound(&bare.node("b"), own_b).await);
        is_dropped_at_ingress(&a, to_b, &mut log);
        arrives(&b, &a, to_a);
        arrives(&a, &b, to_b);
    }
}

#[sglab::test]
async fn a_second_interface_remembers_for_itself() {
    let two = "b: {groups: PEERS, subnet: a, interfaces: {eth1: {groups: PEERS, subnet: b}}}";
    let text = CLOUD.replace("b: {groups: PEERS}", two);
    let bare = Bare::boot(initial_cloud(&topology(&text), Era::Vpc).0).await;
    let mut log = bare.log("vpc-main").await;
    let id = Attachment { instance: sglab::model::InstanceName::new("b"), device: 1 };
    let eth1 = bare.cloud.attached(&id).and_then(|interface| interface.private).expect("an address").0;
    let (to_a, to_eth0, to_eth1) = (at(&bare, "a", 500), at(&bare, "b", 501), SocketAddr::from((eth1, 501)));
    let a = bound(&bare.node("a"), to_a).await;
    let (eth0, eth1) = (bound(&bare.node("b"), to_eth0).await, bound(&bare.node("b"), to_eth1).await);
    is_dropped_at_ingress(&eth1, to_a, &mut log);
    // a has not heard of eth0, and eth0 has sent nothing.
    is_dropped_at_ingress(&eth0, to_a, &mut log);
    arrives(&a, &eth1, to_eth1);
    arrives(&eth1, &a, to_a);
}

#[sglab::test]
async fn protocols_by_number_meet_by_address_and_number() {
    let (bare, mut log) = cloud().await;
    let (to_a, to_b) = (private(&bare.cloud, "a").0, private(&bare.cloud, "b").0);
    for protocol in [4, 47, 50, 99, 132, 136] {
        let (a, b) = (raw(&bare.node("a"), protocol, to_a).await, raw(&bare.node("b"), protocol, to_b).await);
        word(&a, to_b);
        let (record, tuple, _) = log.next_drop();
        assert_eq!((record, tuple.protocol), (Record::Drop(Direction::Ingress), protocol));
        word(&b, to_a);
        hears(&a, &format!("protocol {protocol}, the answer"));
        word(&a, to_b);
        hears(&b, &format!("protocol {protocol}"));
    }
}

#[sglab::test]
async fn another_port_or_another_peer_is_no_answer() {
    let (bare, mut log) = cloud().await;
    let (to_a, to_b) = (at(&bare, "a", 45001), at(&bare, "b", 45002));
    let a = bound(&bare.node("a"), to_a).await;
    is_dropped_at_ingress(&a, to_b, &mut log);
    let other_port = bound(&bare.node("b"), at(&bare, "b", 45003)).await;
    is_dropped_at_ingress(&other_port, to_a, &mut log);
    let other_peer = bound(&bare.node("c"), at(&bare, "c", 45002)).await;
    is_dropped_at_ingress(&other_peer, to_a, &mut log);
    let same_port = bound(&bare.node("b"), to_b).await;
    is_dropped_at_ingress(&same_port, at(&bare, "a", 45009), &mut log);
    // For other protocols the number is what counts.
    let (address_a, address_b) = (private(&bare.cloud, "a").0, private(&bare.cloud, "b").0);
    word(&raw(&bare.node("a"), 50, address_a).await, address_b);
    log.next_drop();
    word(&raw(&bare.node("b"), 51, address_b).await, address_a);
    let (record, tuple, _) = log.next_drop();
    assert_eq!((record, tuple.protocol, tuple.source), (Record::Drop(Direction::Ingress), 51, address_b.into()));
}

/// Both open at once: each SYN is a new connection, which the other end's rules judge.
#[sglab::test]
async fn a_reverse_syn_is_no_answer() {
    let (bare, mut log) = cloud().await;
    let (a, b) = (private(&bare.cloud, "a").0, private(&bare.cloud, "b").0);
    let ends = [SocketAddrV4::new(a, 5000), SocketAddrV4::new(b, 6000)];
    for ([from, to], name) in [(ends, "a"), ([ends[1], ends[0]], "b"), (ends, "a")] {
        const SYN: u8 = 2;
        send_raw(&bare.node(name), vec![segment(from, to, SYN)]).await;
        let (record, tuple, _) = log.next_drop();
        assert_eq!((record, tuple.source), (Record::Drop(Direction::Ingress), (*from.ip()).into()));
    }
}

#[sglab::test]
async fn a_reverse_echo_request_is_no_answer() {
    let (bare, mut log) = cloud().await;
    let (a, b) = (private(&bare.cloud, "a").0, private(&bare.cloud, "b").0);
    for (from, to, name) in [(a, b, "a"), (b, a, "b"), (a, b, "a")] {
        let mut packet = Vec::new();
        let builder = PacketBuilder::ipv4(from.octets(), to.octets(), 64).icmpv4_echo_request(7, 1);
        builder.write(&mut packet, b"ping").expect("a vector takes it");
        send_raw(&bare.node(name), vec![packet]).await;
        let (record, tuple, _) = log.next_drop();
        assert_eq!((record, tuple.source), (Record::Drop(Direction::Ingress), from.into()));
    }
}

/// Revoking is no more than for a connection that stands: what is tracked goes on.
#[sglab::test]
async fn what_a_peer_has_sent_outlives_its_own_egress_rule() {
    let (mut bare, mut log) = cloud().await;
    let (to_a, to_b) = (at(&bare, "a", 45001), at(&bare, "b", 45002));
    let (a, b) = (bound(&bare.node("a"), to_a).await, bound(&bare.node("b"), to_b).await);
    is_dropped_at_ingress(&a, to_b, &mut log);
    let everything = permission(Traffic::All, block("0.0.0.0/0"));
    bare.apply(&Operation::RevokeEgress(sglab::model::GroupName::new("PEERS"), everything)).await;
    // It still gets as far as the receiver's ingress; another flow is dropped at the sender's egress.
    is_dropped_at_ingress(&a, to_b, &mut log);
    a.send_to(b"word", at(&bare, "b", 45003)).expect("sent");
    assert_eq!(log.next_drop().0, Record::Drop(Direction::Egress));
    b.send_to(b"word", to_a).expect("sent");
    assert_eq!(log.next_drop().0, Record::Drop(Direction::Egress), "b has sent nothing before");
}

/// statsd, syslog, one-way ESP.
#[sglab::test]
async fn a_flow_that_nobody_answers_outlives_its_rule_at_both_ends() {
    let (mut bare, mut log) = cloud().await;
    let statsd = Traffic::Udp(PortRange::single(Port(8125)));
    bare.apply(&authorize("PEERS", statsd, group("PEERS"))).await;
    bare.apply(&authorize("PEERS", Traffic::Protocol(50), group("PEERS"))).await;
    let to_b = at(&bare, "b", 8125);
    let (a, b) = (bound(&bare.node("a"), at(&bare, "a", 5000)).await, bound(&bare.node("b"), to_b).await);
    let (address_a, address_b) = (private(&bare.cloud, "a").0, private(&bare.cloud, "b").0);
    let (esp_a, esp_b) = (raw(&bare.node("a"), 50, address_a).await, raw(&bare.node("b"), 50, address_b).await);
    arrives(&a, &b, to_b);
    word(&esp_a, address_b);
    hears(&esp_b, "while the rule stands");
    bare.apply(&revoke("PEERS", statsd, group("PEERS"))).await;
    bare.apply(&revoke("PEERS", Traffic::Protocol(50), group("PEERS"))).await;
    let everything = permission(Traffic::All, block("0.0.0.0/0"));
    bare.apply(&Operation::RevokeEgress(sglab::model::GroupName::new("PEERS"), everything)).await;
    arrives(&a, &b, to_b);
    word(&esp_a, address_b);
    hears(&esp_b, "after the rule went");
    assert_eq!(log.drops(), []);
    let other = bound(&bare.node("a"), at(&bare, "a", 5001)).await;
    other.send_to(b"word", to_b).expect("sent");
    assert_eq!(log.next_drop().0, Record::Drop(Direction::Egress), "a new flow meets the new rules");
}

#[sglab::test]
async fn an_untracked_flow_that_nobody_answers_is_cut_with_its_rule() {
    let (mut bare, mut log) = cloud().await;
    let statsd = Traffic::Udp(PortRange::single(Port(8125)));
    bare.apply(&authorize("PEERS", statsd, block("0.0.0.0/0"))).await;
    let to_b = at(&bare, "b", 8125);
    let (a, b) = (bound(&bare.node("a"), at(&bare, "a", 5000)).await, bound(&bare.node("b"), to_b).await);
    arrives(&a, &b, to_b);
    bare.apply(&revoke("PEERS", statsd, block("0.0.0.0/0"))).await;
    is_dropped_at_ingress(&a, to_b, &mut log);
}

/// Waits until no set of the router has an element that packets have put there.
async fn forgotten(bare: &Bare) {
    let begun = Instant::now();
    while run(&bare.node("vpc-main"), "nft", "list sets table inet sglab").await.contains("expires") {
        assert!(begun.elapsed() < soon(), "it is not forgotten");
    }
}

#[sglab::test]
async fn what_was_sent_is_forgotten_after_the_time_of_the_file() {
    let text = CLOUD.replace("era: vpc", "era: vpc\ntracking: {udp: 30, clock-factor: 30, other: 30}");
    let bare = Bare::boot(initial_cloud(&topology(&text), Era::Vpc).0).await;
    let mut log = bare.log("vpc-main").await;
    let (to_a, to_b) = (at(&bare, "a", 45001), at(&bare, "b", 45002));
    let (a, b) = (bound(&bare.node("a"), to_a).await, bound(&bare.node("b"), to_b).await);
    let (address_a, address_b) = (private(&bare.cloud, "a").0, private(&bare.cloud, "b").0);
    is_dropped_at_ingress(&a, to_b, &mut log);
    word(&raw(&bare.node("a"), 50, address_a).await, address_b);
    log.next_drop();
    forgotten(&bare).await;
    is_dropped_at_ingress(&b, to_a, &mut log);
    word(&raw(&bare.node("b"), 50, address_b).await, address_a);
    assert_eq!(log.next_drop().0, Record::Drop(Direction::Ingress));
}

/// Whoever had it and whoever was asked from it: both ends forget.
#[sglab::test]
async fn who_inherits_an_address_inherits_nothing_that_was_sent() {
    let (mut bare, mut log) = cloud().await;
    let (to_a, to_b) = (at(&bare, "a", 45001), at(&bare, "b", 45002));
    let (address_a, address_b) = (private(&bare.cloud, "a").0, private(&bare.cloud, "b").0);
    let (a, b) = (bound(&bare.node("a"), to_a).await, bound(&bare.node("b"), to_b).await);
    is_dropped_at_ingress(&a, to_b, &mut log);
    word(&raw(&bare.node("a"), 50, address_a).await, address_b);
    log.next_drop();
    drop((a, b));
    // It keeps its address in a VPC, and yet what it had sent is gone with the stop.
    bare.apply(&stop("a")).await;
    bare.apply(&start("a")).await;
    let b = bound(&bare.node("b"), to_b).await;
    is_dropped_at_ingress(&b, to_a, &mut log);
    word(&raw(&bare.node("b"), 50, address_b).await, address_a);
    assert_eq!(log.next_drop().0, Record::Drop(Direction::Ingress));
    // b has sent to a's address by now: another who gets it is not who was asked.
    bare.apply(&Operation::Terminate(sglab::model::InstanceName::new("a"))).await;
    bare.apply(&launch_at("heir", address_a, "PEERS")).await;
    let heir = bound(&bare.node("heir"), to_a).await;
    is_dropped_at_ingress(&heir, to_b, &mut log);
    word(&raw(&bare.node("heir"), 50, address_a).await, address_b);
    assert_eq!(log.next_drop().0, Record::Drop(Direction::Ingress));
}

fn launch_at(name: &str, address: Ipv4Addr, group: &str) -> Operation {
    let text = CLOUD.replace("a: {groups: PEERS}", &format!("{name}: {{groups: {group}, address: {address}}}"));
    let launches = topology(&text).initial.into_iter().map(|operation| operation.value);
    let ours = |operation: &Operation| matches!(operation, Operation::Launch(launch) if launch.name.as_str() == name);
    launches.into_iter().find(ours).expect("a launch")
}

#[sglab::test]
async fn an_elastic_ip_that_moves_leaves_nothing_behind() {
    let text = CLOUD.replace("groups: {PEERS", "elastic-ips: {e: b}\ngroups: {PEERS");
    let mut bare = Bare::boot(initial_cloud(&topology(&text), Era::Vpc).0).await;
    let mut log = bare.log("vpc-main").await;
    let elastic = public(&bare.cloud, "b").0;
    let a = bound(&bare.node("a"), at(&bare, "a", 45001)).await;
    let to_a = SocketAddr::from((public(&bare.cloud, "a").0, 45001));
    is_dropped_at_ingress(&a, SocketAddr::from((elastic, 45002)), &mut log);
    let moved = topology(&CLOUD.replace("groups: {PEERS", "elastic-ips: {e: c}\ngroups: {PEERS")).initial;
    let associate = moved.into_iter().map(|it| it.value).find(|it| matches!(it, Operation::AssociateAddress { .. }));
    bare.apply(&associate.expect("an association")).await;
    assert_eq!(public(&bare.cloud, "c").0, elastic);
    let c = bound(&bare.node("c"), at(&bare, "c", 45002)).await;
    is_dropped_at_ingress(&c, to_a, &mut log);
}

/// SCTP by ports and chunks, UDP-Lite by ports, GRE by its key: for a group these are addresses and a number.
#[sglab::test]
async fn protocols_are_told_apart_by_addresses_and_number_only() {
    let (mut bare, mut log) = cloud().await;
    let (a, b) = (private(&bare.cloud, "a").0, private(&bare.cloud, "b").0);
    const SCTP_DATA: &[u8] =
        &[0x13, 0x88, 0x13, 0x89, 0, 0, 0, 1, 0, 0, 0, 0, 0, 3, 0, 17, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    const UDP_LITE: &[u8] = &[0x13, 0x88, 0x13, 0x89, 0, 8, 0, 0, b'w', b'o', b'r', b'd'];
    const OTHER_PORTS: &[u8] = &[0x23, 0x88, 0x23, 0x89, 0, 8, 0, 0, b'w', b'o', b'r', b'd'];
    const GRE_CALL: &[u8] = &[0x20, 0x81, 0x88, 0x0b, 0, 0, 0, 7, 0, 0, 0, 0];
    const GRE_ANSWER: &[u8] = &[0x20, 0x81, 0x88, 0x0b, 0, 0, 0, 9, 0, 0, 0, 0];
    for (protocol, question, answer) in [
        (132, SCTP_DATA, SCTP_DATA),
        (136, UDP_LITE, OTHER_PORTS),
        (47, GRE_CALL, GRE_ANSWER),
        (33, UDP_LITE, OTHER_PORTS),
    ] {
        bare.apply(&authorize("PEERS", Traffic::Protocol(protocol), block(&format!("{a}/32")))).await;
        let (of_a, of_b) = (raw(&bare.node("a"), protocol, a).await, raw(&bare.node("b"), protocol, b).await);
        of_a.send_to(question, &SocketAddrV4::new(b, 0).into()).expect("sent");
        hears(&of_b, &format!("protocol {protocol}"));
        of_b.send_to(answer, &SocketAddrV4::new(a, 0).into()).expect("sent");
        hears(&of_a, &format!("the answer of protocol {protocol}"));
        assert_eq!(log.drops(), [], "protocol {protocol}");
    }
}

/// Nobody takes the protocol there, and the kernel says so. No rule of the sender's admits ICMP.
#[sglab::test]
async fn an_error_about_another_protocol_comes_to_who_has_sent_the_packet() {
    let (mut bare, mut log) = cloud().await;
    bare.apply(&authorize("PEERS", Traffic::Protocol(253), block("0.0.0.0/0"))).await;
    let a = private(&bare.cloud, "a").0;
    let [to_b, to_b_outside] = [private(&bare.cloud, "b").0, public(&bare.cloud, "b").0];
    for to in [to_b, to_b_outside] {
        let mut tap = tap(&bare.node("a")).await;
        word(&raw(&bare.node("a"), 253, a).await, to);
        const UNREACHABLE: u16 = 3;
        let error = |tuple: &Tuple| (tuple.protocol, tuple.destination_port) == (ICMP, UNREACHABLE);
        let told = seen(&mut tap, error).into_iter().find(error).map(|tuple| tuple.source);
        assert_eq!(told, Some(IpAddr::from(to)));
        assert_eq!(log.drops(), []);
    }
    // An error about a packet that a has never sent is judged by a's rules.
    let mut carried = Vec::new();
    PacketBuilder::ipv4(a.octets(), to_b.octets(), 64).udp(1, 2).write(&mut carried, b"").expect("a vector takes it");
    carried[9] = 252;
    let mut packet = Vec::new();
    let unreachable =
        etherparse::Icmpv4Type::DestinationUnreachable(etherparse::icmpv4::DestUnreachableHeader::Protocol);
    let builder = PacketBuilder::ipv4(to_b.octets(), a.octets(), 64).icmpv4(unreachable);
    builder.write(&mut packet, &carried).expect("a vector takes it");
    send_raw(&bare.node("b"), vec![packet]).await;
    let (record, tuple, _) = log.next_drop();
    assert_eq!((record, tuple.protocol), (Record::Drop(Direction::Ingress), ICMP));
}

/// The header of the packet names the extension, and not the protocol behind it.
#[sglab::test]
async fn behind_an_extension_header_of_ipv6_another_protocol_is_no_answer() {
    const DESTINATION_OPTIONS: i32 = 60;
    let (bare, mut log) = cloud().await;
    let address = |name: &str| {
        let mut interfaces = bare.cloud.interfaces().filter(|(_, _, i)| i.id.holder().as_str() == name);
        interfaces.next().expect("an interface").2.ipv6.expect("an address").0
    };
    for (from, to, protocol) in [("a", "b", 132), ("b", "a", 99), ("a", "b", 132)] {
        let to = std::net::SocketAddrV6::new(address(to), 0, 0, 0);
        // The next header, no more than eight bytes of options, padding, and some payload.
        let packet = [&[protocol, 0, 1, 4, 0, 0, 0, 0], &[0; 16][..]].concat();
        let node = bare.node(from);
        let sent = inside(&node, move || {
            let kind = socket2::Type::RAW;
            let socket = socket2::Socket::new(socket2::Domain::IPV6, kind, Some(DESTINATION_OPTIONS.into()))?;
            socket.send_to(&packet, &to.into())
        });
        sent.await.expect("sent");
        assert_eq!(log.next_drop().0, Record::Drop(Direction::Ingress), "{from}, protocol {protocol}");
    }
}

/// It could else send whatever it likes, as what an error carries.
#[sglab::test]
async fn who_is_no_end_of_a_flow_sends_no_error_about_it_past_its_own_egress() {
    let text = CLOUD
        .replace("LONE: [protocol 253 from LONE]", "LONE: {ingress: [], egress: []}")
        .replace("c -> b:45001/udp", "a -> b:45001/udp");
    let mut bare = Bare::boot(initial_cloud(&topology(&text), Era::Vpc).0).await;
    let mut log = bare.log("vpc-main").await;
    bare.apply(&authorize("PEERS", Traffic::Udp(PortRange::single(Port(500))), group("PEERS"))).await;
    let to_b = at(&bare, "b", 500);
    let (a, b) = (bound(&bare.node("a"), at(&bare, "a", 5000)).await, bound(&bare.node("b"), to_b).await);
    arrives(&a, &b, to_b);
    let (address_a, address_b, address_c) =
        (private(&bare.cloud, "a").0, private(&bare.cloud, "b").0, private(&bare.cloud, "c").0);
    for (from, to, ports, sender) in
        [(address_a, address_b, (5000, 500), address_a), (address_b, address_a, (500, 5000), address_b)]
    {
        let mut carried = Vec::new();
        let builder = PacketBuilder::ipv4(from.octets(), to.octets(), 64).udp(ports.0, ports.1);
        builder.write(&mut carried, b"word").expect("a vector takes it");
        let mut packet = Vec::new();
        let unreachable =
            etherparse::Icmpv4Type::DestinationUnreachable(etherparse::icmpv4::DestUnreachableHeader::Port);
        let builder = PacketBuilder::ipv4(address_c.octets(), sender.octets(), 64).icmpv4(unreachable);
        builder.write(&mut packet, &carried).expect("a vector takes it");
        send_raw(&bare.node("c"), vec![packet]).await;
        let (record, tuple, _) = log.next_drop();
        assert_eq!((record, tuple.source), (Record::Drop(Direction::Egress), address_c.into()));
    }
}
