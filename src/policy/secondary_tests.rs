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
    let of_b = Via::Secondary([10, 0, 0, 70].into());
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
    for address in [[10, 0, 0, 20], [10, 0, 0, 32], [10, 0, 0, 47]] {
        assert_eq!(open("b", None, "a", Via::Secondary(address.into())), [1], "{address:?}");
    }
}

#[test]
fn an_address_that_nobody_holds_or_whose_holder_is_stopped_leads_nowhere() {
    let mut cloud = cloud();
    let to = flow("b", None, "a", Via::Secondary([10, 0, 0, 20].into()), 1);
    assert!(judge(&cloud, &to).is_open());
    cloud.instances[&InstanceName::new("a")].state = crate::model::InstanceState::Stopped;
    let nobody = |verdict: Verdict| matches!(verdict, Verdict::Unreachable { by: Some(Hop::Router(_)) });
    assert!(nobody(judge(&cloud, &to)));
    assert!(nobody(judge(&cloud, &Flow { via: Via::Secondary([10, 0, 0, 48].into()), ..to })));
}

#[test]
fn nothing_leaves_the_vpc_with_a_secondary_address() {
    let cloud = cloud();
    let to_public = |source| judge(&cloud, &Flow { via: Via::Public, ..flow("a", source, "c", Via::Private, 1) });
    let untranslated = |verdict: &Verdict| format!("{verdict:?}").contains("Translation");
    assert!(!untranslated(&to_public(None)), "{:?}", to_public(None));
    assert!(untranslated(&to_public(Some("10.0.0.20"))), "{:?}", to_public(Some("10.0.0.20")));
}
