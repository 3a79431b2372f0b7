//! Flows whose ends are said by their addresses: those of instances and hosts, and those of nobody's outside, on paper and on packets.

use serde_json::Value;

use crate::labs::Labs;
use crate::program::{Program, User, sglab, write};

const CLOUD: &str = "sglab: 1
era: vpc
hosts: {office: [203.0.113.10, 203.0.113.11]}
vpcs: {main: {cidr: 10.0.0.0/16, ipv6: '2001:db8:1000::/56'}, old: {cidr: 10.0.0.0/16}}
groups:
  WEB:
    vpc: main
    ingress: [tcp 443 from anywhere, tcp 22 from office, 'tcp 80 from ::/0', tcp 3306 from WEB]
    egress: [tcp 443 to 203.0.113.0/24, 'udp 53 to ::/0', all to 10.0.0.0/16]
  OLD: {vpc: old}
instances:
  web1: {vpc: main, groups: WEB, address: 10.0.0.11}
  web2: {vpc: main, groups: WEB, address: 10.0.0.12, interfaces: {eth1: {groups: WEB, address: 10.0.0.13}}}
  old1: {vpc: old, groups: OLD, address: 10.0.0.12, public: no}
";

/// A flow, the words of its explanation's first line, and the outcome of its packets.
const FLOWS: [(&str, &str, &str); 9] = [
    ("8.8.8.8 -> web1:443", "8.8.8.8 -> web1:443   open", "open"),
    ("8.8.8.8 -> web1:22", "8.8.8.8 -> web1:22   dropped at web1's ingress", "dropped"),
    ("203.0.113.11 -> web1:22", "office -> web1:22   open", "open"),
    ("web1 -> 203.0.113.9:443", "web1 -> 203.0.113.9:443   open", "open"),
    ("web1 -> 198.51.100.9:443", "web1 -> 198.51.100.9:443   dropped at web1's egress", "dropped"),
    ("2001:db8:77::1 -> web1:80", "2001:db8:77::1 -> web1:80   open", "open"),
    ("web1 -> [2001:db8:77::1]:53/udp", "web1 -> [2001:db8:77::1]:53/udp   open", "open"),
    ("web1 -> [2001:db8:77::1]:54/udp", "web1 -> [2001:db8:77::1]:54/udp   dropped", "dropped"),
    ("web1 -> 10.0.0.13:3306", "web1 -> web2.eth1:3306   open", "open"),
];

/// Flows by an address that stands for nobody, or for several, and what is said of them.
const WRONG: [(&str, &str); 7] = [
    ("127.0.0.1 -> web1:443", "nobody has 127.0.0.1: it is for loopback"),
    ("web1 -> 10.0.0.99:443", "nobody has 10.0.0.99, which lies in VPC `main`"),
    ("web1 -> 198.18.0.99:443", "nobody has 198.18.0.99: it is for the public addresses of instances"),
    ("web1 -> 10.0.0.12:3306", "10.0.0.12 is an address of `web2` and of `old1`"),
    ("web1 -> 10.0.0.13:3306 by public address", "10.0.0.13 is an address that a flow goes to by private address"),
    ("web1 -> 2001:db8:77::1:53/udp", "an IPv6 address stands in brackets: `[2001:db8:77::1]:53/udp`"),
    ("8.8.8.8 -> 1.1.1.1:80", "a flow between two hosts outside never meets the cloud"),
];

#[test]
fn a_file_explains_flows_of_any_address_outside() {
    let program = Program::copy();
    write(&program, "cloud.yaml", CLOUD);
    for (flow, told, _) in FLOWS {
        let said = sglab(&program, &["explain", "cloud.yaml", flow]);
        assert!(said.code == Some(0) && said.out.contains(&format!("\n{told}")), "{flow}: {said:?}");
    }
    for (flow, told) in WRONG {
        let said = sglab(&program, &["explain", "cloud.yaml", flow]);
        assert!(said.code == Some(2) && said.err.contains(told), "{flow}: {said:?}");
    }
}

#[test]
fn a_lab_probes_any_address_outside_by_packets_and_nothing_of_it_stays() {
    let labs = Labs::of(User::Ours);
    write(&labs.program, "cloud.yaml", CLOUD);
    labs.ok(&["up", "cloud.yaml"]);
    let hosts = hosts(&labs);
    for (flow, told, outcome) in FLOWS {
        let seen: Value = serde_json::from_str(&labs.ok(&["probe", flow, "--format", "json"])).expect("JSON");
        assert_eq!(seen[0]["outcome"], outcome, "{flow}: {seen}");
        let explained = labs.ok(&["explain", flow]);
        assert!(explained.starts_with(told) && explained.contains("as predicted"), "{flow}: {explained}");
        assert_eq!(self::hosts(&labs), hosts, "{flow}");
    }
    for (flow, told) in WRONG {
        for command in ["probe", "explain"] {
            let said = labs.say(&[command, flow]);
            assert!(said.code == Some(2) && said.err.contains(told), "{command} {flow}: {said:?}");
        }
    }
    labs.ok(&["down"]);
}

#[test]
fn without_ipv6_no_packet_goes_to_an_address_of_it() {
    let labs = Labs::of(User::Ours);
    write(&labs.program, "cloud.yaml", &CLOUD.replace(", ipv6: '2001:db8:1000::/56'", ""));
    labs.ok(&["up", "cloud.yaml"]);
    let said = labs.say(&["probe", "2001:db8:77::1 -> web1:80"]);
    assert!(said.code == Some(2) && said.err.contains("`web1` has no IPv6 address"), "{said:?}");
    labs.ok(&["down"]);
}

/// The hosts that programs can be started in.
fn hosts(labs: &Labs) -> String {
    let said = labs.say(&["exec", "nobody", "--", "true"]);
    assert_eq!(said.code, Some(2), "{said:?}");
    said.err
}
