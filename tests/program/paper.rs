//! Questions about a file that need no packet.

use crate::program::{Program, sglab, write};

/// Without hosts, tables and steps.
const SMALL: &str = "sglab: 1
era: vpc
groups:
  web: [tcp 443 from anywhere]
instances:
  web1: {groups: [web], listens: [tcp 443]}
";

#[test]
fn a_file_without_a_scenario_has_nothing_to_predict() {
    let program = Program::copy();
    write(&program, "small.yaml", SMALL);
    let said = sglab(&program, &["predict", "small.yaml"]);
    let expected = "NOTHING TO PREDICT  the file has no scenario\n";
    assert!(said.code == Some(0) && said.out.ends_with(expected) && !said.out.contains("PASSED"), "{said:?}");
    let of_another_era = "scenario: [{step: s, eras: [classic], expect: {open: [web1 -> web1.eth1:443]}}]\n";
    let text = SMALL.replace("era: vpc", "era: [vpc, classic]")
        + &of_another_era.replace("web1 -> web1.eth1:443", "elsewhere -> web1:443");
    write(&program, "classic.yaml", &text);
    let said = sglab(&program, &["predict", "classic.yaml", "--era", "vpc"]);
    let expected = "NOTHING TO PREDICT  none of the file's steps is asked for\n";
    assert!(said.code == Some(0) && said.out.ends_with(expected), "{said:?}");
}

#[test]
fn a_file_that_names_nobody_outside_is_asked_about_any_address_there() {
    let program = Program::copy();
    write(&program, "small.yaml", SMALL);
    for (flow, expected) in [
        ("elsewhere -> web1:443", "open, by web \"tcp 443 from anywhere\""),
        ("elsewhere -> web1:22", "dropped at web1's ingress"),
        ("web1 -> elsewhere:443", "open"),
    ] {
        let said = sglab(&program, &["explain", "small.yaml", flow]);
        assert!(said.code == Some(0) && said.out.contains(expected), "{flow}: {said:?}");
        assert!(said.out.contains("198.51.100.7") && said.out.contains("192.0.2.99"), "{flow}: {said:?}");
    }
    // Who is not asked about is not there.
    let said = sglab(&program, &["explain", "small.yaml", "any -> web1:443"]);
    assert!(said.code == Some(2) && !said.out.contains("elsewhere"), "{said:?}");
    let said = sglab(&program, &["explain", "small.yaml", "elsewere -> web1:443"]);
    assert!(said.code == Some(2) && said.err.contains("did you mean `elsewhere`?"), "{said:?}");
}

#[test]
fn what_is_nearly_a_rule_is_told_as_what_it_is() {
    let program = Program::copy();
    let text = "sglab: 1
era: vpc
vpcs: {main: {cidr: 10.0.0.0/16, ipv6: yes}}
hosts: {office: [203.0.113.10, '2001:db8:aaaa::7'], home: 198.51.100.7}
groups:
  web: [tcp 443 from anywhere, icmp 8/1 from office, icmp 3/1 from home, icmpv6 128/3 from ::/0]
instances: {web1: {groups: web}}
";
    for (flow, reason) in [
        ("office -> web1:443 by ipv6 address", "web \"tcp 443 from anywhere\" is for IPv4 only: write `::/0` for IPv6"),
        ("office -> web1:80 by ipv6 address", ""),
        (
            "office -> web1:ping by public address",
            "web \"icmp 8/1 from office\" is for code 1 only, and a ping has code 0",
        ),
        ("home -> web1:ping", ""),
        ("home -> web1:icmp 3/4", "web \"icmp 3/1 from home\" is for code 1 only, and this message has code 4"),
        // It is from somebody else, whatever its code.
        ("office -> web1:icmp 3/4 by public address", ""),
        (
            "office -> web1:ping by ipv6 address",
            "web \"icmpv6 128/3 from ::/0\" is for code 3 only, and a ping has code 0",
        ),
    ] {
        write(&program, "near.yaml", &format!("{text}scenario: [{{step: s, expect: {{open: ['{flow}']}}}}]\n"));
        let said = sglab(&program, &["predict", "near.yaml"]);
        let because =
            said.out.lines().find(|line| line.contains("because")).unwrap_or_else(|| panic!("{flow}: {said:?}"));
        let told = because.split_once("; ").map_or("", |(_, told)| told);
        assert_eq!(told, reason, "{flow}: {because}");
    }
}

#[test]
fn a_rule_of_egress_is_nearly_one_by_the_address_that_is_sent_to() {
    let program = Program::copy();
    for (peer, reason) in
        [("office", "web \"icmp 8/1 to office\" is for code 1 only, and a ping has code 0"), ("10.0.0.0/8", "")]
    {
        let text = format!(
            "sglab: 1\nera: vpc\nhosts: {{office: 203.0.113.10}}\n\
             groups: {{web: {{egress: [icmp 8/1 to {peer}]}}}}\ninstances: {{web1: {{groups: web}}}}\n\
             scenario: [{{step: s, expect: {{open: ['web1 -> office:ping']}}}}]\n"
        );
        write(&program, "near.yaml", &text);
        let said = sglab(&program, &["predict", "near.yaml"]);
        let because = said.out.lines().find(|line| line.contains("because")).unwrap_or_else(|| panic!("{said:?}"));
        assert_eq!(because.split_once("; ").map_or("", |(_, told)| told), reason, "{peer}: {because}");
    }
}

#[test]
fn traffic_of_nobody_is_no_more_for_a_prediction_than_for_packets() {
    let program = Program::copy();
    let text = "sglab: 1
era: vpc
groups: {A: [], B: [tcp 22 from A]}
instances: {a: {groups: A}, b: {groups: B, listens: tcp 22}}
scenario:
  - {step: b is stopped, do: [{stop: b}], expect: {unreachable: ['a -> b:22']}}
  - {step: traffic to it, during: ['a -> B:22'], do: [{start: b}], expect: {leak: none, loss: none}}
";
    write(&program, "nobody.yaml", text);
    let said = sglab(&program, &["predict", "nobody.yaml"]);
    assert!(
        said.code == Some(1) && said.out.contains("`a -> B:22` is no traffic: `a -> B:22` selects no flow: B"),
        "{said:?}"
    );
}

/// Source: "Elastic network interfaces" (EC2): an interface keeps its private addresses when its instance is stopped and started.
#[test]
fn a_further_interface_keeps_its_private_address_over_a_restart() {
    let program = Program::copy();
    let text = "sglab: 1
era: vpc
hosts: {home: 198.51.100.7}
groups: {web: []}
instances: {web1: {groups: web, interfaces: {eth1: {groups: web}}}}
scenario:
  - step: a restart
    do: [{stop: web1}, {start: web1}]
    expect: {same-private: [web1, web1.eth1]}
";
    write(&program, "two.yaml", text);
    let said = sglab(&program, &["predict", "two.yaml"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    write(&program, "new.yaml", &text.replace("same-private: [web1, web1.eth1]", "new-private: web1.eth1"));
    let said = sglab(&program, &["predict", "new.yaml"]);
    assert!(said.code == Some(1) && said.out.contains("new-private: web1.eth1 kept its private address"), "{said:?}");
    write(&program, "none.yaml", &text.replace("web1.eth1]", "web1.eth2]"));
    let said = sglab(&program, &["check", "none.yaml"]);
    assert!(said.code == Some(2) && said.err.contains("`web1` has no interface eth2"), "{said:?}");
}

#[test]
fn a_group_that_only_a_load_balancer_is_in_is_an_end_of_flows() {
    let program = Program::copy();
    let text = "sglab: 1
era: vpc
groups: {lbsg: [tcp 80 from anywhere], web: [tcp 80 from lbsg]}
instances: {web1: {groups: web, listens: [tcp 80]}}
load-balancers: {site: {groups: lbsg, listeners: [tcp 80], targets: [web1]}}
scenario: [{step: s, expect: {open: [lbsg -> web1:80]}}]
";
    write(&program, "lb.yaml", text);
    for flow in ["lbsg -> web1:80", "elsewhere -> lbsg:80"] {
        let said = sglab(&program, &["explain", "lb.yaml", flow]);
        assert!(said.code == Some(0) && said.out.contains("open, by "), "{flow}: {said:?}");
    }
}

/// Else a typing error in a CI job would pass for ever.
#[test]
fn where_no_step_is_asked_for_nothing_has_passed() {
    let program = Program::copy();
    let text = "sglab: 1
era: [article, vpc]
hosts: {home: 198.51.100.7}
groups: {web: []}
instances: {web1: {groups: web}}
scenario:
  - step: of one era
    eras: [vpc]
    expect: {dropped: ['web1 -> web1:80 by public address']}
";
    write(&program, "one.yaml", text);
    for command in ["test", "predict"] {
        let said = sglab(&program, &[command, "one.yaml", "--step", "0"]);
        assert!(said.code == Some(2) && said.err.contains("steps are numbered from 1"), "{command}: {said:?}");
    }
    let said = sglab(&program, &["test", "one.yaml", "--era", "article"]);
    let told = "error: nothing would be asked: no step is of era article\n";
    assert_eq!((said.code, said.err.as_str()), (Some(2), told), "{said:?}");
    let said = sglab(&program, &["predict", "one.yaml", "--era", "article"]);
    assert!(said.out.contains("NOTHING TO PREDICT"), "{said:?}");
    let said = sglab(&program, &["test", "one.yaml", "--step", "2"]);
    let told = "error: there is no step 2; the longest scenario has 1 step\n";
    assert_eq!((said.code, said.err.as_str()), (Some(2), told), "{said:?}");
    assert_eq!(sglab(&program, &["predict", "one.yaml"]).code, Some(0), "some era has one");
}
