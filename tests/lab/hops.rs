//! The stations of flows as real packets pass them, and as the model has them.

use std::net::IpAddr;
use std::time::Duration;

use sglab::compile::names::{
    GATEWAY_ADDRESS, INTERNET_ADDRESS, INTERNET_ADDRESS_IPV6, gateway_ipv6, gateway_outside_address,
};
use sglab::model::Era;
use sglab::scenario::{self, Check, Options, RunResult, RunVerdict, predict};
use sglab::topology::Topology;

use crate::answers::*;
use crate::bare::Bare;
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

const TRACED: &str = "sglab: 1
era: vpc
vpcs: {main: {cidr: 10.0.0.0/16, ipv6: yes}}
hosts: {office: [203.0.113.10, '2001:db8:ffff::10']}
groups: {A: [udp 9000 from anywhere, 'udp 9000 from ::/0']}
instances: {a: {groups: A}, b: {groups: A}}
scenario: [{step: as launched, expect: {open: ['a -> b:9000/udp']}}]
";

const PORT: u16 = 9000;
/// Enough for every header.
const LENGTH: usize = 60;

async fn cloud() -> Bare {
    Bare::boot(initial_cloud(&topology(TRACED), Era::Vpc).0).await
}

fn inner(bare: &Bare, name: &str) -> IpAddr {
    private(&bare.cloud, name).0.into()
}

fn outer(bare: &Bare, name: &str) -> IpAddr {
    public(&bare.cloud, name).0.into()
}

fn ipv6(bare: &Bare, name: &str) -> IpAddr {
    bare.cloud.instances[name].interfaces[0].ipv6.expect("an address").0.into()
}

/// Sends a packet for each number of hops until it arrives, twice over: of a new flow, and of one that is known by then. Each of the
/// hops must say that it ended there.
async fn trace(bare: &Bare, (from, source): (&str, IpAddr), (to, target): (&str, IpAddr), hops: &[IpAddr]) {
    let (sender, receiving) = (bare.node(from), bare.node(to));
    let socket = receiver(&receiving, target.is_ipv4(), PORT).await;
    let mut answers = Answers::of(&sender, target.is_ipv4()).await;
    let message = if target.is_ipv4() { EXPIRED_IPV4 } else { EXPIRED_IPV6 };
    for flow in ["a new flow", "a known one"] {
        for (left, hop) in (1..).zip(hops) {
            send(&sender, datagram(source, (target, PORT), left, LENGTH, Fragments::Allowed)).await.expect("it leaves");
            let told = Answer { from: *hop, message, mtu: 0, about: (source, target) };
            assert_eq!(answers.next(), told, "{flow}, {left} hops");
        }
        let enough = u8::try_from(hops.len() + 1).expect("a small number");
        send(&sender, datagram(source, (target, PORT), enough, LENGTH, Fragments::Allowed)).await.expect("it leaves");
        assert!(arrived(&socket) > 0, "{flow}");
    }
}

#[sglab::test]
async fn inside_a_vpc_the_next_hop_is_the_neighbour() {
    let bare = cloud().await;
    trace(&bare, ("a", inner(&bare, "a")), ("b", inner(&bare, "b")), &[]).await;
    trace(&bare, ("a", ipv6(&bare, "a")), ("b", ipv6(&bare, "b")), &[]).await;
}

#[sglab::test]
async fn on_the_way_out_the_gateway_and_the_internet_are_the_hops() {
    let bare = cloud().await;
    let hops = [GATEWAY_ADDRESS.into(), INTERNET_ADDRESS.into()];
    trace(&bare, ("a", inner(&bare, "a")), ("office", "203.0.113.10".parse().expect("an address")), &hops).await;
    let hops = [gateway_ipv6(1).into(), INTERNET_ADDRESS_IPV6.into()];
    trace(&bare, ("a", ipv6(&bare, "a")), ("office", "2001:db8:ffff::10".parse().expect("an address")), &hops).await;
}

#[sglab::test]
async fn by_public_address_the_gateway_is_the_only_hop_and_speaks_for_itself() {
    let bare = cloud().await;
    trace(&bare, ("a", inner(&bare, "a")), ("b", outer(&bare, "b")), &[GATEWAY_ADDRESS.into()]).await;
}

#[sglab::test]
async fn from_outside_the_gateway_answers_with_its_own_address() {
    let bare = cloud().await;
    let hops = [INTERNET_ADDRESS.into(), gateway_outside_address(1).into()];
    trace(&bare, ("office", "203.0.113.10".parse().expect("an address")), ("a", outer(&bare, "a")), &hops).await;
    let hops = [INTERNET_ADDRESS_IPV6.into(), gateway_ipv6(1).into()];
    trace(&bare, ("office", "2001:db8:ffff::10".parse().expect("an address")), ("a", ipv6(&bare, "a")), &hops).await;
}

#[sglab::test]
async fn between_vpcs_both_gateways_answer_each_by_its_own_address() {
    let text = TRACED
        .replace("ipv6: yes}}", "ipv6: yes}, other: {cidr: 10.1.0.0/16, ipv6: yes}}")
        .replace(
            "{A: [udp 9000 from anywhere, 'udp 9000 from ::/0']}",
            "{A: {vpc: main, ingress: []}, B: {vpc: other, ingress: [udp 9000 from anywhere, 'udp 9000 from ::/0']}}",
        )
        .replace("a: {groups: A}", "a: {groups: A, vpc: main}")
        .replace("open: ['a -> b:9000/udp']", "open: ['a -> c:9000/udp by public address']")
        .replace("b: {groups: A}}", "b: {groups: A, vpc: main}, c: {groups: B, vpc: other}}");
    let bare = Bare::boot(initial_cloud(&topology(&text), Era::Vpc).0).await;
    let between = |far| [GATEWAY_ADDRESS.into(), INTERNET_ADDRESS.into(), gateway_outside_address(far).into()];
    trace(&bare, ("a", inner(&bare, "a")), ("c", outer(&bare, "c")), &between(2)).await;
    let between = [gateway_ipv6(1).into(), INTERNET_ADDRESS_IPV6.into(), gateway_ipv6(2).into()];
    trace(&bare, ("a", ipv6(&bare, "a")), ("c", ipv6(&bare, "c")), &between).await;
}

/// It is about a packet from the gateway, which passes it on to whoever sent that.
#[sglab::test]
async fn an_error_of_the_vpcs_router_does_not_come_from_the_target() {
    const HOST_UNREACHABLE: (u8, u8) = (3, 1);
    let bare = cloud().await;
    let (office, target): (IpAddr, _) = ("203.0.113.10".parse().expect("an address"), outer(&bare, "b"));
    // A route that leads nowhere, while the gateway still translates.
    crate::bare::run(&bare.node("vpc-main"), "ip", &format!("route del {}", inner(&bare, "b"))).await;
    for (name, source, answerer) in
        [("office", office, gateway_outside_address(1)), ("a", inner(&bare, "a"), GATEWAY_ADDRESS)]
    {
        let sender = bare.node(name);
        let mut answers = Answers::of(&sender, true).await;
        send(&sender, datagram(source, (target, PORT), 64, LENGTH, Fragments::Allowed)).await.expect("it leaves");
        let told = Answer { from: answerer.into(), message: HOST_UNREACHABLE, mtu: 0, about: (source, target) };
        assert_eq!(answers.next(), told);
    }
}
