//! Ends of flows that lie, and what they are asked: by instances and by hosts outside, over both families.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;

use etherparse::PacketBuilder;
use sglab::fabric::Namespace;
use sglab::lab::Lab;
use sglab::model::{Endpoint, Era, Flow, HostName, InstanceName, Port, Service, Via};
use sglab::probe::{Observation, Outcome};
use socket2::{Domain, Protocol, Socket, Type};

use crate::bare::{inside, nft_script, run};
use crate::clouds::*;

/// Everything is tracked. `b` is asked by `a` and by `office`, and `world` by `o`, which may ask for no more than it is to be asked for.
const CLOUD: &str = "sglab: 1
era: vpc
vpcs: {main: {cidr: 10.0.0.0/16, ipv6: yes}}
hosts: {office: [203.0.113.10, '2001:db8:ffff::10'], world: [198.51.100.7, '3fff::7']}
groups:
  A: []
  B: [tcp 80 from A, tcp 4000 from A, udp 5000 from A, icmp all from A, icmpv6 all from A,
    tcp 80 from 203.0.113.0/24, tcp 4000 from 203.0.113.0/24, udp 5000 from 203.0.113.0/24, icmp all from 203.0.113.0/24,
    'tcp 80 from 2001:db8:ffff::/64', 'tcp 4000 from 2001:db8:ffff::/64', 'udp 5000 from 2001:db8:ffff::/64',
    'icmpv6 all from 2001:db8:ffff::/64']
  O: {egress: [tcp 80 to 198.51.100.0/24, tcp 4000 to 198.51.100.0/24, udp 5000 to 198.51.100.0/24, icmp all to 198.51.100.0/24,
    'tcp 80 to 3fff::/64', 'tcp 4000 to 3fff::/64', 'udp 5000 to 3fff::/64', 'icmpv6 all to 3fff::/64']}
instances:
  a: {groups: A}
  b: {groups: B, listens: [tcp 80, udp 5000]}
  c: {groups: A}
  o: {groups: O}
scenario: [{step: as launched, expect: {open: ['a -> b:80', 'a -> b:5000/udp'], dropped: ['a -> b:81', 'a -> b:5001/udp'],
  refused: ['a -> b:4000']}}]
";

/// Between whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    pub from: &'static str,
    pub to: &'static str,
}

pub const INSIDE: Ends = Ends { from: "a", to: "b" };
pub const ENDS: [Ends; 3] = [INSIDE, Ends { from: "office", to: "b" }, Ends { from: "o", to: "world" }];
/// Those who ask, each with whom it asks.
pub const RECEIVERS: [&str; 2] = ["b", "world"];

/// What is true of a flow while both ends are honest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truth {
    Open,
    Refused,
    Dropped,
}

pub const ASKED: [(Service, Truth); 6] = [
    (Service::Tcp(Port(80)), Truth::Open),
    (Service::Tcp(Port(81)), Truth::Dropped),
    (Service::Tcp(Port(4000)), Truth::Refused),
    (Service::Udp(Port(5000)), Truth::Open),
    (Service::Udp(Port(5001)), Truth::Dropped),
    (Service::IcmpEcho, Truth::Open),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    Ipv4,
    Ipv6,
}

pub const FAMILIES: [Family; 2] = [Family::Ipv4, Family::Ipv6];

pub async fn cloud() -> Lab {
    boot(&topology(CLOUD), Era::Vpc).await
}

/// A flow between ends.
pub fn over(lab: &Lab, ends: Ends, family: Family, service: Service) -> Flow {
    let end = |name: &str| match lab.cloud().hosts.get(&HostName::new(name)) {
        Some(host) => Endpoint::Host(HostName::new(name), host.addresses[usize::from(family == Family::Ipv6)]),
        None => Endpoint::Instance(InstanceName::new(name)),
    };
    let via = match family {
        Family::Ipv6 => Via::Ipv6,
        Family::Ipv4 if ends == INSIDE => Via::Private,
        Family::Ipv4 => Via::Public,
    };
    Flow { from: end(ends.from), to: end(ends.to), via, service }
}

/// The address that is asked.
pub fn asked_address(lab: &Lab, ends: Ends, family: Family) -> IpAddr {
    if let Some(host) = lab.cloud().hosts.get(&HostName::new(ends.to)) {
        return host.addresses[usize::from(family == Family::Ipv6)].0;
    }
    match family {
        Family::Ipv6 => lab.cloud().instances[ends.to].interfaces[0].ipv6.expect("an IPv6 address").0.into(),
        Family::Ipv4 if ends == INSIDE => private(lab.cloud(), ends.to).0.into(),
        Family::Ipv4 => public(lab.cloud(), ends.to).0.into(),
    }
}

/// Asks everything over both families between all ends.
pub async fn ask_all(lab: &mut Lab) -> Vec<(Observation, Truth)> {
    let mut asked: Vec<(Flow, Truth)> = Vec::new();
    for ends in ENDS {
        for family in FAMILIES {
            asked.extend(ASKED.map(|(service, truth)| {
                // On a host outside something listens wherever it is asked.
                let truth = if truth == Truth::Refused && ends.to == "world" { Truth::Open } else { truth };
                (over(lab, ends, family, service), truth)
            }));
        }
    }
    let flows: Vec<Flow> = asked.iter().map(|(flow, _)| flow.clone()).collect();
    let batch = lab.probe(&flows).await.unwrap_or_else(|error| panic!("{error}"));
    assert!(batch.canaries_held, "the canaries held");
    batch.observations.into_iter().zip(asked).map(|(seen, (_, truth))| (seen, truth)).collect()
}

pub fn is_inconclusive(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Inconclusive { .. })
}

pub fn proves_nothing(found: &[(Observation, Truth)]) {
    for (seen, _) in found {
        assert!(is_inconclusive(&seen.outcome), "{}: {:?}", seen.flow, seen.outcome);
    }
}

/// A verdict is the truth, or there is none.
pub fn says_nothing_false(what: &str, found: &[(Observation, Truth)]) {
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

/// What a liar says to who asks it something.
#[derive(Clone, Copy)]
pub enum Words {
    /// As the harness does, under a name.
    As(&'static str),
    /// Not what it was told.
    Garbage,
    /// Nothing: it ends the connection.
    None,
}

impl Words {
    fn to(self, token: &[u8]) -> Vec<u8> {
        match self {
            Self::As(name) => [token, name.as_bytes(), b"\n"].concat(),
            Self::Garbage => [&[b'x'; 16], &b"b\n"[..]].concat(),
            Self::None => Vec::new(),
        }
    }
}

/// Answers every question to a port of its own as the harness does, under a name.
pub async fn answer_as(node: &Arc<Namespace>, name: &'static str) {
    answer(node, Words::As(name), |_| ()).await;
}

/// Answers every question to a port of its own; `first` is done before a connection is answered.
pub async fn answer(node: &Arc<Namespace>, words: Words, first: impl Fn(SocketAddr) + Send + 'static) {
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
                drop(stream.write_all(&words.to(&token)));
            }
        }
    });
    std::thread::spawn(move || {
        let mut token = [0; 16];
        while let Ok((length, from)) = datagrams.recv_from(&mut token) {
            let said = words.to(&token[..length]);
            if !said.is_empty() {
                drop(datagrams.send_to(&said, from));
            }
        }
    });
}

/// Where [`answer`] listens.
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

/// Sends what begins a connection, from inside [`answer`].
pub fn begin(from: SocketAddr, to: SocketAddr) {
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
pub const TAKE_WHAT_LEAVES: &str = "table inet lie {
  chain let-out { type filter hook output priority -300; ip ttl 99 notrack; ip6 hoplimit 99 notrack
 }
  chain out { type nat hook output priority -100; tcp dport { 80, 81, 4000 } redirect to :7777
    udp dport { 5000, 5001 } redirect to :7777
 }
}
";

/// Has the liar of a namespace take what comes to it.
pub const TAKE_WHAT_COMES: &str = "table inet lie {
  chain in { type nat hook prerouting priority -100; tcp dport { 80, 4000 } redirect to :7777
    udp dport 5000 redirect to :7777
 }
}
";

/// What the sender asks is its own from now on.
pub async fn take_address(lab: &Lab, ends: Ends) {
    for family in FAMILIES {
        let asked = asked_address(lab, ends, family);
        let words = match family {
            Family::Ipv4 => format!("address add {asked}/32 dev lo"),
            Family::Ipv6 => format!("address add {asked}/128 dev lo nodad"),
        };
        run(&node(lab, ends.from), "ip", &words).await;
    }
}

/// Hides what comes to a receiver before its stack or a tap there sees it, and sends it back with the source that it has.
pub async fn hide_and_send_back(lab: &Lab, name: &str) {
    let end = node(lab, name);
    let neighbours = run(&end, "ip", "-4 neighbour show dev eth0 nud permanent").await;
    let mut words = neighbours.split_whitespace();
    let mac = words.by_ref().skip_while(|word| *word != "lladdr").nth(1).expect("the router's address");
    let script = format!(
        "table netdev lie {{ chain in {{ type filter hook ingress device \"eth0\" priority -500;
           meta l4proto {{ tcp, udp }} th dport {{ 80, 4000, 5000 }} ether daddr set {mac} fwd to \"eth0\"
 }}
}}\n"
    );
    nft_script(&end, script).await;
}
