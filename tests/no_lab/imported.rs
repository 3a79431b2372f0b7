//! Sources of one's own cloud that are kept: each is read to an end, and what is read holds together.

use std::fs;

use sglab::account::LeftOut;
use sglab::import::{Text, read, topology_of};
use sglab::model::{Cloud, Era, InstanceName};

use crate::import_any::import_any;

#[test]
fn every_source_that_is_kept_is_read_and_holds_together() {
    let mut read = 0;
    for folder in ["fuzz/corpus/import", "examples/terraform"] {
        let folder = format!("{}/{folder}", env!("CARGO_MANIFEST_DIR"));
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            assert_eq!(import_any(&fs::read(&path).unwrap()), None, "{}", path.display());
            read += 1;
        }
    }
    assert!(read >= 5, "{read} sources");
}

/// One instance in a subnet with a primary address, a second one and a delegated prefix, as each kind of source has it. What cannot be had
/// stands there too: a prefix of EC2's own addresses, and one of IPv6.
const SOURCES: [(&str, &str); 3] = [
    (
        "describe.json",
        r#"{"Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16"}],
  "Subnets": [{"SubnetId": "subnet-1", "VpcId": "vpc-1", "CidrBlock": "10.0.1.0/24"}],
  "SecurityGroups": [{"GroupId": "sg-1", "GroupName": "web", "VpcId": "vpc-1", "Description": "web", "IpPermissions": [], "IpPermissionsEgress": []}],
  "Reservations": [{"Instances": [{"InstanceId": "i-1", "State": {"Name": "running"}, "NetworkInterfaces": [
    {"NetworkInterfaceId": "eni-1", "VpcId": "vpc-1", "SubnetId": "subnet-1", "Groups": [{"GroupId": "sg-1"}],
     "PrivateIpAddress": "10.0.1.50",
     "PrivateIpAddresses": [{"PrivateIpAddress": "10.0.1.20", "Primary": false}, {"PrivateIpAddress": "10.0.1.50", "Primary": true}],
     "Ipv4Prefixes": [{"Ipv4Prefix": "10.0.1.32/28"}, {"Ipv4Prefix": "10.0.1.0/28"}], "Ipv6Prefixes": [{"Ipv6Prefix": "2001:db8::/80"}]}]}]}]}"#,
    ),
    (
        "template.json",
        r#"{"Resources": {
  "Main": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16"}},
  "Front": {"Type": "AWS::EC2::Subnet", "Properties": {"VpcId": {"Ref": "Main"}, "CidrBlock": "10.0.1.0/24"}},
  "Web": {"Type": "AWS::EC2::SecurityGroup", "Properties": {"GroupDescription": "web", "VpcId": {"Ref": "Main"}}},
  "Card": {"Type": "AWS::EC2::NetworkInterface", "Properties": {"SubnetId": {"Ref": "Front"}, "GroupSet": [{"Ref": "Web"}],
    "PrivateIpAddresses": [{"Primary": true, "PrivateIpAddress": "10.0.1.50"}, {"Primary": false, "PrivateIpAddress": "10.0.1.20"}],
    "Ipv4Prefixes": [{"Ipv4Prefix": "10.0.1.32/28"}, {"Ipv4Prefix": "10.0.1.0/28"}], "Ipv6Prefixes": [{"Ipv6Prefix": "2001:db8::/80"}]}},
  "Box": {"Type": "AWS::EC2::Instance", "Properties": {"NetworkInterfaces": [{"DeviceIndex": "0", "NetworkInterfaceId": {"Ref": "Card"}}]}}}}"#,
    ),
    (
        "state.json",
        r#"{"format_version": "1.0", "terraform_version": "1.9.0", "values": {"root_module": {"resources": [
  {"address": "aws_vpc.main", "mode": "managed", "type": "aws_vpc", "name": "main", "values": {"id": "vpc-1", "cidr_block": "10.0.0.0/16"}},
  {"address": "aws_subnet.a", "mode": "managed", "type": "aws_subnet", "name": "a",
   "values": {"id": "subnet-1", "vpc_id": "vpc-1", "cidr_block": "10.0.1.0/24"}},
  {"address": "aws_security_group.web", "mode": "managed", "type": "aws_security_group", "name": "web",
   "values": {"id": "sg-1", "name": "web", "vpc_id": "vpc-1", "ingress": [], "egress": []}},
  {"address": "aws_network_interface.card", "mode": "managed", "type": "aws_network_interface", "name": "card",
   "values": {"id": "eni-1", "subnet_id": "subnet-1", "security_groups": ["sg-1"], "private_ip": "10.0.1.50",
     "private_ips": ["10.0.1.20", "10.0.1.50"], "ipv4_prefixes": ["10.0.1.32/28", "10.0.1.0/28"], "ipv6_prefixes": ["2001:db8::/80"],
     "attachment": [{"instance": "i-1", "device_index": 0}]}},
  {"address": "aws_instance.box", "mode": "managed", "type": "aws_instance", "name": "box",
   "values": {"id": "i-1", "subnet_id": "subnet-1", "vpc_security_group_ids": ["sg-1"], "private_ip": "10.0.1.50",
     "secondary_private_ips": ["10.0.1.20"], "primary_network_interface_id": "eni-1"}}]}}}"#,
    ),
];

/// The cloud of the topology that is written of a source, that topology, and what it leaves out.
fn launched(name: &str, text: &str) -> (Cloud, String, Vec<LeftOut>) {
    let text = Text { name: name.into(), text: text.into() };
    let account = read(&[text], None).unwrap_or_else(|faults| panic!("{name}: {faults}"));
    let written = topology_of(&account);
    let yaml = written.builder.to_yaml();
    let left_out = written.left_out.clone();
    let topology = written.topology(name, "").unwrap_or_else(|problems| panic!("{name}: {problems}\n{yaml}"));
    let cloud = topology.initial_cloud(Era::Vpc).unwrap_or_else(|refused| panic!("{name}: {refused:?}"));
    (cloud, yaml, left_out)
}

#[test]
fn secondary_addresses_of_every_source_are_written_into_the_topology() {
    for (name, text) in SOURCES {
        let (cloud, yaml, left_out) = launched(name, text);
        let [interface] = cloud.network_interfaces().collect::<Vec<_>>()[..] else { panic!("{name}: one of {yaml}") };
        let secondary: Vec<String> = interface.secondary.iter().map(ToString::to_string).collect();
        assert_eq!(interface.private.map(|own| own.to_string()).as_deref(), Some("10.0.1.50"), "{name}: {yaml}");
        assert_eq!(secondary, ["10.0.1.20", "10.0.1.32/28"], "{name}: {yaml}");
        let left_out: Vec<String> = left_out.iter().map(|item| format!("{}: {}", item.kind, item.reason)).collect();
        assert_eq!(
            left_out,
            [
                "IPv6 prefix: not known: one that its subnet can give",
                "secondary private address: not known: one that its subnet can give"
            ],
            "{name}"
        );
    }
}

/// A VPC with IPv6, a subnet with a block and one without. In the first an instance with several addresses and a prefix, and one with none; in
/// the other one that has none. Each kind of source tells as much as it can: what is planned has no addresses yet.
const DUAL: [(&str, &str); 4] = [
    (
        "describe.json",
        r#"{"Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16",
    "Ipv6CidrBlockAssociationSet": [{"Ipv6CidrBlock": "2600:1f18:12:3400::/56", "Ipv6CidrBlockState": {"State": "associated"}}]}],
  "Subnets": [
    {"SubnetId": "subnet-1", "VpcId": "vpc-1", "CidrBlock": "10.0.1.0/24", "AssignIpv6AddressOnCreation": true,
     "Ipv6CidrBlockAssociationSet": [{"Ipv6CidrBlock": "2600:1f18:12:3407::/64", "Ipv6CidrBlockState": {"State": "associated"}}]},
    {"SubnetId": "subnet-2", "VpcId": "vpc-1", "CidrBlock": "10.0.2.0/24", "Ipv6CidrBlockAssociationSet": [
     {"Ipv6CidrBlock": "2600:1f18:12:3408::/64", "Ipv6CidrBlockState": {"State": "disassociated"}}]}],
  "SecurityGroups": [{"GroupId": "sg-1", "GroupName": "web", "VpcId": "vpc-1", "Description": "web", "IpPermissions": [], "IpPermissionsEgress": []}],
  "Reservations": [{"Instances": [
    {"InstanceId": "i-1", "Tags": [{"Key": "Name", "Value": "several"}], "State": {"Name": "running"}, "NetworkInterfaces": [
     {"NetworkInterfaceId": "eni-1", "VpcId": "vpc-1", "SubnetId": "subnet-1", "Groups": [{"GroupId": "sg-1"}], "PrivateIpAddress": "10.0.1.50",
      "Ipv6Addresses": [{"Ipv6Address": "2600:1f18:12:3407:a::1"}, {"Ipv6Address": "2600:1f18:12:3407:a::2"}],
      "Ipv6Prefixes": [{"Ipv6Prefix": "2600:1f18:12:3407:b::/80"}]}]},
    {"InstanceId": "i-2", "Tags": [{"Key": "Name", "Value": "without"}], "State": {"Name": "running"}, "NetworkInterfaces": [
     {"NetworkInterfaceId": "eni-2", "VpcId": "vpc-1", "SubnetId": "subnet-1", "Groups": [{"GroupId": "sg-1"}], "PrivateIpAddress": "10.0.1.51",
      "Ipv6Addresses": []}]},
    {"InstanceId": "i-3", "Tags": [{"Key": "Name", "Value": "bare"}], "State": {"Name": "running"}, "NetworkInterfaces": [
     {"NetworkInterfaceId": "eni-3", "VpcId": "vpc-1", "SubnetId": "subnet-2", "Groups": [{"GroupId": "sg-1"}], "PrivateIpAddress": "10.0.2.50"}]}]}]}"#,
    ),
    (
        "template.json",
        r#"{"Resources": {
  "Main": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16"}},
  "Block": {"Type": "AWS::EC2::VPCCidrBlock", "Properties": {"VpcId": {"Ref": "Main"}, "AmazonProvidedIpv6CidrBlock": true}},
  "Front": {"Type": "AWS::EC2::Subnet", "Properties": {"VpcId": {"Ref": "Main"}, "CidrBlock": "10.0.1.0/24",
    "Ipv6CidrBlock": {"Fn::Select": [0, {"Fn::Cidr": [{"Fn::Select": [0, {"Fn::GetAtt": ["Main", "Ipv6CidrBlocks"]}]}, 256, 64]}]}}},
  "Back": {"Type": "AWS::EC2::Subnet", "Properties": {"VpcId": {"Ref": "Main"}, "CidrBlock": "10.0.2.0/24"}},
  "Web": {"Type": "AWS::EC2::SecurityGroup", "Properties": {"GroupDescription": "web", "VpcId": {"Ref": "Main"}}},
  "several": {"Type": "AWS::EC2::Instance", "Properties": {"SubnetId": {"Ref": "Front"}, "SecurityGroupIds": [{"Ref": "Web"}], "Ipv6AddressCount": 2}},
  "without": {"Type": "AWS::EC2::Instance", "Properties": {"SubnetId": {"Ref": "Front"}, "SecurityGroupIds": [{"Ref": "Web"}]}},
  "bare": {"Type": "AWS::EC2::Instance", "Properties": {"SubnetId": {"Ref": "Back"}, "SecurityGroupIds": [{"Ref": "Web"}]}}}}"#,
    ),
    (
        "state.json",
        r#"{"format_version": "1.0", "terraform_version": "1.9.0", "values": {"root_module": {"resources": [
  {"address": "aws_vpc.main", "mode": "managed", "type": "aws_vpc", "name": "main",
   "values": {"id": "vpc-1", "cidr_block": "10.0.0.0/16", "ipv6_cidr_block": "2600:1f18:12:3400::/56"}},
  {"address": "aws_subnet.a", "mode": "managed", "type": "aws_subnet", "name": "a", "values": {"id": "subnet-1", "vpc_id": "vpc-1",
    "cidr_block": "10.0.1.0/24", "ipv6_cidr_block": "2600:1f18:12:3407::/64", "assign_ipv6_address_on_creation": true}},
  {"address": "aws_subnet.b", "mode": "managed", "type": "aws_subnet", "name": "b", "values": {"id": "subnet-2", "vpc_id": "vpc-1",
    "cidr_block": "10.0.2.0/24", "ipv6_cidr_block": "", "assign_ipv6_address_on_creation": false}},
  {"address": "aws_security_group.web", "mode": "managed", "type": "aws_security_group", "name": "web",
   "values": {"id": "sg-1", "name": "web", "vpc_id": "vpc-1", "ingress": [], "egress": []}},
  {"address": "aws_instance.several", "mode": "managed", "type": "aws_instance", "name": "several", "values": {"id": "i-1", "subnet_id": "subnet-1",
    "vpc_security_group_ids": ["sg-1"], "private_ip": "10.0.1.50", "ipv6_address_count": 2,
    "ipv6_addresses": ["2600:1f18:12:3407:a::1", "2600:1f18:12:3407:a::2"]}},
  {"address": "aws_instance.without", "mode": "managed", "type": "aws_instance", "name": "without", "values": {"id": "i-2", "subnet_id": "subnet-1",
    "vpc_security_group_ids": ["sg-1"], "private_ip": "10.0.1.51", "ipv6_address_count": 0, "ipv6_addresses": []}},
  {"address": "aws_instance.bare", "mode": "managed", "type": "aws_instance", "name": "bare", "values": {"id": "i-3", "subnet_id": "subnet-2",
    "vpc_security_group_ids": ["sg-1"], "private_ip": "10.0.2.50", "ipv6_address_count": 0, "ipv6_addresses": []}}]}}}"#,
    ),
    (
        "plan.json",
        r#"{"format_version": "1.2", "terraform_version": "1.9.0", "planned_values": {"root_module": {"resources": [
  {"address": "aws_vpc.main", "mode": "managed", "type": "aws_vpc", "name": "main", "values": {"cidr_block": "10.0.0.0/16", "assign_generated_ipv6_cidr_block": true}},
  {"address": "aws_subnet.a", "mode": "managed", "type": "aws_subnet", "name": "a", "values": {"cidr_block": "10.0.1.0/24", "assign_ipv6_address_on_creation": false}},
  {"address": "aws_subnet.b", "mode": "managed", "type": "aws_subnet", "name": "b", "values": {"cidr_block": "10.0.2.0/24", "assign_ipv6_address_on_creation": false}},
  {"address": "aws_security_group.web", "mode": "managed", "type": "aws_security_group", "name": "web", "values": {"name": "web"}},
  {"address": "aws_instance.several", "mode": "managed", "type": "aws_instance", "name": "several", "values": {"ipv6_address_count": 2}},
  {"address": "aws_instance.without", "mode": "managed", "type": "aws_instance", "name": "without", "values": {}},
  {"address": "aws_instance.bare", "mode": "managed", "type": "aws_instance", "name": "bare", "values": {}}]}},
 "resource_changes": [
  {"address": "aws_vpc.main", "mode": "managed", "type": "aws_vpc", "name": "main", "change": {"actions": ["create"], "before": null,
   "after": {"cidr_block": "10.0.0.0/16", "assign_generated_ipv6_cidr_block": true}, "after_unknown": {"id": true, "ipv6_cidr_block": true}}},
  {"address": "aws_subnet.a", "mode": "managed", "type": "aws_subnet", "name": "a", "change": {"actions": ["create"], "before": null,
   "after": {"cidr_block": "10.0.1.0/24", "assign_ipv6_address_on_creation": false}, "after_unknown": {"id": true, "vpc_id": true, "ipv6_cidr_block": true}}},
  {"address": "aws_subnet.b", "mode": "managed", "type": "aws_subnet", "name": "b", "change": {"actions": ["create"], "before": null,
   "after": {"cidr_block": "10.0.2.0/24", "assign_ipv6_address_on_creation": false}, "after_unknown": {"id": true, "vpc_id": true}}},
  {"address": "aws_security_group.web", "mode": "managed", "type": "aws_security_group", "name": "web", "change": {"actions": ["create"], "before": null,
   "after": {"name": "web"}, "after_unknown": {"id": true, "vpc_id": true}}},
  {"address": "aws_instance.several", "mode": "managed", "type": "aws_instance", "name": "several", "change": {"actions": ["create"], "before": null,
   "after": {"ipv6_address_count": 2}, "after_unknown": {"id": true, "subnet_id": true, "vpc_security_group_ids": true, "ipv6_addresses": true}}},
  {"address": "aws_instance.without", "mode": "managed", "type": "aws_instance", "name": "without", "change": {"actions": ["create"], "before": null,
   "after": {}, "after_unknown": {"id": true, "subnet_id": true, "vpc_security_group_ids": true, "ipv6_addresses": true, "ipv6_address_count": true}}},
  {"address": "aws_instance.bare", "mode": "managed", "type": "aws_instance", "name": "bare", "change": {"actions": ["create"], "before": null,
   "after": {}, "after_unknown": {"id": true, "subnet_id": true, "vpc_security_group_ids": true, "ipv6_addresses": true, "ipv6_address_count": true}}}],
 "configuration": {"root_module": {"resources": [
  {"address": "aws_vpc.main", "mode": "managed", "type": "aws_vpc", "name": "main", "expressions": {"cidr_block": {"constant_value": "10.0.0.0/16"}, "assign_generated_ipv6_cidr_block": {"constant_value": true}}},
  {"address": "aws_subnet.a", "mode": "managed", "type": "aws_subnet", "name": "a", "expressions": {"vpc_id": {"references": ["aws_vpc.main.id", "aws_vpc.main"]}, "cidr_block": {"constant_value": "10.0.1.0/24"},
   "ipv6_cidr_block": {"references": ["aws_vpc.main.ipv6_cidr_block", "aws_vpc.main"]}}},
  {"address": "aws_subnet.b", "mode": "managed", "type": "aws_subnet", "name": "b", "expressions": {"vpc_id": {"references": ["aws_vpc.main.id", "aws_vpc.main"]}, "cidr_block": {"constant_value": "10.0.2.0/24"}}},
  {"address": "aws_security_group.web", "mode": "managed", "type": "aws_security_group", "name": "web", "expressions": {"vpc_id": {"references": ["aws_vpc.main.id", "aws_vpc.main"]}, "name": {"constant_value": "web"}}},
  {"address": "aws_instance.several", "mode": "managed", "type": "aws_instance", "name": "several", "expressions": {"subnet_id": {"references": ["aws_subnet.a.id", "aws_subnet.a"]}, "ipv6_address_count": {"constant_value": 2},
   "vpc_security_group_ids": {"references": ["aws_security_group.web.id", "aws_security_group.web"]}}},
  {"address": "aws_instance.without", "mode": "managed", "type": "aws_instance", "name": "without", "expressions": {"subnet_id": {"references": ["aws_subnet.a.id", "aws_subnet.a"]},
   "vpc_security_group_ids": {"references": ["aws_security_group.web.id", "aws_security_group.web"]}}},
  {"address": "aws_instance.bare", "mode": "managed", "type": "aws_instance", "name": "bare", "expressions": {"subnet_id": {"references": ["aws_subnet.b.id", "aws_subnet.b"]},
   "vpc_security_group_ids": {"references": ["aws_security_group.web.id", "aws_security_group.web"]}}}]}}}"#,
    ),
];

#[test]
fn only_those_have_ipv6_that_have_it_in_the_source() {
    for (name, text) in DUAL {
        let (cloud, yaml, left_out) = launched(name, text);
        let held = |instance: &str| {
            let first = &cloud.instances[&InstanceName::new(instance)].interfaces[0];
            first.ipv6_blocks().map(|block| block.to_string()).collect::<Vec<_>>()
        };
        let real = ["2600:1f18:12:3407:a::1/128", "2600:1f18:12:3407:a::2/128", "2600:1f18:12:3407:b::/80"];
        match name {
            "describe.json" => assert_eq!(held("several"), real, "{yaml}"),
            "state.json" => assert_eq!(held("several"), real[..2], "{yaml}"),
            _ => assert_eq!(held("several").len(), 1, "{name}: {yaml}"),
        }
        assert_eq!((held("without"), held("bare")), (Vec::new(), Vec::new()), "{name}: {yaml}");
        let subnets: Vec<bool> =
            cloud.vpcs[0].subnets.keys().map(|subnet| cloud.vpcs[0].ipv6_subnet(subnet).is_some()).collect();
        assert_eq!(subnets, [true, false], "{name}: {yaml}");
        let left_out: Vec<&str> = left_out.iter().map(|item| item.kind.as_str()).collect();
        let expected: &[&str] = if held("several").len() > 1 { &[] } else { &["further IPv6 address"] };
        assert_eq!(left_out, expected, "{name}");
    }
}
