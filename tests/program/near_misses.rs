//! What nearly admitted a flow, as a prediction and a report on packets say it.

use crate::program::{Program, sglab, write};

const CLOUD: &str = "sglab: 1
era: vpc
hosts: {office: 203.0.113.10}
vpcs: {main: {cidr: 10.0.0.0/16, ipv6: yes}}
groups:
  CLIENT: {egress: [all to 10.0.0.0/16, 'all to ::/0']}
  CODE: [icmp 8/8 from CLIENT]
  EMPTY: []
  MUTE: {egress: []}
  FOUR: [tcp 80 from anywhere]
instances: {client: {groups: CLIENT}, code: {groups: CODE}, empty: {groups: EMPTY}, mute: {groups: MUTE}, four: {groups: FOUR}}
scenario:
  - step: all are to be open, and none is
    expect:
      open: ['client -> code:ping', 'client -> empty:80', 'client -> office:443', 'mute -> empty:53/udp', 'client -> four:80 by ipv6 address']
";

const MISSES: [&str; 5] = [
    "no rule of CODE admits icmp echo from 10.0.0.11; CODE \"icmp 8/8 from CLIENT\" is for code 8 only, and a ping has code 0",
    "no rule of EMPTY admits tcp 80 from 10.0.0.11; EMPTY has no ingress rules",
    "no egress rule of CLIENT lets tcp 443 to 203.0.113.10 out of client",
    "no egress rule of MUTE lets udp 53 to empty out of mute; MUTE has no egress rules",
    "is for IPv4 only: write `::/0` for IPv6",
];

#[test]
fn a_near_miss_is_told_in_the_prediction_and_in_the_report() {
    let program = Program::copy();
    write(&program, "cloud.yaml", CLOUD);
    for command in ["predict", "test"] {
        let said = sglab(&program, &[command, "cloud.yaml"]);
        assert_eq!(said.code, Some(1), "{command}: {said:?}");
        let told = said.out.split_whitespace().collect::<Vec<_>>().join(" ");
        for miss in MISSES {
            assert!(told.contains(miss), "{command}, {miss}: {}", said.out);
        }
    }
}
