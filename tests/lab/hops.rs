//! The stations of flows as real packets pass them, and as the model has them.

use std::time::Duration;

use sglab::model::Era;
use sglab::scenario::{self, Check, Options, RunResult, RunVerdict, predict};
use sglab::topology::Topology;

use crate::clouds::*;

const CLOUD: &str = "sglab: 1
era: vpc
vpcs:
  main: {cidr: 10.0.0.0/16, ipv6: yes, subnets: {public: 10.0.1.0/24, private: {cidr: 10.0.2.0/24, routes: {0.0.0.0/0: nat}}}}
  other: {cidr: 10.1.0.0/16, ipv6: yes}
hosts: {office: [203.0.113.10, '2001:db8:ffff::10']}
groups:
  WEB: {vpc: main, ingress: [tcp 80 from anywhere, 'tcp 80 from ::/0', udp 53 from anywhere, 'udp 53 from ::/0', icmp echo from anywhere, 'icmpv6 echo from ::/0', all from WEB]}
  FAR: {vpc: other, ingress: [tcp 80 from anywhere, 'tcp 80 from ::/0', protocol 47 from anywhere]}
instances:
  nat: {groups: WEB, vpc: main, subnet: public, source-dest-check: off, forwards: nat}
  web1: {groups: WEB, vpc: main, subnet: public}
  worker: {groups: WEB, vpc: main, subnet: private, public: no}
  far: {groups: FAR, vpc: other}
scenario:
";

async fn run(steps: &str) -> (Topology, RunResult) {
    let topology = topology(&format!("{CLOUD}{steps}"));
    let result = scenario::run(&topology, Era::Vpc, &Options::default(), &mut |_| {}).await;
    (topology, result.unwrap_or_else(|error| panic!("{error}")))
}

fn hops(result: &RunResult) -> Vec<&Check> {
    result
        .steps
        .iter()
        .flat_map(|step| &step.checks)
        .filter(|check| check.section().is_some_and(|it| it.key == "hops"))
        .collect()
}

#[sglab::test]
async fn real_packets_pass_the_stations_that_the_model_has_for_them() {
    let (topology, result) = run("
  - step: as launched
    expect:
      hops:
        web1 -> nat:80: []
        worker -> web1:80: []
        web1 -> nat:80 by ipv6 address: []
        web1 -> nat:80 by public address: gateway
        web1 -> nat:ping by public address: gateway
        web1 -> office:443: [gateway, internet]
        office -> web1:80: [internet, gateway]
        office -> web1:53/udp: [internet, gateway]
        office -> web1:ping: [internet, gateway]
        web1 -> far:80 by public address: [gateway, internet, gateway]
        web1 -> far:80 by ipv6 address: [gateway, internet, gateway]
        worker -> office:443 by public address: [nat, gateway, internet]
        worker -> office:53/udp by public address: [nat, gateway, internet]
        worker -> office:ping by public address: [nat, gateway, internet]
        worker -> far:80 by public address: [nat, gateway, internet, gateway]
        worker -> web1:80 by public address: [nat, gateway]
  - step: nobody listens, and it passes them all the same
    do: {authorize: {FAR: [tcp 81 from anywhere]}}
    expect:
      refused: [web1 -> far:81 by public address]
      hops: {web1 -> far:81 by public address: [gateway, internet, gateway]}
")
    .await;
    let found = hops(&result);
    assert!(found.len() >= 17, "{}", found.len());
    for check in &found {
        assert!(check.is_passed(), "{check}");
    }
    assert_eq!(result.verdict, RunVerdict::Passed, "{result:#?}");
    let predicted = predict::predict(&topology, Era::Vpc, &Options::default(), &mut |_| {}).expect("it is launched");
    let said = |result| hops(result).iter().map(|check| check.to_string()).collect::<Vec<_>>();
    assert_eq!(said(&predicted), said(&result));
}

#[sglab::test]
async fn a_wrong_station_goes_red_and_so_does_what_does_not_arrive() {
    let (_, result) = run("
  - step: wrong
    expect:
      hops:
        web1 -> office:443: [internet, gateway]
        web1 -> nat:80: gateway
        web1 -> nat:80 by public address: []
        worker -> office:443 by public address: [gateway, internet]
        office -> web1:22: [internet, gateway]
  - step: nobody is there
    do: {stop: web1}
    expect: {hops: {office -> web1:80: [internet, gateway], worker -> web1:80: nat}}
")
    .await;
    for check in hops(&result) {
        assert!(check.is_failed(), "{check}");
    }
    let said: Vec<String> = hops(&result).iter().map(|check| check.to_string()).collect();
    assert!(said.iter().any(|it| it.ends_with("observed passes nat, gateway, internet")), "{said:#?}");
    assert!(said.iter().any(|it| it.contains("observed dropped")), "{said:#?}");
}

/// It gives back the hop that it takes, so that it would not be there.
#[sglab::test]
async fn an_appliance_that_hides_proves_nothing() {
    let steps = "
  - step: as launched
    expect: {hops: {worker -> office:443 by public address: STATIONS}}
";
    for stations in ["[nat, gateway, internet]", "[gateway, internet]"] {
        let topology = topology(&format!("{CLOUD}{steps}").replace("STATIONS", stations));
        let mut lab = boot(&topology, Era::Vpc).await;
        let hides = "add table ip hides; add chain ip hides out { type filter hook postrouting priority 300; }; \
                     add rule ip hides out ip ttl < 64 ip ttl set 64";
        crate::bare::nft_script(&node(&lab, "nat"), hides.replace("; add", "\nadd")).await;
        let options = Options::default();
        let result = scenario::run_on(&mut lab, &topology, Duration::ZERO, &options, &mut |_| {}).await;
        let result = result.unwrap_or_else(|error| panic!("{error}"));
        let [check] = hops(&result)[..] else { panic!("one flow: {result:#?}") };
        assert!(check.is_inconclusive(), "{stations}: {check}");
        assert!(check.observed.contains("nat saw it"), "{check}");
    }
}
