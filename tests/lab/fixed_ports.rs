//! Two ends that send to each other from ports that a file says.

use std::net::{SocketAddr, UdpSocket};

use sglab::lab::LabError;
use sglab::model::{ConnectionName, Endpoint, Era, Flow, InstanceName, Peers, Port, Service, Via};

use crate::bare::inside;
use crate::clouds::*;
use crate::topologies::holds;

/// `left` may not send, so the two meet where a rule of its own admits what comes to the port that it sends from.
const GROUPS: &str = "sglab: 1
era: vpc
groups: {RIGHT: [], LEFT: {ingress: [udp 4500 from RIGHT], egress: []}}
instances: {left: {groups: LEFT, listens: [udp 4500]}, right: {groups: RIGHT, listens: [udp 500]}, third: {groups: RIGHT}}
";

/// Written either way round; and two peers of one port, while others reach its listener.
#[sglab::test]
async fn a_rule_for_the_port_that_an_end_sends_from_decides() {
    let text = format!(
        "{GROUPS}scenario:
  - step: they meet
    do: {{open: {{t: 'left:4500 <-> right:500/udp', u: 'third:500 <-> left:4500/udp'}}}}
    expect: {{alive: [t, u], open: ['right -> left:4500/udp'], dropped: ['left -> right:500/udp at egress']}}
  - step: the rule goes, and what is tracked goes on
    do: {{revoke: {{LEFT: [udp 4500 from RIGHT]}}}}
    expect: {{alive: [t, u], dropped: ['right -> left:4500/udp at ingress']}}
  - step: from another port only another rule lets them meet
    do: [{{close: [t, u]}}, {{authorize: {{LEFT: [udp 4501 from RIGHT]}}}}, {{open: {{again: 'right:4500 <-> left:4501/udp'}}}}]
    expect: {{alive: again}}
"
    );
    holds("fixed-ports", &text).await;
}

#[sglab::test]
async fn without_a_port_of_its_own_an_end_sends_from_the_port_of_the_other() {
    let text = format!(
        "{GROUPS}scenario:
  - step: from 4500 to 4500
    do: {{open: {{t: 'left <-> right:4500/udp', u: 'third <-> left:4500/udp'}}}}
    expect: {{alive: [t, u]}}
"
    );
    holds("one-port", &text).await;
}

#[sglab::test]
async fn a_port_that_a_program_holds_is_told() {
    let text = format!("{GROUPS}scenario: [{{step: s, expect: {{dropped: ['left -> right:9/udp']}}}}]\n");
    let mut lab = boot(&topology(&text), Era::Vpc).await;
    let end = |name: &str| Endpoint::Instance(InstanceName::new(name));
    let peers = |from, port, to, at| {
        let service = Service::Udp(Port(at));
        Peers::of(&Flow { from: end(from), to: end(to), via: Via::Private, service }, Some(Port(port)))
    };
    let bind = |port: u16| move || UdpSocket::bind(SocketAddr::from(([0, 0, 0, 0], port)));
    let _program = inside(&node(&lab, "third"), bind(4600)).await.expect("bound");
    let name = ConnectionName::new("t");
    let why = |met: Result<(), LabError>| met.expect_err("not opened").to_string();
    assert_eq!(
        why(lab.meet(&name, &peers("third", 4600, "left", 4500)).await),
        "the connection t, third:4600 <-> left:4500/udp, could not be opened: a program holds udp 4600 of third, from which \
         it is to send"
    );
    lab.meet(&name, &peers("left", 4500, "right", 500)).await.expect("they meet beside the listener");
    let bound = inside(&node(&lab, "left"), bind(4500)).await;
    assert_eq!(bound.expect_err("the harness listens").kind(), std::io::ErrorKind::AddrInUse);
    let other = ConnectionName::new("u");
    assert_eq!(
        why(lab.meet(&other, &peers("right", 500, "left", 4500)).await),
        "the connection u, right:500 <-> left:4500/udp, could not be opened: t is held between the same ports"
    );
}
