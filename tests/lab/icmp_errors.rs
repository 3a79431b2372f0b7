//! ICMP errors: about a tracked flow they come, about an untracked one the rules decide.
//!
//! Source: reports from the field (kubernetes #24254, kube-aws #214, kops #6297); "Network MTU" (Amazon EC2 user guide) reads otherwise.

use std::net::Ipv4Addr;

use etherparse::{Icmpv4Type, PacketBuilder, icmpv4};
use sglab::fabric::packet::{ICMP, Tuple};
use sglab::model::{Direction, Era};
use sglab::network::record::Record;

use crate::bare::{Bare, inside, seen, send_raw, tap};
use crate::clouds::*;

const OFFICE: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 10);

/// A server behind a group, and a client outside.
fn server(ingress: &str, knobs: &str) -> String {
    format!(
        "sglab: 1\nera: vpc\n{knobs}hosts: {{office: 203.0.113.10}}\ngroups: {{WEB: [{ingress}]}}\n\
         instances: {{web: {{groups: WEB}}}}\nscenario: [{{step: s, expect: {{open: ['office -> web:53/udp']}}}}]\n"
    )
}

/// `office` asks, `web` answers, and "fragmentation needed" about the answer comes from `office`: whether it reaches `web`, or is
/// dropped at its ingress.
async fn comes(bare: &Bare) -> bool {
    let web = public(&bare.cloud, "web").0;
    let inner = private(&bare.cloud, "web").0;
    let mut log = bare.log("vpc-default").await;
    let server = inside(&bare.node("web"), move || std::net::UdpSocket::bind((inner, 53))).await.expect("a socket");
    let client = inside(&bare.node("office"), || std::net::UdpSocket::bind((OFFICE, 5000))).await.expect("a socket");
    client.send_to(b"question", (web, 53)).expect("sent");
    let (_, asker) = server.recv_from(&mut [0; 16]).expect("a question");
    server.send_to(b"answer", asker).expect("sent");
    client.recv(&mut [0; 16]).expect("an answer");
    let mut answer = Vec::new();
    let builder = PacketBuilder::ipv4(web.octets(), OFFICE.octets(), 60).udp(53, 5000);
    builder.write(&mut answer, b"answer").expect("a vector takes it");
    let too_big =
        Icmpv4Type::DestinationUnreachable(icmpv4::DestUnreachableHeader::FragmentationNeeded { next_hop_mtu: 1400 });
    let mut packet = Vec::new();
    let builder = PacketBuilder::ipv4(OFFICE.octets(), web.octets(), 64).icmpv4(too_big);
    builder.write(&mut packet, &answer).expect("a vector takes it");
    let mut tap = tap(&bare.node("web")).await;
    send_raw(&bare.node("office"), vec![packet]).await;
    client.send_to(b"question", (web, 53)).expect("sent");
    let is_last = |tuple: &Tuple| tuple.destination_port == 53;
    let came = seen(&mut tap, is_last).iter().any(|tuple| (tuple.protocol, tuple.destination_port) == (ICMP, 3));
    let drops = log.drops();
    assert_eq!(drops, if came { vec![] } else { vec![Record::Drop(Direction::Ingress)] });
    came
}

async fn boot_bare(text: &str) -> Bare {
    Bare::boot(initial_cloud(&topology(text), Era::Vpc).0).await
}

#[sglab::test]
async fn an_error_about_a_tracked_flow_needs_no_rule() {
    assert!(comes(&boot_bare(&server("udp 53 from office", "")).await).await);
}

/// The path-MTU story: small answers arrive, large ones hang until the group admits ICMP 3/4.
#[sglab::test]
async fn an_error_about_an_untracked_flow_needs_a_rule_at_the_server() {
    assert!(!comes(&boot_bare(&server("udp 53 from anywhere", "")).await).await);
}

#[sglab::test]
async fn a_rule_for_the_message_lets_it_in_and_leaves_the_flow_untracked() {
    for rule in ["icmp 3/4 from anywhere", "icmp all from office", "icmp 3 from anywhere"] {
        let mut bare = boot_bare(&server(&format!("udp 53 from anywhere, {rule}"), "")).await;
        assert!(comes(&bare).await, "{rule}");
        // What the error has met has not made the flow a tracked one.
        let web = public(&bare.cloud, "web").0;
        let client =
            inside(&bare.node("office"), || std::net::UdpSocket::bind((OFFICE, 5000))).await.expect("a socket");
        bare.apply(&revoke(
            "WEB",
            sglab::model::Traffic::Udp(sglab::model::PortRange::single(sglab::model::Port(53))),
            block("0.0.0.0/0"),
        ))
        .await;
        let mut log = bare.log("vpc-default").await;
        client.send_to(b"question", (web, 53)).expect("sent");
        assert_eq!(log.next_drop().0, Record::Cut(Direction::Ingress), "{rule}");
    }
}

/// Nobody listens at `db`, whose kernel says so. `app` lets every datagram in, and so does not track what it sends.
#[sglab::test]
async fn an_error_about_an_untracked_flow_needs_a_rule_at_the_client() {
    const UNREACHABLE: u16 = 3;
    for (ingress, comes) in
        [("", true), ("udp all from anywhere", false), ("udp all from anywhere, icmp 3 from DB", true)]
    {
        let text = format!(
            "sglab: 1\nera: vpc\ngroups: {{APP: [{ingress}], DB: [udp 9 from APP]}}\n\
             instances: {{app: {{groups: APP}}, db: {{groups: DB}}}}\nscenario: [{{step: s, expect: {{open: ['app -> db:9/udp']}}}}]\n"
        );
        let bare = boot_bare(&text).await;
        let (app, db) = (private(&bare.cloud, "app").0, private(&bare.cloud, "db").0);
        let mut log = bare.log("vpc-default").await;
        let mut tap = tap(&bare.node("app")).await;
        let socket = inside(&bare.node("app"), move || std::net::UdpSocket::bind((app, 5000))).await.expect("a socket");
        socket.send_to(b"word", (db, 9)).expect("sent");
        if comes {
            let is_error = |tuple: &Tuple| (tuple.protocol, tuple.destination_port) == (ICMP, UNREACHABLE);
            seen(&mut tap, is_error);
            assert_eq!(log.drops(), [], "{ingress}");
        } else {
            let (record, tuple, _) = log.next_drop();
            assert_eq!((record, tuple.protocol), (Record::Drop(Direction::Ingress), ICMP), "{ingress}");
        }
    }
}

/// Neither end tracks the flow, and neither has a rule for the error: who sends it is asked first, as of any packet.
#[sglab::test]
async fn an_error_is_its_senders_first_whichever_end_has_opened_the_flow() {
    let text = "sglab: 1\nera: vpc\ngroups:\n  APP: {ingress: [udp all from anywhere], egress: [udp all to anywhere]}\n  \
                DB: {ingress: [udp all from anywhere], egress: [udp all to anywhere]}\n\
                instances: {app: {groups: APP}, db: {groups: DB}}\n\
                scenario: [{step: s, expect: {open: ['app -> db:9/udp']}}]\n";
    for (opens, closed) in [("app", "db"), ("db", "app")] {
        let bare = boot_bare(text).await;
        let (from, to) = (private(&bare.cloud, opens).0, private(&bare.cloud, closed).0);
        let mut log = bare.log("vpc-default").await;
        let socket =
            inside(&bare.node(opens), move || std::net::UdpSocket::bind((from, 5000))).await.expect("a socket");
        socket.send_to(b"word", (to, 9)).expect("sent");
        let (record, tuple, _) = log.next_drop();
        assert_eq!((record, tuple.protocol), (Record::Drop(Direction::Egress), ICMP), "{opens} -> {closed}");
        assert_eq!(tuple.source, std::net::IpAddr::from(to));
    }
}

#[sglab::test]
async fn a_file_may_take_the_page_at_its_word() {
    let knobs = "knobs: {icmp-errors: of-every-flow}\n";
    assert!(comes(&boot_bare(&server("udp 53 from anywhere", knobs)).await).await);
}

/// A download through a link of 1,400 bytes: the server's first large segments do not fit, and the internet says so.
#[sglab::test]
async fn large_answers_hang_behind_a_smaller_link_unless_the_message_comes() {
    use std::io::{Read, Write};
    use std::net::SocketAddrV4;

    const LARGE: usize = 400_000;
    let text = |ingress: &str| {
        server(ingress, "").replace("office: 203.0.113.10", "office: {address: 203.0.113.10, mtu: 1400}")
    };
    for (ingress, arrives) in [
        ("tcp 8000 from anywhere, udp 53 from anywhere", false),
        ("tcp 8000 from anywhere, udp 53 from anywhere, icmp 3/4 from anywhere", true),
        ("tcp 8000 from office, udp 53 from office", true),
    ] {
        let bare = boot_bare(&text(ingress)).await;
        let mut log = bare.log("vpc-default").await;
        let at = SocketAddrV4::new(public(&bare.cloud, "web").0, 8000);
        let (mut client, mut server) =
            crate::bare::connection(&bare.node("office"), OFFICE, &bare.node("web"), at).await;
        let sending = std::thread::spawn(move || server.write_all(&vec![b'y'; LARGE]).map(|()| server));
        if arrives {
            let mut all = vec![0; LARGE];
            client.read_exact(&mut all).unwrap_or_else(|error| panic!("{ingress}: {error}"));
            assert_eq!(log.drops(), [], "{ingress}");
        } else {
            let (record, tuple, _) = log.next_drop();
            assert_eq!((record, tuple.protocol, tuple.destination_port), (Record::Drop(Direction::Ingress), ICMP, 3));
            client.set_nonblocking(true).expect("a flag");
            let read = client.read(&mut [0; LARGE]);
            assert!(read.is_err(), "not one large segment has come: {read:?}");
        }
        drop(client);
        drop(sending);
    }
}
