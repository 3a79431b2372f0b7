//! Mistakes of templates, all at once, each with its place.

use super::{BASE, tried};

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
