use indexmap::IndexSet;

use super::*;
use crate::model::{Cloud, Era, Flow, InstanceName, Service, Via, VpcName};
use crate::scenario::testing::{cloud, columns, pattern, stop};
use crate::scenario::{Options, RunVerdict, predict};
use crate::topology::{FlowPattern, Problems, Topology};

fn texts(flows: Result<Vec<Flow>, String>) -> Vec<String> {
    flows.expect("some flows").iter().map(ToString::to_string).collect()
}

fn usual() -> IndexSet<Option<Via>> {
    IndexSet::from([None])
}

#[test]
fn the_grid_of_two_tier_has_140_cells() {
    assert_eq!(grid(&cloud(), &columns(), &usual()).count(), 140);
}

#[test]
fn a_grid_of_both_vias_has_the_instances_twice_and_the_hosts_once() {
    let both = IndexSet::from([None, Some(Via::Public)]);
    assert_eq!(grid(&cloud(), &columns(), &both).count(), 140 + 4 * 3 * 5);
}

#[test]
fn a_stopped_instance_is_in_no_cell_of_the_grid() {
    let mut cloud = cloud();
    stop(&mut cloud, "db2");
    assert_eq!(grid(&cloud, &columns(), &usual()).count(), 3 * 4 * 5 + 3 * 2 * 5);
}

#[test]
fn a_pair_in_two_vpcs_has_no_private_cell_and_a_public_one() {
    let mut cloud = cloud();
    cloud.instances[&InstanceName::new("db2")].interfaces[0].vpc = VpcName::new("other");
    assert_eq!(grid(&cloud, &columns(), &usual()).count(), 140 - 6 * 5);
    assert_eq!(grid(&cloud, &columns(), &IndexSet::from([Some(Via::Public)])).count(), 140);
    let refusal = select(&pattern("db1 -> db2:3306"), None, &cloud).unwrap_err();
    assert_eq!(
        refusal,
        "`db1 -> db2:3306` selects no flow: db1 and db2 are in different VPCs, and have no private path"
    );
    assert_eq!(select(&pattern("db1 -> db2:3306"), Some(Via::Public), &cloud).unwrap().len(), 1);
}

#[test]
fn any_is_every_outside_address_and_every_other_running_instance() {
    let flows = texts(select(&pattern("any -> web1:80"), None, &cloud()));
    assert_eq!(
        flows,
        [
            "office -> web1:80",
            "neighbour -> web1:80",
            "world -> web1:80",
            "world -> web1:80",
            "web2 -> web1:80",
            "db1 -> web1:80",
            "db2 -> web1:80"
        ]
    );
}

#[test]
fn what_an_instance_sends_to_itself_leaves_it_by_public_address_only() {
    let asked = |via| select(&pattern("db1 -> db1:3306"), Some(via), &cloud());
    assert_eq!(texts(asked(Via::Public)), ["db1 -> db1:3306 by public address"]);
    for (via, by) in [(Via::Private, "private address"), (Via::Dns, "DNS name"), (Via::Ipv6, "IPv6 address")] {
        let why = format!("by {by} what db1 sends to itself never leaves it; `by public address` it does");
        assert_eq!(asked(via).unwrap_err(), format!("`db1 -> db1:3306` selects no flow: {why}"));
    }
    // A group's instance is not meant as a peer of itself.
    let flows = texts(select(&pattern("SG-T-DB -> SG-T-DB:3306"), Some(Via::Public), &cloud()));
    assert_eq!(flows, ["db1 -> db2:3306 by public address", "db2 -> db1:3306 by public address"]);
}

#[test]
fn both_ways_is_each_way_once_and_nobody_to_itself() {
    let flows = texts(select(&pattern("SG-T-DB <-> SG-T-DB:3306"), None, &cloud()));
    assert_eq!(flows, ["db1 -> db2:3306", "db2 -> db1:3306"]);
}

#[test]
fn a_group_without_a_running_member_selects_no_cell() {
    let refusal = select(&pattern("any -> SG-NONE:80"), None, &cloud()).unwrap_err();
    assert_eq!(refusal, "`any -> SG-NONE:80` selects no flow: SG-NONE has no running member");
}

#[test]
fn a_stopped_instance_may_be_asked_and_cannot_ask() {
    let mut cloud = cloud();
    stop(&mut cloud, "db2");
    assert_eq!(texts(select(&pattern("web1 -> db2:3306"), None, &cloud)), ["web1 -> db2:3306"]);
    let refusal = select(&pattern("db2 -> web1:80"), None, &cloud).unwrap_err();
    assert_eq!(refusal, "`db2 -> web1:80` selects no flow: db2 is stopped, and sends nothing");
}

#[test]
fn by_dns_name_a_host_asks_too_and_is_not_asked() {
    let by_name = |written: &str| FlowPattern { via: Some(Via::Dns), ..pattern(written) };
    let flows = texts(select(&by_name("any -> web1:80"), None, &cloud()));
    assert_eq!(flows.len(), 7);
    assert!(flows.iter().all(|flow| flow.ends_with(" -> web1:80 by DNS name")), "{flows:?}");
    let refusal = select(&by_name("web1 -> office:80"), None, &cloud()).unwrap_err();
    assert_eq!(refusal, "`web1 -> office:80` selects no flow: office is outside, and EC2 has no name for it");
    // An IPv6 address asks no resolver, and the name would not help it.
    let mut cloud = cloud();
    cloud.hosts[0].addresses = vec![crate::model::HostIp("2001:db8::7".parse().unwrap())];
    assert_eq!(select(&by_name("any -> web1:80"), None, &cloud).unwrap().len(), 6);
}

#[test]
fn a_host_without_such_an_address_is_named_as_the_reason() {
    let asked = |words: &str| {
        let pattern = crate::topology::read_question(&balanced(), words);
        select(&pattern.unwrap_or_else(|problems| panic!("{problems}")), None, &balanced()).unwrap_err()
    };
    for (words, why) in [
        ("office -> lb:80 by ipv6 address", "office has no IPv6 address"),
        ("lb -> office:80 by ipv6 address", "office has no IPv6 address"),
        ("lb -> office:80 by private address", "office is outside, and private addresses lead nowhere there"),
    ] {
        assert_eq!(asked(words), format!("`{words}` selects no flow: {why}"));
    }
}

fn balanced() -> Cloud {
    let text = "sglab: 1\nera: vpc\nhosts: {office: 203.0.113.10}\ngroups: {A: []}\ninstances: {app: {groups: A}}\n\
                load-balancers:\n  lb: {groups: A, listeners: tcp 80}\n  \
                within: {scheme: internal, groups: A, listeners: tcp 80}\n\
                scenario: [{step: s, expect: {dropped: ['app -> lb:80']}}]\n";
    let topology = Topology::parse("t.yaml", text.as_bytes());
    let topology = topology.unwrap_or_else(|problems| panic!("{problems}"));
    topology.initial_cloud(Era::Vpc).unwrap_or_else(|(refusal, _)| panic!("{refusal}"))
}

fn flows(words: &str) -> Vec<Flow> {
    let cloud = balanced();
    let pattern = crate::topology::read_flow(&cloud, words).unwrap_or_else(|problems| panic!("{problems}"));
    select(&pattern, None, &cloud).unwrap_or_else(|why| panic!("{why}"))
}

#[test]
fn a_load_balancer_is_reached_by_the_address_that_its_name_means_unless_another_is_said() {
    for (words, via, label) in [
        ("app -> lb:80", Via::Public, "app -> lb:80"),
        ("app -> lb:80 by public address", Via::Public, "app -> lb:80"),
        ("app -> lb:80 by private address", Via::Private, "app -> lb:80 by private address"),
        ("app -> within:80", Via::Private, "app -> within:80"),
        ("office -> lb:80", Via::Public, "office -> lb:80"),
        ("office -> within:80 by dns name", Via::Dns, "office -> within:80 by DNS name"),
        ("app -> within:80 by dns name", Via::Dns, "app -> within:80 by DNS name"),
        ("lb -> app:80", Via::Private, "lb -> app:80"),
    ] {
        let flows = flows(words);
        assert_eq!((flows[0].via, flows[0].to_string().as_str()), (via, label), "{words}");
        let again = crate::topology::write::flow(&flows[0]);
        assert_eq!(self::flows(&again), flows, "{words} is written as {again}");
    }
    let cloud = balanced();
    let refused = crate::topology::read_flow(&cloud, "office -> within:80").unwrap_err().to_string();
    assert!(refused.contains("`within` is internal, and has no public address"), "{refused}");
    let pattern = crate::topology::read_question(&cloud, "office -> within:80").expect("a flow");
    assert!(select(&pattern, None, &cloud).unwrap_err().contains("within has no public address"));
}

#[test]
fn a_table_that_says_nothing_has_load_balancers_by_their_names_and_one_that_says_private_has_not() {
    let (cloud, columns) = (balanced(), IndexSet::from([Service::Tcp(crate::model::Port(80))]).into());
    let cells = |said: Option<Via>| -> Vec<String> {
        let vias = IndexSet::from([said]);
        let cells = grid(&cloud, &columns, &vias).filter(|flow| flow.from.to_string() == "app");
        cells.map(|flow| flow.to_string()).collect()
    };
    assert_eq!(cells(None), ["app -> lb:80", "app -> within:80"]);
    assert_eq!(cells(Some(Via::Private)), ["app -> lb:80 by private address", "app -> within:80"]);
    assert_eq!(cells(Some(Via::Public)), ["app -> lb:80"]);
}

fn parsed(rest: &str) -> Result<Topology, Problems> {
    Topology::parse("t.yaml", format!("sglab: 1\nera: vpc\n{rest}").as_bytes())
}

/// The wrong cells of a file, and whatever else is wrong with its steps.
fn wrong(rest: &str) -> Vec<String> {
    let topology = parsed(rest).unwrap_or_else(|problems| panic!("{problems}"));
    let result = predict::predict(&topology, Era::Vpc, &Options::default(), &mut |_| ()).expect("a result");
    let mut wrong = Vec::new();
    for step in &result.steps {
        wrong.extend(step.wrong().map(|(_, cell)| cell.flow.to_string()));
        wrong.extend(step.findings.iter().map(|finding| finding.text.clone()));
    }
    assert_eq!(wrong.is_empty(), result.verdict == RunVerdict::Passed, "{wrong:?}");
    wrong
}

/// A table over an instance `a` whose group has these rules, beside the host `office`.
fn file(rules: &str, open: &str) -> String {
    format!(
        "hosts: {{office: 203.0.113.5}}\ngroups: {{g: [{rules}]}}\ninstances: {{a: {{groups: g}}}}\n\
         tables: {{t: {{open: [{open}]}}}}\nscenario: [{{step: s, expect: {{table: t}}}}]\n"
    )
}

const NOTHING: Vec<String> = Vec::new();

#[test]
fn a_block_around_a_host_is_told_from_the_host() {
    let office = "'office -> a:22'";
    assert_eq!(wrong(&file("tcp 22 from office", office)), NOTHING);
    let block = "tcp 22 from 203.0.113.0/24";
    assert_eq!(wrong(&file(block, office)), ["in-203-0-113-0-24 -> a:22"]);
    assert_eq!(wrong(&file("tcp 22 from 0.0.0.0/1", office)), ["office -> a:22", "in-0-0-0-0-1 -> a:22"]);
    assert_eq!(wrong(&file("tcp 22 from 128.0.0.0/1", office)), ["in-128-0-0-0-1 -> a:22"]);
    // By the words of the rule, whatever bits they have beyond the length, or by its name.
    for said in ["203.0.113.0/24", "203.0.113.77/24", "in-203-0-113-0-24"] {
        assert_eq!(wrong(&file(block, &format!("{office}, '{said} -> a:22'"))), NOTHING, "{said}");
    }
    // One that nothing but the rule names.
    assert!(wrong(&file("tcp 22 from 8.8.4.4", "'any -> a:80'")).contains(&"in-8-8-4-4-32 -> a:22".to_owned()));
    assert_eq!(wrong(&file("tcp 22 from 8.8.4.4", "8.8.4.4 -> a:22")), NOTHING);
}

#[test]
fn a_wide_rule_does_not_hide_behind_the_hosts_of_a_narrow_one() {
    let both = "tcp 22 from 203.0.113.0/24, tcp 22 from office, tcp 80 from 203.0.0.0/16";
    let open = "'office -> a:22', 'office -> a:80', '203.0.113.0/24 -> a:22', '203.0.113.0/24 -> a:80'";
    assert_eq!(wrong(&file(both, open)), ["in-203-0-0-0-16 -> a:80"]);
    // Equal rules are one, until a step takes one away.
    let halves = "tcp 22 from 203.0.112.0/23, tcp 22 from 203.0.112.0/24, tcp 22 from 203.0.113.0/24";
    let equal = file(halves, "'office -> a:22', '203.0.112.0/24 -> a:22'");
    assert_eq!(wrong(&equal), NOTHING);
    let revoked = equal + "- {step: r, do: [{revoke: {g: [tcp 22 from 203.0.112.0/24]}}], expect: {table: t}}\n";
    let revoked =
        revoked.replace("scenario: [{step: s, expect: {table: t}}]", "scenario:\n- {step: s, expect: {table: t}}");
    assert_eq!(wrong(&revoked), ["in-203-0-113-0-24 -> a:22"; 2]);
}

#[test]
fn blocks_that_the_same_rules_admit_are_one_row() {
    let rows = |rules: &str, open: &str| {
        let topology = parsed(&file(rules, open)).unwrap_or_else(|problems| panic!("{problems}"));
        let names = topology.empty_cloud(Era::Vpc).hosts.keys().map(ToString::to_string).collect::<Vec<_>>();
        names.join(" ")
    };
    let one = "'tcp 22 from 198.51.100.0/25, 192.0.2.0/25, 198.18.0.0/15, 10.0.0.0/16'";
    assert_eq!(rows(one, "'any -> a:22'"), "office in-198-51-100-0-25 elsewhere");
    // A file may name any of them, and all.
    assert_eq!(rows(one, "'192.0.2.0/25 -> a:22'"), "office in-192-0-2-0-25 elsewhere");
    assert_eq!(
        rows(one, "'192.0.2.0/25 -> a:22', '198.51.100.0/25 -> a:22'"),
        "office in-198-51-100-0-25 in-192-0-2-0-25 elsewhere"
    );
    let many: Vec<String> = (0..50).map(|number| format!("tcp 22 from 8.8.{number}.0/24")).collect();
    assert_eq!(rows(&many.join(", "), "'any -> a:22'"), "office in-8-8-0-0-24 elsewhere");
    let two = "tcp 22 from 198.51.100.0/25, tcp 23 from 192.0.2.0/25";
    assert_eq!(rows(two, "'any -> a:22'"), "office in-198-51-100-0-25 in-192-0-2-0-25 elsewhere");
    // No host can be there, or each is.
    assert_eq!(rows("'tcp 22 from 10.0.0.0/24, 203.0.113.5/32'", "'any -> a:22'"), "office office-neighbour elsewhere");
    // Nobody has IPv6.
    assert_eq!(rows("'tcp 22 from 2001:db8:7::/48'", "'any -> a:22'"), "office elsewhere");
}

#[test]
fn whoever_is_elsewhere_is_in_no_block() {
    let world = |rules: &str| {
        let open = "'any -> a:80'";
        let topology = parsed(&file(rules, open)).unwrap_or_else(|problems| panic!("{problems}"));
        let hosts = topology.empty_cloud(Era::Vpc).hosts;
        hosts.get("elsewhere").map(|host| format!("{:?}", host.addresses))
    };
    assert_eq!(world("tcp 22 from office").as_deref(), Some("[198.51.100.7, 192.0.2.99]"));
    assert_eq!(world("tcp 22 from 198.51.100.0/24, tcp 22 from office").as_deref(), Some("[192.0.2.99, 1.0.0.0]"));
    assert_eq!(world("tcp 22 from 128.0.0.0/1").as_deref(), Some("[1.0.0.0, 1.1.0.0]"));
    assert_eq!(world("'tcp 22 from 0.0.0.0/1, 128.0.0.0/1'"), None);
}

#[test]
fn the_entries_of_a_prefix_list_are_asked_at_every_step() {
    let file = |open: &str| {
        format!(
            "hosts: {{office: 203.0.113.5}}\nprefix-lists: {{p: {{entries: [192.0.2.128/25], max-entries: 9}}, none: [198.51.100.0/24]}}\n\
             groups: {{g: [tcp 22 from p]}}\ninstances: {{a: {{groups: g}}}}\n\
             tables: {{t: {{open: [{open}]}}}}\nscenario:\n\
             - {{step: s, expect: {{table: t}}}}\n\
             - {{step: e, do: [{{edit-prefix-list: {{p: {{add: [8.8.8.0/24], remove: [192.0.2.128/25]}}}}}}], expect: {{table: t}}}}\n"
        )
    };
    assert_eq!(wrong(&file("any -> a:80")).iter().filter(|cell| cell.ends_with(":22")).count(), 2);
    assert_eq!(wrong(&file("192.0.2.128/25 -> a:22")), ["in-192-0-2-128-25 -> a:22", "in-8-8-8-0-24 -> a:22"]);
}

#[test]
fn what_goes_out_to_a_block_is_asked_where_a_table_asks_a_host_of_it() {
    let file = |egress: &str, open: &str, more: &str| {
        format!(
            "hosts: {{office: 203.0.113.5}}\ngroups: {{g: {{ingress: [], egress: [{egress}]}}}}\ninstances: {{a: {{groups: g}}}}\n\
             tables: {{t: {{open: [{open}]{more}}}}}\nscenario: [{{step: s, expect: {{table: t}}}}]\n"
        )
    };
    // That is how a host is reached, which a flow says all the same.
    let wrong = |rest: &str| -> Vec<String> {
        wrong(rest).iter().map(|cell| cell.trim_end_matches(" by public address").to_owned()).collect()
    };
    let all = ", egress: all";
    let block = "tcp 443 to 203.0.113.0/24";
    assert_eq!(wrong(&file(block, "'a -> office:443'", "")), ["a -> in-203-0-113-0-24:443"]);
    assert_eq!(wrong(&file(block, "'a -> office:443'", all)), ["a -> in-203-0-113-0-24:443"]);
    assert_eq!(wrong(&file(block, "'a -> office:443', 'a -> 203.0.113.0/24:443'", all)), NOTHING);
    assert_eq!(wrong(&file(block, "'a -> office:443', 'a -> [203.0.113.0/24]:443'", "")), NOTHING);
    // A block without the host is asked where every host is.
    let two = "tcp 443 to office, icmp all to 8.8.8.0/24";
    assert_eq!(wrong(&file(two, "'a -> office:443'", "")), NOTHING);
    assert_eq!(wrong(&file(two, "'a -> office:443'", all)), ["a -> in-8-8-8-0-24:ping", "a -> in-8-8-8-0-24:icmp 15"]);
    let tight = file("tcp 443 to office", "'a -> office:443'", all);
    assert_eq!(wrong(&tight), NOTHING);
    let hosts = parsed(&tight).unwrap_or_else(|problems| panic!("{problems}")).empty_cloud(Era::Vpc).hosts;
    assert!(hosts.contains_key("office-neighbour"), "{hosts:?}");
}

#[test]
fn a_file_names_every_row_that_results_name() {
    let text = |open: &str| {
        format!(
            "hosts: {{office: 203.0.113.5, world: [192.0.2.1, 192.0.2.2]}}\n\
             groups: {{g: [tcp 22 from office, tcp 80 from anywhere]}}\ninstances: {{a: {{groups: g}}}}\n\
             scenario: [{{step: s, expect: {open}}}]\n"
        )
    };
    for (open, cells) in [
        ("{dropped: [office-neighbour -> a:22]}", 1),
        ("{open: ['world[2] -> a:80', 'elsewhere[1] -> a:80', 'a -> world[1]:443']}", 3),
        ("{open: [world -> a:80, elsewhere -> a:80]}", 4),
    ] {
        assert_eq!(wrong(&text(open)), NOTHING, "{open}");
        let topology = parsed(&text(open)).unwrap_or_else(|problems| panic!("{problems}"));
        let counts = predict::predict(&topology, Era::Vpc, &Options::default(), &mut |_| ()).unwrap().counts;
        assert_eq!(counts.cells, cells, "{open}");
    }
    for (open, problem) in [
        ("'world[3] -> a:80'", "`world` has 2 addresses"),
        ("'elsewhere[3] -> a:80'", "`elsewhere` has 2 addresses"),
        ("'office[0] -> a:80'", "unknown host, instance or group `office[0]`"),
        ("'a[1] -> a:80'", "unknown host, instance or group `a[1]`"),
        ("8.8.8.0/24 -> a:80", "no rule of this file names `8.8.8.0/24`"),
        ("203.0.113.5 -> a:80", "write `office`, which has it"),
        ("elsewhere-2 -> a:80", "there is no host `elsewhere-2`"),
        ("home-neighbour -> a:80", "unknown host, instance or group `home-neighbour`"),
    ] {
        let problems = parsed(&text(&format!("{{open: [{open}]}}"))).unwrap_err().to_string();
        assert!(problems.contains(problem), "{open}: {problems}");
    }
}

#[test]
fn a_block_of_ipv6_is_an_end_of_a_flow_either_way() {
    let file = |open: &str| {
        format!(
            "vpcs: {{m: {{cidr: 10.0.0.0/16, ipv6: yes}}}}\nhosts: {{office: '2001:db8:7::5'}}\n\
             groups: {{g: {{ingress: ['tcp 22 from 2001:db8:7::/48'], egress: ['tcp 53 to 2001:db8:7::/48', 'tcp 53 to ::/1']}}}}\n\
             instances: {{a: {{groups: g}}}}\ntables: {{t: {{open: [{open}]}}}}\n\
             scenario: [{{step: s, expect: {{table: t}}}}]\n"
        )
    };
    let office = "'office -> a:22', 'a -> office:53'";
    let (block, half) = ("in-2001-db8-7---48", "in----1");
    assert_eq!(
        wrong(&file(office)),
        [
            format!("{block} -> a:22 by IPv6 address"),
            format!("a -> {block}:53 by IPv6 address"),
            format!("a -> {half}:53 by IPv6 address")
        ]
    );
    let more = "'2001:db8:7::/48 -> a:22', 'a -> [2001:db8:7::/48]:53', 'a -> [::/1]:53'";
    assert_eq!(wrong(&file(&format!("{office}, {more}"))), NOTHING);
    let problems = parsed(&file("'a -> 2001:db8:7::/48:53'")).unwrap_err().to_string();
    assert!(problems.contains("an IPv6 address stands in brackets: `[2001:db8:7::/48]:53`"), "{problems}");
}
