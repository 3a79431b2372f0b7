//! A difference of what is not known is never told as none.

use serde_json::{Value, json};

use sglab::account::Account;
use sglab::import::{Text, read};
use sglab::reach::compare;

fn account(name: &str, text: &str) -> Account {
    let text = Text { name: name.into(), text: text.into() };
    read(&[text], None).unwrap_or_else(|faults| panic!("{faults}"))
}

/// A template with a group that may be there, which lets in a block.
fn perhaps(block: &str) -> Account {
    let text = format!(
        "Parameters: {{Env: {{Type: String}}}}
Conditions: {{IsProd: !Equals [!Ref Env, prod]}}
Resources:
  Web:
    Type: AWS::EC2::SecurityGroup
    Condition: IsProd
    Properties:
      GroupDescription: x
      SecurityGroupIngress: [{{IpProtocol: tcp, FromPort: 22, ToPort: 22, CidrIp: {block}}}]
"
    );
    account("shop.yaml", &text)
}

#[test]
fn a_rule_that_may_be_there_and_is_widened_is_no_same_rule() {
    assert!(compare(&perhaps("10.0.0.0/8"), &perhaps("10.0.0.0/8")).is_same());
    let difference = compare(&perhaps("10.0.0.0/8"), &perhaps("0.0.0.0/0"));
    assert!(difference.unknown().count() + difference.not_known.len() > 0, "{difference:?}");
}

fn groups(rules: &[Value]) -> Account {
    let everything = json!({"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]});
    let db = json!({"GroupId": "sg-db", "GroupName": "db", "OwnerId": "111", "IpPermissions": rules,
                    "IpPermissionsEgress": [everything]});
    account("groups.json", &json!({"SecurityGroups": [db]}).to_string())
}

fn from(id: &str, owner: &str, protocol: &str) -> Value {
    json!({"IpProtocol": protocol, "FromPort": 22, "ToPort": 22, "UserIdGroupPairs": [{"GroupId": id, "UserId": owner}]})
}

#[test]
fn a_second_rule_for_a_group_of_another_account_is_not_known_either() {
    let (first, second) = (from("sg-x", "222", "tcp"), from("sg-y", "333", "-1"));
    let old = groups(std::slice::from_ref(&first));
    assert!(compare(&old, &old).is_same());
    let wider = compare(&old, &groups(&[first, second]));
    assert_eq!(wider.not_known.len(), 1);
    // The other way round the same two accounts drift as well.
    assert!(!compare(&groups(&[from("sg-x", "222", "tcp"), from("sg-y", "333", "-1")]), &old).is_same());
}

#[test]
fn ports_that_cannot_be_read_are_a_mistake_and_not_every_port() {
    for ports in ["22.5", "\"x22\"", "true"] {
        let text = format!(
            r#"{{"SecurityGroups": [{{"GroupId": "sg-1", "GroupName": "db", "IpPermissions":
                [{{"IpProtocol": "tcp", "FromPort": {ports}, "ToPort": 22, "IpRanges": [{{"CidrIp": "0.0.0.0/0"}}]}}]}}]}}"#
        );
        let faults = read(&[Text { name: "groups.json".into(), text: text.into() }], None).unwrap_err();
        assert!(faults.to_string().contains("sg-1: `FromPort` is no whole number"), "{faults}");
    }
}

#[test]
fn a_group_that_is_named_anywhere_is_told_from_everybody() {
    let everything = json!({"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]});
    let reply = json!({"SecurityGroups": [
        {"GroupId": "sg-a", "GroupName": "anywhere", "IpPermissions": [], "IpPermissionsEgress": [everything]},
        {"GroupId": "sg-db", "GroupName": "db", "IpPermissions":
            [{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "UserIdGroupPairs": [{"GroupId": "sg-a"}]}]},
    ]});
    let opened = compare(&Account::default(), &account("groups.json", &reply.to_string())).opened;
    let flows: Vec<String> = opened.iter().map(sglab::reach::Passage::flow).collect();
    assert!(flows.contains(&"group anywhere -> db:22".to_owned()), "{flows:?}");
}

#[test]
fn a_member_that_moves_into_the_block_that_others_may_send_to_is_reached_newly() {
    let cloud = |address: &str| {
        let interface = |id: &str, address: &str, group: &str| json!({"NetworkInterfaceId": id, "VpcId": "vpc-1", "PrivateIpAddress": address, "Groups": [{"GroupId": group}]});
        let to_block =
            json!({"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "IpRanges": [{"CidrIp": "10.0.1.0/24"}]});
        let from_web =
            json!({"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "UserIdGroupPairs": [{"GroupId": "sg-web"}]});
        let reply = json!({
            "Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16"}],
            "SecurityGroups": [
                {"GroupId": "sg-web", "GroupName": "web", "VpcId": "vpc-1", "IpPermissions": [], "IpPermissionsEgress": [to_block]},
                {"GroupId": "sg-db", "GroupName": "db", "VpcId": "vpc-1", "IpPermissions": [from_web], "IpPermissionsEgress": []},
            ],
            "NetworkInterfaces": [interface("eni-1", "10.0.3.6", "sg-web"), interface("eni-2", address, "sg-db")],
        });
        account("account.json", &reply.to_string())
    };
    let difference = compare(&cloud("10.0.2.6"), &cloud("10.0.1.6"));
    let flows: Vec<String> = difference.opened.iter().map(sglab::reach::Passage::flow).collect();
    assert_eq!(flows, ["web -> db:5432"]);
}

/// An interface with these groups, of which `db` is known and admits 22 from anywhere.
fn member(groups: Option<&[&str]>) -> Value {
    let mut interface = json!({"NetworkInterfaceId": "eni-1", "VpcId": "vpc-1", "PrivateIpAddress": "10.0.0.9"});
    if let Some(groups) = groups {
        interface["Groups"] = groups.iter().map(|id| json!({"GroupId": id})).collect();
    }
    let db = json!({"GroupId": "sg-db", "GroupName": "db", "VpcId": "vpc-1", "IpPermissions":
        [{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]});
    json!({"SecurityGroups": [db], "NetworkInterfaces": [interface]})
}

#[test]
fn who_joins_a_group_that_no_source_has_is_perhaps_open() {
    let cloud = |groups: &[&str]| account("account.json", &member(Some(groups)).to_string());
    let difference = compare(&cloud(&["sg-db"]), &cloud(&["sg-db", "sg-else"]));
    assert_eq!(difference.unknown().count(), 1, "{difference:?}");
    let same = cloud(&["sg-db", "sg-else"]);
    assert!(compare(&same, &same).is_same());
}

#[test]
fn a_reply_that_was_cut_does_not_take_an_interface_out_of_its_groups() {
    let whole = account("account.json", &member(Some(&["sg-db"])).to_string());
    let cut = account("account.json", &member(None).to_string());
    let difference = compare(&whole, &cut);
    assert!(difference.unknown().count() > 0, "{difference:?}");
}

#[test]
fn two_replies_that_tell_a_group_otherwise_are_listed() {
    let told = |block: &str| {
        json!({"SecurityGroups": [{"GroupId": "sg-1", "GroupName": "db", "IpPermissions":
            [{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": block}]}]}]})
    };
    let text = |name: &str, block: &str| Text { name: name.into(), text: told(block).to_string().into() };
    let both = read(&[text("a.json", "0.0.0.0/0"), text("b.json", "10.0.0.0/8")], None).unwrap();
    assert_eq!(both.groups[0].ingress.len(), 2);
    assert_eq!(both.left_out.len(), 1, "{:?}", both.left_out);
    let same = read(&[text("a.json", "10.0.0.0/8"), text("b.json", "10.0.0.0/8")], None).unwrap();
    assert!(same.left_out.is_empty() && same.groups[0].ingress.len() == 1);
}

#[test]
fn a_prefix_list_whose_entries_are_no_longer_told_closes_nothing_for_certain() {
    let rule = json!({"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "PrefixListIds": [{"PrefixListId": "pl-1"}]});
    let group = json!({"GroupId": "sg-1", "GroupName": "db", "IpPermissions": [rule]});
    let list = json!({"PrefixListId": "pl-1", "PrefixListName": "office", "Entries": [{"Cidr": "203.0.113.0/24"}]});
    let told = account("told.json", &json!({"SecurityGroups": [group], "PrefixLists": [list]}).to_string());
    let untold = account("untold.json", &json!({"SecurityGroups": [group]}).to_string());
    for difference in [compare(&told, &untold), compare(&untold, &told)] {
        let known = difference.opened.iter().chain(&difference.closed).filter(|passage| passage.is_known());
        assert_eq!(known.count(), 0, "{difference:?}");
        assert!(difference.unknown().count() > 0, "{difference:?}");
    }
}

/// A plan of a group whose inline rules nobody writes, so that they are those that AWS has: the ones of its separate rule too.
fn with_separate_rule(action: &str, after: Option<&str>) -> Account {
    let rule = |block: &str| {
        json!({"security_group_id": "sg-1", "ip_protocol": "tcp", "from_port": 22, "to_port": 22, "cidr_ipv4": block,
               "cidr_ipv6": null, "prefix_list_id": null, "referenced_security_group_id": null, "description": null})
    };
    let inline = json!({"protocol": "tcp", "from_port": 22, "to_port": 22, "cidr_blocks": ["0.0.0.0/0"], "ipv6_cidr_blocks": [],
                        "prefix_list_ids": [], "security_groups": [], "self": false, "description": ""});
    let (kind, name) = ("aws_vpc_security_group_ingress_rule", "ssh");
    let address = format!("{kind}.{name}");
    let mut planned = vec![
        json!({"address": "aws_security_group.web", "mode": "managed", "type": "aws_security_group", "name": "web",
        "values": {"id": "sg-1", "name": "web", "ingress": [inline], "egress": []}}),
    ];
    planned.extend(after.map(
        |block| json!({"address": address, "mode": "managed", "type": kind, "name": name, "values": rule(block)}),
    ));
    let plan = json!({
        "format_version": "1.2",
        "planned_values": {"root_module": {"resources": planned}},
        "resource_changes": [{"address": address, "mode": "managed", "type": kind, "name": name, "change":
            {"actions": [action], "before": rule("0.0.0.0/0"), "after": after.map(rule), "after_unknown": {}}}],
        "configuration": {"root_module": {"resources": [
            {"address": "aws_security_group.web", "mode": "managed", "type": "aws_security_group", "name": "web",
             "expressions": {"name": {"constant_value": "web"}}},
            {"address": address, "mode": "managed", "type": kind, "name": name, "expressions": {}},
        ]}},
    });
    account("plan.json", &plan.to_string())
}

#[test]
fn a_separate_rule_that_a_plan_narrows_or_deletes_is_no_longer_in_the_group() {
    let open = with_separate_rule("no-op", Some("0.0.0.0/0"));
    let opened = |difference: &sglab::reach::Difference| difference.opened_from_outside().count();
    let (narrowed, deleted) = (with_separate_rule("update", Some("10.0.0.0/8")), with_separate_rule("delete", None));
    assert_eq!(deleted.groups[0].ingress.len(), 0);
    for other in [&narrowed, &deleted] {
        assert_eq!(compare(&open, other).closed.len(), 1);
        assert_eq!(opened(&compare(other, &open)), 1);
    }
}
