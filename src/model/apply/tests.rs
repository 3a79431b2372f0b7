//! Effects of each operation, as tables of sentences.

use crate::model::sample::*;
use crate::model::*;

fn ip(text: &str) -> Option<PrivateIp> {
    Some(PrivateIp(text.parse().unwrap()))
}

/// Two groups of the default VPC, one of the other, and the instances a and b in `g`.
fn sample(era: Era) -> Sample {
    Sample::new(era)
        .group("g", &["tcp 22 from 10.0.0.0/8"])
        .group("h", &[])
        .with(create("far", "other"))
        .instance("a", &["g"])
        .instance("b", &["g", "h"])
}

fn refusal(sample: &Sample, operation: &Operation) -> String {
    match sample.try_apply(operation) {
        Ok(_) => panic!("{operation:?} was carried out"),
        Err(refusal) => refusal.to_string(),
    }
}

#[test]
fn refusals_carry_the_code_and_the_text_of_ec2() {
    use Era::{Article, Classic, Vpc};
    let none = AddressRequest::Automatic;
    let table: Vec<(Era, Operation, &str)> = vec![
        (Classic, create("g", "default"), "InvalidGroup.Duplicate: The security group 'g' already exists"),
        (
            Vpc,
            create("g", "default"),
            "InvalidGroup.Duplicate: The security group 'g' already exists for VPC 'default'",
        ),
        (
            Vpc,
            create("G", "default"),
            "InvalidGroup.Duplicate: The security group 'g' already exists for VPC 'default'",
        ),
        (Vpc, create("g", "other"), "InvalidGroup.Duplicate: The security group 'g' already exists for VPC 'default'"),
        (Vpc, create("x", "nowhere"), "InvalidVpcID.NotFound: The vpc ID 'nowhere' does not exist"),
        (
            Vpc,
            launch("c", &["none"]),
            "InvalidGroup.NotFound: The security group 'none' does not exist in VPC 'default'",
        ),
        (Classic, launch("c", &["none"]), "InvalidGroup.NotFound: The security group 'none' does not exist"),
        (
            Vpc,
            launch("c", &["far"]),
            "InvalidParameter: Security group far and subnet default belong to different networks.",
        ),
        (
            Vpc,
            launch("c", &[]),
            "InvalidParameterValue: Value () for parameter groupId is invalid. The value cannot be empty",
        ),
        (Vpc, launch("a", &["g"]), "InvalidParameterValue: There is an instance 'a' already."),
        (
            Vpc,
            launch_at("c", &["g"], "default", exact("10.0.0.11")),
            "InvalidIPAddress.InUse: Address 10.0.0.11 is in use.",
        ),
        (
            Vpc,
            launch_at("c", &["g"], "default", exact("10.1.0.11")),
            "InvalidParameterValue: Address 10.1.0.11 does not fall within the subnet's address range",
        ),
        (
            Vpc,
            launch_at("c", &["g"], "default", exact("10.0.0.3")),
            "InvalidParameterValue: Address 10.0.0.3 is in subnet's reserved address range",
        ),
        (
            Vpc,
            launch_at("c", &["g"], "default", exact("10.0.255.255")),
            "InvalidParameterValue: Address 10.0.255.255 is in subnet's reserved address range",
        ),
        (
            Vpc,
            launch_at("c", &["g"], "default", previous("a")),
            "InvalidParameterValue: Instance 'a' has no previous private address: it never gave one back.",
        ),
        (
            Vpc,
            launch_at("c", &["g"], "nowhere", none.clone()),
            "InvalidVpcID.NotFound: The vpc ID 'nowhere' does not exist",
        ),
        (Vpc, launch_in("c", &["g"], "nowhere"), "InvalidSubnetID.NotFound: The subnet ID 'nowhere' does not exist"),
        (Article, reboot("z"), "InvalidInstanceID.NotFound: The instance ID 'z' does not exist"),
        (Article, stop("z"), "InvalidInstanceID.NotFound: The instance ID 'z' does not exist"),
        (Article, terminate("z"), "InvalidInstanceID.NotFound: The instance ID 'z' does not exist"),
        (Article, authorize("z", "tcp 1 from g"), "InvalidGroup.NotFound: The security group 'z' does not exist"),
        (Article, authorize("g", "tcp 1 from z"), "InvalidGroup.NotFound: The security group 'z' does not exist"),
        (
            Vpc,
            authorize("g", "tcp 1 from far"),
            "InvalidGroup.NotFound: You have specified two resources that belong to different networks.",
        ),
        (Vpc, authorize("g", "tcp 1 from z.private"), "InvalidInstanceID.NotFound: The instance ID 'z' does not exist"),
        (
            Vpc,
            authorize("g", "tcp 22 from 10.1.2.3/8"),
            "InvalidPermission.Duplicate: the specified rule \"peer: 10.0.0.0/8, TCP, from port: 22, to port: 22, \
             ALLOW\" already exists",
        ),
        (
            Vpc,
            authorize("h", "tcp 1 from 10.0.0.0/8, 10.1.0.0/8"),
            "InvalidParameterValue: The same permission must not appear multiple times",
        ),
        (
            Vpc,
            revoke("g", "tcp 22-23 from 10.0.0.0/8"),
            "InvalidPermission.NotFound: The specified rule does not exist in this security group.",
        ),
        (
            Article,
            set_groups("a", &["h"]),
            "IncorrectInstanceState: The groups of instance 'a' can be changed only while it is stopped, says the \
             article.",
        ),
        (
            Classic,
            set_groups("a", &["h"]),
            "InvalidParameterCombination: You may only modify the groupSet attribute for VPC instances",
        ),
        (
            Vpc,
            set_groups("a", &["h", "far"]),
            "InvalidParameter: Security group far and subnet default belong to different networks.",
        ),
        (Vpc, set_groups("a", &["none"]), "InvalidGroup.NotFound: The security group 'none' does not exist"),
        (
            Vpc,
            set_groups("a", &[]),
            "InvalidParameterValue: Value () for parameter groupId is invalid. The value cannot be empty",
        ),
    ];
    for (era, operation, expected) in table {
        assert_eq!(refusal(&sample(era), &operation), expected, "{era}: {operation:?}");
    }
}

#[test]
fn a_duplicate_is_named_in_ec2s_spelling() {
    let rules = ["all from anywhere", "udp all from g", "icmp all from anywhere", "icmp echo from anywhere"];
    let expected = [
        "\"peer: 0.0.0.0/0, ALL, ALLOW\"",
        "\"peer: g, UDP, from port: 0, to port: 65535, ALLOW\"",
        "\"peer: 0.0.0.0/0, ICMP, type: ALL, code: ALL, ALLOW\"",
        "\"peer: 0.0.0.0/0, ICMP, type: 8, code: ALL, ALLOW\"",
    ];
    let sample = sample(Era::Vpc).allow("h", &rules);
    for (rule, expected) in rules.iter().zip(expected) {
        let refusal = refusal(&sample, &authorize("h", rule));
        assert!(refusal.contains(expected), "{rule}: {refusal}");
    }
}

#[test]
fn what_a_state_permits() {
    let running = sample(Era::Vpc);
    let stopped = running.clone().with(stop("a"));
    let crashed = running.clone().with(crash("a"));
    // (operation, while running, stopped, crashed)
    let table = [
        (stop("a"), true, true, true),
        (start("a"), true, true, true),
        (reboot("a"), true, false, false),
        (crash("a"), true, false, false),
        (terminate("a"), true, true, true),
        (set_groups("a", &["h"]), true, true, true),
    ];
    for (operation, while_running, while_stopped, while_crashed) in table {
        assert_eq!(running.try_apply(&operation).is_ok(), while_running, "running: {operation:?}");
        assert_eq!(stopped.try_apply(&operation).is_ok(), while_stopped, "stopped: {operation:?}");
        assert_eq!(crashed.try_apply(&operation).is_ok(), while_crashed, "crashed: {operation:?}");
    }
}

#[test]
fn to_stop_what_is_stopped_and_to_start_what_runs_does_nothing() {
    for era in Era::ALL {
        let running = sample(era);
        assert_eq!(running.clone().with(start("a")).0, running.0, "{era}");
        let stopped = running.with(stop("a"));
        assert_eq!(stopped.clone().with(stop("a")).0, stopped.0, "{era}");
    }
}

#[test]
fn addresses_through_the_life_of_an_instance() {
    use Era::{Article, Classic, Vpc};
    type Change = Vec<Operation>;
    let life: Vec<(Era, Change, Option<PrivateIp>, bool)> = vec![
        // era, what happens to a (launched as 10.0.0.11, before b), its private address then, whether it has a public
        (Article, vec![reboot("a")], ip("10.0.0.11"), true),
        (Article, vec![stop("a")], None, false),
        (Article, vec![stop("a"), start("a")], ip("10.0.0.13"), true),
        (Article, vec![crash("a")], None, false),
        (Article, vec![crash("a"), start("a")], ip("10.0.0.13"), true),
        (Article, vec![crash("a"), stop("a"), start("a")], ip("10.0.0.13"), true),
        (Classic, vec![reboot("a")], ip("10.0.0.11"), true),
        (Classic, vec![stop("a"), start("a")], ip("10.0.0.13"), true),
        (Classic, vec![crash("a")], ip("10.0.0.11"), true),
        (Classic, vec![crash("a"), start("a")], ip("10.0.0.13"), true),
        (Vpc, vec![reboot("a")], ip("10.0.0.11"), true),
        (Vpc, vec![stop("a")], ip("10.0.0.11"), false),
        (Vpc, vec![stop("a"), start("a")], ip("10.0.0.11"), true),
        (Vpc, vec![crash("a")], ip("10.0.0.11"), true),
        (Vpc, vec![crash("a"), start("a")], ip("10.0.0.11"), true),
    ];
    for (era, operations, private, has_public) in life {
        let before = sample(era);
        let restarted = operations.iter().any(|operation| matches!(operation, Operation::Start(_)));
        let after = operations.iter().cloned().fold(before.clone(), Sample::with);
        assert_eq!(after.private("a"), private, "{era}: {operations:?}");
        assert_eq!(after.public("a").is_some(), has_public, "{era}: {operations:?}");
        if restarted {
            assert_ne!(after.public("a"), before.public("a"), "{era}: {operations:?}");
        }
    }
}

#[test]
fn automatic_addresses_begin_at_eleven_and_pass_over_what_is_known() {
    let mut sample = Sample::new(Era::Vpc).group("g", &[]).with(create("far", "other"));
    let reserved = PrivateIp("10.0.0.12".parse().unwrap());
    sample.0.counters.private.entry(VpcName::new("default")).or_default().insert(reserved);
    let sample = sample
        .instance("a", &["g"])
        .with(launch_at("b", &["g"], "default", exact("10.0.0.13")))
        .instance("c", &["g"])
        .with(launch_at("d", &["far"], "other", AddressRequest::Automatic));
    assert_eq!(sample.private("a"), ip("10.0.0.11"));
    assert_eq!(sample.private("c"), ip("10.0.0.14"));
    assert_eq!(sample.private("d"), ip("10.0.0.11"), "another VPC counts by itself");
    let public = |name| sample.public(name).unwrap().to_string();
    assert_eq!(["a", "b", "c", "d"].map(public), ["198.18.0.11", "198.18.0.12", "198.18.0.13", "198.18.0.14"]);
    let numbers: Vec<u32> = sample.0.interfaces().map(|(_, _, interface)| interface.number).collect();
    assert_eq!(numbers, [1, 2, 3, 4]);
}

#[test]
fn a_subnet_and_a_pool_run_dry_before_their_last_address() {
    let mut sample = Sample::new(Era::Vpc).group("g", &[]);
    sample.0.vpcs[0].subnets[0] = "10.0.0.0/28".parse().unwrap();
    let full = ["a", "b", "c", "d"].iter().fold(sample.clone(), |sample, name| sample.instance(name, &["g"]));
    assert_eq!(full.private("d"), ip("10.0.0.14"));
    assert!(refusal(&full, &launch("e", &["g"])).starts_with("InsufficientFreeAddressesInSubnet: "));
    sample.0.public_pool = "198.18.0.0/28".parse().unwrap();
    sample.0.vpcs[0].subnets[0] = DEFAULT_VPC_CIDR;
    let full = ["a", "b", "c", "d"].iter().fold(sample, |sample, name| sample.instance(name, &["g"]));
    assert!(refusal(&full, &launch("e", &["g"])).starts_with("InsufficientFreeAddressesInSubnet: "));
}

#[test]
fn the_previous_address_of_an_instance_is_the_one_before_its_present_one() {
    let asks = |sample: Sample| sample.with(launch_at("s", &["h"], "default", previous("a"))).private("s");
    let article = sample(Era::Article);
    assert_eq!(asks(article.clone().with(stop("a")).with(start("a"))), ip("10.0.0.11"), "it has .13 now");
    assert_eq!(asks(article.clone().with(stop("a"))), ip("10.0.0.11"), "it holds none now");
    assert_eq!(asks(article.clone().with(terminate("a"))), ip("10.0.0.11"), "it is gone");
    let twice = article.with(stop("a")).with(start("a")).with(stop("a")).with(start("a"));
    assert_eq!(asks(twice), ip("10.0.0.13"), "it has .14 now");
    let replaced = sample(Era::Vpc).with(terminate("a")).instance("a", &["g"]);
    assert_eq!(replaced.private("a"), ip("10.0.0.13"));
    let taken = replaced.with(launch_at("s", &["h"], "default", previous("a")));
    assert_eq!(taken.private("s"), ip("10.0.0.11"));
    assert_eq!(
        refusal(&taken, &launch_at("t", &["h"], "default", previous("a"))),
        "InvalidIPAddress.InUse: Address 10.0.0.11 is in use."
    );
}

#[test]
fn a_rule_is_stored_canonical_with_an_id_and_its_words() {
    let sample = sample(Era::Vpc)
        .with(authorize("h", "tcp 1 from 100.68.0.18/18, a.private, a.public, g"))
        .with(revoke("g", "tcp 22 from 10.9.9.9/8"))
        .with(authorize("g", "tcp 22 from 10.0.0.0/8"));
    let rules = &sample.0.groups[&GroupName::new("h")].ingress;
    let peers: Vec<String> = rules.iter().map(|rule| rule.peer.to_string()).collect();
    assert_eq!(peers, ["100.68.0.0/18", "10.0.0.11", "198.18.0.11", "g"]);
    assert_eq!(rules[1].written, "tcp 1 from a.private");
    let ids: Vec<RuleId> = rules.iter().map(|rule| rule.id).collect();
    let again = &sample.0.groups[&GroupName::new("g")].ingress;
    assert_eq!(again.len(), 1);
    assert!(ids.iter().all(|id| *id < again[0].id), "an id is never used again");
    let mut silent = permission("udp 53 from g");
    silent.peers[0].1.clear();
    let sample = sample.with(Operation::AuthorizeIngress(GroupName::new("h"), vec![silent]));
    assert_eq!(sample.0.groups[&GroupName::new("h")].ingress[4].written, "udp 53 from g");
}

#[test]
fn a_request_is_carried_out_whole_or_not_at_all() {
    let sample = sample(Era::Vpc);
    let both = vec![permission("tcp 80 from anywhere"), permission("tcp 22 from 10.0.0.0/8")];
    let group = GroupName::new("g");
    assert!(sample.try_apply(&Operation::AuthorizeIngress(group.clone(), both.clone())).is_err());
    assert!(sample.try_apply(&Operation::RevokeIngress(group.clone(), both)).is_err());
    assert_eq!(sample.0.groups[&group].ingress.len(), 1);
}

#[test]
fn an_address_that_nobody_holds_cannot_be_authorized() {
    let stopped = sample(Era::Vpc).with(stop("a"));
    assert!(stopped.try_apply(&authorize("h", "tcp 1 from a.private")).is_ok(), "a VPC keeps it over a stop");
    assert_eq!(
        refusal(&stopped, &authorize("h", "tcp 1 from a.public")),
        "InvalidParameterValue: 'a.public' names no address: instance 'a' holds no public address now."
    );
}

#[test]
fn egress_rules_exist_in_a_vpc_only() {
    for era in Era::ALL {
        let sample = Sample::new(era).group("g", &[]);
        let egress = &sample.0.groups[0].egress;
        assert_eq!(egress.len(), usize::from(era == Era::Vpc), "{era}");
        assert!(egress.iter().all(|rule| rule.traffic == Traffic::All && rule.peer.to_string() == "anywhere"));
    }
}

#[test]
fn the_article_changes_groups_while_stopped() {
    let changed = sample(Era::Article).with(stop("a")).with(set_groups("a", &["h"])).with(start("a"));
    let groups = &changed.0.instances[&InstanceName::new("a")].interfaces[0].groups;
    assert_eq!(groups.iter().map(GroupName::as_str).collect::<Vec<_>>(), ["h"]);
}
