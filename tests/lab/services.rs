//! The services that groups never filter: what they say, to whom, and that nothing else is open beside them.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use sglab::compile::services::zone::{private_name, public_name};
use sglab::lab::{Lab, ServiceResponse};
use sglab::model::{Direction, Era, Flow, GroupName, InstanceName, Operation, Via, VpcService};
use sglab::network::record::Record;
use sglab::probe::{Outcome, Resolution};
use socket2::{Domain, Protocol, Socket, Type};

use crate::bare::{Bare, inside, nft_script, soon};
use crate::clients::*;
use crate::clouds::*;

const CLOUD: &str = "sglab: 1
era: [article, classic, vpc]
hosts: {office: 203.0.113.10}
groups: {WEB: [tcp 80 from office], DB: [tcp 3306 from WEB]}
instances: {web1: {groups: [WEB]}, db1: {groups: [DB]}}
scenario: [{step: as launched, expect: {open: ['web1 -> db1:3306']}}]
";

const FENCED: &str = "sglab: 1
era: vpc
groups: {NONE: {ingress: [], egress: []}, OTHER: []}
instances: {web1: {groups: [NONE]}, db1: {groups: [OTHER]}}
scenario: [{step: as launched, expect: {dropped: ['web1 -> db1:80']}}]
";

const OUTSIDE: [u8; 4] = [198, 18, 0, 2];

/// The resolvers that an era tells its instances of.
fn resolvers(era: Era) -> Vec<Ipv4Addr> {
    match era {
        Era::Article | Era::Classic => vec![[172, 16, 0, 23].into()],
        Era::Vpc => vec![[10, 0, 0, 2].into(), [169, 254, 169, 253].into()],
    }
}

#[sglab::test]
async fn a_public_name_is_the_private_address_inside_and_the_public_one_outside() {
    for era in Era::ALL {
        let lab = boot(&topology(CLOUD), era).await;
        let (own, other) = (private(lab.cloud(), "db1"), public(lab.cloud(), "db1"));
        let name = public_name(other);
        for resolver in resolvers(era) {
            let said = dig(&node(&lab, "web1"), address(resolver), &name, A).await;
            assert_eq!(said, Some((0, Some(own.0.into()))), "era {era}, {resolver}");
        }
        let said = dig(&node(&lab, "office"), address(OUTSIDE), &name, A).await;
        assert_eq!(said, Some((0, Some(other.0.into()))), "era {era}, from outside");
        // A private name is nobody's business outside.
        let private_name = private_name(own);
        let resolver = address(resolvers(era)[0]);
        assert_eq!(dig(&node(&lab, "web1"), resolver, &private_name, A).await, Some((0, Some(own.0.into()))));
        assert_eq!(dig(&node(&lab, "office"), address(OUTSIDE), &private_name, A).await, Some((3, None)));
        let there = resolvers(if era == Era::Vpc { Era::Classic } else { Era::Vpc });
        for resolver in there {
            let said = dig(&node(&lab, "web1"), address(resolver), &private_name, A).await;
            assert_eq!(said, None, "era {era} has no resolver at {resolver}");
        }
    }
}

#[sglab::test]
async fn a_name_has_the_new_address_at_once_after_a_restart() {
    for era in [Era::Article, Era::Classic] {
        let mut lab = boot(&topology(CLOUD), era).await;
        let resolver = address(resolvers(era)[0]);
        let (old, old_name) = (private(lab.cloud(), "db1"), public_name(public(lab.cloud(), "db1")));
        let asked = |lab: &Lab, name: &str| {
            let (web1, name) = (node(lab, "web1"), name.to_owned());
            async move { dig(&web1, resolver, &name, A).await.expect("an answer") }
        };
        assert_eq!(asked(&lab, "db1").await, (0, Some(old.0.into())));
        change(&mut lab, &stop("db1")).await;
        assert_eq!(asked(&lab, "db1").await, (3, None), "while it is stopped it has no address");
        change(&mut lab, &start("db1")).await;
        let (new, new_name) = (private(lab.cloud(), "db1"), public_name(public(lab.cloud(), "db1")));
        assert_ne!((new, &new_name), (old, &old_name));
        assert_eq!(asked(&lab, &new_name).await, (0, Some(new.0.into())));
        assert_eq!(asked(&lab, "db1.sglab.internal").await, (0, Some(new.0.into())));
        assert_eq!(asked(&lab, &old_name).await, (3, None));
        // And what was refused changes no name.
        assert!(lab.apply(&Operation::Reboot(InstanceName::new("nobody"))).await.is_err());
        assert_eq!(asked(&lab, &new_name).await, (0, Some(new.0.into())));
    }
}

#[sglab::test]
async fn a_resolver_answers_over_tcp_and_says_what_it_does_not_know() {
    let lab = boot(&topology(CLOUD), Era::Vpc).await;
    let web1 = node(&lab, "web1");
    let asked = question("web1", A);
    let framed = [u16::try_from(asked.len()).expect("short").to_be_bytes().as_slice(), &asked].concat();
    let asking = move || {
        let mut stream = TcpStream::connect_timeout(&SocketAddr::from(([10, 0, 0, 2], 53)), soon())?;
        stream.set_read_timeout(Some(soon()))?;
        let mut answers = Vec::new();
        // Twice over one connection.
        for _ in 0..2 {
            stream.write_all(&framed)?;
            let mut length = [0; 2];
            stream.read_exact(&mut length)?;
            let mut answer = vec![0; u16::from_be_bytes(length).into()];
            stream.read_exact(&mut answer)?;
            answers.push(answer);
        }
        std::io::Result::Ok(answers)
    };
    let own = private(lab.cloud(), "web1").0.into();
    for answer in inside(&web1, asking).await.expect("answers over TCP") {
        assert_eq!(read_answer(&answer, &asked), (0, Some(own)));
    }
    let resolver = address([10, 0, 0, 2]);
    assert_eq!(dig(&web1, resolver, "example.com", A).await, Some((3, None)), "nothing is asked of the real world");
    assert_eq!(dig(&web1, resolver, "web1", AAAA).await, Some((0, None)), "a name without such a record");
    assert_eq!(dig(&web1, resolver, "office", A).await, Some((0, Some(address([203, 0, 113, 10])))));
}

#[sglab::test]
async fn an_instance_that_lets_nothing_out_and_nothing_in_reaches_its_services() {
    let mut lab = boot(&topology(FENCED), Era::Vpc).await;
    assert_eq!(
        dropped_at(&probe(&mut lab, flow("web1", "db1", tcp(80))).await.outcome),
        Some((Direction::Egress, "web1".into())),
        "nothing else leaves it"
    );
    let web1 = node(&lab, "web1");
    let own = private(lab.cloud(), "web1").0.into();
    for resolver in resolvers(Era::Vpc) {
        assert_eq!(dig(&web1, address(resolver), "web1", A).await, Some((0, Some(own))));
    }
    assert_eq!(get(&lab, "web1", "/latest/meta-data/local-ipv4").await, (200, own.to_string()));
    let answer = time(&web1, address([169, 254, 169, 123])).await.expect("the time");
    assert_eq!((answer.len(), answer[0], &answer[24..32]), (48, 0x24, b"a client".as_slice()));
    let seconds = u32::from_be_bytes(answer[40..44].try_into().expect("four bytes")).wrapping_sub(2_208_988_800);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs();
    assert!(now.abs_diff(seconds.into()) <= 2, "the clock of this machine: {seconds}");
}

#[sglab::test]
async fn an_instance_reads_of_itself_and_of_its_groups_of_now() {
    let mut lab = boot(&topology(CLOUD), Era::Vpc).await;
    for name in ["web1", "db1"] {
        let (own, other) = (private(lab.cloud(), name).to_string(), public(lab.cloud(), name).to_string());
        assert_eq!(get(&lab, name, "/latest/meta-data/local-ipv4").await, (200, own));
        assert_eq!(get(&lab, name, "/latest/meta-data/public-ipv4").await, (200, other));
        let mac = crate::bare::run(&node(&lab, name), "ip", "-o link show eth0").await;
        let (status, said) = get(&lab, name, "/latest/meta-data/mac").await;
        assert!(status == 200 && mac.contains(&format!("link/ether {said}")), "{said}: {mac}");
    }
    assert_eq!(get(&lab, "web1", "/latest/meta-data/security-groups").await, (200, "WEB".into()));
    let ids = [
        get(&lab, "web1", "/latest/meta-data/instance-id").await,
        get(&lab, "db1", "/latest/meta-data/instance-id").await,
    ];
    assert!(
        ids.iter().all(|(status, id)| *status == 200 && id.starts_with("i-") && id.len() == 19) && ids[0] != ids[1]
    );
    let groups = [GroupName::new("DB"), GroupName::new("WEB")].into_iter().collect();
    change(&mut lab, &Operation::SetGroups(sglab::model::Target::Instance(InstanceName::new("web1")), groups)).await;
    assert_eq!(get(&lab, "web1", "/latest/meta-data/security-groups").await, (200, "DB\nWEB".into()));
    let old = public(lab.cloud(), "web1");
    change(&mut lab, &stop("web1")).await;
    change(&mut lab, &start("web1")).await;
    let new = public(lab.cloud(), "web1");
    assert_ne!(new, old);
    assert_eq!(get(&lab, "web1", "/latest/meta-data/public-ipv4").await, (200, new.to_string()));
    assert_eq!(get(&lab, "web1", "/latest/meta-data/instance-id").await, ids[0], "a restart is no other instance");
    let hidden = topology(&FENCED.replace("groups: [NONE]}", "groups: [NONE], public: no}"));
    let lab = boot(&hidden, Era::Vpc).await;
    assert_eq!(get(&lab, "web1", "/latest/meta-data/public-ipv4").await.0, 404);
}

#[sglab::test]
async fn a_session_token_is_asked_for_and_shown() {
    let lab = boot(&topology(CLOUD), Era::Vpc).await;
    let shown = |token: &str| format!("X-aws-ec2-metadata-token: {token}\r\n");
    let path = "/latest/meta-data/local-ipv4";
    let (status, good) = token(&lab, "web1", "60").await;
    assert_eq!(status, 200);
    assert_eq!(get_with(&lab, "web1", path, &shown(&good)).await.0, 200);
    assert_eq!(get_with(&lab, "web1", path, &shown("invented")).await.0, 401);
    assert_eq!(get_with(&lab, "db1", path, &shown(&good)).await.0, 401, "it is web1's");
    assert_eq!(get(&lab, "web1", path).await.0, 200, "version 1 is answered too");
    for ttl in ["0", "21601", "soon"] {
        assert_eq!(token(&lab, "web1", ttl).await.0, 400, "{ttl}");
    }
    let (_, short) = token(&lab, "web1", "1").await;
    let (begun, mut taken) = (Instant::now(), 0);
    while get_with(&lab, "web1", path, &shown(&short)).await.0 != 401 {
        assert!(begun.elapsed() < soon(), "its second is over");
        taken += 1;
    }
    assert!(taken > 0, "it was never good");
}

#[sglab::test]
async fn what_is_not_served_is_dropped_on_record() {
    // With the services up, nothing is open beside them.
    let lab = boot(&topology(CLOUD), Era::Vpc).await;
    let web1 = node(&lab, "web1");
    for to in [([10, 0, 0, 2], 80), ([169, 254, 169, 254], 53), ([169, 254, 169, 123], 80), ([169, 254, 1, 1], 53)] {
        assert!(swallows(&web1, to).await, "{to:?}");
    }
    assert!(is_silent(&web1, address([169, 254, 169, 254]), "web1").await);
    drop(lab);
    // And the filter says why.
    let bare = Bare::boot(initial_cloud(&topology(CLOUD), Era::Vpc).0).await;
    let mut log = bare.log("vpc-default").await;
    let own = private(&bare.cloud, "web1").0;
    for to in [[10, 0, 0, 2], [169, 254, 169, 254], [169, 254, 169, 123], [169, 254, 1, 1]].map(Ipv4Addr::from) {
        let socket = inside(&bare.node("web1"), move || UdpSocket::bind((own, 0))).await.expect("a socket");
        socket.send_to(b"anybody?", (to, 9)).expect("sent");
        let (record, tuple, _) = log.next_drop();
        assert_eq!((record, tuple.destination, tuple.destination_port), (Record::Unserved, to.into(), 9));
    }
    // An address beside them that nobody holds is nobody's, as ever.
    let reached = connect(&bare.node("web1"), ([10, 0, 0, 3], 53)).await;
    assert_eq!(reached, Err(ErrorKind::HostUnreachable));
}

#[sglab::test]
async fn the_services_are_for_instances_and_lead_nowhere_else() {
    let mut lab = boot(&topology(CLOUD), Era::Vpc).await;
    // From outside there is no way to them, and from the gateway they do not answer.
    for to in [[10, 0, 0, 2], [169, 254, 169, 253]] {
        assert!(is_silent(&node(&lab, "office"), address(to), "web1").await);
        assert!(is_silent(&node(&lab, "gateway-default"), address(to), "web1").await);
    }
    assert!(swallows(&node(&lab, "gateway-default"), ([169, 254, 169, 254], 80)).await);
    // A question in another's name never comes to them, so nobody is sent an answer that he has not asked for.
    let (web1, db1) = (private(lab.cloud(), "web1").0, private(lab.cloud(), "db1").0);
    let mut packet = Vec::new();
    let builder = etherparse::PacketBuilder::ipv4(db1.octets(), [10, 0, 0, 2], 64).udp(5353, 53);
    builder.write(&mut packet, &question("web1", A)).expect("a vector takes it");
    let victim = inside(&node(&lab, "db1"), move || UdpSocket::bind((db1, 5353))).await.expect("a socket");
    victim.set_read_timeout(Some(Duration::from_millis(300))).expect("a timeout");
    let forger = node(&lab, "web1");
    let forged = inside(&forger, move || {
        let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(libc::IPPROTO_RAW)))?;
        socket.send_to(&packet, &SocketAddr::from(([10, 0, 0, 2], 0)).into())
    });
    forged.await.expect("it leaves the sender");
    assert_eq!(victim.recv(&mut [0; 512]).expect_err("silence").kind(), ErrorKind::WouldBlock);
    // In the victim's own hand the same question is answered.
    victim.set_read_timeout(Some(soon())).expect("a timeout");
    victim.send_to(&question("web1", A), "10.0.0.2:53").expect("sent");
    let mut answer = [0; 512];
    let length = victim.recv(&mut answer).expect("an answer");
    assert_eq!(read_answer(&answer[..length], &question("web1", A)), (0, Some(web1.into())));
    // And from a service's port the groups judge as from any other.
    assert!(is_dropped(&probe(&mut lab, flow("db1", "web1", tcp(80))).await.outcome));
}

#[sglab::test]
async fn a_resolver_outside_is_a_stranger_to_the_groups() {
    let lab = boot(&topology(CLOUD), Era::Vpc).await;
    let name = public_name(public(lab.cloud(), "db1"));
    let said = dig(&node(&lab, "web1"), address(OUTSIDE), &name, A).await;
    assert_eq!(said, Some((0, Some(public(lab.cloud(), "db1").0.into()))), "it knows the view from outside");
    let fenced = boot(&topology(FENCED), Era::Vpc).await;
    assert!(is_silent(&node(&fenced, "web1"), address(OUTSIDE), &name).await);
}

#[sglab::test]
async fn over_ipv6_they_are_the_same() {
    let text = FENCED.replacen("groups:", "vpcs: {main: {cidr: 10.0.0.0/16, ipv6: yes}}\ngroups:", 1);
    let lab = boot(&topology(&text), Era::Vpc).await;
    let web1 = node(&lab, "web1");
    let at = |last: u16| IpAddr::from([0xfd00, 0xec2, 0, 0, 0, 0, 0, last]);
    let interface = &lab.cloud().instances[&InstanceName::new("web1")].interfaces[0];
    let (own, id) =
        (interface.ipv6.expect("an IPv6 address").0, get(&lab, "web1", "/latest/meta-data/instance-id").await);
    assert_eq!(dig(&web1, at(0x253), "web1", AAAA).await, Some((0, Some(own.into()))));
    let request = "GET /latest/meta-data/instance-id HTTP/1.0\r\n\r\n".to_owned();
    assert_eq!(http(&web1, "[fd00:ec2::254]:80", request).await, id);
    assert_eq!(time(&web1, at(0x123)).await.map(|answer| answer.len()), Some(48));
    assert!(swallows(&web1, SocketAddr::new(at(0x253), 80)).await);
}

#[sglab::test]
async fn each_resolver_takes_questions_over_tcp() {
    let text = FENCED.replacen("groups:", "vpcs: {main: {cidr: 10.0.0.0/16, ipv6: yes}}\ngroups:", 1);
    let lab = boot(&topology(&text), Era::Vpc).await;
    let resolvers = [address([10, 0, 0, 2]), address([169, 254, 169, 253]), "fd00:ec2::253".parse().expect("one")];
    for resolver in resolvers {
        assert!(connect(&node(&lab, "web1"), SocketAddr::new(resolver, 53)).await.is_ok(), "{resolver}");
    }
    let classic = boot(&topology(CLOUD), Era::Classic).await;
    let resolver = SocketAddr::new(address([172, 16, 0, 23]), 53);
    assert!(connect(&node(&classic, "web1"), resolver).await.is_ok());
}

fn by_name(flow: Flow) -> Flow {
    Flow { via: Via::Dns, ..flow }
}

#[sglab::test]
async fn by_dns_name_the_group_matches_where_the_elastic_ip_does_not() {
    for era in Era::ALL {
        let mut lab = boot(&topology(CLOUD), era).await;
        let seen = probe(&mut lab, by_name(flow("web1", "db1", tcp(3306)))).await;
        assert!(is_open(&seen.outcome), "era {era}: {:?}", seen.outcome);
        assert_eq!(seen.resolved, Some(Resolution::Address(private(lab.cloud(), "db1").0.into())));
        let outcome = probe(&mut lab, by_public(flow("web1", "db1", tcp(3306)))).await.outcome;
        assert_eq!(dropped_at(&outcome), Some((Direction::Ingress, "db1".into())));
        let outside = Flow { via: Via::Dns, ..from_host(lab.cloud(), "office", "web1", tcp(80)) };
        let seen = probe(&mut lab, outside).await;
        assert!(is_open(&seen.outcome), "era {era}: {:?}", seen.outcome);
        assert_eq!(seen.resolved, Some(Resolution::Address(public(lab.cloud(), "web1").0.into())));
    }
}

#[sglab::test]
async fn a_name_that_is_gone_proves_nothing() {
    let mut lab = boot(&topology(CLOUD), Era::Classic).await;
    change(&mut lab, &stop("db1")).await;
    let seen = probe(&mut lab, by_name(flow("web1", "db1", tcp(3306)))).await;
    let Outcome::Inconclusive { why } = &seen.outcome else { panic!("{:?}", seen.outcome) };
    let why = why.to_string();
    assert!(why.contains("there is no ec2-198-18-0-12"), "{why}");
    assert_eq!(seen.resolved, Some(Resolution::NoSuchName), "that there is no such name is evidence of its own");
}

#[sglab::test]
async fn what_no_resolver_answers_proves_nothing() {
    let mut lab = boot(&topology(CLOUD), Era::Vpc).await;
    let router = node(&lab, "vpc-default");
    nft_script(&router, "insert rule inet sglab input udp dport 53 drop\n".into()).await;
    let seen = probe(&mut lab, by_name(flow("web1", "db1", tcp(3306)))).await;
    let Outcome::Inconclusive { why } = &seen.outcome else { panic!("{:?}", seen.outcome) };
    let why = why.to_string();
    assert!(why.contains("the resolver at 10.0.0.2 gave no answer"), "the question is on the wire: {why}");
    assert_eq!(seen.resolved, Some(Resolution::NoAnswer));
    let outcome = probe(&mut lab, flow("web1", "db1", tcp(3306))).await.outcome;
    assert!(is_open(&outcome), "by address nobody is asked: {outcome:?}");
}

#[sglab::test]
async fn a_question_is_answered_by_the_service_and_by_nobody_else() {
    let lab = boot(&topology(FENCED), Era::Vpc).await;
    let web1 = InstanceName::new("web1");
    for service in VpcService::ALL {
        let asked = lab.ask_service(&web1, service).await.expect("a lab");
        assert!(matches!(asked, ServiceResponse::Answered { .. }), "{service}: {asked:?}");
    }
    let router = node(&lab, "vpc-default");
    nft_script(&router, "insert rule inet sglab input tcp dport 80 reject with tcp reset\n".into()).await;
    nft_script(&router, "insert rule inet sglab input udp dport 123 drop\n".into()).await;
    let asked = lab.ask_service(&web1, VpcService::Metadata).await.expect("a lab");
    assert!(matches!(asked, ServiceResponse::Inconclusive { .. }), "who has turned it away is not known: {asked:?}");
    let asked = lab.ask_service(&web1, VpcService::Time).await.expect("a lab");
    assert!(matches!(asked, ServiceResponse::Inconclusive { .. }), "silence is none: {asked:?}");
}
