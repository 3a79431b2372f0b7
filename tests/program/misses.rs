//! What is told where something is not as a file expects: whose check or route it was, what is not predicted, what to write instead.

use crate::program::{Program, Said, sglab, write};

fn predicted(text: &str, arguments: &[&str]) -> (Program, Said) {
    let program = Program::copy();
    write(&program, "told.yaml", text);
    let said = sglab(&program, &[&["predict", "told.yaml"], arguments].concat());
    (program, said)
}

const BEHIND_NAT: &str = "sglab: 1
era: vpc
hosts: {office: 203.0.113.10}
vpcs: {main: {cidr: 10.0.0.0/16, subnets: {public: 10.0.1.0/24, private: {cidr: 10.0.2.0/24, public: no, routes: {0.0.0.0/0: nat}}}}}
groups: {NAT: [all from WORKERS], WORKERS: [], API: [tcp 443 from WORKERS]}
instances:
  nat: {groups: NAT, subnet: public, source-dest-check: off, forwards: nat}
  worker: {groups: WORKERS, subnet: private}
  lone: {groups: WORKERS, subnet: public, public: no}
  api: {groups: API, subnet: public}
scenario:
  - step: checked
    do: {source-dest-check: {nat: on}}
    expect: {dropped: ['worker -> office:443', 'lone -> office:443']}
  - step: stopped
    do: [{source-dest-check: {nat: off}}, {stop: nat}]
    expect: {dropped: ['worker -> office:443', 'worker -> api:443 by public address']}
";

#[test]
fn a_drop_that_no_group_decided_is_told_as_explain_tells_it() {
    let (program, said) = predicted(BEHIND_NAT, &[]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let check =
        "dropped at nat's source/destination check; the source/destination check of nat applies before any group";
    let route = "dropped on its route; the route leads to nat, which is stopped";
    let gateway = "dropped in the gateway; lone has no public address to send it on with";
    for (step, flow, why) in [
        ("1", "worker -> office:443", check),
        ("1", "lone -> office:443", gateway),
        ("2", "worker -> office:443", route),
        ("2", "worker -> api:443 by public address", route),
    ] {
        assert!(said.out.contains(&format!("{flow}  {why}\n")), "no {flow} {why:?} in {}", said.out);
        let explained = sglab(&program, &["explain", "told.yaml", flow, "--step", step]);
        assert!(explained.out.contains(&format!("{flow}   {why}\n")), "{explained:?}");
    }
    assert!(!said.out.contains("vpc-main"), "{}", said.out);
}

#[test]
fn traffic_that_is_not_predicted_is_called_that() {
    let program = Program::copy();
    let said = sglab(&program, &["predict", "example:gotchas/no-blink-while-groups-change"]);
    assert_eq!(said.code, Some(4), "{said:?}");
    for words in ["traffic of 5 flows not predicted", "predicted nothing", "`sglab test` sends it"] {
        assert!(said.out.contains(words), "no {words:?} in {}", said.out);
    }
    assert!(!said.out.contains("0 packets") && !said.out.contains("not as expected"), "{}", said.out);
}

const TWO: &str = "sglab: 1
era: vpc
groups: {A: [tcp 22 from A]}
instances: {a: {groups: A}, b: {groups: A}}
scenario:
";

#[test]
fn new_public_over_two_steps_says_how_it_is_written() {
    let steps = "  - {step: stop, do: {stop: a}}\n  - {step: start, do: {start: a}, expect: {new-public: a}}\n";
    let (_, said) = predicted(&format!("{TWO}{steps}"), &[]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.out.contains("so stop and start it in one: `do: [{stop: a}, {start: a}]`"), "{}", said.out);
    let one = "  - {step: both, do: [{stop: a}, {start: a}], expect: {new-public: a}}\n";
    assert_eq!(predicted(&format!("{TWO}{one}"), &[]).1.code, Some(0), "what is advised holds");
}

#[test]
fn what_can_be_expected_of_a_crashed_instance_is_told_and_holds() {
    let steps = "  - {step: silent, do: {crash: a}, expect: {unreachable: 'b -> a:22'}}\n";
    let (_, said) = predicted(&format!("{TWO}{steps}"), &[]);
    assert_eq!(said.code, Some(4), "{said:?}");
    assert!(said.out.contains("a has crashed and is silent, which is no outcome: expect `dropped`"), "{}", said.out);
    let advised =
        "  - {step: held, do: [{open: {s: 'b -> a:22'}}, {crash: a}], expect: {gone: s, dropped: 'b -> a:23'}}\n";
    assert_eq!(predicted(&format!("{TWO}{advised}"), &[]).1.code, Some(0), "what is advised holds");
}

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
