//! The refusals of groups and rules, with code and text, and what they leave alone.

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

fn egress(group: &str, rule: &str) -> Operation {
    Operation::AuthorizeEgress(GroupName::new(group), vec![permission(rule)])
}

fn no_more_egress(group: &str, rule: &str) -> Operation {
    Operation::RevokeEgress(GroupName::new(group), vec![permission(rule)])
}

/// An instance is in `used`; `named` by a rule of `used`, `own` by its own rule; `idle` by nobody.
fn sample(era: Era) -> Sample {
    let mut sample = Sample::new(era);
    add_default_group(&mut sample.0, &VpcName::new("default"));
    sample
        .group("named", &[])
        .group("used", &["tcp 22 from named"])
        .group("own", &["tcp 22 from own"])
        .group("idle", &[])
        .instance("a", &["used"])
}

#[test]
fn groups_and_rules_are_refused_in_ec2s_words() {
    use Era::{Article, Classic, Vpc};
    let in_use = "InvalidGroup.InUse: There are active instances using security group";
    let only_vpc = "InvalidParameterValue: Only Amazon VPC security groups may be used with this operation.";
    let reserved = "InvalidGroup.Reserved: The security group 'default' is reserved";
    let ipv6 = "InvalidParameter: ipv6-ranges is not a valid parameter. IPv6 rules can only be specified for VPC \
                security groups.";
    let not_there = "InvalidPermission.NotFound: The specified rule does not exist in this security group.";
    let protocol = |number| {
        format!("InvalidPermission.Malformed: Unsupported IP protocol \"{number}\"  - supported: [tcp, udp, icmp]")
    };
    let table: Vec<(Era, Operation, String)> = vec![
        (Vpc, delete("used"), "DependencyViolation: resource used has a dependent object".into()),
        (Vpc, delete("named"), "DependencyViolation: resource named has a dependent object".into()),
        (Classic, delete("used"), format!("{in_use} 'used'")),
        (Article, delete("named"), format!("{in_use} 'named'")),
        (
            Vpc,
            delete("default"),
            "CannotDelete: the specified group: \"default\" name: \"default\" cannot be deleted by a user".into(),
        ),
        (Classic, delete("default"), reserved.into()),
        (Vpc, delete("none"), "InvalidGroup.NotFound: The security group 'none' does not exist".into()),
        (
            Vpc,
            create("default", "default"),
            "InvalidParameterValue: Cannot use reserved security group name: default".into(),
        ),
        (Classic, create("default", "default"), reserved.into()),
        (Classic, egress("used", "tcp 22 to named"), only_vpc.into()),
        (Article, no_more_egress("used", "tcp 22 to named"), only_vpc.into()),
        (Classic, authorize("used", "all from named"), protocol("-1")),
        (Article, authorize("used", "tcp 1 from 2001:db8::/32"), ipv6.into()),
        (Classic, authorize("used", "tcp 1 from ::/0"), ipv6.into()),
        (Vpc, no_more_egress("used", "tcp 22 to named"), not_there.into()),
        (Vpc, revoke("used", "tcp 22-23 from named"), not_there.into()),
        (
            Vpc,
            egress("used", "all to anywhere"),
            "InvalidPermission.Duplicate: the specified rule \"peer: 0.0.0.0/0, ALL, ALLOW\" already exists".into(),
        ),
        (
            Vpc,
            authorize("used", "tcp 1 from 100.68.0.18/18, 100.68.0.0/18"),
            "InvalidParameterValue: The same permission must not appear multiple times".into(),
        ),
    ];
    for (era, operation, expected) in table {
        assert_eq!(refusal(&sample(era), &operation), expected, "{era}");
    }
    let gre = Permission { traffic: Traffic::Protocol(47), ..permission("tcp 1 from named") };
    let gre = Operation::AuthorizeIngress(GroupName::new("used"), vec![gre]);
    assert_eq!(refusal(&sample(Classic), &gre), protocol("47"));
    assert!(sample(Vpc).try_apply(&gre).is_ok());
}

#[test]
fn a_group_that_nobody_else_names_or_is_in_can_go() {
    for era in Era::ALL {
        let sample = sample(era).with(delete("own")).with(delete("idle"));
        assert!(!sample.0.groups.contains_key(&GroupName::new("own")), "only its own rule named it: {era}");
    }
}

#[test]
fn an_egress_rule_that_names_a_group_keeps_it() {
    let sample = sample(Era::Vpc).with(egress("used", "tcp 22 to idle"));
    assert!(refusal(&sample, &delete("idle")).starts_with("DependencyViolation"));
    assert!(sample.with(no_more_egress("used", "tcp 22 to idle")).try_apply(&delete("idle")).is_ok());
}

#[test]
fn to_revoke_what_is_not_there_is_an_error_in_a_vpc_only() {
    for era in [Era::Article, Era::Classic] {
        let before = sample(era);
        let after = before.clone().with(revoke("used", "tcp 23 from named"));
        assert_eq!(before.0, after.0, "{era}");
    }
}

#[test]
fn a_permission_without_a_peer_adds_nothing_and_is_no_error() {
    let none = Permission { peers: Vec::new(), ..permission("tcp 22 from named") };
    let before = sample(Era::Vpc);
    let after = before.clone().with(Operation::AuthorizeIngress(GroupName::new("used"), vec![none]));
    assert_eq!(before.0, after.0);
}

#[test]
fn the_default_group_lets_its_members_talk_and_is_written_as_its_platform_takes_it() {
    let rules = |era| {
        let sample = sample(era);
        let group = &sample.0.groups[&GroupName::new(DEFAULT_GROUP)];
        let written = |rules: &[Rule]| rules.iter().map(|rule| rule.written.clone()).collect::<Vec<_>>();
        (written(&group.ingress), written(&group.egress))
    };
    assert_eq!(rules(Era::Vpc), (vec!["all from default".into()], vec!["all to anywhere".into()]));
    let classic = ["tcp 0-65535 from default", "udp 0-65535 from default", "icmp all from default"];
    assert_eq!(rules(Era::Classic), (classic.map(String::from).to_vec(), vec![]));
}

/// A group of a VPC with 60 rules for addresses of each family.
fn full() -> Sample {
    (1..=60).fold(sample(Era::Vpc), |sample, port| {
        sample.with(authorize("idle", &format!("tcp {port} from 10.0.0.1, 2001:db8::1")))
    })
}

#[test]
fn sixty_rules_a_family_and_a_group_counts_in_both() {
    let exceeded =
        "RulesPerSecurityGroupLimitExceeded: The maximum number of rules per security group has been reached.";
    let full = full();
    for one_more in ["tcp 61 from 10.0.0.1", "tcp 61 from 2001:db8::1", "tcp 61 from used"] {
        assert_eq!(refusal(&full, &authorize("idle", one_more)), exceeded, "{one_more}");
    }
    assert!(full.try_apply(&egress("idle", "tcp 61 to 10.0.0.1")).is_ok(), "each direction is counted by itself");
    let mut ignored = full;
    ignored.0.knobs.quotas = Quotas::Ignored;
    assert!(ignored.try_apply(&authorize("idle", "tcp 61 from used")).is_ok());
}

#[test]
fn classic_has_a_hundred_rules_a_group_and_a_vpc_five_groups_an_interface() {
    let hundred = (1..=100)
        .fold(sample(Era::Classic), |sample, port| sample.with(authorize("idle", &format!("tcp {port} from used"))));
    assert!(refusal(&hundred, &authorize("idle", "tcp 101 from used")).starts_with("RulesPerSecurityGroup"));
    for era in Era::ALL {
        let six = ["g1", "g2", "g3", "g4", "g5", "g6"];
        let sample = six.iter().fold(sample(era), |sample, name| sample.group(name, &[]));
        let launched = sample.try_apply(&launch("b", &six)).map(|_| ()).map_err(|refusal| refusal.to_string());
        let exceeded = "SecurityGroupsPerInterfaceLimitExceeded: The maximum number of security groups per interface \
                        has been reached.";
        let expected = if era == Era::Vpc { Err(exceeded.to_owned()) } else { Ok(()) };
        assert_eq!(launched, expected, "{era}");
        assert!(sample.try_apply(&launch("b", &six[..5])).is_ok());
    }
}

#[test]
fn two_thousand_five_hundred_groups_are_all_that_a_region_of_vpcs_has() {
    let mut sample = Sample::new(Era::Vpc);
    for number in 0..2_500 {
        apply(&mut sample.0, &create(&format!("g{number}"), "default")).unwrap();
    }
    let expected =
        "SecurityGroupLimitExceeded: The maximum number of security groups for VPC 'default' has been reached.";
    assert_eq!(refusal(&sample, &create("one-more", "default")), expected);
}

#[test]
fn an_instance_of_classic_has_no_more_groups_than_classic() {
    let mut sample = Sample::new(Era::Classic);
    sample.0.knobs.quotas = Quotas::Ignored;
    let names: Vec<String> = (0..=500).map(|number| format!("g{number}")).collect();
    for name in &names {
        apply(&mut sample.0, &create(name, "default")).unwrap();
    }
    sample.0.knobs.quotas = Quotas::Enforced;
    let groups: Vec<&str> = names.iter().map(String::as_str).collect();
    let expected = "SecurityGroupsPerInstanceLimitExceeded: The maximum number of security groups per instance has \
                    been reached.";
    assert_eq!(refusal(&sample, &launch("a", &groups)), expected);
    assert!(sample.try_apply(&launch("a", &groups[..500])).is_ok());
}

#[test]
fn five_hundred_groups_are_all_that_classic_has() {
    let mut sample = Sample::new(Era::Classic);
    for number in 0..500 {
        apply(&mut sample.0, &create(&format!("g{number}"), "default")).unwrap();
    }
    assert!(refusal(&sample, &create("one-more", "default")).starts_with("SecurityGroupLimitExceeded: "));
}

#[test]
fn what_is_in_the_way_is_named() {
    let culprits = |sample: &Sample, operation: &Operation| match sample.try_apply(operation) {
        Ok(_) => panic!("{operation:?} was carried out"),
        Err(refusal) => refusal.culprits,
    };
    for era in Era::ALL {
        assert_eq!(culprits(&sample(era), &delete("named")), ["rules name it: used \"tcp 22 from named\""], "{era}");
        assert_eq!(culprits(&sample(era), &delete("used")), ["interfaces in it: a"], "{era}");
    }
    let both = sample(Era::Vpc).with(egress("idle", "tcp 22 to used"));
    let expected = ["rules name it: idle \"tcp 22 from used\"", "interfaces in it: a"];
    assert_eq!(culprits(&both, &delete("used")), expected);
    let expected = ["idle would have 61 of 60 rules for what comes in over IPv4"];
    assert_eq!(culprits(&full(), &authorize("idle", "tcp 61 from 10.0.0.1")), expected);
}
