//! What an end of a flow can make the instrument say, where root in it lies: nothing that is false. Instances and hosts outside lie alike.

use std::net::{IpAddr, SocketAddr};

use futures::StreamExt;
use sglab::lab::{Lab, ServiceResponse};
use sglab::model::{ConnectionName, Flow, Port, Service, Via, VpcService};
use sglab::probe::{Held, Outcome, Part};

use crate::bare::{inside, nft_script, run};
use crate::clouds::*;
use crate::dealt::is_ours;
use crate::liars::*;

#[sglab::test]
async fn honest_ends_are_told_the_truth() {
    let mut lab = cloud().await;
    for (seen, truth) in ask_all(&mut lab).await {
        let told = match seen.outcome {
            Outcome::Open { .. } => Some(Truth::Open),
            Outcome::Refused { .. } => Some(Truth::Refused),
            Outcome::Dropped(_) => Some(Truth::Dropped),
            _ => None,
        };
        assert_eq!(told, Some(truth), "{}: {:?}", seen.flow, seen.outcome);
        assert!(!seen.timed_out, "{}", seen.flow);
    }
}

#[sglab::test]
async fn a_sender_that_answers_itself_proves_nothing() {
    let mut lab = cloud().await;
    for ends in ENDS {
        let sender = node(&lab, ends.from);
        answer_as(&sender, ends.to).await;
        nft_script(&sender, TAKE_WHAT_LEAVES.to_owned()).await;
        // A ping is not turned round by that.
        take_address(&lab, ends).await;
    }
    proves_nothing(&ask_all(&mut lab).await);
}

/// Nothing of it leaves, and no group is asked.
#[sglab::test]
async fn what_an_instance_asks_of_its_own_address_is_its_own_word() {
    let mut lab = cloud().await;
    for family in FAMILIES {
        for (service, open) in [(tcp(80), true), (Service::IcmpEcho, true), (tcp(4000), false)] {
            let itself = Flow { from: flow("b", "b", service).from, ..over(&lab, INSIDE, family, service) };
            let seen = probe(&mut lab, itself).await;
            assert_eq!(is_open(&seen.outcome), open, "{seen:?}");
            assert_eq!(matches!(seen.outcome, Outcome::Refused { .. }), !open, "{seen:?}");
            assert!(!seen.timed_out, "{seen:?}");
        }
    }
}

#[sglab::test]
async fn a_sender_that_takes_the_address_it_asks_proves_nothing() {
    let mut lab = cloud().await;
    for ends in ENDS {
        take_address(&lab, ends).await;
    }
    proves_nothing(&ask_all(&mut lab).await);
}

#[sglab::test]
async fn a_sender_that_lets_its_question_out_and_answers_itself_proves_nothing() {
    let mut lab = cloud().await;
    for ends in [INSIDE, ENDS[1]] {
        let sender = node(&lab, ends.from);
        let targets = FAMILIES.map(|family| asked_address(&lab, ends, family));
        let let_out = move |peer: SocketAddr| {
            let (source, target) = match peer.ip() {
                IpAddr::V6(it) => {
                    it.to_ipv4_mapped().map_or((IpAddr::V6(it), targets[1]), |four| (four.into(), targets[0]))
                }
                four => (four, targets[0]),
            };
            begin(SocketAddr::new(source, peer.port()), SocketAddr::new(target, 4000));
        };
        answer(&sender, Words::As(ends.to), let_out).await;
        nft_script(&sender, TAKE_WHAT_LEAVES.to_owned()).await;
        for family in FAMILIES {
            let asked = over(&lab, ends, family, tcp(4000));
            let seen = probe(&mut lab, asked).await;
            let Outcome::Inconclusive { why } = &seen.outcome else { panic!("{}: {:?}", seen.flow, seen.outcome) };
            let why = why.to_string();
            assert!(!seen.records.is_empty(), "the question has left: {why}");
        }
    }
}

#[sglab::test]
async fn a_sender_that_makes_no_beginning_of_its_question_proves_nothing() {
    let mut lab = cloud().await;
    let turn = "table inet lie { chain out { type filter hook output priority 0; tcp flags & (syn | ack) == syn tcp flags set ack\n }\n}\n";
    for ends in ENDS {
        nft_script(&node(&lab, ends.from), turn.to_owned()).await;
    }
    for (seen, truth) in ask_all(&mut lab).await {
        if matches!(seen.flow.service, Service::Tcp(_)) {
            assert!(is_inconclusive(&seen.outcome), "{}: {:?}", seen.flow, seen.outcome);
        } else {
            says_nothing_false("other protocols", &[(seen, truth)]);
        }
    }
}

/// A chain of an end's own, with one rule.
fn own(hook: &str, rule: &str) -> String {
    format!("table inet own {{ chain own {{ type filter hook {hook} priority 0; {rule}\n }}\n}}\n")
}

/// The same at its link, before or behind all else.
fn at_link(hook: &str, rule: &str) -> String {
    let at = format!("type filter hook {hook} device \"eth0\" priority 0;");
    format!("table netdev own {{ chain own {{ {at} {rule}\n }}\n}}\n")
}

#[sglab::test]
async fn a_sender_that_breaks_is_never_taken_for_the_filter() {
    let scripts = [
        own("output", "drop"),
        own("output", "meta l4proto tcp reject with tcp reset"),
        own("output", "meta l4proto { tcp, udp } reject with icmpx port-unreachable"),
        own("output", "reject with icmpx admin-prohibited"),
        // As if it came from somebody else.
        own("output", "ip saddr set 10.0.200.200; ip6 saddr set 2001:db8::99"),
        at_link("egress", "meta l4proto { tcp, udp } drop"),
        // Answers, and what refuses, do not come.
        at_link("ingress", "meta protocol { ip, ip6 } drop"),
    ];
    let words = ["link set eth0 down", "link del eth0", "address flush dev eth0", "route flush table main"];
    nothing_false_of_broken(&ENDS.map(|ends| ends.from), &scripts, &words).await;
}

/// Breaks ends, each time by one script of nft or one command of ip, and asks everything.
async fn nothing_false_of_broken(names: &[&str], scripts: &[String], words: &[&str]) {
    let scripts = scripts.iter().map(|script| (Some(script.clone()), script.as_str()));
    let broken: Vec<_> = scripts.chain(words.iter().map(|words| (None, *words))).collect();
    let tried = broken.into_iter().map(|(script, what)| async move {
        let mut lab = cloud().await;
        for name in names {
            match &script {
                Some(script) => nft_script(&node(&lab, name), script.clone()).await,
                None => drop(run(&node(&lab, name), "ip", what).await),
            }
        }
        says_nothing_false(what, &ask_all(&mut lab).await);
    });
    // Most of the time they wait.
    futures::stream::iter(tried).buffer_unordered(4).collect::<()>().await;
}

#[sglab::test]
async fn a_receiver_that_hides_what_comes_and_sends_it_back_is_not_dropped() {
    let mut lab = cloud().await;
    for name in RECEIVERS {
        hide_and_send_back(&lab, name).await;
    }
    let found = ask_all(&mut lab).await;
    says_nothing_false("hidden and sent back", &found);
    for (seen, truth) in &found {
        // The filter's own drops, and what was left alone, are as before.
        match (truth, seen.flow.service) {
            (Truth::Dropped, _) => assert!(is_dropped(&seen.outcome), "{seen:?}"),
            (_, Service::IcmpEcho) => assert!(is_open(&seen.outcome), "{seen:?}"),
            _ => assert!(is_inconclusive(&seen.outcome), "{seen:?}"),
        }
    }
}

/// What comes to the receivers is answered by a liar.
async fn answered(words: Words) -> Lab {
    let lab = cloud().await;
    for name in RECEIVERS {
        let receiver = node(&lab, name);
        answer(&receiver, words, |_| ()).await;
        nft_script(&receiver, TAKE_WHAT_COMES.to_owned()).await;
    }
    lab
}

/// Whether [`TAKE_WHAT_COMES`] gives it to the liar, if it comes, and somebody honest would have answered.
fn is_taken(service: Service) -> bool {
    [tcp(80), udp(5000)].contains(&service)
}

#[sglab::test]
async fn a_receiver_that_answers_by_anothers_name_accuses_nobody() {
    let mut lab = answered(Words::As("c")).await;
    for (seen, _) in ask_all(&mut lab).await {
        if is_taken(seen.flow.service) {
            assert!(is_inconclusive(&seen.outcome), "{}: {:?}", seen.flow, seen.outcome);
        }
    }
}

#[sglab::test]
async fn a_receiver_that_swallows_or_changes_the_token_proves_nothing() {
    for words in [Words::None, Words::Garbage] {
        let mut lab = answered(words).await;
        for (seen, truth) in ask_all(&mut lab).await {
            if is_taken(seen.flow.service) {
                assert!(is_inconclusive(&seen.outcome), "{}: {:?}", seen.flow, seen.outcome);
            } else if truth == Truth::Dropped {
                assert!(is_dropped(&seen.outcome), "{}: {:?}", seen.flow, seen.outcome);
            }
        }
    }
}

/// Whoever holds the port is the receiver's own affair.
#[sglab::test]
async fn a_receiver_that_answers_in_place_of_the_harness_is_open() {
    let mut lab = cloud().await;
    for name in RECEIVERS {
        let receiver = node(&lab, name);
        answer_as(&receiver, name).await;
        nft_script(&receiver, TAKE_WHAT_COMES.to_owned()).await;
    }
    for (seen, truth) in ask_all(&mut lab).await {
        assert_eq!(is_open(&seen.outcome), truth != Truth::Dropped, "{}: {:?}", seen.flow, seen.outcome);
        assert_eq!(is_dropped(&seen.outcome), truth == Truth::Dropped, "{}: {:?}", seen.flow, seen.outcome);
    }
}

#[sglab::test]
async fn a_receiver_that_breaks_is_never_taken_for_the_filter() {
    let scripts = [
        own("input", "drop"),
        own("input", "meta l4proto tcp reject with tcp reset"),
        own("input", "meta l4proto { tcp, udp } reject with icmpx port-unreachable"),
        own("input", "reject with icmpx host-unreachable"),
        own("input", "reject with icmpx admin-prohibited"),
        // Its answers come from nobody.
        own("output", "ip saddr set 10.0.200.200; ip6 saddr set 2001:db8::99"),
        at_link("ingress", "meta protocol { ip, ip6 } drop"),
        at_link("egress", "meta l4proto { tcp, udp } drop"),
    ];
    let words =
        ["link set eth0 down", "link del eth0", "address flush dev eth0", "link set eth0 address 02:00:00:00:00:77"];
    nothing_false_of_broken(&RECEIVERS, &scripts, &words).await;
}

/// Moves an end's own side of its link to a namespace of its own, and has it up there; gives the process that holds that.
async fn move_link(lab: &Lab, name: &str) -> nix::unistd::Pid {
    let end = node(lab, name);
    let made = inside(&end, || {
        let program = |name| sglab::sandbox::which::find_program(name).expect("it is there");
        let mut child = std::process::Command::new(program("unshare")).args(["--net", "sleep", "60"]).spawn()?;
        let id = child.id();
        let path = format!("/proc/{id}/ns/net");
        let here = std::fs::read_link("/proc/thread-self/ns/net")?;
        while std::fs::read_link(&path)? == here {
            std::thread::yield_now();
        }
        let ip = program("ip");
        for words in [format!("link set eth0 netns {id}"), format!("--net={path} {} link set eth0 up", ip.display())] {
            let by = if words.starts_with("--net") { program("nsenter") } else { ip.clone() };
            let done = std::process::Command::new(by).args(words.split_whitespace()).status()?;
            assert!(done.success(), "{words}");
        }
        Ok::<_, std::io::Error>((child.id(), child.try_wait()?))
    });
    let (child, ended) = made.await.expect("a namespace of its own");
    assert!(ended.is_none());
    nix::unistd::Pid::from_raw(i32::try_from(child).expect("an id"))
}

#[sglab::test]
async fn a_link_that_leads_elsewhere_proves_nothing() {
    let mut lab = cloud().await;
    let mut holders = Vec::new();
    for name in RECEIVERS {
        holders.push(move_link(&lab, name).await);
    }
    for (seen, _) in ask_all(&mut lab).await {
        assert!(is_inconclusive(&seen.outcome), "{}: {:?}", seen.flow, seen.outcome);
    }
    for holder in holders {
        nix::sys::signal::kill(holder, nix::sys::signal::Signal::SIGKILL).expect("it ends");
    }
}

async fn hold(lab: &mut Lab, ends: Ends, family: Family, service: Service) -> ConnectionName {
    let name = format!("{}-{family:?}-{service}", ends.from).replace(['/', ':'], "-");
    let name = ConnectionName::new(name);
    let asked = over(lab, ends, family, service);
    lab.open(&name, &asked).await.unwrap_or_else(|error| panic!("{error}"));
    name
}

#[sglab::test]
async fn a_client_that_answers_itself_holds_nothing_open() {
    futures::future::join_all(ENDS.map(client_that_answers_itself)).await;
}

async fn client_that_answers_itself(ends: Ends) {
    let mut lab = cloud().await;
    let mut held = Vec::new();
    for (family, service) in [(Family::Ipv4, tcp(80)), (Family::Ipv6, udp(5000)), (Family::Ipv6, Service::IcmpEcho)] {
        held.push(hold(&mut lab, ends, family, service).await);
    }
    for name in &held {
        let found = lab.examine(name).await.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(found, Held::Alive, "{name:?}");
    }
    let sender = node(&lab, ends.from);
    answer_as(&sender, ends.to).await;
    take_address(&lab, ends).await;
    nft_script(&sender, TAKE_WHAT_LEAVES.to_owned()).await;
    for name in &held {
        let found = lab.examine(name).await.unwrap_or_else(|error| panic!("{error}"));
        assert!(matches!(found, Held::Inconclusive { .. } | Held::Gone { .. }), "{name:?}: {found:?}");
    }
    for (family, service) in [(Family::Ipv6, tcp(80)), (Family::Ipv4, udp(5000)), (Family::Ipv4, Service::IcmpEcho)] {
        let asked = over(&lab, ends, family, service);
        let opened = lab.open(&ConnectionName::new("late"), &asked).await;
        assert!(opened.is_err(), "{asked}: nobody but the client itself has answered");
    }
}

#[sglab::test]
async fn a_server_that_hides_and_forges_cuts_nothing() {
    futures::future::join_all(ENDS.map(server_that_hides_and_forges)).await;
}

async fn server_that_hides_and_forges(ends: Ends) {
    let mut lab = cloud().await;
    let mut held = Vec::new();
    for family in FAMILIES {
        held.push(hold(&mut lab, ends, family, tcp(80)).await);
        held.push(hold(&mut lab, ends, family, udp(5000)).await);
    }
    // What it sends itself is in no connection's place, and so dropped on record.
    let odd = "table inet lie { chain out { type filter hook output priority 0; tcp sport 80 tcp flags set fin | syn | rst\n }\n}\n";
    hide_and_send_back(&lab, ends.to).await;
    nft_script(&node(&lab, ends.to), odd.to_owned()).await;
    for name in &held {
        let found = lab.examine(name).await.unwrap_or_else(|error| panic!("{error}"));
        assert!(matches!(found, Held::Inconclusive { .. }), "{name:?}: {found:?}");
    }
}

#[sglab::test]
async fn a_receiver_that_hides_packets_of_traffic_has_got_them() {
    let mut lab = cloud().await;
    for name in RECEIVERS {
        hide_and_send_back(&lab, name).await;
    }
    let of = |ends| FAMILIES.map(|family| [over(&lab, ends, family, udp(5000)), over(&lab, ends, family, tcp(80))]);
    let flows: Vec<Flow> = ENDS.into_iter().flat_map(of).flatten().collect();
    let traffic = lab.begin_traffic(&flows).await.unwrap_or_else(|error| panic!("{error}"));
    traffic.flows_on(200).await;
    let trace = lab.end_traffic(traffic).await;
    for (flow, packets) in flows.iter().zip(&trace.streams) {
        let sent: Vec<_> = packets.iter().filter(|packet| packet.part != Part::Back).collect();
        assert!(sent.len() > 5, "{flow}: {}", sent.len());
        for packet in sent {
            assert!(packet.drop.is_none(), "{flow}: {packet:?}");
            assert!(packet.arrived || trace.blind.is_some(), "{flow}: {packet:?}");
        }
    }
}

/// What is to become of packets from each end; the first two come through, the others do not.
const TRAFFIC: [Service; 4] =
    [Service::Tcp(Port(80)), Service::Udp(Port(5000)), Service::Tcp(Port(81)), Service::Udp(Port(5001))];

#[sglab::test]
async fn an_end_of_traffic_that_sends_nothing_or_something_else_makes_nothing_lost_or_leaked() {
    let scripts = [
        None,
        Some(own("output", "meta l4proto { tcp, udp } drop")),
        Some(own("output", "meta l4proto { tcp, udp } numgen inc mod 3 == 0 drop")),
        Some(own("output", "ip saddr set 10.0.0.77; ip6 saddr set 2001:db8::99")),
        // To a port that is closed, from one that is closed, and from one that is open.
        Some(own("output", "udp dport 5000 udp dport set 5001; tcp dport 80 tcp dport set 81")),
        Some(own("output", "udp dport 5001 udp dport set 5000; tcp dport 81 tcp dport set 80")),
        Some(own("output", "udp sport 5000 udp sport set 5001")),
        // The router ends it without a record.
        Some(own("output", "meta l4proto { tcp, udp } ip ttl set 1")),
        Some(own("output", "meta l4proto { tcp, udp } ip6 hoplimit set 1")),
        Some(own("output", "tcp flags & (syn | ack) == syn tcp flags set ack")),
        Some(at_link("egress", "meta protocol ip @nh,80,16 set 0x1234")),
        // It holds packets of the connection back, and lets answers come as something new.
        Some(own("output", "udp sport != 5000 udp dport { 5000, 5001 } drop")),
    ];
    // Honest ends, and each lie as one of the users that run this.
    let ours = scripts.into_iter().enumerate().filter(|(number, script)| script.is_none() || is_ours(*number));
    let tried = ours.map(|(_, script)| async move {
        for liars in [ENDS.map(|ends| ends.from), ["b", "b", "world"]] {
            let mut lab = cloud().await;
            let flows: Vec<Flow> = ENDS
                .into_iter()
                .flat_map(|ends| FAMILIES.map(|family| TRAFFIC.map(|service| over(&lab, ends, family, service))))
                .flatten()
                .collect();
            for name in liars.iter().collect::<std::collections::HashSet<_>>() {
                if let Some(script) = &script {
                    nft_script(&node(&lab, name), script.clone()).await;
                }
            }
            let traffic = lab.begin_traffic(&flows).await.unwrap_or_else(|error| panic!("{error}"));
            traffic.flows_on(400).await;
            let trace = lab.end_traffic(traffic).await;
            let what = format!("{script:?} {liars:?}");
            for (flow, packets) in flows.iter().zip(&trace.streams) {
                let comes_through = [tcp(80), udp(5000)].contains(&flow.service);
                for packet in packets {
                    if comes_through {
                        assert!(packet.arrived || trace.blind.is_some(), "{what}: lost: {flow}: {packet:?}");
                    } else if packet.part == Part::New {
                        // Who has sent takes what comes back, and `b` sends as well: a later packet may arrive.
                        assert!(!packet.arrived, "{what}: leaked: {flow}: {packet:?}");
                    }
                }
                if script.is_none() {
                    assert!(packets.len() > 5 && trace.blind.is_none(), "{flow}: {:?}", trace.blind);
                }
            }
        }
    });
    futures::stream::iter(tried).buffer_unordered(2).collect::<()>().await;
}

/// Answers every question for an address at a port of the end's own: with an address, or that there is no such name.
async fn answer_names(lab: &Lab, name: &str, address: Option<[u8; 4]>) {
    // Where questions are redirected to, so that the answer is given the resolver's address on its way back.
    let opened = inside(&node(lab, name), || std::net::UdpSocket::bind("127.0.0.1:5353")).await;
    let socket = opened.expect("a socket");
    std::thread::spawn(move || {
        let mut asked = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut asked) {
            let mut answer = asked[..length].to_vec();
            answer[2..4].copy_from_slice(&[0x85, if address.is_some() { 0x80 } else { 0x83 }]);
            if let Some(address) = address {
                answer[6..8].copy_from_slice(&[0, 1]);
                answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4]);
                answer.extend(address);
            }
            drop(socket.send_to(&answer, from));
        }
    });
    let script =
        "table inet names { chain out { type nat hook output priority -100; udp dport 53 redirect to :5353\n }\n}\n";
    nft_script(&node(lab, name), script.to_owned()).await;
}

#[sglab::test]
async fn a_sender_that_asks_a_resolver_of_its_own_proves_nothing() {
    let asked = |lab: &Lab| {
        let by_name = |ends, service| Flow { via: Via::Dns, ..over(lab, ends, Family::Ipv4, service) };
        let flows: Vec<Flow> = [tcp(80), tcp(81), udp(5000)]
            .iter()
            .flat_map(|it| [by_name(ENDS[0], *it), by_name(ENDS[1], *it)])
            .collect();
        flows
    };
    let mut lab = cloud().await;
    let flows = asked(&lab);
    for (seen, flow) in outcomes(&mut lab, &flows).await.iter().zip(&flows) {
        assert_eq!(is_open(seen), flow.service != tcp(81), "{flow}: {seen:?}");
        assert_eq!(is_dropped(seen), flow.service == tcp(81), "{flow}: {seen:?}");
    }
    let of_c = private(lab.cloud(), "c").0.octets();
    let public_of_b = public(lab.cloud(), "b").0.octets();
    for said in
        [Some(of_c), Some([10, 0, 200, 200]), Some(public_of_b), Some(private(lab.cloud(), "b").0.octets()), None]
    {
        let mut lab = cloud().await;
        for name in ["a", "office"] {
            answer_names(&lab, name, said).await;
        }
        let batch = lab.probe(&flows).await.unwrap_or_else(|error| panic!("{error}"));
        for seen in batch.observations {
            let Outcome::Inconclusive { why } = &seen.outcome else { panic!("{said:?}: {seen:?}") };
            let why = why.to_string();
            assert!(why.contains("is not what the resolver has said"), "{said:?} {} {why}", seen.flow);
        }
    }
}

#[sglab::test]
async fn an_asker_that_answers_in_a_services_place_proves_nothing() {
    let redirected = "table inet turned { chain out { type nat hook output priority -100; \
        ip daddr 169.254.0.0/16 meta l4proto { tcp, udp } redirect to :5353\n }\n}\n";
    let refused = "table inet turned { chain out { type filter hook output priority 0; \
        ip daddr 169.254.0.0/16 tcp dport 80 reject with tcp reset; ip daddr 169.254.0.0/16 udp dport 123 reject\n }\n}\n";
    let a = sglab::model::InstanceName::new("a");
    for (script, in_place_of_its_id) in [(redirected, None), (redirected, Some("i-0123456789abcdef0")), (refused, None)]
    {
        let lab = cloud().await;
        nft_script(&node(&lab, "a"), script.to_owned()).await;
        let said = in_place_of_its_id.map_or_else(|| lab.cloud().instances["a"].id.to_string(), str::to_owned);
        let place = node(&lab, "a");
        let listening = inside(&place, || {
            let at = "127.0.0.1:5353";
            Ok::<_, std::io::Error>((std::net::TcpListener::bind(at)?, std::net::UdpSocket::bind(at)?))
        });
        let (pages, times) = listening.await.expect("sockets");
        std::thread::spawn(move || {
            let (mut stream, _) = pages.accept()?;
            std::io::Read::read(&mut stream, &mut [0; 4096])?;
            let length = said.len();
            let page = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{said}");
            std::io::Write::write_all(&mut stream, page.as_bytes())
        });
        std::thread::spawn(move || {
            let mut asked = [0; 512];
            let (_, from) = times.recv_from(&mut asked)?;
            let mut answer = [0; 48];
            answer[..2].copy_from_slice(&[4 << 3 | 4, 3]);
            answer[24..32].copy_from_slice(&asked[40..48]);
            times.send_to(&answer, from)
        });
        for service in [VpcService::Metadata, VpcService::Time] {
            let asked = lab.ask_service(&a, service).await.expect("a lab");
            let ServiceResponse::Inconclusive { why } = asked else { panic!("{service}: {asked:?}") };
            assert_eq!(why.contains("is not what the service has said"), script == redirected, "{service}: {why}");
        }
    }
}
