//! Who lies by more than its own end: an instance with two interfaces, what stands on the way, and who is behind a load balancer.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::{Duration, Instant};

use sglab::lab::Lab;
use sglab::model::{Attachment, Endpoint, Era, Flow, InstanceName, Service, Via};
use sglab::probe::{Outcome, Trace};

use crate::bare::{inside, nft_script, run, tap};
use crate::clouds::*;
use crate::dealt::is_ours;
use crate::liars::{TAKE_WHAT_COMES, TAKE_WHAT_LEAVES, Words, answer, answer_as, hide_and_send_back, is_inconclusive};

/// `two` may ask by its second interface only, whose source is not checked.
const TWO_INTERFACES: &str = "sglab: 1
era: vpc
vpcs: {main: {cidr: 10.0.0.0/16, ipv6: yes, subnets: {front: 10.0.1.0/24, back: 10.0.2.0/24}}}
groups:
  CLOSED: {egress: []}
  FREE: []
  B: [tcp 80 from 10.0.0.0/16, 'tcp 80 from 2001:db8::/32']
instances:
  two: {groups: CLOSED, subnet: front, interfaces: {eth1: {groups: FREE, subnet: back}}}
  b: {groups: B, subnet: back, listens: tcp 80}
scenario: [{step: one, expect: {open: ['two.eth1 -> b:80'], dropped: ['two -> b:80 at egress']}}]
";

#[sglab::test]
async fn a_question_that_leaves_by_another_interface_proves_nothing() {
    let mut lab = boot(&topology(TWO_INTERFACES), Era::Vpc).await;
    let over = |via| Flow { via, ..flow("two", "b", tcp(80)) };
    for via in [Via::Private, Via::Ipv6] {
        assert!(is_dropped(&probe(&mut lab, over(via)).await.outcome));
    }
    // All that leaves it leaves by eth1, whatever its source.
    let two = node(&lab, "two");
    for family in ["-4", "-6"] {
        let routes = run(&two, "ip", &format!("{family} route show table all default dev eth1")).await;
        let way = routes.lines().next().unwrap_or_else(|| panic!("a route by eth1: {routes}"));
        let words: Vec<&str> = way.split_whitespace().collect();
        let via = words.iter().skip_while(|word| **word != "via").nth(1).expect("a router");
        run(&two, "ip", &format!("{family} route add default via {via} dev eth1 onlink table 99")).await;
        run(&two, "ip", &format!("{family} rule add priority 10 table 99")).await;
    }
    for checked in [true, false] {
        if !checked {
            let words = "[{source-dest-check: {two.eth1: off}}]";
            for operation in sglab::topology::read_operations(lab.cloud(), words).expect("an operation") {
                change(&mut lab, &operation.value).await;
            }
        }
        for via in [Via::Private, Via::Ipv6] {
            let seen = probe(&mut lab, over(via)).await;
            let Outcome::Inconclusive { why } = &seen.outcome else { panic!("{checked} {seen:?}") };
            let why = why.to_string();
            assert!(why.starts_with("it was sent by two.eth1, which was not asked to"), "{why}");
            assert!(!seen.timed_out, "{seen:?}");
        }
    }
    // What is asked by eth1 itself is as before.
    let second = Attachment { instance: InstanceName::new("two"), device: 1 };
    for via in [Via::Private, Via::Ipv6] {
        let asked = Flow { from: Endpoint::Interface(second.clone()), ..over(via) };
        assert!(is_open(&probe(&mut lab, asked).await.outcome));
    }
}

/// What whoever stands on the way does to what it is to pass on.
const ON_THE_WAY: &[&str] = &[
    "table inet lie { chain on { type filter hook forward priority 0; drop\n }\n}\n",
    "table inet lie { chain on { type filter hook forward priority 0; meta l4proto tcp reject with tcp reset\n }\n}\n",
    "table inet lie { chain on { type filter hook forward priority 0; reject with icmpx port-unreachable\n }\n}\n",
    "table inet lie { chain on { type filter hook forward priority 0; reject with icmpx host-unreachable\n }\n}\n",
    "table netdev lie { chain in { type filter hook ingress device \"eth0\" priority -500; meta protocol ip drop\n }\n}\n",
    // It makes no beginning of it.
    "table inet lie { chain on { type filter hook postrouting priority 200; tcp flags & (syn | ack) == syn tcp flags set ack\n }\n}\n",
    TAKE_WHAT_COMES,
];

/// Each kind of lie on the way, by an instance that answers by the name of whom is asked: none proves anything of `asked`.
async fn lies_on_the_way(boot: impl AsyncFn() -> Lab, on_the_way: &str, asked: &[Flow], name: &'static str) {
    let tried = ON_THE_WAY.iter().map(async |script| {
        let mut lab = boot().await;
        let liar = node(&lab, on_the_way);
        answer_as(&liar, name).await;
        nft_script(&liar, (*script).to_owned()).await;
        let found = lab.probe(asked).await.unwrap_or_else(|error| panic!("{error}"));
        assert!(found.canaries_held);
        for seen in found.observations {
            if script.contains("tcp") && !script.contains("udp") && !matches!(seen.flow.service, Service::Tcp(_)) {
                continue;
            }
            assert!(is_inconclusive(&seen.outcome), "{script}: {}: {:?}", seen.flow, seen.outcome);
        }
    });
    futures::future::join_all(tried).await;
}

const MIDDLEBOX: &str = "sglab: 1
era: vpc
vpcs:
  main:
    cidr: 10.0.0.0/16
    subnets:
      front: {cidr: 10.0.1.0/24, routes: {10.0.2.0/24: box}}
      back: {cidr: 10.0.2.0/24, routes: {10.0.1.0/24: box}}
      middle: 10.0.3.0/24
groups:
  WEB: []
  DB: [tcp 80 from 10.0.1.0/24, tcp 4000 from 10.0.1.0/24, udp 5000 from 10.0.1.0/24]
  BOX: [all from 10.0.0.0/16]
instances:
  web: {groups: WEB, subnet: front}
  db: {groups: DB, subnet: back, listens: [tcp 80, udp 5000]}
  box: {groups: BOX, subnet: middle, source-dest-check: off, forwards: as-is}
scenario: [{step: one, expect: {open: ['web -> db:80', 'web -> db:5000/udp']}}]
";

#[sglab::test]
async fn a_middlebox_proves_nothing_of_whom_it_keeps_the_question_from() {
    let start = async || boot(&topology(MIDDLEBOX), Era::Vpc).await;
    let asked = [tcp(80), udp(5000), tcp(4000)].map(|service| flow("web", "db", service));
    let honest = outcomes(&mut start().await, &asked).await;
    assert!(is_open(&honest[0]) && is_open(&honest[1]), "{honest:?}");
    lies_on_the_way(start, "box", &asked, "db").await;
}

const NAT: &str = "sglab: 1
era: vpc
hosts: {world: 198.51.100.7}
vpcs: {main: {cidr: 10.0.0.0/16, subnets: {public: 10.0.1.0/24, private: {cidr: 10.0.2.0/24, routes: {0.0.0.0/0: nat}}}}}
elastic-ips: {e: nat}
groups: {NAT: [all from WORKERS], WORKERS: [], API: [tcp 80 from 0.0.0.0/1, tcp 80 from 128.0.0.0/1]}
instances:
  nat: {groups: NAT, subnet: public, source-dest-check: off, forwards: nat}
  worker: {groups: WORKERS, subnet: private, public: no}
  api: {groups: API, subnet: public, listens: tcp 80}
scenario: [{step: one, expect: {open: ['worker -> api:80 by public address', 'nat -> api:80', 'worker -> nat:80']}}]
";

#[sglab::test]
async fn a_nat_instance_proves_nothing_of_whom_it_keeps_the_question_from() {
    let start = async || boot(&topology(NAT), Era::Vpc).await;
    let asked = [by_public(flow("worker", "api", tcp(80)))];
    let honest = outcomes(&mut start().await, &asked).await;
    assert!(is_open(&honest[0]), "{honest:?}");
    lies_on_the_way(start, "nat", &asked, "api").await;
}

/// What becomes of traffic.
async fn traffic(lab: &mut Lab, flows: &[Flow]) -> Trace {
    let traffic = lab.begin_traffic(flows).await.unwrap_or_else(|error| panic!("{error}"));
    traffic.flows_on(300).await;
    lab.end_traffic(traffic).await
}

/// Passes on each datagram that comes to it so much later, as a proxy in user space may.
async fn pass_on_late(lab: &Lab, name: &str, late: Duration) {
    let on = node(lab, name);
    nft_script(&on, ON_THE_WAY[0].to_owned()).await;
    let mut tap = tap(&on).await;
    let out =
        inside(&on, || socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::RAW, Some(libc::IPPROTO_RAW.into())));
    let out = out.await.expect("a socket");
    std::thread::spawn(move || {
        let mut kept: VecDeque<(Instant, Vec<u8>)> = VecDeque::new();
        let read = |packet: &[u8], kept: &mut VecDeque<_>| {
            let length = usize::from(u16::from_be_bytes([packet[2], packet[3]]));
            // Datagrams of traffic are short enough to be shown whole. They need no checksum.
            if packet[9] == 17 && length <= packet.len() {
                let mut packet = packet[..length].to_vec();
                packet[26..28].fill(0);
                kept.push_back((Instant::now() + late, packet));
            }
        };
        while tap.read_each(|packet| read(packet, &mut kept)).is_ok() {
            while kept.front().is_some_and(|(due, _)| *due <= Instant::now()) {
                let Some((_, packet)) = kept.pop_front() else { return };
                let to = Ipv4Addr::new(packet[16], packet[17], packet[18], packet[19]);
                drop(out.send_to(&packet, &SocketAddrV4::new(to, 0).into()));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    });
}

#[sglab::test]
async fn an_honest_appliance_on_the_way_of_traffic_takes_nothing_of_it() {
    let from = |name: &str, service| by_public(flow(name, name, service));
    for (cloud, flows) in [
        (MIDDLEBOX, vec![flow("web", "db", udp(5000)), flow("web", "db", tcp(80))]),
        (NAT, vec![by_public(flow("worker", "api", tcp(80)))]),
        // It is an end itself of the first.
        (NAT, vec![flow("worker", "nat", udp(53)), from("worker", tcp(80)), from("worker", udp(53))]),
    ] {
        let mut lab = boot(&topology(cloud), Era::Vpc).await;
        let to_world = |flow: Flow| match (flow.from == flow.to, lab.cloud().hosts.first()) {
            (true, Some((name, host))) => Flow { to: Endpoint::Host(name.clone(), host.addresses[0]), ..flow },
            _ => flow,
        };
        let flows: Vec<Flow> = flows.into_iter().map(to_world).collect();
        let trace = traffic(&mut lab, &flows).await;
        assert_eq!((&trace.blind, trace.unsent.iter().flatten().next()), (&None, None));
        for packets in &trace.streams {
            assert!(packets.len() > 20 && packets.iter().all(|packet| packet.arrived), "{packets:?}");
        }
    }
}

/// What it met, it met when it was passed on: the rules may be others by then.
#[sglab::test]
async fn what_an_appliance_passes_on_late_is_judged_by_when_it_does() {
    let late = Duration::from_millis(30);
    let mut lab = boot(&topology(MIDDLEBOX), Era::Vpc).await;
    pass_on_late(&lab, "box", late).await;
    let trace = traffic(&mut lab, &[flow("web", "db", udp(5000))]).await;
    assert_eq!((&trace.blind, &trace.unsent[0]), (&None, &None));
    let packets = &trace.streams[0];
    assert!(packets.len() > 20, "{packets:?}");
    for packet in packets {
        assert!(packet.arrived && packet.after.duration_since(packet.before) >= late, "{packet:?}");
    }
}

#[sglab::test]
async fn an_appliance_that_keeps_packets_of_traffic_makes_nothing_lost() {
    let forward =
        |rule: &str| format!("table inet lie {{ chain on {{ type filter hook forward priority 0; {rule}\n }}\n}}\n");
    let thirds = "meta l4proto { tcp, udp } numgen inc mod 3 == 0 drop";
    let tried = [
        (MIDDLEBOX, "box", flow("web", "db", udp(5000)), thirds),
        (MIDDLEBOX, "box", flow("web", "db", tcp(80)), thirds),
        (MIDDLEBOX, "box", flow("web", "db", udp(5000)), "drop"),
        (MIDDLEBOX, "box", flow("web", "db", udp(5000)), "udp dport 5000 numgen inc mod 3 == 0 udp dport set 5001"),
        (MIDDLEBOX, "box", flow("web", "db", tcp(80)), "tcp flags & (syn | ack) == syn tcp flags set ack"),
        (NAT, "nat", by_public(flow("worker", "api", tcp(80))), thirds),
    ];
    for (_, (cloud, on_the_way, asked, rule)) in tried.into_iter().enumerate().filter(|(number, _)| is_ours(*number)) {
        let mut lab = boot(&topology(cloud), Era::Vpc).await;
        nft_script(&node(&lab, on_the_way), forward(rule)).await;
        let trace = traffic(&mut lab, &[asked]).await;
        let unsent = trace.unsent[0].as_ref().unwrap_or_else(|| panic!("{rule}: {trace:?}"));
        // A filter has on record that it begins no connection.
        let is_told = unsent.starts_with(&format!("not all that {on_the_way} was to pass on"));
        assert!(is_told || rule.contains("flags") && unsent.ends_with("it begins nothing"), "{rule}: {unsent}");
        assert!(trace.streams[0].iter().all(|packet| packet.arrived), "{rule}: {:?}", trace.streams[0]);
    }
}

/// It may send in the name of others, and yet answers nothing in theirs, nor forges what was dropped of theirs.
#[sglab::test]
async fn a_nat_instance_lies_of_its_own_flows_no_better_than_others() {
    let mut lab = boot(&topology(NAT), Era::Vpc).await;
    let nat = node(&lab, "nat");
    answer_as(&nat, "api").await;
    nft_script(&nat, TAKE_WHAT_LEAVES.to_owned()).await;
    let seen = probe(&mut lab, flow("nat", "api", tcp(80))).await;
    assert!(is_inconclusive(&seen.outcome), "{seen:?}");
    // As the receiver it hides what has come, and sends it back.
    let mut lab = boot(&topology(NAT), Era::Vpc).await;
    let asked = flow("worker", "nat", tcp(80));
    assert!(is_open(&probe(&mut lab, asked.clone()).await.outcome));
    hide_and_send_back(&lab, "nat").await;
    let seen = probe(&mut lab, asked).await;
    assert!(is_inconclusive(&seen.outcome), "{seen:?}");
}

const BALANCED: &str = "sglab: 1
era: classic
hosts: {world: 198.51.100.7}
groups: {WEB: [tcp 80 from amazon-elb/amazon-elb-sg]}
instances: {web1: {groups: WEB, listens: [tcp 80]}, web2: {groups: WEB, listens: [tcp 80]}}
load-balancers:
  lb: {listeners: [tcp 8000 to 80], targets: [web1, web2], health-check: {interval: 0.1, timeout: 1, healthy: 2}}
scenario: [{step: one, expect: {open: [world -> lb:8000 answered by web1 and web2]}}]
";

#[sglab::test]
async fn a_target_of_a_load_balancer_does_not_answer_for_another() {
    let mut lab = boot(&topology(BALANCED), Era::Classic).await;
    let web1 = node(&lab, "web1");
    answer_as(&web1, "web2").await;
    nft_script(&web1, TAKE_WHAT_COMES.to_owned()).await;
    let asked = from_host(lab.cloud(), "world", "lb", tcp(8000));
    let mut told = Vec::new();
    for _ in 0..4 {
        let seen = probe(&mut lab, asked.clone()).await;
        match seen.outcome {
            Outcome::Open { .. } => told.push(seen.answered_by),
            Outcome::Inconclusive { ref why } => {
                assert!(why.to_string().contains("nothing proves that it was passed on"), "{seen:?}")
            }
            _ => panic!("{seen:?}"),
        }
    }
    assert_eq!(told, [Some("web2".to_owned()), Some("web2".to_owned())], "each of the two in its turn");
}

#[sglab::test]
async fn a_target_of_a_load_balancer_that_swallows_what_comes_proves_nothing() {
    for words in [Words::None, Words::Garbage] {
        let mut lab = boot(&topology(BALANCED), Era::Classic).await;
        for name in ["web1", "web2"] {
            let target = node(&lab, name);
            answer(&target, words, |_| ()).await;
            nft_script(&target, TAKE_WHAT_COMES.to_owned()).await;
        }
        let asked = from_host(lab.cloud(), "world", "lb", tcp(8000));
        let seen = probe(&mut lab, asked).await;
        // Its health check may have failed by now: then the load balancer closes it, having nobody.
        assert!(matches!(seen.outcome, Outcome::Inconclusive { .. } | Outcome::Closed { .. }), "{seen:?}");
    }
}

#[sglab::test]
async fn a_client_of_a_load_balancer_that_answers_itself_proves_nothing() {
    let mut lab = boot(&topology(BALANCED), Era::Classic).await;
    let world = node(&lab, "world");
    answer_as(&world, "web1").await;
    nft_script(&world, TAKE_WHAT_LEAVES.replace("80, 81, 4000", "8000, 81, 4000")).await;
    let asked = from_host(lab.cloud(), "world", "lb", tcp(8000));
    let seen = probe(&mut lab, asked).await;
    assert!(is_inconclusive(&seen.outcome), "{seen:?}");
}

/// A target that passes its health checks, and takes nothing else, while another serves.
#[sglab::test]
async fn a_target_of_a_load_balancer_that_takes_nothing_closes_nothing() {
    let text = BALANCED
        .replace(
            "tcp 80 from amazon-elb/amazon-elb-sg",
            "tcp 80 from amazon-elb/amazon-elb-sg, tcp 81 from amazon-elb/amazon-elb-sg",
        )
        .replace("{interval: 0.1,", "{port: 81, interval: 0.1,")
        .replace("listens: [tcp 80]", "listens: [tcp 80, tcp 81]");
    let refuses = [
        "tcp dport 80 drop",
        "tcp dport 80 reject with tcp reset",
        "tcp dport 80 reject with icmpx port-unreachable",
        "tcp dport 80 reject with icmpx host-unreachable",
    ];
    let tried = refuses.map(async |rule| {
        let mut lab = boot(&topology(&text), Era::Classic).await;
        let script = format!("table inet lie {{ chain in {{ type filter hook input priority 0; {rule}\n }}\n}}\n");
        nft_script(&node(&lab, "web1"), script).await;
        let asked = from_host(lab.cloud(), "world", "lb", tcp(8000));
        let (mut open, mut nothing) = (0, 0);
        for _ in 0..4 {
            match probe(&mut lab, asked.clone()).await.outcome {
                Outcome::Open { .. } => open += 1,
                Outcome::Inconclusive { why } => {
                    assert!(why.to_string().contains("10.0.0.11:80: "), "{why}");
                    nothing += 1;
                }
                other => panic!("{rule}: {other:?}"),
            }
        }
        assert_eq!((open, nothing), (2, 2), "{rule}: each of the two in its turn");
    });
    futures::future::join_all(tried).await;
}
