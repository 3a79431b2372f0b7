use super::*;
use crate::model::{Era, InstanceName};
use crate::scenario::predict;
use crate::topology::Topology;

fn frame(hops: u8, (source, port): (u8, u16), syn: u8) -> Vec<u8> {
    let mut bytes = vec![0; 12];
    bytes.extend([8, 0]);
    bytes.extend([0x45, 0, 0, 40, 0, 0, 0, 0, hops, TCP, 0, 0, 10, 0, 0, source, 203, 0, 113, 10]);
    bytes.extend([0x9c, 0x40]);
    bytes.extend(port.to_be_bytes());
    bytes.extend([1, 2, 3, 4, 0, 0, 0, 0, 0x50, syn, 0, 0, 0, 0, 0, 0]);
    bytes
}

#[test]
fn a_packet_is_known_again_behind_a_translation_and_an_answer_is_not_it() {
    let (sent, seen) = (frame(64, (1, 443), 2), frame(63, (9, 443), 2));
    let (sent, seen) = (Packet::of(&sent).expect("it is IPv4"), Packet::of(&seen).expect("it is IPv4"));
    assert_eq!((sent.mark(), sent.hops, seen.hops), (seen.mark(), 64, 63));
    for other in [frame(63, (1, 80), 2), frame(63, (1, 443), 0x10), frame(63, (1, 443), 0x12)] {
        assert_ne!(Packet::of(&other).and_then(|it| it.mark()), sent.mark());
    }
    for short in 0..54 {
        assert!(Packet::of(&frame(64, (1, 443), 2)[..short]).is_none(), "{short} bytes");
    }
}

#[test]
fn what_comes_in_and_goes_out_with_one_hop_less_was_passed_on() {
    assert_eq!(passed_on(&[64, 63]), [64]);
    // Through it, to an appliance, and through it again.
    assert_eq!(passed_on(&[64, 63, 62, 61]), [64, 62]);
    // Sent again; dropped; and not passed on as a station does.
    assert_eq!(passed_on(&[64, 63, 64, 63]), [64, 64]);
    assert_eq!(passed_on(&[64]), [0; 0]);
    assert_eq!(passed_on(&[64, 64, 62]), [0; 0]);
}

const SHOP: &str = "sglab: 1
era: vpc
vpcs:
  main: {cidr: 10.0.0.0/16, ipv6: yes, subnets: {public: 10.0.1.0/24, private: {cidr: 10.0.2.0/24, routes: {0.0.0.0/0: nat}}}}
  other: {cidr: 10.1.0.0/16, ipv6: yes}
hosts: {office: [203.0.113.10, '2001:db8:ffff::10']}
groups:
  WEB: {vpc: main, ingress: [tcp 80 from anywhere, 'tcp 80 from ::/0', all from WEB]}
  FAR: {vpc: other, ingress: [tcp 80 from anywhere, 'tcp 80 from ::/0']}
instances:
  nat: {groups: WEB, vpc: main, subnet: public, source-dest-check: off, forwards: nat}
  web1: {groups: WEB, vpc: main, subnet: public}
  worker: {groups: WEB, vpc: main, subnet: private, public: no}
  far: {groups: FAR, vpc: other}
scenario:
  - step: as launched
    expect:
      hops: {FLOW: STATIONS}
";

fn predicted(flow: &str, stations: &str) -> Check {
    let text = SHOP.replace("FLOW", flow).replace("STATIONS", stations);
    let topology = Topology::parse("shop.yaml", text.as_bytes()).unwrap_or_else(|problems| panic!("{problems}"));
    let result = predict::predict(&topology, Era::Vpc, &Default::default(), &mut |_| {});
    let result = result.unwrap_or_else(|error| panic!("{error}"));
    let checks: Vec<&Check> = result.steps[0].section(SECTION).collect();
    // Of a host that has addresses of both families each is a flow.
    checks.iter().find(|it| !it.is_passed()).or(checks.first()).map(|it| (*it).clone()).expect("a check")
}

#[test]
fn the_model_says_by_which_stations_a_flow_goes() {
    for (flow, stations) in [
        ("web1 -> nat:80", "[]"),
        ("web1 -> office:443", "[gateway, internet]"),
        ("office -> web1:80", "[internet, gateway]"),
        ("web1 -> nat:80 by public address", "gateway"),
        ("web1 -> far:80 by public address", "[gateway, internet, gateway]"),
        ("worker -> office:443 by public address", "[nat, gateway, internet]"),
        ("worker -> far:80 by public address", "[nat, gateway, internet, gateway]"),
        ("worker -> web1:80", "[]"),
        ("web1 -> far:80 by ipv6 address", "[gateway, internet, gateway]"),
        ("web1 -> nat:80 by ipv6 address", "[]"),
    ] {
        let check = predicted(flow, stations);
        assert!(check.is_passed(), "{flow}: {check}");
    }
    let wrong = predicted("web1 -> office:443", "[internet, gateway]");
    assert!(wrong.is_failed(), "{wrong}");
    assert!(wrong.observed.ends_with("passes gateway, internet"), "{wrong}");
    let dropped = predicted("office -> web1:22", "[internet, gateway]");
    assert!(dropped.is_failed() && dropped.observed.starts_with("dropped"), "{dropped}");
}

#[test]
fn without_packets_and_without_a_prediction_nothing_is_proved() {
    let flow = SHOP.replace("FLOW", "web1 -> office:443").replace("STATIONS", "[gateway]");
    let topology = Topology::parse("shop.yaml", flow.as_bytes()).unwrap_or_else(|problems| panic!("{problems}"));
    let cloud = topology.initial_cloud(Era::Vpc).expect("it is launched");
    let expected = super::super::Expected::of(&topology.steps[0]);
    let flow = cells::select(&expected.examined.hops[0].flow, None, &cloud).expect("a flow").remove(0);
    let why = Outcome::Inconclusive { why: crate::probe::MissingEvidence::Canaries };
    let seen = found(&flow, &why, &cloud, || Ok(vec![Station::Instance(InstanceName::new("nat"))]));
    assert!(matches!(seen, Found::Unproved(_)), "{seen:?}");
    let captured = Captured { observation: crate::probe::Observation::of(flow.clone(), why), boxes: Vec::new() };
    assert!(stations(&cloud, &flow, &captured).is_err(), "nobody has seen anything");
    for found in [seen, nothing()] {
        assert!(check(expected.examined.hops[0], &flow, found).is_inconclusive());
    }
}
