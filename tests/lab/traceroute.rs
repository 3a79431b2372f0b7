//! Packets that may go no further than so many hops: who answers, and with which address.

use std::net::IpAddr;

use sglab::compile::names::{
    GATEWAY_ADDRESS, INTERNET_ADDRESS, INTERNET_ADDRESS_IPV6, gateway_ipv6, gateway_outside_address,
};
use sglab::model::Era;

use crate::answered::*;
use crate::bare::Bare;
use crate::clouds::*;

const CLOUD: &str = "sglab: 1
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
    Bare::boot(initial_cloud(&topology(CLOUD), Era::Vpc).0).await
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
    let text = CLOUD
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
