//! What `sglab test --evidence` keeps, and what `sglab replay` makes of it, by the program itself.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test panics")]

mod program;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use pcap_file::pcap::PcapReader;
use program::{Program, User, users};

const TOPOLOGY: &str = "sglab: 1
era: vpc
hosts: {customer: 198.51.100.7}
groups: {web: [tcp 443 from anywhere], db: [tcp 5432 from anywhere]}
instances: {web1: {groups: [web]}, db1: {groups: [db]}}
scenario:
  - step: two cells are wrong
    expect: {open: [web1 -> db1:5432, web1 -> db1:22], dropped: [customer -> db1:5432]}
  - step: the rule goes
    do: {revoke: {db: [tcp 5432 from anywhere]}}
    expect: {dropped: [customer -> db1:5432]}
";

/// What a command came to: its exit code, and all that it said.
fn run(program: &Program, user: User, arguments: &[&str]) -> (Option<i32>, String) {
    let output = program.run(user, arguments).output().expect("the program");
    (output.status.code(), [output.stdout, output.stderr].map(|it| String::from_utf8_lossy(&it).into_owned()).concat())
}

fn kept(program: &Program, user: User) -> PathBuf {
    fs::write(program.scratch().join("shop.yaml"), TOPOLOGY).expect("a file");
    let (code, said) = run(program, user, &["test", "shop.yaml", "--evidence", "kept"]);
    assert_eq!(code, Some(1), "{said}");
    program.scratch().join("kept/001-shop-vpc")
}

fn altered(path: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(path).expect("a file");
    assert!(text.contains(from), "{text}");
    fs::write(path, text.replacen(from, to, 1)).expect("written");
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// The destination ports of the TCP packets over IPv4 of a capture.
fn tcp_ports(path: &Path) -> Vec<u16> {
    let bytes = fs::read(path).expect("a capture");
    let mut reader = PcapReader::new(bytes.as_slice()).expect("a pcap");
    let mut ports = Vec::new();
    let mut last = std::time::Duration::ZERO;
    while let Some(packet) = reader.next_packet() {
        let packet = packet.expect("a packet");
        assert!(packet.timestamp >= last, "in the order in which they were seen");
        last = packet.timestamp;
        if let [_, _, _, _, _, _, _, _, _, _, _, _, 8, 0, ip @ ..] = packet.data.as_ref()
            && ip[9] == 6
        {
            let tcp = &ip[usize::from(ip[0] & 0xf) * 4..];
            ports.push(u16::from_be_bytes([tcp[2], tcp[3]]));
        }
    }
    ports
}

#[test]
fn a_run_is_kept_whole_and_runs_again_to_the_same() {
    for &user in users() {
        let program = Program::copy();
        let run_folder = kept(&program, user);
        let scenario = fs::read_to_string(run_folder.join("scenario.yaml")).expect("the scenario");
        assert_eq!(scenario, TOPOLOGY, "as it was read");
        let first = run_folder.join("step-001");
        assert_eq!(names(&first), ["cell-01", "cell-02", "compiled.nft", "probes.json"]);
        assert!(fs::read_to_string(first.join("compiled.nft")).unwrap().contains("tcp dport 5432"));
        assert!(!fs::read_to_string(run_folder.join("step-002/compiled.nft")).unwrap().contains("tcp dport 5432"));
        assert!(fs::read_to_string(first.join("probes.json")).unwrap().contains("ingress accept sgr-4"), "its records");
        // Dropped: what was asked is seen at the sender and at the router, and never at the receiver.
        let dropped = first.join("cell-01");
        assert_eq!(tcp_ports(&dropped.join("web1.pcap")), [22]);
        assert_eq!(tcp_ports(&dropped.join("vpc-default.pcap")), [22]);
        assert_eq!(tcp_ports(&dropped.join("db1.pcap")), [0; 0]);
        // Open against the expectation: it is seen at both ends.
        let open = first.join("cell-02");
        assert!(tcp_ports(&open.join("customer.pcap")).contains(&5432));
        assert!(tcp_ports(&open.join("db1.pcap")).contains(&5432));

        let (code, said) = run(&program, user, &["replay", "kept"]);
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains("SAME  1 run"), "{said}");
        assert_eq!(names(&program.scratch()), ["kept", "shop.yaml"], "nothing beside it is left");
    }
}

#[test]
fn what_differs_from_what_was_kept_is_told_by_outcome_ruleset_and_version() {
    let program = Program::copy();
    let run_folder = kept(&program, User::Ours);
    altered(&program.scratch().join("kept/sglab-evidence.json"), "\"kernel\": \"", "\"kernel\": \"0.");
    let (code, said) = run(&program, User::Ours, &["replay", "kept"]);
    assert_eq!(code, Some(0), "another version is told, and is no difference by itself: {said}");
    assert!(said.contains("kernel is another: kept 0."), "{said}");

    altered(&run_folder.join("step-001/probes.json"), "\"detail\": \"by sgr-4\"", "\"detail\": \"by sgr-9\"");
    altered(&run_folder.join("step-002/compiled.nft"), "chain ingress/db", "chain ingress/other");
    let (code, said) = run(&program, User::Ours, &["replay", "kept"]);
    assert_eq!(code, Some(1), "{said}");
    for words in ["kept  open by sgr-9", "now   open by sgr-4", "step 2\n       ruleset", "2 differences"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let (code, said) = run(&program, User::Ours, &["replay", "kept", "--format", "json"]);
    assert_eq!(code, Some(1));
    assert!(said.contains("\"same\": false") && said.contains("\"what\": \"web1 -> db1:5432\""), "{said}");
}

#[test]
fn a_folder_of_something_else_is_not_written_over_and_is_no_evidence() {
    let program = Program::copy();
    fs::write(program.scratch().join("shop.yaml"), TOPOLOGY).expect("a file");
    let other = program.scratch().join("other");
    fs::create_dir(&other).expect("a folder");
    fs::write(other.join("diary"), "mine").expect("a file");
    for (arguments, words) in [
        (&["test", "shop.yaml", "--evidence", "other"][..], "holds something else"),
        (&["test", "shop.yaml", "--evidence", "shop.yaml"], "cannot hold the evidence"),
        (&["replay", "other"], "is no folder of evidence"),
        (&["replay", "nowhere"], "is no folder of evidence"),
    ] {
        let (code, said) = run(&program, User::Ours, arguments);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains(words) && !said.contains("two cells are wrong"), "before anything is run: {said}");
    }
    assert_eq!(names(&other), ["diary"]);
    // An earlier bundle is replaced as a whole.
    let run_folder = kept(&program, User::Ours);
    fs::write(run_folder.join("step-001/old"), "old").expect("a file");
    assert_eq!(names(&kept(&program, User::Ours).join("step-001")).len(), 4);
    assert_eq!(names(&program.scratch()), ["kept", "other", "shop.yaml"]);
}

/// Needs a file system that is full, which only root can have at hand.
#[test]
fn on_a_full_disk_nothing_is_kept_and_the_verdict_is_told() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let program = Program::copy();
    let passing = TOPOLOGY
        .replace(", web1 -> db1:22]", "]")
        .replace(", dropped: [customer -> db1:5432]}\n  - step: the", "}\n  - step: the");
    fs::write(program.scratch().join("shop.yaml"), passing).expect("a file");
    let script = "mkdir small && mount -t tmpfs -o size=8k tmpfs small && \
                  $0 test shop.yaml --evidence small/kept; echo code $?; ls -A small; umount small";
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", script]);
    let sglab = program.path().display().to_string();
    let output = program.dress(User::Ours, command, &[&sglab]).output().expect("unshare");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(out.contains("PASSED  2 steps") && out.ends_with("code 2\n"), "{out}{err}");
    assert!(err.contains("nothing of it was kept") && err.contains("No space left"), "{err}");
}
