//! Explanations as people read them: one table of flows over the documented cases.

use super::*;
use crate::model::Via;
use crate::scenario::{cells, predict};
use crate::topology::{FlowPattern, Topology};

fn explained(text: &str, era: Era, step: usize, flows: &[&str]) -> String {
    let topology = Topology::parse("shop.yaml", text.as_bytes()).unwrap_or_else(|problems| panic!("{problems}"));
    let cloud = predict::cloud_at(&topology, era, step).unwrap_or_else(|error| panic!("{error}"));
    let (mut all, mut peers) = (Vec::new(), Vec::new());
    for words in flows {
        let pattern = FlowPattern::parse(words, &cloud).unwrap_or_else(|problems| panic!("{problems}"));
        let meant = cells::meant(&pattern, None, &cloud).unwrap_or_else(|why| panic!("{why}"));
        all.extend(meant.iter().map(|flow| explain(&cloud, flow)));
        let both = cells::peers(&pattern, &cloud).unwrap_or_else(|why| panic!("{why}"));
        peers.extend(both.iter().filter_map(|peers| together(&cloud, peers)));
    }
    super::text(Moment { file: "shop.yaml", era, step, name: None }, &all, &peers, Style::default())
}

const SHOP: &str = "sglab: 1
era: [article, classic, vpc]
hosts: {office: 203.0.113.10}
groups:
  WEB: [tcp 80 from anywhere]
  DB: [tcp 3306 from WEB, tcp 22 from DB, icmp echo from 10.0.0.0/8]
instances:
  web1: {groups: [WEB]}
  db1: {groups: [DB]}
  db2: {groups: [DB]}
scenario:
  - step: db2 is stopped
    do: {stop: db2}
    expect: {dropped: ['office -> db1:22']}
";

#[test]
fn a_group_of_which_ec2_has_another_name_is_told_with_that() {
    let shop = SHOP.replace("  DB: [", "  DB: {name: 'dbs (eu) #1', ingress: [").replace("10.0.0.0/8]", "10.0.0.0/8]}");
    let told = explained(&shop, Era::Vpc, 0, &["web1 -> db1:3306"]);
    assert!(
        told.contains("db1, group DB (\"dbs (eu) #1\"); source 10.0.0.11 (the private address of web1)\n"),
        "{told}"
    );
    assert!(told.contains("web1, group WEB; destination 10.0.0.12 (the private address of db1)\n"), "{told}");
}

#[test]
fn what_is_offered_is_what_was_tried_and_json_has_its_words() {
    let topology = Topology::parse("shop.yaml", SHOP.as_bytes()).unwrap_or_else(|problems| panic!("{problems}"));
    let cloud = predict::cloud_at(&topology, Era::Vpc, 1).unwrap_or_else(|error| panic!("{error}"));
    let pattern = FlowPattern::parse("web1 -> db2:22", &cloud).unwrap_or_else(|problems| panic!("{problems}"));
    let flow = cells::meant(&pattern, None, &cloud).unwrap_or_else(|why| panic!("{why}")).remove(0);
    let told = explain(&cloud, &flow);
    let tried = policy::remedies(&cloud, &flow).into_iter().flat_map(|remedy| remedy.changes);
    let tried: Vec<Operation> = tried.collect();
    assert_eq!(told.offers().map(|offer| offer.operation.clone()).collect::<Vec<_>>(), tried);
    assert_eq!(tried.len(), 2, "a start and a rule: {tried:?}");
    let data = serde_json::to_value(&told).unwrap();
    let words: Vec<&str> = told.offers().map(|offer| offer.words.as_str()).collect();
    assert_eq!(data["remedies"][0]["changes"], serde_json::json!(words));
}

fn what_is_open_and_what_is_not_and_what_would_open_it() -> String {
    let flows = [
        "web1 -> db1:3306",
        "office -> web1:80",
        "web1 -> db1:3306 by public address",
        "web1 -> db1:3306 by dns name",
        "office -> db1:22",
        "web1 -> db1:ping",
        "db1 -> web1:53/udp",
        "web1 -> office:443",
    ];
    explained(SHOP, Era::Vpc, 0, &flows)
}

fn a_group_that_names_itself_differs_by_era_and_what_is_stopped_is_unreachable() -> String {
    [Era::Article, Era::Classic].map(|era| explained(SHOP, era, 0, &["db1 -> db2:22"])).concat()
        + &explained(SHOP, Era::Vpc, 1, &["db1 -> db2:22", "web1 -> db2:3306 by dns name"])
}

const NETWORK: &str = "sglab: 1
era: vpc
hosts: {office: 203.0.113.10, six: '2001:db8:ffff::7'}
vpcs:
  main: {cidr: 10.0.0.0/16, ipv6: yes, subnets: {open: 10.0.1.0/24, behind: {cidr: 10.0.2.0/24, routes: {0.0.0.0/0: nat}}, middle: {cidr: 10.0.3.0/24, routes: {10.0.1.0/24: box}}}}
prefix-lists: {partners: [192.0.2.0/24]}
groups:
  NAT: [all from APP]
  APP: {ingress: [tcp 80 from partners, 'tcp 22 from ::/0', icmpv6 echo from APP], egress: [tcp 443 to anywhere]}
  BOX: [tcp all from APP]
instances:
  nat: {groups: NAT, subnet: open, source-dest-check: off, forwards: nat}
  box: {groups: BOX, subnet: open, source-dest-check: off, forwards: as-is}
  app: {groups: APP, subnet: behind, public: no}
  lone: {groups: APP, subnet: open, public: no}
  via: {groups: APP, subnet: middle}
  two: {groups: APP, subnet: open, interfaces: {eth1: {groups: BOX}}}
scenario:
  - step: as launched
    expect: {dropped: ['office -> nat:22']}
  - step: the NAT instance stops
    do: {stop: nat}
    expect: {dropped: ['office -> box:22']}
";

fn nat_instances_middleboxes_ipv6_forged_sources_and_second_interfaces() -> String {
    let flows = [
        "app -> office:443",
        "lone -> office:443",
        "via -> two:443",
        "six -> two:22",
        "two -> via:ping by ipv6 address",
        "two as 10.0.9.9 -> nat:53/udp",
        "via -> two.eth1:443",
        "office -> two:80",
    ];
    let before = explained(NETWORK, Era::Vpc, 1, &flows);
    before + &explained(NETWORK, Era::Vpc, 2, &["app -> office:443"])
}

#[test]
fn every_remedy_opens_its_flow_in_a_file() {
    let topology = Topology::parse("shop.yaml", SHOP.as_bytes()).unwrap();
    for era in Era::ALL {
        let cloud = topology.initial_cloud(era).unwrap();
        let vias = [None, Some(Via::Public), Some(Via::Dns)].into();
        for flow in cells::grid(&cloud, &topology.columns, &vias) {
            let remedies = policy::remedies(&cloud, &flow);
            let open = policy::judge(&cloud, &flow).is_open();
            assert_eq!(open, remedies.is_empty(), "{flow} under {era}");
            for remedy in remedies {
                let mut cured = cloud.clone();
                for change in &remedy.changes {
                    crate::model::apply(&mut cured, change).unwrap();
                }
                let flow = Flow { via: remedy.via.unwrap_or(flow.via), ..flow.clone() };
                assert!(policy::judge(&cured, &flow).is_open(), "{flow} under {era}: {remedy:?}");
            }
        }
    }
}

fn words_that_are_no_flow_are_told_with_a_caret() -> String {
    let topology = Topology::parse("shop.yaml", SHOP.as_bytes()).unwrap();
    let cloud = topology.initial_cloud(Era::Vpc).unwrap();
    let told = |words: &str| FlowPattern::parse(words, &cloud).unwrap_err().to_string();
    [told("web1 -> bd1:22"), told("web1 - db1:22"), told("web1 -> db1"), told("web1 -> web1:80")].join("\n")
}

#[test]
fn a_flow_is_read_alike_for_a_file_and_for_a_lab() {
    let topology = Topology::parse("shop.yaml", SHOP.as_bytes()).unwrap();
    let mut cloud = topology.initial_cloud(Era::Vpc).unwrap();
    let eip = crate::model::ElasticIpName::new("eip");
    crate::model::apply(&mut cloud, &Operation::AllocateAddress(eip)).unwrap();
    for words in ["eip -> db1:22", "web1 -> bd1:22", "web1 - db1:22", "web1 -> db1", "web1 -> db1:22 by name"] {
        let of_lab = crate::topology::read_question(&cloud, words).unwrap_err().to_string();
        let of_file = FlowPattern::parse(words, &cloud).unwrap_err().to_string();
        assert_eq!(of_file, of_lab.replace("--> command:", "--> FLOW:"));
    }
    let flow = |read: Result<FlowPattern, _>| read.unwrap_or_else(|problems| panic!("{problems}"));
    let words = "office -> web1:80 by public address";
    assert_eq!(flow(FlowPattern::parse(words, &cloud)).to, flow(crate::topology::read_question(&cloud, words)).to);
}

const PEERS: &str = "sglab: 1
era: vpc
groups:
  OPEN: []
  RULED: {ingress: [udp 4500 from MUTE, udp 4500 from OPEN], egress: []}
  MUTE: {ingress: [], egress: []}
instances: {left: {groups: OPEN}, right: {groups: OPEN}, ruled: {groups: RULED}, mute: {groups: MUTE}}
scenario: [{step: s, expect: {dropped: ['left -> right:1/udp']}}]
";

fn what_both_ends_send_is_said_of_the_two_together() -> String {
    let flows = [
        "left <-> right:51820/udp",
        "left:500 <-> ruled:4500/udp",
        "ruled:4501 <-> left:500/udp",
        "left <-> mute:protocol 47",
        "left <-> right:80",
    ];
    let told = explained(PEERS, Era::Vpc, 0, &flows);
    let at = told.find("\nleft:51820 <->").expect("said");
    told[at..].to_owned()
}

const SMALL: &str = "sglab: 1
era: vpc
vpcs: {main: {cidr: 10.0.0.0/16, ipv6: yes}}
hosts: {home: {address: 203.0.113.80, mtu: 1400}, six: {address: '2001:db8:ffff::80', mtu: 1400}}
groups:
  WEB: [tcp 443 from anywhere, 'tcp 443 from ::/0']
  TOLD: [tcp 443 from anywhere, icmp 3/4 from anywhere]
instances: {web1: {groups: WEB}, told: {groups: TOLD}}
scenario: [{step: s, expect: {dropped: ['home -> web1:22']}}]
";

fn a_small_link_and_the_messages_of_routers_on_the_way() -> String {
    let flows = [
        "home -> web1:443",
        "home -> told:443",
        "six -> web1:443",
        "web1 -> told:443 by public address",
        "home -> web1:icmp 3/4",
        "home -> web1:icmp 11",
        "six -> web1:icmp 2",
        "home -> web1:icmp 13",
    ];
    explained(SMALL, Era::Vpc, 0, &flows)
}

/// Each of the cases, with what is to be seen above it.
#[test]
fn explanations_read_like_this() {
    let all = [
        ("what is open and what is not and what would open it", what_is_open_and_what_is_not_and_what_would_open_it()),
        (
            "a group that names itself differs by era and what is stopped is unreachable",
            a_group_that_names_itself_differs_by_era_and_what_is_stopped_is_unreachable(),
        ),
        (
            "nat instances middleboxes ipv6 forged sources and second interfaces",
            nat_instances_middleboxes_ipv6_forged_sources_and_second_interfaces(),
        ),
        ("words that are no flow are told with a caret", words_that_are_no_flow_are_told_with_a_caret()),
        ("what both ends send is said of the two together", what_both_ends_send_is_said_of_the_two_together()),
        ("a small link and the messages of routers on the way", a_small_link_and_the_messages_of_routers_on_the_way()),
    ];
    insta::assert_snapshot!(crate::report::testing::sections(&all));
}

#[test]
fn a_rule_is_told_with_its_description() {
    let described = SHOP.replace("tcp 3306 from WEB", "{protocol: tcp, port: 3306, from: WEB, description: queries}");
    let told = explained(&described, Era::Vpc, 0, &["web1 -> db1:3306"]);
    assert!(told.contains("DB \"tcp 3306 from WEB\" (queries)"), "{told}");
    assert!(!explained(SHOP, Era::Vpc, 0, &["web1 -> db1:3306"]).contains("()"));
}
