//! Topologies that `import` writes: small, and with a table that holds.

use std::fmt::Write;

use proptest::prelude::*;
use sglab::account::Account;
use sglab::import::{Text, Written, account_of, read, topology_of};
use sglab::model::Era;
use sglab::scenario::{Options, RunVerdict, export::export, predict::predict};
use sglab::topology::Topology;

use crate::reach_agrees::{cloud, plan};

/// The file that `sglab import` writes of an account.
fn written(account: &Account) -> String {
    let written: Written = topology_of(account);
    let topology = written.topology("account", "").unwrap_or_else(|problems| panic!("{problems}"));
    let cloud = written.cloud(&topology.with_hosts_of_a_table());
    let cloud = cloud.unwrap_or_else(|(refusal, place)| panic!("{place}: {refusal}"));
    written.file("Imported.", &export(&cloud, "").unwrap_or_else(|error| panic!("{error}")))
}

/// Holds a file against its own prediction, which judges each cell by itself.
fn holds(file: &str) -> bool {
    let topology = Topology::parse("written.yaml", file.as_bytes()).unwrap_or_else(|problems| panic!("{problems}"));
    let result = predict(&topology, Era::Vpc, &Options::default(), &mut |_| ()).unwrap();
    result.verdict == RunVerdict::Passed && result.counts.cells > 0
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// The table of what was imported opens each cell that is open, and no other.
    #[test]
    fn the_table_of_an_import_holds_cell_by_cell(plan in plan()) {
        let file = written(&account_of(&cloud(&plan), "file"));
        prop_assert!(file.contains("\ntables:\n"), "{file}");
        prop_assert!(holds(&file), "{file}");
    }
}

/// Three tiers of so many instances each, and a partner's block.
fn tiers(members: usize) -> Account {
    let mut instances = String::new();
    for (tier, name) in ["web", "app", "db"].into_iter().enumerate() {
        for number in 0..members {
            let comma = if instances.is_empty() { "" } else { "," };
            let _ = write!(
                instances,
                r#"{comma}{{"NetworkInterfaceId": "eni-{name}-{number}", "VpcId": "vpc-1", "SubnetId": "subnet-1", "PrivateIpAddress": "10.0.{tier}.{}",
                "Groups": [{{"GroupId": "sg-{name}"}}], "Attachment": {{"InstanceId": "i-{name}-{number}", "DeviceIndex": 0}}}}"#,
                number + 10
            );
        }
    }
    let open =
        |port: u16, peers: &str| format!(r#"[{{"IpProtocol": "tcp", "FromPort": {port}, "ToPort": {port}, {peers}}}]"#);
    let group = |name: &str, rules: &str| {
        format!(
            r#"{{"GroupId": "sg-{name}", "GroupName": "{name}", "VpcId": "vpc-1", "IpPermissions": {rules},
            "IpPermissionsEgress": [{{"IpProtocol": "-1", "IpRanges": [{{"CidrIp": "0.0.0.0/0"}}]}}]}}"#
        )
    };
    let groups = [
        group("web", &open(443, r#""IpRanges": [{"CidrIp": "0.0.0.0/0"}]"#)),
        group(
            "app",
            &open(8080, r#""UserIdGroupPairs": [{"GroupId": "sg-web"}], "IpRanges": [{"CidrIp": "203.0.113.0/24"}]"#),
        ),
        group("db", &open(5432, r#""UserIdGroupPairs": [{"GroupId": "sg-app"}]"#)),
    ];
    let text = format!(
        r#"{{"Vpcs": [{{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16"}}],
        "Subnets": [{{"SubnetId": "subnet-1", "VpcId": "vpc-1", "CidrBlock": "10.0.0.0/20"}}],
        "SecurityGroups": [{}], "NetworkInterfaces": [{instances}]}}"#,
        groups.join(",")
    );
    read(&[Text { name: "dump.json".into(), text: text.into() }], None).unwrap_or_else(|faults| panic!("{faults}"))
}

/// What stands behind the instances of a file.
fn table(file: &str) -> String {
    let lines = file.lines().skip_while(|line| *line != "tables:").map(|line| format!("{line}\n"));
    lines.collect()
}

#[test]
fn a_table_is_by_group_and_as_small_for_many_instances_as_for_few() {
    let few = written(&tiers(2));
    insta::assert_snapshot!(table(&few));
    assert!(holds(&few), "{few}");
    let many = written(&tiers(40));
    assert_eq!(table(&many), table(&few));
}

#[test]
fn what_listens_is_a_guess_from_single_ports_and_marked_as_one() {
    let account = tiers(1);
    let file = written(&account);
    let marked: Vec<&str> = file.lines().filter(|line| line.ends_with("# guessed")).collect();
    assert_eq!(topology_of(&account).guessed, 3);
    assert_eq!(marked.len(), 3, "{file}");
    assert!(
        file.contains("  i-web-0: {groups: web, address: 10.0.0.10, listens: [tcp 443], public: no} # guessed\n"),
        "{file}"
    );
    assert_eq!(file.matches("listens").count(), 4, "each, and the opening comment that says so: {file}");
}

#[test]
fn messages_of_one_family_in_a_cloud_of_both_have_a_table() {
    let everywhere =
        r#"{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}], "Ipv6Ranges": [{"CidrIpv6": "::/0"}]}"#;
    let icmp = r#"{"IpProtocol": "icmp", "FromPort": -1, "ToPort": -1, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}"#;
    let icmpv6 = r#"{"IpProtocol": "icmpv6", "FromPort": -1, "ToPort": -1, "Ipv6Ranges": [{"CidrIpv6": "::/0"}]}"#;
    let one_type = r#"{"IpProtocol": "icmp", "FromPort": 13, "ToPort": -1, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}"#;
    let interface = |number: usize| {
        format!(
            r#"{{"NetworkInterfaceId": "eni-{number}", "VpcId": "vpc-1", "SubnetId": "subnet-1", "PrivateIpAddress": "10.0.0.{number}",
            "Ipv6Addresses": [{{"Ipv6Address": "2600:1f18:1234:5600::{number}"}}], "Groups": [{{"GroupId": "sg-1"}}],
            "Association": {{"PublicIp": "52.9.9.{number}"}}}}"#
        )
    };
    for ingress in [icmp.to_owned(), icmpv6.to_owned(), one_type.to_owned(), format!("{icmp}, {icmpv6}")] {
        let reply = format!(
            r#"{{"Vpcs": [{{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16", "Ipv6CidrBlockAssociationSet": [{{"Ipv6CidrBlock": "2600:1f18:1234:5600::/56"}}]}}],
            "Subnets": [{{"SubnetId": "subnet-1", "VpcId": "vpc-1", "CidrBlock": "10.0.0.0/24", "Ipv6CidrBlockAssociationSet": [{{"Ipv6CidrBlock": "2600:1f18:1234:5600::/64"}}]}}],
            "SecurityGroups": [{{"GroupId": "sg-1", "GroupName": "bas", "VpcId": "vpc-1", "IpPermissions": [{ingress}], "IpPermissionsEgress": [{everywhere}]}}],
            "NetworkInterfaces": [{}, {}]}}"#,
            interface(11),
            interface(12)
        );
        let account = read(&[Text { name: "reply.json".into(), text: reply.into() }], None).unwrap();
        let file = written(&account);
        // As a table, or as lists where a table would ask a message of the other family.
        assert!(file.contains("\nscenario:\n"), "{file}");
        assert!(holds(&file), "{file}");
    }
}
