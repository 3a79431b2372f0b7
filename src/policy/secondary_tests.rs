use std::net::IpAddr;

use super::judge;
use crate::model::{Attachment, Cloud, Endpoint, Era, Flow, Hop, InstanceName, Port, Service, Verdict, Via};
use crate::topology::Topology;

const CLOUD: &str = "
sglab: 1
era: vpc
groups: {G: [tcp 1 from G, tcp 2 from 10.0.0.20, tcp 3 from 10.0.0.50, tcp 4 from 10.0.0.32/28], H: [tcp 1 from G]}
instances:
  a: {groups: G, address: 10.0.0.50, secondary-addresses: [10.0.0.20, 10.0.0.32/28]}
  b: {groups: G, address: 10.0.0.60, secondary-addresses: 10.0.0.70}
  c: {groups: H, address: 10.0.0.80}
";

fn cloud() -> Cloud {
    let topology = Topology::parse_cloud("t.yaml", CLOUD.as_bytes()).unwrap_or_else(|problems| panic!("{problems}"));
    topology.initial_cloud(Era::Vpc).unwrap()
}

fn flow(from: &str, source: Option<&str>, to: &str, via: Via, port: u16) -> Flow {
    let (from, to) = (InstanceName::new(from), InstanceName::new(to));
    let from = match source.map(|source| source.parse::<IpAddr>().unwrap()) {
        Some(source) => Endpoint::Forged(Attachment::first_of(&from), source),
        None => Endpoint::Instance(from),
    };
    Flow { from, to: Endpoint::Instance(to), via, service: Service::Tcp(Port(port)) }
}

/// The ports of 1 to 4 that are open.
fn open(from: &str, source: Option<&str>, to: &str, via: Via) -> Vec<u16> {
    let cloud = cloud();
    (1..=4).filter(|port| judge(&cloud, &flow(from, source, to, via, *port)).is_open()).collect()
}

#[test]
fn a_group_means_each_address_of_its_members_and_a_block_only_what_is_in_it() {
    let of_b = Via::Secondary("10.0.0.70".parse().unwrap());
    for via in [Via::Private, of_b] {
        assert_eq!(open("a", None, "b", via), [1, 3], "{via}");
        assert_eq!(open("a", Some("10.0.0.20"), "b", via), [1, 2], "{via}");
        assert_eq!(open("a", Some("10.0.0.47"), "b", via), [1, 4], "{via}");
        assert_eq!(
            open("a", Some("10.0.0.48"), "b", via),
            [0_u16; 0],
            "of nobody, so the check of its source drops it: {via}"
        );
        assert_eq!(open("c", None, "b", via), [0_u16; 0], "{via}");
    }
    for address in ["10.0.0.20", "10.0.0.32", "10.0.0.47"] {
        assert_eq!(open("b", None, "a", further(address)), [1], "{address}");
    }
}

#[test]
fn an_address_that_nobody_holds_or_whose_holder_is_stopped_leads_nowhere() {
    let mut cloud = cloud();
    let to = flow("b", None, "a", further("10.0.0.20"), 1);
    assert!(judge(&cloud, &to).is_open());
    cloud.instances[&InstanceName::new("a")].state = crate::model::InstanceState::Stopped;
    let nobody = |verdict: Verdict| matches!(verdict, Verdict::Unreachable { by: Some(Hop::Router(_)) });
    assert!(nobody(judge(&cloud, &to)));
    assert!(nobody(judge(&cloud, &Flow { via: further("10.0.0.48"), ..to })));
}

#[test]
fn nothing_leaves_the_vpc_with_a_secondary_address() {
    let cloud = cloud();
    let to_public = |source| judge(&cloud, &Flow { via: Via::Public, ..flow("a", source, "c", Via::Private, 1) });
    let untranslated = |verdict: &Verdict| format!("{verdict:?}").contains("Translation");
    assert!(!untranslated(&to_public(None)), "{:?}", to_public(None));
    assert!(untranslated(&to_public(Some("10.0.0.20"))), "{:?}", to_public(Some("10.0.0.20")));
}

const BY_IPV6: &str = "
sglab: 1
era: vpc
vpcs: {main: {cidr: 10.0.0.0/16, ipv6: yes, subnets: {one: 10.0.1.0/24, bare: {cidr: 10.0.2.0/24, ipv6: no}}}, far: {cidr: 10.0.0.0/16, ipv6: yes}}
hosts: {office: '2001:db8:ffff::5'}
groups:
  G: {vpc: main, ingress: [tcp 1 from G, 'tcp 2 from 2001:db8:1000::a5', 'tcp 3 from 2001:db8:1000::11', 'tcp 4 from 2001:db8:1000:0:1::/80', 'tcp 5 from ::/0']}
  F: {vpc: far, ingress: ['tcp 4 from 2001:db8:1000:0:1::/80']}
instances:
  a: {vpc: main, groups: G, secondary-addresses: ['2001:db8:1000::a5', '2001:db8:1000:0:1::/80']}
  b: {vpc: main, groups: G, secondary-addresses: '2001:db8:1000::b5'}
  none: {vpc: main, groups: G, ipv6: no}
  bare: {vpc: main, groups: G, subnet: bare}
  f: {vpc: far, groups: F}
";

fn dual() -> Cloud {
    let topology = Topology::parse_cloud("t.yaml", BY_IPV6.as_bytes()).unwrap_or_else(|problems| panic!("{problems}"));
    topology.initial_cloud(Era::Vpc).unwrap()
}

fn further(address: &str) -> Via {
    Via::Secondary(address.parse().unwrap())
}

fn open_by_ipv6(from: &str, source: Option<&str>, to: &str, via: Via) -> Vec<u16> {
    let cloud = dual();
    (1..=5).filter(|port| judge(&cloud, &flow(from, source, to, via, *port)).is_open()).collect()
}

#[test]
fn a_group_means_each_ipv6_address_of_its_members_and_each_of_a_prefix() {
    for via in [Via::Ipv6, further("2001:db8:1000::b5")] {
        assert_eq!(open_by_ipv6("a", None, "b", via), [1, 3, 5], "{via}");
        assert_eq!(open_by_ipv6("a", Some("2001:db8:1000::a5"), "b", via), [1, 2, 5], "{via}");
        for one in ["2001:db8:1000:0:1::", "2001:db8:1000:0:1:ffff:ffff:ffff"] {
            assert_eq!(open_by_ipv6("a", Some(one), "b", via), [1, 4, 5], "{via}");
        }
        assert_eq!(open_by_ipv6("a", Some("2001:db8:1000:0:2::"), "b", via), [0_u16; 0], "of nobody: {via}");
    }
    for address in ["2001:db8:1000::a5", "2001:db8:1000:0:1::7"] {
        assert_eq!(open_by_ipv6("b", None, "a", further(address)), [1, 5], "{address}");
    }
    // They are global, so they lead into another VPC as well.
    assert_eq!(open_by_ipv6("a", Some("2001:db8:1000:0:1::7"), "f", Via::Ipv6), [4]);
}

#[test]
fn who_has_no_ipv6_address_neither_asks_nor_is_asked_by_one() {
    let cloud = dual();
    for name in ["none", "bare"] {
        assert_eq!(cloud.instances[&InstanceName::new(name)].interfaces[0].ipv6, None, "{name}");
        for (from, to) in [(name, "b"), ("b", name)] {
            let verdict = judge(&cloud, &flow(from, None, to, Via::Ipv6, 1));
            assert_eq!(verdict, Verdict::Unreachable { by: None }, "{from} -> {to}");
            assert!(judge(&cloud, &flow(from, None, to, Via::Private, 1)).is_open(), "{from} -> {to}");
        }
    }
    assert!(!judge(&cloud, &flow("b", None, "a", further("2001:db8:1000:0:2::7"), 1)).is_open());
}

#[test]
fn a_further_ipv6_address_leads_in_from_outside_and_out() {
    let cloud = dual();
    let office = Endpoint::Host(
        crate::model::HostName::new("office"),
        crate::model::HostIp("2001:db8:ffff::5".parse().unwrap()),
    );
    for via in [Via::Ipv6, further("2001:db8:1000::a5"), further("2001:db8:1000:0:1::7")] {
        let to = Flow { from: office.clone(), ..flow("b", None, "a", via, 5) };
        assert!(judge(&cloud, &to).is_open(), "{via}");
    }
    let nobodys = Flow { from: office.clone(), ..flow("b", None, "a", further("2001:db8:1000:0:2::7"), 5) };
    assert!(!judge(&cloud, &nobodys).is_open());
    for source in ["2001:db8:1000::a5", "2001:db8:1000:0:1::7"] {
        let out = Flow { to: office.clone(), ..flow("a", Some(source), "b", Via::Ipv6, 443) };
        assert!(judge(&cloud, &out).is_open(), "{source}");
    }
}
