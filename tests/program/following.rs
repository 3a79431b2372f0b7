//! What has no end: events, logs, captures and a watched matrix of a lab that is up.

use std::io::{BufRead, BufReader};
use std::os::unix::net::UnixStream;
use std::process::{Child, ChildStdout};
use std::time::Instant;

use crate::labs::Labs;
use crate::patience::patience;
use crate::program::{self, User, users};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use sglab::protocol::{self, Envelope, Failure, Limited, MAX_REPLY, MAX_REQUEST, Reply, Request, VERSION};

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

    /// Waits until it has this file open.
    fn has_open(&mut self, name: &str) {
        let late = Instant::now() + patience(20);
        let folder = format!("/proc/{}/fd", self.child.id());
        loop {
            let files = std::fs::read_dir(&folder).into_iter().flatten();
            let mut files = files.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
            if files.any(|file| file.ends_with(name)) {
                return;
            }
            assert!(
                self.child.try_wait().expect("a child").is_none() && Instant::now() < late,
                "it has no {name} open"
            );
            std::thread::yield_now();
        }
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
fn events_tell_every_change_verdict_and_probe_in_their_order() {
    let labs = Labs::of(User::Ours);
    labs.ok(&["up", "example:two-tier"]);
    let mut following = Following::start(&labs, &["events", "--follow", "--format", "json"]);
    labs.ok(&["probe", "world", "db1:3306"]);
    labs.ok(&["authorize", "SG-T-DB", "tcp 3306 from world"]);
    assert_eq!(labs.say(&["stop", "web9"]).code, Some(2));
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
    let full = Reply::Failed(Failure::TooMany { of: Limited::Followers, most: 64 });
    assert_eq!(refused.filter(|reply| *reply == full).count(), 80 - 63, "one follows the events");
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
    let mut following = Following::start(&labs, &["logs", "--follow"]);
    // It says nothing of a lab that has said nothing, and does not know one by name that is down.
    following.has_open("two-tier.log");
    labs.ok(&["down"]);
    assert!(following.child.wait().expect("its end").success());
}

#[test]
fn who_follows_the_log_of_a_lab_that_is_killed_is_told_of_its_death() {
    let labs = Labs::of(User::Ours);
    labs.ok(&["up", "example:two-tier"]);
    let mut following = Following::start(&labs, &["logs", "--follow"]);
    // It has seen that the lab is up, and waits for more.
    following.has_open("anon_inode:inotify");
    let errors = following.child.stderr.take().expect("its errors");
    kill(labs.pid("two-tier"), Signal::SIGKILL).expect("a process to kill");
    let told = std::io::read_to_string(errors).expect("text");
    assert!(told.starts_with("error: two-tier has died: "), "{told}");
    assert_eq!(following.child.wait().expect("its end").code(), Some(2));
    labs.ok(&["down", "two-tier"]);
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
        assert!(said.err.contains("db1 does not run, so nothing can be captured of it"), "{said:?}");
        assert!(!labs.program.scratch().join("no.pcap").exists());
    }
}

/// tcpdump gives up root's ids before it captures, also for root's own: the kernel lets nobody where only one id is mapped.
#[test]
fn where_there_is_one_user_id_tcpdump_fails_and_a_capture_shows_the_packets() {
    // To nobody ids are granted but by root, and this user no account has.
    if !program::is_root_or_skipped() {
        return;
    }
    let labs = Labs::of(User::Unused(7));
    labs.ok(&["up", "example:two-tier"]);
    let seconds = patience(20).as_secs().to_string();
    for more in [&[][..], &["-Z", "root"]] {
        let words = [&["exec", "web1", "--", "timeout", &seconds, "tcpdump", "-ni", "any", "-c", "1"], more].concat();
        let said = labs.say(&words);
        assert!(said.code == Some(1) && said.err.contains("Couldn't change to"), "{said:?}");
    }
    let doctor = labs.ok(&["doctor"]);
    assert!(doctor.contains("tcpdump) need several") && doctor.contains("`sglab capture web1 | tcpdump"), "{doctor}");
    let mut child = labs.command(&["capture", "web1", "-w", "web1.pcap"]).spawn().expect("the program");
    let mut said = BufReader::new(child.stderr.take().expect("its errors")).lines();
    assert!(said.next().expect("a word").unwrap().starts_with("capturing what web1"));
    labs.ok(&["probe", "web1", "db1:3306"]);
    kill(Pid::from_raw(child.id() as i32), Signal::SIGINT).expect("a process");
    assert!(child.wait().expect("its end").success());
    let output =
        labs.program.dress(labs.user, std::process::Command::new("tcpdump"), &["-n", "-r", "web1.pcap"]).output();
    let packets = String::from_utf8(output.expect("tcpdump").stdout).unwrap();
    assert!(packets.contains("10.0.0.13.3306: Flags [S]"), "{packets}");
}
