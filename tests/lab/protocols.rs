//! ICMP messages other than echo, and protocols without ports: what proves them is that they arrive.

use sglab::model::{Era, Flow, IcmpMessage, Service, Via};
use sglab::probe::Outcome;
use socket2::{Domain, Protocol, Socket, Type};

use crate::clouds::*;

const CLOUD: &str = "sglab: 1
era: vpc
groups:
  A: []
  ECHO: [icmp echo from A]
  ALL: [icmp all from anywhere]
  TYPES: [icmp 13 from A, icmp 3/1 from A]
instances: {a: {groups: [A]}, echo: {groups: [ECHO]}, all: {groups: [ALL]}, types: {groups: [TYPES]}}
scenario:
  - step: as launched
    expect:
      dropped: ['a -> echo:icmp 13', 'a -> echo:icmp 5/1', 'a -> echo:icmp 3/1', 'a -> echo:icmp 3/2', 'a -> echo:protocol 47']
";

fn icmp(kind: u8, code: u8) -> Service {
    Service::Icmp(IcmpMessage { kind, code })
}

#[sglab::test]
async fn a_rule_for_echo_admits_no_other_message() {
    let mut lab = boot(&topology(CLOUD), Era::Vpc).await;
    let flows = [Service::IcmpEcho, icmp(13, 0), icmp(5, 1), icmp(3, 1)].map(|service| flow("a", "echo", service));
    let found = outcomes(&mut lab, &flows).await;
    assert!(is_open(&found[0]), "{found:?}");
    assert!(found[1..].iter().all(is_dropped), "{found:?}");
}

#[sglab::test]
async fn a_rule_for_all_icmp_admits_messages_that_begin_no_flow() {
    let mut lab = boot(&topology(CLOUD), Era::Vpc).await;
    let all = [icmp(13, 0), icmp(5, 1), icmp(3, 1)].map(|service| flow("a", "all", service));
    let found = outcomes(&mut lab, &all).await;
    assert!(found.iter().all(is_open), "{found:?}");
    let types = [icmp(13, 0), icmp(3, 1), icmp(3, 2), icmp(5, 1)].map(|service| flow("a", "types", service));
    let found = outcomes(&mut lab, &types).await;
    assert!(is_open(&found[0]) && is_open(&found[1]), "{found:?}");
    assert!(is_dropped(&found[2]) && is_dropped(&found[3]), "{found:?}");
}

#[sglab::test]
async fn such_a_message_is_translated_on_the_public_path() {
    let mut lab = boot(&topology(CLOUD), Era::Vpc).await;
    let found = probe(&mut lab, by_public(flow("a", "all", icmp(5, 1)))).await.outcome;
    assert!(is_open(&found), "{found:?}");
    let found = probe(&mut lab, by_public(flow("a", "types", icmp(3, 1)))).await.outcome;
    let Outcome::Dropped(drop) = &found else { panic!("{found:?}") };
    assert_eq!(drop.source, std::net::IpAddr::from(public(lab.cloud(), "a").0));
}

#[sglab::test]
async fn a_protocol_by_number_is_dropped_where_no_rule_admits_it_and_each_probe_is_a_new_flow() {
    let mut lab = boot(&topology(CLOUD), Era::Vpc).await;
    let gre = flow("a", "echo", Service::Protocol(47));
    let found = probe(&mut lab, gre.clone()).await.outcome;
    assert!(is_dropped(&found), "{found:?}");
    change(&mut lab, &authorize("ECHO", sglab::model::Traffic::All, group("A"))).await;
    let found = probe(&mut lab, gre.clone()).await.outcome;
    assert!(is_open(&found), "{found:?}");
    change(&mut lab, &revoke("ECHO", sglab::model::Traffic::All, group("A"))).await;
    let found = probe(&mut lab, gre).await.outcome;
    assert!(is_dropped(&found), "nothing rides on the flow of the last probe: {found:?}");
}

/// Those that have names are asked for by these.
const NAMED: [u8; 4] = [1, 6, 17, 58];

#[sglab::test]
async fn every_protocol_by_number_is_asked_for_over_both_families_but_those_that_no_probe_can_ask_for() {
    const CLOUD: &str = "sglab: 1
era: vpc
vpcs: {v: {cidr: 10.0.0.0/16, ipv6: yes}}
groups:
  G: {ingress: [all from G], egress: ['all to ::/0', all to anywhere]}
  H: {ingress: [], egress: ['all to ::/0', all to anywhere]}
instances: {a: {groups: G}, b: {groups: G}, c: {groups: H}}
scenario: [{step: as launched, expect: {open: ['a -> b:ping', 'a -> b:ping by ipv6 address']}}]
";
    let (cloud, mut listeners) = initial_cloud(&topology(CLOUD), Era::Vpc);
    let listened = (0..=255).filter(|number| !NAMED.contains(number)).map(Service::Protocol);
    listeners.columns.extend(listened.filter(|service| service.unprobeable(Via::Private).is_none()));
    let mut lab = sglab::lab::Lab::boot(cloud, listeners).await.unwrap_or_else(|error| panic!("{error}"));
    for via in [Via::Private, Via::Ipv6] {
        let numbers = (0..=255).filter(|number| !NAMED.contains(number)).map(Service::Protocol);
        let (none, all): (Vec<_>, Vec<_>) = numbers.partition(|service| service.unprobeable(via).is_some());
        let to = |to, services: &[Service]| {
            services.iter().map(|service| Flow { via, ..flow("a", to, *service) }).collect::<Vec<_>>()
        };
        let (let_in, kept_out) = (to("b", &all), to("c", &all));
        let slow = |seen: &sglab::probe::Observation| seen.timed_out.then(|| seen.flow.to_string());
        let batch = lab.probe(&[let_in, kept_out].concat()).await.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(batch.observations.iter().filter_map(slow).collect::<Vec<_>>(), Vec::<String>::new());
        for seen in &batch.observations {
            let right = if seen.flow.to.to_string() == "b" { is_open } else { is_dropped };
            assert!(right(&seen.outcome), "{}: {:?}", seen.flow, seen.outcome);
        }
        // Whoever asks all the same is told that no packet was sent.
        for (service, outcome) in none.iter().zip(outcomes(&mut lab, &to("b", &none)).await) {
            let Outcome::Inconclusive { why } = &outcome else { panic!("{service}: {outcome:?}") };
            let why = why.to_string();
            assert!(why.starts_with("no packet was sent: "), "{service}: {why}");
        }
    }
}

#[sglab::test]
async fn a_rule_for_what_no_probe_can_ask_for_is_no_column_and_does_not_count_against_coverage() {
    const CLOUD: &str = "sglab: 1
era: vpc
hosts: {four: 203.0.113.7, six: '2001:db8:ffff::7'}
vpcs: {v: {cidr: 10.0.0.0/16, ipv6: yes}}
groups:
  A: {ingress: [], egress: [all to anywhere, 'all to ::/0']}
  B:
    ingress: [tcp 22 from four, protocol 255 from anywhere, 'protocol 51 from ::/0', protocol 60 from A]
    egress: [all to anywhere, 'all to ::/0']
instances: {a: {groups: A}, b: {groups: B}}
tables:
  by-four: {open: ['four -> b:22', 'a -> b:protocol 60']}
  by-six: {by: ipv6, open: ['four -> b:22']}
scenario: [{step: as launched, expect: {table: by-four}}, {step: over IPv6, expect: {table: by-six}}]
";
    let topology = topology(CLOUD);
    let mut lab = boot(&topology, Era::Vpc).await;
    let options = sglab::scenario::Options { require_rule_coverage: false, ..Default::default() };
    let nothing = &mut |_: sglab::scenario::Progress<'_>| {};
    let run = sglab::scenario::run_on(&mut lab, &topology, std::time::Duration::ZERO, &options, nothing).await;
    let run = run.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(run.verdict, sglab::scenario::RunVerdict::Passed, "{:#?}", run.steps);
    let columns: Vec<String> = run.steps[0].probed.grid.services.iter().map(ToString::to_string).collect();
    assert_eq!(columns, ["tcp 22", "tcp 8080", "icmp echo", "protocol 51", "protocol 60"]);
    for (row, block) in
        run.steps[0].probed.grid.rows.iter().flat_map(|row| row.blocks.iter().flatten().map(move |it| (row, it)))
    {
        let asked: Vec<bool> = block.iter().map(Option::is_some).collect();
        let by_ipv6 = row.via == Some(Via::Ipv6);
        assert_eq!(asked, [true, true, true, !by_ipv6, !by_ipv6], "{:?}", row.from);
    }
    let coverage = run.coverage.expect("counters");
    let rules =
        |of: Vec<&sglab::scenario::CountedRule>| of.iter().map(|it| it.rule.written.to_string()).collect::<Vec<_>>();
    let unprovable = coverage.unprovable().into_iter().map(|(rule, _)| rule).collect();
    assert_eq!(rules(unprovable), ["protocol 255 from anywhere", "protocol 51 from ::/0"]);
    assert_eq!(rules(coverage.unexercised()), Vec::<String>::new());
}

/// The kernel of an instance answers a timestamp request, as it does a ping.
#[sglab::test]
async fn what_answers_a_message_needs_no_rule() {
    use std::net::SocketAddrV4;
    const REQUEST: [u8; 20] = [13, 0, 0xf2, 0xfd, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    for era in [Era::Classic, Era::Vpc] {
        let bare = crate::bare::Bare::boot(initial_cloud(&topology(MESSAGES), era).0).await;
        let b = SocketAddrV4::new(private(&bare.cloud, "b").0, 0);
        let a = bare.node("a");
        let answered = crate::bare::inside(&a, move || {
            let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4))?;
            socket.set_read_timeout(Some(crate::bare::soon()))?;
            socket.send_to(&REQUEST, &b.into())?;
            let mut packet = [0; 64];
            std::io::Read::read(&mut &socket, &mut packet)?;
            Ok::<u8, std::io::Error>(packet[20])
        });
        assert_eq!(answered.await.unwrap_or_else(|error| panic!("era {era}: {error}")), 14, "a timestamp reply");
    }
}

const MESSAGES: &str = "sglab: 1
era: [classic, vpc]
groups: {A: [], B: [icmp all from A]}
instances: {a: {groups: [A]}, b: {groups: [B]}}
scenario: [{step: as launched, expect: {open: ['a -> b:ping']}}]
";

/// The error is an ICMP message, which no rule has to let back.
#[sglab::test]
async fn a_closed_udp_port_refuses_by_an_error_about_the_flow() {
    const CLOUD: &str = "sglab: 1
era: [classic, vpc]
hosts: {office: 203.0.113.10}
groups: {A: [], B: [udp 9 from A, udp 9 from office]}
instances: {a: {groups: [A]}, b: {groups: [B]}}
scenario: [{step: as launched, expect: {refused: ['a -> b:9/udp', 'office -> b:9/udp']}}]
";
    for era in [Era::Classic, Era::Vpc] {
        let mut lab = boot(&topology(CLOUD), era).await;
        let flows = [flow("a", "b", udp(9)), from_host(lab.cloud(), "office", "b", udp(9))];
        let found = outcomes(&mut lab, &flows).await;
        assert!(found.iter().all(|it| matches!(it, Outcome::Refused { .. })), "{found:?}");
    }
}

#[sglab::test]
async fn a_datagram_in_fragments_is_judged_whole_by_its_port() {
    use std::net::{SocketAddr, UdpSocket};

    use crate::bare::{Bare, inside, soon};

    let mut bare = Bare::boot(initial_cloud(&topology(CLOUD), Era::Vpc).0).await;
    let mut log = bare.log("vpc-default").await;
    let domain = sglab::model::Traffic::Udp(sglab::model::PortRange::single(sglab::model::Port(53)));
    bare.apply(&authorize("ECHO", domain, group("A"))).await;
    let (sender, receiver) = (private(&bare.cloud, "a").0, private(&bare.cloud, "echo").0);
    let server = inside(&bare.node("echo"), move || UdpSocket::bind((receiver, 53))).await.expect("a socket");
    server.set_read_timeout(Some(soon())).expect("a timeout");
    // Three packets on a wire of 1,500 bytes, and ports in the first only.
    let sent = [7; 4000];
    let send = move || {
        let socket = UdpSocket::bind((sender, 5000))?;
        socket.send_to(&sent, (receiver, 54))?;
        socket.send_to(&sent, (receiver, 53))
    };
    assert_eq!(inside(&bare.node("a"), send).await.expect("it is sent"), sent.len());
    let mut received = [0; 8000];
    let (length, from) = server.recv_from(&mut received).expect("the datagram, whole");
    assert_eq!((&received[..length], from), (sent.as_slice(), SocketAddr::from((sender, 5000))));
    let (record, tuple, _) = log.next_drop();
    assert_eq!(record, sglab::network::record::Record::Drop(sglab::model::Direction::Ingress));
    assert_eq!((tuple.destination, tuple.destination_port), (receiver.into(), 54));
    assert_eq!(log.drops(), [], "one drop, and not one for each fragment");
}
