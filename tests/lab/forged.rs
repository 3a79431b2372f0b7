//! Instances that send from an address of somebody else, over both families: what the packets do and what the policy says.

use std::net::{IpAddr, Ipv4Addr, SocketAddrV4, UdpSocket};
use std::sync::Arc;

use etherparse::PacketBuilder;
use sglab::fabric::Namespace;
use sglab::lab::Lab;
use sglab::model::{
    Attachment, DecidedBy, Direction, Endpoint, Era, Flow, HostName, IcmpMessage, InstanceName, Service, Via,
};
use sglab::network::record::Record;
use sglab::policy;
use sglab::probe::{DropCause, Outcome};
use sglab::scenario::agreement::{Agreement, compare};
use sglab::scenario::{Options, RunVerdict};
use sglab::topology::read_operations;

use crate::bare::{Bare, Log, inside, segment, send_raw, soon};
use crate::clouds::*;

const CLOUD: &str = "sglab: 1
era: vpc
vpcs:
  one: {cidr: 10.0.0.0/16, ipv6: '2001:db8:1000::/56'}
  two: {cidr: 10.0.0.0/16, ipv6: '2001:db8:2000::/56'}
hosts: {office: [203.0.113.10, '2001:db8:ffff::10']}
groups:
  NAT: {vpc: one, ingress: [], egress: [all to anywhere, 'all to ::/0']}
  WEB: {vpc: one}
  DB:
    vpc: one
    ingress: [udp 53 from 10.0.9.9, 'udp 53 from 2001:db8:9::9', udp 54 from WEB, icmp 13 from 10.0.9.9, 'icmpv6 135 from 2001:db8:9::9',
      protocol 47 from 10.0.9.9, 'protocol 47 from 2001:db8:9::9']
  FAR: {vpc: two, ingress: [udp 53 from anywhere, 'udp 53 from ::/0']}
instances:
  nat: {vpc: one, groups: NAT, source-dest-check: off}
  honest: {vpc: one, groups: NAT}
  web: {vpc: one, groups: WEB}
  db: {vpc: one, groups: DB}
  far: {vpc: two, groups: FAR}
scenario:
  - step: over both families
    expect:
      open: ['nat as 10.0.9.9 -> db:53/udp', 'nat as 2001:db8:9::9 -> db:53/udp', 'nat as 2001:db8:9::9 -> db:protocol 47']
      dropped:
        - nat as 10.0.9.8 -> db:53/udp at ingress
        - nat as 2001:db8:9::8 -> db:53/udp at ingress
        - nat as 2001:db8:9::9 -> db:55/udp at ingress
        - honest as 2001:db8:9::9 -> db:53/udp
        - nat as 2001:db8:9::9 -> office:53/udp
";

fn forged(from: &str, source: IpAddr, to: &str, service: Service) -> Flow {
    let from = Endpoint::Forged(Attachment::first_of(&InstanceName::new(from)), source);
    let via = if source.is_ipv6() { Via::Ipv6 } else { Via::Private };
    Flow { from, via, ..flow("nat", to, service) }
}

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn six(lab: &Lab, name: &str) -> IpAddr {
    lab.cloud().instances[&InstanceName::new(name)].interfaces[0].ipv6.expect("an IPv6 address").0.into()
}

/// Outcomes of flows, of each of which model and kernel say the same.
async fn agreed(lab: &mut Lab, flows: &[Flow]) -> Vec<Outcome> {
    let batch = lab.probe(flows).await.unwrap_or_else(|error| panic!("{error}"));
    assert!(batch.canaries_held, "the canaries held");
    for seen in &batch.observations {
        let verdict = policy::judge(lab.cloud(), &seen.flow);
        assert_eq!(compare(&verdict, seen), Agreement::Agree, "{}: {verdict:?}, {seen:?}", seen.flow);
        assert!(!seen.timed_out, "evidence and not patience decides: {seen:?}");
    }
    batch.observations.into_iter().map(|seen| seen.outcome).collect()
}

#[sglab::test]
async fn a_forged_source_of_either_family_is_judged_by_that_source() {
    let mut lab = boot(&topology(CLOUD), Era::Vpc).await;
    for (named, other, message) in [("10.0.9.9", "10.0.9.8", 13), ("2001:db8:9::9", "2001:db8:9::8", 135)] {
        let (named, other) = (address(named), address(other));
        let message = Service::Icmp(IcmpMessage { kind: message, code: 0 });
        let all = [udp(53), message, Service::Protocol(47)];
        let open: Vec<Flow> = all.iter().map(|service| forged("nat", named, "db", *service)).collect();
        let found = agreed(&mut lab, &open).await;
        assert!(found.iter().all(is_open), "{found:?}");
        let dropped: Vec<Flow> = all.iter().map(|service| forged("nat", other, "db", *service)).collect();
        let found = agreed(&mut lab, &dropped).await;
        assert!(found.iter().all(|it| dropped_at(it) == Some((Direction::Ingress, "db".into()))), "{found:?}");
        let found = agreed(&mut lab, &[forged("honest", named, "db", udp(53))]).await;
        let at_the_check = |outcome: &Outcome| match outcome {
            Outcome::Dropped(drop) => matches!(drop.cause, DropCause::Decided(DecidedBy::SourceDestCheck { .. })),
            _ => false,
        };
        assert!(at_the_check(&found[0]), "whose source is checked: {found:?}");
    }
}

#[sglab::test]
async fn who_sends_as_a_member_of_a_group_is_no_member_over_ipv6_either() {
    let mut lab = boot(&topology(CLOUD), Era::Vpc).await;
    let web = six(&lab, "web");
    let own = Flow { via: Via::Ipv6, ..flow("web", "db", udp(54)) };
    let found = agreed(&mut lab, &[own, forged("nat", web, "db", udp(54))]).await;
    assert!(is_open(&found[0]), "{found:?}");
    assert_eq!(dropped_at(&found[1]), Some((Direction::Ingress, "db".into())), "{found:?}");
}

#[sglab::test]
async fn what_leaves_a_vpc_over_ipv6_has_the_address_of_an_interface_there() {
    let mut lab = boot(&topology(CLOUD), Era::Vpc).await;
    let office = Endpoint::Host(HostName::new("office"), sglab::model::HostIp(address("2001:db8:ffff::10")));
    let (web, unheld) = (six(&lab, "web"), address("2001:db8:1000::4242"));
    for to in ["far", "office"] {
        let to = |flow: Flow| if to == "office" { Flow { to: office.clone(), ..flow } } else { flow };
        let flows = [web, unheld, address("2001:db8:9::9")].map(|source| to(forged("nat", source, "far", udp(53))));
        let found = agreed(&mut lab, &flows).await;
        assert!(is_open(&found[0]), "{found:?}");
        for outcome in &found[1..] {
            let Outcome::Dropped(drop) = outcome else { panic!("{found:?}") };
            assert!(matches!(drop.cause, DropCause::Decided(DecidedBy::Translation { .. })), "{found:?}");
        }
    }
}

#[sglab::test]
async fn a_file_forges_sources_of_both_families() {
    let result = sglab::scenario::run(&topology(CLOUD), Era::Vpc, &Options::default(), &mut |_| {}).await;
    let result = result.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(result.verdict, RunVerdict::Passed, "{:#?}", result.steps);
}

/// No rule of `b` lets anything in. `x` and `box` may send in anybody's name.
const ANSWERED: &str = "sglab: 1
era: vpc
vpcs:
  main:
    cidr: 10.0.0.0/16
    subnets:
      front: {cidr: 10.0.1.0/24, routes: {10.0.2.0/24: box}}
      back: 10.0.2.0/24
      middle: 10.0.3.0/24
groups: {A: [udp 2000 from 10.0.0.0/16, tcp 2000 from 10.0.0.0/16], B: [], BOX: [all from 10.0.0.0/16], X: []}
instances:
  a: {groups: A, subnet: front}
  b: {groups: B, subnet: back}
  c: {groups: A, subnet: back}
  box: {groups: BOX, subnet: middle, source-dest-check: off, forwards: as-is}
  x: {groups: X, subnet: middle, source-dest-check: off}
scenario: [{step: one, expect: {dropped: ['a -> b:54/udp']}}]
";

async fn cloud() -> (Bare, Log) {
    let bare = Bare::boot(initial_cloud(&topology(ANSWERED), Era::Vpc).0).await;
    let log = bare.log("vpc-main").await;
    (bare, log)
}

fn at(bare: &Bare, name: &str, port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(private(&bare.cloud, name).0, port)
}

async fn bound(node: &Arc<Namespace>, port: u16) -> UdpSocket {
    let socket = inside(node, move || UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port))).await.expect("a socket");
    socket.set_read_timeout(Some(soon())).expect("a timeout");
    socket
}

fn datagram(from: SocketAddrV4, to: SocketAddrV4) -> Vec<u8> {
    let mut packet = Vec::new();
    let builder = PacketBuilder::ipv4(from.ip().octets(), to.ip().octets(), 64).udp(from.port(), to.port());
    builder.write(&mut packet, b"word").expect("a vector takes it");
    packet
}

/// Waits for the next drop, which is of a packet to here, by the groups of its holder.
fn is_dropped_at(log: &mut Log, to: SocketAddrV4) {
    let (record, tuple, _) = log.next_drop();
    assert_eq!(record, Record::Drop(Direction::Ingress), "{tuple:?}");
    assert_eq!((tuple.destination, tuple.destination_port), ((*to.ip()).into(), to.port()), "{tuple:?}");
}

#[sglab::test]
async fn a_middlebox_that_forges_an_answer_opens_nobodys_door() {
    let (bare, mut log) = cloud().await;
    let (from, to) = (at(&bare, "a", 45001), at(&bare, "b", 54));
    let a = bound(&bare.node("a"), 45001).await;
    a.send_to(b"word", to).expect("sent");
    // It is honest once, and passes the question on.
    is_dropped_at(&mut log, to);
    send_raw(&bare.node("box"), vec![datagram(to, from)]).await;
    a.recv(&mut [0; 4]).expect("who has asked takes the answer, from whomever it is");
    for _ in 0..2 {
        a.send_to(b"word", to).expect("sent");
        is_dropped_at(&mut log, to);
    }
}

#[sglab::test]
async fn who_forges_a_question_has_the_answer_arrive_nowhere() {
    let (bare, mut log) = cloud().await;
    let (forged, asked) = (at(&bare, "b", 54), at(&bare, "c", 2000));
    let c = bound(&bare.node("c"), 2000).await;
    send_raw(&bare.node("x"), vec![datagram(forged, asked)]).await;
    c.recv(&mut [0; 4]).expect("a rule lets it in");
    for _ in 0..2 {
        c.send_to(b"word", forged).expect("sent");
        is_dropped_at(&mut log, forged);
    }
    // Nobody listens there, and so the answer is a reset; then an error, of a datagram.
    let (forged, asked) = (at(&bare, "b", 22), at(&bare, "c", 2000));
    send_raw(&bare.node("x"), vec![segment(forged, asked, 2)]).await;
    is_dropped_at(&mut log, forged);
    drop(c);
    send_raw(&bare.node("x"), vec![datagram(at(&bare, "b", 55), asked)]).await;
    let (record, tuple, _) = log.next_drop();
    assert_eq!(record, Record::Drop(Direction::Ingress), "{tuple:?}");
    assert_eq!(tuple.destination, IpAddr::from(*forged.ip()), "{tuple:?}");
}

/// Nothing that it has left opens what it could not open itself.
#[sglab::test]
async fn what_was_forged_is_doubted_when_the_forger_is_gone() {
    for gone in ["{terminate: x}", "{stop: x}", "{source-dest-check: {x: on}}"] {
        // Nobody else may send what is not its own: nobody is left who may.
        let alone =
            ANSWERED.replace("source-dest-check: off, forwards: as-is", "").replace(", routes: {10.0.2.0/24: box}", "");
        let mut bare = Bare::boot(initial_cloud(&topology(&alone), Era::Vpc).0).await;
        let mut log = bare.log("vpc-main").await;
        let (forged, asked) = (at(&bare, "b", 54), at(&bare, "c", 2000));
        let c = bound(&bare.node("c"), 2000).await;
        send_raw(&bare.node("x"), vec![datagram(forged, asked)]).await;
        c.recv(&mut [0; 4]).expect("a rule lets it in");
        for operation in read_operations(&bare.cloud, &format!("[{gone}]")).expect("an operation") {
            bare.apply(&operation.value).await;
        }
        for _ in 0..2 {
            c.send_to(b"word", forged).expect("sent");
            is_dropped_at(&mut log, forged);
        }
    }
}

#[sglab::test]
async fn what_a_rule_lets_in_arrives_though_somebody_has_forged_its_flow() {
    let (bare, _log) = cloud().await;
    let (forged, asked) = (at(&bare, "b", 54), at(&bare, "c", 2000));
    let c = bound(&bare.node("c"), 2000).await;
    send_raw(&bare.node("x"), vec![datagram(forged, asked)]).await;
    c.recv(&mut [0; 4]).expect("a rule lets it in");
    c.send_to(b"word", forged).expect("sent");
    // It asks the same by itself, and has the answer.
    let b = bound(&bare.node("b"), 54).await;
    b.send_to(b"word", asked).expect("sent");
    c.recv(&mut [0; 4]).expect("the question");
    c.send_to(b"word", forged).expect("sent");
    b.recv(&mut [0; 4]).expect("the answer");
}

/// The services answer over no filter of groups.
#[sglab::test]
async fn who_asks_a_service_in_anothers_name_has_it_answered_nowhere() {
    let (bare, mut log) = cloud().await;
    for service in
        [SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 2), 53), SocketAddrV4::new(Ipv4Addr::new(169, 254, 169, 123), 123)]
    {
        let forged = at(&bare, "b", 54);
        send_raw(&bare.node("x"), vec![datagram(forged, service)]).await;
        let (record, tuple, _) = log.next_drop();
        let dropped = (record, tuple.source, tuple.destination);
        assert_eq!(dropped, (Record::Unserved, (*forged.ip()).into(), (*service.ip()).into()));
    }
    let service = SocketAddrV4::new(Ipv4Addr::new(169, 254, 169, 254), 80);
    send_raw(&bare.node("x"), vec![segment(at(&bare, "b", 22), service, 2)]).await;
    assert_eq!(log.next_drop().0, Record::Unserved);
}
