//! How long a flow of UDP is remembered: 30 s in one direction or with a single question and answer, 180 s with more. The files

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use sglab::fabric::conntrack::flows_in_words;
use sglab::model::{Direction, Era, Operation, Peer, Port, PortRange, Traffic};
use sglab::network::NodeKind;
use sglab::network::record::Record;
use sglab::scenario::{self, Options, RunVerdict};

use crate::bare::{Bare, Log, inside, run, soon};
use crate::clouds::*;
use crate::topologies::holds;

const CLOUD: &str = "sglab: 1
era: vpc
tracking: {udp: 30, udp-stream: 60, clock-factor: 10}
vpcs: {main: {cidr: 10.0.0.0/16, ipv6: yes, subnets: {a: 10.0.0.0/24}}}
groups: {ASKS: [], ANSWERS: []}
instances:
  a: {groups: ASKS}
  b: {groups: ANSWERS}
scenario: [{step: as launched, expect: {dropped: ['a -> b:5000/udp']}}]
";

/// A flow that has an answer after so many seconds is no stream: nf_conntrack_proto_udp.c.
const NO_STREAM: u64 = 2;
/// What the kernel keeps a single question for, in `slowly`: 60 s by the clock of the lab.
const QUESTION: u64 = 6;

/// A pair whose question is remembered for so long that there is time to answer late.
async fn slowly() -> Pair {
    pair_in(Way::Private, &CLOUD.replace("udp: 30,", "udp: 60,")).await
}

fn dns() -> Traffic {
    Traffic::Udp(PortRange::single(Port(53)))
}

/// A client and a server that answers, by one way to address it.
struct Pair {
    bare: Bare,
    log: Log,
    client: UdpSocket,
    server: UdpSocket,
    to_server: SocketAddr,
}

#[derive(Clone, Copy)]
enum Way {
    Private,
    Public,
    Ipv6,
}

async fn pair(way: Way) -> Pair {
    pair_in(way, CLOUD).await
}

async fn pair_in(way: Way, text: &str) -> Pair {
    let mut bare = Bare::boot(initial_cloud(&topology(text), Era::Vpc).0).await;
    for everybody in ["0.0.0.0/0", "::/0"] {
        // Not on every port in both directions, so that both ends track.
        bare.apply(&authorize("ANSWERS", dns(), block(everybody))).await;
    }
    let everything = permission(Traffic::All, block("0.0.0.0/0"));
    for group in ["ASKS", "ANSWERS"] {
        bare.apply(&Operation::RevokeEgress(sglab::model::GroupName::new(group), everything.clone())).await;
    }
    bare.apply(&authorize_egress("ASKS", block("0.0.0.0/0"))).await;
    bare.apply(&authorize_egress("ASKS", block("::/0"))).await;
    let log = bare.log("vpc-main").await;
    let own = |name: &str| match way {
        Way::Private | Way::Public => private(&bare.cloud, name).0.into(),
        Way::Ipv6 => ipv6(&bare, name),
    };
    let to_server = match way {
        Way::Private | Way::Ipv6 => own("b"),
        Way::Public => public(&bare.cloud, "b").0.into(),
    };
    let socket = |name: &'static str, address: SocketAddr| {
        let node = bare.node(name);
        async move {
            let socket = inside(&node, move || UdpSocket::bind(address)).await.expect("a socket");
            socket.set_read_timeout(Some(soon())).expect("a timeout");
            socket
        }
    };
    let client = socket("a", (own("a"), 5000).into()).await;
    let server = socket("b", (own("b"), 53).into()).await;
    Pair { log, client, server, to_server: (to_server, 53).into(), bare }
}

fn ipv6(bare: &Bare, name: &str) -> std::net::IpAddr {
    let interface = bare.cloud.interfaces().find(|(_, _, i)| i.id.holder().as_str() == name).expect("an interface").2;
    interface.ipv6.expect("an address").0.into()
}

fn authorize_egress(from: &str, peer: Peer) -> Operation {
    Operation::AuthorizeEgress(sglab::model::GroupName::new(from), permission(dns(), peer))
}

impl Pair {
    /// Asks, and waits for the question to arrive.
    fn ask(&self) -> SocketAddr {
        self.client.send_to(b"question", self.to_server).expect("sent");
        self.server.recv_from(&mut [0; 8]).expect("the question").1
    }

    fn answer(&self, client: SocketAddr) {
        self.server.send_to(b"answer", client).expect("sent");
        self.client.recv(&mut [0; 8]).expect("the answer");
    }

    fn exchange(&self) {
        let client = self.ask();
        self.answer(client);
    }

    /// No rule admits anything any more: what still passes is remembered.
    async fn revoke_all(&mut self) {
        for everybody in ["0.0.0.0/0", "::/0"] {
            self.bare.apply(&revoke("ANSWERS", dns(), block(everybody))).await;
            let Operation::AuthorizeEgress(group, permission) = authorize_egress("ASKS", block(everybody)) else {
                unreachable!("it authorizes")
            };
            self.bare.apply(&Operation::RevokeEgress(group, permission)).await;
        }
    }

    fn question_is_dropped(&mut self, direction: Direction) {
        self.client.send_to(b"question", self.to_server).expect("sent");
        assert_eq!(self.log.next_drop().0, Record::Drop(direction));
    }

    /// Waits until the kernel has forgotten its entries of the flow.
    async fn entry_is_gone(&self) {
        let address = self.client.local_addr().expect("an address").ip();
        let node = self.bare.node("vpc-main");
        self.comes_true("the entry goes", async || flows_in_words(&node, &[address]).await.expect("a list").is_empty())
            .await;
    }

    /// Waits until a single question is so old that its answer makes no stream: the kernel says how long it keeps it.
    async fn is_too_late_for_a_stream(&self) {
        let node = self.bare.node("vpc-main");
        self.comes_true("it grows old", async || {
            let listed = run(&node, "conntrack", "-L -p udp --dport 53").await;
            let left = listed.split_whitespace().nth(2).and_then(|seconds| seconds.parse::<u64>().ok());
            // Less than this and a whole second more.
            left.expect("the entry") < QUESTION - NO_STREAM
        })
        .await;
    }

    /// Waits until no set holds anything that a packet has left.
    async fn forgotten(&self) {
        self.comes_true("it is forgotten", async || !self.sets().await.contains("expires")).await;
    }

    async fn sets(&self) -> String {
        run(&self.bare.node("vpc-main"), "nft", "list sets table inet sglab").await
    }

    /// What the kernel forgets after a time it does not tell everywhere: so it is asked again and again.
    async fn comes_true(&self, what: &str, fact: impl AsyncFn() -> bool) {
        let begun = Instant::now();
        while !fact().await {
            assert!(begun.elapsed() < 4 * soon(), "{what}: not yet");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

#[sglab::test]
async fn two_quick_questions_make_a_stream_that_outlives_its_rule_for_longer() {
    let mut pair = pair(Way::Private).await;
    pair.exchange();
    pair.exchange();
    pair.revoke_all().await;
    pair.entry_is_gone().await;
    pair.exchange();
    assert_eq!(pair.log.drops(), []);
    pair.entry_is_gone().await;
    pair.forgotten().await;
    pair.question_is_dropped(Direction::Egress);
}

#[sglab::test]
async fn a_stream_goes_on_by_every_kind_of_address() {
    for way in [Way::Public, Way::Ipv6] {
        let mut pair = pair(way).await;
        pair.exchange();
        let client = pair.ask();
        pair.answer(client);
        pair.revoke_all().await;
        pair.entry_is_gone().await;
        // The server may be the first to speak again.
        pair.answer(client);
        pair.exchange();
        assert_eq!(pair.log.drops(), []);
    }
}

/// Its next packet has its own entry in connection tracking, with one packet.
#[sglab::test]
async fn a_stream_that_goes_on_after_a_pause_is_a_stream_still() {
    let mut pair = pair(Way::Private).await;
    pair.exchange();
    pair.exchange();
    pair.revoke_all().await;
    for _ in 0..2 {
        pair.entry_is_gone().await;
        pair.ask();
    }
    assert_eq!(pair.log.drops(), []);
}

#[sglab::test]
async fn a_late_answer_makes_no_stream() {
    let mut pair = slowly().await;
    let client = pair.ask();
    pair.is_too_late_for_a_stream().await;
    pair.answer(client);
    pair.revoke_all().await;
    // Within the time it goes on.
    pair.ask();
    pair.forgotten().await;
    pair.question_is_dropped(Direction::Egress);
    pair.question_is_dropped(Direction::Egress);
}

#[sglab::test]
async fn a_packet_after_that_is_judged_as_new_by_its_own_direction() {
    let mut pair = slowly().await;
    let client = pair.ask();
    pair.is_too_late_for_a_stream().await;
    pair.answer(client);
    pair.ask();
    pair.forgotten().await;
    // The server has no rule by which it may begin.
    pair.server.send_to(b"answer", client).expect("sent");
    assert_eq!(pair.log.next_drop().0, Record::Drop(Direction::Egress));
    // The client has, and what it begins is answered, and may be a stream now.
    pair.exchange();
    pair.revoke_all().await;
    pair.exchange();
    assert_eq!(pair.log.drops(), []);
}

#[sglab::test]
async fn one_question_and_many_answers_are_no_stream() {
    let mut pair = slowly().await;
    let client = pair.ask();
    pair.answer(client);
    pair.is_too_late_for_a_stream().await;
    pair.answer(client);
    pair.answer(client);
    pair.revoke_all().await;
    pair.answer(client);
    pair.forgotten().await;
    pair.server.send_to(b"answer", client).expect("sent");
    assert_eq!(pair.log.next_drop().0, Record::Drop(Direction::Egress));
}

#[sglab::test]
async fn an_address_that_leaves_its_holder_takes_its_streams_along() {
    let mut pair = pair(Way::Private).await;
    pair.exchange();
    pair.exchange();
    let address: Ipv4Addr = private(&pair.bare.cloud, "a").0;
    assert!(pair.sets().await.contains(&format!("\"b\" . {} . {address} . 53 . 5000", pair.to_server.ip())));
    pair.bare.apply(&stop("a")).await;
    let sets = pair.sets().await;
    // The tokens of an interface are of no flow.
    assert!(!sets.lines().any(|line| line.contains(" . ") && line.contains("expires")), "{sets}");
}

/// Each end has sent first: what it remembers of that is no entry of connection tracking.
#[sglab::test]
async fn a_tunnel_is_idle_once_both_ends_have_forgotten_it() {
    let (a_and_b, two_exchanges) = ("instances: {a: {groups: G}, b: {groups: G}}", "udp-stream: 60, clock-factor: 30");
    let text = format!(
        "sglab: 1\nera: vpc\ntracking: {{{two_exchanges}}}\ngroups: {{G: []}}\n{a_and_b}
scenario:
  - {{step: meet, do: {{open: {{t: 'a <-> b:51820/udp'}}}}, expect: {{alive: t}}}}
  - {{step: no rule any more, do: {{revoke-egress: {{G: [all to anywhere]}}}}, expect: {{alive: t}}}}
  - {{step: idle, do: {{idle: t}}, expect: {{cut: t}}}}
"
    );
    holds("a-tunnel-is-idle", &text).await;
}

/// The run looks after every step whether it is as the model says, but for that no packet is sent here.
#[sglab::test]
async fn to_be_held_makes_no_stream_of_a_single_question() {
    let text = "sglab: 1
era: vpc
tracking: {udp: 30, udp-stream: 180, clock-factor: 30}
groups: {CLIENT: [], DNS: {ingress: [udp 53 from CLIENT], egress: []}}
instances: {client: {groups: CLIENT}, ns1: {groups: DNS, listens: udp 53}}
scenario:
  - {step: asked once, do: {open: {question: 'client -> ns1:53/udp'}}, expect: {dropped: ['ns1 -> client:53/udp']}}
";
    let topology = topology(text);
    let mut lab = boot(&topology, Era::Vpc).await;
    let options = Options::default();
    let result = scenario::run_on(&mut lab, &topology, Duration::ZERO, &options, &mut |_| {}).await;
    assert_eq!(result.unwrap_or_else(|error| panic!("{error}")).verdict, RunVerdict::Passed);
    let sets = run(&node(&lab, "vpc-default"), "nft", "list sets table inet sglab").await;
    let streams = sets.split("set udp-streams").nth(1).and_then(|rest| rest.split('}').next()).expect("the set");
    assert!(!streams.contains("elements"), "{sets}");
}

const FASTER: &str = "sglab: 1
era: vpc
TRACKING
groups: {G: [tcp 80 from G]}
instances: {a: {groups: G}, b: {groups: G}}
scenario: [{step: as launched, expect: {open: ['a -> b:80']}}]
";

/// The settings of every router and gateway, in the order of `NAMES`.
async fn settings(tracking: &str) -> Vec<Vec<String>> {
    const NAMES: [&str; 5] =
        ["tcp_timeout_established", "udp_timeout", "udp_timeout_stream", "icmp_timeout", "generic_timeout"];
    let lab = boot(&topology(&FASTER.replace("TRACKING", tracking)), Era::Vpc).await;
    let nodes = lab.fabric().nodes().filter(|node| matches!(node.kind, NodeKind::Router | NodeKind::Gateway));
    let mut all = Vec::new();
    for node in nodes {
        let read = |name: &str| {
            let path = format!("/proc/sys/net/netfilter/nf_conntrack_{name}");
            std::fs::read_to_string(path).expect("a setting").trim().to_owned()
        };
        all.push(node.run(move || NAMES.map(read).to_vec()).await.expect("to run inside"));
    }
    all
}

#[sglab::test]
async fn every_router_and_gateway_has_the_timeouts_of_the_file() {
    let all = settings("tracking: {tcp-established: 350, udp: 45, clock-factor: 20}").await;
    assert_eq!(all, vec![["18", "3", "9", "2", "30"]; 2], "rounded up, and none of less than a second");
}

#[sglab::test]
async fn without_a_word_in_the_file_they_are_those_of_ec2() {
    let all = settings("").await;
    assert_eq!(all, vec![["432000", "30", "180", "30", "600"]; 2]);
}
