//! Clouds as Terraform and CloudFormation declare them: nothing counts twice, and nothing of it is lost in silence.

use serde_json::{Value, json};

use sglab::account::{Account, Known, Public};
use sglab::import::{Text, read, topology_of};
use sglab::model::Era;
use sglab::outward::{Form, write};
use sglab::reach::{Difference, compare};

use crate::cures::findings;

fn account(source: &str) -> Account {
    read(&[Text { name: "source".into(), text: source.into() }], None).unwrap_or_else(|faults| panic!("{faults}"))
}

/// A state of resources, each with its type, name and values.
fn state(resources: &[(&str, &str, Value)]) -> String {
    let one = |(kind, name, values): &(&str, &str, Value)| json!({"address": format!("{kind}.{name}"), "mode": "managed", "type": kind, "name": name, "values": values});
    let all: Vec<Value> = resources.iter().map(one).collect();
    json!({"format_version": "1.0", "terraform_version": "1.9.0", "values": {"root_module": {"resources": all}}})
        .to_string()
}

fn network() -> Vec<(&'static str, &'static str, Value)> {
    vec![
        ("aws_vpc", "main", json!({"id": "vpc-1", "cidr_block": "10.0.0.0/16"})),
        ("aws_subnet", "a", json!({"id": "subnet-1", "vpc_id": "vpc-1", "cidr_block": "10.0.1.0/24"})),
    ]
}

/// A group of a state, with these rules for ingress and one for everything for egress.
fn group(name: &'static str, ingress: &Value) -> (&'static str, &'static str, Value) {
    let everything = json!([{"protocol": "-1", "from_port": 0, "to_port": 0, "cidr_blocks": ["0.0.0.0/0"]}]);
    let values = json!({"id": format!("sg-{name}"), "name": name, "description": name, "vpc_id": "vpc-1", "ingress": ingress, "egress": everything});
    ("aws_security_group", name, values)
}

#[test]
fn a_rule_that_a_refreshed_state_has_in_its_group_and_by_itself_is_one() {
    let computed = json!([
        {"protocol": "tcp", "from_port": 443, "to_port": 443, "cidr_blocks": ["198.51.100.0/24"], "description": ""},
        {"protocol": "tcp", "from_port": 22, "to_port": 22, "security_groups": ["sg-admin"], "description": "of old"},
    ]);
    let mut resources = network();
    resources.extend([
        group("web", &computed),
        group("admin", &json!([])),
        (
            "aws_security_group_rule",
            "https",
            json!({"security_group_id": "sg-web", "type": "ingress", "protocol": "tcp", "from_port": 443, "to_port": 443,
                "cidr_blocks": ["198.51.100.0/24"], "description": "customers"}),
        ),
        (
            "aws_vpc_security_group_ingress_rule",
            "ssh",
            json!({"security_group_id": "sg-web", "ip_protocol": "tcp", "from_port": 22, "to_port": 22,
                "referenced_security_group_id": "sg-admin"}),
        ),
    ]);
    let source = state(&resources);
    let account = account(&source);
    let rules: Vec<(&str, Option<&str>)> =
        account.groups[0].ingress.iter().map(|it| (it.origin.resource.as_str(), it.description.as_deref())).collect();
    assert_eq!(
        rules,
        [
            ("aws_security_group_rule.https", Some("customers")),
            ("aws_vpc_security_group_ingress_rule.ssh", Some("of old"))
        ]
    );
    for check in ["shadowed-rule", "redundant-rule"] {
        let told: Vec<String> = findings(&source, check).into_iter().map(|finding| finding.message).collect();
        assert_eq!(told, [""; 0], "{check}");
    }
}

fn opened(difference: &Difference) -> Vec<String> {
    difference.opened.iter().map(|passage| passage.flow()).collect()
}

#[test]
fn what_may_be_several_machines_is_opened_to_itself_and_one_machine_is_not() {
    let template = ("aws_launch_template", "web", json!({"id": "lt-1", "vpc_security_group_ids": ["sg-web"]}));
    let by_template = json!([{"id": "lt-1"}]);
    let holders = [
        vec![template.clone()],
        vec![
            template.clone(),
            (
                "aws_autoscaling_group",
                "web",
                json!({"id": "web", "name": "web", "min_size": 3, "vpc_zone_identifier": ["subnet-1"], "launch_template": by_template}),
            ),
        ],
        vec![
            template,
            (
                "aws_eks_node_group",
                "web",
                json!({"id": "web", "subnet_ids": ["subnet-1"], "launch_template": by_template}),
            ),
        ],
        vec![(
            "aws_ecs_service",
            "web",
            json!({"id": "web", "network_configuration": [{"security_groups": ["sg-web"], "subnets": ["subnet-1"]}]}),
        )],
        vec![(
            "aws_lb",
            "web",
            json!({"id": "web", "load_balancer_type": "application", "security_groups": ["sg-web"], "subnets": ["subnet-1"]}),
        )],
        vec![("aws_elasticache_cluster", "web", json!({"id": "web", "security_group_ids": ["sg-web"]}))],
        vec![(
            "aws_instance",
            "web",
            json!({"id": "i-1", "subnet_id": "subnet-1", "private_ip": "10.0.1.9", "vpc_security_group_ids": ["sg-web"]}),
        )],
    ];
    let told = holders.map(|holder| {
        let [before, after] =
            [json!([]), json!([{"protocol": "tcp", "from_port": 6379, "to_port": 6379, "self": true}])].map(|rules| {
                let mut resources = network();
                resources.push(group("web", &rules));
                resources.extend(holder.clone());
                account(&state(&resources))
            });
        assert_eq!(before.interfaces.len(), 1);
        opened(&compare(&before, &after))
    });
    let passage = vec!["web -> web:6379".to_owned()];
    let several: Vec<Vec<String>> = vec![passage; 6];
    assert_eq!(told[..6], several[..]);
    assert_eq!(told[6], Vec::<String>::new(), "one instance sends to itself without a filter");
}

/// A dual-stack VPC of a template whose IPv6 block Amazon gives later; `web` lets out over IPv6 alone.
const DUAL: &str = "
Resources:
  Main: {Type: AWS::EC2::VPC, Properties: {CidrBlock: 10.0.0.0/16}}
  Block: {Type: AWS::EC2::VPCCidrBlock, Properties: {VpcId: !Ref Main, AmazonProvidedIpv6CidrBlock: true}}
  Front:
    Type: AWS::EC2::Subnet
    Properties:
      VpcId: !Ref Main
      CidrBlock: 10.0.1.0/24
      Ipv6CidrBlock: !Select [0, !Cidr [!Select [0, !GetAtt Main.Ipv6CidrBlocks], 256, 64]]
  Web:
    Type: AWS::EC2::SecurityGroup
    Properties: {GroupDescription: web, VpcId: !Ref Main, SecurityGroupEgress: [{IpProtocol: '-1', CidrIpv6: '::/0'}]}
  Db:
    Type: AWS::EC2::SecurityGroup
    Properties: {GroupDescription: db, VpcId: !Ref Main, SecurityGroupIngress: [RULES], SecurityGroupEgress: [{IpProtocol: '-1', CidrIp: 127.0.0.1/32}]}
  Web1: {Type: AWS::EC2::Instance, Properties: {SubnetId: !Ref Front, SecurityGroupIds: [!Ref Web], Ipv6AddressCount: 1}}
  Db1: {Type: AWS::EC2::Instance, Properties: {SubnetId: !Ref Front, SecurityGroupIds: [!Ref Db], Ipv6AddressCount: 1}}
";

#[test]
fn what_opens_over_ipv6_between_addresses_that_are_not_known_yet_is_told() {
    let with = |rules: &str| account(&DUAL.replace("RULES", rules));
    let rule = "{IpProtocol: tcp, FromPort: 5432, ToPort: 5432, SourceSecurityGroupId: !GetAtt Web.GroupId}";
    assert_eq!(opened(&compare(&with(""), &with(rule))), ["Web -> Db:5432"]);
    assert_eq!(opened(&compare(&with(rule), &with(rule))), [""; 0]);
}

#[test]
fn a_rule_for_a_group_is_not_carried_by_one_for_ipv4_where_members_get_ipv6() {
    let rules = "{IpProtocol: tcp, FromPort: 5432, ToPort: 5432, SourceSecurityGroupId: !GetAtt Web.GroupId}, \
                 {IpProtocol: tcp, FromPort: 5432, ToPort: 5432, CidrIp: 10.0.0.0/16}";
    let source = DUAL.replace("RULES", rules);
    assert_eq!(findings(&source, "shadowed-rule").len(), 0);
    // Without IPv6 it is.
    let ipv4: Vec<&str> = source.lines().filter(|line| !line.contains("Ipv6CidrBlock")).collect();
    let ipv4 = ipv4.join("\n").replace(", Ipv6AddressCount: 1", "");
    assert_eq!(findings(&ipv4, "shadowed-rule").len(), 1, "{ipv4}");
}

/// A firewall with a second interface that is a resource of its own, as each language says it.
fn firewalls() -> [String; 2] {
    let mut resources = network();
    resources.extend([
        group("fw", &json!([])),
        ("aws_network_interface", "inner", json!({"id": "eni-2", "subnet_id": "subnet-1", "security_groups": ["sg-fw"], "private_ip": "10.0.1.20", "private_ips": ["10.0.1.20"]})),
        ("aws_instance", "fw", json!({"id": "i-1", "primary_network_interface_id": "eni-1", "subnet_id": "subnet-1", "private_ip": "10.0.1.10", "vpc_security_group_ids": ["sg-fw"]})),
        ("aws_network_interface_attachment", "inner", json!({"instance_id": "i-1", "network_interface_id": "eni-2", "device_index": 1})),
    ]);
    let template = "
Resources:
  Main: {Type: AWS::EC2::VPC, Properties: {CidrBlock: 10.0.0.0/16}}
  Front: {Type: AWS::EC2::Subnet, Properties: {VpcId: !Ref Main, CidrBlock: 10.0.1.0/24}}
  Group: {Type: AWS::EC2::SecurityGroup, Properties: {GroupDescription: fw, VpcId: !Ref Main}}
  Inner: {Type: AWS::EC2::NetworkInterface, Properties: {SubnetId: !Ref Front, GroupSet: [!Ref Group], PrivateIpAddress: 10.0.1.20}}
  Fw: {Type: AWS::EC2::Instance, Properties: {SubnetId: !Ref Front, SecurityGroupIds: [!Ref Group], PrivateIpAddress: 10.0.1.10}}
  Joined: {Type: AWS::EC2::NetworkInterfaceAttachment, Properties: {InstanceId: !Ref Fw, NetworkInterfaceId: !Ref Inner, DeviceIndex: '1'}}
";
    [state(&resources), template.to_owned()]
}

#[test]
fn an_interface_that_is_attached_is_one_of_its_instance() {
    for source in firewalls() {
        let account = account(&source);
        let written = topology_of(&account);
        let topology = written.topology("fw.yaml", "").unwrap_or_else(|problems| panic!("{problems}"));
        let cloud = topology.initial_cloud(Era::Vpc).unwrap_or_else(|refused| panic!("{refused:?}"));
        let addresses: Vec<Vec<String>> = cloud
            .instances
            .values()
            .map(|it| it.interfaces.iter().filter_map(|it| it.private).map(|it| it.to_string()).collect())
            .collect();
        assert_eq!(addresses, [["10.0.1.10", "10.0.1.20"]], "{}", written.builder.to_yaml());
        let template = write(&account, Form::CloudFormation, "a test").text;
        assert_eq!(
            template.matches("AWS::EC2::Instance\n").count() + template.matches("AWS::EC2::Instance\"").count(),
            1,
            "{template}"
        );
    }
}

fn members(account: &Account) -> Vec<String> {
    let groups = |groups: &Known<indexmap::IndexSet<sglab::account::ResourceId>>| match groups {
        Known::Is(groups) => groups.iter().map(|id| id.as_str().to_owned()).collect::<Vec<_>>().join(" "),
        Known::Unknown(why) => format!("?{why}"),
    };
    account.interfaces.values().map(|it| format!("{}: {}", it.label, groups(&it.groups))).collect()
}

#[test]
fn what_sam_gives_all_functions_each_of_them_has() {
    let account = account(
        "
Transform: AWS::Serverless-2016-10-31
Globals: {Function: {Runtime: python3.13, VpcConfig: {SecurityGroupIds: [!Ref Shared], SubnetIds: [subnet-1]}}}
Resources:
  Shared: {Type: AWS::EC2::SecurityGroup, Properties: {GroupDescription: shared}}
  Own: {Type: AWS::EC2::SecurityGroup, Properties: {GroupDescription: own}}
  Plain: {Type: AWS::Serverless::Function, Properties: {Handler: a.b}}
  Both: {Type: AWS::Serverless::Function, Properties: {VpcConfig: {SecurityGroupIds: [!Ref Own]}}}
  Outside: {Type: AWS::Lambda::Function, Properties: {Handler: a.b}}
",
    );
    let mut told = members(&account);
    told.iter_mut().for_each(|line| {
        let (label, groups) = line.split_once(": ").unwrap();
        let mut groups: Vec<&str> = groups.split(' ').collect();
        groups.sort_unstable();
        *line = format!("{label}: {}", groups.join(" "));
    });
    assert_eq!(told, ["Plain: Shared", "Both: Own Shared"]);
}

#[test]
fn of_the_interfaces_of_a_launch_template_the_first_is_read_and_the_others_are_listed() {
    let interfaces = json!([{"device_index": 1, "security_groups": ["sg-inner"]}, {"device_index": 0, "security_groups": ["sg-outer"]}]);
    let mut resources = network();
    resources.extend([
        group("inner", &json!([])),
        group("outer", &json!([])),
        ("aws_launch_template", "fw", json!({"id": "lt-1", "network_interfaces": interfaces})),
    ]);
    let template = "
Resources:
  Inner: {Type: AWS::EC2::SecurityGroup, Properties: {GroupDescription: inner}}
  Outer: {Type: AWS::EC2::SecurityGroup, Properties: {GroupDescription: outer}}
  fw:
    Type: AWS::EC2::LaunchTemplate
    Properties:
      LaunchTemplateData:
        NetworkInterfaces: [{DeviceIndex: 1, Groups: [!Ref Inner]}, {DeviceIndex: 0, Groups: [!Ref Outer]}]
";
    for (source, outer) in [(state(&resources), "fw: sg-outer"), (template.to_owned(), "fw: Outer")] {
        let account = account(&source);
        assert_eq!(members(&account), [outer]);
        assert_eq!(account.left_out.len(), 1, "{:?}", account.left_out);
        assert!(account.left_out[0].matters());
    }
}

#[test]
fn an_aurora_cluster_is_as_public_as_its_instances() {
    for (public, expected) in [(true, Public::At(Vec::new())), (false, Public::None)] {
        let mut resources = network();
        resources.extend([
            group("db", &json!([])),
            (
                "aws_rds_cluster",
                "db",
                json!({"id": "shop", "cluster_identifier": "shop", "vpc_security_group_ids": ["sg-db"]}),
            ),
            (
                "aws_rds_cluster_instance",
                "a",
                json!({"id": "shop-a", "cluster_identifier": "shop", "publicly_accessible": false}),
            ),
            (
                "aws_rds_cluster_instance",
                "b",
                json!({"id": "shop-b", "cluster_identifier": "shop", "publicly_accessible": public}),
            ),
        ]);
        let template = format!(
            "
Resources:
  Group: {{Type: AWS::EC2::SecurityGroup, Properties: {{GroupDescription: db}}}}
  Db: {{Type: AWS::RDS::DBCluster, Properties: {{VpcSecurityGroupIds: [!Ref Group]}}}}
  A: {{Type: AWS::RDS::DBInstance, Properties: {{DBClusterIdentifier: !Ref Db, PubliclyAccessible: {public}}}}}
"
        );
        for source in [state(&resources), template] {
            let account = account(&source);
            assert_eq!(account.interfaces.len(), 1);
            assert_eq!(account.interfaces[0].public, expected, "{source}");
        }
    }
}
