//! IPv6 on real packets: nothing translates it, and no rule for IPv4 covers it.

use std::net::{Ipv6Addr, UdpSocket};
use std::process::Command;

use sglab::fabric::packet::ICMPV6;
use sglab::model::{Direction, Endpoint, Era, Flow, HostName, IcmpMessage, InstanceName, Service, Via};
use sglab::network::record::Record;
use sglab::probe::Outcome;

use crate::bare::{Bare, answers_to_many, inside, soon};

use crate::clouds::*;

const CLOUD: &str = "sglab: 1
era: vpc
vpcs: {one: {cidr: 10.0.0.0/16, ipv6: yes}, two: {cidr: 10.0.0.0/16, ipv6: yes}}
hosts: {office: [203.0.113.10, '2001:db8:ffff::10'], world: ['3fff::99']}
groups:
  WEB: {vpc: one, ingress: [tcp 80 from anywhere, 'tcp 443 from ::/0', icmp all from anywhere]}
  DB: {vpc: one, ingress: [tcp 3306 from WEB, udp 53 from WEB, tcp 22 from office, tcp 9 from WEB]}
  FAR: {vpc: two, ingress: [tcp 80 from anywhere, 'icmpv6 echo from ::/0']}
instances:
  web1: {vpc: one, groups: [WEB]}
  db1: {vpc: one, groups: [DB]}
  far1: {vpc: two, groups: [FAR]}
scenario:
  - step: as launched
    expect:
      refused: ['web1 -> db1:9']
";

fn by_ipv6(flow: Flow) -> Flow {
    Flow { via: Via::Ipv6, ..flow }
}

fn from_ipv6(host: &str, address: &str, to: &str, service: Service) -> Flow {
    let from = Endpoint::Host(HostName::new(host), sglab::model::HostIp(address.parse().expect("an address")));
    Flow { from, ..by_ipv6(flow("web1", to, service)) }
}

#[sglab::test]
async fn a_rule_for_every_ipv4_address_does_not_let_ipv6_in() {
    let mut lab = boot(&topology(CLOUD), Era::Vpc).await;
    let flows = [
        from_host(lab.cloud(), "office", "web1", tcp(80)),
        from_ipv6("office", "2001:db8:ffff::10", "web1", tcp(80)),
        from_ipv6("office", "2001:db8:ffff::10", "web1", tcp(443)),
        from_ipv6("world", "3fff::99", "web1", tcp(443)),
        from_host(lab.cloud(), "office", "web1", tcp(443)),
    ];
    let found = outcomes(&mut lab, &flows).await;
    assert!(is_open(&found[0]), "{found:?}");
    assert!(is_dropped(&found[1]), "{found:?}");
    assert!(is_open(&found[2]) && is_open(&found[3]), "{found:?}");
    assert!(is_dropped(&found[4]), "{found:?}");
}

#[sglab::test]
async fn a_group_reference_matches_the_members_ipv6_addresses() {
    let mut lab = boot(&topology(CLOUD), Era::Vpc).await;
    let flows = [
        by_ipv6(flow("web1", "db1", tcp(3306))),
        by_ipv6(flow("web1", "db1", udp(53))),
        by_ipv6(flow("far1", "db1", tcp(3306))),
        from_ipv6("office", "2001:db8:ffff::10", "db1", tcp(22)),
        from_ipv6("world", "3fff::99", "db1", tcp(22)),
    ];
    let found = outcomes(&mut lab, &flows).await;
    assert!(is_open(&found[0]) && is_open(&found[1]), "{found:?}");
    assert!(is_dropped(&found[2]), "a stranger of another VPC: {found:?}");
    assert!(is_open(&found[3]), "a host's name stands for its IPv6 address too: {found:?}");
    assert!(is_dropped(&found[4]), "{found:?}");
}

#[sglab::test]
async fn ipv6_crosses_the_gateway_untranslated_between_vpcs() {
    let mut lab = boot(&topology(CLOUD), Era::Vpc).await;
    let found = probe(&mut lab, by_ipv6(flow("far1", "web1", tcp(443)))).await.outcome;
    assert!(is_open(&found), "{found:?}");
    let far = lab.cloud().instances[&InstanceName::new("far1")].interfaces[0].ipv6.expect("an IPv6 address");
    let only_far = sglab::model::Peer::Cidr(std::net::IpAddr::from(far.0).into());
    change(&mut lab, &authorize("WEB", tcp_port(8443), only_far)).await;
    let found = probe(&mut lab, by_ipv6(flow("far1", "web1", tcp(80)))).await.outcome;
    let Outcome::Dropped(drop) = &found else { panic!("{found:?}") };
    assert_eq!(drop.source, std::net::IpAddr::from(far.0), "the filter sees the sender's own address");
}

#[sglab::test]
async fn icmp_is_not_icmpv6() {
    let mut lab = boot(&topology(CLOUD), Era::Vpc).await;
    let ping = Service::IcmpEcho;
    let flows = [
        from_host(lab.cloud(), "office", "web1", ping),
        from_ipv6("office", "2001:db8:ffff::10", "web1", ping),
        from_ipv6("office", "2001:db8:ffff::10", "far1", ping),
        from_host(lab.cloud(), "office", "far1", ping),
    ];
    let found = outcomes(&mut lab, &flows).await;
    assert!(is_open(&found[0]) && is_dropped(&found[1]), "{found:?}");
    assert!(is_open(&found[2]) && is_dropped(&found[3]), "{found:?}");
}

#[sglab::test]
async fn an_ipv6_address_is_kept_over_stop_and_start_and_a_stopped_instance_is_unreachable() {
    let mut lab = boot(&topology(CLOUD), Era::Vpc).await;
    let asked = by_ipv6(flow("web1", "db1", tcp(3306)));
    let held = |lab: &sglab::lab::Lab| lab.cloud().instances[&InstanceName::new("db1")].interfaces[0].ipv6;
    let before = held(&lab);
    change(&mut lab, &stop("db1")).await;
    let found = probe(&mut lab, asked.clone()).await.outcome;
    assert!(matches!(found, Outcome::Unreachable { .. }), "{found:?}");
    change(&mut lab, &start("db1")).await;
    assert_eq!(held(&lab), before);
    let found = probe(&mut lab, asked).await.outcome;
    assert!(is_open(&found), "{found:?}");
}

fn own_ipv6(bare: &Bare, name: &str) -> Ipv6Addr {
    bare.cloud.instances[&InstanceName::new(name)].interfaces[0].ipv6.expect("it has one").0
}

/// Sends a datagram as an address that is not the sender's own.
async fn sends_as(bare: &Bare, node: &str, source: Ipv6Addr, to: Ipv6Addr) {
    let at = bare.node(node);
    let sent = inside(&at, move || {
        let address = format!("{source}/128");
        let done = Command::new("ip").args(["-6", "addr", "add", &address, "dev", "lo", "nodad"]).status()?;
        assert!(done.success(), "{source} cannot be added");
        UdpSocket::bind((source, 4000))?.send_to(b"word", (to, 53))
    });
    sent.await.unwrap_or_else(|error| panic!("{node} as {source}: {error}"));
}

#[sglab::test]
async fn what_an_instance_sends_with_anothers_ipv6_address_is_dropped_as_spoofed() {
    let bare = Bare::boot(initial_cloud(&topology(CLOUD), Era::Vpc).0).await;
    let mut log = bare.log("vpc-one").await;
    let db1 = own_ipv6(&bare, "db1");
    let stolen = Ipv6Addr::from(u128::from(db1) + 7);
    sends_as(&bare, "web1", stolen, db1).await;
    let (record, tuple, _) = log.next_drop();
    assert_eq!((record, tuple.source), (Record::Spoofed, stolen.into()));
    assert_eq!((tuple.destination, tuple.destination_port), (db1.into(), 53));
}

#[sglab::test]
async fn what_a_host_sends_with_anothers_ipv6_address_is_dropped_as_spoofed() {
    let bare = Bare::boot(initial_cloud(&topology(CLOUD), Era::Vpc).0).await;
    let mut log = bare.log("internet").await;
    let neighbours: Ipv6Addr = "3fff::99".parse().expect("an address");
    sends_as(&bare, "office", neighbours, own_ipv6(&bare, "db1")).await;
    let (record, tuple, _) = log.next_drop();
    assert_eq!((record, tuple.source), (Record::Spoofed, neighbours.into()));
}

/// The block of the VPC, no more and no less of it; and what is dropped does not arrive.
#[sglab::test]
async fn what_comes_from_the_gateway_with_an_ipv6_address_of_the_vpc_is_dropped_as_spoofed() {
    let bare = Bare::boot(initial_cloud(&topology(CLOUD), Era::Vpc).0).await;
    let mut log = bare.log("vpc-one").await;
    let (web1, db1) = (own_ipv6(&bare, "web1"), own_ipv6(&bare, "db1"));
    let server = inside(&bare.node("db1"), move || UdpSocket::bind((db1, 53))).await.expect("a socket");
    server.set_read_timeout(Some(soon())).expect("a timeout");
    let block = u128::from(web1) >> 72 << 72;
    let last = Ipv6Addr::from(block | ((1 << 72) - 2));
    for source in [web1, last] {
        sends_as(&bare, "gateway-one", source, db1).await;
        let (record, tuple, _) = log.next_drop();
        assert_eq!((record, tuple.source), (Record::Spoofed, source.into()));
    }
    let beyond = Ipv6Addr::from(block ^ (1 << 72) | 1);
    sends_as(&bare, "gateway-one", beyond, db1).await;
    let (record, tuple, _) = log.next_drop();
    assert_eq!((record, tuple.source), (Record::Drop(Direction::Ingress), beyond.into()));
    let honest = inside(&bare.node("web1"), move || UdpSocket::bind((web1, 6000))).await.expect("a socket");
    honest.send_to(b"honest", (db1, 53)).expect("sent");
    let mut heard = [0; 6];
    let length = server.recv(&mut heard).expect("the honest one arrives");
    assert_eq!(&heard[..length], b"honest");
}

/// The kernel's own answer is for a few and then one a second.
#[sglab::test]
async fn each_of_many_who_ask_for_nobody_over_ipv6_is_told_so() {
    let mut lab = boot(&topology(CLOUD), Era::Vpc).await;
    change(&mut lab, &stop("db1")).await;
    let ports = 9000..9040;
    let inside = ports.clone().map(|port| by_ipv6(flow("web1", "db1", tcp(port))));
    let flows: Vec<Flow> = inside.chain(ports.map(|port| from_ipv6("world", "3fff::99", "db1", tcp(port)))).collect();
    for (flow, found) in flows.iter().zip(outcomes(&mut lab, &flows).await) {
        assert!(matches!(found, Outcome::Unreachable { .. }), "{flow}: {found:?}");
    }
}

#[sglab::test]
async fn each_of_many_datagrams_to_nobody_over_ipv6_is_answered_with_an_error() {
    const UNREACHABLE: (u8, u16) = (ICMPV6, 1);
    let mut bare = Bare::boot(initial_cloud(&topology(CLOUD), Era::Vpc).0).await;
    let nobody = own_ipv6(&bare, "db1");
    bare.apply(&stop("db1")).await;
    answers_to_many(&bare.node("web1"), nobody.into(), UNREACHABLE).await;
    answers_to_many(&bare.node("office"), nobody.into(), UNREACHABLE).await;
}

const MESSAGES: &str = "sglab: 1
era: vpc
vpcs: {main: {cidr: 10.0.0.0/16, ipv6: yes}}
hosts: {office: [203.0.113.10, '2001:db8:ffff::10']}
groups: {NONE: {ingress: [icmp all from anywhere]}, ALL: ['icmpv6 all from ::/0'], MUTE: {ingress: ['icmpv6 all from ::/0'], egress: []}}
instances: {none: {groups: NONE}, all: {groups: ALL}, mute: {groups: MUTE}}
scenario: [{step: as launched, expect: {open: ['none -> all:ping by ipv6 address', 'none -> all:icmp 200 by ipv6 address']}}]
";

/// One of the types for private use, which connection tracking knows nothing of.
#[sglab::test]
async fn a_message_that_has_no_state_is_judged_at_each_end_and_passes_the_gateway() {
    let mut lab = boot(&topology(MESSAGES), Era::Vpc).await;
    let message = Service::Icmp(IcmpMessage { kind: 200, code: 0 });
    let of = |from, to| by_ipv6(flow(from, to, message));
    let from_office = |to| from_ipv6("office", "2001:db8:ffff::10", to, message);
    let flows = [of("none", "all"), from_office("all"), of("all", "none"), from_office("none"), of("mute", "all")];
    let found = outcomes(&mut lab, &flows).await;
    assert!(found[..2].iter().all(is_open), "{found:?}");
    assert!(found[2..].iter().all(is_dropped), "{found:?}");
}

#[sglab::test]
async fn a_ping_is_answered_where_no_rule_lets_pings_in() {
    let mut lab = boot(&topology(MESSAGES), Era::Vpc).await;
    let ping = |from, to| by_ipv6(flow(from, to, Service::IcmpEcho));
    let found = outcomes(&mut lab, &[ping("none", "all"), ping("none", "mute"), ping("all", "none")]).await;
    assert!(is_open(&found[0]) && is_open(&found[1]) && is_dropped(&found[2]), "{found:?}");
}

#[sglab::test]
async fn closed_ports_refuse_over_ipv6() {
    let mut lab = boot(&topology(CLOUD), Era::Vpc).await;
    let found = probe(&mut lab, by_ipv6(flow("web1", "db1", tcp(9)))).await.outcome;
    assert!(matches!(found, Outcome::Refused { .. }), "{found:?}");
}

/// It took a moment longer in one boot of fifty, on a busy machine.
#[sglab::test]
async fn an_address_takes_what_comes_as_soon_as_the_lab_is_up() {
    let topology = topology(
        "sglab: 1\nera: vpc\nvpcs: {main: {cidr: 10.0.0.0/16, ipv6: yes}}\ninstances: {c: {}, d: {}}\n\
         scenario: [{step: s, expect: {open: ['c <-> d:ping by ipv6 address']}}]\n",
    );
    for _ in 0..25 {
        let mut lab = boot(&topology, Era::Vpc).await;
        let seen = probe(&mut lab, by_ipv6(flow("c", "d", Service::IcmpEcho))).await;
        assert!(is_open(&seen.outcome) && !seen.timed_out, "{seen:?}");
    }
}
