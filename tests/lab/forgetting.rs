//! However much an instance has sent, what the filter remembers of it keeps no operation from being carried out.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::sync::Arc;

use sglab::fabric::Namespace;
use sglab::fabric::faults::{Faults, Moment};
use sglab::lab::Lab;
use sglab::model::{Era, Operation, Service};
use socket2::{Domain, Protocol, Socket, Type};

use crate::bare::{inside, run};
use crate::clouds::*;

const CLOUD: &str = "sglab: 1
era: vpc
# The longest, so that what a test has sent is not forgotten before it ends.
tracking: {udp: 60}
vpcs: {main: {cidr: 10.0.0.0/16}}
groups: {EVIL: [], A: []}
instances:
  a: {groups: EVIL}
  b: {groups: A}
  c: {groups: EVIL}
  d: {groups: EVIL}
scenario: [{step: as launched, expect: {dropped: ['a -> b:45001/udp']}}]
";

/// More than one transaction holds, by any user.
const MANY: u16 = 2000;

async fn sends_to_many_ports(node: &Arc<Namespace>, to: Ipv4Addr) {
    let sent = inside(node, move || {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 20_000))?;
        (1..=MANY).try_for_each(|port| socket.send_to(b"x", (to, port)).map(drop))
    });
    sent.await.expect("they leave the sender");
}

/// A packet of a protocol to so many addresses outside.
async fn sends_to_many_addresses(node: &Arc<Namespace>, protocol: u8, from: Ipv4Addr) {
    let sent = inside(node, move || {
        let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(libc::IPPROTO_RAW)))?;
        for number in 0..u32::from(MANY) {
            let to = Ipv4Addr::from_bits(Ipv4Addr::new(198, 51, 100, 0).to_bits() + number);
            let head = [0x45, 0, 0, 28, 0, 0, 0, 0, 64, protocol, 0, 0];
            let packet = [&head[..], &from.octets(), &to.octets(), &[0; 8]].concat();
            socket.send_to(&packet, &std::net::SocketAddr::new(IpAddr::from(to), 0).into())?;
        }
        Ok::<(), std::io::Error>(())
    });
    sent.await.expect("they leave the sender");
}

/// What stands in the sets that packets fill: keys, without their times.
async fn remembered(lab: &Lab) -> BTreeSet<String> {
    let listed = run(&node(lab, "vpc-main"), "nft", "list set inet sglab udp-sent").await;
    listed.split(',').filter_map(|it| it.split(" timeout").next()?.split('"').nth(2).map(str::to_owned)).collect()
}

#[sglab::test]
async fn what_an_instance_has_sent_keeps_no_operation_from_being_carried_out() {
    let mut lab = boot(&topology(CLOUD), Era::Vpc).await;
    let b = private(lab.cloud(), "b").0;
    let terminate = |name: &str| Operation::Terminate(sglab::model::InstanceName::new(name));
    // Each has tokens for one flood.
    for (sender, operations) in
        [("a", [stop("b"), start("b")]), ("c", [stop("c"), start("c")]), ("d", [terminate("b"), terminate("d")])]
    {
        sends_to_many_ports(&node(&lab, sender), b).await;
        sends_to_many_addresses(&node(&lab, sender), 47, private(lab.cloud(), sender).0).await;
        assert!(remembered(&lab).await.len() > usize::from(MANY) / 2);
        for operation in operations {
            lab.apply(&operation).await.unwrap_or_else(|error| panic!("{operation:?}: {error}"));
            assert!(remembered(&lab).await.is_empty(), "{operation:?}");
        }
    }
}

#[sglab::test]
async fn what_leaves_in_several_transactions_is_back_where_one_of_them_fails() {
    let faults = Faults::default();
    let (cloud, listeners) = initial_cloud(&topology(CLOUD), Era::Vpc);
    let mut lab = Lab::boot_with(cloud, listeners, faults.clone()).await.unwrap_or_else(|error| panic!("{error}"));
    let b = private(lab.cloud(), "b").0;
    sends_to_many_ports(&node(&lab, "a"), b).await;
    faults.arm([]);
    lab.apply(&stop("b")).await.unwrap_or_else(|error| panic!("{error}"));
    let steps = faults.disarm();
    let forgetting = |(number, step): (usize, &sglab::fabric::faults::Step)| {
        (step.node.0 == "vpc-main" && step.attempt == "carry out a transaction").then_some(number)
    };
    let forgetting: Vec<usize> = steps.iter().enumerate().filter_map(forgetting).collect();
    assert!(forgetting.len() > 3, "{steps:?}");
    lab.apply(&start("b")).await.unwrap_or_else(|error| panic!("{error}"));
    // The tokens of the first are spent.
    sends_to_many_ports(&node(&lab, "c"), b).await;
    let before = remembered(&lab).await;
    assert!(before.len() > usize::from(MANY) / 2);
    let asked = flow("a", "d", tcp(45001));
    for (step, moment) in [(1, Moment::Before), (2, Moment::After)] {
        faults.arm([(forgetting[step], moment)]);
        let error = lab.apply(&stop("b")).await.expect_err("a transaction has failed");
        assert!(faults.disarm().iter().any(|step| step.failed == Some(moment)), "{error}");
        assert_eq!(remembered(&lab).await, before, "{error}");
        assert!(is_dropped(&probe(&mut lab, asked.clone()).await.outcome), "the lab is whole");
    }
    lab.apply(&stop("b")).await.unwrap_or_else(|error| panic!("{error}"));
    assert!(remembered(&lab).await.is_disjoint(&before));
}

#[sglab::test]
async fn protocols_that_an_instance_has_sent_keep_no_probe_from_being_asked() {
    let mut lab = boot(&topology(CLOUD), Era::Vpc).await;
    let a = private(lab.cloud(), "a").0;
    sends_to_many_addresses(&node(&lab, "a"), 47, a).await;
    let found = probe(&mut lab, flow("a", "b", Service::Protocol(47))).await.outcome;
    assert!(is_dropped(&found), "{found:?}");
}
