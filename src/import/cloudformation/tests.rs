//! Templates read into accounts.

mod shop;
mod unknown;

use std::sync::Arc;

use crate::account::Account;
use crate::import::{Faults, Text, read};

fn tried(name: &str, text: &str) -> Result<Account, Faults> {
    read(&[Text { name: name.into(), text: Arc::from(text) }], None)
}

/// Reads a template, which must have no mistake.
fn account(text: &str) -> Account {
    tried("stack.yaml", text).unwrap_or_else(|faults| panic!("{faults}"))
}

/// Reads some resources beside a VPC, two groups and what others refer to.
fn with(resources: &str) -> Account {
    account(&(BASE.to_owned() + resources))
}

const BASE: &str = "\
Parameters:
  Given: {Type: AWS::EC2::SecurityGroup::Id}
  Wanted: {Type: String}
  Looked: {Type: 'AWS::SSM::Parameter::Value<String>', Default: /shop/block}
  Secret: {Type: String, NoEcho: true, Default: 10.9.0.0/16}
Conditions:
  Unclear: !Equals [!Ref Wanted, 'yes']
Resources:
  Vpc: {Type: AWS::EC2::VPC, Properties: {CidrBlock: 10.0.0.0/16}}
  App: {Type: AWS::EC2::SecurityGroup, Properties: {GroupDescription: app, VpcId: !Ref Vpc, SecurityGroupEgress: [{IpProtocol: '-1', CidrIp: 127.0.0.1/32}]}}
";
