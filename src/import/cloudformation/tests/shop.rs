//! A realistic template in YAML, and its twin in JSON.

use super::{account, tried, with};
use crate::account::{Account, Public};
use crate::import::shown::{members, reasons, rules};

const YAML: &str = include_str!("shop.yaml");
const JSON: &str = include_str!("shop.json");

/// An account without lines, columns, and digests of texts.
fn without_places(account: &Account) -> String {
    let text = format!("{account:?}");
    let mut parts = text.split("place: SourceLocation {");
    let first = parts.next().unwrap_or_default().to_owned();
    // Of an origin the digest stands behind the place.
    parts.fold(first, |all, part| all + part.splitn(3, '}').nth(2).expect("an end"))
}

#[test]
fn a_template_is_evaluated() {
    let account = account(YAML);
    assert_eq!(
        rules(&account),
        [
            "Web < tcp 443 0.0.0.0/0",
            "Web < tcp 22 198.51.100.7/32",
            "Web > all 0.0.0.0/0",
            "Db < tcp 5432 Web",
            "Db < all Db",
            "Db > all 127.0.0.1/32",
        ]
    );
    assert_eq!(members(&account), ["WebServer: Web", "DbServer: Db", "Database: Db"]);
    let subnets: Vec<String> = account
        .subnets
        .values()
        .map(|subnet| subnet.block.map_or_else(String::new, |block| block.to_string()))
        .collect();
    assert_eq!(subnets, ["10.0.0.0/24", "10.0.1.0/24"]);
    let public: Vec<&Public> = account.interfaces.values().map(|interface| &interface.public).collect();
    assert_eq!(public, [&Public::At(Vec::new()), &Public::None, &Public::None]);
    assert_eq!(account.groups[0].description.as_deref(), Some("web of prod, ${not}"));
    assert_eq!(account.groups[1].name.as_deref(), Some("shop-db"));
    assert_eq!(account.interfaces[1].addresses[0].to_string(), "10.0.1.5/32");
    assert_eq!(
        reasons(&account),
        ["Debug: its condition is false", "Nat: not emulated", "Bucket: no part in who reaches whom",]
    );
}

#[test]
fn places_are_those_of_the_users_lines() {
    let account = account(YAML);
    let place = |origin: &crate::account::Origin| origin.to_string();
    assert_eq!(place(&account.groups[0].origin), "Web (stack.yaml:41:3)");
    assert_eq!(place(&account.groups[0].ingress[0].origin), "Web (stack.yaml:47:11)");
    assert_eq!(place(&account.groups[0].ingress[1].origin), "Web (stack.yaml:54:13)");
    assert_eq!(place(&account.groups[1].ingress[0].origin), "Db (stack.yaml:66:9)");
    assert_eq!(place(&account.groups[1].ingress[1].origin), "Peers (stack.yaml:72:3)");
}

#[test]
fn its_twin_in_json_is_the_same_account() {
    let twin = tried("stack.json", JSON).expect("a template");
    assert_eq!(without_places(&twin), without_places(&account(YAML)));
}

#[test]
fn secrets_are_not_read() {
    let own = |words: &str| YAML.replace("!Sub 'web of ${Env}, ${!not}'", words);
    let description = |words: &str| account(&own(words)).groups[0].description.clone();
    assert_eq!(description("!Sub 'web of ${Office}'").as_deref(), Some("web of 198.51.100.7/32"));
    assert_eq!(description("!Sub 'web of ${Password}'"), None);
    assert_eq!(description("!Ref Password"), None);
    assert!(!format!("{:?}", account(&own("!Ref Password"))).contains("hush"));
}

#[test]
fn everything_is_let_out_over_ipv6_where_the_vpc_may_have_it() {
    let bare = "  Out: {Type: AWS::EC2::SecurityGroup, Properties: {GroupDescription: d, VpcId: !Ref Vpc}}\n";
    let six =
        "  Six: {Type: AWS::EC2::VPCCidrBlock, Properties: {VpcId: !Ref Vpc, AmazonProvidedIpv6CidrBlock: true}}\n";
    let of = |text: &str| rules(&with(text)).into_iter().filter(|rule| rule.starts_with("Out")).collect::<Vec<_>>();
    assert_eq!(of(bare), ["Out > all 0.0.0.0/0"]);
    assert_eq!(of(&(bare.to_owned() + six)), ["Out > all 0.0.0.0/0", "Out > all ::/0"]);
    let elsewhere = bare.replace("!Ref Vpc", "vpc-0abc");
    assert_eq!(of(&elsewhere), ["Out > all 0.0.0.0/0", "Out > all ::/0"]);
}

#[test]
fn a_rule_without_a_source_and_one_of_another_account_add_nothing() {
    let account = with("
  None: {Type: AWS::EC2::SecurityGroupIngress, Properties: {GroupId: !Ref App, IpProtocol: tcp, FromPort: 1, ToPort: 1}}
  Foreign: {Type: AWS::EC2::SecurityGroupIngress, Properties: {GroupId: !Ref App, IpProtocol: '-1', SourceSecurityGroupId: sg-1, SourceSecurityGroupOwnerId: '111122223333'}}
  Own: {Type: AWS::EC2::SecurityGroupIngress, Properties: {GroupId: !Ref App, IpProtocol: '-1', SourceSecurityGroupName: !Ref App, SourceSecurityGroupOwnerId: !Ref 'AWS::AccountId'}}
");
    assert_eq!(rules(&account), ["App < all App", "App > all 127.0.0.1/32"]);
    assert_eq!(reasons(&account), ["None: no part in who reaches whom", "Foreign: of another account"]);
}

#[test]
fn holders_of_every_kind_are_members() {
    let account = with("
  Subnet: {Type: AWS::EC2::Subnet, Properties: {VpcId: !Ref Vpc, CidrBlock: 10.0.1.0/24}}
  Alb: {Type: AWS::ElasticLoadBalancingV2::LoadBalancer, Properties: {SecurityGroups: [!Ref App], Subnets: [!Ref Subnet]}}
  Nlb: {Type: AWS::ElasticLoadBalancingV2::LoadBalancer, Properties: {Type: network, Subnets: [!Ref Subnet]}}
  Elb: {Type: AWS::ElasticLoadBalancing::LoadBalancer, Properties: {Scheme: internal, SecurityGroups: [!Ref App]}}
  Template: {Type: AWS::EC2::LaunchTemplate, Properties: {LaunchTemplateData: {NetworkInterfaces: [{Groups: [!Ref App], AssociatePublicIpAddress: true}]}}}
  Fleet: {Type: AWS::AutoScaling::AutoScalingGroup, Properties: {VPCZoneIdentifier: [!Ref Subnet], LaunchTemplate: {LaunchTemplateId: !Ref Template, Version: '1'}}}
  Task: {Type: AWS::ECS::Service, Properties: {NetworkConfiguration: {AwsvpcConfiguration: {AssignPublicIp: ENABLED, SecurityGroups: [!Ref App], Subnets: [!Ref Subnet]}}}}
  Job: {Type: AWS::Lambda::Function, Properties: {VpcConfig: {SecurityGroupIds: [!Ref App], SubnetIds: [!Ref Subnet]}}}
  Free: {Type: AWS::Lambda::Function, Properties: {Handler: x}}
  Cache: {Type: AWS::ElastiCache::ReplicationGroup, Properties: {SecurityGroupIds: [!Ref App]}}
  Cluster: {Type: AWS::RDS::DBCluster, Properties: {VpcSecurityGroupIds: [!Ref App]}}
  Part: {Type: AWS::RDS::DBInstance, Properties: {DBClusterIdentifier: !Ref Cluster}}
  Bare: {Type: AWS::EC2::Instance, Properties: {SubnetId: !Ref Subnet}}
  Eni: {Type: AWS::EC2::NetworkInterface, Properties: {SubnetId: !Ref Subnet, GroupSet: [!Ref App]}}
  Join: {Type: AWS::EC2::NetworkInterfaceAttachment, Properties: {InstanceId: !Ref Bare, NetworkInterfaceId: !Ref Eni, DeviceIndex: '1'}}
  Address: {Type: AWS::EC2::EIP, Properties: {InstanceId: !Ref Bare}}
");
    assert_eq!(
        members(&account),
        [
            "Bare.eth1: App",
            "Alb: App",
            "Nlb: ?a network load balancer without groups filters nothing",
            "Elb: App",
            "Fleet: App",
            "Task: App",
            "Job: App",
            "Cache: App",
            "Cluster: App",
            "Bare: Vpc.DefaultSecurityGroup",
        ]
    );
    let is_public = |name: &str| {
        let found = account.interfaces.values().find(|interface| interface.label == name).expect("an interface");
        matches!(found.public, Public::At(_))
    };
    let public = ["Alb", "Elb", "Fleet", "Task", "Bare", "Job"].map(is_public);
    assert_eq!(public, [true, false, true, true, true, false]);
    assert_eq!(account.groups.len(), 2, "the default group, since something is in it");
}

#[test]
fn two_templates_with_the_same_names_are_two_stacks() {
    let text = |name: &str| crate::import::Text { name: name.into(), text: std::sync::Arc::from(YAML) };
    let account = crate::import::read(&[text("a/one.yaml"), text("a/two.yaml")], None).expect("templates");
    let ids: Vec<&str> = account.groups.keys().map(crate::account::ResourceId::as_str).collect();
    assert_eq!(ids, ["Web", "Db", "two.Web", "two.Db"]);
    assert_eq!(rules(&account)[9], "two.Db < tcp 5432 two.Web");
}
