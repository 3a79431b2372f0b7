//! Who sends another question than was asked: under another address of its own, to another of the receiver's, or by another interface. Both
//! are addresses that the question has elsewhere on its way, so that the witnesses know them.

use sglab::lab::Lab;
use sglab::model::{Endpoint, Era, Flow, Service, Via};
use sglab::probe::Outcome;

use crate::bare::{nft_script, run};
use crate::clouds::*;

const CLOUD: &str = "sglab: 1
era: vpc
hosts: {world: 198.51.100.7}
vpcs:
  main:
    cidr: 10.0.0.0/16
    subnets:
      front: 10.0.0.0/24
      public: 10.0.1.0/24
      private: {cidr: 10.0.2.0/24, routes: {0.0.0.0/0: nat}}
      inspected: {cidr: 10.0.3.0/24, routes: {10.0.4.0/24: box}}
      back: 10.0.4.0/24
groups:
  A: []
  ALL: [all from anywhere]
  B: [tcp 80 from anywhere, tcp 81 from A, tcp 82 from world, udp 53 from anywhere, udp 54 from A, icmp echo from anywhere]
  C: [tcp 80 from 10.0.3.0/24, udp 53 from 10.0.3.0/24]
instances:
  a: {groups: A, subnet: front}
  b: {groups: B, subnet: front, listens: [tcp 80, tcp 81, tcp 82, udp 53, udp 54]}
  worker: {groups: A, subnet: private, public: no}
  nat: {groups: ALL, subnet: public, source-dest-check: off, forwards: nat, interfaces: {eth1: {groups: ALL, subnet: public}}}
  box: {groups: ALL, subnet: public, source-dest-check: off, forwards: as-is, interfaces: {eth1: {groups: ALL, subnet: public}}}
  client: {groups: A, subnet: inspected}
  c: {groups: C, subnet: back, listens: [tcp 80, udp 53]}
scenario: [{step: one, expect: {open: ['a -> b:80 by public address', 'client -> c:80', 'worker -> world:80']}}]
";

const PING: Service = Service::IcmpEcho;

async fn lab() -> Lab {
    boot(&topology(CLOUD), Era::Vpc).await
}

/// A chain of an instance's own, with one rule.
fn own(chain: &str, rule: &str) -> String {
    format!("table ip own {{ chain own {{ type {chain}; {rule}\n }}\n}}\n")
}

const OUTPUT: &str = "filter hook output priority 0";

fn to_world(lab: &Lab, from: &str, service: Service) -> Flow {
    let (name, host) = lab.cloud().hosts.first().expect("a host");
    Flow { to: Endpoint::Host(name.clone(), host.addresses[0]), via: Via::Public, ..flow(from, from, service) }
}

/// What is asked is judged as it is while everybody is honest, and proves nothing from then on: `told` says so.
async fn proves_nothing(lab: &mut Lab, asked: &[Flow], told: &str) {
    for (flow, outcome) in asked.iter().zip(outcomes(lab, asked).await) {
        let Outcome::Inconclusive { why } = &outcome else { panic!("{flow}: {outcome:?}") };
        let why = why.to_string();
        assert!(why.contains(told), "{flow}: {why}");
    }
}

async fn is_judged(lab: &mut Lab, asked: &[Flow], open: impl Fn(&Flow) -> bool) {
    for (flow, outcome) in asked.iter().zip(outcomes(lab, asked).await) {
        assert_eq!(is_open(&outcome), open(flow), "{flow}: {outcome:?}");
        assert_eq!(is_dropped(&outcome), !open(flow), "{flow}: {outcome:?}");
    }
}

const NOT_ASKED: &str = "is not what was asked";

#[sglab::test]
async fn a_sender_that_asks_another_address_of_the_receiver_proves_nothing() {
    let mut lab = lab().await;
    let (there, held) = (private(lab.cloud(), "b"), public(lab.cloud(), "b"));
    let services = [tcp(80), tcp(81), udp(53), udp(54), PING];
    let inside = services.map(|service| by_public(flow("a", "b", service)));
    let outside = [tcp(82), tcp(80), udp(53), PING].map(|service| from_host(lab.cloud(), "world", "b", service));
    let is_of_a = |flow: &Flow| [tcp(81), udp(54)].contains(&flow.service);
    is_judged(&mut lab, &inside, |flow| !is_of_a(flow)).await;
    is_judged(&mut lab, &outside, |_| true).await;
    // The kernel of the sender gives the answers back the address that was asked.
    let translated = own("nat hook output priority -100", &format!("ip daddr {held} dnat to {there}"));
    let written = own(OUTPUT, &format!("ip daddr {held} ip daddr set {there}"));
    for script in [translated, written] {
        for name in ["a", "world"] {
            nft_script(&node(&lab, name), script.clone()).await;
        }
        proves_nothing(&mut lab, &inside, NOT_ASKED).await;
        proves_nothing(&mut lab, &outside, NOT_ASKED).await;
        for name in ["a", "world"] {
            run(&node(&lab, name), "nft", "flush ruleset").await;
        }
    }
    is_judged(&mut lab, &inside, |flow| !is_of_a(flow)).await;
}

#[sglab::test]
async fn a_sender_that_asks_by_another_address_of_its_own_proves_nothing() {
    let mut lab = lab().await;
    let (there, held) = (private(lab.cloud(), "b"), public(lab.cloud(), "b"));
    let own_public = public(lab.cloud(), "a");
    let asked = [tcp(80), udp(53), PING].map(|service| by_public(flow("a", "b", service)));
    for also in [String::new(), format!("ip daddr set {there}")] {
        let rule = format!("ip daddr {held} ip saddr set {own_public} {also}");
        nft_script(&node(&lab, "a"), own(OUTPUT, &rule)).await;
        proves_nothing(&mut lab, &asked, NOT_ASKED).await;
        run(&node(&lab, "a"), "nft", "flush ruleset").await;
    }
    is_judged(&mut lab, &asked, |_| true).await;
}

#[sglab::test]
async fn a_sender_that_asks_by_the_address_of_its_nat_instance_proves_nothing() {
    let mut lab = lab().await;
    let nat = private(lab.cloud(), "nat");
    let asked = [tcp(80), udp(53)].map(|service| to_world(&lab, "worker", service));
    is_judged(&mut lab, &asked, |_| true).await;
    nft_script(&node(&lab, "worker"), own(OUTPUT, &format!("ip daddr 198.51.100.7 ip saddr set {nat}"))).await;
    proves_nothing(&mut lab, &asked, NOT_ASKED).await;
}

/// What an appliance is to pass on leaves it by its second interface.
async fn by_the_second(lab: &Lab, name: &str) {
    let appliance = node(lab, name);
    run(&appliance, "ip", "route add default via 169.254.1.1 dev eth1 onlink table 77").await;
    run(&appliance, "ip", "rule add pref 5 iif eth0 lookup 77").await;
}

#[sglab::test]
async fn an_appliance_that_passes_on_by_another_interface_proves_nothing() {
    let mut lab = lab().await;
    let through_box = [tcp(80), udp(53)].map(|service| flow("client", "c", service));
    let through_nat = [tcp(80), udp(53)].map(|service| to_world(&lab, "worker", service));
    let asked = [through_box, through_nat].concat();
    is_judged(&mut lab, &asked, |_| true).await;
    for name in ["box", "nat"] {
        by_the_second(&lab, name).await;
    }
    for checked in [true, false] {
        if !checked {
            let words = "[{source-dest-check: {box.eth1: off}}, {source-dest-check: {nat.eth1: off}}]";
            for operation in sglab::topology::read_operations(lab.cloud(), words).expect("operations") {
                change(&mut lab, &operation.value).await;
            }
        }
        proves_nothing(&mut lab, &asked[..2], ".eth1, which was not asked to").await;
        // The NAT instance gives it the address of that interface, which the question has nowhere.
        proves_nothing(&mut lab, &asked[2..], "no filter has a record of it").await;
    }
    run(&node(&lab, "nat"), "nft", "flush ruleset").await;
    proves_nothing(&mut lab, &asked[2..], ".eth1, which was not asked to").await;
}

#[sglab::test]
async fn an_honest_appliance_passes_on_by_the_interface_that_the_route_names() {
    let routes =
        CLOUD.replace("0.0.0.0/0: nat}", "0.0.0.0/0: nat.eth1}").replace("10.0.4.0/24: box}", "10.0.4.0/24: box.eth1}");
    let unchecked = "eth1: {groups: ALL, subnet: public, source-dest-check: off}";
    let text = routes.replace("eth1: {groups: ALL, subnet: public}", unchecked);
    let with_address = text.replace("groups:\n  A: []", "elastic-ips: {second: nat.eth1}\ngroups:\n  A: []");
    let mut lab = boot(&topology(&with_address), Era::Vpc).await;
    let through_box = [tcp(80), udp(53)].map(|service| flow("client", "c", service));
    let through_nat = [tcp(80), udp(53)].map(|service| to_world(&lab, "worker", service));
    is_judged(&mut lab, &[through_box, through_nat].concat(), |_| true).await;
}

#[sglab::test]
async fn an_appliance_that_passes_on_by_another_address_proves_nothing() {
    let mut lab = lab().await;
    let through_box = [tcp(80), udp(53)].map(|service| flow("client", "c", service));
    let through_nat = [tcp(80), udp(53)].map(|service| to_world(&lab, "worker", service));
    let (of_box, of_nat) = (private(lab.cloud(), "box"), public(lab.cloud(), "nat"));
    let out = "filter hook postrouting priority 200";
    nft_script(&node(&lab, "box"), own(out, &format!("ip daddr 10.0.4.0/24 ip saddr set {of_box}"))).await;
    proves_nothing(&mut lab, &through_box, NOT_ASKED).await;
    // Its public address, and no translation at all.
    let nat = node(&lab, "nat");
    nft_script(&nat, own(out, &format!("ip daddr 198.51.100.7 ip saddr set {of_nat}"))).await;
    proves_nothing(&mut lab, &through_nat, NOT_ASKED).await;
    run(&nat, "nft", "flush ruleset").await;
    proves_nothing(&mut lab, &through_nat, NOT_ASKED).await;
}

#[sglab::test]
async fn a_held_connection_is_not_cut_by_an_appliance_that_changes_its_way() {
    use sglab::model::ConnectionName;
    use sglab::probe::Held;
    let mut lab = lab().await;
    let names =
        [udp(53), tcp(80)].map(|service| (ConnectionName::new(format!("held-{service}").replace('/', "-")), service));
    for (name, service) in &names {
        let asked = flow("client", "c", *service);
        lab.open(name, &asked).await.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(lab.examine(name).await.unwrap_or_else(|error| panic!("{error}")), Held::Alive);
    }
    by_the_second(&lab, "box").await;
    for (name, _) in &names {
        let found = lab.examine(name).await.unwrap_or_else(|error| panic!("{error}"));
        assert!(matches!(found, Held::Inconclusive { .. }), "{name:?}: {found:?}");
    }
}

/// Two VPCs have the same addresses. By its public address the sender asks who has the receiver's in the other one.
#[sglab::test]
async fn a_sender_that_asks_who_has_the_address_in_another_vpc_proves_nothing() {
    for closed in [false, true] {
        let rules = if closed { "[]" } else { "[all from anywhere]" };
        let text = format!(
            "sglab: 1
era: vpc
vpcs: {{main: {{cidr: 10.0.0.0/16}}, other: {{cidr: 10.0.0.0/16}}}}
groups: {{A: {{vpc: main, ingress: [all from anywhere]}}, N: {{vpc: other, ingress: {rules}}}}}
instances:
  a: {{vpc: main, groups: A, listens: [tcp 80, udp 53]}}
  c: {{vpc: main, groups: A}}
  n: {{vpc: other, groups: N, listens: [tcp 80, udp 53]}}
scenario: [{{step: one, expect: {{open: ['c -> a:80 by public address']}}}}]
"
        );
        let mut lab = boot(&topology(&text), Era::Vpc).await;
        assert_eq!(private(lab.cloud(), "a"), private(lab.cloud(), "n"));
        let asked = [tcp(80), udp(53), PING].map(|service| by_public(flow("c", "a", service)));
        is_judged(&mut lab, &asked, |_| true).await;
        let (from, to) = (public(lab.cloud(), "a"), public(lab.cloud(), "n"));
        let rule = format!("ip daddr {from} dnat to {to}");
        nft_script(&node(&lab, "c"), own("nat hook output priority -100", &rule)).await;
        for (flow, outcome) in asked.iter().zip(outcomes(&mut lab, &asked).await) {
            assert!(matches!(outcome, Outcome::Inconclusive { .. }), "{flow}, closed: {closed}: {outcome:?}");
        }
    }
}
