//! Reading of good files. Messages about bad ones: `tests/no_lab/bad_topologies.rs`.

mod keys;
mod steps;

use super::*;
use crate::model::{
    AddressRequest, Direction, Era, GroupName, InstanceName, InterfaceHolder, Operation, Peer, PeerRequest, Permission,
    Port, Service, TableName, Via, VpcName, VpcService,
};

const TWO_TIER: &str = include_str!("../../topologies/two-tier.yaml");

fn read(text: &str) -> Topology {
    Topology::parse("test.yaml", text.as_bytes()).unwrap_or_else(|problems| panic!("{problems}"))
}

fn refused(text: &str) -> String {
    Topology::parse("test.yaml", text.as_bytes()).expect_err("the file has problems").to_string()
}

/// A small file with one group and whatever the test is about.
fn with_rules(rules: &str) -> Topology {
    read(&format!(
        "sglab: 1\nera: vpc\nhosts: {{office: [203.0.113.10, 203.0.113.12]}}\ngroups:\n  A: {rules}\n  B: []\n\
         instances: {{a: {{groups: A}}, b: {{groups: B}}}}\nscenario:\n- step: s\n  expect: {{open: [a -> b:ping]}}\n"
    ))
}

fn as_json(yaml: &str) -> serde_json::Value {
    serde_saphyr::from_str(yaml).expect("it is YAML")
}

fn rules_of(topology: &Topology) -> Vec<Permission> {
    topology
        .initial
        .iter()
        .filter_map(|operation| match &operation.value {
            Operation::AuthorizeIngress(_, rules) => Some(rules.clone()),
            _ => None,
        })
        .flatten()
        .collect()
}

fn columns(topology: &Topology) -> Vec<String> {
    topology.columns.iter().map(ToString::to_string).collect()
}

#[test]
fn two_tier_has_the_columns_that_its_author_expects() {
    assert_eq!(columns(&read(TWO_TIER)), ["tcp 22", "tcp 80", "tcp 3306", "tcp 8080", "icmp echo"]);
}

#[test]
fn todays_ec2_comes_first_of_several_eras_and_the_others_stay_in_their_order() {
    let eras = |said: &str| {
        read(&format!(
            "sglab: 1\nera: {said}\ngroups: {{A: []}}\ninstances: {{a: {{groups: A}}, b: {{groups: A}}}}\n\
             scenario:\n- step: s\n  expect: {{dropped: [a -> b:ping]}}\n"
        ))
        .eras
    };
    assert_eq!(eras("[article, classic, vpc]"), [Era::Vpc, Era::Article, Era::Classic]);
    assert_eq!(eras("[classic, vpc, article]"), [Era::Vpc, Era::Classic, Era::Article]);
    assert_eq!(eras("[classic, article]"), [Era::Classic, Era::Article]);
}

#[test]
fn instances_of_a_subnet_without_public_addresses_have_one_only_if_they_ask() {
    let topology = read(
        "sglab: 1\nera: vpc\nvpcs: {v: {cidr: 10.0.0.0/16, subnets: {open: 10.0.1.0/24, shut: {cidr: 10.0.2.0/24, public: no}}}}\n\
         groups: {A: []}\ninstances:\n  a: {groups: A}\n  b: {groups: A, subnet: shut}\n  c: {groups: A, subnet: shut, public: yes}\n  d: {groups: A, public: no}\n\
         scenario:\n- step: s\n  do: {launch: {e: {groups: A, subnet: shut}}}\n  expect: {dropped: [a -> b:ping]}\n",
    );
    let cloud = topology.steps[0].cloud_after(&topology.initial_cloud(Era::Vpc).expect("it is launched"));
    let public = |name: &str| cloud.instances[name].interfaces[0].public.is_some();
    assert_eq!(["a", "b", "c", "d", "e"].map(public), [true, false, true, false, false]);
    let promise = write::Promise::Flows(vec![(ExpectedOutcome::Dropped, vec!["a -> b:ping".to_owned()])]);
    let text = write::write(&cloud, "t", &promise).expect("it can be written");
    assert!(text.contains("shut: {cidr: 10.0.2.0/24, public: no}"), "{text}");
    let again = read(&text).initial_cloud(Era::Vpc).expect("it is launched");
    let public = |name: &str| again.instances[name].interfaces[0].public.is_some();
    assert_eq!(["a", "b", "c", "d", "e"].map(public), [true, false, true, false, false], "{text}");
    let classic = "sglab: 1\nera: classic\nvpcs: {v: {cidr: 10.0.0.0/16, subnets: {shut: {cidr: 10.0.2.0/24, public: no}}}}\n\
         groups: {A: []}\ninstances: {a: {groups: A}, b: {groups: A}}\nscenario: [{step: s, expect: {dropped: [a -> b:ping]}}]\n";
    assert!(
        refused(classic).contains("whether a subnet gives public addresses belongs to era vpc"),
        "{}",
        refused(classic)
    );
}

#[test]
fn two_tier_has_seven_steps_and_two_tables() {
    let topology = Topology::parse("some/where/two-tier.yaml", TWO_TIER.as_bytes()).expect("it is good");
    assert_eq!(topology.name, "two-tier");
    assert_eq!(topology.eras, [Era::Article]);
    assert_eq!(topology.steps.len(), 7);
    assert_eq!(topology.steps[0].name, "as launched");
    assert_eq!(topology.steps[6].expectations.len(), 3);
    let names: Vec<_> = topology.tables.keys().map(TableName::as_str).collect();
    assert_eq!(names, ["two-tier", "replicating"]);
    assert_eq!(topology.tables[1].like, Some(TableName::new("two-tier")));
    assert_eq!(topology.tables[0].open.len(), 3);
    assert!(topology.tables[1].open[0].pattern().both_ways);
    assert!(topology.closed_ports.is_empty());
}

#[test]
fn the_initial_cloud_is_groups_then_rules_then_launches() {
    let topology = read(TWO_TIER);
    let kinds: Vec<_> = topology
        .initial
        .iter()
        .map(|operation| match operation.value {
            Operation::CreateGroup(_) => 'g',
            Operation::AuthorizeIngress(..) => 'r',
            Operation::Launch(_) => 'l',
            _ => '?',
        })
        .collect();
    assert_eq!(kinds.iter().collect::<String>(), "gggggggggrrrllll");
}

#[test]
fn a_launch_can_ask_for_the_previous_address_of_another() {
    let topology = read(TWO_TIER);
    let Operation::Launch(launch) = &topology.steps[6].operations().next().unwrap().value else { panic!("a launch") };
    assert_eq!(launch.address, AddressRequest::PreviousOf(InstanceName::new("web1")));
}

#[test]
fn places_count_lines_and_columns_from_one() {
    let topology = read(TWO_TIER);
    let flow = topology.tables[0].open[1].pattern();
    let line = TWO_TIER.lines().position(|line| line.contains("- SG-T-WEB -> SG-T-DB:3306")).expect("it is there");
    assert_eq!(flow.place.line as usize, line + 1);
    assert_eq!(flow.place.column, 9);
    assert_eq!(flow.written, "SG-T-WEB -> SG-T-DB:3306");
}

#[test]
fn the_short_form_and_the_long_form_of_a_rule_mean_the_same() {
    let pairs = [
        ("tcp 80 from anywhere", "{protocol: tcp, port: 80, from: anywhere}"),
        ("tcp 7000-8000 from B", "{protocol: tcp, ports: 7000-8000, from: B}"),
        ("udp all from 10.0.0.0/8", "{protocol: udp, port: all, from: 10.0.0.0/8}"),
        ("icmp echo from office", "{protocol: icmp, type: echo, from: office}"),
        ("icmp all from B", "{protocol: icmp, type: all, from: B}"),
        ("icmp 3/4 from B", "{protocol: icmp, type: 3, code: 4, from: B}"),
        ("\"tcp 22 from office, B\"", "{protocol: tcp, port: 22, from: [office, B]}"),
        // As EC2 normalises what is sent to it.
        ("tcp 80 from B", "{protocol: TCP, port: 80, from: B}"),
        ("tcp 80 from B", "{protocol: 6, port: 80, from: B}"),
        ("udp 0-65535 from B", "{protocol: '17', port: 0-65535, from: B}"),
        ("icmp 8 from B", "{protocol: 1, type: 8, from: B}"),
        ("icmpv6 all from B", "{protocol: icmpv6, from: B}"),
        ("icmpv6 all from B", "{protocol: 58, from: B}"),
    ];
    for (short, long) in pairs {
        let strip = |rules: Vec<Permission>| -> Vec<_> {
            rules.into_iter().map(|rule| Permission { place: None, ..rule }).collect()
        };
        let short_rules = strip(rules_of(&with_rules(&format!("[{short}]"))));
        assert_eq!(short_rules, strip(rules_of(&with_rules(&format!("[{long}]")))), "{short}");
    }
}

#[test]
fn an_instance_that_names_no_group_is_in_the_default_group() {
    let text = "sglab: 1\nera: [classic, vpc]\ninstances: {a: {}, b: {}}\n\
                scenario: [{step: s, expect: {open: ['a -> b:ping']}}]\n";
    let topology = read(text);
    for era in [Era::Classic, Era::Vpc] {
        let cloud = topology.initial_cloud(era).expect("a cloud");
        let groups = &cloud.instances[0].interfaces[0].groups;
        assert_eq!(groups.iter().map(GroupName::as_str).collect::<Vec<_>>(), ["default"], "{era}");
        assert!(cloud.groups.contains_key(&GroupName::new("default")));
    }
}

#[test]
fn an_instance_of_a_second_vpc_that_names_no_group_is_in_the_default_group_of_that() {
    let text = "sglab: 1\nera: vpc\nvpcs: {east: {cidr: 10.0.0.0/16}, west: {cidr: 10.1.0.0/16}, none: {cidr: 10.2.0.0/16}}\n\
                groups: {WEB: {vpc: west, ingress: [tcp 80 from default-west]}}\n\
                instances: {a: {vpc: east}, b: {vpc: west}, c: {vpc: west, groups: [WEB, default-west]}}\n\
                scenario: [{step: s, expect: {open: ['b -> c:80', 'default-west -> b:22']}}]\n";
    let cloud = read(text).initial_cloud(Era::Vpc).expect("a cloud");
    let groups = |name: &str| -> Vec<String> {
        cloud.instances[name].interfaces[0].groups.iter().map(ToString::to_string).collect()
    };
    assert_eq!((groups("a"), groups("b")), (vec!["default".to_owned()], vec!["default-west".to_owned()]));
    assert_eq!(groups("c"), ["WEB", "default-west"]);
    let (first, second) = (&cloud.groups["default"], &cloud.groups["default-west"]);
    assert_eq!((first.name.as_str(), second.name.as_str()), ("default", "default"));
    assert_eq!((first.vpc.as_str(), second.vpc.as_str()), ("east", "west"));
    assert_eq!(second.ingress[0].peer, Peer::Group(GroupName::new("default-west")));
    assert_eq!(cloud.groups.len(), 3, "one that nothing uses is not there");
}

#[test]
fn a_host_with_two_addresses_gives_two_peers_with_the_words_of_the_file() {
    let rules = rules_of(&with_rules("[tcp  22   from office]"));
    let peers: Vec<_> = rules[0].peers.iter().map(|(_, written)| written.as_str()).collect();
    assert_eq!(peers, ["tcp 22 from office", "tcp 22 from office"]);
}

#[test]
fn host_bits_of_a_block_are_cleared() {
    let rules = rules_of(&with_rules("[tcp 22 from 10.1.2.3/8]"));
    assert_eq!(rules[0].peers[0].0, PeerRequest::Peer(Peer::Cidr("10.0.0.0/8".parse().expect("a block"))));
}

#[test]
fn a_range_brings_its_edges_and_their_outside_neighbours() {
    let topology = with_rules("[tcp 7000-8100 from B, udp 53 from B]");
    // 8080 lies inside the range, so that another port has to be the one that nothing names.
    let wanted = ["tcp 6999", "tcp 7000", "tcp 8100", "tcp 8101", "tcp 8102", "udp 53", "icmp echo"];
    assert_eq!(columns(&topology), wanted);
}

#[test]
fn all_ports_have_edges_and_no_neighbours() {
    assert_eq!(columns(&with_rules("[tcp all from B]")), ["tcp 1", "tcp 8080", "tcp 65535", "icmp echo"]);
}

#[test]
fn addresses_asked_for_by_hand_are_never_given_out() {
    let topology = read(
        "sglab: 1\nera: vpc\ngroups: {A: []}\ninstances: {a: {groups: A, address: 10.0.0.50}, b: {groups: A}}\n\
         scenario:\n- step: s\n  do: {launch: {c: {groups: A, address: 10.0.0.51}}}\n  expect: {dropped: [a -> b:22]}\n",
    );
    let reserved: Vec<_> = topology.empty.counters.private[0].iter().map(ToString::to_string).collect();
    assert_eq!(reserved, ["10.0.0.50", "10.0.0.51"]);
}

#[test]
fn flow_patterns_are_read_in_every_spelling() {
    let topology = read(
        "sglab: 1\nera: vpc\ngroups: {A: [], B: []}\ninstances: {a: {groups: A}, b: {groups: B}}\nscenario:\n\
         - step: s\n  expect:\n    open: ['a -> b:80', 'a->b:80/tcp', 'a -> b:tcp 80', 'a -> b:53/udp', 'a <-> b: ping',\n\
         \x20      'a -> b:80 by dns name']\n\
         \x20   dropped: [a -> b:udp 53 by public address at ingress, A -> B:icmp echo at egress]\n\
         \x20   refused: [any -> B:81]\n",
    );
    let Expectation::Flows(_, open) = &topology.steps[0].expectations[0].value else { panic!("flows") };
    let services: Vec<_> = open.iter().map(|flow| flow.service.to_string()).collect();
    assert_eq!(services, ["tcp 80", "tcp 80", "tcp 80", "udp 53", "icmp echo", "tcp 80"]);
    let Some(Expectation::Flows(_, dropped)) = topology.steps[0]
        .expectations
        .iter()
        .map(|e| &e.value)
        .find(|e| matches!(e, Expectation::Flows(ExpectedOutcome::Dropped, _)))
    else {
        panic!("drops")
    };
    assert_eq!((dropped[0].via, dropped[0].at), (Some(Via::Public), Some(Direction::Ingress)));
    assert_eq!((dropped[1].via, dropped[1].at), (None, Some(Direction::Egress)));
    assert_eq!(open[5].via, Some(Via::Dns));
    let closed_ports: Vec<_> = topology.closed_ports.iter().collect();
    assert_eq!(closed_ports, [&(InterfaceHolder::from(&InstanceName::new("b")), Service::Tcp(Port(81)))]);
}

#[test]
fn an_operation_that_is_to_be_refused_makes_no_names() {
    let problems = refused(
        "sglab: 1\nera: vpc\ngroups: {A: []}\ninstances: {a: {groups: A, address: 10.0.0.9}}\nscenario:\n\
         - step: one\n  do: {launch: {b: {groups: A, address: 10.0.0.9}}}\n  expect: {refusal: InvalidIPAddress.InUse}\n\
         - step: two\n  do: {stop: b}\n  expect: {rules: unchanged}\n",
    );
    assert!(problems.contains("`b` does not exist"), "{problems}");
}

#[test]
fn a_refusal_may_be_about_what_does_not_exist() {
    read(
        "sglab: 1\nera: vpc\ngroups: {A: []}\ninstances: {a: {groups: A}}\nscenario:\n\
         - step: one\n  do: {stop: nobody}\n  expect: {refusal: InvalidInstanceID.NotFound}\n\
         - step: two\n  do: {authorize: {NONE: [tcp 22 from anywhere]}}\n  expect: {refusal: InvalidGroup.NotFound}\n\
         - step: three\n  do: {create-group: {A: []}}\n  expect: {refusal: InvalidGroup.Duplicate}\n",
    );
}

#[test]
fn steps_of_different_eras_may_launch_the_same_name() {
    read(
        "sglab: 1\nera: [article, vpc]\ngroups: {A: []}\ninstances: {a: {groups: A}}\nscenario:\n\
         - step: one\n  eras: article\n  do: {launch: {b: {groups: A}}}\n\
         - step: two\n  eras: vpc\n  do: {launch: {b: {groups: A, listens: tcp 22}}}\n\
         - step: three\n  expect: {dropped: [a -> b:22]}\n",
    );
}

#[test]
fn a_table_takes_the_kind_of_address_of_the_one_that_it_extends() {
    let topology = read(
        "sglab: 1\nera: vpc\ngroups: {A: []}\ninstances: {a: {groups: A}, b: {groups: A}}\n\
         tables: {one: {by: public}, two: {like: one}, three: {like: two, by: private}}\n\
         scenario:\n- step: s\n  expect: {table: [one, two, three]}\n",
    );
    let via: Vec<_> = topology.tables.values().map(|table| table.via).collect();
    assert_eq!(via, [Some(Via::Public), Some(Via::Public), Some(Via::Private)]);
}

#[test]
fn a_running_cloud_too_gives_the_previous_address_of_one_that_is_gone() {
    use crate::model::sample::{Sample, start, stop, terminate};
    let mut sample = Sample::new(Era::Classic).group("g", &[]).instance("d", &["g"]).instance("e", &["g"]);
    sample.0.vpcs.shift_remove(&VpcName::new("other"));
    let was = sample.private("d");
    let gone = sample.with(terminate("d"));
    let asks = |words: &str| read_operations(&gone.0, words).map_err(|problems| problems.to_string());
    let launch = asks("launch: {x: {groups: g, address: d.previous}}").expect("an operation");
    let launched = gone.clone().with(launch[0].value.clone());
    assert_eq!(launched.private("x"), was);
    // By the same words that terminate it, and of its own namesake.
    for words in [
        "[{terminate: e}, {launch: {x: {groups: g, address: e.previous}}}]",
        "launch: {d: {groups: g, address: d.previous}}",
    ] {
        let operations = asks(words).unwrap_or_else(|told| panic!("{words}: {told}"));
        operations.into_iter().fold(gone.clone(), |sample, it| sample.with(it.value));
    }
    // Whoever gave none back is refused in EC2's words, and who never was in the reader's.
    assert!(asks("launch: {x: {groups: g, address: e.previous}}").is_ok());
    let told = asks("launch: {x: {groups: g, address: f.previous}}").expect_err("nobody's");
    assert!(told.contains("unknown instance `f`"), "{told}");
    let back = gone.with(stop("e")).with(start("e"));
    assert!(read_operations(&back.0, "launch: {x: {groups: g, address: e.previous}}").is_ok());
}

#[test]
fn a_terminated_instance_leaves_its_name_to_the_next() {
    let text = "sglab: 1\nera: vpc\ngroups: {g: [tcp 22 from anywhere]}\ninstances: {a: {groups: g}}\nscenario:\n  \
                - step: replaced\n    do: [{terminate: a}, {launch: {a: {groups: g}}}]\n    \
                expect: {new-addresses: [a]}\n";
    let topology = Topology::parse("t.yaml", text.as_bytes()).expect("a valid file");
    assert_eq!(topology.steps[0].operations().count(), 2);
}

#[test]
fn what_ec2_ignores_of_a_rule_is_said_in_its_words() {
    let rules = "[{protocol: 132, ports: 9999, from: A}, {protocol: -1, type: 8, from: B}, {protocol: 47, from: A}]";
    let written = |permission: &Permission| permission.peers[0].1.clone();
    assert_eq!(
        rules_of(&with_rules(rules)).iter().map(written).collect::<Vec<_>>(),
        [
            "protocol 132 from A (ports are ignored)",
            "all from B (it means everything: type is ignored)",
            "protocol 47 from A"
        ]
    );
}

#[test]
fn minus_one_is_everything_where_ec2_takes_it() {
    let rules = "[icmp -1 from A, icmp -1/-1 from B, icmp 8/-1 from A, icmpv6 -1 from A, protocol -1 from A, \
                 {protocol: icmp, type: -1, code: -1, from: 10.1.0.0/16}, {protocol: icmp, type: -1, from: 10.2.0.0/16}, \
                 {protocol: icmp, type: 3, code: -1, from: A}, {protocol: icmp, type: 3, code: '4', from: A}, -1 from B]";
    let traffic: Vec<String> = rules_of(&with_rules(rules)).iter().map(|rule| rule.traffic.to_string()).collect();
    let expected =
        ["icmp all", "icmp all", "icmp echo", "icmpv6 all", "all", "icmp all", "icmp all", "icmp 3", "icmp 3/4", "all"];
    assert_eq!(traffic, expected);
}

#[test]
fn truth_values_are_answers() {
    let file = |public: &str, ipv6: &str, check: &str| {
        format!(
            "sglab: 1\nera: vpc\nvpcs: {{v: {{cidr: 10.0.0.0/16, ipv6: {ipv6}}}}}\ngroups: {{A: [tcp 22 from anywhere]}}\n\
             instances: {{app: {{groups: A, public: {public}, source-dest-check: {check}}}, b: {{groups: A}}}}\n\
             scenario: [{{step: s, expect: {{open: ['app -> b:22']}}}}]\n"
        )
    };
    let validator = jsonschema::validator_for(&schema()).expect("the schema is one");
    for (words, truths) in
        [(("no", "yes", "off"), ("false", "true", "False")), (("yes", "no", "on"), ("true", "false", "true"))]
    {
        let [words, truths] = [words, truths].map(|(public, ipv6, check)| file(public, ipv6, check));
        let said = |text: &str| {
            format!(
                "{:?} {:?}",
                read(text).initial.iter().map(|it| it.value.clone()).collect::<Vec<_>>(),
                read(text).empty.vpcs
            )
        };
        assert_eq!(said(&words).replace(char::is_numeric, ""), said(&truths).replace(char::is_numeric, ""));
        assert!(validator.is_valid(&as_json(&truths)));
    }
}

#[test]
fn a_number_alone_is_a_port_of_tcp_everywhere() {
    let text = "sglab: 1\nera: vpc\ngroups: {A: [tcp 22 from anywhere]}\n\
                instances: {app: {groups: A, listens: [22, 80/tcp, 53/udp, tcp 443]}}\n\
                load-balancers: {lb: {groups: A, listeners: [22, 80/tcp to 8080, tcp 443 to 8443/tcp], targets: app}}\n\
                tables: {t: {ports: [9, 10/udp], open: ['any -> app:22', 'any -> lb:22']}}\n\
                scenario: [{step: s, expect: {table: t}}]\n";
    let columns = columns(&read(text));
    for column in ["tcp 9", "udp 10", "tcp 80", "udp 53", "tcp 443"] {
        assert!(columns.iter().any(|it| it == column), "{column} in {columns:?}");
    }
    assert!(jsonschema::validator_for(&schema()).expect("the schema is one").is_valid(&as_json(text)));
}
