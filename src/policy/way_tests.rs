//! The way of a flow: each interface that it comes to, with the addresses that it has there. Hand-written, and each stage is
//! held to the words beside it.

use super::{Path, Stage, walk};
use crate::model::*;
use crate::topology::Topology;

pub(super) fn cloud(yaml: &str) -> Cloud {
    let file =
        format!("sglab: 1\nera: vpc\n{yaml}\nscenario: [{{step: nothing, expect: {{answered: [any -> dns]}}}}]\n");
    let topology = Topology::parse("way.yaml", file.as_bytes()).unwrap_or_else(|problems| panic!("{problems}"));
    topology.initial_cloud(Era::Vpc).unwrap()
}

pub(super) fn to(name: &str) -> Endpoint {
    Endpoint::Instance(InstanceName::new(name))
}

pub(super) fn host(address: &str) -> Endpoint {
    Endpoint::Host(HostName::new("world"), HostIp(address.parse().unwrap()))
}

pub(super) fn interface(name: &str, device: u8) -> Attachment {
    Attachment { instance: InstanceName::new(name), device }
}

/// The stages of a flow to a port in words, and what it came to.
#[track_caller]
fn check(cloud: &Cloud, (from, to, via): (Endpoint, Endpoint, Via), port: u16, expected: &[&str]) {
    let flow = Flow { from, to, via, service: Service::Tcp(Port(port)) };
    let walk = walk(cloud, &flow);
    let mut words: Vec<String> = walk.stages.iter().map(word).collect();
    words.push(match walk.verdict {
        Verdict::Open { .. } => "open".to_owned(),
        Verdict::Dropped { by, half: Half::Request } => match by {
            DecidedBy::GroupRules { at, interface, .. } => format!("dropped at {}'s {at}", interface.holder()),
            DecidedBy::SourceDestCheck { interface, check, .. } => {
                format!("fails the {check:?} check of {interface}").to_lowercase()
            }
            DecidedBy::Route { vpc } => format!("blackhole in {vpc}"),
            DecidedBy::Translation { vpc } => format!("untranslated in {vpc}"),
        },
        Verdict::Unreachable { by: Some(Hop::Internet) } => "unreachable, says the internet".to_owned(),
        other => format!("{other:?}").to_lowercase(),
    });
    assert_eq!(words, expected, "{flow}");
}

fn word(stage: &Stage) -> String {
    match stage {
        Stage::Resolved { receiver, address } => format!("{receiver} resolves to {address}"),
        Stage::Sent { from, source, destination } => format!("{from} sends {source} > {destination}"),
        Stage::RuleEvaluation(asked) => {
            let says = if asked.admits() { "admits" } else { "drops" };
            let direct = match asked.path {
                Path::Direct => "",
                Path::ThroughAnAppliance => " through an appliance",
                Path::Forged => " forged",
            };
            format!("{}'s {} {says} {}{direct}", asked.interface, asked.at, asked.other)
        }
        Stage::OwnAnswer { interface } => format!("{interface} answers itself"),
        Stage::NoEgressRules { interface } => format!("{interface} sends all"),
        Stage::Routed { to } => format!("routed to {to}"),
        Stage::PassedOn { by, source } => format!("{by} passes it on from {source}"),
        Stage::TranslatedSource { private, public, .. } => format!("{private} becomes {public}"),
        Stage::TranslatedDestination { public, private: Some(private), .. } => format!("{public} is {private}"),
        Stage::TranslatedDestination { public, private: None, .. } => format!("{public} is nobody's"),
    }
}

pub(super) const FIREWALL: &str = "
hosts: {world: 198.51.100.7}
vpcs:
  main:
    cidr: 10.0.0.0/16
    subnets:
      front: {cidr: 10.0.1.0/24, routes: {10.0.2.0/24: firewall, 198.51.100.0/24: firewall}}
      back: {cidr: 10.0.2.0/24, routes: {10.0.1.0/24: firewall}}
      middle: 10.0.3.0/24
groups: {WEB: [], DB: [tcp 1 from WEB, tcp 2 from 10.0.1.0/24], FIREWALL: [tcp all from 10.0.1.0/24]}
instances:
  web1: {groups: WEB, subnet: front, address: 10.0.1.11}
  db1: {groups: DB, subnet: back, address: 10.0.2.11}
  web2: {groups: WEB, subnet: middle, address: 10.0.3.12}
  firewall: {groups: FIREWALL, subnet: middle, address: 10.0.3.11, source-dest-check: off, forwards: as-is}
";

#[test]
fn through_an_appliance_each_interface_judges_and_no_group_is_known_behind_it() {
    let cloud = cloud(FIREWALL);
    let way = (to("web1"), to("db1"), Via::Private);
    let through = [
        "web1.eth0 sends 10.0.1.11 > 10.0.2.11",
        "web1.eth0's egress admits 10.0.2.11 through an appliance",
        "routed to firewall.eth0",
        "firewall.eth0's ingress admits 10.0.1.11",
        "firewall.eth0 passes it on from 10.0.1.11",
        "firewall.eth0 sends 10.0.1.11 > 10.0.2.11",
        "firewall.eth0's egress admits 10.0.2.11",
    ];
    let end = |last: &[&'static str]| [&through[..], last].concat();
    let judged = "db1.eth0's ingress drops 10.0.1.11 through an appliance";
    check(&cloud, way.clone(), 1, &end(&[judged, "dropped at db1's ingress"]));
    check(&cloud, way, 2, &end(&["db1.eth0's ingress admits 10.0.1.11 through an appliance", "open"]));
    let direct = [
        "web2.eth0 sends 10.0.3.12 > 10.0.2.11",
        "web2.eth0's egress admits 10.0.2.11",
        "db1.eth0's ingress admits 10.0.3.12",
        "open",
    ];
    check(&cloud, (to("web2"), to("db1"), Via::Private), 1, &direct);
}

/// Checks that an appliance does not pass on what is for itself, and that the members of its group are known there.
#[test]
fn a_route_to_an_appliance_is_no_way_through_it_for_what_is_its_own() {
    let mut cloud = cloud(FIREWALL);
    let routes = &mut cloud.vpcs[0].routes[&SubnetName::new("front")];
    routes.push(SubnetRoute { destination: "10.0.3.0/24".parse().unwrap(), target: interface("firewall", 0) });
    let own = [
        "web1.eth0 sends 10.0.1.11 > 10.0.3.11",
        "web1.eth0's egress admits 10.0.3.11",
        "firewall.eth0's ingress admits 10.0.1.11",
        "open",
    ];
    check(&cloud, (to("web1"), to("firewall"), Via::Private), 9, &own);
    let beside = ["web1.eth0 sends 10.0.1.11 > 10.0.3.12", "web1.eth0's egress admits 10.0.3.12 through an appliance"];
    let flow = Flow { from: to("web1"), to: to("web2"), via: Via::Private, service: Service::Tcp(Port(9)) };
    let words: Vec<String> = walk(&cloud, &flow).stages.iter().take(2).map(word).collect();
    assert_eq!(words, beside);
}

#[test]
fn an_appliance_whose_groups_or_check_say_no_passes_nothing_on() {
    let mut cloud = cloud(FIREWALL);
    let way = (to("web1"), to("db1"), Via::Private);
    let routed = [
        "web1.eth0 sends 10.0.1.11 > 10.0.2.11",
        "web1.eth0's egress admits 10.0.2.11 through an appliance",
        "routed to firewall.eth0",
    ];
    let end = |last: &[&'static str]| [&routed[..], last].concat();
    let rules = &mut cloud.groups[&GroupName::new("FIREWALL")].ingress;
    let kept = std::mem::take(rules);
    check(&cloud, way.clone(), 2, &end(&["firewall.eth0's ingress drops 10.0.1.11", "dropped at firewall's ingress"]));
    cloud.groups[&GroupName::new("FIREWALL")].ingress = kept;
    cloud.instances[&InstanceName::new("firewall")].forwarding = Forwarding::None;
    let keeps = ["firewall.eth0's ingress admits 10.0.1.11", "blackhole in main"];
    check(&cloud, way.clone(), 2, &end(&keeps));
    cloud.instances[&InstanceName::new("firewall")].interfaces[0].source_dest_check = SourceDestCheck::On;
    check(&cloud, way.clone(), 2, &end(&["fails the destination check of firewall.eth0"]));
    cloud.instances[&InstanceName::new("firewall")].state = InstanceState::Stopped;
    check(&cloud, way, 2, &[routed[0], routed[1], "blackhole in main"]);
}

#[test]
fn what_an_appliance_passes_on_as_it_is_leaves_the_vpc_with_its_first_senders_public_address() {
    let cloud = cloud(FIREWALL);
    let public = cloud.attached(&interface("web1", 0)).unwrap().public.unwrap();
    let expected = [
        "web1.eth0 sends 10.0.1.11 > 198.51.100.7".to_owned(),
        "web1.eth0's egress admits 198.51.100.7 through an appliance".to_owned(),
        "routed to firewall.eth0".to_owned(),
        "firewall.eth0's ingress admits 10.0.1.11".to_owned(),
        "firewall.eth0 passes it on from 10.0.1.11".to_owned(),
        "firewall.eth0 sends 10.0.1.11 > 198.51.100.7".to_owned(),
        "firewall.eth0's egress admits 198.51.100.7".to_owned(),
        format!("10.0.1.11 becomes {public}"),
        "open".to_owned(),
    ];
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    check(&cloud, (to("web1"), host("198.51.100.7"), Via::Public), 80, &expected);
}

#[test]
fn nat_writes_its_own_address_and_is_no_next_hop_of_itself() {
    let cloud = cloud(
        "
hosts: {world: 198.51.100.7}
vpcs:
  main:
    cidr: 10.0.0.0/16
    subnets: {private: {cidr: 10.0.2.0/24, routes: {198.51.100.0/24: nat, 192.0.2.0/24: nat}}}
elastic-ips: {eip: nat}
groups: {ALL: [tcp all from 10.0.0.0/16]}
instances:
  worker: {groups: ALL, address: 10.0.2.11, public: no}
  nat: {groups: ALL, address: 10.0.2.12, public: no, source-dest-check: off, forwards: nat}
",
    );
    let out = (to("worker"), host("198.51.100.7"), Via::Public);
    // Its route is that of its whole subnet, and leads back to itself.
    let expected = [
        "worker.eth0 sends 10.0.2.11 > 198.51.100.7",
        "worker.eth0's egress admits 198.51.100.7 through an appliance",
        "routed to nat.eth0",
        "nat.eth0's ingress admits 10.0.2.11",
        "nat.eth0 passes it on from 10.0.2.12",
        "nat.eth0 sends 10.0.2.12 > 198.51.100.7",
        "nat.eth0's egress admits 198.51.100.7 through an appliance",
        "blackhole in main",
    ];
    check(&cloud, out, 80, &expected);
    // Without the NAT there is no way out for who has no public address.
    let beyond = (to("worker"), host("203.0.113.1"), Via::Public);
    let untranslated = [
        "worker.eth0 sends 10.0.2.11 > 203.0.113.1",
        "worker.eth0's egress admits 203.0.113.1",
        "untranslated in main",
    ];
    check(&cloud, beyond, 80, &untranslated);
}

/// Linux translates flows; what begins none keeps its source, and the gateway has no public address for that.
#[test]
fn nat_translates_what_begins_a_flow_and_no_other_message() {
    let cloud = cloud(
        "
hosts: {world: 198.51.100.7}
vpcs:
  main:
    cidr: 10.0.0.0/16
    subnets: {private: {cidr: 10.0.2.0/24, routes: {0.0.0.0/0: nat}}, public: 10.0.1.0/24}
groups: {ALL: [all from 10.0.0.0/16]}
instances:
  worker: {groups: ALL, subnet: private, public: no}
  nat: {groups: ALL, subnet: public, source-dest-check: off, forwards: nat}
",
    );
    let verdict = |service| {
        super::judge(&cloud, &Flow { from: to("worker"), to: host("198.51.100.7"), via: Via::Public, service })
    };
    let message = |kind| Service::Icmp(IcmpMessage { kind, code: 0 });
    let flows = [8, 13, 15, 17].map(message).into_iter().chain([Service::IcmpEcho, Service::Protocol(47)]);
    for service in flows {
        assert!(verdict(service).is_open(), "{service}");
    }
    for kind in [0, 3, 5, 9, 10, 14, 16, 18] {
        let by = DecidedBy::Translation { vpc: VpcName::new("main") };
        assert_eq!(verdict(message(kind)), Verdict::Dropped { by, half: Half::Request }, "{kind}");
    }
}

#[test]
fn appliances_that_route_to_each_other_go_round_a_few_times_and_nobody_gets_it() {
    let cloud = cloud(
        "
hosts: {world: 198.51.100.7}
vpcs:
  main:
    cidr: 10.0.0.0/16
    subnets:
      a: {cidr: 10.0.1.0/24, routes: {198.51.100.0/24: two}}
      b: {cidr: 10.0.2.0/24, routes: {198.51.100.0/24: one}}
groups: {ALL: [tcp all from 10.0.0.0/16]}
instances:
  web: {groups: ALL, subnet: a}
  one: {groups: ALL, subnet: a, source-dest-check: off, forwards: as-is}
  two: {groups: ALL, subnet: b, source-dest-check: off, forwards: as-is}
",
    );
    let flow = Flow { from: to("web"), to: host("198.51.100.7"), via: Via::Public, service: Service::Tcp(Port(80)) };
    let walk = walk(&cloud, &flow);
    let passed = walk.stages.iter().filter_map(|stage| match stage {
        Stage::PassedOn { by, .. } => Some(by.to_string()),
        _ => None,
    });
    assert_eq!(passed.collect::<Vec<_>>(), ["two.eth0", "one.eth0"].repeat(4));
    let by = DecidedBy::Route { vpc: VpcName::new("main") };
    assert_eq!(walk.verdict, Verdict::Dropped { by, half: Half::Request });
}

const TWO_INTERFACES: &str = "
groups: {A: [], B: [], C: [tcp 1 from A, tcp 2 from B]}
vpcs: {main: {cidr: 10.0.0.0/16, subnets: {s: 10.0.1.0/24}}}
instances:
  a:
    groups: A
    address: 10.0.1.11
    interfaces: {eth1: {groups: B, address: 10.0.1.12}}
  b: {groups: B, address: 10.0.1.13}
  c: {groups: C, address: 10.0.1.14}
";

#[test]
fn over_ipv6_a_forged_source_is_checked_and_no_member_and_leaves_no_vpc_unless_an_interface_there_has_it() {
    let text = "
groups: {A: [], C: ['udp 53 from 2001:db8:9::9', udp 54 from A]}
vpcs: {main: {cidr: 10.0.0.0/16, ipv6: '2001:db8:1000::/56'}}
hosts: {office: '2001:db8:ffff::10'}
instances:
  a: {groups: A}
  c: {groups: C}
  nat: {groups: A, source-dest-check: off}
";
    let cloud = cloud(text);
    let own = cloud.attached(&interface("a", 0)).and_then(|it| it.ipv6).unwrap().0.to_string();
    let judged = |from: &str, source: &str, to: Endpoint, port: u16| {
        let from = Endpoint::Forged(interface(from, 0), source.parse().unwrap());
        walk(&cloud, &Flow { from, to, via: Via::Ipv6, service: Service::Udp(Port(port)) }).verdict
    };
    let office = || {
        let (name, host) = cloud.hosts.first().unwrap();
        Endpoint::Host(name.clone(), host.addresses[0])
    };
    let by = |verdict: Verdict| match verdict {
        Verdict::Open { .. } => "open",
        Verdict::Dropped { by: DecidedBy::GroupRules { .. }, .. } => "groups",
        Verdict::Dropped { by: DecidedBy::SourceDestCheck { .. }, .. } => "check",
        Verdict::Dropped { by: DecidedBy::Translation { .. }, .. } => "gateway",
        other => panic!("{other:?}"),
    };
    assert_eq!(by(judged("nat", "2001:db8:9::9", to("c"), 53)), "open");
    assert_eq!(by(judged("nat", "2001:db8:9::8", to("c"), 53)), "groups");
    assert_eq!(by(judged("nat", &own, to("c"), 54)), "groups", "as a member, and no member");
    assert_eq!(by(judged("a", "2001:db8:9::9", to("c"), 53)), "check");
    assert_eq!(by(judged("a", &own, to("c"), 54)), "open", "it is its own");
    assert_eq!(by(judged("nat", "2001:db8:9::9", office(), 53)), "gateway");
    assert_eq!(by(judged("nat", &own, office(), 53)), "open");
}

#[test]
fn the_address_of_another_interface_of_its_own_is_not_forged_and_leaves_by_that_interface() {
    let cloud = cloud(TWO_INTERFACES);
    let forged = |source: &str| {
        let source = source.parse().unwrap();
        (Endpoint::Forged(interface("a", 0), source), to("c"), Via::Private)
    };
    let by_the_other = [
        "a.eth1 sends 10.0.1.12 > 10.0.1.14",
        "a.eth1's egress admits 10.0.1.14",
        "c.eth0's ingress admits 10.0.1.12",
        "open",
    ];
    check(&cloud, forged("10.0.1.12"), 2, &by_the_other);
    check(&cloud, forged("10.0.1.13"), 2, &["a.eth0 sends 10.0.1.13 > 10.0.1.14", "fails the source check of a.eth0"]);
    check(&cloud, forged("10.0.1.99"), 2, &["a.eth0 sends 10.0.1.99 > 10.0.1.14", "fails the source check of a.eth0"]);
}

#[test]
fn a_flow_from_outside_is_translated_and_one_by_name_is_resolved_first() {
    let mut cloud = cloud(
        "
hosts: {world: 198.51.100.7}
groups: {WEB: [tcp 80 from 198.51.100.7/32]}
instances: {web: {groups: WEB}}
",
    );
    let web = interface("web", 0);
    let Interface { private: Some(private), public: Some(public), .. } = cloud.attached(&web).unwrap().clone() else {
        panic!("it has both addresses")
    };
    let resolved = format!("web.eth0 resolves to {public}");
    let translated = format!("{public} is {private}");
    let by = |via| (host("198.51.100.7"), to("web"), via);
    let admitted = "web.eth0's ingress admits 198.51.100.7";
    check(&cloud, by(Via::Public), 80, &[&translated, admitted, "open"]);
    check(&cloud, by(Via::Dns), 80, &[&resolved, &translated, admitted, "open"]);
    // Whoever asks by address asks at the one that it had; a name that nobody has any more is no address.
    cloud.last_public.insert(web.clone(), public);
    cloud.instances[&InstanceName::new("web")].interfaces[0].public = None;
    check(&cloud, by(Via::Public), 80, &["unreachable, says the internet"]);
    check(&cloud, by(Via::Dns), 80, &["unresolved"]);
}

#[test]
fn between_vpcs_both_gateways_translate() {
    let cloud = cloud(
        "
vpcs: {one: {cidr: 10.1.0.0/16}, two: {cidr: 10.2.0.0/16}}
groups: {A: {vpc: one}, B: {vpc: two, ingress: [tcp 1 from anywhere]}}
instances: {a: {groups: A, vpc: one}, b: {groups: B, vpc: two}}
",
    );
    let addresses = |name: &str| {
        let interface = cloud.attached(&interface(name, 0)).unwrap();
        (interface.private.unwrap(), interface.public.unwrap())
    };
    let ((a, public_a), (b, public_b)) = (addresses("a"), addresses("b"));
    let expected = [
        format!("a.eth0 sends {a} > {public_b}"),
        format!("a.eth0's egress admits {public_b}"),
        format!("{a} becomes {public_a}"),
        format!("{public_b} is {b}"),
        format!("b.eth0's ingress admits {public_a}"),
        "open".to_owned(),
    ];
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    check(&cloud, (to("a"), to("b"), Via::Public), 1, &expected);
}

#[test]
fn a_forged_source_is_checked_before_anybody_looks_for_the_destination() {
    let mut cloud = cloud("groups: {A: [udp 53 from anywhere]}\ninstances: {a: {groups: A}, b: {groups: A}}\n");
    apply(&mut cloud, &Operation::Stop(InstanceName::new("b"))).unwrap();
    let from = |source: &str| Endpoint::Forged(interface("a", 0), source.parse().unwrap());
    let judged = |from| {
        let to = Endpoint::Instance(InstanceName::new("b"));
        walk(&cloud, &Flow { from, to, via: Via::Private, service: Service::Udp(Port(53)) }).verdict
    };
    let forged = judged(from("203.0.113.10"));
    assert!(matches!(forged, Verdict::Dropped { by: DecidedBy::SourceDestCheck { .. }, .. }), "{forged:?}");
    let own = judged(from("10.0.0.11"));
    assert!(matches!(own, Verdict::Unreachable { .. }), "{own:?}");
}
