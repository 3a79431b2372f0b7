//! Sources of one's own cloud that are kept: each is read to an end, and what is read holds together.

use std::fs;

use sglab::import::{Text, read, topology_of};
use sglab::model::Era;

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
  "SecurityGroups": [{"GroupId": "sg-1", "GroupName": "web", "VpcId": "vpc-1", "Description": "web"}],
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

#[test]
fn secondary_addresses_of_every_source_are_written_into_the_topology() {
    for (name, text) in SOURCES {
        let text = Text { name: name.into(), text: text.into() };
        let account = read(&[text], None).unwrap_or_else(|faults| panic!("{name}: {faults}"));
        let written = topology_of(&account);
        let yaml = written.builder.to_yaml();
        let topology = written.topology(name, "").unwrap_or_else(|problems| panic!("{name}: {problems}\n{yaml}"));
        let cloud = topology.initial_cloud(Era::Vpc).unwrap_or_else(|refused| panic!("{name}: {refused:?}"));
        let [interface] = cloud.network_interfaces().collect::<Vec<_>>()[..] else { panic!("{name}: one of {yaml}") };
        let secondary: Vec<String> = interface.secondary.iter().map(ToString::to_string).collect();
        assert_eq!(interface.private.map(|own| own.to_string()).as_deref(), Some("10.0.1.50"), "{name}: {yaml}");
        assert_eq!(secondary, ["10.0.1.20", "10.0.1.32/28"], "{name}: {yaml}");
        let left_out: Vec<String> =
            written.left_out.iter().map(|item| format!("{}: {}", item.kind, item.reason)).collect();
        assert_eq!(
            left_out,
            ["secondary private address: not known: one that its subnet can give", "IPv6 prefix: not emulated"],
            "{name}"
        );
    }
}
