//! Programs in instances of a lab that is up, from outside: what goes in and comes out, how they end, and with whom.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::process::{Child, Stdio};

use crate::labs::Labs;
use crate::program::{self, User, users};
use crate::services::with_services;
use crate::terminals::Caller;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sglab::protocol::{self, Envelope, Exec, Failure, MAX_REPLY, MAX_REQUEST, Reply, Request, VERSION};

/// A program that waits for ever, started in an instance; it has said `begun`.
fn waiting(labs: &Labs, arguments: &[&str]) -> (Child, BufReader<std::process::ChildStdout>) {
    let mut child = labs.command(arguments).stdin(Stdio::piped()).spawn().expect("the program");
    let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut line = String::new();
    out.read_line(&mut line).expect("a line");
    assert_eq!(line, "begun\n", "{arguments:?} as {:?}", labs.user);
    (child, out)
}

pub fn signal(child: &Child, signal: Signal) {
    kill(Pid::from_raw(child.id().try_into().expect("a process")), signal).expect("a process to signal");
}

pub const FOR_EVER: &str = "echo begun; exec sleep 1000000";

#[test]
fn a_program_is_root_in_its_instance_and_has_the_callers_input_output_and_environment() {
    for user in users() {
        let labs = Labs::of(*user);
        labs.ok(&["up", "example:two-tier"]);
        let script = "cat; hostname; id -u; pwd; echo $MARK; echo oops >&2; exit 7";
        let mut command = labs.command(&["exec", "--workdir", "/usr/share", "web1", "--", "sh", "-c", script]);
        let mut child = command.env("MARK", "ours").stdin(Stdio::piped()).spawn().expect("the program");
        child.stdin.take().unwrap().write_all(b"given\n").unwrap();
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert_eq!(said, "given\nweb1\n0\n/usr/share\nours\n", "as {user:?}");
        assert_eq!(output.stderr, b"oops\n");
        assert_eq!(output.status.code(), Some(7));
    }
}

/// Wherever the caller stands: what is started is the same.
#[test]
fn a_program_begins_in_the_root_or_in_the_folder_that_is_asked_for_and_nowhere_else() {
    for user in users() {
        let labs = Labs::of(*user);
        labs.ok(&["up", "example:two-tier"]);
        for folder in ["/usr/share", "/root", "/nonexistent/../", labs.program.scratch().to_str().unwrap()] {
            let mut command = labs.command(&["exec", "web1", "--", "pwd"]);
            if std::path::Path::new(folder).is_dir() && (folder != "/root" || *user == User::Ours) {
                command.current_dir(folder);
            }
            let said = program::said(command);
            assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (Some(0), "/\n", ""), "{folder} as {user:?}");
        }
        assert_eq!(labs.ok(&["exec", "-w", "/usr/share", "web1", "--", "pwd"]), "/usr/share\n");
        let said = labs.say(&["exec", "-w", "/no/such", "web1", "--", "pwd"]);
        assert_eq!(said.code, Some(127), "{said:?}");
        assert!(
            said.err.starts_with("error: in web1: failed to enter the folder `/no/such`: No such file"),
            "{said:?}"
        );
    }
}

#[test]
fn words_of_docker_and_words_that_are_missing_are_understood_or_told() {
    let labs = Labs::of(User::Ours);
    labs.ok(&["up", "example:two-tier"]);
    assert_eq!(labs.ok(&["exec", "web1", "echo", "-n", "-t"]), "-t", "what follows the program is the program's");
    assert_eq!(labs.ok(&["exec", "-i", "web1", "hostname"]), "web1\n");
    let said = labs.say(&["exec", "web1"]);
    let tip = "error: what is to run in web1? `sglab exec web1 -- COMMAND` runs it, and\n`sglab exec -t web1` opens a shell\n";
    assert_eq!((said.code, said.err.as_str()), (Some(2), tip));
    let said = labs.say(&["shell", "--in", "web1"]);
    let tip = "error: of which file? `sglab shell FILE --in web1` boots a lab of its own;\n`sglab exec -t web1` opens a shell in \
               the lab that is up\n";
    assert_eq!((said.code, said.err.as_str()), (Some(2), tip));
    let said = labs.say(&["shell", "example:two-tier", "--in", "web9", "--", "true"]);
    let tip = "error: there is no instance or host `web9`; did you mean `web1`? there are web1, web2, db1, db2, office, neighbour, world\n";
    assert_eq!((said.code, said.err.as_str()), (Some(2), tip));
    let said = labs.say(&["shell", "example:two-tier", "--in", "office", "--", "hostname"]);
    assert_eq!((said.code, said.out.as_str()), (Some(0), "office\n"), "{said:?}");
}

#[test]
fn a_shell_in_an_instance_says_what_it_is_in_lines_of_eighty_columns() {
    for user in users() {
        let labs = Labs::of(*user);
        labs.ok(&["up", "example:two-tier"]);
        let arguments = [
            &["exec", "-it", "web1"][..],
            &["shell", "example:two-tier", "--in", "web1"],
            &["shell", "example:gotchas/case-04"],
            &["shell", "example:two-tier", "--step", "2"],
        ];
        for arguments in arguments {
            let mut caller = Caller::new();
            let mut command = labs.command(arguments);
            let piped = command.stdin(caller.end()).stdout(caller.end()).stderr(Stdio::piped()).env("SHELL", "/bin/sh");
            let child = piped.spawn().unwrap();
            caller.typed("exit 5\n");
            let heard = caller.typing.try_clone().unwrap();
            std::thread::spawn(move || BufReader::new(heard).lines().map_while(Result::ok).for_each(drop));
            let output = child.wait_with_output().unwrap();
            let said = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(5), "{arguments:?}: {said}");
            let banner: Vec<&str> = said.lines().take_while(|line| !line.starts_with(['#', '$'])).collect();
            assert!(banner.iter().all(|line| line.chars().count() <= 80), "{arguments:?}: {said}");
            if arguments.contains(&"web1") {
                for word in ["root in web1", "no internet", "read-only", "nft list ruleset"] {
                    assert!(said.contains(word), "{word}: {arguments:?}: {said}");
                }
            }
            let is_another = said.contains("`sglab exec -t web1`");
            assert_eq!(is_another, arguments[0] == "shell" && arguments.contains(&"--in"), "{arguments:?}: {said}");
        }
    }
}

#[test]
fn the_names_the_resolver_and_the_metadata_service_of_the_lab_work_inside() {
    for user in users() {
        let labs = Labs::of(*user);
        labs.ok(&["up", "example:two-tier"]);
        let hosts = labs.ok(&["exec", "web1", "--", "cat", "/etc/hosts"]);
        assert!(hosts.contains("10.0.0.13 db1\n"), "{hosts}");
        let resolver = labs.ok(&["exec", "web1", "--", "cat", "/etc/resolv.conf"]);
        assert!(resolver.starts_with("nameserver 172.16.0.23\n"), "{resolver}");
        let asked =
            "printf 'GET /latest/meta-data/local-ipv4 HTTP/1.0\\r\\n\\r\\n' | nc.openbsd -q 1 169.254.169.254 80";
        assert!(labs.ok(&["exec", "web1", "--", "sh", "-c", asked]).ends_with("\r\n10.0.0.11"));
        labs.ok(&["stop", "db1"]);
        labs.ok(&["start", "db1"]);
        let hosts = labs.ok(&["exec", "web1", "--", "cat", "/etc/hosts"]);
        assert!(hosts.contains("10.0.0.15 db1\n"), "its new address, while web1 runs on: {hosts}");
    }
}

/// It tells each client from which address it came.
const WHO: &str = "my $s = IO::Socket::INET->new(LocalPort => 80, Listen => 8, ReuseAddr => 1) or die; \
                   while (my $c = $s->accept) { my $line = <$c>; print $c $c->peerhost . \"\\n\"; close $c }";

#[test]
fn in_a_host_a_program_is_outside_of_the_cloud_with_the_hosts_address_names_and_nothing_else_in_reach() {
    for user in users() {
        let labs = Labs::of(*user);
        let service = format!("{{web: {{command: [perl, -MIO::Socket::INET, -e, '{WHO}'], port: tcp 80}}}}");
        labs.ok(&["up", &with_services(&labs, &service)]);
        let public = labs.states()[0]["instances"][0]["interfaces"][0]["public"].as_str().unwrap().to_owned();
        let ask = format!("echo hello | nc.openbsd -q 1 {public} 80");
        let in_office = |script: &str| labs.say(&["exec", "office", "--", "sh", "-c", script]);
        assert_eq!(in_office(&ask).out, "203.0.113.10\n", "whom web1 sees, as {user:?}");
        let said = in_office("hostname; id -u; cat /etc/resolv.conf; exit 7");
        assert!(said.out.starts_with("office\n0\nnameserver 198.18.0.2\n") && said.code == Some(7), "{said:?}");
        assert!(in_office("cat /etc/hosts").out.contains(" web1\n"), "{:?}", in_office("cat /etc/hosts"));
        let missing = in_office("exec no-such-program");
        assert_eq!(missing.code, Some(127), "{missing:?}");
        let (mut child, mut out) = waiting(&labs, &["exec", "office", "--", "sh", "-c", FOR_EVER]);
        labs.ok(&["down"]);
        assert_eq!(out.read_to_string(&mut String::new()).unwrap(), 0, "it ends with the lab");
        child.wait().unwrap();
    }
}

#[test]
fn how_a_program_ends_is_told_as_a_shell_tells_it() {
    let labs = Labs::of(User::Ours);
    labs.ok(&["up", "example:two-tier"]);
    assert_eq!(labs.say(&["exec", "web1", "--", "sh", "-c", "kill -9 $$"]).code, Some(137));
    assert_eq!(labs.say(&["exec", "web1", "--", "sh", "-c", "kill -TERM $$"]).code, Some(143));
    let none = labs.say(&["exec", "web1", "--", "no-such-program"]);
    assert_eq!(none.code, Some(127));
    assert!(none.err.starts_with("error: in web1: failed to start `no-such-program`: No such file"), "{none:?}");
    assert_eq!(labs.say(&["exec", "web1", "--", "/etc/passwd"]).code, Some(126));
    let nobody = labs.say(&["exec", "web9", "--", "true"]);
    assert_eq!(nobody.code, Some(2));
    assert_eq!(
        nobody.err,
        "error: there is no instance or host `web9`; did you mean `web1`? there are web1, web2, db1, db2, office, neighbour, world\n"
    );
    labs.ok(&["stop", "web1"]);
    let stopped = labs.say(&["exec", "web1", "--", "true"]);
    assert_eq!(
        (stopped.code, stopped.err.as_str()),
        (Some(2), "error: web1 does not run; `sglab start web1` starts it\n")
    );
}

#[test]
fn signals_are_passed_on_and_the_program_decides() {
    for user in users() {
        let labs = Labs::of(*user);
        labs.ok(&["up", "example:two-tier"]);
        let (mut child, _out) = waiting(&labs, &["exec", "web1", "--", "sh", "-c", FOR_EVER]);
        signal(&child, Signal::SIGTERM);
        assert_eq!(child.wait().unwrap().code(), Some(143), "what it does not handle ends it, as {user:?}");
        // A shell looks for signals between its commands. One that comes just before it reads would be heard of behind the line only.
        let handles = "trap 'echo heard; exit 5' INT; echo begun; while :; do :; done";
        let (mut child, mut out) = waiting(&labs, &["exec", "web1", "--", "sh", "-c", handles]);
        signal(&child, Signal::SIGINT);
        let mut rest = String::new();
        out.read_to_string(&mut rest).unwrap();
        assert_eq!((rest.as_str(), child.wait().unwrap().code()), ("heard\n", Some(5)));
    }
}

/// Its output closes when its last process has ended.
#[test]
fn programs_end_with_their_instance_and_with_their_caller() {
    for user in users() {
        for how in ["stop", "crash", "reboot", "terminate"] {
            let labs = Labs::of(*user);
            labs.ok(&["up", "example:two-tier"]);
            // One that a program has left behind, and one under way.
            labs.ok(&["exec", "web1", "--", "sh", "-c", "setsid sleep 1000000 </dev/null >/dev/null 2>&1 &"]);
            let (mut child, mut out) = waiting(&labs, &["exec", "web1", "--", "sh", "-c", FOR_EVER]);
            labs.ok(&[how, "web1"]);
            assert_eq!(child.wait().unwrap().code(), Some(137), "{how}, as {user:?}");
            assert_eq!(out.read_to_string(&mut String::new()).unwrap(), 0);
            if how == "reboot" {
                assert!(!labs.ok(&["exec", "web1", "--", "ps", "-e"]).contains("sleep"), "none of before");
            }
        }
        let labs = Labs::of(*user);
        labs.ok(&["up", "example:two-tier"]);
        let (mut child, mut out) = waiting(&labs, &["exec", "web1", "--", "sh", "-c", FOR_EVER]);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(out.read_to_string(&mut String::new()).unwrap(), 0, "it is awaited here: its output is ours alone");
        let (mut child, mut out) = waiting(&labs, &["exec", "web1", "--", "sh", "-c", FOR_EVER]);
        labs.ok(&["down"]);
        assert_eq!(out.read_to_string(&mut String::new()).unwrap(), 0);
        assert!(matches!(child.wait().unwrap().code(), Some(2 | 137)));
    }
}

/// One with a child that no signal to it alone ends. The child tells of the beginning: a shell that hears of an interrupt before it has
/// the child waits for that all the same.
const WITH_A_CHILD: &str = r#"perl -e '$| = 1; print "begun\n"; sleep 1000000'; true"#;

#[test]
fn signals_reach_all_of_the_programs_group() {
    for user in users() {
        let labs = Labs::of(*user);
        labs.ok(&["up", "example:two-tier"]);
        for (sent, code) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143), (Signal::SIGHUP, 129)] {
            let (mut child, mut out) = waiting(&labs, &["exec", "web1", "--", "sh", "-c", WITH_A_CHILD]);
            signal(&child, sent);
            assert_eq!(child.wait().unwrap().code(), Some(code), "{sent}, as {user:?}");
            assert_eq!(out.read_to_string(&mut String::new()).unwrap(), 0, "{sent}: its output is ours alone");
        }
    }
}

#[test]
fn with_its_caller_all_of_the_programs_group_ends_asked_first_and_killed_then() {
    for user in users() {
        let labs = Labs::of(*user);
        labs.ok(&["up", "example:two-tier"]);
        let stopped = "echo begun; kill -STOP 0; sleep 1000000; true";
        let closed_ports = "trap '' TERM HUP INT; sleep 1000000 & echo begun; sleep 1000000; true";
        for script in [WITH_A_CHILD, "sleep 1000000 & echo begun; exec sleep 1000000", stopped, closed_ports] {
            let (mut child, mut out) = waiting(&labs, &["exec", "web1", "--", "sh", "-c", script]);
            child.kill().unwrap();
            child.wait().unwrap();
            assert_eq!(out.read_to_string(&mut String::new()).unwrap(), 0, "{script}, as {user:?}");
        }
        assert!(!labs.ok(&["exec", "web1", "--", "ps", "-e"]).contains("sleep"), "none is left, as {user:?}");
        let tidies = "trap 'echo tidied; exit' TERM; echo begun; while :; do sleep 0.01; done";
        let (mut child, mut out) = waiting(&labs, &["exec", "web1", "--", "sh", "-c", tidies]);
        child.kill().unwrap();
        child.wait().unwrap();
        let mut rest = String::new();
        out.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "tidied\n", "as {user:?}");
    }
}

#[test]
fn what_is_no_conversation_about_a_program_is_answered_and_the_lab_goes_on() {
    let labs = Labs::of(User::Ours);
    labs.ok(&["up", "example:two-tier"]);
    let exec = |command: &[&str]| {
        Request::Exec(Box::new(Exec {
            instance: "web1".to_owned(),
            command: command.iter().map(|word| (*word).to_owned()).collect(),
            environment: Vec::new(),
            folder: "/".into(),
            terminal: None,
        }))
    };
    let ask = |request: Request| {
        let mut stream = UnixStream::connect(labs.folder().join("two-tier.sock")).unwrap();
        protocol::write(&mut stream, &Envelope { sglab: VERSION, request }, MAX_REQUEST).unwrap();
        stream
    };
    let reply = |stream: &mut UnixStream| protocol::read::<Reply>(stream, MAX_REPLY).unwrap();
    assert_eq!(reply(&mut ask(exec(&[]))), Reply::Failed(Failure::NoProgram));
    let mut stream = ask(exec(&["true"]));
    assert_eq!(reply(&mut stream), Reply::GoOn);
    stream.write_all(b"x").unwrap();
    let is_of_number = |why: &str| why.contains("3 descriptors are wanted, and 0 came");
    assert!(matches!(reply(&mut stream), Reply::Failed(Failure::WrongDescriptors { why }) if is_of_number(&why)));
    let mut stream = ask(exec(&["true"]));
    assert_eq!(reply(&mut stream), Reply::GoOn);
    let caller = Caller::new();
    sglab::sandbox::descriptors::send(&stream, &[&caller.slave, &caller.slave, &caller.slave]).unwrap();
    let of_others = |why: &str| why.contains("a terminal that is not its own is given to no program");
    assert!(matches!(reply(&mut stream), Reply::NotStarted { why, code: 126 } if of_others(&why)));
    let mut stream = ask(exec(&["sleep", "1000000"]));
    assert_eq!(reply(&mut stream), Reply::GoOn);
    let (mut held, given) = UnixStream::pair().unwrap();
    sglab::sandbox::descriptors::send(&stream, &[&given, &given, &given]).unwrap();
    drop(given);
    assert_eq!(reply(&mut stream), Reply::Started);
    stream.write_all(&[0xff; 64]).unwrap();
    assert_eq!(held.read(&mut [0]).unwrap(), 0, "who speaks nonsense has its program ended");
    assert_eq!(labs.ok(&["exec", "web1", "--", "echo", "up"]), "up\n");
}

#[test]
fn programs_can_change_users_as_root_and_where_a_range_is_granted_and_doctor_says_where_not() {
    if !program::is_root_or_skipped() {
        // Nobody could grant a range; the same runs where the tests run as root.
        return;
    }
    let change = ["exec", "web1", "--", "setpriv", "--reuid=33", "--regid=33", "--clear-groups", "id", "-u"];
    let labs = Labs::of(User::Ours);
    labs.ok(&["up", "example:two-tier"]);
    assert_eq!(labs.ok(&change), "33\n");
    let labs = Labs::of(User::Nobody);
    labs.ok(&["up", "example:two-tier"]);
    assert_ne!(labs.say(&change).code, Some(0), "one id is all that nobody has");
    labs.ok(&["down"]);
    assert!(labs.ok(&["doctor"]).contains("WARN user ids of an instance"));
    // In mounts of its own, where a range is granted to nobody.
    let granted = labs.program.scratch().join("granted");
    std::fs::write(&granted, "nobody:100000:65536\n").unwrap();
    let script = "for file in /etc/subuid /etc/subgid; do [ -e $file ] || touch $file; mount --bind \"$0\" $file; done; \
                  exec setpriv --reuid=65534 --regid=65534 --clear-groups \"$@\"";
    let mut command = std::process::Command::new("unshare");
    let path = labs.program.path();
    let words =
        ["-m", "sh", "-ec", script, granted.to_str().unwrap(), path.to_str().unwrap(), "up", "example:two-tier"];
    let mut command = labs.program.dress(
        User::Ours,
        {
            command.arg("--propagation=private");
            command
        },
        &words,
    );
    let output = command.env("SGLAB_RUNTIME_DIR", labs.folder()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(labs.ok(&change), "33\n");
    let map = labs.ok(&["exec", "web1", "--", "cat", "/proc/self/uid_map"]);
    assert_eq!(map.split_whitespace().collect::<Vec<_>>(), ["0", "65533", "1", "1", "100000", "65535"]);
}

/// By a socket the program would speak to its peer in the caller's name.
#[test]
fn in_place_of_a_socket_a_program_has_a_pipe_and_what_it_says_is_passed_on() {
    for user in users() {
        let labs = Labs::of(*user);
        labs.ok(&["up", "example:two-tier"]);
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        let end = || Stdio::from(std::os::fd::OwnedFd::from(theirs.try_clone().unwrap()));
        let script = "for end in 0 1 2; do test -p /proc/self/fd/$end && echo piped; done; cat; echo over >&2";
        let mut command = labs.command(&["exec", "web1", "--", "sh", "-c", script]);
        let mut child = command.stdin(end()).stdout(end()).stderr(end()).spawn().expect("the program");
        drop((command, theirs));
        ours.write_all(b"given\n").unwrap();
        ours.shutdown(std::net::Shutdown::Write).unwrap();
        let mut said = String::new();
        ours.read_to_string(&mut said).unwrap();
        assert!(child.wait().unwrap().success(), "as {user:?}: {said}");
        assert_eq!(said, "piped\npiped\npiped\ngiven\nover\n", "as {user:?}");
    }
}

#[test]
fn a_folder_as_input_is_given_to_no_program_and_the_error_says_so() {
    let labs = Labs::of(User::Ours);
    labs.ok(&["up", "example:two-tier"]);
    let mut command = labs.command(&["exec", "web1", "--", "true"]);
    command.stdin(std::fs::File::open("/").unwrap());
    let said = program::said(command);
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(said.err.contains("a folder as input, output or errors is given to no program"), "{said:?}");
}

/// It has no name by which other commands could speak to it.
#[test]
fn in_a_shell_the_file_is_named_and_no_lab_is() {
    let sites: [&[&str]; 2] = [&[], &["--in", "web1"]];
    for site in sites {
        let labs = Labs::of(User::Ours);
        let script = "echo $SGLAB_SHELL ${SGLAB_LAB-none}";
        let mut command =
            labs.command(&[&["shell", "example:two-tier"][..], site, &["--", "sh", "-c", script]].concat());
        let said = program::said({
            command.env("SGLAB_LAB", "other");
            command
        });
        assert_eq!((said.code, said.out.as_str()), (Some(0), "example:two-tier none\n"), "{site:?}: {said:?}");
    }
}
