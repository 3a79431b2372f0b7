//! Replies that a query has cut, or that tell the same twice: no rule is lost, and none counts twice.

use std::sync::Arc;

use serde_json::{Value, json};

use sglab::account::{Account, Reason};
use sglab::import::{Parameters, Text, read, read_with};
use sglab::model::Direction;
use sglab::reach::{compare, rule_words};

fn account(texts: &[Value]) -> Account {
    let texts: Vec<Text> = texts
        .iter()
        .enumerate()
        .map(|(number, text)| Text { name: format!("{number}.json"), text: text.to_string().into() })
        .collect();
    read(&texts, None).unwrap_or_else(|faults| panic!("{faults}"))
}

/// The rules of the first group, ingress first.
fn rules(account: &Account) -> Vec<String> {
    let group = &account.groups[0];
    let ingress = group.ingress.iter().map(|rule| rule_words(account, rule, Direction::Ingress));
    ingress.chain(group.egress.iter().map(|rule| rule_words(account, rule, Direction::Egress))).collect()
}

fn group(more: &Value) -> Value {
    let mut group = json!({"GroupId": "sg-1", "VpcId": "vpc-1"});
    group.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({"SecurityGroups": [group]})
}

fn whole() -> Value {
    json!({"IpPermissions": [{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}],
           "IpPermissionsEgress": [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]})
}

fn details() -> Vec<Value> {
    vec![
        json!({"SecurityGroupRuleId": "sgr-1", "GroupId": "sg-1", "IsEgress": false, "IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIpv4": "0.0.0.0/0"}),
        json!({"SecurityGroupRuleId": "sgr-2", "GroupId": "sg-1", "IsEgress": true, "IpProtocol": "-1", "FromPort": -1, "ToPort": -1, "CidrIpv4": "0.0.0.0/0"}),
    ]
}

const BOTH: [&str; 2] = ["tcp 22 from anywhere", "all to anywhere"];

#[test]
fn a_group_that_was_cut_has_the_rules_that_another_reply_tells() {
    let (cut, rules_of) = (group(&json!({"GroupName": "web"})), json!({"SecurityGroupRules": details()}));
    for replies in [[cut.clone(), rules_of.clone()], [rules_of.clone(), cut.clone()]] {
        let account = account(&replies);
        assert_eq!(rules(&account), BOTH);
        assert_eq!(account.groups[0].label, "web");
        assert!(account.left_out.is_empty(), "{:?}", account.left_out);
    }
    let mut one = cut;
    one["SecurityGroupRules"] = details().into();
    assert_eq!(rules(&account(&[one])), BOTH);
}

#[test]
fn the_same_rule_of_two_replies_is_one() {
    for name in [json!({}), json!({"GroupName": "web"})] {
        let mut told = group(&whole());
        told["SecurityGroups"][0].as_object_mut().unwrap().extend(name.as_object().unwrap().clone());
        let rules_of = json!({"SecurityGroupRules": details()});
        for replies in [[told.clone(), rules_of.clone()], [rules_of.clone(), told.clone()]] {
            let account = account(&replies);
            assert_eq!(rules(&account), BOTH);
            assert!(account.left_out.is_empty(), "{:?}", account.left_out);
        }
    }
}

#[test]
fn a_rule_that_only_one_of_two_replies_has_is_kept_and_listed() {
    let mut more = details();
    more.push(json!({"SecurityGroupRuleId": "sgr-3", "GroupId": "sg-1", "IsEgress": false, "IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "CidrIpv4": "0.0.0.0/0"}));
    let account = account(&[group(&whole()), json!({"SecurityGroupRules": more})]);
    assert_eq!(rules(&account).len(), 3);
    assert_eq!(account.left_out.len(), 1, "{:?}", account.left_out);
    assert!(account.left_out[0].is_unknown());
}

#[test]
fn rules_without_an_id_are_rules() {
    let mut cut = details();
    cut.iter_mut().for_each(|rule| drop(rule.as_object_mut().unwrap().remove("SecurityGroupRuleId")));
    assert_eq!(rules(&account(&[json!({"SecurityGroupRules": cut})])), BOTH);
    // `--query SecurityGroupRules`.
    assert_eq!(rules(&account(&[Value::Array(cut)])), BOTH);
}

#[test]
fn what_a_cut_reply_does_not_say_is_not_known() {
    let direction = |key: &str| {
        let mut whole = whole();
        drop(whole.as_object_mut().unwrap().remove(key));
        account(&[group(&whole)])
    };
    let (no_egress, no_ingress) = (direction("IpPermissionsEgress"), direction("IpPermissions"));
    assert!(no_egress.groups[0].egress[0].is_unknown() && !no_egress.groups[0].ingress[0].is_unknown());
    assert!(no_ingress.groups[0].ingress[0].is_unknown() && !no_ingress.groups[0].egress[0].is_unknown());
    // It is the same where another rule of the group differs.
    let mut narrower = whole();
    drop(narrower.as_object_mut().unwrap().remove("IpPermissionsEgress"));
    narrower["IpPermissions"][0]["IpRanges"][0]["CidrIp"] = "10.0.0.0/8".into();
    let difference = compare(&account(&[group(&narrower)]), &no_egress);
    assert_eq!((difference.opened.len(), difference.unknown().count()), (1, 0), "{difference:?}");
    // A later reply that is whole tells it.
    let cut = group(&json!({"GroupName": "web"}));
    assert_eq!(rules(&account(&[cut, group(&whole())])), BOTH);
}

#[test]
fn several_replies_in_one_list_are_several_replies() {
    let vpcs = json!({"Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16"}]});
    let account = account(&[json!([vpcs, group(&whole()), {"Tags": []}])]);
    assert_eq!((account.vpcs.len(), rules(&account).len()), (1, 2));
    assert!(account.left_out.is_empty(), "{:?}", account.left_out);
}

#[test]
fn an_ipv6_block_that_is_taken_away_is_none_of_the_vpc_s() {
    let block = |state: &str| json!({"Ipv6CidrBlock": "2600:1f18:1:100::/56", "Ipv6CidrBlockState": {"State": state}});
    let blocks = |state: &str| {
        let vpc = json!({"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16", "Ipv6CidrBlockAssociationSet": [block(state)]});
        account(&[json!({"Vpcs": [vpc]})]).vpcs[0].ipv6.len()
    };
    assert_eq!((blocks("associated"), blocks("disassociated")), (1, 0));
}

fn pair(from: u16, to: u16, pair: &Value) -> Account {
    let permission = json!({"IpProtocol": "tcp", "FromPort": from, "ToPort": to, "UserIdGroupPairs": [pair]});
    account(&[group(&json!({"IpPermissions": [permission], "IpPermissionsEgress": []}))])
}

#[test]
fn other_ports_of_a_group_that_is_told_by_its_name_alone_are_a_difference() {
    let elb = json!({"GroupName": "amazon-elb-sg", "UserId": "amazon-elb"});
    assert!(compare(&pair(22, 22, &elb), &pair(22, 22, &elb)).is_same());
    assert_eq!(compare(&pair(22, 22, &elb), &pair(0, 65535, &elb)).not_known.len(), 1);
}

#[test]
fn a_rule_over_a_peering_that_is_deleted_matches_nothing() {
    let over = |status: &str| {
        let peer =
            json!({"GroupId": "sg-9", "UserId": "1", "VpcPeeringConnectionId": "pcx-1", "PeeringStatus": status});
        pair(22, 22, &peer).left_out[0].clone()
    };
    let deleted = over("deleted");
    assert!(matches!(deleted.reason, Reason::MatchesNothing(_)) && !deleted.is_unknown() && !deleted.matters());
    assert!(over("pending-acceptance").is_unknown());
}

/// A network ACL whose first entry allows all, or denies all.
fn acl(action: &str) -> Account {
    let entry = |egress: bool, action: &str| json!({"Egress": egress, "RuleNumber": 100, "Protocol": "-1", "RuleAction": action, "CidrBlock": "0.0.0.0/0"});
    let acl = json!({"NetworkAclId": "acl-1", "Entries": [entry(false, action), entry(true, "allow")]});
    account(&[json!({"NetworkAcls": [acl]}), group(&whole())])
}

#[test]
fn a_network_acl_that_denies_no_longer_may_open() {
    let (denies, allows) = (acl("deny"), acl("allow"));
    let difference = compare(&denies, &allows);
    assert_eq!((difference.gone.len(), difference.not_known.len()), (1, 0));
    assert!(difference.gone[0].may_restrict());
    assert!(!difference.is_same() && !difference.is_empty());
    let back = compare(&allows, &denies);
    assert_eq!((back.gone.len(), back.not_known.len()), (0, 1));
}

#[test]
fn a_gateway_that_goes_opens_nothing() {
    let with = account(&[json!({"NatGateways": [{"NatGatewayId": "nat-1"}]}), group(&whole())]);
    let difference = compare(&with, &account(&[json!({"NatGateways": []}), group(&whole())]));
    assert_eq!(difference.gone.len(), 1);
    assert!(!difference.gone[0].may_restrict());
}

#[test]
fn a_secret_that_a_template_is_given_stands_in_no_message() {
    let template = |parameter: &str, value: &str| {
        let text = format!(
            "Parameters: {{C: {{Type: String, NoEcho: true{parameter}}}}}
Resources:
  G:
    Type: AWS::EC2::SecurityGroup
    Properties: {{GroupDescription: d, SecurityGroupIngress: [{{IpProtocol: tcp, FromPort: 22, ToPort: 22, CidrIp: {value}}}]}}
"
        );
        let text = Text { name: "stack.yaml".into(), text: text.into() };
        let mut given = Parameters::default();
        given.take("C=hunter2").unwrap();
        read_with(&[text], None, &Arc::new(given)).unwrap_err().to_string()
    };
    for told in [
        template(", AllowedValues: [secretA, secretB]", "!Ref C"),
        template("", "!Ref C"),
        template("", "!Sub 'x${C}y'"),
        template("", "!Select [0, !Split [r2, !Ref C]]"),
    ] {
        assert!(!told.contains("hunte") && !told.contains("secretA"), "{told}");
    }
}
