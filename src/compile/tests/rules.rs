//! One rule, one text: what each kind of rule becomes, and what is refused.

use super::fixture::*;
use crate::compile::rule::Family;
use crate::compile::{CompileError, network};
use crate::model::*;
use crate::network::nft::{NftRule, Ruleset};
use crate::network::record::Record;

fn filter(cloud: &Cloud) -> Ruleset {
    let name = crate::compile::names::router(&VpcName::new("default"));
    network(cloud).unwrap().nodes[&name].ruleset.clone().unwrap()
}

/// The chain of new flows and that of flows under way that a single rule of the group `G` becomes.
fn texts(era: Era, traffic: Traffic, peer: Peer) -> (Vec<String>, Vec<String>) {
    let mut cloud = cloud(era);
    add_group(&mut cloud, "G");
    add_group(&mut cloud, "H");
    authorize(&mut cloud, "G", traffic, peer);
    let ruleset = filter(&cloud);
    let of = |chain: &str| ruleset.chains[chain].rules.iter().map(without_log).collect();
    (of("ingress/G"), of("ingress-live/G"))
}

fn without_log(rule: &NftRule) -> String {
    let text = match (rule.text.find("log prefix"), rule.text.find("queue-threshold 1")) {
        (Some(from), Some(to)) => format!("{}{}", &rule.text[..from], &rule.text[to + 18..]),
        _ => rule.text.clone(),
    };
    assert!(text.ends_with("counter accept"), "every rule of a group counts: {text}");
    text.replace("counter accept", "accept")
}

#[test]
fn each_kind_of_traffic_has_its_match() {
    let range = |from, to| PortRange::new(Port(from), Port(to)).unwrap();
    let cases = [
        (tcp(22), "tcp dport 22"),
        (tcp(0), "tcp dport 0"),
        (tcp(65535), "tcp dport 65535"),
        (Traffic::Tcp(range(7000, 8000)), "tcp dport 7000-8000"),
        (Traffic::Tcp(range(0, 65534)), "tcp dport 0-65534"),
        (Traffic::Tcp(range(1, 65535)), "tcp dport 1-65535"),
        (Traffic::Tcp(PortRange::ALL), "meta l4proto 6"),
        (Traffic::Udp(range(53, 53)), "udp dport 53"),
        (Traffic::Udp(PortRange::ALL), "meta l4proto 17"),
        (Traffic::Icmp(IcmpMatch::All), "ip protocol 1"),
        (Traffic::Icmp(IcmpMatch::Type(8)), "icmp type echo-request"),
        (Traffic::Icmp(IcmpMatch::Type(13)), "icmp type 13"),
        (Traffic::Icmp(IcmpMatch::TypeAndCode(3, 4)), "icmp type 3 icmp code 4"),
    ];
    for (traffic, matched) in cases {
        let (new, _) = texts(Era::Article, traffic, cidr("192.0.2.0/24"));
        let expected = format!("ip saddr 192.0.2.0/24 {matched} ct mark set ct mark | 0x2 accept");
        let stateless = format!("ip saddr 192.0.2.0/24 {matched} ct state invalid,untracked,related accept");
        match traffic {
            // Tracking has no state for most of what is not an echo, so that each is judged by itself.
            Traffic::Icmp(messages) if messages != IcmpMatch::Type(8) => assert_eq!(new, [stateless, expected]),
            _ => assert_eq!(new, [expected]),
        }
    }
}

/// Source quench is sent by nobody any more (RFC 6633).
#[test]
fn the_errors_that_pass_are_those_of_the_model_without_source_quench() {
    for (family, over_ipv6) in [(Family::Ipv4, false), (Family::Ipv6, true)] {
        let passes = |kind: u8| {
            family.errors().iter().any(|types| {
                let (first, last) = types.split_once('-').unwrap_or((types, types));
                (first.parse::<u8>().unwrap()..=last.parse().unwrap()).contains(&kind)
            })
        };
        for kind in 0..=u8::MAX {
            let is_quench = !over_ipv6 && kind == 4;
            let is_error = IcmpMessage { kind, code: 0 }.is_error(over_ipv6);
            assert_eq!(passes(kind), is_error && !is_quench, "{family:?} {kind}");
        }
    }
}

#[test]
fn icmp_is_of_ipv4_and_icmpv6_of_ipv6_and_neither_block_covers_the_other_family() {
    let all = |peer| texts(Era::Vpc, Traffic::Icmpv6(IcmpMatch::All), peer).0;
    assert_eq!(all(anywhere()), [""; 0]);
    assert_eq!(texts(Era::Vpc, Traffic::Icmp(IcmpMatch::All), cidr("::/0")).0, [""; 0]);
    assert_eq!(all(cidr("::/0"))[1], "meta nfproto ipv6 meta l4proto 58 ct mark set ct mark | 0x2 accept");
    let echo = texts(Era::Vpc, Traffic::Icmpv6(IcmpMatch::Type(128)), cidr("2001:db8::7/128")).0;
    assert_eq!(echo, ["ip6 saddr 2001:db8::7 icmpv6 type echo-request ct mark set ct mark | 0x2 accept"]);
}

#[test]
fn a_rule_for_everywhere_over_ipv6_is_untracked_where_the_other_direction_is_open_over_ipv6() {
    let (new, live) = texts(Era::Vpc, tcp(80), cidr("::/0"));
    assert_eq!(
        new,
        [
            "meta nfproto ipv6 tcp dport 80 meta mark & 0x4 == 0x4 accept",
            "meta nfproto ipv6 tcp dport 80 ct mark set ct mark | 0x2 accept",
        ]
    );
    assert_eq!(live, ["meta nfproto ipv6 meta l4proto 6 ct original proto-dst 80 accept"]);
}

#[test]
fn a_group_has_members_of_both_families_where_its_vpc_has() {
    let mut cloud = cloud(Era::Vpc);
    cloud.vpcs[0].ipv6 = Some(DEFAULT_IPV6_BLOCK);
    add_group(&mut cloud, "G");
    authorize(&mut cloud, "G", tcp(80), of("G"));
    launch(&mut cloud, "a", 11, &["G"]);
    cloud.instances[0].interfaces[0].ipv6 = Some(Ipv6("2001:db8:1000::11".parse().unwrap()));
    let ruleset = filter(&cloud);
    let rules: Vec<_> =
        ruleset.chains["ingress/G"].rules.iter().map(|rule| (rule.id.as_str(), without_log(rule))).collect();
    assert_eq!(
        rules,
        [
            ("sgr-2", "ip saddr @members/G tcp dport 80 ct mark set ct mark | 0x2 accept".to_owned()),
            ("sgr-2/ipv6", "ip6 saddr @members-ipv6/G tcp dport 80 ct mark set ct mark | 0x2 accept".to_owned()),
        ]
    );
    assert!(ruleset.sets["members-ipv6/G"].elements.contains("2001:db8:1000::11"));
    assert!(ruleset.sets["sources-ipv6"].elements.contains("\"a\" . 2001:db8:1000::11"));
}

/// Of the questions the member is there by its own interface, of the answers it is the one to whom they go.
#[test]
fn a_group_is_no_peer_of_what_an_appliance_passes_on_of_new_flows_and_of_those_under_way() {
    let mut cloud = cloud(Era::Vpc);
    add_group(&mut cloud, "G");
    authorize(&mut cloud, "G", tcp(80), of("G"));
    launch(&mut cloud, "appliance", 11, &[]);
    cloud.instances[0].interfaces[0].source_dest_check = SourceDestCheck::Off;
    let ruleset = filter(&cloud);
    let of = |chain: &str| {
        let rules = ruleset.chains[chain].rules.iter();
        rules.map(|rule| (rule.id.clone(), without_log(rule))).collect::<Vec<_>>()
    };
    let rule = |id: &str, text: &str| (id.to_owned(), format!("{text} accept"));
    let new = "ip saddr @members/G iifname . ip saddr @sources tcp dport 80 ct mark set ct mark | 0x2";
    assert_eq!(of("ingress/G"), [rule("sgr-2", new)]);
    let port = "meta l4proto 6 ct original proto-dst 80";
    let question = format!("ct original ip saddr @members/G ct direction original iifname . ip saddr @sources {port}");
    let answer = format!("ct original ip saddr @members/G ct direction reply oifname . ip daddr @sources {port}");
    assert_eq!(of("ingress-live/G"), [rule("sgr-2", &question), rule("sgr-2/reply", &answer)]);
}

#[test]
fn each_kind_of_peer_has_its_match() {
    let cases = [
        (cidr("192.0.2.0/31"), "ip saddr 192.0.2.0/31"),
        (cidr("192.0.2.7/32"), "ip saddr 192.0.2.7"),
        (cidr("128.0.0.0/1"), "ip saddr 128.0.0.0/1"),
        (of("H"), "ip saddr @members/H"),
    ];
    for (peer, matched) in cases {
        let (new, live) = texts(Era::Classic, tcp(80), peer);
        assert_eq!(new, [format!("{matched} tcp dport 80 ct mark set ct mark | 0x2 accept")]);
        assert_eq!(live, [format!("ct original {matched} meta l4proto 6 ct original proto-dst 80 accept")]);
    }
}

#[test]
fn anywhere_is_every_ipv4_address_and_nothing_else() {
    let (new, live) = texts(Era::Classic, tcp(80), anywhere());
    assert_eq!(new, ["meta nfproto ipv4 tcp dport 80 accept"]);
    assert_eq!(live, ["meta nfproto ipv4 meta l4proto 6 ct original proto-dst 80 accept"]);
    for era in Era::ALL {
        for traffic in [Traffic::All, tcp(1), Traffic::Icmp(IcmpMatch::All)] {
            let (new, live) = texts(era, traffic, anywhere());
            assert!(new.iter().chain(&live).all(|text| text.starts_with("meta nfproto ipv4 ")), "{new:?} {live:?}");
        }
    }
}

#[test]
fn an_anywhere_rule_is_untracked_where_the_other_direction_is_open() {
    let (new, _) = texts(Era::Vpc, tcp(80), anywhere());
    assert_eq!(
        new,
        [
            "meta nfproto ipv4 tcp dport 80 meta mark & 0x1 == 0x1 accept",
            "meta nfproto ipv4 tcp dport 80 ct mark set ct mark | 0x2 accept",
        ]
    );
    let (new, _) = texts(Era::Article, Traffic::All, anywhere());
    assert_eq!(
        new,
        [
            "meta nfproto ipv4 ct state invalid,untracked,related accept",
            "meta nfproto ipv4 meta l4proto 6 accept",
            "meta nfproto ipv4 meta l4proto 17 accept",
            "meta nfproto ipv4 ct mark set ct mark | 0x2 accept",
        ]
    );
}

#[test]
fn icmp_is_always_tracked() {
    for era in Era::ALL {
        let (new, live) = texts(era, Traffic::Icmp(IcmpMatch::Type(8)), anywhere());
        assert_eq!(new, ["meta nfproto ipv4 icmp type echo-request ct mark set ct mark | 0x2 accept"]);
        assert_eq!(live, [""; 0]);
    }
}

#[test]
fn an_interface_says_whether_its_other_direction_is_open() {
    let mut cloud = two_tier(Era::Vpc);
    assert_eq!(filter(&cloud).chains["to/web1.eth0"].rules[0].text, "meta mark set 0x3");
    assert_eq!(filter(&cloud).chains["from/web1.eth0"].rules[0].text, "meta mark set 0x0");
    for group in cloud.groups.values_mut() {
        group.egress.clear();
    }
    authorize(&mut cloud, "SG-T-WEB", Traffic::Tcp(PortRange::ALL), anywhere());
    assert_eq!(filter(&cloud).chains["to/web1.eth0"].rules[0].text, "meta mark set 0x0");
    assert_eq!(filter(&cloud).chains["from/web1.eth0"].rules[0].text, "meta mark set 0x1");
}

#[test]
fn an_empty_group_matches_nobody() {
    let mut cloud = cloud(Era::Classic);
    add_group(&mut cloud, "G");
    add_group(&mut cloud, "EMPTY");
    authorize(&mut cloud, "G", tcp(80), of("EMPTY"));
    let ruleset = filter(&cloud);
    assert!(ruleset.sets["members/EMPTY"].elements.is_empty());
    assert!(ruleset.chains["ingress/G"].rules[0].text.starts_with("ip saddr @members/EMPTY "));
}

#[test]
fn a_self_reference_matches_nobody_in_the_article_only() {
    for (era, set) in [(Era::Article, "nobody"), (Era::Classic, "members/G"), (Era::Vpc, "members/G")] {
        let mut cloud = cloud(era);
        add_group(&mut cloud, "G");
        let id = authorize(&mut cloud, "G", tcp(80), of("G"));
        launch(&mut cloud, "a", 11, &["G"]);
        let ruleset = filter(&cloud);
        let rule = &ruleset.chains["ingress/G"].rules[0];
        assert_eq!(rule.id, id.to_string());
        assert!(rule.text.starts_with(&format!("ip saddr @{set} ")), "{era}: {}", rule.text);
        assert_eq!(ruleset.sets[set].elements.is_empty(), era == Era::Article);
    }
}

#[test]
fn a_rule_that_names_no_group_is_an_error_that_names_the_rule() {
    let mut cloud = cloud(Era::Classic);
    add_group(&mut cloud, "G");
    authorize(&mut cloud, "G", tcp(3306), of("GHOST"));
    let error = network(&cloud).unwrap_err();
    assert!(matches!(error, CompileError::UnknownPeer { rule: RuleId(1), .. }));
    assert_eq!(error.to_string(), "rule sgr-1 of G (tcp 3306 from GHOST) names the group GHOST, which does not exist");
}

#[test]
fn a_rule_that_names_a_group_of_another_vpc_is_an_error() {
    let mut cloud = two_tier(Era::Vpc);
    cloud.vpcs.insert(VpcName::new("other"), cloud.vpcs[0].clone());
    add_group(&mut cloud, "ELSEWHERE");
    cloud.groups.get_mut(&GroupName::new("ELSEWHERE")).unwrap().vpc = VpcName::new("other");
    network(&cloud).unwrap();
    authorize(&mut cloud, "SG-T-DB", tcp(80), of("ELSEWHERE"));
    assert!(matches!(network(&cloud), Err(CompileError::ForeignPeer { .. })));
}

#[test]
fn a_membership_in_no_group_is_an_error() {
    let mut cloud = two_tier(Era::Vpc);
    instance(&mut cloud, "web1").interfaces[0].groups.insert(GroupName::new("GHOST"));
    assert!(matches!(network(&cloud), Err(CompileError::UnknownMembership { .. })));
}

#[test]
fn a_name_that_nft_cannot_spell_is_an_error() {
    for name in ["a b", "x{", "", "a;b", "é", "a*", "a\"b"] {
        let mut cloud = cloud(Era::Classic);
        add_group(&mut cloud, name);
        assert!(matches!(network(&cloud), Err(CompileError::Name { .. })), "{name:?}");
    }
}

#[test]
fn a_comment_is_the_id_and_a_harmless_note() {
    let rule = |note: &str| NftRule { text: String::new(), id: "sgr-1".to_owned(), note: note.to_owned() };
    assert_eq!(rule("").comment(), "sgr-1");
    assert_eq!(rule("a\"b\\c\nd").comment(), "sgr-1 a b c d");
    let long = rule(&"é".repeat(200)).comment();
    assert!(long.len() <= 120 && long.starts_with("sgr-1 é"));
}

#[test]
fn every_drop_but_a_policy_is_logged_and_every_prefix_reads_back() {
    for era in Era::ALL {
        let network = network(&two_tier(era)).unwrap();
        for rule in network
            .nodes
            .values()
            .filter_map(|n| n.ruleset.as_ref())
            .flat_map(|r| r.chains.values())
            .flat_map(|c| &c.rules)
        {
            // Of a flood of fragments so many have been told as the log has room for, by the rule before it.
            let is_told_of = rule.id == "rest-of-a-flood";
            if !is_told_of && rule.text.split(' ').any(|word| word == "drop") {
                assert!(rule.text.contains("log prefix"), "{}", rule.text);
            }
            if let Some((_, rest)) = rule.text.split_once("log prefix \"") {
                let prefix = rest.split('"').next().unwrap();
                assert_eq!(prefix.parse::<Record>().unwrap().to_string(), prefix);
            }
        }
    }
}

#[test]
fn no_rule_has_an_anonymous_set() {
    for era in Era::ALL {
        assert!(filter(&two_tier(era)).chains.values().flat_map(|c| &c.rules).all(|rule| {
            // An element that a packet adds is none.
            !rule.text.contains('{') || rule.text.contains("update @") || rule.text.contains(" add @")
        }));
    }
}

#[test]
fn egress_and_ingress_are_two_base_chains() {
    let ruleset = filter(&two_tier(Era::Vpc));
    let hook = |chain: &str| ruleset.chains[chain].hook.clone().unwrap();
    assert_eq!(hook("egress"), "type filter hook forward priority filter; policy drop;");
    assert_eq!(hook("ingress"), "type filter hook forward priority filter + 10; policy drop;");
}

#[test]
fn neighbours_in_one_subnet_both_go_through_the_maps() {
    let ruleset = filter(&two_tier(Era::Vpc));
    for (map, way) in
        [("egress-of", "from"), ("ingress-of", "to"), ("egress-live-of", "from-live"), ("ingress-live-of", "to-live")]
    {
        for port in ["web1", "web2", "db1"] {
            assert_eq!(ruleset.maps[map].elements[&format!("\"{port}\"")], format!("jump {way}/{port}.eth0"));
        }
    }
}

#[test]
fn stopped_members_stay_members_but_have_no_way_in() {
    let mut cloud = two_tier(Era::Vpc);
    instance(&mut cloud, "web1").state = InstanceState::Stopped;
    let ruleset = filter(&cloud);
    assert!(ruleset.sets["members/SG-T-WEB"].elements.contains("10.0.0.11"));
    assert!(!ruleset.sets["sources"].elements.contains("\"web1\" . 10.0.0.11"));
    assert!(ruleset.maps.values().all(|map| !map.elements.contains_key("\"web1\"")));
}
