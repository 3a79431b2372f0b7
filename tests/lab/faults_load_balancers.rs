//! A fault at every step of what concerns a load balancer and its targets: nobody notices but the one who asked.

use sglab::model::Era;

use crate::faults_operations::whole_or_not_at_all;

const VPC: &str = "sglab: 1
era: vpc
hosts: {office: 203.0.113.10}
groups:
  ELB: [tcp 80 from anywhere]
  WEB: [tcp 80 from ELB, tcp 4000-4009 from office]
  DB: [tcp 4000-4009 from WEB]
instances: {web1: {groups: [WEB]}, web2: {groups: [WEB]}, web3: {groups: [WEB]}, db1: {groups: [DB]}}
load-balancers:
  lb: {groups: ELB, listeners: [tcp 80], targets: [web1, web3], health-check: {interval: 0.05, healthy: 2, unhealthy: 2}}
scenario:
- step: as launched
  expect: {open: ['office -> lb:80']}
- step: all that is done
  do:
  OPERATIONS
  expect: {open: ['office -> lb:80']}
";

const CLASSIC: &str = "sglab: 1
era: classic
hosts: {office: 203.0.113.10}
groups:
  WEB: [tcp 80 from amazon-elb/amazon-elb-sg, tcp 4000-4009 from office]
  DB: [tcp 4000-4009 from WEB]
instances: {web1: {groups: [WEB]}, web2: {groups: [WEB]}, web3: {groups: [WEB]}, db1: {groups: [DB]}}
load-balancers:
  lb: {listeners: [tcp 80], targets: [web1, web3], health-check: {interval: 0.05, healthy: 2, unhealthy: 2}}
scenario:
- step: as launched
  expect: {open: ['office -> lb:80']}
- step: all that is done
  do:
  OPERATIONS
  expect: {open: ['office -> lb:80']}
";

#[sglab::test]
async fn targets_of_a_vpc_are_registered_and_come_and_go_whole_or_not_at_all() {
    let operations = "
    - register-instances: {lb: web2}
    - stop: web3
    - start: web3
    - deregister-instances: {lb: web2}
    - terminate: web3";
    whole_or_not_at_all(VPC, operations, Era::Vpc).await;
}

#[sglab::test]
async fn targets_of_classic_are_registered_and_come_and_go_whole_or_not_at_all() {
    let operations = "
    - stop: web3
    - start: web3
    - deregister-instances: {lb: web3}
    - register-instances: {lb: [web2, web3]}
    - terminate: web3";
    whole_or_not_at_all(CLASSIC, operations, Era::Classic).await;
}
