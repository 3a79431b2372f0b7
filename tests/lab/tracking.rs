//! Connections held open while rules change. What is tracked lives on without its rule; what is not is cut at once.

use std::io::Write;
use std::net::{IpAddr, Ipv6Addr, SocketAddrV4, TcpStream, UdpSocket};

use etherparse::{Icmpv6Type, PacketBuilder};
use sglab::fabric::packet::ICMPV6;
use sglab::model::{Direction, Era, PortRange, Traffic};
use sglab::network::record::Record;

use crate::answers::send;
use crate::bare::{Bare, Log, connection, inside, is_silent, passes, seen, soon, taps};
use crate::clouds::*;

const CLOUD: &str = "sglab: 1
era: classic
groups: {WEB: [], DB: []}
instances: {web1: {groups: [WEB]}, db1: {groups: [DB]}}
scenario: [{step: as launched, expect: {dropped: ['web1 -> db1:4000']}}]
";

/// Flows are tracked alike where egress is always open, and where rules open all of it.
const ERAS: [Era; 2] = [Era::Classic, Era::Vpc];

fn ports() -> Traffic {
    Traffic::Tcp(PortRange::new(sglab::model::Port(4000), sglab::model::Port(4010)).expect("a range"))
}

/// The cloud, its filter's log, and a flow from web1 to db1:4005 that `from` admits.
async fn held(era: Era, from: &str) -> (Bare, Log, TcpStream, TcpStream) {
    let mut bare = Bare::boot(initial_cloud(&topology(CLOUD), era).0).await;
    let log = bare.log("vpc-default").await;
    bare.apply(&authorize("DB", ports(), block(from))).await;
    let source = private(&bare.cloud, "web1").0;
    let at = SocketAddrV4::new(private(&bare.cloud, "db1").0, 4005);
    let (mut client, mut server) = connection(&bare.node("web1"), source, &bare.node("db1"), at).await;
    assert!(passes(&mut client, &mut server) && passes(&mut server, &mut client));
    (bare, log, client, server)
}

#[sglab::test]
async fn a_tracked_flow_survives_the_revoke_of_its_rule_and_a_new_one_is_dropped() {
    for era in ERAS {
        let (mut bare, mut log, mut client, mut server) = held(era, "10.0.0.11/32").await;
        bare.apply(&revoke("DB", ports(), block("10.0.0.11/32"))).await;
        assert!(passes(&mut client, &mut server) && passes(&mut server, &mut client), "era {era}");
        assert_eq!(log.drops(), []);
        let db1 = SocketAddrV4::new(private(&bare.cloud, "db1").0, 4005);
        let attempt = inside(&bare.node("web1"), move || connecting(db1)).await;
        let (record, tuple, _) = log.next_drop();
        assert_eq!(record, Record::Drop(Direction::Ingress), "era {era}");
        assert_eq!((tuple.destination, tuple.destination_port), ((*db1.ip()).into(), 4005));
        drop(attempt);
        assert!(passes(&mut client, &mut server), "era {era}");
    }
}

/// A socket that has sent its SYN and waits for nothing.
fn connecting(to: SocketAddrV4) -> socket2::Socket {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    socket.set_nonblocking(true).expect("a flag");
    let begun = socket.connect(&to.into()).expect_err("it takes a while");
    assert_eq!(begun.raw_os_error(), Some(libc::EINPROGRESS));
    socket
}

#[sglab::test]
async fn an_untracked_flow_is_cut_by_the_revoke_and_revived_by_the_rule() {
    for era in ERAS {
        let (mut bare, mut log, mut client, mut server) = held(era, "0.0.0.0/0").await;
        bare.apply(&revoke("DB", ports(), block("0.0.0.0/0"))).await;
        client.write_all(b"word").expect("the sender's own buffer takes it");
        let (record, tuple, _) = log.next_drop();
        assert_eq!(record, Record::Cut(Direction::Ingress), "era {era}");
        assert_eq!(tuple.source_port, client.local_addr().expect("an address").port());
        assert!(is_silent(&mut server), "era {era}");
        bare.apply(&authorize("DB", ports(), block("0.0.0.0/0"))).await;
        // The sender repeats what it has no answer to.
        let mut word = [0; 4];
        std::io::Read::read_exact(&mut server, &mut word).expect("the word that was held up");
        assert!(passes(&mut client, &mut server) && passes(&mut server, &mut client), "era {era}");
    }
}

#[sglab::test]
async fn an_untracked_flow_is_cut_in_the_direction_of_its_answers_too() {
    for era in ERAS {
        let (mut bare, mut log, mut client, mut server) = held(era, "0.0.0.0/0").await;
        bare.apply(&revoke("DB", ports(), block("0.0.0.0/0"))).await;
        server.write_all(b"word").expect("the sender's own buffer takes it");
        let (record, tuple, _) = log.next_drop();
        assert_eq!(record, Record::Cut(Direction::Ingress), "era {era}");
        assert_eq!(tuple.source_port, 4005);
        assert!(is_silent(&mut client), "era {era}");
    }
}

#[sglab::test]
async fn a_second_rule_that_still_admits_keeps_an_untracked_flow() {
    for era in ERAS {
        let (mut bare, mut log, mut client, mut server) = held(era, "0.0.0.0/0").await;
        bare.apply(&authorize("DB", ports(), group("WEB"))).await;
        bare.apply(&revoke("DB", ports(), block("0.0.0.0/0"))).await;
        assert!(passes(&mut client, &mut server) && passes(&mut server, &mut client), "era {era}");
        assert_eq!(log.drops(), []);
    }
}

/// It takes both directions to make a connection that lives on.
#[sglab::test]
async fn a_datagram_flow_is_remembered_from_its_first_packet_on() {
    for era in ERAS {
        let dns = Traffic::Udp(PortRange::single(sglab::model::Port(53)));
        let mut bare = Bare::boot(initial_cloud(&topology(CLOUD), era).0).await;
        bare.apply(&authorize("DB", dns, block("10.0.0.11/32"))).await;
        let mut log = bare.log("vpc-default").await;
        let (web1, db1) = (private(&bare.cloud, "web1").0, private(&bare.cloud, "db1").0);
        let bound = |node: &str, address: SocketAddrV4| {
            let node = bare.node(node);
            async move { inside(&node, move || UdpSocket::bind(address)).await.expect("a socket") }
        };
        let server = bound("db1", SocketAddrV4::new(db1, 53)).await;
        let client = bound("web1", SocketAddrV4::new(web1, 5000)).await;
        let other = bound("web1", SocketAddrV4::new(web1, 5001)).await;
        for socket in [&server, &client] {
            socket.set_read_timeout(Some(soon())).expect("a timeout");
        }
        let ask = || client.send_to(b"word", (db1, 53)).expect("sent");
        ask();
        let (_, from) = server.recv_from(&mut [0; 4]).expect("the rule admits it");
        bare.apply(&revoke("DB", dns, block("10.0.0.11/32"))).await;
        ask();
        server.recv_from(&mut [0; 4]).expect("nobody has answered yet, and the flow is remembered");
        server.send_to(b"word", from).expect("sent");
        client.recv(&mut [0; 4]).expect("the answer");
        ask();
        server.recv_from(&mut [0; 4]).expect("the flow is remembered");
        assert_eq!(log.drops(), [], "era {era}");
        other.send_to(b"word", (db1, 53)).expect("sent");
        assert_eq!(log.next_drop().0, Record::Drop(Direction::Ingress), "era {era}: a new flow");
    }
}

#[sglab::test]
async fn a_held_flow_lives_on_in_a_lab_that_probes() {
    let mut lab = boot(&topology(CLOUD), Era::Classic).await;
    let of_web = || authorize("DB", ports(), group("WEB"));
    change(&mut lab, &of_web()).await;
    let source = private(lab.cloud(), "web1").0;
    let at = SocketAddrV4::new(private(lab.cloud(), "db1").0, 4005);
    let (mut client, mut server) = connection(&node(&lab, "web1"), source, &node(&lab, "db1"), at).await;
    change(&mut lab, &revoke("DB", ports(), group("WEB"))).await;
    assert!(passes(&mut client, &mut server) && passes(&mut server, &mut client));
    assert!(is_dropped(&probe(&mut lab, flow("web1", "db1", tcp(4000))).await.outcome), "a new one");
    change(&mut lab, &of_web()).await;
    assert!(is_open(&probe(&mut lab, flow("web1", "db1", tcp(4000))).await.outcome), "admitted again");
    assert!(passes(&mut client, &mut server));
}

const UNTRACKED: &str = "sglab: 1
era: vpc
vpcs: {main: {cidr: 10.0.0.0/16, ipv6: yes}}
hosts: {office: '2001:db8:ffff::10'}
groups: {LONE: []}
instances: {a: {groups: LONE}, b: {groups: LONE}}
scenario: [{step: as launched, expect: {dropped: ['a -> b:icmp 135 by ipv6 address']}}]
";

/// Listeners, routers, neighbours.
const MESSAGES: [u8; 8] = [130, 131, 132, 133, 134, 135, 136, 143];

async fn cloud() -> (Bare, Ipv6Addr, Ipv6Addr) {
    let bare = Bare::boot(initial_cloud(&topology(UNTRACKED), Era::Vpc).0).await;
    let own = |name: &str| bare.cloud.instances[name].interfaces[0].ipv6.expect("an address").0;
    let (a, b) = (own("a"), own("b"));
    (bare, a, b)
}

fn message(from: Ipv6Addr, to: Ipv6Addr, type_u8: u8, carried: &[u8]) -> Vec<u8> {
    let mut packet = Vec::new();
    let message = Icmpv6Type::Unknown { type_u8, code_u8: 0, bytes5to8: [0; 4] };
    PacketBuilder::ipv6(from.octets(), to.octets(), 64).icmpv6(message).write(&mut packet, carried).expect("it fits");
    packet
}

#[sglab::test]
async fn who_has_sent_a_message_to_a_neighbour_takes_no_answer_without_a_rule() {
    let (bare, a, b) = cloud().await;
    let mut log = bare.log("vpc-main").await;
    for kind in MESSAGES {
        for (by, from, to) in [("a", a, b), ("b", b, a)] {
            send(&bare.node(by), message(from, to, kind, &[0; 16])).await.expect("it leaves");
            let (record, tuple, _) = log.next_drop();
            let dropped = (record, tuple.source, tuple.protocol);
            assert_eq!(dropped, (Record::Drop(Direction::Ingress), IpAddr::from(from), ICMPV6), "{kind} by {by}");
        }
    }
    assert_eq!(log.drops(), []);
}

/// It would be an error about what nobody has sent: an echo.
#[sglab::test]
async fn about_a_message_to_a_neighbour_nobody_outside_speaks() {
    let (bare, a, _) = cloud().await;
    let office: Ipv6Addr = "2001:db8:ffff::10".parse().expect("an address");
    let (mut log, mut tap) = (bare.log("vpc-main").await, taps(&bare.node("office")).await.swap_remove(1));
    for kind in MESSAGES {
        send(&bare.node("a"), message(a, office, kind, &[0; 16])).await.expect("it leaves");
        seen(&mut tap, |tuple| tuple.protocol == ICMPV6 && tuple.destination_port == u16::from(kind));
        for error in [1, 2, 3, 4] {
            let about = message(a, office, 129, &[0; 16]);
            send(&bare.node("office"), message(office, a, error, &about)).await.expect("it leaves");
            let (record, tuple, _) = log.next_drop();
            assert_eq!(
                (record, tuple.source),
                (Record::Drop(Direction::Ingress), office.into()),
                "{error} after {kind}"
            );
        }
    }
    assert_eq!(log.drops(), []);
}
