//! A lab that stays up, looked at: what packets met, what happened, the cloud as a file, its log.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test panics")]

mod labs;
mod program;

use std::io::{BufRead, BufReader};
use std::os::unix::net::UnixStream;
use std::process::{Child, ChildStdout};

use labs::Labs;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use program::{User, users};
use serde_json::Value;
use sglab::control::protocol::{self, Envelope, MAX_REPLY, MAX_REQUEST, Reply, Request, VERSION};

/// A command that goes on until it is interrupted, and what it says line by line.
struct Following {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Following {
    fn start(labs: &Labs, arguments: &[&str]) -> Self {
        let mut child = labs.command(arguments).spawn().expect("the program");
        let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        Self { child, lines }
    }

    /// The next line that holds this.
    fn until(&mut self, wanted: &str) -> String {
        self.lines.by_ref().map(|line| line.expect("text")).find(|line| line.contains(wanted)).expect(wanted)
    }

    fn interrupt(mut self) -> Vec<String> {
        kill(Pid::from_raw(self.child.id() as i32), Signal::SIGINT).expect("a process");
        let rest = self.lines.map(|line| line.expect("text")).collect();
        self.child.wait().expect("its end");
        rest
    }
}

#[test]
fn explain_on_a_lab_tells_what_is_predicted_and_what_the_packet_met() {
    for user in users() {
        let labs = Labs::of(*user);
        labs.ok(&["up", "example:two-tier"]);
        let told = labs.ok(&["explain", "web1", "db1:3306"]);
        assert!(told.contains("  open, by SG-T-DB \"tcp 3306 from SG-T-WEB\""), "{told}");
        assert!(told.contains("met        accept   web1 egress  tcp 10.0.0.11:"), "{told}");
        assert!(told.contains(" -> 10.0.0.13:3306  by SG-T-DB \"tcp 3306 from SG-T-WEB\""), "{told}");
        assert!(told.ends_with("  found      open\n             as predicted\n"), "{told}");
        // By public address the packet crosses the filter twice, and the second time nothing admits it.
        let told = labs.ok(&["explain", "db1", "web1:22", "--by", "public", "--format", "json"]);
        let told: Value = serde_json::from_str(&told).expect("JSON");
        let met: Vec<_> = told[0]["met"].as_array().unwrap().iter().map(|it| it["verdict"].as_str().unwrap()).collect();
        assert_eq!(met, ["accept", "drop"], "{told}");
        assert_eq!(told[0]["met"][1]["source"], "198.18.0.13");
        assert_eq!(
            (told[0]["agreement"].as_str(), told[0]["predicted"]["verdict"].as_str()),
            (Some("agree"), Some("dropped"))
        );
    }
}

#[test]
fn a_file_and_a_lab_are_told_apart_by_the_words_alone() {
    let labs = Labs::of(User::Ours);
    // None is up, and what means a file needs none.
    assert!(labs.ok(&["explain", "example:two-tier", "web1 -> db1:3306"]).contains("as launched"));
    assert!(labs.ok(&["render", "example:two-tier"]).contains("table inet sglab"));
    for (words, wanted) in [
        (&["explain", "web1", "db1:3306"][..], "no lab is up"),
        (&["explain", "web1 -> db1:3306"], "no lab is up"),
        (&["render"], "no lab is up"),
        (&["export"], "no lab is up"),
        (&["explain", "example:two-tier"], "which flow of example:two-tier?"),
        (&["explain", "example:two-tier", "web1"], "`web1` is not a flow"),
        (&["explain", "two-tier.yaml", "web1 -> db1:3306", "--name", "x"], "--name are for a lab that is up"),
        (&["explain", "web1", "db1:3306", "--step", "2"], "--step and --era are for a file"),
        (&["explain", "web1 -> db1:22", "db1:22"], "one flow too many"),
        (&["render", "--step", "2"], "<FILE|example:NAME>"),
        (&["events", "--name", "../x"], "cannot be the name of a lab"),
    ] {
        let said = labs.say(words);
        assert_eq!(said.code, Some(2), "{words:?}: {said:?}");
        assert!(said.err.contains(wanted), "{words:?}: {said:?}");
    }
}

#[test]
fn an_exported_lab_has_the_same_truth_table_where_it_is_brought_up_again() {
    let labs = Labs::of(User::Ours);
    for example in ["two-tier", "by-address-vpc"] {
        labs.ok(&["up", &format!("example:{example}"), "--name", "first"]);
        labs.ok(&["create-group", "LATE", "tcp 99 from anywhere"]);
        labs.ok(&["launch", "late", "--group", "LATE"]);
        labs.ok(&["export", "-o", "now.yaml"]);
        let again = labs.say(&["export", "-o", "now.yaml"]);
        assert_eq!(again.code, Some(2), "an existing file is not overwritten: {again:?}");
        labs.ok(&["check", "now.yaml"]);
        assert!(labs.ok(&["test", "now.yaml"]).contains("PASSED"));
        labs.ok(&["up", "now.yaml"]);
        let table = |lab| labs.ok(&["matrix", "--format", "json", "--name", lab]);
        assert_eq!(table("first"), table("now"));
        labs.ok(&["down", "--all"]);
        std::fs::remove_file(labs.program.scratch().join("now.yaml")).unwrap();
    }
}

#[test]
fn events_tell_every_change_verdict_and_probe_in_their_order() {
    let labs = Labs::of(User::Ours);
    labs.ok(&["up", "example:two-tier"]);
    let mut following = Following::start(&labs, &["events", "--follow", "--format", "json"]);
    labs.ok(&["probe", "world", "db1:3306"]);
    labs.ok(&["authorize", "SG-T-DB", "tcp 3306 from world"]);
    assert_eq!(labs.say(&["stop", "web9"]).code, Some(1));
    following.until("\"refused\"");
    following.interrupt();
    let kept = labs.ok(&["events", "--format", "json"]);
    let events: Vec<Value> = kept.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let numbers: Vec<u64> = events.iter().map(|event| event["number"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    let words: Vec<&str> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    // `world` has two addresses; each is dropped and then told.
    assert_eq!(words, ["verdict", "verdict", "probe", "probe", "change", "refused"], "{kept}");
    assert_eq!((events[0]["verdict"].as_str(), events[0]["interface"].as_str()), (Some("drop"), Some("db1")));
    assert_eq!(events[2]["outcome"], "dropped");
    assert_eq!(events[5]["code"], "InvalidInstanceID.NotFound");
}

#[test]
fn who_follows_and_reads_nothing_holds_nobody_up() {
    let labs = Labs::of(User::Ours);
    labs.ok(&["up", "example:two-tier"]);
    let follow = |request: Request| {
        let mut stream = UnixStream::connect(labs.socket("two-tier")).expect("the socket");
        protocol::write(&mut stream, &Envelope { sglab: VERSION, request }, MAX_REQUEST).expect("to be heard");
        stream
    };
    let slow = follow(Request::Events { follow: true });
    // Each table is a few hundred events; together they are more than a socket and its queue hold.
    for _ in 0..40 {
        labs.ok(&["matrix"]);
    }
    assert!(labs.ok(&["probe", "web1", "db1:3306"]).contains("  open  "));
    let mut reader = BufReader::new(slow);
    let missed = std::iter::from_fn(|| protocol::read::<Reply>(&mut reader, MAX_REPLY).ok())
        .find(|reply| format!("{reply:?}").contains("Missed"));
    assert!(missed.is_some(), "it is told that something went by");
    // Only so many may follow.
    let mut all: Vec<UnixStream> = (0..80).map(|_| follow(Request::Changes)).collect();
    let refused = all.iter_mut().filter_map(|stream| protocol::read::<Reply>(stream, MAX_REPLY).ok());
    let refused =
        refused.filter(|reply| matches!(reply, Reply::Failed(why) if why.contains("64 follow this lab"))).count();
    assert_eq!(refused, 80 - 63, "one follows the events");
}

#[test]
fn a_watched_matrix_is_drawn_anew_after_a_change_and_only_then() {
    let labs = Labs::of(User::Ours);
    labs.ok(&["up", "example:two-tier"]);
    let mut watching = Following::start(&labs, &["matrix", "--watch", "--ports", "tcp 3306", "--format", "json"]);
    let first = watching.until("ports");
    labs.ok(&["probe", "web1", "db1:3306"]);
    labs.ok(&["authorize", "SG-T-DB", "tcp 3306 from anywhere"]);
    let second = watching.until("ports");
    assert_ne!(first, second);
    assert_eq!(watching.interrupt(), Vec::<String>::new());
    let mut watching = Following::start(&labs, &["matrix", "--watch", "--ports", "ping"]);
    watching.until("each cell: ");
    labs.ok(&["down"]);
    assert!(watching.child.wait().expect("its end").success(), "it ends with its lab");
}

#[test]
fn a_log_is_followed_until_its_lab_is_down() {
    let labs = Labs::of(User::Ours);
    labs.ok(&["up", "example:two-tier", "--step", "3"]);
    let following = Following::start(&labs, &["logs", "--follow"]);
    labs.ok(&["down"]);
    let mut child = following.child;
    assert!(child.wait().expect("its end").success());
}

#[test]
fn a_capture_is_a_whole_file_that_tcpdump_reads_and_ends_with_its_instance() {
    for user in users() {
        let labs = Labs::of(*user);
        labs.ok(&["up", "example:two-tier"]);
        let capture = || {
            let mut child = labs.command(&["capture", "db1", "-w", "db1.pcap"]).spawn().expect("the program");
            let mut said = BufReader::new(child.stderr.take().expect("its errors")).lines();
            assert!(said.next().expect("a word").unwrap().starts_with("capturing what db1"));
            (child, said)
        };
        let read = || {
            let mut tcpdump = std::process::Command::new("tcpdump");
            tcpdump.args(["-n", "-r"]).arg(labs.program.scratch().join("db1.pcap"));
            let output = tcpdump.output().expect("tcpdump");
            assert!(output.status.success(), "{output:?}");
            String::from_utf8(output.stdout).unwrap()
        };
        let (mut child, mut said) = capture();
        labs.ok(&["probe", "web1", "db1:3306"]);
        kill(Pid::from_raw(child.id() as i32), Signal::SIGINT).expect("a process");
        assert!(child.wait().expect("its end").success());
        assert!(said.next().expect("a word").unwrap().ends_with(" packets"));
        let packets = read();
        assert!(
            packets.contains("10.0.0.13.3306: Flags [S]") && packets.contains("10.0.0.13.3306 > 10.0.0.11"),
            "{packets}"
        );
        let (mut child, _said) = capture();
        labs.ok(&["stop", "db1"]);
        assert!(child.wait().expect("its end").success(), "it ends with its instance");
        read();
        let said = labs.say(&["capture", "db1", "-w", "no.pcap"]);
        assert_eq!(said.code, Some(2), "{said:?}");
        assert!(said.err.contains("nothing can be captured of what does not run: `db1`"), "{said:?}");
        assert!(!labs.program.scratch().join("no.pcap").exists());
    }
}
