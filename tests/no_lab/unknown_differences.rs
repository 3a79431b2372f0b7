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
                {"GroupId": "sg-web", "GroupName": "web", "VpcId": "vpc-1", "IpPermissionsEgress": [to_block]},
                {"GroupId": "sg-db", "GroupName": "db", "VpcId": "vpc-1", "IpPermissions": [from_web]},
            ],
            "NetworkInterfaces": [interface("eni-1", "10.0.3.6", "sg-web"), interface("eni-2", address, "sg-db")],
        });
        account("account.json", &reply.to_string())
    };
    let difference = compare(&cloud("10.0.2.6"), &cloud("10.0.1.6"));
    let flows: Vec<String> = difference.opened.iter().map(sglab::reach::Passage::flow).collect();
    assert_eq!(flows, ["web -> db:5432"]);
}
