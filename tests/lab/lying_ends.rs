//! What an end of a flow can make the instrument say, where root in it lies: nothing that is false.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;

use etherparse::PacketBuilder;
use sglab::compile::names::{Wire, macs};
use sglab::fabric::Namespace;
use sglab::lab::Lab;
use sglab::model::{ConnectionName, Era, Flow, InstanceName, Service, Via};
use sglab::probe::{Held, Observation, Outcome, Part};
use socket2::{Domain, Protocol, Socket, Type};

use crate::bare::{inside, nft_script, run};
use crate::clouds::*;

cases![
    a_sender_that_answers_itself_proves_nothing,
    what_an_instance_asks_of_its_own_address_is_its_own_word,
    a_sender_that_takes_the_address_it_asks_proves_nothing,
    a_sender_that_lets_its_question_out_and_answers_itself_proves_nothing,
    a_sender_that_makes_no_beginning_of_its_question_proves_nothing,
    a_receiver_that_hides_what_comes_and_sends_it_back_is_not_dropped,
    a_receiver_that_answers_by_anothers_name_accuses_nobody,
    a_receiver_that_answers_in_place_of_the_harness_is_open,
    a_target_of_a_load_balancer_does_not_answer_for_another,
    a_receiver_that_breaks_is_never_taken_for_the_filter,
    a_link_that_leads_elsewhere_proves_nothing,
    a_client_that_answers_itself_holds_nothing_open,
    a_server_that_hides_and_forges_cuts_nothing,
    a_receiver_that_hides_packets_of_traffic_has_got_them,
];

const CLOUD: &str = "sglab: 1
era: vpc
vpcs: {main: {cidr: 10.0.0.0/16, ipv6: yes}}
groups: {A: [], B: [tcp 80 from A, tcp 4000 from A, udp 5000 from A, icmp all from A, icmpv6 all from A]}
instances:
  a: {groups: A}
  b: {groups: B, listens: [tcp 80, udp 5000]}
  c: {groups: A}
scenario: [{step: as launched, expect: {open: ['a -> b:80', 'a -> b:5000/udp'], dropped: ['a -> b:81', 'a -> b:5001/udp'],
  refused: ['a -> b:4000']}}]
";

/// What is true of a flow while both ends are honest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Truth {
    Open,
    Refused,
    Dropped,
}

const ASKED: [(Service, Truth); 6] = [
    (Service::Tcp(sglab::model::Port(80)), Truth::Open),
    (Service::Tcp(sglab::model::Port(81)), Truth::Dropped),
    (Service::Tcp(sglab::model::Port(4000)), Truth::Refused),
    (Service::Udp(sglab::model::Port(5000)), Truth::Open),
    (Service::Udp(sglab::model::Port(5001)), Truth::Dropped),
    (Service::IcmpEcho, Truth::Open),
];

const FAMILIES: [Via; 2] = [Via::Private, Via::Ipv6];

async fn cloud() -> Lab {
    boot(&topology(CLOUD), Era::Vpc).await
}

fn over(via: Via, service: Service) -> Flow {
    Flow { via, ..flow("a", "b", service) }
}

/// Asks everything over both families.
async fn ask_all(lab: &mut Lab) -> Vec<(Observation, Truth)> {
    let asked: Vec<(Flow, Truth)> =
        FAMILIES.iter().flat_map(|via| ASKED.map(|(service, truth)| (over(*via, service), truth))).collect();
    let flows: Vec<Flow> = asked.iter().map(|(flow, _)| flow.clone()).collect();
    let batch = lab.probe(&flows).await.unwrap_or_else(|error| panic!("{error}"));
    assert!(batch.canaries_held, "the canaries held");
    batch.observations.into_iter().zip(asked).map(|(seen, (_, truth))| (seen, truth)).collect()
}

fn is_inconclusive(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Inconclusive { .. })
}

fn proves_nothing(found: &[(Observation, Truth)]) {
    for (seen, _) in found {
        assert!(is_inconclusive(&seen.outcome), "{}: {:?}", seen.flow, seen.outcome);
    }
}

/// A verdict is the truth, or there is none.
fn says_nothing_false(what: &str, found: &[(Observation, Truth)]) {
    for (seen, truth) in found {
        let right = match &seen.outcome {
            Outcome::Inconclusive { .. } => true,
            Outcome::Open { .. } => *truth == Truth::Open,
            // That the receiver itself refuses what the groups let in is true.
            Outcome::Refused { .. } => *truth != Truth::Dropped,
            Outcome::Dropped(_) => *truth == Truth::Dropped,
            _ => false,
        };
        assert!(right, "{what}: {}, in truth {truth:?}: {:?}", seen.flow, seen.outcome);
    }
}

/// An address of an instance.
fn address(lab: &Lab, name: &str, via: Via) -> IpAddr {
    let interface = &lab.cloud().instances[&InstanceName::new(name)].interfaces[0];
    match via {
        Via::Ipv6 => interface.ipv6.expect("an IPv6 address").0.into(),
        _ => interface.private.expect("a private address").0.into(),
    }
}

/// Answers every question to a port of its own as the harness does, under a name; `first` is done before a connection is answered.
async fn answer_as(node: &Arc<Namespace>, name: &'static str, first: impl Fn(SocketAddr) + Send + 'static) {
    let any = (Ipv6Addr::UNSPECIFIED, LIAR);
    let opened = inside(node, move || Ok::<_, std::io::Error>((TcpListener::bind(any)?, UdpSocket::bind(any)?)));
    let (listener, datagrams) = opened.await.expect("sockets");
    let raw = inside(node, || [Domain::IPV4, Domain::IPV6].map(raw)).await;
    std::thread::spawn(move || {
        RAW.with(|kept| *kept.borrow_mut() = Some(raw));
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let mut token = [0; 16];
            if stream.read_exact(&mut token).is_ok() {
                first(stream.peer_addr().expect("a peer"));
                drop(stream.write_all(&[&token[..], name.as_bytes(), b"\n"].concat()));
            }
        }
    });
    std::thread::spawn(move || {
        let mut token = [0; 16];
        while let Ok((length, from)) = datagrams.recv_from(&mut token) {
            drop(datagrams.send_to(&[&token[..length], name.as_bytes(), b"\n"].concat(), from));
        }
    });
}

/// Where [`answer_as`] listens.
const LIAR: u16 = 7777;

thread_local! {
    /// Raw sockets of the liar's namespace, one a family.
    static RAW: std::cell::RefCell<Option<[Socket; 2]>> = const { std::cell::RefCell::new(None) };
}

fn raw(domain: Domain) -> Socket {
    Socket::new(domain, Type::RAW, Some(Protocol::from(libc::IPPROTO_RAW))).expect("a raw socket")
}

/// Packets with so many hops to go are let out as they are.
const LET_OUT: u8 = 99;

/// Sends what begins a connection, from inside [`answer_as`].
fn begin(from: SocketAddr, to: SocketAddr) {
    let mut packet = Vec::new();
    match (from.ip(), to.ip()) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let builder = PacketBuilder::ipv4(source.octets(), destination.octets(), LET_OUT);
            builder.tcp(from.port(), to.port(), 1, 1024).syn().write(&mut packet, &[])
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            let builder = PacketBuilder::ipv6(source.octets(), destination.octets(), LET_OUT);
            builder.tcp(from.port(), to.port(), 1, 1024).syn().write(&mut packet, &[])
        }
        _ => panic!("{from} and {to} are of two families"),
    }
    .expect("a vector takes it");
    RAW.with(|kept| {
        let kept = kept.borrow();
        let socket = &kept.as_ref().expect("sockets")[usize::from(to.is_ipv6())];
        socket.send_to(&packet, &SocketAddr::new(to.ip(), 0).into()).expect("sent");
    });
}

/// Has the liar of a namespace take what leaves it.
const TAKE_WHAT_LEAVES: &str = "table inet lie {
  chain let-out { type filter hook output priority -300; ip ttl 99 notrack; ip6 hoplimit 99 notrack
 }
  chain out { type nat hook output priority -100; tcp dport { 80, 81, 4000 } redirect to :7777
    udp dport { 5000, 5001 } redirect to :7777
 }
}
";

/// Has the liar of a namespace take what comes to it.
const TAKE_WHAT_COMES: &str = "table inet lie {
  chain in { type nat hook prerouting priority -100; tcp dport { 80, 4000 } redirect to :7777
    udp dport 5000 redirect to :7777
 }
}
";

async fn a_sender_that_answers_itself_proves_nothing() {
    let mut lab = cloud().await;
    let a = node(&lab, "a");
    answer_as(&a, "b", |_| ()).await;
    nft_script(&a, TAKE_WHAT_LEAVES.to_owned()).await;
    take_address(&lab).await;
    proves_nothing(&ask_all(&mut lab).await);
}

/// What the sender asks is its own from now on.
async fn take_address(lab: &Lab) {
    for via in FAMILIES {
        let b = address(lab, "b", via);
        let words = if b.is_ipv4() {
            format!("address add {b}/32 dev lo")
        } else {
            format!("address add {b}/128 dev lo nodad")
        };
        run(&node(lab, "a"), "ip", &words).await;
    }
}

/// Nothing of it leaves, and no group is asked.
async fn what_an_instance_asks_of_its_own_address_is_its_own_word() {
    let mut lab = cloud().await;
    for via in FAMILIES {
        for (service, open) in [(tcp(80), true), (Service::IcmpEcho, true), (tcp(4000), false)] {
            let seen = probe(&mut lab, Flow { via, ..flow("b", "b", service) }).await;
            assert_eq!(is_open(&seen.outcome), open, "{seen:?}");
            assert_eq!(matches!(seen.outcome, Outcome::Refused { .. }), !open, "{seen:?}");
            assert!(!seen.timed_out, "{seen:?}");
        }
    }
}

async fn a_sender_that_takes_the_address_it_asks_proves_nothing() {
    let mut lab = cloud().await;
    take_address(&lab).await;
    proves_nothing(&ask_all(&mut lab).await);
}

async fn a_sender_that_lets_its_question_out_and_answers_itself_proves_nothing() {
    let mut lab = cloud().await;
    let a = node(&lab, "a");
    let targets = FAMILIES.map(|via| address(&lab, "b", via));
    answer_as(&a, "b", move |peer| {
        let (source, target) = match peer.ip() {
            IpAddr::V6(it) => {
                it.to_ipv4_mapped().map_or((IpAddr::V6(it), targets[1]), |four| (four.into(), targets[0]))
            }
            four => (four, targets[0]),
        };
        begin(SocketAddr::new(source, peer.port()), SocketAddr::new(target, 4000));
    })
    .await;
    nft_script(&a, TAKE_WHAT_LEAVES.to_owned()).await;
    for via in FAMILIES {
        let seen = probe(&mut lab, over(via, tcp(4000))).await;
        assert!(is_inconclusive(&seen.outcome), "{}: {:?}", seen.flow, seen.outcome);
        let Outcome::Inconclusive { why } = &seen.outcome else { unreachable!() };
        assert!(!seen.records.is_empty(), "the question has left: {why}");
    }
}

async fn a_sender_that_makes_no_beginning_of_its_question_proves_nothing() {
    let mut lab = cloud().await;
    let turn = "table inet lie { chain out { type filter hook output priority 0; tcp flags & (syn | ack) == syn tcp flags set ack\n }\n}\n";
    nft_script(&node(&lab, "a"), turn.to_owned()).await;
    for (seen, truth) in ask_all(&mut lab).await {
        if matches!(seen.flow.service, Service::Tcp(_)) {
            assert!(is_inconclusive(&seen.outcome), "{}: {:?}", seen.flow, seen.outcome);
        } else {
            says_nothing_false("other protocols", &[(seen, truth)]);
        }
    }
}

/// Hides what comes to `b` before its stack or a tap there sees it, and sends it back with the source that it has.
async fn hide_and_send_back(lab: &Lab) {
    let number = lab.cloud().instances[&InstanceName::new("b")].interfaces[0].number;
    let mac = macs(Wire::Instance, number).0.map(|byte| format!("{byte:02x}")).join(":");
    let script = format!(
        "table netdev lie {{ chain in {{ type filter hook ingress device \"eth0\" priority -500;
           meta l4proto {{ tcp, udp }} th dport {{ 80, 4000, 5000 }} ether daddr set {mac} fwd to \"eth0\"
 }}
}}\n"
    );
    nft_script(&node(lab, "b"), script).await;
}

async fn a_receiver_that_hides_what_comes_and_sends_it_back_is_not_dropped() {
    let mut lab = cloud().await;
    hide_and_send_back(&lab).await;
    let found = ask_all(&mut lab).await;
    says_nothing_false("hidden and sent back", &found);
    for (seen, truth) in &found {
        // The filter's own drops, and what was left alone, are as before.
        match (truth, seen.flow.service) {
            (Truth::Dropped, _) => assert!(is_dropped(&seen.outcome), "{seen:?}"),
            (_, Service::IcmpEcho) => assert!(is_open(&seen.outcome), "{seen:?}"),
            _ => assert!(is_inconclusive(&seen.outcome), "{seen:?}"),
        }
    }
}

async fn a_receiver_that_answers_by_anothers_name_accuses_nobody() {
    let mut lab = cloud().await;
    let b = node(&lab, "b");
    answer_as(&b, "c", |_| ()).await;
    nft_script(&b, TAKE_WHAT_COMES.to_owned()).await;
    for (seen, _) in ask_all(&mut lab).await {
        if matches!(seen.flow.service, Service::Tcp(sglab::model::Port(80)) | Service::Udp(sglab::model::Port(5000))) {
            assert!(is_inconclusive(&seen.outcome), "{}: {:?}", seen.flow, seen.outcome);
        }
    }
}

/// Whoever holds the port is the receiver's own affair.
async fn a_receiver_that_answers_in_place_of_the_harness_is_open() {
    let mut lab = cloud().await;
    let b = node(&lab, "b");
    answer_as(&b, "b", |_| ()).await;
    nft_script(&b, TAKE_WHAT_COMES.to_owned()).await;
    for (seen, truth) in ask_all(&mut lab).await {
        assert_eq!(is_open(&seen.outcome), truth != Truth::Dropped, "{}: {:?}", seen.flow, seen.outcome);
        assert_eq!(is_dropped(&seen.outcome), truth == Truth::Dropped, "{}: {:?}", seen.flow, seen.outcome);
    }
}

const BALANCED: &str = "sglab: 1
era: classic
hosts: {world: 198.51.100.7}
groups: {WEB: [tcp 80 from amazon-elb/amazon-elb-sg]}
instances: {web1: {groups: WEB, listens: [tcp 80]}, web2: {groups: WEB, listens: [tcp 80]}}
load-balancers:
  lb: {listeners: [tcp 8000 to 80], targets: [web1, web2], health-check: {interval: 0.1, timeout: 1, healthy: 2}}
scenario: [{step: one, expect: {open: [world -> lb:8000 answered by web1 and web2]}}]
";

async fn a_target_of_a_load_balancer_does_not_answer_for_another() {
    let mut lab = boot(&topology(BALANCED), Era::Classic).await;
    let web1 = node(&lab, "web1");
    answer_as(&web1, "web2", |_| ()).await;
    nft_script(&web1, TAKE_WHAT_COMES.to_owned()).await;
    let asked = from_host(lab.cloud(), "world", "lb", tcp(8000));
    let mut told = Vec::new();
    for _ in 0..4 {
        let seen = probe(&mut lab, asked.clone()).await;
        match seen.outcome {
            Outcome::Open { .. } => told.push(seen.answered_by),
            Outcome::Inconclusive { ref why } => {
                assert!(why.contains("nothing proves that it was passed on"), "{seen:?}")
            }
            _ => panic!("{seen:?}"),
        }
    }
    assert_eq!(told, [Some("web2".to_owned()), Some("web2".to_owned())], "each of the two in its turn");
}

async fn a_receiver_that_breaks_is_never_taken_for_the_filter() {
    let own =
        |rule: &str| format!("table inet own {{ chain in {{ type filter hook input priority 0; {rule}\n }}\n}}\n");
    let scripts = [
        own("drop"),
        own("meta l4proto tcp reject with tcp reset"),
        own("meta l4proto { tcp, udp } reject with icmpx port-unreachable"),
        own("reject with icmpx host-unreachable"),
        own("reject with icmpx admin-prohibited"),
    ];
    for script in scripts {
        let mut lab = cloud().await;
        nft_script(&node(&lab, "b"), script.clone()).await;
        says_nothing_false(&script, &ask_all(&mut lab).await);
    }
    for words in
        ["link set eth0 down", "link del eth0", "address flush dev eth0", "link set eth0 address 02:00:00:00:00:77"]
    {
        let mut lab = cloud().await;
        run(&node(&lab, "b"), "ip", words).await;
        says_nothing_false(words, &ask_all(&mut lab).await);
    }
}

async fn a_link_that_leads_elsewhere_proves_nothing() {
    let mut lab = cloud().await;
    let b = node(&lab, "b");
    // A namespace of b's own, to which its end of the link goes, and is up there.
    let made = inside(&b, || {
        let program = |name| sglab::fabric::nft::find_program(name).expect("it is there");
        let mut child = std::process::Command::new(program("unshare")).args(["--net", "sleep", "60"]).spawn()?;
        let id = child.id();
        let path = format!("/proc/{id}/ns/net");
        let here = std::fs::read_link("/proc/thread-self/ns/net")?;
        while std::fs::read_link(&path)? == here {
            std::thread::yield_now();
        }
        let ip = program("ip");
        for words in [format!("link set eth0 netns {id}"), format!("--net={path} {} link set eth0 up", ip.display())] {
            let by = if words.starts_with("--net") { program("nsenter") } else { ip.clone() };
            let done = std::process::Command::new(by).args(words.split_whitespace()).status()?;
            assert!(done.success(), "{words}");
        }
        Ok::<_, std::io::Error>((child.id(), child.try_wait()?))
    });
    let (child, ended) = made.await.expect("a namespace of its own");
    assert!(ended.is_none());
    for (seen, _) in ask_all(&mut lab).await {
        assert!(is_inconclusive(&seen.outcome), "{}: {:?}", seen.flow, seen.outcome);
    }
    let child = nix::unistd::Pid::from_raw(i32::try_from(child).expect("an id"));
    nix::sys::signal::kill(child, nix::sys::signal::Signal::SIGKILL).expect("it ends");
}

async fn hold(lab: &mut Lab, via: Via, service: Service) -> ConnectionName {
    let name = ConnectionName::new(format!("{via:?}-{service}").replace(['/', ':'], "-"));
    lab.open(&name, &over(via, service)).await.unwrap_or_else(|error| panic!("{error}"));
    name
}

async fn a_client_that_answers_itself_holds_nothing_open() {
    let mut lab = cloud().await;
    let mut held = Vec::new();
    for via in FAMILIES {
        for service in [tcp(80), udp(5000), Service::IcmpEcho] {
            held.push(hold(&mut lab, via, service).await);
        }
    }
    for name in &held {
        let found = lab.examine(name).await.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(found, Held::Alive, "{name:?}");
    }
    let a = node(&lab, "a");
    answer_as(&a, "b", |_| ()).await;
    take_address(&lab).await;
    nft_script(&a, TAKE_WHAT_LEAVES.to_owned()).await;
    for name in &held {
        let found = lab.examine(name).await.unwrap_or_else(|error| panic!("{error}"));
        assert!(matches!(found, Held::Inconclusive { .. } | Held::Gone { .. }), "{name:?}: {found:?}");
    }
    for (number, via) in FAMILIES.into_iter().enumerate() {
        for service in [tcp(80), udp(5000), Service::IcmpEcho] {
            let name = ConnectionName::new(format!("late-{number}-{service}").replace(['/', ':'], "-"));
            let opened = lab.open(&name, &over(via, service)).await;
            assert!(opened.is_err(), "{via:?} {service}: nobody but the client itself has answered");
        }
    }
}

async fn a_server_that_hides_and_forges_cuts_nothing() {
    let mut lab = cloud().await;
    let mut held = Vec::new();
    for via in FAMILIES {
        held.push(hold(&mut lab, via, tcp(80)).await);
        held.push(hold(&mut lab, via, udp(5000)).await);
    }
    hide_and_send_back(&lab).await;
    // What it sends itself is in no connection's place, and so dropped on record.
    let odd = "table inet lie { chain out { type filter hook output priority 0; tcp sport 80 tcp flags set fin | syn | rst\n }\n}\n";
    nft_script(&node(&lab, "b"), odd.to_owned()).await;
    for name in &held {
        let found = lab.examine(name).await.unwrap_or_else(|error| panic!("{error}"));
        assert!(matches!(found, Held::Inconclusive { .. }), "{name:?}: {found:?}");
    }
}

async fn a_receiver_that_hides_packets_of_traffic_has_got_them() {
    let mut lab = cloud().await;
    hide_and_send_back(&lab).await;
    let flows: Vec<Flow> = FAMILIES.iter().flat_map(|via| [over(*via, udp(5000)), over(*via, tcp(80))]).collect();
    let traffic = lab.begin_traffic(&flows).await.unwrap_or_else(|error| panic!("{error}"));
    traffic.flows_on(200).await;
    let trace = lab.end_traffic(traffic).await;
    for (flow, packets) in flows.iter().zip(&trace.streams) {
        let sent: Vec<_> = packets.iter().filter(|packet| packet.part != Part::Back).collect();
        assert!(sent.len() > 10, "{flow}: {}", sent.len());
        for packet in sent {
            assert!(packet.drop.is_none(), "{flow}: {packet:?}");
            assert!(packet.arrived || trace.blind.is_some(), "{flow}: {packet:?}");
        }
    }
}
