//! Rows of tables for blocks of addresses that rules name, tested by whole files that the model runs.

use crate::model::Era;
use crate::scenario::{Options, RunVerdict, predict};
use crate::topology::{Problems, Topology};

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
