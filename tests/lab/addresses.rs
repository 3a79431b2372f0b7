//! Addresses of interfaces on real packets: single and secondary ones, delegated prefixes and Elastic IPs.

use std::net::{Ipv4Addr, UdpSocket};

use sglab::compile::names;
use sglab::model::{
    AddressRequest, DecidedBy, Direction, ElasticIpName, Endpoint, Era, Flow, HostName, InstanceName, Operation,
    Reassociation, Service, Target, VpcName,
};
use sglab::network::NodeName;
use sglab::network::record::Record;
use sglab::probe::{DropCause, Outcome};

use crate::bare::{Bare, inside, soon, table};
use crate::clouds::*;
use crate::topologies::holds;

#[sglab::test]
async fn equal_addresses_in_two_vpcs_each_answer_for_themselves() {
    let topology = topology(
        "sglab: 1
era: vpc
hosts: {office: 203.0.113.10}
vpcs: {left: {cidr: 10.0.0.0/16}, right: {cidr: 10.0.0.0/16}}
groups:
  L: {vpc: left, ingress: [tcp 22 from office, tcp 80 from L, udp 53 from L]}
  R: {vpc: right, ingress: [tcp 22 from office, tcp 80 from R, udp 53 from R]}
instances:
  l1: {vpc: left, groups: [L], address: 10.0.0.11}
  l2: {vpc: left, groups: [L], address: 10.0.0.12}
  r1: {vpc: right, groups: [R], address: 10.0.0.11}
  r2: {vpc: right, groups: [R], address: 10.0.0.12}
scenario: [{step: as launched, expect: {open: ['l1 -> l2:80', 'r1 -> r2:80', 'r1 -> r2:53/udp', 'office -> L:22']}}]
",
    );
    let mut lab = boot(&topology, Era::Vpc).await;
    assert_eq!(private(lab.cloud(), "l1"), private(lab.cloud(), "r1"));
    // An answer names its instance, so that "open" means this one and not its double.
    let mut open: Vec<Flow> = Vec::new();
    for (one, other) in [("l1", "l2"), ("l2", "l1"), ("r1", "r2"), ("r2", "r1")] {
        open.extend([tcp(80), udp(53)].map(|service| flow(one, other, service)));
    }
    open.extend(["l1", "l2", "r1", "r2"].map(|name| from_host(lab.cloud(), "office", name, tcp(22))));
    for (flow, outcome) in open.iter().zip(outcomes(&mut lab, &open).await) {
        assert!(is_open(&outcome), "{flow}: {outcome:?}");
    }
    // From one VPC to the other there is the public path only, and no group is known there.
    let between = [("l1", "r2"), ("r2", "l1"), ("l1", "r1")].map(|(from, to)| by_public(flow(from, to, tcp(80))));
    for (flow, outcome) in between.iter().zip(outcomes(&mut lab, &between).await) {
        assert_eq!(dropped_at(&outcome), Some((Direction::Ingress, flow.to.to_string())), "{outcome:?}");
    }
}

const TIERS: &str = "sglab: 1
era: article
hosts: {office: 203.0.113.10, world: [198.51.100.7, 192.0.2.99]}
groups: {WEB: [], DB: [tcp 3306 from WEB, udp 53 from WEB], STRANGER: []}
instances: {web1: {groups: [WEB]}, web2: {groups: [WEB]}, db1: {groups: [DB]}}
scenario: [{step: as launched, expect: {open: ['web1 -> db1:3306', 'web1 -> db1:53/udp']}}]
";

#[sglab::test]
async fn a_stranger_on_an_old_address_inherits_no_tracked_flow() {
    let mut bare = Bare::boot(initial_cloud(&topology(TIERS), Era::Article).0).await;
    let mut log = bare.log("vpc-default").await;
    let (web1, db1) = (private(&bare.cloud, "web1").0, private(&bare.cloud, "db1").0);
    let bound = move |address: Ipv4Addr, port: u16| move || UdpSocket::bind((address, port)).expect("a socket");
    let server = inside(&bare.node("db1"), bound(db1, 53)).await;
    server.set_read_timeout(Some(soon())).expect("a timeout");
    for port in [5000, 5001] {
        let client = inside(&bare.node("web1"), bound(web1, port)).await;
        client.set_read_timeout(Some(soon())).expect("a timeout");
        client.send_to(b"question", (db1, 53)).expect("sent");
        let (_, asker) = server.recv_from(&mut [0; 64]).expect("a question");
        server.send_to(b"answer", asker).expect("sent");
        client.recv_from(&mut [0; 64]).expect("an answer: the flow is tracked in both directions");
    }
    bare.apply(&stop("web1")).await;
    bare.apply(&launch("stranger", &["STRANGER"], AddressRequest::PreviousOf(InstanceName::new("web1")))).await;
    assert_eq!(private(&bare.cloud, "stranger").0, web1);
    let stranger = inside(&bare.node("stranger"), bound(web1, 5000)).await;
    stranger.send_to(b"question", (db1, 53)).expect("sent");
    let (record, tuple, _) = log.next_drop();
    assert_eq!((record, tuple.source, tuple.source_port), (Record::Drop(Direction::Ingress), web1.into(), 5000));
    // And what db1 still has to say to the old holder does not reach the new one, which has not asked from there.
    server.send_to(b"late answer", (web1, 5001)).expect("sent");
    let (record, tuple, _) = log.next_drop();
    assert_eq!((record, tuple.destination, tuple.source_port), (Record::Drop(Direction::Ingress), web1.into(), 53));
}

#[sglab::test]
async fn a_stopped_instance_is_unreachable_by_the_addresses_that_it_had() {
    for era in Era::ALL {
        let mut lab = boot(&topology(TIERS), era).await;
        change(&mut lab, &stop("db1")).await;
        let office = from_host(lab.cloud(), "office", "db1", tcp(3306));
        let services = [tcp(3306), udp(53), Service::IcmpEcho];
        // Often: a route alone would answer a sender five times, and then keep silent for a second.
        let often = std::iter::repeat_n(services, 10).flatten().map(|service| flow("web1", "db1", service));
        let flows: Vec<_> = often.chain(std::iter::repeat_n(office, 10)).collect();
        for (flow, outcome) in flows.iter().zip(outcomes(&mut lab, &flows).await) {
            let by = if matches!(flow.from, Endpoint::Host(..)) { "internet" } else { "vpc-default" };
            assert_eq!(outcome, Outcome::Unreachable { by: Some(NodeName(by.into())) }, "era {era}: {flow}");
        }
    }
}

#[sglab::test]
async fn a_group_reference_fails_on_the_public_path_until_a_rule_names_the_public_address() {
    let mut lab = boot(&topology(TIERS), Era::Classic).await;
    let (private_path, public_path) = (flow("web1", "db1", tcp(3306)), by_public(flow("web1", "db1", tcp(3306))));
    assert!(is_open(&probe(&mut lab, private_path).await.outcome));
    let outcome = probe(&mut lab, public_path.clone()).await.outcome;
    let Outcome::Dropped(drop) = &outcome else { panic!("{outcome:?}") };
    assert_eq!(drop.source, public(lab.cloud(), "web1").0, "the filter saw the sender's public address");
    assert_eq!(dropped_at(&outcome), Some((Direction::Ingress, "db1".into())));
    let cure = format!("{}/32", public(lab.cloud(), "web1"));
    change(&mut lab, &authorize("DB", tcp_port(3306), block(&cure))).await;
    assert!(is_open(&probe(&mut lab, public_path).await.outcome));
    let outcome = probe(&mut lab, by_public(flow("web2", "db1", tcp(3306)))).await.outcome;
    assert!(is_dropped(&outcome), "and web1's address is not web2's: {outcome:?}");
}

#[sglab::test]
async fn rights_follow_membership_by_one_element_and_no_rule_is_rewritten() {
    let mut lab = boot(&topology(TIERS), Era::Article).await;
    let router = node(&lab, "vpc-default");
    let members = |table: &str| {
        let set = table.split("set members/WEB").nth(1).expect("the set");
        set.split('}').next().expect("its elements").split_once("elements =").expect("elements").1.trim().to_owned()
    };
    let before = (lab.rule_handles().await.expect("handles"), members(&table(&router).await));
    let (old, web2) = (private(lab.cloud(), "web1"), private(lab.cloud(), "web2"));
    assert!(before.1.contains(&old.to_string()), "{}", before.1);
    change(&mut lab, &stop("web1")).await;
    change(&mut lab, &start("web1")).await;
    let new = private(lab.cloud(), "web1");
    assert_ne!(new, old);
    let after = (lab.rule_handles().await.expect("handles"), members(&table(&router).await));
    assert_eq!(after.0, before.0, "no rule was touched");
    let elements = |text: &str| -> std::collections::BTreeSet<String> {
        text.trim_matches(['{', ' ', '\n', '\t']).split(',').map(|element| element.trim().to_owned()).collect()
    };
    assert_eq!(elements(&after.1), [new, web2].map(|address| address.to_string()).into());
    assert!(is_open(&probe(&mut lab, flow("web1", "db1", tcp(3306))).await.outcome));
}

#[sglab::test]
async fn a_host_answers_a_datagram_from_the_address_that_was_asked() {
    let mut lab = boot(&topology(TIERS), Era::Classic).await;
    let world = HostName::new("world");
    for address in lab.cloud().hosts[&world].addresses.clone() {
        let to = Endpoint::Host(world.clone(), address);
        let asked = Flow { to, ..by_public(flow("web1", "db1", udp(53))) };
        assert!(is_open(&probe(&mut lab, asked).await.outcome), "{address}");
    }
}

const DESCRIBED: &str = "sglab: 1
era: vpc
groups:
  DB: {ingress: [tcp 3306 from WEB, {protocol: tcp, port: 22, from: WEB, description: by hand}]}
  WEB: []
instances: {web1: {groups: WEB}, db1: {groups: DB}}
scenario:
  - step: it is described anew while a session runs
    do:
      - open: {session: 'web1 -> db1:3306'}
      - update-description: {DB: [{protocol: tcp, port: 3306, from: WEB, description: queries of the shop}, tcp 22 from WEB]}
      - update-description-egress: {WEB: [{protocol: all, to: anywhere, description: as it was born}]}
    expect: {rules: unchanged, alive: session, open: ['web1 -> db1:3306', 'web1 -> db1:22']}
  - step: what is not there cannot be described
    do: {update-description: {DB: [{protocol: tcp, port: 3307, from: WEB, description: nothing}]}}
    expect: {refusal: InvalidPermission.NotFound, rules: unchanged, alive: session}
";

#[sglab::test]
async fn a_rule_that_is_described_anew_is_not_touched_in_the_kernel() {
    let topology = topology(DESCRIBED);
    let result = sglab::scenario::run(&topology, Era::Vpc, &Default::default(), &mut |_| {}).await.expect("it boots");
    assert_eq!(result.verdict, sglab::scenario::RunVerdict::Passed, "{result:#?}");
    let mut lab = boot(&topology, Era::Vpc).await;
    let router = node(&lab, "vpc-default");
    let before = (lab.rule_handles().await.expect("handles"), table(&router).await);
    let operations: Vec<&Operation> = topology.steps[0].operations().map(|placed| &placed.value).collect();
    assert!(matches!(operations[..], [Operation::UpdateDescription(..), Operation::UpdateDescriptionEgress(..)]));
    for operation in operations {
        change(&mut lab, operation).await;
    }
    assert_eq!((lab.rule_handles().await.expect("handles"), table(&router).await), before);
    let described: Vec<_> = lab.cloud().groups["DB"].ingress.iter().map(|rule| rule.description.as_deref()).collect();
    assert_eq!(described, [Some("queries of the shop"), None]);
}

/// Sentences about EC2, each with what shows it.
const STORY: &str = "sglab: 1
era: vpc
vpcs: {main: {cidr: 10.0.0.0/16, subnets: {a: 10.0.1.0/24, b: 10.0.2.0/24}}}
hosts: {office: 203.0.113.10}
groups:
  WEB: [tcp 80 from WEB, tcp 80 from NARROW]
  DB:
    ingress: [tcp 5432 from WEB, udp 53 from WEB, tcp 22 from 10.0.1.20, udp 54 from 10.0.1.20, udp 55 from 10.0.1.50, udp 56 from 10.0.1.32/28]
  NARROW: {ingress: [], egress: [tcp 80 to WEB, tcp 81 to 10.0.1.50]}
  OPEN: [udp 53 from anywhere]
instances:
  web1: {groups: WEB, address: 10.0.1.50, secondary-addresses: [10.0.1.20, 10.0.1.32/28]}
  web2: {groups: WEB, subnet: b}
  db1:
    groups: DB
    address: 10.0.1.60
    interfaces: {eth1: {groups: WEB, subnet: b, secondary-addresses: 10.0.2.20}}
  client: {groups: NARROW}
  open: {groups: OPEN}
scenario:
  - step: each of its addresses leads to it, and its groups hold for all of them
    expect:
      open:
        - web2 -> web1:80
        - web2 -> web1:80 by 10.0.1.20
        - web2 -> web1:80 by 10.0.1.32
        - web2 -> web1:80 by 10.0.1.47
        - web1 -> db1.eth1:80 by 10.0.2.20
      dropped:
        - open -> web1:80 by 10.0.1.20 at ingress
        - web2 -> web1:81 by 10.0.1.47 at ingress
        - web1 -> db1.eth1:5432 by 10.0.2.20 at ingress
  - step: a rule that names a group admits its member from any of them
    expect:
      open:
        - web1 -> db1:53/udp
        - web1 as 10.0.1.20 -> db1:53/udp
        - web1 as 10.0.1.40 -> db1:53/udp
        - web1 as 10.0.1.20 -> db1:5432
        - web1 as 10.0.1.20 -> web2:80
        - web1 as 10.0.1.20 -> db1.eth1:80 by 10.0.2.20
  - step: a rule that names an address admits that one, and no other of its holder
    expect:
      open: [web1 as 10.0.1.20 -> db1:54/udp, web1 as 10.0.1.20 -> db1:22, web1 -> db1:55/udp, web1 as 10.0.1.47 -> db1:56/udp]
      dropped:
        - web1 -> db1:54/udp at ingress
        - web1 -> db1:22 at ingress
        - web1 as 10.0.1.32 -> db1:54/udp at ingress
        - web1 as 10.0.1.20 -> db1:55/udp at ingress
        - web1 as 10.0.1.20 -> db1:56/udp at ingress
  - step: so it is on the way out
    expect:
      open: [client -> web1:80 by 10.0.1.20, client -> db1.eth1:80 by 10.0.2.20]
      dropped:
        - client -> web1:81 by 10.0.1.20 at egress
        - client -> web1:81 at ingress
  - step: its own addresses pass the check of the source, and another's does not
    expect:
      open: [web1 as 10.0.1.33 -> open:53/udp]
      dropped: [web1 as 10.0.1.48 -> open:53/udp, open as 10.0.1.20 -> db1:54/udp]
  - step: the public address is that of the primary one, so nothing leaves the VPC with another
    expect:
      open: [web1 -> office:443]
      dropped: [web1 as 10.0.1.20 -> office:443]
  - step: a connection is held by one of them
    do: {open: {session: 'web2 -> web1:80 by 10.0.1.20', datagrams: 'web1 -> db1:53/udp'}}
    expect: {alive: [session, datagrams]}
  - step: they stay with the interface over a stop, while nothing comes to them
    do: {stop: web1}
    expect: {gone: session, unreachable: [web2 -> web1:80 by 10.0.1.20, web2 -> web1:80 by 10.0.1.40]}
  - step: and a start
    do: {start: web1}
    expect:
      same-private: web1
      open: [web2 -> web1:80 by 10.0.1.20, web2 -> web1:80 by 10.0.1.47, web1 as 10.0.1.20 -> db1:53/udp]
  - step: nobody else gets them meanwhile
    do: {launch: {thief: {groups: WEB, address: 10.0.1.40}}}
    expect: {refusal: InvalidIPAddress.InUse}
  - step: they go with it
    do: [{terminate: web1}, {launch: {next: {groups: OPEN, address: 10.0.1.40, secondary-addresses: 10.0.1.20}}}]
    expect:
      open: [web2 -> next:53/udp, web2 -> next:53/udp by 10.0.1.20]
      dropped: [next as 10.0.1.20 -> db1:53/udp at ingress, web2 -> next:80 by 10.0.1.20 at ingress]
  - step: and with an interface that is detached
    do: {detach-interface: db1.eth1}
    expect: {dropped: [web2 -> db1:53 at ingress]}
";

#[sglab::test]
async fn an_interface_with_several_private_addresses_is_one_member_by_each_of_them() {
    holds("secondary.yaml", STORY).await;
}

const CLOUD: &str = "sglab: 1
era: vpc
hosts: {office: 203.0.113.10}
elastic-ips: {eip: a}
groups: {G: [tcp 80 from office]}
instances: {a: {groups: G, listens: tcp 80}, b: {groups: G, listens: tcp 80}, hidden: {groups: G, public: no}}
scenario: [{step: as launched, expect: {open: ['office -> a:80']}}]
";

fn associate(to: &str) -> Operation {
    Operation::AssociateAddress {
        elastic_ip: ElasticIpName::new("eip"),
        to: Target::Instance(InstanceName::new(to)),
        reassociation: Reassociation::Allowed,
    }
}

#[sglab::test]
async fn an_elastic_ip_moves_and_the_next_owner_inherits_no_flow() {
    use std::net::SocketAddrV4;

    use crate::bare::{Bare, connection, is_silent, passes};

    for era in Era::ALL {
        let mut bare = Bare::boot(initial_cloud(&topology(CLOUD), era).0).await;
        let address = bare.cloud.elastic_ips[0].address;
        assert_eq!(public(&bare.cloud, "a"), address);
        let office = [203, 0, 113, 10].into();
        let at = SocketAddrV4::new(address.0, 80);
        let (mut client, mut server) = connection(&bare.node("office"), office, &bare.node("a"), at).await;
        assert!(passes(&mut client, &mut server) && passes(&mut server, &mut client), "era {era}");
        bare.apply(&associate("b")).await;
        assert_eq!(public(&bare.cloud, "b"), address);
        // What is sent now goes to b, who knows of no such connection; a hears nothing of it.
        std::io::Write::write_all(&mut client, b"word").expect("the sender's own buffer takes it");
        assert!(is_silent(&mut server), "era {era}");
        let (mut client, mut server) = connection(&bare.node("office"), office, &bare.node("b"), at).await;
        assert!(passes(&mut client, &mut server), "a new one reaches b: era {era}");
    }
}

#[sglab::test]
async fn an_elastic_ip_is_reached_from_outside_before_and_after_a_stop_and_a_start() {
    for era in Era::ALL {
        let mut lab = boot(&topology(CLOUD), era).await;
        let address = lab.cloud().elastic_ips[0].address;
        let asked = from_host(lab.cloud(), "office", "a", tcp(80));
        assert!(is_open(&probe(&mut lab, asked.clone()).await.outcome), "era {era}");
        change(&mut lab, &stop("a")).await;
        let found = probe(&mut lab, asked.clone()).await.outcome;
        assert_eq!(found, Outcome::Unreachable { by: Some(names::internet()) }, "era {era}");
        change(&mut lab, &start("a")).await;
        assert_eq!(public(lab.cloud(), "a") == address, era != Era::Classic, "era {era}");
        assert!(is_open(&probe(&mut lab, asked.clone()).await.outcome), "era {era}");
        change(&mut lab, &associate("a")).await;
        assert_eq!(public(lab.cloud(), "a"), address);
        assert!(is_open(&probe(&mut lab, asked).await.outcome), "era {era}");
    }
}

#[sglab::test]
async fn what_has_no_public_address_leaves_no_further_than_the_gateway() {
    let mut lab = boot(&topology(CLOUD), Era::Vpc).await;
    let office = HostName::new("office");
    let address = lab.cloud().hosts[&office].addresses[0];
    let out = Flow { to: Endpoint::Host(office, address), ..by_public(flow("hidden", "a", tcp(80))) };
    let across = by_public(flow("hidden", "a", tcp(80)));
    for asked in [out.clone(), across] {
        let found = probe(&mut lab, asked.clone()).await.outcome;
        let Outcome::Dropped(drop) = &found else { panic!("{asked}: {found:?}") };
        let at = DecidedBy::Translation { vpc: VpcName::new("default") };
        assert_eq!(drop.cause, DropCause::Decided(at), "{asked}");
    }
    change(&mut lab, &associate("hidden")).await;
    assert!(is_open(&probe(&mut lab, out).await.outcome));
}
