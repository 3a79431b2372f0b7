//! Remedies offered to open a flow, in the words of a step.

use super::remedies;
use super::way_tests::{FIREWALL, cloud, host, interface, to};
use crate::model::sample::{associate, stop};
use crate::model::*;

/// Each remedy: by which address, and the changes.
fn offered(cloud: &Cloud, (from, to, via): (Endpoint, Endpoint, Via), service: Service) -> Vec<String> {
    let flow = Flow { from, to, via, service };
    let remedy = |remedy: super::Remedy| {
        let via = remedy.via.map(|via| format!("{via:?}: ")).unwrap_or_default();
        let changes: Vec<String> = remedy.changes.iter().map(word).collect();
        format!("{via}{}", if changes.is_empty() { "nothing".to_owned() } else { changes.join(", ") })
    };
    remedies(cloud, &flow).into_iter().map(remedy).collect()
}

fn word(operation: &Operation) -> String {
    let rule = |permissions: &[Permission]| permissions[0].peers[0].1.clone();
    match operation {
        Operation::AuthorizeIngress(group, permissions) | Operation::AuthorizeEgress(group, permissions) => {
            format!("{group} {}", rule(permissions))
        }
        Operation::Start(name) => format!("start {name}"),
        Operation::SetSourceDestCheck(Target::Instance(name), SourceDestCheck::Off) => format!("check of {name} off"),
        Operation::SetSourceDestCheck(Target::Interface(id), SourceDestCheck::Off) => format!("check of {id} off"),
        Operation::AllocateAddress(name) => format!("allocate {name}"),
        Operation::AssociateAddress { elastic_ip, to: Target::Instance(name), .. } => format!("{elastic_ip} to {name}"),
        other => panic!("{other:?}"),
    }
}

fn tcp(port: u16) -> Service {
    Service::Tcp(Port(port))
}

const SHOP: &str = "
hosts: {world: 198.51.100.7}
vpcs: {main: {cidr: 10.0.0.0/16, ipv6: yes}}
groups: {WEB: [], ADMIN: [], DB: [tcp 1 from WEB], SHUT: {ingress: [], egress: []}}
instances:
  web1: {groups: [ADMIN, WEB], address: 10.0.0.11}
  web2: {groups: [ADMIN], address: 10.0.0.12}
  db1: {groups: [ADMIN, DB], address: 10.0.0.13}
  db2: {groups: [DB], address: 10.0.0.14}
  shut: {groups: [SHUT], address: 10.0.0.15}
";

fn by(from: &str, receiver: &str, via: Via) -> (Endpoint, Endpoint, Via) {
    (to(from), to(receiver), via)
}

#[test]
fn what_is_open_needs_nothing() {
    assert!(offered(&cloud(SHOP), by("web1", "db1", Via::Private), tcp(1)).is_empty());
}

/// Of each end the group with the fewest members: nobody else gains by it, or as few as can be.
#[test]
fn on_the_private_path_a_rule_for_the_smallest_group_of_the_sender_in_the_smallest_of_the_receiver() {
    let cloud = cloud(SHOP);
    let private = by("web1", "db1", Via::Private);
    for (service, expected) in [
        (tcp(9), "DB tcp 9 from WEB"),
        (Service::Udp(Port(9)), "DB udp 9 from WEB"),
        (Service::IcmpEcho, "DB icmp echo from WEB"),
        (Service::Icmp(IcmpMessage { kind: 13, code: 0 }), "DB icmp 13/0 from WEB"),
        (Service::Protocol(47), "DB protocol 47 from WEB"),
    ] {
        assert_eq!(offered(&cloud, private.clone(), service), [expected]);
    }
    assert_eq!(offered(&cloud, by("web1", "db1", Via::Ipv6), Service::IcmpEcho), ["DB icmpv6 echo from WEB"]);
}

#[test]
fn each_end_that_drops_it_gets_a_rule() {
    let cloud = cloud(SHOP);
    let both = offered(&cloud, by("shut", "db2", Via::Private), tcp(9));
    assert_eq!(both, ["SHUT tcp 9 to DB, DB tcp 9 from SHUT"]);
    let out = offered(&cloud, (to("shut"), host("198.51.100.7"), Via::Public), tcp(443));
    assert_eq!(out, ["SHUT tcp 443 to 198.51.100.7"]);
    let inside = offered(&cloud, (host("198.51.100.7"), to("web2"), Via::Public), tcp(443));
    assert_eq!(inside, ["ADMIN tcp 443 from 198.51.100.7"]);
}

#[test]
fn by_public_address_the_private_one_or_the_name_comes_first_and_then_a_rule_for_the_address() {
    let cloud = cloud(SHOP);
    let public = by("web1", "db1", Via::Public);
    let admitted = ["Private: nothing", "Dns: nothing", "DB tcp 1 from web1.public"];
    assert_eq!(offered(&cloud, public.clone(), tcp(1)), admitted);
    // By name it would take the same rule as by private address.
    assert_eq!(offered(&cloud, public, tcp(9)), ["Private: DB tcp 9 from WEB", "DB tcp 9 from web1.public"]);
    let name = by("web1", "db1", Via::Dns);
    assert_eq!(offered(&cloud, name, tcp(9)), ["Private: DB tcp 9 from WEB", "DB tcp 9 from WEB"]);
}

/// To its private address it sends nothing that leaves it, and its name is told to it as that.
#[test]
fn to_itself_there_is_no_other_address() {
    let mut cloud = cloud(SHOP);
    assert_eq!(offered(&cloud, by("web1", "web1", Via::Public), tcp(1)), ["WEB tcp 1 from web1.public"]);
    let eth1 = Interface { id: interface("web1", 1).into(), private: None, ..cloud.instances[0].interfaces[0].clone() };
    cloud.instances[0].interfaces.push(eth1);
    let from_eth1 = (Endpoint::Interface(interface("web1", 1)), to("web1"), Via::Public);
    let offered = offered(&cloud, from_eth1, tcp(1));
    assert!(offered.iter().all(|it| !it.starts_with("Private") && !it.starts_with("Dns")), "{offered:?}");
}

#[test]
fn without_a_private_path_the_public_one_is_offered() {
    let cloud = cloud(
        "
hosts: {world: 198.51.100.7}
vpcs: {one: {cidr: 10.1.0.0/16}, two: {cidr: 10.2.0.0/16}}
groups: {A: {vpc: one}, B: {vpc: two}}
instances: {a: {groups: A, vpc: one}, b: {groups: B, vpc: two}}
",
    );
    assert_eq!(offered(&cloud, by("a", "b", Via::Private), tcp(9)), ["Public: B tcp 9 from a.public"]);
    // Nobody is inside with a host.
    let from_outside = (host("198.51.100.7"), to("b"), Via::Dns);
    assert_eq!(offered(&cloud, from_outside, tcp(9)), ["B tcp 9 from 198.51.100.7"]);
}

#[test]
fn through_an_appliance_a_rule_for_the_address_since_no_group_is_known() {
    let way = by("web1", "db1", Via::Private);
    let mut cloud = cloud(FIREWALL);
    assert_eq!(offered(&cloud, way.clone(), tcp(1)), ["DB tcp 1 from 10.0.1.11"]);
    cloud.instances[&InstanceName::new("firewall")].interfaces[0].source_dest_check = SourceDestCheck::On;
    let both = ["check of firewall off, DB tcp 1 from 10.0.1.11"];
    assert_eq!(offered(&cloud, way.clone(), tcp(1)), both);
    cloud.instances[&InstanceName::new("firewall")].state = InstanceState::Stopped;
    assert_eq!(offered(&cloud, way.clone(), tcp(2)), ["start firewall, check of firewall off"]);
    // One that passes nothing on is not to be helped; the public path leads round it.
    let firewall = &mut cloud.instances[&InstanceName::new("firewall")];
    (firewall.state, firewall.forwarding) = (InstanceState::Running, Forwarding::None);
    firewall.interfaces[0].source_dest_check = SourceDestCheck::Off;
    assert_eq!(offered(&cloud, way, tcp(2)), ["Public: DB tcp 2 from web1.public"]);
}

#[test]
fn who_forges_a_source_has_to_be_allowed_to() {
    let mut cloud = cloud(SHOP);
    let forged = (Endpoint::Forged(interface("web2", 0), [10, 0, 0, 11].into()), to("db1"), Via::Private);
    assert_eq!(offered(&cloud, forged.clone(), tcp(1)), ["check of web2 off, DB tcp 1 from 10.0.0.11"]);
    let eth1 = Interface { id: interface("web2", 1).into(), private: None, ..cloud.instances[1].interfaces[0].clone() };
    cloud.instances[1].interfaces.push(eth1);
    assert_eq!(offered(&cloud, forged, tcp(1)), ["check of web2.eth0 off, DB tcp 1 from 10.0.0.11"]);
}

#[test]
fn who_has_no_public_address_gets_an_elastic_ip() {
    let mut cloud = cloud(SHOP);
    cloud.instances[0].interfaces[0].public = None;
    let out = (to("web1"), host("198.51.100.7"), Via::Public);
    assert_eq!(offered(&cloud, out.clone(), tcp(443)), ["allocate eip-web1, eip-web1 to web1"]);
    apply(&mut cloud, &Operation::AllocateAddress(ElasticIpName::new("eip-web1"))).unwrap();
    assert_eq!(offered(&cloud, out.clone(), tcp(443)), ["eip-web1 to web1"]);
    // Whoever has it would lose it, and nobody has asked for that.
    apply(&mut cloud, &associate("eip-web1", "web2")).unwrap();
    assert_eq!(offered(&cloud, out, tcp(443)), ["allocate eip-web1-2, eip-web1-2 to web1"]);
}

/// A private subnet behind a NAT instance in each of two VPCs.
const NATS: &str = "
hosts: {world: 198.51.100.7}
vpcs:
  one: {cidr: 10.1.0.0/16, subnets: {in1: {cidr: 10.1.1.0/24, routes: {0.0.0.0/0: nat1}}, out1: 10.1.2.0/24}}
  two: {cidr: 10.2.0.0/16, subnets: {in2: {cidr: 10.2.1.0/24, routes: {0.0.0.0/0: nat2}}, out2: 10.2.2.0/24}}
groups: {ONE: {vpc: one, ingress: [all from anywhere]}, TWO: {vpc: two, ingress: [all from anywhere]}}
instances:
  nat1: {groups: ONE, vpc: one, subnet: out1, source-dest-check: off, forwards: nat}
  nat2: {groups: TWO, vpc: two, subnet: out2, source-dest-check: off, forwards: nat}
  worker2: {groups: TWO, vpc: two, subnet: in2, public: no}
";

#[test]
fn behind_a_nat_instance_it_is_that_one_that_gets_an_elastic_ip() {
    let mut cloud = cloud(NATS);
    cloud.instances[&InstanceName::new("nat2")].interfaces[0].public = None;
    let out = (to("worker2"), host("198.51.100.7"), Via::Public);
    assert_eq!(offered(&cloud, out, tcp(443)), ["allocate eip-nat2, eip-nat2 to nat2"]);
}

#[test]
fn where_a_route_leads_to_what_is_stopped_that_is_started_and_nothing_of_another_vpc() {
    let mut cloud = cloud(NATS);
    apply(&mut cloud, &stop("nat1")).unwrap();
    apply(&mut cloud, &stop("nat2")).unwrap();
    let out = (to("worker2"), host("198.51.100.7"), Via::Public);
    assert_eq!(offered(&cloud, out, tcp(443)), ["start nat2"]);
}

#[test]
fn who_is_stopped_has_to_be_started() {
    let mut stopped = cloud(SHOP);
    apply(&mut stopped, &stop("db1")).unwrap();
    assert_eq!(offered(&stopped, by("web1", "db1", Via::Private), tcp(1)), ["start db1"]);
    assert_eq!(offered(&stopped, by("db1", "web1", Via::Private), tcp(1)), ["start db1, WEB tcp 1 from DB"]);
    apply(&mut stopped, &stop("web1")).unwrap();
    assert_eq!(offered(&stopped, by("web1", "db1", Via::Private), tcp(1)), ["start web1, start db1"]);
    let mut crashed = cloud(SHOP);
    crashed.instances[&InstanceName::new("db1")].state = InstanceState::Crashed;
    assert!(offered(&crashed, by("web1", "db1", Via::Private), tcp(1)).is_empty(), "its link is there, and judged");
    crashed.instances[&InstanceName::new("db1")].interfaces[0].private = None;
    assert_eq!(offered(&crashed, by("web1", "db1", Via::Private), tcp(1)), ["start db1"]);
}

/// Its private address is nobody's remedy: who asks a load balancer asks for its name.
#[test]
fn a_load_balancer_that_faces_the_internet_needs_a_rule_for_the_public_address_or_is_made_internal() {
    use crate::model::sample::{Sample, balancer};
    let sample = Sample::new(Era::Vpc).group("APP", &[]).group("ELB", &["tcp 80 from APP"]).instance("app", &["APP"]);
    let sample = sample.with(balancer(&["ELB"]));
    let lb = Endpoint::LoadBalancer(LoadBalancerName::new("lb"), Scheme::InternetFacing);
    for via in [Via::Public, Via::Dns] {
        let flow = (to("app"), lb.clone(), via);
        assert_eq!(offered(&sample.0, flow, tcp(80)), ["ELB tcp 80 from app.public", "Private: nothing"], "{via:?}");
    }
}
