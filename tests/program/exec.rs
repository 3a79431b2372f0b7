//! Programs in instances of a lab that is up, from outside: what goes in and comes out, how they end, and with whom.

use std::fs::File;
use std::fs::Permissions;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::process::{Child, Stdio};

use crate::labs::Labs;
use crate::program::{self, User, users};
use nix::pty::{Winsize, openpty};
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{LocalFlags, tcgetattr};
use nix::unistd::Pid;
use sglab::protocol::{self, Envelope, Exec, MAX_REPLY, MAX_REQUEST, Reply, Request, VERSION};

/// A program that waits for ever, started in an instance; it has said `begun`.
fn waiting(labs: &Labs, arguments: &[&str]) -> (Child, BufReader<std::process::ChildStdout>) {
    let mut child = labs.command(arguments).stdin(Stdio::piped()).spawn().expect("the program");
    let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut line = String::new();
    out.read_line(&mut line).expect("a line");
    assert_eq!(line, "begun\n", "{arguments:?} as {:?}", labs.user);
    (child, out)
}

fn signal(child: &Child, signal: Signal) {
    kill(Pid::from_raw(child.id().try_into().expect("a process")), signal).expect("a process to signal");
}

const FOR_EVER: &str = "echo begun; exec sleep 1000000";

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
        // The shell is in a built-in that a signal ends.
        let handles = "trap 'echo heard; exit 5' INT; echo begun; while read line; do :; done";
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

#[test]
fn with_a_terminal_the_program_has_one_of_its_own_of_the_same_size_and_ours_is_as_it_was() {
    for user in users() {
        let labs = Labs::of(*user);
        labs.ok(&["up", "example:two-tier"]);
        let size = Winsize { ws_row: 33, ws_col: 101, ws_xpixel: 0, ws_ypixel: 0 };
        let pty = openpty(&size, None).unwrap();
        let before = tcgetattr(&pty.slave).unwrap();
        assert!(before.local_flags.contains(LocalFlags::ECHO | LocalFlags::ICANON));
        let script = "trap 'stty size; exit 3' WINCH; stty size; tty -s && echo terminal; while read line; do echo \"<$line>\"; done";
        let mut command = labs.command(&["exec", "--tty", "web1", "--", "sh", "-c", script]);
        let ends = || Stdio::from(pty.slave.try_clone().unwrap());
        let mut child = command.stdin(ends()).stdout(ends()).stderr(ends()).spawn().unwrap();
        let ours: OwnedFd = pty.master;
        let mut typing = File::from(ours.try_clone().unwrap());
        let mut lines = BufReader::new(File::from(ours.try_clone().unwrap())).lines();
        let mut line = || lines.next().unwrap().unwrap();
        assert_eq!((line().as_str(), line().as_str()), ("33 101", "terminal"), "as {user:?}");
        assert!(
            !tcgetattr(&pty.slave).unwrap().local_flags.contains(LocalFlags::ICANON),
            "keys are passed on one by one"
        );
        typing.write_all(b"typed\r").unwrap();
        assert_eq!((line().as_str(), line().as_str()), ("typed", "<typed>"), "the program's terminal echoes");
        let wider = Winsize { ws_col: 120, ..size };
        set_size(&ours, wider);
        signal(&child, Signal::SIGWINCH);
        assert_eq!(line(), "33 120");
        assert_eq!(child.wait().unwrap().code(), Some(3));
        assert_eq!(tcgetattr(&pty.slave).unwrap(), before);
        // Also where the lab goes down meanwhile.
        let mut command = labs.command(&["exec", "--tty", "web1", "--", "sh", "-c", FOR_EVER]);
        let mut child = command.stdin(ends()).stdout(ends()).stderr(Stdio::piped()).spawn().unwrap();
        assert_eq!(line(), "begun");
        labs.ok(&["down"]);
        child.wait().unwrap();
        assert_eq!(tcgetattr(&pty.slave).unwrap(), before);
        let said = labs.say(&["exec", "--tty", "web1", "--", "true"]);
        assert!(said.code == Some(2) && said.err.starts_with("error: --tty needs a terminal"), "{said:?}");
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
        let deaf = "trap '' TERM HUP INT; sleep 1000000 & echo begun; sleep 1000000; true";
        for script in [WITH_A_CHILD, "sleep 1000000 & echo begun; exec sleep 1000000", stopped, deaf] {
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

/// A terminal of the caller's, and what is seen of it.
struct Caller {
    slave: OwnedFd,
    typing: File,
    lines: std::io::Lines<BufReader<File>>,
}

impl Caller {
    fn new() -> Self {
        let pty = openpty(&Winsize { ws_row: 33, ws_col: 101, ws_xpixel: 0, ws_ypixel: 0 }, None).unwrap();
        let typing = File::from(pty.master);
        let lines = BufReader::new(typing.try_clone().unwrap()).lines();
        Self { slave: pty.slave, typing, lines }
    }

    fn end(&self) -> Stdio {
        Stdio::from(self.slave.try_clone().unwrap())
    }

    fn line(&mut self) -> String {
        self.lines.next().unwrap().unwrap()
    }

    fn typed(&mut self, text: &str) {
        self.typing.write_all(text.as_bytes()).unwrap();
    }
}

#[test]
fn without_a_terminal_of_its_own_the_program_gets_none_of_ours_and_all_else_as_it_is() {
    for user in users() {
        let labs = Labs::of(*user);
        labs.ok(&["up", "example:two-tier"]);
        let tells = "for end in 0 1 2; do test -t $end && echo terminal $end; done; read line; echo \"<$line>\"; \
                     echo one; echo two >&2; echo three; echo four >&2; cat; exit 7";
        let mut caller = Caller::new();
        let mut command = labs.command(&["exec", "web1", "--", "sh", "-c", tells]);
        command.stdin(caller.end()).stdout(caller.end()).stderr(caller.end());
        let mut child = command.spawn().unwrap();
        caller.typed("typed\nmore\n\x04");
        // As the caller's terminal echoes it, whenever that is.
        let mut seen: Vec<String> = (0..8).map(|_| caller.line()).collect();
        let echoed = |line: &String| ["typed", "more"].contains(&line.as_str());
        let echo = seen.iter().position(echoed).expect("an echo");
        seen.remove(echo);
        let echo = seen.iter().position(echoed).expect("an echo, or what `cat` said");
        seen.remove(echo);
        assert_eq!(seen[..5], ["<typed>", "one", "two", "three", "four"], "in their order, as {user:?}");
        assert_eq!(child.wait().unwrap().code(), Some(7), "as {user:?}");
        // Only where it is one; and what is a file or a pipe stays that.
        let kinds = "for end in 0 1 2; do test -t $end && echo terminal $end; done; test -f /dev/stdin && echo file; cat; echo errors >&2";
        let input = labs.program.scratch().join("input");
        std::fs::write(&input, "given\n").unwrap();
        let mut command = labs.command(&["exec", "web1", "--", "sh", "-c", kinds]);
        let output = command.stdin(File::open(&input).unwrap()).stderr(caller.end()).output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), "file\ngiven\n", "as {user:?}");
        assert_eq!(caller.line(), "errors");
    }
}

/// As `tty`, `script`, `tmux` and whoever opens it by its name need it.
#[test]
fn the_terminal_of_a_program_is_one_of_its_instances_own() {
    for user in users() {
        let labs = Labs::of(*user);
        labs.ok(&["up", "example:two-tier"]);
        let script =
            "tty; stty size; echo by its name >$(tty); stat -c '%a %u' $(tty); ls -l /proc/self/fd | grep -c /dev/pts";
        for words in [&["exec", "-t", "web1"][..], &["shell", "--in", "web1", "example:two-tier"]] {
            let mut caller = Caller::new();
            let mut command = labs.command(&[words, &["--", "sh", "-c", script]].concat());
            let mut child = command.stdin(caller.end()).stdout(caller.end()).stderr(caller.end()).spawn().unwrap();
            let seen: Vec<String> = (0..5).map(|_| caller.line()).collect();
            assert_eq!(seen, ["/dev/pts/0", "33 101", "by its name", "620 0", "2"], "{words:?} as {user:?}");
            assert!(child.wait().unwrap().success());
        }
        // What an instance puts in its place is no terminal, and keeps nobody waiting.
        labs.ok(&["exec", "web1", "--", "sh", "-c", "mkfifo /run/pipe && mount --bind /run/pipe /dev/pts/ptmx"]);
        let mut caller = Caller::new();
        let mut command = labs.command(&["exec", "-t", "web1", "--", "true"]);
        let mut child = command.stdin(caller.end()).stdout(caller.end()).stderr(caller.end()).spawn().unwrap();
        assert!(caller.line().starts_with("error: in web1: failed to make a terminal in the instance"), "as {user:?}");
        assert_eq!(child.wait().unwrap().code(), Some(126));
        assert_eq!(labs.ok(&["exec", "web1", "--", "echo", "without"]), "without\n");
    }
}

/// What is typed after the program's end is for whoever reads then.
#[test]
fn what_a_program_leaves_behind_reads_nothing_that_is_typed_later() {
    for user in users() {
        let labs = Labs::of(*user);
        labs.ok(&["up", "example:two-tier"]);
        let thief = "exec 3<&0; setsid cat <&3 >/run/stolen & setsid yes 2>/dev/null & echo left";
        let mut caller = Caller::new();
        let mut command = labs.command(&["exec", "web1", "--", "sh", "-c", thief]);
        let mut child = command.stdin(caller.end()).stdout(caller.end()).stderr(caller.end()).spawn().unwrap();
        let heard = caller.typing.try_clone().unwrap();
        // Whoever prints on is heard until the program's end.
        let listening = std::thread::spawn(move || {
            BufReader::new(heard).lines().map_while(Result::ok).any(|it| it.ends_with("secret"))
        });
        assert_eq!(child.wait().unwrap().code(), Some(0), "as {user:?}");
        caller.typed("secret\n");
        assert_eq!(labs.ok(&["exec", "web1", "--", "sh", "-c", "sleep 0.2; cat /run/stolen"]), "", "as {user:?}");
        let mut reader = BufReader::new(File::from(caller.slave.try_clone().unwrap()));
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        assert_eq!(line, "secret\n", "as {user:?}");
        assert!(listening.join().unwrap(), "the terminal's own echo");
    }
}

#[test]
fn who_prints_without_an_end_is_ended_by_a_key_and_who_does_not_read_ends_by_itself() {
    for user in users() {
        let labs = Labs::of(*user);
        labs.ok(&["up", "example:two-tier"]);
        let mut caller = Caller::new();
        let mut command = labs.command(&["exec", "web1", "--", "sleep", "0.1"]);
        let mut child = command.stdin(caller.end()).stdout(caller.end()).stderr(caller.end()).spawn().unwrap();
        caller.typed("nobody reads this\n");
        assert_eq!(child.wait().unwrap().code(), Some(0), "as {user:?}");
        for arguments in [&["exec", "--tty", "web1", "--", "yes"][..], &["exec", "web1", "--", "yes"]] {
            let mut caller = Caller::new();
            let mut command = labs.command(arguments);
            let mut child = command.stdin(caller.end()).stdout(caller.end()).stderr(caller.end()).spawn().unwrap();
            assert_eq!(caller.line(), "y");
            let heard = caller.typing.try_clone().unwrap();
            let listening =
                std::thread::spawn(move || BufReader::new(heard).lines().map_while(Result::ok).any(|it| it == "end"));
            if arguments.contains(&"--tty") {
                caller.typed("\x03")
            } else {
                signal(&child, Signal::SIGINT)
            }
            assert_eq!(child.wait().unwrap().code(), Some(130), "{arguments:?}, as {user:?}");
            // The terminal's own echo ends the listening.
            caller.typed("\nend\n");
            assert!(listening.join().unwrap());
        }
    }
}

fn set_size(terminal: &OwnedFd, size: Winsize) {
    sglab::sandbox::terminal::set_size(terminal, &size).unwrap();
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
    assert!(matches!(reply(&mut ask(exec(&[]))), Reply::Failed(why) if why.contains("no program")));
    let mut stream = ask(exec(&["true"]));
    assert_eq!(reply(&mut stream), Reply::GoOn);
    stream.write_all(b"x").unwrap();
    assert!(matches!(reply(&mut stream), Reply::Failed(why) if why.contains("3 descriptors are wanted, and 0 came")));
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

/// A lab of one instance with services, in a file of the labs' own folder.
fn with_services(labs: &Labs, services: &str) -> String {
    // Services see the folder of their file, but not the user's home.
    let folder = labs.program.scratch().join("site");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::set_permissions(&folder, Permissions::from_mode(0o777)).unwrap();
    let file = folder.join("services.yaml");
    let text = format!(
        "sglab: 1\nera: vpc\nhosts: {{office: 203.0.113.10}}\ngroups: {{WEB: [tcp 80 from office]}}\ninstances:\n  \
         web1:\n    groups: WEB\n    services: {services}\nscenario: [{{step: up, expect: {{open: ['office -> web1:80']}}}}]\n"
    );
    std::fs::write(&file, text).unwrap();
    file.display().to_string()
}

#[test]
fn services_come_up_with_their_instance_and_begin_anew_when_it_does() {
    for user in users() {
        let labs = Labs::of(*user);
        let serve = "echo $SGLAB_INSTANCE up; echo x >>$SGLAB_DATA/boots; exec nc.openbsd -lk 80";
        let file =
            with_services(&labs, &format!("{{first: 'touch /run/first', web: {{command: '{serve}', port: tcp 80}}}}"));
        let bad = labs.say(&["up", &file]);
        assert!(bad.code == Some(2) && bad.err.contains("expected a service"), "{bad:?}");
        let file = with_services(
            &labs,
            &format!("{{web: {{command: '{serve}', port: tcp 80}}, sleeper: {{command: [sleep, 1000000]}}}}"),
        );
        labs.ok(&["up", &file]);
        let pids = || labs.ok(&["exec", "web1", "--", "ps", "-eo", "pid,comm"]);
        assert!(pids().contains("nc.openbsd") && pids().contains("sleep"), "as {user:?}: {}", pids());
        assert!(labs.ok(&["probe", "office", "web1:80"]).contains("  open  by WEB"), "what listens is the service");
        assert_eq!(labs.ok(&["logs", "--service", "web1/web"]), "web1 up\n");
        let none = labs.say(&["logs", "--service", "web1/wbe"]);
        assert_eq!(
            none.err,
            "error: there is no service `web1/wbe`; did you mean `web1/web`? there are web1/web, web1/sleeper\n"
        );
        for how in [&["reboot"][..], &["stop", "start"], &["crash", "start"]] {
            how.iter().for_each(|verb| drop(labs.ok(&[verb, "web1"])));
            assert!(labs.ok(&["probe", "office", "web1:80"]).contains("  open  by WEB"), "after {how:?}");
        }
        let boots = labs.ok(&["exec", "web1", "--", "cat", "/run/data/boots"]);
        assert_eq!(boots, "x\nx\nx\nx\n", "one each time, and its data outlives restarts");
    }
}

/// Of each service of web1: its name, its state, its exit code.
fn states(labs: &Labs) -> Vec<(String, String, Option<i64>)> {
    let all: serde_json::Value = serde_json::from_str(&labs.ok(&["ps", "--format", "json"])).unwrap();
    let services = all[0]["instances"][0]["services"].as_array().expect("services");
    let word = |it: &serde_json::Value, field: &str| it[field].as_str().unwrap().to_owned();
    services.iter().map(|it| (word(it, "name"), word(it, "state"), it["exit_code"].as_i64())).collect()
}

#[test]
fn ps_says_of_each_service_how_it_is_also_while_it_is_waited_for() {
    let labs = Labs::of(User::Ours);
    let wait = "until [ -e go ]; do sleep 0.01; done; exec nc.openbsd -lk 80";
    let services = format!("{{short: {{command: exit 5}}, web: {{command: '{wait}', port: tcp 80}}}}");
    let file = with_services(&labs, &services);
    let go = labs.program.scratch().join("site/go");
    std::fs::write(&go, "").unwrap();
    labs.ok(&["up", &file]);
    let is = |name: &str, state: &str, code| (name.to_owned(), state.to_owned(), code);
    // That it has ended is heard of by itself.
    let ended = [is("short", "exited", Some(5)), is("web", "ready", None)];
    while states(&labs) != ended {
        assert_eq!(states(&labs)[1], is("web", "ready", None));
    }
    assert!(labs.ok(&["ps"]).contains("short exited with code 5, web ready"), "{}", labs.ok(&["ps"]));
    labs.ok(&["stop", "web1"]);
    assert_eq!(states(&labs), [is("short", "not-started", None), is("web", "not-started", None)]);
    std::fs::remove_file(&go).unwrap();
    let mut starting = labs.command(&["start", "web1"]).spawn().unwrap();
    while states(&labs)[1] != is("web", "starting", None) {
        assert!(starting.try_wait().unwrap().is_none(), "it waits for its service");
    }
    let instance = |number: usize| {
        let it = &labs.states()[0]["instances"][number];
        (it["name"].as_str().unwrap().to_owned(), it["state"].as_str().unwrap().to_owned(), it["uptime_s"].is_null())
    };
    let is_in = |name: &str, state: &str, no_uptime| (name.to_owned(), state.to_owned(), no_uptime);
    assert_eq!(instance(0), is_in("web1", "pending", true), "EC2's word");
    assert!(labs.states()[0]["instances"][0]["interfaces"][0]["public"].is_string(), "it has its address already");
    assert!(labs.ok(&["ps"]).contains("web1  pending"), "{}", labs.ok(&["ps"]));
    std::fs::write(&go, "").unwrap();
    assert!(starting.wait().unwrap().success());
    assert_eq!(states(&labs)[1], is("web", "ready", None));
    assert_eq!(instance(0), is_in("web1", "running", false));
    // One that is launched is there before its service is; one that is rebooted runs all the time.
    std::fs::remove_file(&go).unwrap();
    let launch = format!("launch: {{web2: {{groups: WEB, services: {{web: {{command: '{wait}', port: tcp 80}}}}}}}}");
    for (words, at, wanted) in [
        (&["reboot", "web1"][..], 0, is_in("web1", "running", false)),
        (&["apply", &launch][..], 1, is_in("web2", "pending", true)),
    ] {
        let mut waits = labs.command(words).spawn().unwrap();
        while labs.states()[0]["instances"][at]["services"]
            .as_array()
            .is_none_or(|all| all.last().unwrap()["state"] != "starting")
        {
            assert!(waits.try_wait().unwrap().is_none(), "{words:?} waits for its service");
        }
        assert_eq!(instance(at), wanted, "{words:?}");
        std::fs::write(&go, "").unwrap();
        assert!(waits.wait().unwrap().success());
        std::fs::remove_file(&go).unwrap();
    }
    assert_eq!(instance(1), is_in("web2", "running", false));
}

#[test]
fn sglab_test_starts_services_where_it_is_asked_to_and_else_says_that_it_does_not() {
    for user in users() {
        let labs = Labs::of(*user);
        let told = |words: &[&str]| {
            let said = labs.say(words);
            let document: serde_json::Value = serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("{said:?}"));
            (said.code, said.err, document["runs"][0].clone())
        };
        // Whoever looks for a listener finds one, and yet nobody from outside can reach it.
        let file = with_services(&labs, "{web: {command: 'exec nc.openbsd -lk 127.0.0.1 80', port: tcp 80}}");
        let (code, note, run) = told(&["test", &file, "--format", "json"]);
        assert_eq!((code, run["services"].as_str()), (Some(0), Some("not-started")), "the harness answers: {note}");
        assert!(note.contains("services.yaml are not started") && note.contains("--services starts them"), "{note}");
        let (code, note, run) = told(&["test", &file, "--services", "--format", "json"]);
        assert_eq!((code, run["services"].as_str(), note.as_str()), (Some(1), Some("started"), ""));
        assert_eq!(run["steps"][0]["wrong"][0]["observed"], "refused", "the program itself, as {user:?}: {run}");
        let file = with_services(&labs, "{web: {command: 'exit 3', port: tcp 80}}");
        let (code, _, run) = told(&["test", &file, "--services", "--format", "json"]);
        assert_eq!((code, run["verdict"].as_str()), (Some(2), Some("error")));
        assert!(run["error"].as_str().unwrap().contains("it ended with exit code 3 before it listened"), "{run}");
    }
}

const BALANCED: &str = "\
sglab: 1
era: vpc
hosts: {world: 198.51.100.7}
groups: {LB: [tcp 80 from anywhere], WEB: [tcp 8080 from LB]}
instances:
  web1: &web
    groups: WEB
    # nc would serve one connection after the other.
    services: {web: {command: [perl, -MIO::Socket::INET, -e, 'PERL'], port: tcp 8080}}
  web2: *web
load-balancers:
  site: {groups: LB, listeners: [tcp 80 to 8080], targets: [web1, web2], health-check: {interval: 0.1, healthy: 2}}
scenario:
  - {step: in turn, expect: {open: ['world -> site:80 answered by web1 and web2', 'world -> site:80', 'site -> web1:8080']}}
  - {step: one is left, do: [{stop: web1}], expect: {open: ['world -> site:80 answered by web2']}}
  - {step: it comes back, do: [{start: web1}], expect: {open: ['world -> site:80 answered by web1 and web2']}}
  - {step: nobody, do: [{revoke: {WEB: [tcp 8080 from LB]}}], expect: {closed: ['world -> site:80']}}
";

#[test]
fn programs_behind_a_load_balancer_prove_who_took_a_connection() {
    let labs = Labs::of(User::Ours);
    let file = labs.program.scratch().join("balanced.yaml");
    let serve = "my $s = IO::Socket::INET->new(LocalPort => 8080, Listen => 64, ReuseAddr => 1) or die; \
                 while (my $c = $s->accept) { close $c }";
    let balanced = BALANCED.replace("PERL", serve);
    std::fs::write(&file, &balanced).unwrap();
    let file = file.display().to_string();
    let said = labs.say(&["test", &file, "--services"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    labs.ok(&["up", &file]);
    assert!(labs.ok(&["probe", "world", "site:80"]).contains("  open  "));
    labs.ok(&["revoke", "WEB", "tcp 8080 from LB"]);
    assert!(!labs.say(&["probe", "world", "site:80"]).out.contains("  open  "));
    // A word that is wrong is seen to be.
    let wrong = balanced.replace("by web2']", "by web1']");
    std::fs::write(&file, wrong).unwrap();
    assert_eq!(labs.say(&["test", &file, "--services"]).code, Some(1));
}

#[test]
fn a_service_that_does_not_come_up_is_an_error_with_its_last_words_and_the_lab_is_gone() {
    for user in users() {
        let labs = Labs::of(*user);
        let file = with_services(&labs, "{web: {command: 'echo first; echo no such luck >&2; exit 3', port: tcp 80}}");
        let said = labs.say(&["up", &file]);
        assert_eq!(said.code, Some(2), "{said:?}");
        let expected = "error: the lab is not up: the service web of web1 did not come up: it ended with exit code 3 before it \
                        listened on tcp 80\n  | first\n  | no such luck\n";
        assert!(said.err.starts_with(expected), "as {user:?}: {said:?}");
        assert_eq!(labs.ok(&["ps"]), "no lab is up\n");
        // It comes up at first, and not again.
        let once = "[ ! -e $SGLAB_DATA/been ] || exit 4; touch $SGLAB_DATA/been; exec nc.openbsd -lk 80";
        let file = with_services(&labs, &format!("{{web: {{command: '{once}', port: tcp 80, log: web.log}}}}"));
        assert!(labs.ok(&["up", &file]).contains(", 1 instance  "), "and not `1 instances`");
        let said = labs.say(&["reboot", "web1"]);
        assert!(said.code == Some(2) && said.err.contains("it ended with exit code 4"), "{said:?}");
        assert!(said.err.starts_with("error: reboot web1 is in force, but the service web of web1 "), "{said:?}");
        assert!(labs.ok(&["exec", "web1", "--", "hostname"]) == "web1\n", "the instance runs all the same");
        assert!(labs.program.scratch().join("site/web.log").exists(), "beside the file");
    }
}

#[test]
fn programs_can_change_users_as_root_and_where_a_range_is_granted_and_doctor_says_where_not() {
    if !nix::unistd::geteuid().is_root() {
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
    assert!(labs.ok(&["doctor"]).contains("LESS user ids of an instance"));
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
