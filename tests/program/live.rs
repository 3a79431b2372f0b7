//! A lab that stays up, looked at: what packets met, what happened, the cloud as a file, its log.

use std::io::{BufRead, BufReader};
use std::os::unix::net::UnixStream;
use std::process::{Child, ChildStdout};

use crate::labs::Labs;
use crate::program::{self, User, users};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use sglab::protocol::{self, Envelope, MAX_REPLY, MAX_REQUEST, Reply, Request, VERSION};

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
fn a_probe_of_who_does_not_run_says_so() {
    let labs = Labs::of(User::Ours);
    let file = labs.program.scratch().join("down.yaml");
    let text = "sglab: 1\nera: article\nhosts: {office: 203.0.113.10}\ngroups: {N: [tcp 80 from anywhere]}\n\
                instances: {web: {groups: N}, app: {groups: N}, gone: {groups: N}}\n\
                scenario: [{step: s, do: [{stop: web}, {crash: gone}], expect: {unreachable: ['any -> web:80', 'app -> gone:80']}}]\n";
    std::fs::write(&file, text).expect("written");
    labs.ok(&["up", "down.yaml", "--step", "1"]);
    for (from, to, said) in [
        ("app", "web:80", "unreachable  web is stopped\n"),
        ("office", "web:80", "unreachable  web is stopped\n"),
        ("app", "gone:80", "unreachable  gone has crashed\n"),
    ] {
        let told = labs.ok(&["probe", from, to]);
        assert_eq!(told, format!("{from} -> {to}  {said}"));
    }
    let told = labs.ok(&["explain", "app", "web:80"]);
    assert!(told.contains("  found      unreachable: web is stopped\n"), "{told}");
    labs.ok(&["start", "web"]);
    assert!(labs.ok(&["probe", "app", "web:80"]).starts_with("app -> web:80  open  "));
}

/// As of a file, and by prediction: a probe sends one way.
#[test]
fn explain_on_a_lab_tells_what_two_ends_come_to_where_both_send() {
    let labs = Labs::of(User::Ours);
    let file = labs.program.scratch().join("peers.yaml");
    let text = "sglab: 1\nera: vpc\nhosts: {office: 203.0.113.10}\ngroups: {A: [], B: [udp 500 from office]}\n\
                instances: {a: {groups: A}, b: {groups: B}}\n\
                scenario: [{step: s, expect: {dropped: ['a -> b:500/udp']}}]\n";
    std::fs::write(&file, text).expect("written");
    labs.ok(&["up", "peers.yaml"]);
    for flow in ["a:4500 <-> b:500/udp", "b <-> a:47/udp", "a <-> b:protocol 47", "office <-> b:500/udp"] {
        let of_file = labs.ok(&["explain", "peers.yaml", flow]);
        let (_, expected) = of_file.split_once("   where both send\n").expect(&of_file);
        let told = labs.ok(&["explain", flow]);
        let (ways, together) = told.split_once("   where both send\n").expect(&told);
        assert_eq!(together, format!("{expected}  by prediction: a probe sends one way\n"), "{flow}");
        assert_eq!(ways.matches("as predicted\n").count(), 2, "{told}");
    }
    let told = labs.ok(&["explain", "a:4500 <-> b:500/udp", "--format", "json"]);
    let told: Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!(told[0].get("together"), None, "{told}");
    assert_eq!(told[1]["together"]["predicted"]["meet"], true, "{told}");
    // One way alone, and what is not sent from fixed ports.
    for flow in ["a -> b:500/udp", "a <-> b:80"] {
        assert!(!labs.ok(&["explain", flow]).contains("where both send"), "{flow}");
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
fn an_exported_load_balancer_has_whom_it_had_behind_it_and_closes_what_it_closed() {
    let labs = Labs::of(User::Ours);
    for example in ["behind-a-load-balancer-the-client-is-gone", "behind-a-load-balancer-in-classic"] {
        labs.ok(&["up", &format!("example:gotchas/{example}"), "--name", "first"]);
        for (file, closes) in [("closing.yaml", true), ("serving.yaml", false)] {
            if !closes {
                labs.ok(&["authorize", "WEB", "tcp 80 from anywhere"]);
            }
            labs.ok(&["export", "--name", "first", "-o", file]);
            let text = std::fs::read_to_string(labs.program.scratch().join(file)).unwrap();
            assert!(text.contains("closed: [") == closes && text.contains("targets: [web1, web2]"), "{text}");
            let tested = labs.ok(&["test", file]);
            assert!(tested.contains("PASSED"), "{tested}\n{text}");
            std::fs::remove_file(labs.program.scratch().join(file)).unwrap();
        }
        labs.ok(&["down", "--all"]);
    }
}

#[test]
fn a_lab_tells_who_is_in_service_behind_a_load_balancer_and_which_group_dropped_the_health_check() {
    let labs = Labs::of(User::Ours);
    labs.ok(&["up", "example:gotchas/behind-a-load-balancer-the-client-is-gone"]);
    let why = "no rule of WEB admits tcp 80 from lb (10.0.0.13)";
    let state: Value = serde_json::from_str(&labs.ok(&["state", "--format", "json"])).expect("JSON");
    let balancer = &state["load_balancers"][0];
    assert_eq!((&balancer["name"], &balancer["scheme"]), (&"lb".into(), &"internet-facing".into()), "{state}");
    assert_eq!(balancer["dns_name"], "lb.us-east-1.elb.amazonaws.com");
    let target = &balancer["targets"][0];
    assert_eq!((&target["instance"], &target["state"]), (&"web1".into(), &"OutOfService".into()), "{balancer}");
    assert_eq!(target["reason_code"], "Instance");
    let said = "Instance has failed at least the UnhealthyThreshold number of health checks consecutively.";
    assert_eq!((&target["description"], &target["cause"]), (&said.into(), &why.into()));
    let ps = labs.ok(&["ps"]);
    assert!(ps.contains("lb.us-east-1.elb.amazonaws.com  tcp 80\n"), "{ps}");
    assert!(ps.contains("web1  OutOfService  10.0.0.11\n") && ps.contains(why), "{ps}");
    assert!(ps.lines().skip(1).all(|line| line.chars().count() <= 80), "{ps}");
    // The letters are those of `sglab test`.
    let matrix = labs.ok(&["matrix", "--ports", "tcp 80"]);
    assert!(matrix.contains("c closed") && matrix.contains(why), "{matrix}");
    let row = matrix.lines().find(|line| line.starts_with("office")).expect("a row");
    assert!(row.trim_end().ends_with('c'), "{matrix}");
    let told = labs.ok(&["explain", "office", "lb:80"]);
    assert!(told.contains(&format!("behind it  web1 fails its health check: {why}\n")), "{told}");
    assert!(told.contains("- authorize: {WEB: [tcp 80 from ELB]}"), "{told}");
    assert!(told.contains("; but lb closes it, as no instance behind it is in service\n"), "{told}");
    assert!(told.contains("found      closed: lb closed it") && told.ends_with("as predicted\n"), "{told}");
    // What it says would bring them into service does.
    labs.ok(&["authorize", "WEB", "tcp 80 from ELB"]);
    assert!(labs.ok(&["probe", "office", "lb:80"]).contains("  open  "));
    let state: Value = serde_json::from_str(&labs.ok(&["state", "--format", "json"])).expect("JSON");
    let states: Vec<_> =
        state["load_balancers"][0]["targets"].as_array().unwrap().iter().map(|it| &it["state"]).collect();
    assert_eq!(states, ["InService", "InService"]);
    assert!(labs.ok(&["matrix", "--ports", "tcp 80"]).contains("web2  InService     10.0.0.12\n"));
}

/// Of programs nothing is known before they are asked: the words leave it open, and what the health checks have found says why.
#[test]
fn behind_a_load_balancer_where_nobody_listens_it_is_said_why_it_closes() {
    let labs = Labs::of(User::Ours);
    let file = labs.program.scratch().join("behind.yaml");
    let text = "sglab: 1
era: vpc
hosts: {customer: 203.0.113.7}
groups: {LB: [tcp 80 from anywhere], WEB: [tcp 8080 from LB]}
load-balancers:
  site: {groups: LB, listeners: [tcp 80 to 8080], targets: [web1], health-check: {port: 8080, interval: 0.1, unhealthy: 2, healthy: 2}}
instances: {web1: {groups: WEB}}
scenario: [{step: s, expect: {dropped: ['customer -> web1:8080']}}]
";
    std::fs::write(&file, text).expect("written");
    labs.ok(&["up", "behind.yaml"]);
    let why = "web1 fails its health check: 10.0.0.11:8080: refused";
    let told = labs.ok(&["explain", "customer", "site:80"]);
    let head = "open, by LB \"tcp 80 from anywhere\", if a program of web1 listens on tcp 8080; site closes it where nobody \
                behind it does\n";
    assert!(told.contains(head), "{told}");
    let found = told.lines().find(|line| line.starts_with("  found ")).expect("found");
    assert!(found.contains("closed: site closed it") && found.contains(why), "{told}");
    assert!(told.ends_with("as predicted\n"), "{told}");
    let probed = labs.ok(&["probe", "customer", "site:80"]);
    assert!(probed.contains("  closed  ") && probed.contains(why), "{probed}");
}

/// As `sglab test` has it: what is let in is open, whoever listens there or not. Who is in service its health check says.
#[test]
fn behind_a_listener_on_another_port_the_harness_answers_where_no_program_does() {
    let labs = Labs::of(User::Ours);
    let file = labs.program.scratch().join("mixed.yaml");
    let text = "sglab: 1
era: vpc
hosts: {office: 203.0.113.10}
groups: {LB: [tcp 81 from anywhere], WEB: [tcp 8080 from LB, tcp 80 from LB]}
load-balancers:
  site: {groups: LB, listeners: [tcp 81 to 8080], targets: [w1, w2], health-check: {port: 80, interval: 0.1, timeout: 1, unhealthy: 2, healthy: 2}}
instances: {w1: {groups: WEB, listens: tcp 80}, w2: {groups: WEB, listens: tcp 80}}
scenario: [{step: s, expect: {open: ['office -> site:81']}}]
";
    std::fs::write(&file, text).expect("written");
    assert!(labs.ok(&["test", "mixed.yaml"]).contains("1 cell: 1 open"));
    labs.ok(&["up", "mixed.yaml"]);
    let probed = labs.ok(&["probe", "office", "site:81"]);
    assert!(probed.starts_with("office -> site:81  open  "), "{probed}");
    let told = labs.ok(&["explain", "office", "site:81"]);
    assert!(told.contains("open, by LB \"tcp 81 from anywhere\"\n"), "{told}");
    assert!(told.contains("  found      open\n") && told.ends_with("as predicted\n"), "{told}");
    // A program that holds the port keeps it, and what is passed on to it is proved by the filter's record.
    let serve = "my $s = IO::Socket::INET->new(LocalPort => 8080, Listen => 9) or die; print qq(up\\n); close STDOUT; \
                 while (my $c = $s->accept) { close $c }";
    let mut program = labs.command(&["exec", "w1", "--", "perl", "-MIO::Socket::INET", "-e", serve]);
    let mut program = program.stdout(std::process::Stdio::piped()).spawn().expect("a program");
    let up = BufReader::new(program.stdout.take().expect("its output")).lines().next();
    assert_eq!(up.expect("a line").expect("text"), "up");
    for _ in 0..2 {
        assert!(labs.ok(&["probe", "office", "site:81"]).starts_with("office -> site:81  open  "));
    }
    drop(program.kill());
    drop(program.wait());
}

#[test]
fn a_load_balancer_that_faces_the_internet_is_its_public_address_in_hosts_file_resolver_and_probes() {
    let labs = Labs::of(User::Ours);
    labs.ok(&["up", "example:gotchas/an-internet-facing-load-balancer-from-inside"]);
    let state: Value = serde_json::from_str(&labs.ok(&["state", "--format", "json"])).expect("JSON");
    let address = |number: usize, kind: &str| state["load_balancers"][number][kind].as_str().map(str::to_owned);
    let (public, private) = (address(0, "public").expect("an address"), address(1, "private").expect("an address"));
    assert_eq!(address(1, "public"), None, "{state}");
    for (name, address) in [
        ("lb", &public),
        ("lb.us-east-1.elb.amazonaws.com", &public),
        ("within", &private),
        ("internal-within.us-east-1.elb.amazonaws.com", &private),
    ] {
        let known = labs.ok(&["exec", "app", "--", "getent", "ahostsv4", name]);
        assert!(known.starts_with(&format!("{address} ")), "{name}: {known}");
    }
    let dropped = labs.ok(&["probe", "app", "lb:80"]);
    assert!(dropped.starts_with("app -> lb:80  dropped  no rule of ELB admits "), "{dropped}");
    assert!(dropped.contains("the name of lb means its public address, inside as well"), "{dropped}");
    let private = labs.ok(&["probe", "app", "lb:80", "--by", "private"]);
    assert!(private.starts_with("app -> lb:80 by private address  open  "), "{private}");
    let told = labs.ok(&["explain", "app", "lb:80"]);
    assert!(told.contains("lb.us-east-1.elb.amazonaws.com means that address inside as well"), "{told}");
    let rule = told.find("- authorize: {ELB: [tcp 80 from app.public]}").expect("a rule");
    let internal = told.find("make lb internal (`scheme: internal`), `app -> lb:80`").expect("another scheme");
    assert!(rule < internal && told.ends_with("as predicted\n"), "{told}");
    assert!(!told.contains("use the private address"), "{told}");
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
    for more in [&[][..], &["-Z", "root"]] {
        let words = [&["exec", "web1", "--", "timeout", "20", "tcpdump", "-ni", "any", "-c", "1"], more].concat();
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

#[test]
fn a_shell_is_offered_the_names_of_the_lab_that_is_up() {
    let labs = Labs::of(User::Ours);
    let script = labs.ok(&["completions", "bash"]);
    std::fs::write(labs.program.scratch().join("completions"), script).unwrap();
    // As bash does it for `sglab WORDS<tab>`.
    let offered = |words: &[&str]| {
        let program = labs.program.path();
        let place = program.parent().unwrap().display().to_string();
        let all = [&["sglab"], words].concat();
        let quoted: Vec<String> = all.iter().map(|word| format!("'{word}'")).collect();
        let line = format!(
            "PATH={place}:$PATH; . ./completions; COMP_WORDS=({}); COMP_CWORD={}; COMP_TYPE=9; \
             _clap_complete_sglab sglab '{}' ''; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            quoted.join(" "),
            all.len() - 1,
            all.last().unwrap(),
        );
        let mut bash = labs.program.dress(User::Ours, std::process::Command::new("bash"), &["-c", &line]);
        let output = bash.env("SGLAB_RUNTIME_DIR", labs.folder()).output().expect("bash");
        String::from_utf8(output.stdout).unwrap().lines().map(|line| line.trim().to_owned()).collect::<Vec<_>>()
    };
    assert!(offered(&["stop", "we"]).iter().all(|word| !word.starts_with("web")), "none is up");
    labs.ok(&["up", "example:two-tier"]);
    assert_eq!(offered(&["stop", "we"]), ["web1", "web2"]);
    assert_eq!(offered(&["authorize", "SG-T-"]), ["SG-T-WEB", "SG-T-DB", "SG-T-ADMIN"]);
    assert_eq!(offered(&["probe", "off"]), ["office"]);
    assert_eq!(offered(&["exec", "off"]), ["office"]);
    assert_eq!(offered(&["exec", "db"]), ["db1", "db2"]);
    assert_eq!(offered(&["probe", "web1", "db2"]), ["db2:"]);
    assert_eq!(offered(&["down", "two"]), ["two-tier"]);
    labs.ok(&["launch", "late", "--group", "SG-T-DB"]);
    assert_eq!(offered(&["explain", "la"]), ["late"]);
    assert_eq!(offered(&["matri"]), ["matrix"]);
    labs.ok(&["down"]);
    // A load balancer is an end of flows, and no instance that could be stopped.
    labs.ok(&["up", "example:gotchas/a-load-balancer-target-on-a-new-address"]);
    assert_eq!(offered(&["probe", "lb"]), ["lb"]);
    assert_eq!(offered(&["probe", "web1", "lb"]), ["lb:"]);
    assert_eq!(offered(&["explain", "web1", "lb"]), ["lb:"]);
    assert!(!offered(&["stop", "lb"]).contains(&"lb".to_owned()));
}

/// What a lab answers to bytes, until it closes.
fn answers(labs: &Labs, bytes: &[u8]) -> Vec<Reply> {
    let answer = labs.raw("two-tier", bytes);
    let mut rest = answer.as_slice();
    std::iter::from_fn(|| protocol::read::<Reply>(&mut rest, MAX_REPLY).ok()).collect()
}

fn framed(text: &str) -> Vec<u8> {
    [&u32::try_from(text.len()).unwrap().to_be_bytes(), text.as_bytes()].concat()
}

#[test]
fn whatever_is_asked_wrongly_at_the_socket_is_an_error_and_the_lab_is_unharmed() {
    let labs = Labs::of(User::Ours);
    labs.ok(&["up", "example:two-tier"]);
    let ask = |request: &str| answers(&labs, &framed(&format!("{{\"sglab\":2,\"request\":{request}}}")));
    let flow = |from: &str, to: &str| {
        let ends = [("from", from), ("to", to)].map(|(end, name)| format!("\"{end}\":{{\"instance\":\"{name}\"}}"));
        format!("{{{},\"via\":\"private\",\"service\":\"tcp 22\"}}", ends.join(","))
    };
    let probe = |flows: &str| format!("{{\"probe\":{{\"flows\":[{flows}],\"details\":\"records\"}}}}");
    let apply = |operation: &str| format!("{{\"apply\":{{\"operations\":[{operation}]}}}}");
    let nested = apply(&"[".repeat(100_000));
    for (request, wanted) in [
        // Nobody sends, and nobody is asked: nothing is proved, and nothing breaks.
        (probe(&flow("nobody", "db1")), "Probed([Probed { flow: Flow { from: Instance(\"nobody\")"),
        (
            probe(&flow("web1", "nobody")),
            "Probed([Probed { flow: Flow { from: Instance(\"web1\"), to: Instance(\"nobody\")",
        ),
        (probe(&flow("web1", "../db1")), "Failed"),
        (probe(&flow("web1", "db1").replace("tcp 22", "tcp 0")), "Failed"),
        (probe(&flow("web1", "db1").replace("tcp 22", "tcp 99999")), "Failed"),
        (probe(&flow("web1", "db1").replace("private", "post")), "Failed"),
        (probe("\"web1 -> db1:22\""), "Failed"),
        ("{\"probe\":{\"flows\":[],\"details\":\"none\",\"at\":7}}".to_owned(), "Stale(Revision(0))"),
        ("{\"apply\":{\"operations\":[{\"stop\":\"web1\"}],\"at\":7}}".to_owned(), "Stale(Revision(0))"),
        (apply("{\"stop\":\"web1; flush ruleset\"}"), "Failed"),
        (apply("{\"stop\":\"nobody\"}"), "Refused"),
        (
            apply("{\"create-group\":{\"name\":\"X\",\"vpc\":\"nobody\",\"description\":null,\"place\":null}}"),
            "Refused",
        ),
        ("{\"capture\":{\"instance\":\"../../etc\"}}".to_owned(), "Failed"),
        ("{\"capture\":{\"instance\":\"\"}}".to_owned(), "Failed"),
        ("{\"capture\":{\"instance\":\"internet\"}}".to_owned(), "Invalid"),
        ("{\"capture\":{}}".to_owned(), "Failed"),
        ("{\"events\":{\"follow\":\"yes\"}}".to_owned(), "Failed"),
        ("{\"flow-logs\":{\"follow\":1}}".to_owned(), "Failed"),
        ("{\"changes\":1}".to_owned(), "Failed"),
        ("{\"matrix\":{\"ports\":[],\"by\":[]}}".to_owned(), "Failed"),
        ("[\"state\"]".to_owned(), "Failed"),
        ("null".to_owned(), "Failed"),
        (nested, "Failed"),
    ] {
        let shown = &request[..request.len().min(60)];
        let told = ask(&request);
        assert_eq!(told.len(), 1, "{shown}: {told:?}");
        assert!(format!("{:?}", told[0]).starts_with(wanted), "{shown}: {:?}", told[0]);
    }
    // Largest and too large, deeply nested, of no version, and not even JSON's characters.
    for (bytes, wanted) in [
        (framed(&"x".repeat(MAX_REQUEST)), "no message of the protocol"),
        ((MAX_REQUEST as u32 + 1).to_be_bytes().to_vec(), "1048576 are the most"),
        (framed(&"[".repeat(MAX_REQUEST)), "no message of the protocol"),
        (framed("{\"request\":\"state\"}"), "no message of the protocol"),
        (framed("{\"sglab\":-1,\"request\":\"state\"}"), "no message of the protocol"),
        (framed("{\"sglab\":1,\"request\":{\"new\":1}}"), "version 2"),
        (framed(""), "no message of the protocol"),
        ([&8u32.to_be_bytes()[..], &[0xff; 8]].concat(), "no message of the protocol"),
        (1000u32.to_be_bytes().to_vec(), "cut short"),
    ] {
        match answers(&labs, &bytes).as_slice() {
            [Reply::Failed(why)] => assert!(why.contains(wanted), "{wanted}: {why}"),
            other => panic!("{wanted}: {other:?}"),
        }
    }
    // Who follows and says more than was asked is let go.
    let more = [framed("{\"sglab\":2,\"request\":\"changes\"}"), vec![b'x'; 100]].concat();
    assert!(matches!(answers(&labs, &more).as_slice(), [Reply::State(_)]));
    // Those who connect and say nothing keep nobody out.
    let silent: Vec<UnixStream> = (0..100).map(|_| UnixStream::connect(labs.socket("two-tier")).unwrap()).collect();
    assert!(labs.ok(&["probe", "web1", "db1:3306"]).contains("  open  "));
    drop(silent);
    assert_eq!(labs.states()[0]["instances"].as_array().unwrap().len(), 4);
}

#[test]
fn bad_words_on_every_command_are_exit_code_2_with_a_reason() {
    let labs = Labs::of(User::Ours);
    labs.ok(&["up", "example:two-tier"]);
    for (words, wanted) in [
        (&["explain", "web1", "db9:22"][..], "did you mean `db1`?"),
        (&["explain", "web1", "db1:port"], "^"),
        (&["explain", "web1", "db1:22", "--by", "post"], "invalid value 'post'"),
        (&["matrix", "--ports", "tcp"], "^"),
        (&["capture", "web9", "-w", "x.pcap"], "there is no instance `web9`; did you mean `web1`?"),
        (&["capture"], "<INSTANCE>"),
        (&["capture", "web1", "-w", "/no/such/folder/x.pcap"], "failed to open /no/such/folder/x.pcap"),
        (&["flow-logs", "--format", ""], "at least one field"),
        (&["events", "--format", "xml"], "invalid value 'xml'"),
        (&["logs", "nobody"], "no log of a lab named `nobody`"),
        (&["export", "-o", "/no/such/folder/x.yaml"], "failed to write /no/such/folder/x.yaml"),
        (&["export", "--name", "nobody"], "no lab named `nobody` is up; there is two-tier"),
        (&["render", "--name", "nobody"], "no lab named `nobody` is up"),
        (&["up", "example:two-tier", "--name", "b", "--aggregation", "0"], "0 is not in 1..=600"),
        (&["up", "example:two-tier", "--name", "b", "--flow-logs-format", "srcaddr"], "--flow-logs <FILE>"),
        (&["up", "example:two-tier", "--name", "b", "--flow-logs", "/no/such/folder/x"], "failed to open"),
    ] {
        let said = labs.say(words);
        assert_eq!(said.code, Some(2), "{words:?}: {said:?}");
        assert!(said.err.contains(wanted), "{words:?}: {said:?}");
    }
    assert_eq!(labs.states().len(), 1);
}

/// The keys of a document, but for those of what is documented elsewhere.
fn keys(value: &Value, all: &mut std::collections::BTreeSet<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| keys(item, all)),
        Value::Object(entries) => {
            for (key, value) in entries {
                all.insert(key.clone());
                if key != "predicted" {
                    keys(value, all);
                }
            }
        }
        _ => {}
    }
}

#[test]
fn every_key_that_a_lab_s_commands_print_is_documented_in_one_place() {
    let docs = include_str!("../../docs/output.md");
    let (_, section) = docs.split_once("### Labs that stay up\n").expect("a section");
    let section = section.split("\n### ").next().expect("its text");
    let labs = Labs::of(User::Ours);
    labs.ok(&["up", "example:gotchas/behind-a-load-balancer-the-client-is-gone", "--name", "balanced"]);
    let mounts = "sglab: 1\nera: vpc\ngroups: {WEB: [tcp 80 from WEB]}\ninstances:\n  web1: {groups: WEB, mounts: {/srv/own: empty}, \
                  services: {sleeper: {command: [sleep, infinity]}}}\n  web2: {groups: WEB}\n";
    std::fs::write(labs.program.scratch().join("mounts.yaml"), mounts).expect("written");
    labs.ok(&["up", "mounts.yaml", "--name", "mounts"]);
    for words in [
        &["ps"][..],
        &["state", "--name", "mounts"],
        &["stop", "web2", "--name", "mounts"],
        &["start", "web2", "nope", "--name", "mounts"],
        &["start", "web2", "--name", "mounts"],
        &["probe", "web1", "web2:80", "--name", "mounts"],
        &["matrix", "--name", "balanced"],
        &["explain", "web1", "web2:81", "--name", "mounts"],
        &["explain", "web1 <-> web2:500/udp", "--name", "mounts"],
        &["flow-logs", "--name", "mounts"],
        &["events", "--name", "mounts"],
    ] {
        let said = labs.say(&[words, &["--format", "json"][..]].concat());
        let mut found = std::collections::BTreeSet::new();
        let documents = serde_json::Deserializer::from_str(&said.out).into_iter::<Value>();
        documents.for_each(|document| keys(&document.expect("JSON"), &mut found));
        assert!(!found.is_empty(), "{words:?}: {said:?}");
        for key in found {
            let is_told = [format!("`{key}`"), format!("`{key}[]`")].iter().any(|word| section.contains(word));
            assert!(is_told, "{words:?} prints `{key}`, of which docs/output.md says nothing");
        }
    }
}
