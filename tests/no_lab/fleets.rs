//! Instances of one Auto Scaling group stand for each other: that it ends and launches them is no change of who reaches whom.

use serde_json::{Value, json};

use sglab::account::Account;
use sglab::import::{Text, read};
use sglab::reach::{Difference, compare};

fn account(source: &Value) -> Account {
    let text = Text { name: "source.json".into(), text: source.to_string().into() };
    read(&[text], None).unwrap_or_else(|faults| panic!("{faults}"))
}

/// Tests whether instances tell the Auto Scaling group that launched them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tagged {
    Yes,
    No,
}

fn instance(id: u8, name: &str, groups: &[&str], tagged: Tagged) -> Value {
    let mut tags = vec![json!({"Key": "Name", "Value": name})];
    if tagged == Tagged::Yes {
        tags.push(json!({"Key": "aws:autoscaling:groupName", "Value": "web-fleet"}));
    }
    let groups: Vec<Value> = groups.iter().map(|group| json!({"GroupId": format!("sg-{group}")})).collect();
    json!({"InstanceId": format!("i-{id}"), "VpcId": "vpc-1", "SubnetId": "subnet-1", "Tags": tags,
        "NetworkInterfaces": [{"NetworkInterfaceId": format!("eni-{id}"), "VpcId": "vpc-1", "SubnetId": "subnet-1",
            "PrivateIpAddress": format!("10.0.1.{id}"), "Attachment": {"DeviceIndex": 0}, "Groups": groups}]})
}

fn dump(instances: &[Value]) -> Account {
    let everything = json!([{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]);
    let group = |name: &str, rule: Value| {
        json!({"GroupId": format!("sg-{name}"), "GroupName": name, "VpcId": "vpc-1", "IpPermissions": [rule],
            "IpPermissionsEgress": everything})
    };
    account(&json!({
        "Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16"}],
        "Subnets": [{"SubnetId": "subnet-1", "VpcId": "vpc-1", "CidrBlock": "10.0.1.0/24"}],
        "SecurityGroups": [
            group("web", json!({"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]})),
            group("db", json!({"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "UserIdGroupPairs": [{"GroupId": "sg-web"}]})),
        ],
        "Reservations": [{"Instances": instances}],
    }))
}

fn fleet(ids: &[u8], tagged: Tagged) -> Account {
    let web = ids.iter().map(|id| instance(*id, "web", &["web"], tagged));
    dump(&web.chain([instance(9, "db", &["db"], Tagged::No)]).collect::<Vec<_>>())
}

/// A plan of the same cloud, which calls the fleet otherwise; its name is known or not.
fn plan(name: Option<&str>) -> Account {
    let resource = |kind: &str, name: &str, values: Value| json!({"address": format!("{kind}.{name}"), "mode": "managed", "type": kind, "name": name, "values": values});
    let everything = json!([{"protocol": "-1", "from_port": 0, "to_port": 0, "cidr_blocks": ["0.0.0.0/0"]}]);
    let group = |name: &str, rule: Value| {
        let values = json!({"id": format!("sg-{name}"), "name": name, "vpc_id": "vpc-1", "ingress": [rule], "egress": everything});
        resource("aws_security_group", name, values)
    };
    account(
        &json!({"format_version": "1.2", "configuration": {"root_module": {}}, "planned_values": {"root_module": {"resources": [
            resource("aws_vpc", "main", json!({"id": "vpc-1", "cidr_block": "10.0.0.0/16"})),
            resource("aws_subnet", "a", json!({"id": "subnet-1", "vpc_id": "vpc-1", "cidr_block": "10.0.1.0/24"})),
            group("web", json!({"protocol": "tcp", "from_port": 443, "to_port": 443, "cidr_blocks": ["0.0.0.0/0"]})),
            group("db", json!({"protocol": "tcp", "from_port": 5432, "to_port": 5432, "security_groups": ["sg-web"]})),
            resource("aws_launch_template", "web", json!({"id": "lt-1", "vpc_security_group_ids": ["sg-web"]})),
            resource("aws_autoscaling_group", "frontend", json!({"name": name, "vpc_zone_identifier": ["subnet-1"],
                "launch_template": [{"id": "lt-1"}], "tag": [{"key": "Name", "value": "web", "propagate_at_launch": true}]})),
            resource("aws_instance", "database", json!({"id": "i-9", "primary_network_interface_id": "eni-9", "subnet_id": "subnet-1", "private_ip": "10.0.1.9",
                "vpc_security_group_ids": ["sg-db"]})),
        ]}}}),
    )
}

fn told(difference: &Difference) -> Vec<String> {
    let passages = [('+', &difference.opened), ('-', &difference.closed)];
    let passages =
        passages.iter().flat_map(|(sign, all)| all.iter().map(move |passage| format!("{sign} {}", passage.flow())));
    let members = [('+', &difference.members_added), ('-', &difference.members_removed)];
    let members = members
        .iter()
        .flat_map(|(sign, all)| all.iter().map(move |change| format!("{sign} {} in {}", change.member, change.group)));
    passages.chain(members).collect()
}

#[test]
fn a_fleet_that_was_replaced_or_scaled_reaches_what_it_reached() {
    for tagged in [Tagged::Yes, Tagged::No] {
        let before = fleet(&[11, 12], tagged);
        for ids in [&[13, 14][..], &[12, 13], &[13, 14, 15], &[13], &[11, 12, 13]] {
            let after = fleet(ids, tagged);
            assert_eq!(told(&compare(&before, &after)), [""; 0], "{ids:?}");
            assert_eq!(told(&compare(&after, &before)), [""; 0], "{ids:?}");
        }
    }
}

#[test]
fn a_plan_that_calls_a_fleet_otherwise_is_the_same_cloud() {
    for name in [Some("web-fleet"), None] {
        for tagged in [Tagged::Yes, Tagged::No] {
            for ids in [&[11, 12][..], &[11], &[11, 12, 13]] {
                let dump = fleet(ids, tagged);
                assert_eq!(told(&compare(&plan(name), &dump)), [""; 0], "{ids:?}");
                assert_eq!(told(&compare(&dump, &plan(name))), [""; 0], "{ids:?}");
            }
        }
    }
}

#[test]
fn one_of_a_fleet_in_a_further_group_is_a_change() {
    let before = fleet(&[11, 12], Tagged::Yes);
    let after = dump(&[
        instance(13, "web", &["web"], Tagged::Yes),
        instance(14, "web", &["web", "db"], Tagged::Yes),
        instance(9, "db", &["db"], Tagged::No),
    ]);
    let difference = told(&compare(&before, &after));
    assert!(difference.contains(&"+ web -> db:5432".to_owned()), "{difference:?}");
    assert!(difference.contains(&"+ web in db".to_owned()), "{difference:?}");
    assert!(!difference.iter().any(|change| change.starts_with('-')), "{difference:?}");
}

#[test]
fn an_instance_of_another_name_is_no_twin() {
    let before = fleet(&[11, 12], Tagged::No);
    let after = dump(&[
        instance(13, "web", &["web"], Tagged::No),
        instance(14, "other", &["web"], Tagged::No),
        instance(9, "db", &["db"], Tagged::No),
    ]);
    let difference = told(&compare(&before, &after));
    assert!(difference.contains(&"+ other in web".to_owned()), "{difference:?}");
}

#[test]
fn a_fleet_of_a_stack_is_found_again_by_the_logical_id_that_its_instances_have() {
    let template = "
Resources:
  Web:
    Type: AWS::EC2::SecurityGroup
    Properties:
      GroupDescription: x
      SecurityGroupIngress: [{IpProtocol: tcp, FromPort: 443, ToPort: 443, CidrIp: 0.0.0.0/0}]
      SecurityGroupEgress: [{IpProtocol: '-1', CidrIp: 0.0.0.0/0}]
  Launch: {Type: AWS::EC2::LaunchTemplate, Properties: {LaunchTemplateData: {SecurityGroupIds: [!GetAtt Web.GroupId]}}}
  Fleet: {Type: AWS::AutoScaling::AutoScalingGroup, Properties: {LaunchTemplate: {LaunchTemplateId: !Ref Launch, Version: '1'}, VPCZoneIdentifier: [subnet-1]}}
";
    let template = read(&[Text { name: "shop.yaml".into(), text: template.into() }], None).unwrap();
    let logical = |id: &str| json!({"Key": "aws:cloudformation:logical-id", "Value": id});
    let launched = |id: u8| {
        let mut instance = instance(id, "", &["web"], Tagged::Yes);
        instance["Tags"].as_array_mut().unwrap().push(logical("Fleet"));
        instance
    };
    for ids in [&[11][..], &[11, 12]] {
        let everything = json!([{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]);
        let rule =
            json!([{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]);
        let dump = account(&json!({
            "SecurityGroups": [{"GroupId": "sg-web", "GroupName": "shop-Web-1ABC", "Tags": [logical("Web")],
                "IpPermissions": rule, "IpPermissionsEgress": everything}],
            "Reservations": [{"Instances": ids.iter().map(|id| launched(*id)).collect::<Vec<_>>()}],
        }));
        for difference in [compare(&template, &dump), compare(&dump, &template)] {
            let lists = (&difference.members_added, &difference.members_removed);
            assert_eq!((lists.0.len(), lists.1.len()), (0, 0), "{ids:?}: {lists:?}");
        }
    }
}
