//! `sglab test --import --expect`: what was accepted once, and what of it has changed.

use serde_json::{Value, json};

use crate::own_cloud::{from, groups, plan};
use crate::program::{Program, Said, sglab, write};

#[test]
fn the_expectation_is_written_once_and_a_widened_rule_is_a_red_run() {
    let program = Program::copy();
    let old = write(&program, "old.json", &groups(&[from("10.0.0.0/16")]));
    let new = write(&program, "new.json", &groups(&[from("0.0.0.0/0")]));
    let expect = program.scratch().join("expect.yaml");
    let [old, new, expect] = [&old, &new, &expect].map(|path| path.to_str().unwrap());
    let Said { code, err, .. } = sglab(&program, &["test", "--import", old, "--expect", expect]);
    assert_eq!(code, Some(2), "{err}");
    assert!(err.contains("`--accept` writes what is admitted now"), "{err}");
    let Said { code, err, out } = sglab(&program, &["test", "--import", old, "--expect", expect, "--accept"]);
    assert_eq!(code, Some(0), "{out}{err}");
    let written = std::fs::read_to_string(expect).unwrap();
    assert!(written.contains("admits:\n  # from outside\n  - '10.0.0.0/16 -> db:5432'"), "{written}");
    let Said { code, err, .. } = sglab(&program, &["test", "--import", new, "--expect", expect]);
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("not accepted: anywhere -> db:5432, by sg-1\n") && err.contains("new.json:1:"), "{err}");
    assert!(err.contains("accepted, and not open any more: 10.0.0.0/16 -> db:5432\n"), "{err}");
    assert_eq!(std::fs::read_to_string(expect).unwrap(), written);
}

#[test]
fn the_expectation_of_the_page_is_what_is_written() {
    let program = Program::copy();
    let expect = program.scratch().join("shop.expect.yaml");
    let Said { code, out, err } =
        sglab(&program, &["test", "--import", &plan("base"), "--expect", expect.to_str().unwrap(), "--accept"]);
    assert_eq!(code, Some(0), "{out}{err}");
    let written = std::fs::read_to_string(&expect).unwrap();
    let page = include_str!("../../docs/own-cloud.md");
    assert!(page.contains(&format!("```yaml\n{written}```\n")), "{written}");
    assert!(written.lines().all(|line| line.len() <= 80), "{written}");
}

/// A group that lets in a prefix list with these entries.
fn with_list(entries: &[&str]) -> String {
    let entries: Vec<Value> = entries.iter().map(|entry| json!({"Cidr": entry})).collect();
    let rule = json!({"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "PrefixListIds": [{"PrefixListId": "pl-1"}]});
    json!({
        "Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16"}],
        "Subnets": [{"SubnetId": "subnet-1", "VpcId": "vpc-1", "CidrBlock": "10.0.1.0/24", "MapPublicIpOnLaunch": true}],
        "PrefixLists": [{"PrefixListId": "pl-1", "PrefixListName": "office ranges", "Entries": entries}],
        "SecurityGroups": [{"GroupId": "sg-1", "GroupName": "jump", "VpcId": "vpc-1", "IpPermissionsEgress": [], "IpPermissions": [rule]}],
        "Reservations": [{"Instances": [{"InstanceId": "i-1", "VpcId": "vpc-1", "SubnetId": "subnet-1", "PublicIpAddress": "54.0.0.9",
            "NetworkInterfaces": [{"NetworkInterfaceId": "eni-1", "VpcId": "vpc-1", "SubnetId": "subnet-1",
                "Attachment": {"DeviceIndex": 0}, "Groups": [{"GroupId": "sg-1"}],
                "Association": {"PublicIp": "54.0.0.9"}}]}]}],
    })
    .to_string()
}

#[test]
fn an_entry_more_in_a_prefix_list_is_not_accepted_and_opens_what_it_opens() {
    let program = Program::copy();
    let old = write(&program, "old.json", &with_list(&["203.0.113.0/28"]));
    let new = write(&program, "new.json", &with_list(&["203.0.113.0/28", "0.0.0.0/0"]));
    let expect = program.scratch().join("expect.yaml");
    let [old, new, expect] = [&old, &new, &expect].map(|path| path.to_str().unwrap());
    let Said { code, out, err } = sglab(&program, &["test", "--import", old, "--expect", expect, "--accept"]);
    assert_eq!(code, Some(0), "{out}{err}");
    let accepted = std::fs::read_to_string(expect).unwrap();
    assert!(accepted.contains("  - '203.0.113.0/28 (office ranges) -> jump:22'\n"), "{accepted}");
    let Said { code, err, .. } = sglab(&program, &["test", "--import", new, "--expect", expect]);
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("not accepted: anywhere (office ranges) -> jump:22, by sg-1\n"), "{err}");
    let Said { code, out, .. } = sglab(&program, &["diff", old, new, "--rules"]);
    assert_eq!(code, Some(1), "{out}");
    assert!(out.contains("from office ranges, to i-1\n    by entry 0.0.0.0/0\n"), "{out}");
    assert!(out.contains("+ office ranges: 0.0.0.0/0  pl-1 ("), "{out}");
    let Said { code, out, .. } = sglab(&program, &["drift", old, new]);
    assert_eq!(code, Some(1), "{out}");
    assert!(out.contains("entry of office ranges: 0.0.0.0/0\n"), "{out}");
    let topology = program.scratch().join("old.yaml");
    let topology = topology.to_str().unwrap();
    assert_eq!(sglab(&program, &["import", old, "-o", topology]).code, Some(0));
    let Said { code, out, .. } = sglab(&program, &["drift", old, topology]);
    assert_eq!((code, out.as_str()), (Some(0), "no drift\n"));
    // Packets of the office's own address, and of one elsewhere.
    let Said { code, out, err } = sglab(&program, &["diff", old, new, "--prove"]);
    assert_eq!(code, Some(1), "{out}{err}");
    assert!(out.contains("proved by packets: "), "{out}");
}

#[test]
fn a_rule_for_a_group_of_another_account_is_not_known_and_no_pass() {
    let program = Program::copy();
    let foreign = json!({"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22,
                         "UserIdGroupPairs": [{"GroupId": "sg-9", "UserId": "999", "PeeringStatus": "active"}]});
    let with_owner = |rules: &[Value]| {
        let mut reply: Value = serde_json::from_str(&groups(rules)).unwrap();
        reply["SecurityGroups"][0]["OwnerId"] = json!("111122223333");
        reply.to_string()
    };
    let old = write(&program, "old.json", &with_owner(&[from("10.0.0.0/16")]));
    let new = write(&program, "new.json", &with_owner(&[from("10.0.0.0/16"), foreign]));
    let expect = program.scratch().join("expect.yaml");
    let [old, new, expect] = [&old, &new, &expect].map(|path| path.to_str().unwrap());
    let Said { code, out, err } = sglab(&program, &["test", "--import", old, "--expect", expect, "--accept"]);
    assert_eq!(code, Some(0), "{out}{err}");
    let Said { code, out, err } = sglab(&program, &["test", "--import", new, "--expect", expect]);
    assert_eq!(code, Some(4), "{out}{err}");
    let Said { code, out, err } = sglab(&program, &["diff", old, new]);
    assert_eq!(code, Some(4), "{out}{err}");
    // A source of the other account tells the group, and the rule is known then.
    let other = json!({"SecurityGroups": [{"GroupId": "sg-9", "GroupName": "jump", "OwnerId": "999", "IpPermissionsEgress":
        [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]}]});
    write(&program, "both/ours.json", &std::fs::read_to_string(new).unwrap());
    write(&program, "both/theirs.json", &other.to_string());
    let Said { code, out, err } = sglab(&program, &["diff", old, "both"]);
    assert_eq!(code, Some(1), "{out}{err}");
    assert!(out.contains("newly open inside: jump -> db:22, by sg-1, sg-9\n"), "{out}");
}

#[test]
fn another_number_of_members_of_an_accepted_group_is_a_note() {
    let program = Program::copy();
    let everywhere = json!([{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]);
    let account = |members: usize| {
        let interface = |at| {
            json!({"NetworkInterfaceId": format!("eni-{at}"), "VpcId": "vpc-1", "Groups": [{"GroupId": "sg-1"}],
                "Attachment": {"InstanceId": format!("i-{at}"), "DeviceIndex": 0}})
        };
        json!({
            "Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16"}],
            "SecurityGroups": [{"GroupId": "sg-1", "GroupName": "db", "VpcId": "vpc-1", "IpPermissions": [from("0.0.0.0/0")],
                "IpPermissionsEgress": everywhere}],
            "NetworkInterfaces": (0..members).map(interface).collect::<Vec<_>>(),
        })
    };
    let expect = program.scratch().join("expect.yaml");
    let expect = expect.to_str().unwrap();
    let test = |name: &str, members: usize, more: &[&str]| {
        let source = write(&program, name, &account(members).to_string());
        sglab(&program, &[&["test", "--import", source.to_str().unwrap(), "--expect", expect], more].concat())
    };
    let Said { code, err, .. } = test("one.json", 1, &["--accept"]);
    assert_eq!(code, Some(0), "{err}");
    let written = std::fs::read_to_string(expect).unwrap();
    assert!(written.contains("members:\n  'db': 1\n"), "{written}");
    let Said { code, err, .. } = test("two.json", 2, &[]);
    assert_eq!(code, Some(0), "{err}");
    assert!(err.contains("note: db has 2 members, and 1 when it was accepted\n"), "{err}");
    assert!(!test("one.json", 1, &[]).err.contains("note: db"));
}
