//! Cures in the words of their sources: calls of the AWS CLI that a shell takes, and changes of what a file declares.

use serde_json::{Value, json};

use sglab::import::{Text, read};
use sglab::lint::{CureWords, Date, Finding, Options, lint};

pub fn findings(source: &str, check: &str) -> Vec<Finding> {
    let account = read(&[Text { name: "source.yaml".into(), text: source.into() }], None);
    let account = account.unwrap_or_else(|faults| panic!("{faults}"));
    let options = Options { cures: CureWords::OfSources, ..Options::default() };
    let today = "2026-11-30".parse::<Date>().unwrap();
    let outcome = lint(&account, &options, None, (&[], today));
    outcome.findings.into_iter().filter(|finding| finding.check.id == check).collect()
}

fn cures(source: &str, check: &str) -> Vec<Vec<String>> {
    findings(source, check).into_iter().map(|finding| finding.cure).collect()
}

fn interface(id: &str, instance: Option<&str>, groups: &[&str]) -> Value {
    let groups: Vec<Value> = groups.iter().map(|id| json!({"GroupId": id})).collect();
    let mut interface = json!({"NetworkInterfaceId": id, "VpcId": "vpc-1", "SubnetId": "subnet-1", "Groups": groups});
    match instance {
        Some(instance) => interface["Attachment"] = json!({"InstanceId": instance, "DeviceIndex": 0}),
        None => {
            interface["RequesterId"] = json!("amazon-elb");
            interface["Description"] = json!("ELB app/shop/0123456789abcdef");
        }
    }
    interface
}

/// A dual-stack VPC with a group `web` of these rules.
fn reply(ingress: &Value, egress: &Value, interfaces: &[Value]) -> String {
    let group = |id: &str, name: &str| json!({"GroupId": id, "GroupName": name, "VpcId": "vpc-1", "IpPermissions": [], "IpPermissionsEgress": []});
    let mut web = group("sg-web", "web");
    web["IpPermissions"] = ingress.clone();
    web["IpPermissionsEgress"] = egress.clone();
    json!({
        "Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16", "Ipv6CidrBlockAssociationSet": [{"Ipv6CidrBlock": "2001:db8:1::/56"}]}],
        "Subnets": [{"SubnetId": "subnet-1", "VpcId": "vpc-1", "CidrBlock": "10.0.1.0/24"}],
        "SecurityGroups": [web, group("sg-default", "default")],
        "NetworkInterfaces": interfaces,
    })
    .to_string()
}

fn https() -> Value {
    json!([{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "Ipv6Ranges": [{"CidrIpv6": "::/0"}]}])
}

fn everything() -> Value {
    json!([{"IpProtocol": "-1", "Ipv6Ranges": [{"CidrIpv6": "::/0"}]}])
}

#[test]
fn what_is_open_over_ipv6_is_cured_over_ipv6() {
    let web = [interface("eni-1", Some("i-1"), &["sg-web"])];
    let source = reply(&https(), &everything(), &web);
    let revoke = r#"aws ec2 revoke-security-group-egress --group-id sg-web --ip-permissions '[{"IpProtocol":"-1","Ipv6Ranges":[{"CidrIpv6":"::/0"}]}]'"#;
    let open = |block: &str| {
        format!(
            r#"aws ec2 authorize-security-group-egress --group-id sg-web --ip-permissions '[{{"IpProtocol":"tcp","FromPort":443,"ToPort":443,"Ipv6Ranges":[{{"CidrIpv6":"{block}"}}]}}]'"#
        )
    };
    assert_eq!(cures(&source, "untracked-session"), [[open("::/0"), revoke.to_owned()]]);
    assert_eq!(cures(&source, "egress-open"), [[open("IPV6-BLOCK"), revoke.to_owned()]]);
    let plan = json!({"format_version": "1.2", "configuration": {"root_module": {}}, "planned_values": {"root_module": {"resources": [
        {"address": "aws_security_group.web", "mode": "managed", "type": "aws_security_group", "name": "web", "values": {"name": "web",
            "ingress": [{"protocol": "tcp", "from_port": 443, "to_port": 443, "ipv6_cidr_blocks": ["::/0"]}],
            "egress": [{"protocol": "-1", "from_port": 0, "to_port": 0, "ipv6_cidr_blocks": ["::/0"]}]}}]}}});
    assert_eq!(
        cures(&plan.to_string(), "untracked-session"),
        [[
            "aws_security_group.web: add the egress rule tcp 443 to ::/0",
            "aws_security_group.web: delete the egress rule all to ::/0"
        ]]
    );
}

#[test]
fn sessions_of_a_load_balancer_are_amazons_to_keep() {
    let balancer = interface("eni-1", None, &["sg-web"]);
    assert_eq!(
        findings(&reply(&https(), &everything(), std::slice::from_ref(&balancer)), "untracked-session").len(),
        0
    );
    let both = [balancer, interface("eni-2", Some("i-2"), &["sg-web"])];
    assert_eq!(findings(&reply(&https(), &everything(), &both), "untracked-session").len(), 1);
    assert_eq!(findings(&reply(&https(), &everything(), &[]), "untracked-session").len(), 1);
}

#[test]
fn a_rule_for_nobody_names_nobody_s_address() {
    for block in ["127.0.0.1/32", "255.255.255.255/32"] {
        let egress = json!([{"IpProtocol": "-1", "IpRanges": [{"CidrIp": block}]}]);
        let source = reply(&json!([]), &egress, &[interface("eni-1", Some("i-1"), &["sg-web"])]);
        for check in ["address-in-rule", "address-of-outside"] {
            assert_eq!(findings(&source, check).len(), 0, "{block}");
        }
    }
}

#[test]
fn a_new_group_is_made_before_calls_name_it_by_its_id() {
    let ingress =
        json!([{"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "IpRanges": [{"CidrIp": "10.0.1.9/32"}]}]);
    let mut own = interface("eni-1", Some("i-1"), &["sg-default", "sg-web"]);
    own["PrivateIpAddress"] = json!("10.0.1.9");
    let others = interface("eni-2", Some("i-2"), &["sg-default", "sg-web"]);
    let source = reply(&ingress, &json!([]), &[own, others]);
    let cures = cures(&source, "address-in-rule");
    assert_eq!(
        cures[0][..3],
        [
            "group=$(aws ec2 create-security-group --group-name SG-I-I-1 --description TEXT --vpc-id vpc-1 --query GroupId --output text)",
            "aws ec2 modify-network-interface-attribute --network-interface-id eni-1 --groups sg-default sg-web \"$group\"",
            r#"aws ec2 authorize-security-group-ingress --group-id sg-web --ip-permissions '[{"IpProtocol":"tcp","FromPort":5432,"ToPort":5432,"UserIdGroupPairs":[{"GroupId":"'"$group"'"}]}]'"#,
        ]
    );
    // Who leaves the default group stays in the others.
    let left = self::cures(&source, "default-group-used");
    assert!(left[0][0].ends_with("--network-interface-id eni-1 --groups sg-web"), "{left:?}");
}

const TEMPLATE: &str = "\
Parameters: {Given: {Type: 'AWS::EC2::SecurityGroup::Id'}}
Resources:
  Web:
    Type: AWS::EC2::SecurityGroup
    Properties:
      GroupDescription: web
      SecurityGroupIngress:
      - {IpProtocol: tcp, FromPort: 0, ToPort: 65535, SourceSecurityGroupId: !Ref Given}
      - {IpProtocol: tcp, FromPort: 8000, ToPort: 9000, SourceSecurityGroupId: !Ref Given}
";

#[test]
fn a_cure_invents_no_group_for_a_peer_that_no_source_tells() {
    assert_eq!(cures(TEMPLATE, "all-ports"), [["Web: make tcp PORT of the ingress rule at source.yaml:8:9"]]);
    assert_eq!(cures(TEMPLATE, "wide-range"), [["Web: make tcp PORT of the ingress rule at source.yaml:9:9"]]);
}

#[test]
fn a_rule_that_no_file_says_is_not_deleted_but_replaced() {
    let cures = cures(TEMPLATE, "egress-open");
    assert_eq!(
        cures[0],
        [
            "Web: add the egress rule tcp 443 to BLOCK",
            "Web: declare its egress rules: they take the place of all to anywhere, which a group is born with",
        ]
    );
}

#[test]
fn a_shell_takes_every_call() {
    let ingress = json!([
        {"IpProtocol": "-1", "Ipv6Ranges": [{"CidrIpv6": "::/0"}], "IpRanges": [{"CidrIp": "10.0.1.0/24"}, {"CidrIp": "198.51.100.7/32"}]},
        {"IpProtocol": "udp", "FromPort": 1, "ToPort": 2000, "UserIdGroupPairs": [{"GroupId": "sg-web"}, {"GroupId": "sg-gone"}]},
        {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]},
    ]);
    let interfaces =
        [interface("eni-1", Some("i-1"), &["sg-web", "sg-default"]), interface("eni-2", Some("i-2"), &["sg-web"])];
    let source = reply(&ingress, &everything(), &interfaces);
    let account = read(&[Text { name: "source.json".into(), text: source.into() }], None).unwrap();
    let options = Options { cures: CureWords::OfSources, ..Options::default() };
    let outcome = lint(&account, &options, None, (&[], "2026-11-30".parse::<Date>().unwrap()));
    let cures: Vec<&String> = outcome.findings.iter().flat_map(|finding| &finding.cure).collect();
    assert!(cures.len() > 15, "{cures:?}");
    for cure in cures {
        assert!(cure.starts_with("aws ec2 ") || cure.starts_with("group=$(aws ec2 "), "{cure}");
        let checked = std::process::Command::new("sh").args(["-n", "-c", cure]).output().unwrap();
        assert!(checked.status.success(), "{cure}");
    }
}
