//! What `sglab test --evidence` keeps, and what `sglab replay` makes of it, by the program itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::program::{self, Program, User, users, write};
use pcap_file::pcap::PcapReader;

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
}

#[test]
fn an_earlier_bundle_gives_way_and_whatever_else_is_in_its_folder_stays() {
    let program = Program::copy();
    let run_folder = kept(&program, User::Ours);
    let (folder, manifest) = (program.scratch().join("kept"), program.scratch().join("kept/sglab-evidence.json"));
    let first = fs::read(&manifest).expect("a manifest");
    kept(&program, User::Ours);
    assert_ne!(fs::read(&manifest).expect("a manifest"), first, "it is replaced");
    assert_eq!(names(&program.scratch()), ["kept", "shop.yaml"], "and nothing of it is left");

    let refused = |what: &str| {
        let before = fs::read(&manifest).ok();
        let (code, said) = run(&program, User::Ours, &["test", "shop.yaml", "--evidence", "kept"]);
        assert_eq!(code, Some(2), "{what}: {said}");
        assert!(said.contains("holds something else") && said.contains(what), "{what}: {said}");
        assert!(!said.contains("two cells are wrong"), "before anything is run: {said}");
        assert_eq!(fs::read(&manifest).ok(), before, "{what}");
    };
    for file in ["notes.txt", "001-shop-vpc/step-001/old", "001-shop-vpc/cell-01"] {
        fs::write(folder.join(file), "mine").expect("a file");
        refused(file);
        fs::remove_file(folder.join(file)).expect("removed");
    }
    fs::create_dir(folder.join("mine")).expect("a folder");
    refused("kept/mine");
    fs::remove_dir(folder.join("mine")).expect("removed");
    let link = run_folder.join("step-001/compiled.nft");
    let text = fs::read(&link).expect("a ruleset");
    fs::rename(&link, program.scratch().join("mine.nft")).expect("moved");
    std::os::unix::fs::symlink("../../../mine.nft", &link).expect("a link");
    refused("compiled.nft");
    fs::remove_file(&link).expect("removed");
    fs::write(&link, [text.as_slice(), b"# a note of mine"].concat()).expect("a file");
    refused("compiled.nft");
    fs::write(&link, text).expect("a file");
    kept(&program, User::Ours);

    // A folder of somebody's work does not become a bundle by one file.
    for forged in ["{}", "{\"format\": 1}", &String::from_utf8(first).expect("text")] {
        fs::remove_dir_all(&folder).expect("removed");
        write(&program, "kept/thesis.txt", "all of it");
        fs::write(&manifest, forged).expect("a file");
        refused("kept/");
        fs::remove_file(&manifest).expect("removed");
        write(&program, "forged.json", forged);
        std::os::unix::fs::symlink("../forged.json", &manifest).expect("a link");
        refused("kept/");
        assert_eq!(fs::read_to_string(folder.join("thesis.txt")).expect("it is there"), "all of it");
    }
}

#[test]
fn a_bundle_starts_no_service_unless_it_is_asked_to() {
    let program = Program::copy();
    let text = "sglab: 1\nera: vpc\nhosts: {customer: 198.51.100.7}\ngroups: {web: [tcp 80 from anywhere]}\n\
        instances: {web1: {groups: web, services: {it: {command: [sleep, '60'], log: started}}}}\n\
        scenario: [{step: s, expect: {open: [customer -> web1:80]}}]\n";
    write(&program, "shop/shop.yaml", text);
    let (code, said) = run(&program, User::Ours, &["test", "shop/shop.yaml", "--evidence", "kept", "--services"]);
    assert_eq!(code, Some(0), "{said}");
    let started = program.scratch().join("shop/started");
    let replay = |arguments: &[&str], wanted: i32, starts: bool| {
        drop(fs::remove_file(&started));
        let (code, said) = run(&program, User::Ours, &[&["replay", "kept"], arguments].concat());
        assert_eq!((code, started.exists()), (Some(wanted), starts), "{arguments:?}: {said}");
        said
    };
    let said = replay(&[], 0, false);
    assert!(said.contains("note: the services of 001-shop-vpc were started in the run that was kept"), "{said}");
    assert!(said.contains("--services starts them") && said.contains("SAME"), "{said}");
    assert!(!replay(&["--services"], 0, true).contains("note: "));
    // Of where they start the folder says nothing that holds.
    let manifest = program.scratch().join("kept/sglab-evidence.json");
    std::os::unix::fs::symlink("../..", program.scratch().join("shop/out")).expect("a link");
    for file in ["/etc/hosts", "../sglab", "shop/out/sglab"] {
        let before = fs::read_to_string(&manifest).expect("a manifest");
        altered(&manifest, "\"file\": \"shop/shop.yaml\"", &format!("\"file\": \"{file}\""));
        let said = replay(&["--services"], 2, false);
        assert!(said.contains("not in the present folder") && said.contains("--services=DIR"), "{said}");
        replay(&["--services=shop"], 0, true);
        fs::write(&manifest, before).expect("written");
    }
    // And where the run that was kept had none there is none to start.
    altered(&manifest, "\"services\": true", "\"services\": false");
    replay(&["--services"], 0, false);
}

#[test]
fn services_of_a_bundle_are_shown_nothing_outside_of_their_folder() {
    let program = Program::copy();
    let text = "sglab: 1\nera: vpc\nhosts: {customer: 198.51.100.7}\ngroups: {web: [tcp 80 from anywhere]}\n\
        instances: {web1: {groups: web, mounts: {/srv/www: ./www writable},\n\
        services: {it: {command: 'echo served >>/srv/www/log; exec sleep 60'}}}}\n\
        scenario: [{step: s, expect: {open: [customer -> web1:80]}}]\n";
    write(&program, "shop/shop.yaml", text);
    fs::create_dir_all(program.scratch().join("shop/www")).expect("a folder");
    let (code, said) = run(&program, User::Ours, &["test", "shop/shop.yaml", "--evidence", "kept", "--services"]);
    assert_eq!(code, Some(0), "{said}");
    let log = program.scratch().join("shop/www/log");
    let served = || fs::read_to_string(&log).expect("the log").lines().count();
    assert_eq!(served(), 1);
    let (code, said) = run(&program, User::Ours, &["replay", "kept", "--services"]);
    assert_eq!((code, served()), (Some(0), 2), "{said}");
    // Whoever wrote the bundle names another folder.
    let scenario = program.scratch().join("kept/001-shop-vpc/scenario.yaml");
    let kept = fs::read_to_string(&scenario).expect("a scenario");
    std::os::unix::fs::symlink("..", program.scratch().join("shop/link")).expect("a link");
    for path in ["..", "/etc", "./link/kept"] {
        altered(&scenario, "./www writable", &format!("{path} writable"));
        let (code, said) = run(&program, User::Ours, &["replay", "kept", "--services"]);
        let words = format!("the services use {path}, which is not in ");
        assert!(code == Some(2) && said.contains(&words) && !said.contains("SAME"), "{path}: {said}");
        let (code, said) = run(&program, User::Ours, &["replay", "kept"]);
        assert_eq!(code, Some(0), "without services nothing is mounted: {said}");
        fs::write(&scenario, &kept).expect("written");
    }
    assert_eq!(served(), 2);
    // The lab itself opens a log, on the host.
    fs::write(program.scratch().join("outside"), "before\n").expect("a file");
    for path in ["../outside", "./link/outside", "/etc/hosts"] {
        altered(&scenario, "{it: {command:", &format!("{{it: {{log: {path}, command:"));
        let (code, said) = run(&program, User::Ours, &["replay", "kept", "--services"]);
        assert_eq!(code, Some(2), "{path}: {said}");
        fs::write(&scenario, &kept).expect("written");
    }
    assert_eq!(fs::read_to_string(program.scratch().join("outside")).expect("the file"), "before\n");
    // Also where a link leads to what is not there, which would be made.
    std::os::unix::fs::symlink("../made", program.scratch().join("shop/out.log")).expect("a link");
    altered(&scenario, "{it: {command:", "{it: {log: out.log, command:");
    let (code, said) = run(&program, User::Ours, &["replay", "kept", "--services"]);
    assert!(code == Some(2) && said.contains("the services use out.log, which is not in "), "{said}");
    assert!(!program.scratch().join("made").exists());
}

#[test]
fn a_bundle_leads_nowhere_outside_of_its_folder() {
    let program = Program::copy();
    let run_folder = kept(&program, User::Ours);
    let manifest = program.scratch().join("kept/sglab-evidence.json");
    let refused = |what: &str, words: &str| {
        let (code, said) = run(&program, User::Ours, &["replay", "kept"]);
        assert_eq!(code, Some(2), "{what}: {said}");
        assert!(said.contains(words) && !said.contains("SAME"), "{what}: {said}");
    };
    // The same as what is kept, so that only where it lies can be wrong with it.
    let outside = program.scratch().join("outside");
    let copied = Command::new("cp").args(["-r"]).args([&run_folder, &outside]).status();
    assert!(copied.expect("cp").success());
    let text = fs::read_to_string(&manifest).expect("a manifest");
    let absolute = outside.display().to_string();
    for folder in ["../outside", "001-shop-vpc/../../outside", &absolute, "link"] {
        drop(std::os::unix::fs::symlink("../outside", program.scratch().join("kept/link")));
        altered(&manifest, "\"folder\": \"001-shop-vpc\"", &format!("\"folder\": \"{folder}\""));
        refused(folder, "leads out of the folder");
        fs::write(&manifest, &text).expect("written");
    }
    for name in ["scenario.yaml", "step-001", "step-001/probes.json", "step-002/compiled.nft"] {
        let path = run_folder.join(name);
        let away = program.scratch().join("away");
        fs::rename(&path, &away).expect("moved");
        std::os::unix::fs::symlink(outside.join(name), &path).expect("a link");
        refused(name, "leads out of the folder");
        fs::remove_file(&path).expect("removed");
        if name.ends_with(".json") {
            nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).expect("a named pipe");
            refused(name, "it is no file");
            fs::remove_file(&path).expect("removed");
        }
        fs::rename(&away, &path).expect("moved back");
    }
    let mut value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    value["runs"] = serde_json::json!([]);
    fs::write(&manifest, value.to_string()).expect("written");
    refused("no run", "has no run");
    fs::write(&manifest, &text).expect("written");
    let (code, said) = run(&program, User::Ours, &["replay", "kept"]);
    assert_eq!(code, Some(0), "{said}");
}

/// Needs a file system that is full, which only root can have at hand.
#[test]
fn on_a_full_disk_nothing_is_kept_and_the_verdict_is_told() {
    if !program::is_root_or_skipped() {
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
