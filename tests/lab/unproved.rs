//! Flows of which packets show nothing: the prediction says so too.

use sglab::model::Era;
use sglab::scenario::results::Class;
use sglab::scenario::{self, Options, predict};

use crate::clouds::*;

const CLOUD: &str = "sglab: 1
era: vpc
hosts: {h: 198.51.100.9}
vpcs:
  one:
    cidr: 10.0.0.0/16
    ipv6: '2001:db8:1000::/56'
    subnets:
      pub: 10.0.0.0/24
      priv: {cidr: 10.0.1.0/24, routes: {0.0.0.0/0: nat}}
      boxed: {cidr: 10.0.2.0/24, routes: {0.0.0.0/0: box}}
      lost: {cidr: 10.0.3.0/24, routes: {0.0.0.0/0: down}}
groups: {g: {vpc: one, ingress: [all from anywhere, 'all from ::/0'], egress: [all to anywhere, 'all to ::/0']}}
instances:
  nat: {subnet: pub, groups: g, source-dest-check: off, forwards: nat}
  box: {subnet: pub, groups: g, source-dest-check: off, forwards: as-is}
  down: {subnet: pub, groups: g, source-dest-check: off, forwards: as-is}
  i: {subnet: priv, groups: g}
  j: {subnet: boxed, groups: g}
  k: {subnet: lost, groups: g}
  b: {subnet: pub, groups: g, address: 10.0.0.50, interfaces: {eth1: {subnet: pub, groups: g, address: 10.0.0.51}}}
  c: {subnet: pub, groups: g, source-dest-check: off}
  d: {subnet: pub, groups: g, source-dest-check: off, address: 10.0.0.60, interfaces: {eth1: {subnet: pub, groups: g, source-dest-check: off, address: 10.0.0.61}}}
load-balancers: {lb: {vpc: one, subnet: pub, groups: g, listeners: [tcp 22], targets: [b]}}
";

const SHOWN: &[&str] = &[
    "h -> i:ping",
    "h -> j:22",
    "h -> j:53/udp",
    "h -> k:protocol 47",
    "h -> k:icmp 13",
    "b -> j:22 by public address",
    "i -> j:22 by public address",
    "i -> h:22",
    "i -> h:protocol 47",
    "i -> b:protocol 132",
    "j -> h:protocol 132",
    "c as 10.0.9.9 -> b:53/udp",
    "c as 10.0.9.9 -> b:53/udp by dns name",
    "c as 10.0.0.60 -> b:53/udp",
    "c as 10.0.0.60 -> h:53/udp",
    "c as 10.0.0.60 -> b:53/udp by public address",
    "d.eth1 as 10.0.0.60 -> b:53/udp",
    "d as 10.0.0.61 -> b:53/udp",
];

const NOT_SHOWN: &[&str] = &[
    "h -> i:22",
    "h -> i:53/udp",
    "b -> i:22 by public address",
    "j -> i:22 by public address",
    "h -> k:22",
    "h -> k:53/udp",
    "h -> k:ping",
    "b -> k:22 by public address",
    "i -> h:protocol 132",
    "i -> h:protocol 136",
    "i -> b:protocol 132 by public address",
    "c as 10.0.0.50 -> b:53/udp",
    "c as 10.0.0.51 -> b:53/udp",
    "c as 10.0.0.50 -> b.eth1:53/udp",
    "c as 10.0.0.50 -> b:protocol 47",
    "d.eth1 as 10.0.9.9 -> b:53/udp",
    "d.eth1 as 2001:db8:9::9 -> b:53/udp",
];

/// Each class as it is predicted, and as it is measured.
#[sglab::test]
async fn what_no_packet_shows_is_predicted_as_not_proved() {
    let open = SHOWN.iter().chain(NOT_SHOWN).map(|flow| format!("'{flow}'")).collect::<Vec<_>>().join(", ");
    let topology =
        topology(&format!("{CLOUD}scenario: [{{step: s, do: [{{stop: down}}], expect: {{open: [{open}]}}}}]\n"));
    let options = Options::default();
    let predicted = predict::predict(&topology, Era::Vpc, &options, &mut |_| {}).unwrap_or_else(|e| panic!("{e}"));
    let measured = scenario::run(&topology, Era::Vpc, &options, &mut |_| {}).await;
    let measured = measured.unwrap_or_else(|e| panic!("{e}"));
    for (how, result) in [("predicted", predicted), ("measured", measured)] {
        let found = |flow: &str| {
            let check = result.steps[0].checks.iter().find(|check| check.said.words == format!("open: {flow}"));
            let check = check.unwrap_or_else(|| panic!("{how}: no check of {flow}"));
            (check.observed.clone(), check.reason.clone())
        };
        for (flows, class) in [(SHOWN, Class::Open), (NOT_SHOWN, Class::Inconclusive)] {
            for flow in flows {
                assert_eq!(found(flow).0, class.as_str(), "{how}: {flow}: {:?}", found(flow).1);
            }
        }
    }
}
