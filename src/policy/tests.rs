//! Hand-written verdicts, each a documented case: the third reading, beside `policy` and `compile`.

use super::judge;
use crate::model::sample::*;
use crate::model::*;

/// `a -> b 22`, `office -> b udp 53`, `a -> b ping`, and `by public` or `by dns` at the end.
fn flow(sample: &Sample, words: &str) -> Flow {
    let (words, via) = match words.rsplit_once(" by ") {
        Some((words, "public")) => (words, Via::Public),
        Some((words, "dns")) => (words, Via::Dns),
        Some((_, other)) => panic!("by {other}?"),
        None => (words, Via::Private),
    };
    let (from, rest) = words.split_once(" -> ").unwrap();
    let (to, service) = rest.split_once(' ').unwrap();
    let service = match service.strip_prefix("udp ") {
        Some(port) => Service::Udp(Port(port.parse().unwrap())),
        None if service == "ping" => Service::IcmpEcho,
        None => Service::Tcp(Port(service.parse().unwrap())),
    };
    let end = |name: &str| match sample.0.hosts.get(&HostName::new(name)) {
        Some(host) => Endpoint::Host(HostName::new(name), host.addresses[0]),
        None => match sample.0.load_balancers.get_key_value(name) {
            Some((name, balancer)) => Endpoint::LoadBalancer(name.clone(), balancer.scheme),
            None => Endpoint::Instance(InstanceName::new(name)),
        },
    };
    Flow { from: end(from), to: end(to), via, service }
}

/// `open`, `unreachable`, or `dropped at b's ingress`.
fn verdict(sample: &Sample, words: &str) -> String {
    match judge(&sample.0, &flow(sample, words)) {
        Verdict::Open { .. } => "open".to_owned(),
        Verdict::Dropped { half: Half::Answer, .. } => "the answer dropped".to_owned(),
        Verdict::Dropped { by, half: Half::Request } => match by {
            DecidedBy::GroupRules { at, interface, .. } => format!("dropped at {}'s {at}", interface.holder()),
            DecidedBy::SourceDestCheck { interface, .. } => format!("fails the check of {}", interface.holder()),
            DecidedBy::Route { .. } => "blackhole".to_owned(),
            DecidedBy::Translation { .. } => "untranslated".to_owned(),
        },
        Verdict::Misdelivered { to } => format!("comes to {to}"),
        Verdict::Unreachable { by: None } => "nothing to send".to_owned(),
        Verdict::Unreachable { by: Some(Hop::Internet) } => "unreachable outside".to_owned(),
        Verdict::Unreachable { by: Some(_) } => "unreachable".to_owned(),
        Verdict::Unresolved => "unresolved".to_owned(),
    }
}

#[track_caller]
pub(super) fn check(sample: &Sample, table: &[(&str, &str)]) {
    for (words, expected) in table {
        assert_eq!(verdict(sample, words), *expected, "{}: {words}", sample.0.era);
    }
}

/// The documented eras; most cases hold in both.
const DOCUMENTED: [Era; 2] = [Era::Classic, Era::Vpc];

#[test]
fn the_rules_of_all_groups_add_up() {
    for era in Era::ALL {
        let sample = Sample::new(era)
            .group("none", &[])
            .instance("a", &["none"])
            .group("g1", &["tcp 22 from a.private"])
            .group("g2", &["tcp 80 from a.private"])
            .instance("b", &["g1", "g2"]);
        check(&sample, &[("a -> b 22", "open"), ("a -> b 80", "open"), ("a -> b 443", "dropped at b's ingress")]);
    }
}

#[test]
fn membership_alone_is_no_trust_and_neither_is_a_common_subnet() {
    for era in Era::ALL {
        let sample = Sample::new(era)
            .group("g", &[])
            .instance("a", &["g"])
            .instance("b", &["g"])
            .group("h", &[])
            .instance("c", &["h"]);
        check(
            &sample,
            &[
                ("a -> b 22", "dropped at b's ingress"),
                ("b -> a ping", "dropped at a's ingress"),
                ("a -> c udp 53", "dropped at c's ingress"),
                ("office -> a 22", "dropped at a's ingress"),
            ],
        );
    }
}

fn self_trust(era: Era) -> Sample {
    Sample::new(era).group("g", &[]).allow("g", &["tcp all from g"]).instance("a", &["g"]).instance("b", &["g"])
}

#[test]
fn a_group_that_names_itself_admits_its_members_by_private_address_only() {
    for era in DOCUMENTED {
        let sample = self_trust(era);
        check(
            &sample,
            &[
                ("a -> b 22", "open"),
                ("b -> a 65535", "open"),
                ("a -> b 0", "open"),
                ("a -> b ping", "dropped at b's ingress"),
                ("a -> b udp 22", "dropped at b's ingress"),
                ("a -> b 22 by public", "dropped at b's ingress"),
                ("b -> a 22 by public", "dropped at a's ingress"),
            ],
        );
        let cured = sample.allow("g", &["tcp 22 from a.public"]);
        check(
            &cured,
            &[
                ("a -> b 22 by public", "open"),
                ("a -> b 23 by public", "dropped at b's ingress"),
                ("b -> a 22 by public", "dropped at a's ingress"),
            ],
        );
    }
}

#[test]
fn the_article_has_a_self_reference_match_nobody() {
    let sample = self_trust(Era::Article);
    check(&sample, &[("a -> b 22", "dropped at b's ingress"), ("a -> b 22 by public", "dropped at b's ingress")]);
    let named_by_another = sample.group("h", &["tcp 22 from g"]).instance("c", &["h"]);
    check(&named_by_another, &[("a -> c 22", "open")]);
}

#[test]
fn a_reference_follows_membership() {
    let before = Sample::new(Era::Vpc)
        .group("h", &[])
        .group("none", &[])
        .group("g", &["tcp 22 from h"])
        .instance("a", &["none"])
        .instance("b", &["g"]);
    check(&before, &[("a -> b 22", "dropped at b's ingress")]);
    let during = before.with(set_groups("a", &["h"]));
    check(&during, &[("a -> b 22", "open")]);
    let after = during.with(set_groups("a", &["none"]));
    check(&after, &[("a -> b 22", "dropped at b's ingress")]);
}

#[test]
fn one_rule_that_still_admits_is_enough() {
    for era in DOCUMENTED {
        let both = Sample::new(era)
            .group("none", &[])
            .with(launch_at("a", &["none"], "default", exact("10.0.1.5")))
            .group("g", &["tcp 22 from 10.0.0.0/8"])
            .group("h", &["tcp 22 from 10.0.1.0/24"])
            .instance("b", &["g", "h"]);
        check(&both, &[("a -> b 22", "open")]);
        let one = both.with(revoke("g", "tcp 22 from 10.0.0.0/8"));
        check(&one, &[("a -> b 22", "open")]);
        let none = one.with(revoke("h", "tcp 22 from 10.0.1.0/24"));
        check(&none, &[("a -> b 22", "dropped at b's ingress")]);
    }
}

#[test]
fn traffic_is_a_protocol_and_the_ports_or_types_of_the_rule() {
    let no = "dropped at b's ingress";
    let table: [(&str, &[(&str, &str)]); 9] = [
        (
            "tcp 7000-8000 from a.private",
            &[("a -> b 6999", no), ("a -> b 7000", "open"), ("a -> b 8000", "open"), ("a -> b 8001", no)],
        ),
        ("tcp 53 from a.private", &[("a -> b 53", "open"), ("a -> b udp 53", no), ("a -> b ping", no)]),
        ("udp 53 from a.private", &[("a -> b udp 53", "open"), ("a -> b 53", no)]),
        ("icmp echo from a.private", &[("a -> b ping", "open"), ("a -> b 8", no)]),
        ("icmp all from a.private", &[("a -> b ping", "open"), ("a -> b 80", no)]),
        ("icmp 13 from a.private", &[("a -> b ping", no)]),
        ("icmp 8/0 from a.private", &[("a -> b ping", "open")]),
        ("icmp 8/1 from a.private", &[("a -> b ping", no)]),
        ("all from a.private", &[("a -> b 1", "open"), ("a -> b udp 1", "open"), ("a -> b ping", "open")]),
    ];
    for (rule, flows) in table {
        let sample = Sample::new(Era::Vpc).group("none", &[]).instance("a", &["none"]).group("g", &[rule]);
        check(&sample.instance("b", &["g"]), flows);
    }
}

#[test]
fn an_open_door_with_nobody_behind_it_is_open() {
    let sample = Sample::new(Era::Vpc).group("g", &["tcp 80 from anywhere"]).instance("b", &["g"]);
    check(&sample, &[("office -> b 80", "open"), ("office -> b 22", "dropped at b's ingress")]);
}

#[test]
fn hosts_are_judged_by_their_own_address() {
    for era in Era::ALL {
        let sample = Sample::new(era).group("g", &["tcp 22 from 203.0.113.10"]).instance("b", &["g"]);
        check(
            &sample,
            &[
                ("office -> b 22", "open"),
                ("world -> b 22", "dropped at b's ingress"),
                ("b -> world 443", "open"),
                ("office -> world 1", "open"),
            ],
        );
    }
}

#[test]
fn egress_is_judged_first_and_by_the_destination_as_the_sender_writes_it() {
    let sample = Sample::new(Era::Vpc)
        .group("db", &["tcp 5432 from anywhere"])
        .group("app", &[])
        .egress("app", &["tcp 5432 to db"])
        .group("other", &["tcp 5432 from anywhere"])
        .instance("a", &["app"])
        .instance("b", &["db"])
        .instance("c", &["other"]);
    check(
        &sample,
        &[
            ("a -> b 5432", "open"),
            ("a -> b 5433", "dropped at a's egress"),
            ("a -> c 5432", "dropped at a's egress"),
            ("a -> b 5432 by public", "dropped at a's egress"),
            ("a -> office 5432", "dropped at a's egress"),
            ("b -> c 5432", "open"),
        ],
    );
    let mut classic = sample.clone();
    classic.0.era = Era::Classic;
    check(&classic, &[("a -> c 5432", "open"), ("a -> office 5432", "open")]);
}

#[test]
fn a_restart_keeps_what_a_group_grants_and_loses_what_an_address_grants() {
    let sample = |era| {
        Sample::new(era)
            .group("web", &[])
            .instance("a", &["web"])
            .group("g", &["tcp 1 from web", "tcp 2 from a.private", "tcp 3 from a.public"])
            .instance("b", &["g"])
            .with(stop("a"))
    };
    check(&sample(Era::Classic), &[("a -> b 1", "nothing to send"), ("b -> a 1", "unreachable")]);
    let no = "dropped at b's ingress";
    let new = [("a -> b 1", "open"), ("a -> b 2", no), ("a -> b 3 by public", no)];
    check(&sample(Era::Article).with(start("a")), &new);
    check(&sample(Era::Classic).with(start("a")), &new);
    let kept = [("a -> b 1", "open"), ("a -> b 2", "open"), ("a -> b 3 by public", no)];
    check(&sample(Era::Vpc).with(start("a")), &kept);
}

#[test]
fn who_inherits_an_address_inherits_what_rules_grant_to_the_address() {
    let sample = Sample::new(Era::Article)
        .group("web", &[])
        .group("none", &[])
        .instance("a", &["web"])
        .group("g", &["tcp 1 from web", "tcp 2 from a.private"])
        .instance("b", &["g"])
        .with(stop("a"))
        .with(launch_at("s", &["none"], "default", previous("a")));
    check(&sample, &[("s -> b 1", "dropped at b's ingress"), ("s -> b 2", "open")]);
}

#[test]
fn an_address_that_nobody_holds_is_unreachable_whatever_the_rules_say() {
    let open =
        |era| Sample::new(era).group("g", &["tcp all from anywhere"]).instance("a", &["g"]).instance("b", &["g"]);
    let nobody = [
        ("a -> b 22", "unreachable"),
        ("office -> b 22", "unreachable outside"),
        ("a -> b 22 by public", "unreachable outside"),
    ];
    check(&open(Era::Article).with(stop("b")), &nobody);
    check(&open(Era::Article).with(crash("b")), &nobody);
    check(&open(Era::Classic).with(crash("b")), &[("a -> b 22", "open"), ("office -> b 22", "open")]);
    check(&open(Era::Vpc).with(stop("b")), &nobody);
    let gone = [("a -> b 22", "nothing to send"), ("b -> office 22", "nothing to send")];
    check(&open(Era::Vpc).with(terminate("b")), &gone);
}

#[test]
fn a_public_name_is_the_private_address_at_home_and_the_public_one_elsewhere() {
    for era in Era::ALL {
        let sample = Sample::new(era)
            .group("A", &[])
            .instance("a", &["A"])
            .group("B", &["tcp 22 from A", "tcp 80 from 203.0.113.10"])
            .instance("b", &["B"])
            .with(create("FAR", "other"))
            .with(launch_at("far", &["FAR"], "other", AddressRequest::Automatic));
        check(
            &sample,
            &[
                ("a -> b 22 by dns", "open"),
                ("a -> b 22 by public", "dropped at b's ingress"),
                ("office -> b 80 by dns", "open"),
                ("far -> b 22 by dns", "dropped at b's ingress"),
            ],
        );
        // Behind the gateway it is the sender's public address that counts, and the private one means nothing.
        let far = sample.public("far").unwrap();
        let cured = sample.allow("B", &[&format!("tcp 22 from {far}")]);
        check(&cured, &[("far -> b 22 by dns", "open")]);
        check(&cured.with(stop("b")), &[("a -> b 22 by dns", "unresolved"), ("office -> b 80 by dns", "unresolved")]);
    }
}

/// The Elastic IP stays with it, and no packet gets there: with the private address the link has gone.
#[test]
fn who_has_lost_its_private_address_in_a_crash_is_reached_by_no_elastic_ip() {
    let crashed = Sample::new(Era::Article)
        .group("g", &["tcp 80 from anywhere"])
        .instance("a", &["g"])
        .instance("b", &["g"])
        .with(allocate("e"))
        .with(associate("e", "b"))
        .with(crash("b"));
    check(
        &crashed,
        &[
            ("office -> b 22", "unreachable outside"),
            ("office -> b 80 by dns", "unreachable outside"),
            ("a -> b 80 by public", "unreachable outside"),
            ("a -> b 80 by dns", "unresolved"),
        ],
    );
}

#[test]
fn what_is_stopped_keeps_the_name_of_its_elastic_ip_and_nobody_is_there() {
    let stopped = Sample::new(Era::Vpc)
        .group("g", &["tcp 22 from anywhere"])
        .instance("a", &["g"])
        .instance("b", &["g"])
        .with(create("FAR", "other"))
        .with(launch_at("far", &["FAR"], "other", AddressRequest::Automatic))
        .with(allocate("e"))
        .with(associate("e", "b"))
        .with(stop("b"));
    check(
        &stopped,
        &[
            ("a -> b 22 by dns", "unreachable"),
            ("office -> b 22 by dns", "unreachable outside"),
            ("far -> b 22 by dns", "unreachable outside"),
        ],
    );
    check(
        &stopped.with(disassociate("e")),
        &[("a -> b 22 by dns", "unresolved"), ("office -> b 22 by dns", "unresolved")],
    );
}

#[test]
fn a_private_address_means_who_holds_it_in_the_senders_own_vpc() {
    let far = |name: &str, address: &str| launch_at(name, &["far"], "other", exact(address));
    let sample = Sample::new(Era::Vpc)
        .group("g", &["tcp 22 from anywhere"])
        .with(create("far", "other"))
        .instance("a", &["g"])
        .instance("b", &["g"])
        .with(far("twin-of-b", "10.0.0.12"))
        .with(far("twin-of-a", "10.0.0.11"))
        .with(far("alone", "10.0.0.99"));
    check(
        &sample,
        &[
            ("a -> alone 22", "unreachable"),
            ("a -> twin-of-b 22", "open"),
            ("a -> twin-of-b 80", "dropped at b's ingress"),
            ("a -> twin-of-a 80", "open"),
            ("twin-of-a -> b 22", "dropped at twin-of-b's ingress"),
            ("twin-of-a -> b 22 by public", "open"),
            ("a -> twin-of-b 22 by public", "dropped at twin-of-b's ingress"),
        ],
    );
}

#[test]
fn a_verdict_names_every_rule_that_admits_and_every_group_consulted() {
    let sample = Sample::new(Era::Classic)
        .group("g", &["tcp 22 from 10.0.0.0/8", "tcp 22-23 from anywhere"])
        .group("h", &["tcp 80 from anywhere"])
        .instance("a", &["g"])
        .instance("b", &["g", "h"]);
    let at_b = |rules: &[u32]| DecidedBy::GroupRules {
        at: Direction::Ingress,
        interface: InterfaceId::first_of(&InstanceName::new("b")),
        groups: vec![GroupName::new("g"), GroupName::new("h")],
        rules: rules.iter().copied().map(RuleId).collect(),
    };
    let Verdict::Open { request, .. } = judge(&sample.0, &flow(&sample, "a -> b 22")) else { panic!("closed") };
    assert_eq!(request, [at_b(&[1, 2])]);
    assert_eq!(judge(&sample.0, &flow(&sample, "a -> b 443")), Verdict::Dropped { by: at_b(&[]), half: Half::Request });
}

/// "Security groups are stateful" ("Security group connection tracking", EC2).
#[test]
fn an_open_flow_knows_who_admits_the_request_and_who_lets_the_answer_back() {
    let both_ways = |era: Era, words: &str| {
        let sample = Sample::new(era).group("g", &["tcp 22 from anywhere"]).instance("a", &["g"]).instance("b", &["g"]);
        let verdict = judge(&sample.0, &flow(&sample, words));
        let Verdict::Open { request, answer } = verdict else { panic!("{words}: {verdict:?}") };
        let asked = request.iter().filter_map(DecidedBy::groups).map(|(at, id, _)| format!("{}'s {at}", id.holder()));
        let back = answer.iter().map(|LetBack::Stateful { at, interface }| format!("{}'s {at}", interface.holder()));
        (asked.collect::<Vec<_>>(), back.collect::<Vec<_>>())
    };
    let said = |request: &[&str], answer: &[&str]| {
        let owned = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
        (owned(request), owned(answer))
    };
    let (a, b) = ("a's egress", "b's ingress");
    assert_eq!(both_ways(Era::Vpc, "a -> b 22"), said(&[a, b], &[b, a]));
    assert_eq!(both_ways(Era::Classic, "a -> b 22"), said(&[b], &[b, a]), "nobody asks for egress, and it is tracked");
    assert_eq!(both_ways(Era::Vpc, "office -> b 22"), said(&[b], &[b]));
    assert_eq!(both_ways(Era::Vpc, "a -> office 22"), said(&[a], &[a]));
    assert_eq!(both_ways(Era::Vpc, "a -> a 22"), said(&[], &[]), "it never leaves the instance");
}

#[test]
fn a_private_address_that_was_given_back_leads_to_its_new_holder_or_to_nobody() {
    let sample = Sample::new(Era::Classic).group("A", &["tcp 80 from anywhere"]).instance("a", &["A"]);
    let stopped = sample.instance("b", &["A"]).with(stop("a"));
    check(&stopped, &[("b -> a 80", "unreachable")]);
    let given = stopped.with(launch_at("c", &["A"], "default", previous("a")));
    check(&given, &[("b -> a 80", "comes to c"), ("b -> a 22", "dropped at c's ingress"), ("c -> a 22", "comes to c")]);
    check(&given.with(start("a")), &[("b -> a 80", "open"), ("c -> a 22", "dropped at a's ingress")]);
}
