//! Standing of connections, beside the stories in `tracking`: by each kind of path, and what each part of it remembers.

use super::judge;
use super::tracking::{Connection, ConnectionState};
use super::way_tests::{FIREWALL, cloud, host, interface, to};
use crate::model::Verdict;
use crate::model::*;
use crate::topology::sample::after;

fn opened(cloud: &Cloud, (from, to, via): (Endpoint, Endpoint, Via), service: Service) -> Option<Connection> {
    Connection::open(cloud, &Flow { from, to, via, service })
}

fn tcp(port: u16) -> Service {
    Service::Tcp(Port(port))
}

fn cut(at: Direction, instance: &str) -> ConnectionState {
    ConnectionState::Cut { at: vec![(at, InterfaceId::first_of(&InstanceName::new(instance)))] }
}

/// Everybody may send everything, so that what is for everybody is tracked by nobody.
const TWO: &str = "
hosts: {world: [198.51.100.7, '2001:db8:ffff::10']}
vpcs: {main: {cidr: 10.0.0.0/16, ipv6: yes}}
elastic-ips: [eip]
groups:
  WEB: [all from anywhere]
  DB: [tcp 1 from anywhere, 'tcp 2 from ::/0', tcp 3 from WEB, icmp all from anywhere]
instances: {web: {groups: WEB, address: 10.0.0.11}, db: {groups: DB, address: 10.0.0.12}}
";

#[test]
fn only_what_is_open_and_can_be_held_comes_about() {
    let cloud = cloud(TWO);
    let by = |from: &str, receiver: &str| (to(from), to(receiver), Via::Private);
    assert!(opened(&cloud, by("web", "db"), tcp(1)).is_some());
    assert!(opened(&cloud, by("web", "db"), tcp(9)).is_none(), "it is dropped");
    let message = Service::Icmp(IcmpMessage { kind: 13, code: 0 });
    assert!(opened(&cloud, by("web", "db"), message).is_none(), "nobody holds a message");
    assert!(opened(&cloud, by("web", "db"), Service::IcmpEcho).is_some());
}

#[test]
fn by_each_path_the_receiver_cuts_what_it_does_not_track() {
    let cloud = cloud(TWO);
    let world = |address: &str| host(address);
    for (from, via, port) in [
        (to("web"), Via::Private, 1),
        (to("web"), Via::Public, 1),
        (to("web"), Via::Dns, 1),
        (to("web"), Via::Ipv6, 2),
        (world("198.51.100.7"), Via::Public, 1),
        (world("2001:db8:ffff::10"), Via::Ipv6, 2),
    ] {
        let connection = opened(&cloud, (from, to("db"), via), tcp(port)).expect("it is open");
        assert_eq!(connection.standing(&cloud), ConnectionState::Alive, "{via:?}");
        let without = after(&cloud, "revoke: {DB: [tcp 1 from anywhere, 'tcp 2 from ::/0']}");
        assert_eq!(connection.standing(&without), cut(Direction::Ingress, "db"), "{via:?}");
    }
}

#[test]
fn to_a_host_the_senders_own_groups_are_all() {
    let cloud = cloud(TWO);
    for (address, via, rule) in
        [("198.51.100.7", Via::Public, "all to anywhere"), ("2001:db8:ffff::10", Via::Ipv6, "all to ::/0")]
    {
        // Nothing comes in to it from all over IPv6, so that it tracks what it sends there.
        let tracked = via == Via::Ipv6;
        let connection = opened(&cloud, (to("web"), host(address), via), tcp(443)).expect("it is open");
        let without = after(&cloud, &format!("revoke-egress: {{WEB: ['{rule}']}}"));
        let expected = if tracked { ConnectionState::Alive } else { cut(Direction::Egress, "web") };
        assert_eq!(connection.standing(&without), expected, "{address}");
    }
}

#[test]
fn by_its_name_inside_the_vpc_the_private_address_is_what_it_goes_by() {
    let cloud = cloud(TWO);
    let moved = after(&cloud, "associate-address: {eip: db}");
    let by_name = opened(&cloud, (to("web"), to("db"), Via::Dns), tcp(3)).expect("it is open");
    assert_eq!(by_name.standing(&moved), ConnectionState::Alive);
    let from_outside = opened(&cloud, (host("198.51.100.7"), to("db"), Via::Dns), tcp(1)).expect("it is open");
    assert_eq!(from_outside.standing(&moved), ConnectionState::Forgotten);
}

#[test]
fn what_was_idle_for_too_long_is_forgotten() {
    let cloud = cloud(TWO);
    let mut connection = opened(&cloud, (to("web"), to("db"), Via::Private), tcp(3)).expect("it is open");
    assert_eq!(connection.standing(&cloud), ConnectionState::Alive);
    connection.forget();
    assert_eq!(connection.standing(&cloud), ConnectionState::Forgotten);
}

#[test]
fn another_of_the_same_name_or_with_the_same_address_inherits_nothing() {
    let cloud = cloud(TWO);
    let connection = opened(&cloud, (to("web"), to("db"), Via::Private), tcp(3)).expect("it is open");
    let again = after(&cloud, "[{terminate: db}, {launch: {db: {groups: DB, address: 10.0.0.12}}}]");
    assert_eq!(connection.standing(&again), ConnectionState::Forgotten);
    for part in ["private", "IPv6"] {
        let mut moved = cloud.clone();
        let own = &mut moved.instances[&InstanceName::new("db")].interfaces[0];
        match part {
            "private" => own.private = Some(PrivateIp([10, 0, 0, 99].into())),
            _ => own.ipv6 = None,
        }
        assert_eq!(connection.standing(&moved), ConnectionState::Forgotten, "{part}");
    }
}

#[test]
fn through_an_appliance_its_check_and_each_of_its_ends_count() {
    let cloud = cloud(FIREWALL);
    let connection = opened(&cloud, (to("web1"), to("db1"), Via::Private), tcp(2)).expect("it is open");
    assert_eq!(connection.standing(&cloud), ConnectionState::Alive);
    let checking = after(&cloud, "source-dest-check: {firewall: on}");
    let interface = InterfaceId::first_of(&InstanceName::new("firewall"));
    assert_eq!(connection.standing(&checking), ConnectionState::FailsCheck { interface, vpc: VpcName::new("main") });
    let stopped = after(&cloud, "stop: firewall");
    assert_eq!(connection.standing(&stopped), ConnectionState::Forgotten);
}

/// "The most specific route that matches" ("Route tables", VPC).
#[test]
fn the_longest_prefix_wins_in_whatever_order_the_routes_are() {
    let mut cloud = cloud(
        "
hosts: {world: 198.51.100.7}
vpcs:
  main:
    cidr: 10.0.0.0/16
    subnets: {private: {cidr: 10.0.1.0/24, routes: {0.0.0.0/0: wide, 198.51.100.0/24: narrow}}, public: 10.0.2.0/24}
groups: {ALL: [all from 10.0.0.0/16], NARROW: []}
instances:
  a: {groups: ALL, subnet: private, public: no}
  wide: {groups: ALL, subnet: public, source-dest-check: off, forwards: nat}
  narrow: {groups: NARROW, subnet: public, source-dest-check: off, forwards: nat}
",
    );
    let to_the_world = Flow { from: to("a"), to: host("198.51.100.7"), via: Via::Public, service: tcp(443) };
    let at_the_narrow = |cloud: &Cloud| {
        let verdict = judge(cloud, &to_the_world);
        matches!(&verdict, Verdict::Dropped { by, .. } if by.interface() == Some(&interface("narrow", 0).into()))
    };
    assert!(at_the_narrow(&cloud));
    let routes = &mut cloud.vpcs[0].routes[&SubnetName::new("private")];
    routes.reverse();
    assert!(at_the_narrow(&cloud));
    // Of two alike the first is there already.
    let routes = &mut cloud.vpcs[0].routes[&SubnetName::new("private")];
    routes.push(SubnetRoute { target: interface("wide", 0), ..routes[0].clone() });
    assert!(at_the_narrow(&cloud));
}

#[test]
fn a_group_means_the_ipv6_addresses_of_its_members_unless_it_is_taken_to_the_letter() {
    let mut cloud = cloud(TWO);
    let by_ipv6 = |from: &str, port: u16| Flow { from: to(from), to: to("db"), via: Via::Ipv6, service: tcp(port) };
    let is_open = |cloud: &Cloud, flow: &Flow| judge(cloud, flow).is_open();
    assert!(is_open(&cloud, &by_ipv6("web", 3)));
    let other = after(&cloud, "launch: {other: {groups: DB}}");
    assert!(!is_open(&other, &by_ipv6("other", 3)), "it is no member");
    cloud.knobs.group_reference_ipv6 = GroupReferenceIpv6::MatchesNobody;
    assert!(!is_open(&cloud, &by_ipv6("web", 3)));
    assert!(is_open(&cloud, &Flow { via: Via::Private, ..by_ipv6("web", 3) }));
}
