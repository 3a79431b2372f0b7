//! What a table asks, by whole files that the model runs.

use crate::model::Era;
use crate::scenario::{Options, RunVerdict, predict};
use crate::topology::Topology;

fn topology(rest: &str) -> Topology {
    let text = format!("sglab: 1\nera: vpc\n{rest}");
    Topology::parse("t.yaml", text.as_bytes()).unwrap_or_else(|problems| panic!("{problems}"))
}

/// The wrong cells of a file, and whatever else is wrong with its steps.
fn wrong(rest: &str) -> Vec<String> {
    let result = predict::predict(&topology(rest), Era::Vpc, &Options::default(), &mut |_| ()).expect("a result");
    let mut wrong = Vec::new();
    for step in &result.steps {
        wrong.extend(step.wrong().map(|(_, cell)| cell.flow.to_string()));
        wrong.extend(step.findings.iter().map(|finding| finding.text.clone()));
    }
    assert_eq!(wrong.is_empty(), result.verdict == RunVerdict::Passed, "{wrong:?}");
    wrong
}

const SECOND_INTERFACE: &str = "\
hosts: {o: 8.8.8.8}
elastic-ips: [e]
groups: {closed: [tcp 80 from closed], wide: [tcp 22 from anywhere]}
instances: {a: {groups: closed}, b: {groups: closed, interfaces: {eth1: {groups: wide}}}}
";

#[test]
fn a_table_has_the_cells_of_further_interfaces() {
    let file = |open: &str| {
        format!(
            "{SECOND_INTERFACE}tables: {{t: {{open: [{open}]}}}}\n\
             scenario: [{{step: s, do: [{{associate-address: {{e: b.eth1}}}}], expect: {{table: t}}}}]\n"
        )
    };
    let wrong_cells = wrong(&file("'closed -> closed:80'"));
    for flow in ["o -> b.eth1:22", "elsewhere -> b.eth1:22", "a -> b.eth1:22"] {
        assert!(wrong_cells.iter().any(|cell| cell == flow), "{flow}: {wrong_cells:?}");
    }
    assert!(wrong_cells.iter().all(|cell| cell.ends_with("-> b.eth1:22")), "{wrong_cells:?}");
    // By the interface, or by the group that it is in.
    for open in ["'any -> b.eth1:22'", "'any -> wide:22'"] {
        assert_eq!(wrong(&file(&format!("'closed -> closed:80', {open}"))), Vec::<String>::new());
    }
}

#[test]
fn an_interface_that_a_table_names_is_there_at_each_step_that_expects_it() {
    let text = format!(
        "sglab: 1\nera: vpc\n{SECOND_INTERFACE}tables: {{t: {{open: ['a -> b.eth2:22', 'a -> a.eth0:22']}}}}\n\
         scenario: [{{step: s, expect: {{table: t}}}}]\n"
    );
    let problems = Topology::parse("t.yaml", text.as_bytes()).unwrap_err().to_string();
    assert!(problems.contains("the table `t` names `b.eth2`, which does not exist at this step"), "{problems}");
}

#[test]
fn what_has_no_way_out_is_unreachable_and_a_hole_nowhere() {
    let file = "hosts: {w: 192.0.2.7}\ngroups: {g: [tcp 22 from w]}\n\
                instances: {a: {groups: g}, b: {groups: g, public: no, interfaces: {eth1: {groups: g}}}}\n\
                tables: {t: {by: public, open: ['w -> a:22']}}\n\
                scenario: [{step: s, expect: {table: t}}]\n";
    assert_eq!(wrong(file), Vec::<String>::new());
    let wrong_cells = wrong(&file.replace("'w -> a:22'", "'any -> a:22'"));
    for flow in ["b -> a:22 by public address", "b.eth1 -> a:22 by public address"] {
        assert!(wrong_cells.iter().any(|cell| cell == flow), "{flow}: {wrong_cells:?}");
    }
}

/// The wrong cells of a table over two instances of a group with this rule.
fn between(group: &str, rule: &str, open: &str) -> Vec<String> {
    let groups = if rule.is_empty() { String::new() } else { format!("groups: {{{group}: [{rule}]}}\n") };
    wrong(&format!(
        "{groups}instances: {{a: {{groups: {group}}}, b: {{groups: {group}}}}}\n\
         tables: {{t: {{open: [{open}]}}}}\nscenario: [{{step: s, expect: {{table: t}}}}]\n"
    ))
}

#[test]
fn every_column_can_be_opened_and_so_every_column_of_a_protocol() {
    let nothing = Vec::<String>::new();
    assert_eq!(between("default", "", "a <-> b:all"), nothing);
    assert_eq!(between("g", "all from g", "'a <-> b:all by private address'"), nothing);
    assert_eq!(between("g", "tcp all from g", "'a <-> b:tcp all'"), nothing);
    assert_eq!(between("g", "tcp all from g", "a <-> b:all"), ["a -> b:ping", "b -> a:ping"]);
    assert_eq!(between("g", "udp all from g", "'a <-> b:udp all'"), nothing);
    assert_eq!(between("g", "icmp all from g", "'a <-> b:icmp all'"), nothing);
    // Named one by one they leave the port that nobody names.
    assert_eq!(
        between("g", "tcp all from g", "'a -> b:tcp all', b -> a:1, b -> a:8080, b -> a:65535"),
        ["b -> a:8081"]
    );
}

#[test]
fn a_wide_rule_has_columns_of_what_nobody_names() {
    let leaks = ["a -> b:8080/udp", "b -> a:8080/udp"];
    assert_eq!(between("g", "udp all from g", "a <-> b:1/udp, a <-> b:65535/udp"), leaks);
    let open = "'a <-> b:tcp all', 'a <-> b:udp all', a <-> b:ping";
    assert_eq!(between("g", "all from g", open), ["a -> b:protocol 253", "b -> a:protocol 253"]);
    let columns = |rule: &str| {
        let file = topology(&format!(
            "groups: {{g: [{rule}]}}\ninstances: {{a: {{groups: g}}}}\ntables: {{t: {{open: [any -> a:ping]}}}}\n\
             scenario: [{{step: s, expect: {{table: t}}}}]\n"
        ));
        file.columns.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    };
    // What goes out is let out by every group that says nothing of it, and no column of a table about what comes in.
    assert_eq!(columns("tcp 22 from g"), "tcp 22, tcp 8080, icmp echo");
    assert_eq!(columns("'udp 1000-2000 from g'"), "tcp 8080, udp 999, udp 1000, udp 2000, udp 2001, icmp echo");
    assert_eq!(columns("udp 53 from g, udp all from g"), "tcp 8080, udp 1, udp 53, udp 8080, udp 65535, icmp echo");
    assert_eq!(columns("protocol 253 from g, all from g"), "tcp 8080, udp 8080, icmp echo, protocol 253, protocol 254");
}

#[test]
fn what_an_instance_listens_on_is_a_column() {
    let file = topology(
        "groups: {g: [tcp 22 from g]}\ninstances: {a: {groups: g, listens: tcp 9}}\n\
         scenario: [{step: s, do: {launch: {b: {groups: g, listens: udp 7}}}, expect: {dropped: [a -> b:22 at egress]}}]\n",
    );
    let columns: Vec<_> = file.columns.iter().map(ToString::to_string).collect();
    assert_eq!(columns, ["tcp 9", "tcp 22", "tcp 8080", "udp 7", "icmp echo"]);
}

#[test]
fn all_columns_are_for_tables() {
    for words in ["a -> b:all", "a -> b:tcp all"] {
        let text = format!(
            "sglab: 1\nera: vpc\ngroups: {{g: []}}\ninstances: {{a: {{groups: g}}, b: {{groups: g}}}}\n\
             scenario: [{{step: s, expect: {{dropped: ['{words}']}}}}]\n"
        );
        let problems = Topology::parse("t.yaml", text.as_bytes()).unwrap_err().to_string();
        let all = words.split_once(':').unwrap().1;
        assert!(problems.contains(&format!("`{all}` stands for the columns of a table")), "{problems}");
    }
}

#[test]
fn an_icmp_type_that_a_rule_names_is_a_column_of_its_family() {
    let file = |open: &str| {
        format!(
            "vpcs: {{v: {{cidr: 10.0.0.0/16, ipv6: yes, subnets: {{s: 10.0.0.0/24}}}}}}\n\
             groups: {{g: [icmp 13 from g, icmp echo from g, icmpv6 135 from g, icmpv6 echo from g, icmp 3/4 from g]}}\n\
             instances: {{a: {{groups: g}}, b: {{groups: g}}}}\n\
             tables:\n  four: {{open: [a <-> b:ping{open}]}}\n  six: {{by: ipv6, open: [a <-> b:ping{open}]}}\n\
             scenario: [{{step: s, expect: {{table: [four, six]}}}}]\n"
        )
    };
    let of_ipv4 = ["icmp 3/4", "icmp 13"].map(|column| [format!("a -> b:{column}"), format!("b -> a:{column}")]);
    let of_ipv6 = ["a -> b:icmp 135 by IPv6 address", "b -> a:icmp 135 by IPv6 address"].map(str::to_owned);
    let mut found = wrong(&file(""));
    found.sort();
    let mut expected: Vec<String> = of_ipv4.into_iter().flatten().chain(of_ipv6).collect();
    expected.sort();
    assert_eq!(found, expected);
    assert_eq!(wrong(&file(", 'a <-> b:icmp all'")), Vec::<String>::new());
    let columns: Vec<_> = topology(&file("")).columns.iter().map(ToString::to_string).collect();
    assert_eq!(columns, ["tcp 8080", "icmp echo", "icmp 3/4", "icmp 13", "icmp 135"]);
}

#[test]
fn what_goes_out_to_a_host_is_asked_where_a_table_names_it_or_says_so() {
    let file = |egress: &str, open: &str, more: &str| {
        format!(
            "hosts: {{o: 8.8.8.8}}\n\
             groups: {{g: {{ingress: [tcp 22 from o], egress: [{egress}]}}}}\ninstances: {{a: {{groups: g}}, b: {{groups: g}}}}\n\
             tables: {{t: {{open: [{open}]{more}}}}}\nscenario: [{{step: s, expect: {{table: t}}}}]\n"
        )
    };
    // That is how a host is reached, which a flow says all the same.
    let wrong = |rest: &str| -> Vec<String> {
        wrong(rest).iter().map(|cell| cell.trim_end_matches(" by public address").to_owned()).collect()
    };
    let nothing = Vec::<String>::new();
    let all = ", egress: all";
    // Nothing is asked of it, and the result says how much of it was not.
    let silent = file("tcp 443 to anywhere", "'o -> g:22'", "");
    assert_eq!(wrong(&silent), nothing);
    let counts = predict::predict(&topology(&silent), Era::Vpc, &Options::default(), &mut |_| ()).unwrap().counts;
    // Two instances; o, its neighbour and two strangers; 22, 443, 8080 and ping.
    assert_eq!((counts.cells, counts.not_asked.hosts), (2 * 4 * 4 + 2 * 4, 2 * 4 * 4));
    // A cell that the step names itself was asked.
    let named = silent.replace("{table: t}", "{table: t, open: ['a -> o:443']}");
    let counts = predict::predict(&topology(&named), Era::Vpc, &Options::default(), &mut |_| ()).unwrap().counts;
    assert_eq!((counts.cells, counts.not_asked.hosts), (2 * 4 * 4 + 2 * 4 + 1, 2 * 4 * 4 - 1));
    let hosts = wrong(&file("tcp 443 to anywhere", "'o -> g:22'", all));
    assert!(hosts.contains(&"a -> o:443".to_owned()) && hosts.contains(&"b -> elsewhere:443".to_owned()), "{hosts:?}");
    assert!(hosts.iter().all(|cell| cell.ends_with(":443")), "{hosts:?}");
    // A host that is named is asked for everything.
    assert_eq!(wrong(&file("tcp 443 to o, tcp 80 to o", "'o -> g:22', 'g -> o:443'", "")), ["a -> o:80", "b -> o:80"]);
    assert_eq!(wrong(&file("tcp 443 to o", "'o -> g:22', 'g -> o:443'", all)), nothing);
    // What lets everything out lets out what nobody names.
    let everything = wrong(&file("all to o", "'o -> g:22', 'g -> o:tcp all', 'g -> o:ping'", ""));
    let both = |column: &str| ["a", "b"].map(|from| format!("{from} -> o:{column}"));
    assert!(
        both("8080/udp").iter().chain(&both("protocol 253")).all(|cell| everything.contains(cell)),
        "{everything:?}"
    );
    assert_eq!(wrong(&file("all to o, 'tcp 1-65535 to g'", "'o -> g:22', 'g -> o:all'", "")), nothing);
    assert_eq!(wrong(&file("all to anywhere", "'o -> g:22', 'any -> o:all'", "")), nothing);
}

#[test]
fn without_egress_rules_a_table_asks_no_host_but_what_it_opens() {
    let text = "sglab: 1\nera: [classic, vpc]\nhosts: {o: 8.8.8.8}\ngroups: {g: [tcp 22 from o]}\ninstances: {a: {groups: g}}\n\
                tables: {t: {open: ['o -> g:22', 'a -> o:22'], egress: all}}\n\
                scenario: [{step: s, expect: {table: t}}]\n";
    let topology = Topology::parse("t.yaml", text.as_bytes()).unwrap_or_else(|problems| panic!("{problems}"));
    let wrong = |era| predict::predict(&topology, era, &Options::default(), &mut |_| ()).unwrap().counts.wrong;
    assert_eq!(wrong(Era::Classic), 0);
    assert!(wrong(Era::Vpc) > 0);
}

#[test]
fn a_cloud_whose_table_has_no_words_is_exported_as_lists() {
    // To name protocol 253, which nothing else names, makes 254 the one that nothing names.
    let text = "sglab: 1\nera: vpc\nvpcs: {m: {cidr: 10.1.0.0/16, subnets: {pub: 10.1.1.0/24, priv: {cidr: 10.1.2.0/24, public: no, routes: \
                {0.0.0.0/0: nat}}}}}\nhosts: {office: 203.0.113.10}\ngroups: {app: [icmp 3/4 from app], natsg: [all from 10.1.2.0/24]}\n\
                instances: {app1: {groups: app, subnet: priv}, nat: {groups: natsg, subnet: pub, forwards: nat, source-dest-check: off}}\n";
    let file = Topology::parse_cloud("t.yaml", text.as_bytes()).unwrap_or_else(|problems| panic!("{problems}"));
    let cloud = file.initial_cloud(Era::Vpc).unwrap_or_else(|(refusal, _)| panic!("{refusal}"));
    let written = crate::scenario::export::export(&cloud, "The lab.").expect("a file");
    let again =
        Topology::parse("t.yaml", written.as_bytes()).unwrap_or_else(|problems| panic!("{problems}\n{written}"));
    let result = predict::predict(&again, Era::Vpc, &Options::default(), &mut |_| ()).expect("a result");
    assert!(result.verdict == RunVerdict::Passed && result.counts.cells > 0, "{written}");
}

#[test]
fn a_table_tells_all_of_icmp_from_a_ping() {
    for (rule, opened, wrong) in [
        ("icmp echo from anywhere", "any -> g:ping", 0),
        ("icmp all from anywhere", "any -> g:ping", 2),
        ("icmp all from anywhere", "any -> g:icmp all", 0),
        ("icmp all from anywhere, icmp 15 from anywhere", "any -> g:ping, any -> g:icmp 15", 2),
    ] {
        let text = format!(
            "sglab: 1\nera: vpc\nhosts: {{o: 8.8.8.8}}\ngroups: {{g: [{rule}]}}\ninstances: {{a: {{groups: g}}}}\n\
             tables: {{t: {{open: [{opened}]}}}}\nscenario: [{{step: s, expect: {{table: t}}}}]\n"
        );
        let topology = Topology::parse("t.yaml", text.as_bytes()).unwrap_or_else(|problems| panic!("{problems}"));
        let result = predict::predict(&topology, Era::Vpc, &Options::default(), &mut |_| ()).unwrap();
        assert_eq!(result.counts.wrong, wrong, "{rule}, {opened}");
    }
}

#[test]
fn an_exported_cloud_holds_against_itself() {
    for rest in [
        "groups: {g: [tcp all from g, icmp echo from anywhere]}\ninstances: {a: {groups: g}, b: {groups: g}}\n",
        "groups: {g: [all from g, tcp 22 from anywhere]}\ninstances: {a: {groups: g}, b: {groups: g}}\n",
        "hosts: {o: 8.8.8.8}\ngroups: {g: {ingress: [udp all from g], egress: [tcp 443 to o, icmp 13 to anywhere]}, w: [tcp 22 from o]}\n\
         instances: {a: {groups: g}, b: {groups: g, interfaces: {eth1: {groups: w}}}}\n",
        "hosts: {o: 8.8.8.8}\ngroups: {g: ['tcp 22 from 8.8.8.0/24, 192.0.2.0/25', tcp 80 from 9.9.9.9]}\ninstances: {a: {groups: g}}\n",
        "vpcs: {six: {cidr: 10.2.0.0/16, ipv6: yes}}\nhosts: {office: [203.0.113.10, '2001:db8:77::9']}\n\
         groups: {web: ['tcp 80 from ::/0']}\ninstances: {a: {groups: web}}\n",
        "vpcs: {six: {cidr: 10.2.0.0/16, ipv6: yes}}\nhosts: {office: [203.0.113.10, '2001:db8:77::9']}\n\
         groups: {web: {ingress: ['tcp 80 from ::/0', 'tcp 81 from anywhere', icmp echo from anywhere], egress: ['tcp 443 to ::/0']}}\n\
         instances: {a: {groups: web}, b: {groups: web}}\n",
    ] {
        let file = topology(&format!(
            "{rest}tables: {{t: {{open: [any -> a:ping]}}}}\nscenario: [{{step: s, expect: {{table: t}}}}]\n"
        ));
        let cloud = file.initial_cloud(Era::Vpc).unwrap_or_else(|(refusal, _)| panic!("{refusal}"));
        let written = crate::scenario::export::export(&cloud, "The lab.").expect("a file");
        let again =
            Topology::parse("t.yaml", written.as_bytes()).unwrap_or_else(|problems| panic!("{problems}\n{written}"));
        let result = predict::predict(&again, Era::Vpc, &Options::default(), &mut |_| ()).expect("a result");
        let wrong: Vec<_> =
            result.steps.iter().flat_map(|step| step.wrong().map(|(_, it)| it.flow.to_string())).collect();
        assert_eq!((wrong, result.verdict), (Vec::new(), RunVerdict::Passed), "{written}");
        assert!(written.contains("tables:"), "{written}");
    }
}

#[test]
fn the_name_of_an_internal_load_balancer_is_no_cell_of_another_vpc() {
    let file = |open: &str| {
        format!(
            "vpcs: {{one: {{cidr: 10.0.0.0/16}}, two: {{cidr: 10.1.0.0/16}}}}
groups: {{l: {{vpc: one, ingress: [tcp 80 from anywhere]}}, n: {{vpc: two}}}}
instances: {{a: {{vpc: one, groups: l}}, c: {{vpc: two, groups: n}}}}
load-balancers: {{site: {{vpc: one, scheme: internal, groups: l, listeners: [tcp 80], targets: [a]}}}}
tables: {{t: {{by: dns, open: [{open}]}}}}
scenario: [{{step: s, expect: {{table: t}}}}]
"
        )
    };
    assert_eq!(wrong(&file("'any -> a:80', 'a -> site:80'")), Vec::<String>::new());
}
