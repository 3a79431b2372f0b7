//! The documented gotchas that are about calls, by their numbers (`docs/facts.md`): what is refused, with code and text,
//! and what is not. Written by hand, as the verdicts of `tests/lab/literal` are.

use crate::model::sample::*;
use crate::model::*;

fn refusal(sample: &Sample, operation: &Operation) -> String {
    match sample.try_apply(operation) {
        Ok(_) => panic!("{operation:?} was carried out"),
        Err(refusal) => refusal.to_string(),
    }
}

fn delete(name: &str) -> Operation {
    Operation::DeleteGroup(GroupName::new(name))
}

fn outwards(call: fn(GroupName, Vec<Permission>) -> Operation, group: &str, rule: &str) -> Operation {
    call(GroupName::new(group), vec![permission(rule)])
}

/// The rules of a group as they are written, what comes in and what goes out.
fn rules(sample: &Sample, group: &str) -> (Vec<String>, Vec<String>) {
    let group = &sample.0.groups[&GroupName::new(group)];
    let spelt = |rules: &[Rule]| rules.iter().map(|rule| format!("{} {}", rule.traffic, rule.peer)).collect();
    (spelt(&group.ingress), spelt(&group.egress))
}

fn vpc() -> Sample {
    Sample::new(Era::Vpc).group("g", &[])
}

const DUPLICATE: &str = "InvalidPermission.Duplicate: the specified rule \"peer: ";
const EXCEEDED: &str =
    "RulesPerSecurityGroupLimitExceeded: The maximum number of rules per security group has been reached.";

#[test]
fn case_28_the_groups_of_a_classic_instance_do_not_change_and_the_rules_of_its_group_do() {
    let classic = Sample::new(Era::Classic).group("g", &[]).group("h", &[]).instance("a", &["g"]);
    let expected = "InvalidParameterCombination: You may only modify the groupSet attribute for VPC instances";
    assert_eq!(refusal(&classic, &set_groups("a", &["h"])), expected);
    assert_eq!(refusal(&classic.clone().with(stop("a")), &set_groups("a", &["h"])), expected);
    assert_eq!(rules(&classic.with(authorize("g", "tcp 22 from h")), "g").0, ["tcp 22 h"]);
}

#[test]
fn case_29_classic_has_no_egress_calls() {
    let expected = "InvalidParameterValue: Only Amazon VPC security groups may be used with this operation.";
    for era in [Era::Article, Era::Classic] {
        let sample = Sample::new(era).group("g", &[]);
        for call in [Operation::AuthorizeEgress, Operation::RevokeEgress] {
            assert_eq!(refusal(&sample, &outwards(call, "g", "tcp 22 to 10.0.0.0/8")), expected, "{era}");
        }
    }
}

#[test]
fn case_31_what_keeps_a_group_from_being_deleted() {
    let mut sample = vpc();
    add_default_group(&mut sample.0, &VpcName::new("default"));
    let sample = sample
        .group("worn", &[])
        .group("named", &[])
        .group("naming", &["tcp 22 from named"])
        .group("own", &["tcp 22 from own"])
        .instance("a", &["worn"]);
    assert_eq!(refusal(&sample, &delete("worn")), "DependencyViolation: resource worn has a dependent object");
    assert_eq!(refusal(&sample, &delete("named")), "DependencyViolation: resource named has a dependent object");
    assert_eq!(
        refusal(&sample, &delete("default")),
        "CannotDelete: the specified group: \"default\" name: \"default\" cannot be deleted by a user"
    );
    let sample = sample.with(delete("own")).with(delete("naming")).with(delete("named"));
    assert_eq!(
        refusal(&sample.clone().with(stop("a")), &delete("worn")).split(':').next(),
        Some("DependencyViolation")
    );
    sample.with(terminate("a")).with(delete("worn"));
}

#[test]
fn case_32_a_block_is_stored_canonical_and_its_twin_is_a_duplicate() {
    let sample = vpc().with(authorize("g", "tcp 22 from 100.68.0.18/18"));
    assert_eq!(rules(&sample, "g").0, ["tcp 22 100.68.0.0/18"]);
    let expected = format!("{DUPLICATE}100.68.0.0/18, TCP, from port: 22, to port: 22, ALLOW\" already exists");
    assert_eq!(refusal(&sample, &authorize("g", "tcp 22 from 100.68.0.0/18")), expected);
    assert_eq!(refusal(&sample, &authorize("g", "tcp 22 from 100.68.63.255/18")), expected);
    // `10.0.0.0/0` is everybody, and so is its twin.
    let everybody = vpc().with(authorize("g", "tcp 22 from 10.0.0.0/0"));
    assert_eq!(rules(&everybody, "g").0, ["tcp 22 anywhere"]);
    let expected = format!("{DUPLICATE}0.0.0.0/0, TCP, from port: 22, to port: 22, ALLOW\" already exists");
    assert_eq!(refusal(&everybody, &authorize("g", "tcp 22 from 0.0.0.0/0")), expected);
    // The other family's everybody is another rule.
    assert_eq!(rules(&everybody.with(authorize("g", "tcp 22 from ::/0")), "g").0, ["tcp 22 anywhere", "tcp 22 ::/0"]);
}

#[test]
fn case_33_the_same_permission_twice_in_one_request_adds_nothing() {
    let twice = |one: &str, other: &str| {
        Operation::AuthorizeIngress(GroupName::new("g"), vec![permission(one), permission(other)])
    };
    let expected = "InvalidParameterValue: The same permission must not appear multiple times";
    let sample = vpc();
    assert_eq!(refusal(&sample, &twice("tcp 22 from 10.0.0.0/8", "tcp 22 from 10.0.0.0/8")), expected);
    assert_eq!(refusal(&sample, &twice("tcp 22 from 10.0.0.0/8", "tcp 22 from 10.1.0.0/8")), expected, "its twin");
    assert_eq!(refusal(&sample, &authorize("g", "tcp 22 from g, g")), expected, "in one list of peers");
    assert_eq!(rules(&sample, "g").0, [""; 0]);
}

#[test]
fn case_34_a_part_of_a_range_is_another_rule() {
    let sample = vpc().with(authorize("g", "tcp 22 from 10.0.0.0/8"));
    let expected = "InvalidPermission.NotFound: The specified rule does not exist in this security group.";
    for other in ["tcp 22-23 from 10.0.0.0/8", "udp 22 from 10.0.0.0/8", "tcp 22 from 10.0.0.0/9", "tcp 22 from g"] {
        assert_eq!(refusal(&sample, &revoke("g", other)), expected, "{other}");
    }
    assert_eq!(rules(&sample, "g").0, ["tcp 22 10.0.0.0/8"], "the rule stays");
    for era in [Era::Article, Era::Classic] {
        let classic = Sample::new(era).group("g", &["tcp 22 from 10.0.0.0/8"]);
        let after = classic.clone().with(revoke("g", "tcp 22-23 from 10.0.0.0/8"));
        assert_eq!(after.0, classic.0, "no error in {era}, and the rule stays");
    }
}

#[test]
fn case_35_without_a_peer_nothing_is_added_and_nothing_is_wrong() {
    let none = Permission { peers: Vec::new(), ..permission("tcp 22 from g") };
    for era in Era::ALL {
        let sample = Sample::new(era).group("g", &[]);
        let after = sample.clone().with(Operation::AuthorizeIngress(GroupName::new("g"), vec![none.clone()]));
        assert_eq!(after.0, sample.0, "{era}");
    }
}

#[test]
fn case_36_sixty_rules_of_each_family_and_not_one_more() {
    let of = |family: &str| match family {
        "v4" => "10.0.0.1",
        _ => "2001:db8::1",
    };
    let fill = |sample: Sample, family: &str| {
        (1..=60).fold(sample, |sample, port| sample.with(authorize("g", &format!("tcp {port} from {}", of(family)))))
    };
    let v4 = fill(vpc(), "v4");
    assert_eq!(refusal(&v4, &authorize("g", "tcp 61 from 10.0.0.1")), EXCEEDED);
    assert_eq!(refusal(&v4, &authorize("g", "tcp 61 from g")), EXCEEDED, "a group counts in both families");
    let both = fill(v4, "v6");
    assert_eq!(refusal(&both, &authorize("g", "tcp 61 from 2001:db8::1")), EXCEEDED);
    assert_eq!(refusal(&fill(vpc(), "v6"), &authorize("g", "tcp 61 from g")), EXCEEDED);
    assert_eq!(rules(&both, "g").0.len(), 120);
    // One request for 61 is refused whole.
    let peers: Vec<String> = (1..=61).map(|last| format!("10.0.0.{last}")).collect();
    assert_eq!(refusal(&vpc(), &authorize("g", &format!("tcp 1 from {}", peers.join(", ")))), EXCEEDED);
    vpc().with(authorize("g", &format!("tcp 1 from {}", peers[..60].join(", "))));
    // What goes out is counted by itself, and the group is born with a rule.
    let out = |port: u32| outwards(Operation::AuthorizeEgress, "g", &format!("tcp {port} to 10.0.0.1"));
    let out_full = (1..=59).fold(both, |sample, port| sample.with(out(port)));
    assert_eq!(refusal(&out_full, &out(60)), EXCEEDED);
}

#[test]
fn case_37_the_sixth_group_the_sixth_address_and_a_name_in_another_case() {
    let six = ["g1", "g2", "g3", "g4", "g5", "g6"];
    let sample = six.iter().fold(vpc(), |sample, name| sample.group(name, &[]));
    let expected = "SecurityGroupsPerInterfaceLimitExceeded: The maximum number of security groups per interface has \
                    been reached.";
    assert_eq!(refusal(&sample, &launch("a", &six)), expected);
    let running = sample.with(launch("a", &six[..5]));
    assert_eq!(refusal(&running, &set_groups("a", &six)), expected);
    let five = ["e1", "e2", "e3", "e4", "e5"].iter().fold(running, |sample, name| sample.with(allocate(name)));
    let expected = "AddressLimitExceeded: The maximum number of addresses has been reached.";
    assert_eq!(refusal(&five, &allocate("e6")), expected);
    let web = vpc().with(create("web", "default"));
    let expected = "InvalidGroup.Duplicate: The security group 'web' already exists for VPC 'default'";
    assert_eq!(refusal(&web, &create("Web", "default")), expected);
    let classic = Sample::new(Era::Classic).group("web", &[]);
    let expected = "InvalidGroup.Duplicate: The security group 'web' already exists";
    assert_eq!(refusal(&classic, &create("web", "default")), expected);
    classic.with(create("Web", "default"));
}

#[test]
fn case_38_a_group_of_another_vpc_is_nobody_here() {
    let sample = vpc().with(create("far", "other")).instance("a", &["g"]);
    let foreign_peer = "InvalidGroup.NotFound: You have specified two resources that belong to different networks.";
    assert_eq!(refusal(&sample, &authorize("g", "tcp 22 from far")), foreign_peer);
    assert_eq!(refusal(&sample, &outwards(Operation::AuthorizeEgress, "g", "tcp 22 to far")), foreign_peer);
    let foreign = "InvalidParameter: Security group far and subnet default belong to different networks.";
    assert_eq!(refusal(&sample, &launch("b", &["far"])), foreign);
    assert_eq!(refusal(&sample, &launch("b", &["g", "far"])), foreign);
    assert_eq!(refusal(&sample, &set_groups("a", &["far"])), foreign);
}

#[test]
fn case_40_a_new_group_lets_everything_out_and_that_rule_can_go() {
    let sample = vpc();
    assert_eq!(rules(&sample, "g"), (vec![], vec!["all anywhere".to_owned()]));
    let without = sample.with(outwards(Operation::RevokeEgress, "g", "all to 0.0.0.0/0"));
    assert_eq!(rules(&without, "g"), (vec![], vec![]));
    let mut with_ipv6 = Sample::new(Era::Vpc);
    with_ipv6.0.vpcs[0].ipv6 = Some(DEFAULT_IPV6_BLOCK);
    let expected = vec!["all anywhere".to_owned(), "all ::/0".to_owned()];
    assert_eq!(rules(&with_ipv6.group("g", &[]), "g").1, expected);
}

#[test]
fn several_peers_of_one_permission_are_a_rule_each_and_all_or_none() {
    let sample = vpc().group("h", &[]);
    let after = sample.clone().with(authorize("g", "tcp 22 from 10.0.0.0/8, h, 2001:db8::/32"));
    assert_eq!(rules(&after, "g").0, ["tcp 22 10.0.0.0/8", "tcp 22 h", "tcp 22 2001:db8::/32"]);
    let ids: Vec<RuleId> = after.0.groups[0].ingress.iter().map(|rule| rule.id).collect();
    assert!(ids.windows(2).all(|pair| pair[0] < pair[1]), "an id each: {ids:?}");
    let one = after.with(revoke("g", "tcp 22 from h"));
    assert_eq!(rules(&one, "g").0, ["tcp 22 10.0.0.0/8", "tcp 22 2001:db8::/32"]);
    assert!(refusal(&one, &authorize("g", "tcp 22 from h, 10.0.0.0/8")).starts_with("InvalidPermission.Duplicate"));
    assert!(refusal(&one, &authorize("g", "tcp 22 from h, none")).starts_with("InvalidGroup.NotFound"));
    assert!(refusal(&one, &revoke("g", "tcp 22 from 10.0.0.0/8, h")).starts_with("InvalidPermission.NotFound"));
    assert_eq!(rules(&one, "g").0.len(), 2, "nothing of any of them");
}

#[test]
fn a_duplicate_is_spelt_as_in_the_logs_of_ec2() {
    // (rule, as EC2 spells it)
    let table = [
        ("tcp 22 from 0.0.0.0/0", "0.0.0.0/0, TCP, from port: 22, to port: 22, ALLOW"),
        ("all from 0.0.0.0/0", "0.0.0.0/0, ALL, ALLOW"),
        ("udp 0-65535 from h", "h, UDP, from port: 0, to port: 65535, ALLOW"),
        ("icmp all from 0.0.0.0/0", "0.0.0.0/0, ICMP, type: ALL, code: ALL, ALLOW"),
    ];
    let sample = vpc().group("h", &[]);
    for (rule, spelt) in table {
        let sample = sample.clone().with(authorize("g", rule));
        assert_eq!(refusal(&sample, &authorize("g", rule)), format!("{DUPLICATE}{spelt}\" already exists"));
    }
    let esp = Permission { traffic: Traffic::Protocol(50), ..permission("tcp 1 from 0.0.0.0/0") };
    let esp = Operation::AuthorizeIngress(GroupName::new("g"), vec![esp]);
    let expected = format!("{DUPLICATE}0.0.0.0/0, protocol: 50, ALLOW\" already exists");
    assert_eq!(refusal(&sample.with(esp.clone()), &esp), expected);
}

#[test]
fn the_default_group_of_a_vpc_can_be_edited() {
    let mut sample = Sample::new(Era::Vpc);
    add_default_group(&mut sample.0, &VpcName::new("default"));
    assert_eq!(rules(&sample, "default"), (vec!["all default".into()], vec!["all anywhere".into()]));
    assert_eq!(sample.0.groups[0].description.as_deref(), Some("default VPC security group"));
    let edited = sample
        .with(revoke("default", "all from default"))
        .with(authorize("default", "tcp 22 from 10.0.0.0/8"))
        .with(outwards(Operation::RevokeEgress, "default", "all to anywhere"));
    assert_eq!(rules(&edited, "default"), (vec!["tcp 22 10.0.0.0/8".into()], vec![]));
}
