//! Flow logs of a lab that is up: what the kernel's filter and its connection tracking say of real packets.

use std::collections::BTreeMap;
use std::fs;

use crate::labs::Labs;
use crate::program::{User, users};
use nix::sys::signal::{Signal, kill};
use serde_json::Value;

const TWO: &str = "\
sglab: 1
era: vpc
groups:
  A: []
  B: [tcp 22 from A]
instances:
  a: {groups: A}
  b: {groups: B}
scenario:
  - step: as launched
    expect: {dropped: ['a -> b:ping at ingress']}
";

/// Every record so far.
fn records(labs: &Labs) -> Vec<Value> {
    let text = labs.ok(&["flow-logs", "--format", "json"]);
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn told(record: &Value) -> String {
    let word = |field: &str| record[field].as_str().unwrap_or("-").to_owned();
    format!("{} {} {} {}", word("interface"), word("flow_direction"), word("action"), word("log_status"))
}

/// The records of ICMP, with how many packets each.
fn pings(labs: &Labs) -> BTreeMap<String, u64> {
    let all = records(labs);
    let icmp = all.iter().filter(|record| record["protocol"] == 1);
    icmp.map(|record| (told(record), record["packets"].as_u64().unwrap())).collect()
}

/// Gotcha 39 of the fact sheet.
#[test]
fn a_ping_that_groups_refuse_is_one_reject_and_one_that_they_admit_is_two_accepts() {
    for user in users() {
        let labs = Labs::of(*user);
        fs::write(labs.program.scratch().join("two.yaml"), TWO).unwrap();
        labs.ok(&["up", "two.yaml"]);
        labs.ok(&["probe", "a", "b:ping"]);
        let refused = BTreeMap::from([
            ("a egress ACCEPT OK".to_owned(), 1),
            // One REJECT, and no record of an answer.
            ("b ingress REJECT OK".to_owned(), 1),
        ]);
        assert_eq!(pings(&labs), refused);
        labs.ok(&["down"]);
        labs.ok(&["up", "two.yaml"]);
        labs.ok(&["authorize", "B", "icmp echo from A"]);
        labs.ok(&["probe", "a", "b:ping"]);
        let admitted = ["a egress", "a ingress", "b egress", "b ingress"];
        assert_eq!(pings(&labs), admitted.map(|end| (format!("{end} ACCEPT OK"), 1)).into_iter().collect());
        // Private addresses only, and no port.
        let icmp: Vec<Value> = records(&labs).into_iter().filter(|record| record["protocol"] == 1).collect();
        for record in &icmp {
            let of = |field: &str| record[field].as_str().unwrap().to_owned();
            assert!(of("srcaddr").starts_with("10.0.0.") && of("dstaddr").starts_with("10.0.0."), "{record}");
            assert_eq!((record["srcport"].as_u64(), record["dstport"].as_u64()), (Some(0), Some(0)));
        }
    }
}

#[test]
fn by_public_address_each_interface_has_its_own_private_address() {
    let labs = Labs::of(User::Ours);
    fs::write(labs.program.scratch().join("two.yaml"), TWO).unwrap();
    labs.ok(&["up", "two.yaml"]);
    labs.ok(&["probe", "a", "b:22", "--by", "public"]);
    let all = records(&labs);
    let of = |interface: &str, direction: &str| {
        let its =
            |it: &&Value| it["interface"] == interface && it["flow_direction"] == direction && it["protocol"] == 6;
        let record = all.iter().find(its).unwrap_or_else(|| panic!("{interface} {direction}: {all:?}"));
        let word = |field: &str| record[field].as_str().unwrap_or("-").to_owned();
        (word("action"), word("srcaddr"), word("dstaddr"))
    };
    assert_eq!(of("a", "egress"), ("ACCEPT".into(), "10.0.0.11".into(), "198.18.0.12".into()));
    assert_eq!(of("b", "ingress"), ("REJECT".into(), "198.18.0.11".into(), "10.0.0.12".into()));
}

#[test]
fn tcp_is_counted_by_the_kernel_with_the_rule_that_admitted_it_and_idle_interfaces_have_no_data() {
    let labs = Labs::of(User::Ours);
    fs::write(labs.program.scratch().join("two.yaml"), TWO).unwrap();
    labs.ok(&["up", "two.yaml", "--flow-logs", "flow.log", "--aggregation", "60"]);
    labs.ok(&["probe", "a", "b:22"]);
    let fields = "${action} ${srcaddr} ${dstaddr} ${dstport} ${flow-direction} group-id rule-id";
    let text = labs.ok(&["flow-logs", "--format", fields]);
    let line = text.lines().find(|line| line.starts_with("ACCEPT 10.0.0.11 10.0.0.12 22 ingress")).expect(&text);
    assert!(line.contains(" ingress B B/sgr-"), "{text}");
    let tcp = records(&labs).into_iter().find(|it| it["interface"] == "b" && it["dstport"] == 22).expect("a record");
    // A handshake, a word and its answer: headers and more.
    assert!(tcp["packets"].as_u64() >= Some(3) && tcp["bytes"].as_u64() >= Some(120), "{tcp}");
    let later = labs.ok(&["flow-logs"]);
    let last = later.lines().last().expect("a record");
    assert!(last.contains(" - - - - - - - ") && last.ends_with(" - NODATA"), "{later}");
    // The file has the same lines as were told.
    let file = fs::read_to_string(labs.program.scratch().join("flow.log")).unwrap();
    assert_eq!(file, later);
    assert!(
        file.lines().all(|line| line.split(' ').count() == 14 && line.starts_with("2 123456789012 eni-")),
        "{file}"
    );
    for (format, wanted) in [("srcadr", "did you mean `srcaddr`?"), ("tcp-flags", "is not recorded here")] {
        let said = labs.say(&["flow-logs", "--format", format]);
        assert_eq!(said.code, Some(2));
        assert!(said.err.contains(wanted), "{said:?}");
    }
}

#[test]
fn where_a_signal_ends_a_lab_the_last_window_is_in_the_file() {
    let labs = Labs::of(User::Ours);
    fs::write(labs.program.scratch().join("two.yaml"), TWO).unwrap();
    labs.ok(&["up", "two.yaml", "--flow-logs", "flow.log"]);
    labs.ok(&["probe", "a", "b:22"]);
    kill(labs.pid("two"), Signal::SIGTERM).expect("a process");
    while labs.ok(&["ps"]).contains("era") {}
    let file = fs::read_to_string(labs.program.scratch().join("flow.log")).unwrap();
    assert!(file.lines().any(|line| line.contains(" 10.0.0.11 10.0.0.12 ") && line.contains(" ACCEPT ")), "{file}");
}
