//! Answers that a filter drops on their way back: the question has come through, and yet nobody hears of it. That is no drop of
//! the flow and never a pass, and what is on record about it is told.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;

use etherparse::{PacketBuilder, PacketBuilderStep};
use sglab::fabric::Namespace;
use sglab::lab::{Alteration, Lab};
use sglab::model::{Attachment, Direction, Endpoint, Era, Flow, InstanceName, InterfaceId, Via};
use sglab::network::nft::NftRule;
use sglab::network::record::Record;
use sglab::network::{Network, NodeName};
use sglab::policy;
use sglab::probe::{Observation, Outcome};
use sglab::scenario::agreement::{Agreement, compare};
use socket2::{Domain, Protocol, Socket, Type};

use crate::bare::{inside, soon};
use crate::clouds::*;

const CLOUD: &str = "sglab: 1
era: vpc
hosts: {home: 203.0.113.10}
elastic-ips: {e1: none}
vpcs: {v: {cidr: 10.0.0.0/16, subnets: {a: 10.0.1.0/24, b: 10.0.2.0/24}}}
groups: {CLIENT: [], A: [tcp 22 from home], B: [tcp 80 from anywhere, udp 53 from anywhere, udp 9 from anywhere, icmp echo from anywhere]}
instances:
  client: {groups: CLIENT, subnet: a}
  web: {groups: A, subnet: a, listens: tcp 80, interfaces: {eth1: {groups: B, subnet: b}}}
scenario:
  - step: as launched
    do: {associate-address: {e1: web.eth1}}
    expect: {open: ['home -> web.eth1:80', 'client -> web.eth1:53/udp', 'client -> web.eth1:ping']}
";

async fn altered(alter: impl Fn(Network) -> Network + Send + Sync + 'static) -> Lab {
    let topology = topology(CLOUD);
    let (cloud, mut listeners) = initial_cloud(&topology, Era::Vpc);
    listeners.columns.shift_remove(&udp(9));
    let booted = Lab::boot_altered(cloud, listeners, Alteration::new(alter)).await;
    let mut lab = booted.unwrap_or_else(|error| panic!("{error}"));
    for operation in topology.steps[0].operations() {
        change(&mut lab, &operation.value).await;
    }
    lab
}

fn second() -> Attachment {
    Attachment { instance: InstanceName::new("web"), device: 1 }
}

/// What was seen of a flow that the model says is open: inconclusive, by evidence and not for want of patience.
async fn unanswered(lab: &mut Lab, flow: Flow) -> (Observation, String) {
    let verdict = policy::judge(lab.cloud(), &flow);
    let seen = probe(lab, flow).await;
    assert_eq!(compare(&verdict, &seen), Agreement::Unproved, "{seen:?}");
    assert!(!seen.timed_out, "the record ends the wait: {seen:?}");
    let Outcome::Inconclusive { why } = seen.outcome.clone() else { panic!("{seen:?}") };
    let why = why.to_string();
    (seen, why)
}

/// As an ordinary image has it: nothing leads what has the address of the second interface out by that one.
#[sglab::test]
async fn an_answer_by_the_wrong_interface_is_told_as_dropped_for_its_source() {
    let without_policies = |mut network: Network| {
        network.nodes.get_mut(&NodeName("web".into())).expect("the instance").policies.clear();
        network
    };
    let mut lab = altered(without_policies).await;
    let to = Endpoint::Interface(second());
    let inside = |service| Flow { to: to.clone(), ..flow("client", "web", service) };
    let (home, host) = lab.cloud().hosts.first().map(|(name, host)| (name.clone(), host.addresses[0])).expect("home");
    let outside = Flow { from: Endpoint::Host(home, host), to: to.clone(), via: Via::Public, service: tcp(80) };
    for flow in [outside, inside(tcp(80)), inside(udp(53)), inside(sglab::model::Service::IcmpEcho)] {
        let (seen, why) = unanswered(&mut lab, flow).await;
        let drop = seen.answer_dropped.expect("its answer was dropped");
        let first = InterfaceId::first_of(&InstanceName::new("web"));
        assert_eq!((drop.cause.record(), drop.cause.interface()), (Record::Spoofed, Some(&first)), "{}", seen.flow);
        assert_eq!(
            why,
            "the receiver has seen it, and its answer was dropped as spoofed at web.eth0, source 10.0.2.11"
        );
        assert_eq!(seen.records.last().map(|it| it.record), Some(Record::Spoofed), "{}", seen.flow);
    }
}

#[sglab::test]
async fn an_answer_or_an_error_that_groups_drop_is_told_with_their_end() {
    let planted = |end: Direction, from: &'static str| {
        move |mut network: Network| {
            let router = network.nodes.get_mut(&NodeName("vpc-v".into())).and_then(|node| node.ruleset.as_mut());
            let chain = router.and_then(|router| router.chains.get_mut(&end.to_string())).expect("the chain");
            let record = Record::Drop(end);
            let text = format!("{from} log prefix \"{record}\" group 1 queue-threshold 1 drop");
            chain.rules.insert(0, NftRule { text, id: "planted".to_owned(), note: String::new() });
            network
        }
    };
    let client = InterfaceId::first_of(&InstanceName::new("client"));
    let cases = [
        (Direction::Ingress, "oifname \"client\" tcp sport 80", tcp(80), client),
        // Nobody listens there: what comes back is an ICMP error about the datagram.
        (Direction::Egress, "meta l4proto icmp", udp(9), second().into()),
    ];
    for (end, what, service, interface) in cases {
        let mut lab = altered(planted(end, what)).await;
        let asked = Flow { to: Endpoint::Interface(second()), ..flow("client", "web", service) };
        let (seen, why) = unanswered(&mut lab, asked).await;
        let drop = seen.answer_dropped.expect("its answer was dropped");
        let (at, dropped_at, _) = drop.cause.groups().unwrap_or_else(|| panic!("{drop:?}"));
        assert_eq!((at, dropped_at), (end, &interface), "{why}");
        assert!(why.contains(&format!("its answer was dropped at the {end} of {interface}")), "{why}");
    }
}

/// "Fragmentation needed" and "packet too big", as (type, code).
pub const TOO_LARGE_IPV4: (u8, u8) = (3, 4);
pub const TOO_LARGE_IPV6: (u8, u8) = (2, 0);
/// "Time exceeded in transit".
pub const EXPIRED_IPV4: (u8, u8) = (11, 0);
pub const EXPIRED_IPV6: (u8, u8) = (3, 0);

/// An error: who says it, what, and of which packet.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    pub from: IpAddr,
    pub message: (u8, u8),
    /// The most that the answerer could pass on, where it says so; else 0.
    pub mtu: u32,
    /// Source and destination of the packet that it is about.
    pub about: (IpAddr, IpAddr),
}

/// What a namespace hears of errors over one family, from now on.
pub struct Answers(UdpSocket);

impl Answers {
    pub async fn of(node: &Arc<Namespace>, ipv4: bool) -> Self {
        let (domain, protocol) = if ipv4 { (Domain::IPV4, Protocol::ICMPV4) } else { (Domain::IPV6, Protocol::ICMPV6) };
        let opened = inside(node, move || Socket::new(domain, Type::RAW, Some(protocol)));
        let socket = UdpSocket::from(opened.await.expect("a raw socket"));
        socket.set_read_timeout(Some(soon())).expect("a timeout");
        Self(socket)
    }

    /// Waits for the next error.
    pub fn next(&mut self) -> Answer {
        loop {
            let mut bytes = [0; 2000];
            let (length, from) = self.0.recv_from(&mut bytes).expect("an error comes");
            let (bytes, from) = (&bytes[..length], from.ip());
            // A raw socket shows the IP header of IPv4 only.
            let message = if from.is_ipv4() { &bytes[20..] } else { bytes };
            let number = |at: usize, length: usize| {
                message[at..at + length].iter().fold(0, |number, byte| number << 8 | u32::from(*byte))
            };
            let is_error = if from.is_ipv4() { matches!(message[0], 3 | 11) } else { message[0] < 128 };
            if !is_error {
                continue;
            }
            let about = if from.is_ipv4() {
                let at =
                    |start: usize| IpAddr::from(<[u8; 4]>::try_from(&message[start..start + 4]).expect("four bytes"));
                (at(8 + 12), at(8 + 16))
            } else {
                let at =
                    |start: usize| IpAddr::from(<[u8; 16]>::try_from(&message[start..start + 16]).expect("16 bytes"));
                (at(8 + 8), at(8 + 24))
            };
            let message_of = (message[0], message[1]);
            let mtu = match message_of {
                TOO_LARGE_IPV4 if from.is_ipv4() => number(6, 2),
                TOO_LARGE_IPV6 if from.is_ipv6() => number(4, 4),
                _ => 0,
            };
            return Answer { from, message: message_of, mtu, about };
        }
    }
}

/// Whether a router may cut a packet up.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Fragments {
    Allowed,
    Forbidden,
}

/// A packet to a UDP port, with so many hops to go and so many bytes in all.
pub fn datagram(from: IpAddr, to: (IpAddr, u16), hops: u8, length: usize, fragments: Fragments) -> Vec<u8> {
    const PORT: u16 = 5000;
    let mut packet = Vec::new();
    let write = |builder: PacketBuilderStep<etherparse::IpHeaders>, packet: &mut Vec<u8>, headers: usize| {
        builder.udp(PORT, to.1).write(packet, &vec![b'x'; length - headers]).expect("a vector takes it");
    };
    match (from, to.0) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            write(PacketBuilder::ipv4(from.octets(), to.octets(), hops), &mut packet, 28);
            packet[6] = if fragments == Fragments::Forbidden { 0x40 } else { 0 };
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            write(PacketBuilder::ipv6(from.octets(), to.octets(), hops), &mut packet, 48);
        }
        _ => panic!("{from} and {} are of two families", to.0),
    }
    packet
}

/// Sends a packet as it is; gives the kernel's word if its own link does not take it.
pub async fn send(node: &Arc<Namespace>, packet: Vec<u8>) -> std::io::Result<usize> {
    inside(node, move || {
        let ipv4 = packet[0] >> 4 == 4;
        let to: IpAddr = if ipv4 {
            <[u8; 4]>::try_from(&packet[16..20]).expect("four bytes").into()
        } else {
            <[u8; 16]>::try_from(&packet[24..40]).expect("16 bytes").into()
        };
        let domain = if ipv4 { Domain::IPV4 } else { Domain::IPV6 };
        let socket = Socket::new(domain, Type::RAW, Some(Protocol::from(libc::IPPROTO_RAW)))?;
        socket.send_to(&packet, &SocketAddr::new(to, 0).into())
    })
    .await
}

/// A socket that datagrams to a port come to.
pub async fn receiver(node: &Arc<Namespace>, ipv4: bool, port: u16) -> UdpSocket {
    let any: IpAddr = if ipv4 { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = inside(node, move || UdpSocket::bind((any, port))).await.expect("a socket");
    socket.set_read_timeout(Some(soon())).expect("a timeout");
    socket
}

/// Waits for a datagram, and gives the length of what is in it.
pub fn arrived(socket: &UdpSocket) -> usize {
    socket.recv(&mut [0; 65536]).expect("a datagram comes")
}
