//! Labs that stay up, from outside: the commands, the socket, and what is left when one ends.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::endurance::{self, Until, Workload};
use crate::labs::Labs;
use crate::patience::patience;
use crate::program::{self, User, json, users, write};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sglab::model::{CreateGroup, GroupName, Operation, VpcName};
use sglab::protocol::{self, Envelope, MAX_REPLY, MAX_REQUEST, Reply, Request, VERSION};

fn failed(answer: &[u8]) -> String {
    match protocol::read::<Reply>(&mut &answer[..], MAX_REPLY) {
        Ok(Reply::Failed(failure)) => failure.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_lab_comes_up_is_changed_and_probed_and_goes_down() {
    for user in users() {
        let labs = Labs::of(*user);
        let up = labs.ok(&["up", "example:two-tier"]);
        assert!(up.starts_with("two-tier is up, era article, 4 instances"), "{up}");
        assert!(labs.ok(&["probe", "web1", "db1:3306"]).contains("  open  by SG-T-DB"));
        let stopped = labs.ok(&["stop", "web1"]);
        assert!(stopped.contains("web1 running -> stopped\n  web1 private 10.0.0.11 -> none"), "{stopped}");
        assert!(labs.ok(&["start", "web1"]).contains("web1 private none -> 10.0.0.15"));
        assert!(labs.ok(&["probe", "web1", "db1:3306"]).contains("  open  by SG-T-DB"), "the group follows web1");
        assert!(labs.ok(&["probe", "world", "db1:3306"]).contains("  dropped  "));
        labs.ok(&["authorize", "SG-T-DB", "tcp 3306 from world"]);
        assert!(labs.ok(&["probe", "world", "db1:3306"]).contains("  open  by SG-T-DB \"tcp 3306 from world\""));
        let state = &labs.states()[0]["instances"][0];
        assert_eq!((state["name"].as_str(), state["state"].as_str()), (Some("web1"), Some("running")));
        assert_eq!(labs.ok(&["down"]), "two-tier is down\n");
        assert_eq!(labs.ok(&["ps"]), "no lab is up\n");
        assert!(!labs.socket("two-tier").exists());
    }
}

#[test]
fn ec2_refuses_in_its_own_words_and_nothing_has_changed() {
    let labs = Labs::of(User::Ours);
    labs.ok(&["up", "example:two-tier"]);
    let before = labs.states()[0]["instances"].clone();
    let refused = labs.say(&["set-groups", "web1", "SG-T-WEB"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.err.starts_with("refused: IncorrectInstanceState: "), "{refused:?}");
    let refused = labs.say(&["stop", "web9"]);
    assert_eq!(
        refused.err,
        "refused: InvalidInstanceID.NotFound: The instance ID 'web9' does not exist\n         \
         did you mean `web1`? there are web1, web2, db1, db2\n"
    );
    // The group whose rules are meant is a group; who is named by a rule may be a host.
    let refused = labs.say(&["authorize", "SG-T-WEBX", "tcp 81 from office"]);
    assert!(refused.err.contains("did you mean `SG-T-WEB`?") && !refused.err.contains("office"), "{refused:?}");
    let now = labs.states()[0]["instances"].clone();
    for (before, now) in before.as_array().unwrap().iter().zip(now.as_array().unwrap()) {
        assert_eq!((&before["name"], &before["interfaces"]), (&now["name"], &now["interfaces"]));
    }
}

/// Wrong from the second on: before, what comes first was done.
const REFUSED: &[(&[&str], &str)] = &[
    (&["stop", "web1", "nope"], "InvalidInstanceID.NotFound"),
    (&["start", "web1", "nope"], "InvalidInstanceID.NotFound"),
    (&["reboot", "web1", "nope"], "InvalidInstanceID.NotFound"),
    (&["crash", "web1", "nope"], "InvalidInstanceID.NotFound"),
    (&["terminate", "web1", "nope"], "InvalidInstanceID.NotFound"),
    (&["delete-group", "SPARE", "WEB"], "DependencyViolation"),
    (&["create-group", "NEW", "tcp 80 from many"], "RulesPerSecurityGroupLimitExceeded"),
    (&["allocate-address", "new", "eip"], "InvalidParameterValue"),
    (&["release-address", "eip", "nope"], "InvalidAllocationID.NotFound"),
    (&["authorize", "DB", "tcp 22 from office", "tcp 80 from office"], "InvalidPermission.Duplicate"),
    (&["apply", "[{stop: web1}, {launch: {new: {groups: WEB}}}, {start: nope}]"], "InvalidInstanceID.NotFound"),
];

const SPARE: &str = "sglab: 1\nera: vpc\nhosts: {office: 203.0.113.10}\nelastic-ips: [eip]\n\
    prefix-lists: {many: {entries: [192.0.2.0/24], max-entries: 100}}\n\
    groups: {WEB: [tcp 80 from anywhere], DB: [tcp 80 from office], SPARE: []}\n\
    instances: {web1: {groups: WEB}, db1: {groups: DB}}\n";

#[test]
fn what_is_refused_in_part_is_refused_whole_and_told_as_json_where_that_is_asked_for() {
    let labs = Labs::of(User::Ours);
    write(&labs.program, "spare.yaml", SPARE);
    labs.ok(&["up", "spare.yaml"]);
    let before = labs.ok(&["export"]);
    for (words, code) in REFUSED {
        let said = labs.say(words);
        let is_name = code.ends_with(".NotFound");
        assert_eq!(said.code, Some(if is_name { 2 } else { 1 }), "{words:?}: {said:?}");
        assert!(said.out.is_empty() && said.err.contains(&format!("refused: {code}: ")), "{words:?}: {said:?}");
        assert_eq!(labs.ok(&["export"]), before, "{words:?}");
        let said = labs.say(&[words, &["--format", "json"][..]].concat());
        assert!(said.err.is_empty(), "{words:?}: {said:?}");
        let refused = &json(&said.out)["refused"];
        assert_eq!(refused["code"], *code, "{words:?}: {said:?}");
        for key in ["operation", "subject", "message"] {
            assert!(refused[key].as_str().is_some_and(|text| !text.is_empty()), "{key}: {said:?}");
        }
    }
    let said = labs.say(&["terminate", "web", "db1", "bd1", "--format", "json"]);
    let refused = &json(&said.out)["refused"];
    assert_eq!(refused["subject"], "web, bd1");
    assert_eq!(refused["did_you_mean"], serde_json::json!(["web1", "db1"]));
    assert_eq!(refused["message"], "The instance IDs 'web, bd1' do not exist");
    assert_eq!(labs.ok(&["export"]), before);
}

#[test]
fn what_names_no_group_goes_into_the_default_group_that_a_vpc_always_has() {
    let labs = Labs::of(User::Ours);
    write(&labs.program, "spare.yaml", SPARE);
    labs.ok(&["up", "spare.yaml"]);
    assert!(!labs.ok(&["export"]).contains("default"), "it is there once it is named");
    labs.ok(&["launch", "a"]);
    labs.ok(&["launch", "b", "--group", "default"]);
    assert!(labs.ok(&["probe", "a", "b:80"]).contains("  open  by default"), "its members trust each other");
    assert!(labs.ok(&["probe", "office", "b:80"]).contains("  dropped  "));
    labs.ok(&["authorize", "default", "tcp 80 from office"]);
    assert!(labs.ok(&["probe", "office", "b:80"]).contains("  open  by default"));
    labs.ok(&["export", "-o", "now.yaml"]);
    assert!(labs.ok(&["test", "now.yaml"]).contains("PASSED"));
    let said = labs.say(&["delete-group", "default"]);
    assert!(said.err.starts_with("refused: CannotDelete"), "{said:?}");
}

#[test]
fn bad_words_are_told_with_their_place_and_exit_code_2() {
    let labs = Labs::of(User::Ours);
    labs.ok(&["up", "example:two-tier"]);
    let said = labs.say(&["authorize", "SG-T-DB", "tcpp 3306 from web1.private"]);
    assert_eq!(said.code, Some(2));
    assert!(said.err.contains("^^^^ did you mean `tcp`?"), "{said:?}");
    let said = labs.say(&["probe", "web1", "db9:3306"]);
    assert_eq!(said.code, Some(2));
    assert!(said.err.contains("did you mean `db1`?"), "{said:?}");
}

/// Wrong words for each command that needs a lab: what a shell may well pass on.
const WRONG: &[&[&str]] = &[
    &["launch", "we b"],
    &["launch", "web1"],
    &["launch", "x", "--group", "NOPE"],
    &["launch", "x", "--address", "999.1.1.1"],
    &["stop", "\u{1b}[31mweb1"],
    &["start", ""],
    &["reboot", "web1 web2"],
    &["crash", "'"],
    &["terminate", "{web1: web2}"],
    &["authorize", "SG-T-DB", ""],
    &["authorize", "SG-T-DB", "tcp 99999 from anywhere"],
    &["revoke", "SG-T-DB", "tcp 80 form anywhere"],
    &["create-group", "*"],
    &["delete-group", "\u{202e}"],
    &["set-groups", "nope", "SG-T-WEB"],
    &["register-instances", "nope", "web1"],
    &["attach-interface", "nope", "eth1", "--group", "SG-T-WEB"],
    &["allocate-address", "a.b"],
    &["associate-address", "", "web1"],
    &["disassociate-address", "[]"],
    &["release-address", "a\nb"],
    &["attach-interface", "web1", "ethx", "--group", "SG-T-DB"],
    &["detach-interface", "web1.eth0.eth1"],
    &["source-dest-check", "web1", "maybe"],
    &["edit-prefix-list", "nope", "--add", "1.2.3"],
    &["apply", "{"],
    &["apply", ""],
    &["apply", "[{stop: web1}, {fly: web1}]"],
    &["apply", "[{stop: web1}, {open: {session: 'web1 -> db1:3306'}}]"],
    &["probe", "web1", "db1:0"],
    &["probe", "\u{1b}]0;x\u{7}", "db1:1"],
    &["explain", "web1", "nope:1"],
    &["matrix", "--ports", "x"],
    &["exec", "nope", "--", "true"],
    &["export", "-o", "/nope/x"],
    &["events", "--format", "x"],
    &["capture", "nope"],
    &["flow-logs", "--format", "${x}"],
    &["logs", "../x"],
    &["state", "--name", "nope"],
    &["down", "nope"],
];

#[test]
fn every_command_says_what_is_wrong_with_its_words_and_leaves_the_lab_alone() {
    let labs = Labs::of(User::Ours);
    labs.ok(&["up", "example:two-tier"]);
    let before = labs.ok(&["export"]);
    for words in WRONG {
        let said = labs.say(words);
        assert_eq!(said.code, Some(2), "{words:?}: {said:?}");
        let is_told = ["error: ", "refused: "].iter().any(|word| said.err.starts_with(word));
        assert!(said.out.is_empty() && is_told, "{words:?}: {said:?}");
        assert!(!said.err.chars().any(|it| it.is_control() && it != '\n'), "{words:?}: {said:?}");
        let empty_words = said.err.contains("not an operation on the cloud") && said.err.matches("error: ").count() > 1;
        assert!(!empty_words, "{words:?} are told twice: {said:?}");
    }
    assert_eq!(labs.ok(&["export"]), before);
    assert!(labs.ok(&["probe", "web1", "db1:3306"]).contains("  open  "));
}

#[test]
fn several_labs_are_up_at_once_and_one_must_be_chosen() {
    let labs = Labs::of(User::Ours);
    labs.ok(&["up", "example:two-tier"]);
    labs.ok(&["up", "example:two-tier", "--name", "other"]);
    let said = labs.say(&["stop", "web1"]);
    assert_eq!(said.code, Some(2));
    assert_eq!(said.err, "error: several labs are up: other, two-tier; choose one with --name or SGLAB_LAB\n");
    labs.ok(&["stop", "web1", "--name", "other"]);
    let by_environment = labs.command(&["start", "web1"]).env("SGLAB_LAB", "other").output().expect("the program");
    assert!(by_environment.status.success());
    assert!(labs.ok(&["probe", "web1", "db1:3306", "--name", "two-tier"]).contains("  open  "));
    let said = labs.say(&["up", "example:two-tier"]);
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(said.err.contains("a lab named `two-tier` is up already"), "{said:?}");
}

#[test]
fn whichever_process_of_a_lab_is_killed_nothing_is_left_and_its_place_is_free() {
    for user in users() {
        let labs = Labs::of(*user);
        labs.ok(&["up", "example:two-tier"]);
        let pid = labs.pid("two-tier");
        kill(pid, Signal::SIGKILL).expect("a process to kill");
        // The lock is free once the last of its processes is gone; taking the place waits for nothing else.
        let again = loop {
            let said = labs.say(&["up", "example:two-tier"]);
            if said.code != Some(2) {
                break said;
            }
        };
        assert_eq!(again.code, Some(0), "{again:?}");
        labs.ok(&["down"]);
    }
}

#[test]
fn a_lab_that_was_killed_is_told_as_dead_until_its_name_is_cleared() {
    for user in users() {
        let labs = Labs::of(*user);
        labs.ok(&["up", "example:two-tier"]);
        let mut following = labs.command(&["events", "--follow"]).spawn().expect("the program");
        let listening = BufReader::new(following.stdout.take().expect("its output"));
        labs.ok(&["probe", "web1", "db1:3306"]);
        listening.lines().map_while(Result::ok).find(|line| line.contains("probe")).expect("an event");
        kill(labs.pid("two-tier"), Signal::SIGKILL).expect("a process to kill");
        let dead = "two-tier has died: one of its processes was killed";
        let mut told = String::new();
        following.stderr.take().expect("its errors").read_to_string(&mut told).expect("text");
        assert!(told.starts_with(&format!("error: {dead}")) && told.matches("two-tier").count() == 3, "{told}");
        assert_eq!(following.wait().expect("its end").code(), Some(2));
        labs.ok(&["up", "example:two-tier"]);
        let mut running = labs.command(&["exec", "web1", "--", "sh", "-c", "echo begun; sleep 1000"]).spawn().unwrap();
        let mut lines = BufReader::new(running.stdout.take().expect("its output")).lines();
        assert_eq!(lines.next().expect("a line").expect("text"), "begun");
        kill(labs.pid("two-tier"), Signal::SIGKILL).expect("a process to kill");
        let mut told = String::new();
        running.stderr.take().expect("its errors").read_to_string(&mut told).expect("text");
        assert!(told.starts_with(&format!("error: {dead}")) && told.lines().count() == 1, "{told}");
        running.wait().expect("its end");
        for words in [&["stop", "web1", "--name", "two-tier"][..], &["stop", "web1"], &["state", "--name", "two-tier"]]
        {
            let said = labs.say(words);
            assert!(said.code == Some(2) && said.err.contains(dead), "{said:?}");
        }
        for _ in 0..2 {
            let told = labs.ok(&["ps"]);
            assert!(told.starts_with(dead), "{told}");
            assert_eq!(labs.states()[0]["died"], true);
        }
        assert!(labs.ok(&["logs", "two-tier"]).is_empty());
        assert_eq!(labs.ok(&["down", "two-tier"]), "two-tier had died before, and is cleared\n");
        assert_eq!(labs.ok(&["ps"]), "no lab is up\n");
        // One that is asked to end, by whatever way, has not died.
        labs.ok(&["up", "example:two-tier"]);
        kill(labs.pid("two-tier"), Signal::SIGTERM).expect("a process");
        let ended = || labs.ok(&["ps"]);
        while ended().contains("era") {}
        assert_eq!(ended(), "no lab is up\n");
        labs.ok(&["up", "example:two-tier"]);
        labs.ok(&["down", "--force"]);
        assert_eq!(labs.ok(&["ps"]), "no lab is up\n");
    }
}

#[test]
fn a_boot_ends_with_whoever_waits_for_it() {
    let labs = Labs::of(User::Ours);
    let text = "sglab: 1\nera: vpc\ngroups: {WEB: []}\ninstances:\n  \
                web1: {groups: WEB, services: {slow: {command: sleep 1000, port: tcp 80, log: slow.log}}}\n";
    write(&labs.program, "slow.yaml", text);
    for signal in [Signal::SIGINT, Signal::SIGKILL] {
        let mut up = labs.command(&["up", "slow.yaml"]).spawn().expect("the program");
        // It waits for the service from then on.
        let log = labs.program.scratch().join("slow.log");
        let late = Instant::now() + patience(20);
        while !log.exists() {
            assert_eq!(up.try_wait().expect("its state"), None);
            assert!(Instant::now() < late, "the service writes its log");
            thread::sleep(Duration::from_millis(10));
        }
        kill(Pid::from_raw(up.id() as i32), signal).expect("a process");
        up.wait().expect("its end");
        let begun = Instant::now();
        while labs.ok(&["ps"]) != "no lab is up\n" {
            assert!(begun.elapsed() < patience(20), "{}", labs.ok(&["ps"]));
        }
        fs::remove_file(&log).expect("its log");
    }
    labs.ok(&["up", "example:two-tier", "--name", "slow"]);
}

#[test]
fn down_says_what_it_waits_for_and_which_process_is_stopped() {
    let labs = Labs::of(User::Ours);
    labs.ok(&["up", "example:two-tier"]);
    let pid = labs.pid("two-tier");
    kill(pid, Signal::SIGSTOP).expect("a process");
    let mut down = labs.command(&["down"]).spawn().expect("the program");
    let mut told = BufReader::new(down.stderr.take().expect("its errors")).lines();
    let line = told.next().expect("a word").expect("text");
    let wanted = format!("waiting for two-tier, of which process {pid} is stopped: `kill -CONT {pid}` lets it go on");
    assert!(line.starts_with(&wanted), "{line}");
    kill(pid, Signal::SIGCONT).expect("a process");
    assert!(down.wait().expect("its end").success());
}

#[test]
fn what_is_no_request_is_answered_with_an_error_and_the_lab_goes_on() {
    let labs = Labs::of(User::Ours);
    labs.ok(&["up", "example:two-tier"]);
    let framed = |text: &str| [&u32::try_from(text.len()).unwrap().to_be_bytes(), text.as_bytes()].concat();
    assert!(failed(&labs.raw("two-tier", &[0xff; 64])).contains("1048576 are the most"));
    assert!(failed(&labs.raw("two-tier", &framed("{]"))).contains("no message of the protocol"));
    assert!(
        failed(&labs.raw("two-tier", &framed(&format!("{{\"sglab\":{VERSION},\"request\":\"fly\"}}"))))
            .contains("unknown variant")
    );
    assert!(
        failed(&labs.raw("two-tier", &framed("{\"sglab\":9,\"request\":\"state\"}")))
            .contains(&format!("version {VERSION}"))
    );
    let whole = framed(&format!("{{\"sglab\":{VERSION},\"request\":\"state\"}}"));
    assert!(failed(&labs.raw("two-tier", &whole[..10])).contains("cut short"));
    assert!(failed(&labs.raw("two-tier", &framed(&"[".repeat(1 << 20)))).contains("no message of the protocol"));
    assert!(failed(&labs.raw("two-tier", &[0, 0, 0, 2, 0xff, 0xfe])).contains("no message of the protocol"));
    assert!(failed(&labs.raw("two-tier", &framed(""))).contains("no message of the protocol"));
    assert!(failed(&labs.raw("two-tier", b"GET / HTTP/1.1\r\n\r\n")).contains("1048576 are the most"));
    // A program whose input, output and errors never come.
    let exec = "{\"instance\":\"web1\",\"command\":[\"true\"],\"environment\":[],\"folder\":\"/\",\"terminal\":null}";
    let answer = labs.raw("two-tier", &framed(&format!("{{\"sglab\":{VERSION},\"request\":{{\"exec\":{exec}}}}}")));
    assert!(failed(&answer[4 + "\"go-on\"".len()..]).contains("did not come"));
    assert!(labs.raw("two-tier", &[]).is_empty(), "a connection that says nothing is no request");
    assert!(labs.ok(&["probe", "web1", "db1:3306"]).contains("  open  "));
}

#[test]
fn another_user_is_refused_even_where_the_file_modes_would_let_it_in() {
    if !program::is_root_or_skipped() {
        // There is nobody else to be; the same runs where the tests run as root.
        return;
    }
    let labs = Labs::of(User::Ours);
    labs.ok(&["up", "example:two-tier"]);
    assert_eq!(fs::metadata(labs.socket("two-tier")).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(labs.folder()).unwrap().permissions().mode() & 0o777, 0o700);
    fs::set_permissions(labs.folder(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(labs.socket("two-tier"), fs::Permissions::from_mode(0o666)).unwrap();
    let mut other = Command::new("nc.openbsd");
    other.args(["-NU"]).arg(labs.socket("two-tier")).uid(65534).gid(65534);
    let mut other = other.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("nc.openbsd");
    let request = Envelope { sglab: VERSION, request: Request::Down };
    protocol::write(other.stdin.as_mut().unwrap(), &request, MAX_REQUEST).unwrap();
    let output = other.wait_with_output().unwrap();
    assert_eq!(failed(&output.stdout), "this lab is another user's");
    assert_eq!(labs.states().len(), 1, "it is still up");
}

#[test]
fn what_is_wrong_with_the_place_of_labs_is_said_with_what_helps() {
    let labs = Labs::of(*users().last().unwrap());
    let scratch = labs.program.scratch();
    let run = |variables: &[(&str, &str)], arguments: &[&str]| {
        program::said({
            let mut command = labs.command(arguments);
            command.envs(variables.iter().copied());
            command
        })
    };
    // A variable without a value is none.
    let session = scratch.display().to_string();
    let said = run(&[("SGLAB_RUNTIME_DIR", ""), ("XDG_RUNTIME_DIR", &session)], &["ps"]);
    assert_eq!((said.code, scratch.join("sglab").is_dir()), (Some(0), true), "{said:?}");
    // Somebody else was there first.
    let open = scratch.join("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
    let said = run(&[("SGLAB_RUNTIME_DIR", open.to_str().unwrap())], &["ps"]);
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(said.err.contains("not this user's alone; SGLAB_RUNTIME_DIR=FOLDER names another"), "{said:?}");
    // Advice about a lab that is up is for where one is up.
    labs.ok(&["up", "example:two-tier"]);
    let said = labs.say(&["up", "example:two-tier"]);
    assert!(said.code == Some(2) && said.err.contains("`sglab down two-tier` takes it down"), "{said:?}");
    labs.ok(&["down"]);
    for name in ["pipe", "folder"] {
        let lock = labs.folder().join(format!("{name}.lock"));
        match name {
            "pipe" => nix::unistd::mkfifo(&lock, nix::sys::stat::Mode::from_bits_truncate(0o666)).unwrap(),
            _ => fs::create_dir(&lock).unwrap(),
        }
        let said = labs.say(&["up", "example:two-tier", "--name", name]);
        assert!(said.code == Some(2) && said.err.contains(&format!("failed to open {}", lock.display())), "{said:?}");
        assert!(!said.err.contains("takes it down"), "{said:?}");
        match name {
            "pipe" => fs::remove_file(&lock).unwrap(),
            _ => fs::remove_dir(&lock).unwrap(),
        }
    }
}

/// To the lab of an ordinary user root is somebody whom its namespace does not know, and the kernel names such by one id: that of `nobody`.
#[test]
fn root_is_not_taken_for_nobody() {
    if !program::is_root_or_skipped() {
        return;
    }
    let labs = Labs::of(User::Nobody);
    labs.ok(&["up", "example:two-tier"]);
    let mut bytes = Vec::new();
    let request = Envelope { sglab: VERSION, request: Request::Down };
    protocol::write(&mut bytes, &request, MAX_REQUEST).unwrap();
    assert_eq!(failed(&labs.raw("two-tier", &bytes)), "this lab is another user's");
    assert_eq!(labs.states().len(), 1, "it is still up, and its own user is served");
}

fn create_group(name: &str) -> Operation {
    let vpc = VpcName::new("default");
    Operation::CreateGroup(CreateGroup {
        name: GroupName::new(name),
        ec2_name: None,
        vpc,
        description: None,
        place: None,
    })
}

#[test]
fn fifty_clients_at_once_are_all_served() {
    let labs = Labs::of(User::Ours);
    labs.ok(&["up", "example:two-tier"]);
    let socket = labs.socket("two-tier");
    let clients: Vec<_> = (0..50)
        .map(|number| {
            let socket = socket.clone();
            thread::spawn(move || {
                for turn in 0..4 {
                    let group = format!("G-{number}-{turn}");
                    let mut stream = UnixStream::connect(&socket).expect("the socket");
                    let request = Envelope {
                        sglab: VERSION,
                        request: Request::Apply { operations: vec![create_group(&group)], at: None },
                    };
                    protocol::write(&mut stream, &request, MAX_REQUEST).expect("to be heard");
                    match protocol::read::<Reply>(&mut stream, MAX_REPLY).expect("an answer") {
                        Reply::Applied(done) => assert_eq!(done.len(), 1),
                        other => panic!("{other:?}"),
                    }
                }
            })
        })
        .collect();
    clients.into_iter().for_each(|client| client.join().expect("a client that was served"));
    assert!(labs.ok(&["probe", "web1", "db1:3306"]).contains("  open  "));
}

#[test]
fn what_a_lab_holds_does_not_grow_with_what_was_done_in_it() {
    let asked = Workload { instances: 3, until: Until::Operations(112), probers: 0, watchers: 0, aloud: false };
    let complaints = endurance::endure(User::Ours, &asked);
    assert!(complaints.is_empty(), "{complaints:#?}");
}

#[test]
#[ignore = "as long as it is asked to: scripts/endure"]
fn endures_as_long_as_it_is_asked_to() {
    let complaints = endurance::endure(User::Ours, &endurance::asked_by_environment());
    assert!(complaints.is_empty(), "{complaints:#?}");
}
