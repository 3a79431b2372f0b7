//! What of a template is not known, and mistakes of templates, all at once, each with its place.

use super::{BASE, tried, with};
use crate::import::shown::{members, reasons, rules};

/// The rules of a group that admits one peer, and what was left out.
fn peer(words: &str) -> (Vec<String>, Vec<String>) {
    let account = with(&format!(
        "  In: {{Type: AWS::EC2::SecurityGroupIngress, Properties: {{GroupId: !Ref App, IpProtocol: tcp, FromPort: 22, ToPort: 22, {words}}}}}\n"
    ));
    let ingress = rules(&account).into_iter().filter(|rule| rule.contains(" < ")).collect();
    (ingress, reasons(&account))
}

#[test]
fn a_peer_that_no_template_tells_may_be_anybody() {
    for (words, why) in [
        (
            "SourceSecurityGroupId: !Ref Given",
            "the parameter `Given` has no default; `--parameter Given=VALUE` gives it",
        ),
        ("CidrIp: !Ref Secret", "the parameter `Secret` is marked as secret"),
        ("CidrIp: !Ref Looked", "the parameter `Looked` is looked up when the stack is made"),
        ("CidrIp: '{{resolve:ssm:block}}'", "a dynamic reference is looked up when the stack is made"),
        ("CidrIp: !ImportValue net-Block", "`net-Block` is exported by another stack"),
        ("CidrIp: !Sub '${AWS::Region}/32'", "`AWS::Region` is known when the stack is made"),
        (
            "CidrIp: !Sub ['${A}/32', {A: !Ref Wanted}]",
            "the parameter `Wanted` has no default; `--parameter Wanted=VALUE` gives it",
        ),
        (
            "CidrIp: !Join [/, [!GetAtt Vpc.Ipv6CidrBlocks, '32']]",
            "`Vpc.Ipv6CidrBlocks` is known after the stack is made",
        ),
        ("CidrIp: !Select [0, !GetAZs '']", "`Fn::GetAZs` is not evaluated"),
        (
            "CidrIp: !If [Unclear, 10.0.0.0/8, 0.0.0.0/0]",
            "the condition `Unclear` is not known: the parameter `Wanted` has no default; `--parameter Wanted=VALUE` gives it",
        ),
        ("SourceSecurityGroupName: web", "no group of this template has the name `web`"),
        (
            "SourceSecurityGroupId: sg-1, SourceSecurityGroupOwnerId: !Ref Wanted",
            "the account of its group: the parameter `Wanted` has no default; `--parameter Wanted=VALUE` gives it",
        ),
    ] {
        let (ingress, left_out) = peer(words);
        assert_eq!(ingress, [format!("App < tcp 22 ?{why}")], "{words}");
        assert_eq!(left_out, [format!("In: not known: {why}")], "{words}");
    }
}

#[test]
fn ports_and_conditions_that_are_not_known_make_a_rule_unknown() {
    let account = with("
  Port: {Type: AWS::EC2::SecurityGroupIngress, Properties: {GroupId: !Ref App, IpProtocol: tcp, FromPort: !Ref Wanted, ToPort: 22, CidrIp: 10.0.0.0/8}}
  Perhaps: {Type: AWS::EC2::SecurityGroupIngress, Condition: Unclear, Properties: {GroupId: !Ref App, IpProtocol: tcp, FromPort: 23, ToPort: 23, CidrIp: 10.0.0.0/8}}
  Inline: {Type: AWS::EC2::SecurityGroup, Properties: {VpcId: !Ref Vpc, SecurityGroupIngress: [!If [Unclear, {IpProtocol: '-1', CidrIp: 0.0.0.0/0}, !Ref 'AWS::NoValue']]}}
  Apart: {Type: AWS::EC2::SecurityGroupIngress, Properties: {GroupId: !Ref Given, IpProtocol: '-1', CidrIp: 0.0.0.0/0}}
");
    let why = "the condition `Unclear` is not known: the parameter `Wanted` has no default; `--parameter Wanted=VALUE` gives it";
    assert_eq!(
        rules(&account),
        [
            "App < ?the parameter `Wanted` has no default; `--parameter Wanted=VALUE` gives it 10.0.0.0/8".to_owned(),
            format!("App < tcp 23 ?{why}"),
            "App > all 127.0.0.1/32".to_owned(),
            format!("Inline < ?{why} ?{why}"),
            "Inline > all 0.0.0.0/0".to_owned(),
        ]
    );
    assert_eq!(
        reasons(&account),
        [
            format!("Inline: not known: {why}"),
            "Port: not known: the parameter `Wanted` has no default; `--parameter Wanted=VALUE` gives it".to_owned(),
            format!("Perhaps: not known: {why}"),
            "Apart: not known: its group: the parameter `Given` has no default; `--parameter Given=VALUE` gives it"
                .to_owned(),
        ]
    );
}

#[test]
fn a_condition_that_does_not_depend_on_the_unknown_is_known() {
    let text = BASE.replace("Conditions:\n", "Conditions:\n  Never: !And [!Condition Unclear, !Equals [a, b]]\n");
    let account = super::account(
        &(text
            + "  No: {Type: AWS::EC2::SecurityGroupIngress, Condition: Never, Properties: {GroupId: !Ref App, IpProtocol: '-1', CidrIp: 0.0.0.0/0}}\n"),
    );
    assert_eq!(rules(&account), ["App > all 127.0.0.1/32"]);
}

#[test]
fn members_that_are_not_known_are_listed() {
    let account = with(
        "
  A: {Type: AWS::EC2::Instance, Properties: {SecurityGroupIds: [!Ref App, !Ref Given]}}
  B: {Type: AWS::EC2::Instance, Condition: Unclear, Properties: {SecurityGroupIds: [!Ref App]}}
  C: {Type: AWS::EC2::Instance, Properties: {ImageId: ami-1}}
",
    );
    let why = "the condition `Unclear` is not known: the parameter `Wanted` has no default; `--parameter Wanted=VALUE` gives it";
    assert_eq!(
        members(&account),
        [
            "A: ?the parameter `Given` has no default; `--parameter Given=VALUE` gives it".to_owned(),
            format!("B: ?{why}"),
            "C: ?it names no group, and no source has the default group of its VPC".to_owned(),
        ]
    );
    assert_eq!(reasons(&account).len(), 3);
}

#[test]
fn a_rule_apart_may_take_the_place_of_the_rule_for_everything() {
    let account = with("
  Out: {Type: AWS::EC2::SecurityGroup, Properties: {VpcId: !Ref Vpc}}
  Https: {Type: AWS::EC2::SecurityGroupEgress, Properties: {GroupId: !Ref Out, IpProtocol: tcp, FromPort: 443, ToPort: 443, CidrIp: 0.0.0.0/0}}
");
    let why = "CloudFormation may remove the rule for everything because of `Https`";
    assert_eq!(rules(&account)[1..], [format!("Out > all ?{why}"), "Out > tcp 443 0.0.0.0/0".to_owned()]);
    assert_eq!(reasons(&account), [format!("Out: not known: {why}")]);
}

#[test]
fn what_is_not_emulated_is_listed() {
    let account = with(
        "
  Tgw: {Type: AWS::EC2::TransitGateway}
  Peering: {Type: AWS::EC2::VPCPeeringConnection}
  Igw: {Type: AWS::EC2::InternetGateway}
  Acl: {Type: AWS::EC2::NetworkAcl, Properties: {VpcId: !Ref Vpc}}
  Default: {Type: AWS::EC2::Route, Properties: {GatewayId: !Ref Igw}}
  Inner: {Type: AWS::EC2::Route, Properties: {NatGatewayId: nat-1}}
  Nested: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: x}}
  Topic: {Type: AWS::SNS::Topic}
",
    );
    assert_eq!(
        reasons(&account),
        [
            "Tgw: not emulated",
            "Peering: not emulated",
            "Igw: no part in who reaches whom",
            "Acl: not emulated",
            "Default: no part in who reaches whom",
            "Inner: not emulated",
            "Nested: not known: its template is a source of its own",
            "Topic: no part in who reaches whom",
        ]
    );
}

#[test]
fn resources_with_groups_anywhere_in_them_are_not_emulated() {
    let account = with("
  Stream: {Type: AWS::MSK::ServerlessCluster, Properties: {VpcConfigs: [{SubnetIds: [subnet-1], SecurityGroups: [!Ref App]}]}}
  Tasks: {Type: AWS::ECS::TaskSet, Properties: {NetworkConfiguration: {AwsVpcConfiguration: {SecurityGroups: [!Ref App]}}}}
  Glue: {Type: AWS::Glue::Connection, Properties: {ConnectionInput: {PhysicalConnectionRequirements: {SecurityGroupIdList: [!Ref App]}}}}
  Fargate: {Type: AWS::EKS::FargateProfile, Properties: {ClusterName: a}}
  Topic: {Type: AWS::SNS::Topic, Properties: {Tags: [{Key: a, Value: b}]}}
");
    assert_eq!(
        reasons(&account),
        [
            "Stream: not emulated",
            "Tasks: not emulated",
            "Glue: not emulated",
            "Fargate: not emulated",
            "Topic: no part in who reaches whom",
        ]
    );
}

/// Returns whether a network ACL that admits all over IPv4, with some more entries, has no part.
fn acl(more: &str) -> bool {
    let all = |name: &str, egress: bool| {
        format!(
            "  {name}: {{Type: AWS::EC2::NetworkAclEntry, Properties: {{NetworkAclId: !Ref Acl, Egress: {egress}, RuleNumber: 100, Protocol: -1, RuleAction: allow, CidrBlock: 0.0.0.0/0}}}}\n"
        )
    };
    let acl = "  Acl: {Type: AWS::EC2::NetworkAcl, Properties: {VpcId: !Ref Vpc}}\n".to_owned();
    let account = with(&(acl + &all("In", false) + &all("Out", true) + more));
    let reasons = reasons(&account);
    let reason = reasons.iter().find_map(|reason| reason.strip_prefix("Acl: ")).expect("a reason");
    reason == "no part in who reaches whom"
}

#[test]
fn entries_of_a_network_acl_over_ipv6_count() {
    let entry = |words: &str| {
        format!(
            "  Six: {{Type: AWS::EC2::NetworkAclEntry, Properties: {{NetworkAclId: !Ref Acl, Protocol: -1, {words}}}}}\n"
        )
    };
    assert!(acl(""));
    assert!(acl(&entry("RuleNumber: 50, RuleAction: allow, Ipv6CidrBlock: '::/0'")));
    assert!(!acl(&entry("RuleNumber: 200, RuleAction: deny, Ipv6CidrBlock: '::/0'")));
    assert!(!acl(&entry("RuleNumber: !Ref Wanted, RuleAction: deny, CidrBlock: 10.0.0.0/8")));
    assert!(!acl(&entry("RuleNumber: 50, RuleAction: deny, CidrBlock: !Ref Wanted")));
    let six =
        "  Block: {Type: AWS::EC2::VPCCidrBlock, Properties: {VpcId: !Ref Vpc, AmazonProvidedIpv6CidrBlock: true}}\n";
    assert!(!acl(six), "nothing is admitted over IPv6");
}

#[test]
fn what_a_macro_or_another_resource_adds_is_unknown() {
    let account = with("
  Made: {Type: Custom::Rules, Properties: {ServiceToken: a}}
  Mixed: {Type: AWS::EC2::SecurityGroup, Properties: {VpcId: !Ref Vpc, SecurityGroupIngress: [{IpProtocol: '-1', 'Fn::Transform': {Name: AWS::Include}}]}}
  Other: {Type: AWS::EC2::SecurityGroup, Properties: {VpcId: !Ref Vpc, SecurityGroupIngress: !GetAtt Made.Rules}}
");
    let ingress: Vec<String> = rules(&account).into_iter().filter(|rule| rule.contains(" < ")).collect();
    let (change, made) = ("`Fn::Transform` may change it", "`Made.Rules` is known after the stack is made");
    assert_eq!(ingress, [format!("Mixed < ?{change} ?{change}"), format!("Other < ?{made} ?{made}")]);
    assert_eq!(reasons(&account)[..2], [format!("Mixed: not known: {change}"), format!("Other: not known: {made}")]);
}

#[test]
fn a_subnet_that_is_not_known_may_give_public_addresses() {
    let account = with("
  Private: {Type: AWS::EC2::Subnet, Properties: {VpcId: !Ref Vpc, CidrBlock: 10.0.1.0/24}}
  Launch: {Type: AWS::EC2::LaunchTemplate, Properties: {LaunchTemplateData: {SecurityGroupIds: [!Ref App]}}}
  Fleet: {Type: AWS::AutoScaling::AutoScalingGroup, Properties: {VPCZoneIdentifier: [!Ref Private, !Ref Wanted], LaunchTemplate: {LaunchTemplateId: !Ref Launch, Version: '1'}}}
");
    let fleet = account.interfaces.values().next().expect("a fleet");
    let why =
        "of its subnets, one is not known: the parameter `Wanted` has no default; `--parameter Wanted=VALUE` gives it";
    assert_eq!(fleet.public, crate::account::Public::Unknown(why.to_owned()));
    assert_eq!(fleet.subnet, None);
}

#[test]
fn an_attachment_whose_condition_is_not_known_may_put_an_interface_anywhere() {
    let account = with("
  Eni: {Type: AWS::EC2::NetworkInterface, Properties: {GroupSet: [!Ref App]}}
  Join: {Type: AWS::EC2::NetworkInterfaceAttachment, Condition: Unclear, Properties: {InstanceId: i-1, NetworkInterfaceId: !Ref Eni, DeviceIndex: '1'}}
");
    let why = "the condition `Unclear` is not known: the parameter `Wanted` has no default; `--parameter Wanted=VALUE` gives it";
    assert_eq!(members(&account), [format!("i-1.eth1: ?{why}")]);
    assert_eq!(reasons(&account), [format!("Join: not known: {why}")]);
}

#[test]
fn a_block_of_ipv6_for_a_vpc_that_is_not_known_may_be_for_any() {
    let account = with(
        "
  Out: {Type: AWS::EC2::SecurityGroup, Properties: {GroupDescription: d, VpcId: !Ref Vpc}}
  Six: {Type: AWS::EC2::VPCCidrBlock, Properties: {VpcId: !Ref Wanted, AmazonProvidedIpv6CidrBlock: true}}
",
    );
    assert!(rules(&account).contains(&"Out > all ::/0".to_owned()));
}

#[test]
fn a_block_of_an_address_pool_is_listed() {
    let account = with(
        "
  More: {Type: AWS::EC2::VPCCidrBlock, Properties: {VpcId: !Ref Vpc, Ipv4IpamPoolId: pool-1}}
",
    );
    assert_eq!(reasons(&account), ["More: not known: its block comes from `Ipv4IpamPoolId`"]);
}

#[test]
fn a_load_balancer_of_an_unknown_type_or_subnet_is_unknown() {
    let account = with("
  A: {Type: AWS::ElasticLoadBalancingV2::LoadBalancer, Properties: {Type: !Ref Wanted, Subnets: [subnet-1]}}
  B: {Type: AWS::ElasticLoadBalancingV2::LoadBalancer, Properties: {SecurityGroups: [!Ref App], SubnetMappings: [!If [Unclear, {SubnetId: subnet-1}, {SubnetId: subnet-2}], {SubnetId: subnet-3}]}}
");
    let why = "the parameter `Wanted` has no default; `--parameter Wanted=VALUE` gives it";
    assert_eq!(members(&account), [format!("A: ?its type: {why}"), "B: App".to_owned()]);
    assert!(
        account
            .interfaces
            .values()
            .all(|interface| interface.subnet.as_ref().is_none_or(|id| id.as_str() != "subnet-3"))
    );
}

#[test]
fn a_route_to_another_gateway_than_that_of_the_internet_is_not_emulated() {
    let route = |gateway: &str| format!("{{Type: AWS::EC2::Route, Properties: {{GatewayId: {gateway}}}}}");
    let account = with(&format!(
        "  Vpn: {{Type: AWS::EC2::VPNGateway}}\n  A: {}\n  B: {}\n  C: {}\n  D: {}\n",
        route("!Ref Vpn"),
        route("!Ref Wanted"),
        route("vgw-1"),
        route("igw-1")
    ));
    let (not, none) = ("not emulated", "no part in who reaches whom");
    let expected = [("Vpn", not), ("A", not), ("B", not), ("C", not), ("D", none)];
    assert_eq!(reasons(&account), expected.map(|(name, reason)| format!("{name}: {reason}")));
}

#[test]
fn an_attachment_of_what_no_template_has_is_listed() {
    let account = with("
  Join: {Type: AWS::EC2::NetworkInterfaceAttachment, Properties: {InstanceId: !Ref Wanted, NetworkInterfaceId: eni-1, DeviceIndex: '1'}}
");
    assert_eq!(
        reasons(&account),
        [
            "Join: not known: its instance: the parameter `Wanted` has no default; `--parameter Wanted=VALUE` gives it",
            "Join: names eni-1, which no source has"
        ]
    );
}

/// The mistakes of some resources beside the base, a line each: line, column, message.
fn mistakes(resources: &str) -> Vec<String> {
    let faults = tried("stack.yaml", &(BASE.to_owned() + resources)).expect_err("mistakes");
    let first = u32::try_from(BASE.lines().count()).expect("few lines") + 1;
    let line =
        |fault: &crate::import::Fault| format!("{}:{} {}", fault.place.line - first, fault.place.column, fault.message);
    faults.faults.iter().map(line).collect()
}

#[test]
fn all_mistakes_are_told_at_once() {
    let told = mistakes("
  A: {Type: AWS::EC2::SecurityGroupIngress, Properties: {GroupId: !Ref App, IpProtocol: tpc, CidrIp: 10.0.0.0/8}}
  B: {Type: AWS::EC2::SecurityGroupIngress, Properties: {GroupId: !Ref App, IpProtocol: tcp, FromPort: ssh, ToPort: 22, CidrIp: 10.0.0.0/8}}
  C: {Type: AWS::EC2::SecurityGroupIngress, Properties: {GroupId: !Ref App, IpProtocol: tcp, FromPort: 99999, ToPort: 99999, CidrIp: 10.0.0.0/8}}
  D: {Type: AWS::EC2::SecurityGroupIngress, Properties: {GroupId: !Ref App, IpProtocol: tcp, FromPort: 22, ToPort: 22, CidrIp: 10.0.0/8}}
  E: {Type: AWS::EC2::SecurityGroupIngress, Properties: {GroupId: !Ref Apq, IpProtocol: '-1', CidrIp: 10.0.0.0/8}}
  F: {Type: AWS::EC2::SecurityGroupIngress, Properties: {IpProtocol: '-1', CidrIp: 10.0.0.0/8}}
  G: {Type: AWS::EC2::SecurityGroupIngress, Properties: {GroupId: !Ref App, CidrIp: 10.0.0.0/8}}
  H: {Type: AWS::EC2::SecurityGroupIngress, Properties: {GroupId: !Ref Vpc, IpProtocol: '-1', CidrIp: 10.0.0.0/8}}
  I: {Type: AWS::EC2::SecurityGroup, Properties: {SecurityGroupIngress: [all]}}
  J: {Type: AWS::EC2::SecurityGroup, Condition: Uncleer, Properties: {}}
  K: {Properties: {}}
  L: {Type: AWS::EC2::Subnet, Properties: {MapPublicIpOnLaunch: perhaps}}
  M: {Type: AWS::EC2::Subnet, Properties: {CidrBlock: !Select [9, [a]], VpcId: !FindInMap [None, a, b]}}
  N: {Type: AWS::EC2::Instance, Properties: {SecurityGroupIds: [App]}}
");
    for line in [
        "1:89 A: unknown protocol `tpc`",
        "2:104 `FromPort` is no number",
        "3:89 C: 99999 is no port",
        "4:128 D: `10.0.0/8` is no block of addresses",
        "5:72 `Apq` is no parameter and no resource of this template",
        "6:57 F: `GroupId` is missing",
        "7:57 G: `IpProtocol` is missing",
        "8:72 `Vpc` is AWS::EC2::VPC, no security group",
        "9:74 `SecurityGroupIngress` is a list of rules",
        "10:49 there is no condition `Uncleer`",
        "11:6 K: `Type` is missing",
        "12:65 `MapPublicIpOnLaunch` is true or false",
        "13:63 `Fn::Select` takes element 9 of a list of 1",
        "13:91 there is no map `None`",
        "14:65 `App` stands here as a text, not as a reference",
    ] {
        assert!(told.iter().any(|told| told == line), "{line} is not among {told:#?}");
    }
    assert_eq!(told.len(), 15, "{told:#?}");
}

#[test]
fn circles_and_bombs_end() {
    let circle = "Conditions:\n  A: !Not [!Condition B]\n  B: !Not [!Condition A]\nResources:\n  \
        X: {Type: AWS::EC2::VPC, Condition: A, Properties: {CidrBlock: !GetAtt X.CidrBlock}}\n";
    let told = tried("stack.yaml", circle).expect_err("mistakes").to_string();
    assert!(told.contains("depends on itself"), "{told}");
    assert!(told.contains("through itself"), "{told}");
    let mut bomb = "Resources:\n  V0: {Type: AWS::EC2::VPC, Properties: {CidrBlock: 10.0.0.0/16}}\n".to_owned();
    for level in 1..60 {
        let before = format!("!GetAtt V{}.CidrBlock", level - 1);
        bomb += &format!(
            "  V{level}: {{Type: AWS::EC2::VPC, Properties: {{CidrBlock: !Join ['', [{before}, {before}]]}}}}\n"
        );
    }
    let told = tried("stack.yaml", &bomb).expect_err("mistakes").to_string();
    assert!(told.contains("this value goes through too many others"), "{told}");
}

#[test]
fn a_template_without_resources_is_a_mistake() {
    let told = tried("stack.yaml", "AWSTemplateFormatVersion: '2010-09-09'\n").expect_err("a mistake").to_string();
    assert!(told.contains("`Resources` is missing"), "{told}");
}

#[test]
fn a_value_that_is_longer_than_a_parameter_may_be_is_not_known_however_often_it_is_named() {
    let long = "x".repeat(100_000);
    let text = format!(
        "Parameters: {{A: {{Type: String, Default: {long}}}}}
Resources:
  G:
    Type: AWS::EC2::SecurityGroup
    Properties:
      GroupDescription: d
      SecurityGroupIngress: [{{IpProtocol: tcp, FromPort: 22, ToPort: 22, CidrIp: !Sub '{}'}}]
",
        "${A}".repeat(30_000)
    );
    let account = tried("stack.yaml", &text).unwrap();
    assert!(reasons(&account)[0].contains("longer than CloudFormation takes"), "{:?}", reasons(&account));
}
