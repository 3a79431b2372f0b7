//! What a program in an instance, a caller or a client does to a lab that is up: it costs that one, and the lab goes on.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, IoSlice};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use crate::labs::Labs;
use crate::patience::patience;
use crate::program::{self, User, users};
use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use nix::unistd::{Pid, geteuid};
use sglab::protocol::{self, Envelope, Exec, Failure, MAX_REPLY, MAX_REQUEST, Reply, Request, VERSION};

/// What takes longer hangs.
fn limit() -> Duration {
    patience(15)
}

/// Runs something that must end soon.
fn soon<T: Send + 'static>(what: &str, work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, ended) = channel();
    std::thread::spawn(move || drop(done.send(work())));
    ended.recv_timeout(limit()).unwrap_or_else(|error| panic!("{what}: {error}"))
}

/// A script in an instance.
fn inside(labs: &Labs, script: &str) -> String {
    let said = labs.say(&["exec", "web1", "--", "sh", "-c", script]);
    format!("{}{}", said.out, said.err)
}

/// The process of a lab that answers: the child of its first, which is the child of the one outside.
fn supervisor(labs: &Labs, lab: &str) -> Pid {
    let child = |pid: Pid| {
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).expect("its children");
        Pid::from_raw(children.split_whitespace().next().expect("a child").parse().expect("a number"))
    };
    child(child(labs.pid(lab)))
}

#[test]
fn what_the_caller_has_open_is_closed_in_the_lab() {
    for user in users() {
        let labs = Labs::of(*user);
        let (read, write) = std::io::pipe().expect("a pipe");
        let secret = labs.program.folder().join("secret");
        fs::write(&secret, "nobody's business").expect("a file");
        fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).expect("permissions");
        let mut shell = Command::new("sh");
        shell.args(["-c", "exec 8>&2 9<&0 2>&1 </dev/null; exec \"$@\"", "sh"]).arg(labs.program.path());
        let mut up = labs.program.dress(*user, shell, &["up", "example:two-tier"]);
        up.env("SGLAB_RUNTIME_DIR", labs.folder()).stdin(File::open(secret).expect("the file")).stderr(write);
        let output = up.output().expect("the program");
        drop(up);
        assert!(output.status.success(), "{output:?}");
        inside(&labs, "true");
        let mut line = String::new();
        let heard = soon("the caller's pipe", move || BufReader::new(read).read_line(&mut line));
        assert_eq!(heard.expect("its end"), 0, "as {user:?}");
        for process in fs::read_dir("/proc").expect("/proc").flatten() {
            let open = fs::read_dir(process.path().join("fd")).into_iter().flatten().flatten();
            let has = open.filter_map(|one| fs::read_link(one.path()).ok()).any(|link| link.ends_with("secret"));
            let ours = process.file_name().to_string_lossy() == std::process::id().to_string();
            assert!(!has || ours, "as {user:?}: {:?} has it", fs::read_to_string(process.path().join("cmdline")));
        }
    }
}

/// By number: what a kernel says to a program that looks into its instance's first process.
const LOOK: &str = r#"
    my $first = syscall(434, 1, 0);
    my $got = 0;
    for my $number (0..64) { $got++ if syscall(438, $first, $number, 0) >= 0 }
    print "descriptors $got\n";
    print "traced ", (syscall(101, 16, 1, 0, 0) == 0 ? "yes" : "no"), "\n";
    for my $file (qw(environ maps mem fd/0 ns/net)) { print "$file open\n" if open(my $f, "<", "/proc/1/$file") }
"#;

#[test]
fn the_first_process_of_an_instance_has_nothing_to_take_and_cannot_be_looked_into() {
    for user in users() {
        let labs = Labs::of(*user);
        labs.ok(&["up", "example:two-tier"]);
        let said = inside(&labs, &format!("exec perl -e '{LOOK}'"));
        assert_eq!(said, "descriptors 0\ntraced no\n", "as {user:?}");
        // It has none but /dev/null, and programs of its own can be looked into.
        assert_eq!(inside(&labs, "sleep 1000 & cat /proc/$!/environ >/dev/null && echo yes; kill $!"), "yes\n");
        let first = first_process(&labs);
        let links = fs::read_dir(format!("/proc/{first}/fd")).into_iter().flatten().flatten();
        let links: Vec<_> = links.filter_map(|one| fs::read_link(one.path()).ok()).collect();
        assert!(!geteuid().is_root() || links.len() == 3, "as {user:?}: {links:?}");
        assert!(links.iter().all(|link| link == Path::new("/dev/null")), "as {user:?}: {links:?}");
        assert_eq!(labs.ok(&["stop", "web1"]).matches("web1 running -> stopped").count(), 1);
    }
}

/// The first process of the one instance with programs, as the host numbers it.
fn first_process(labs: &Labs) -> String {
    let supervisor = supervisor(labs, "two-tier");
    let outside = fs::read_link(format!("/proc/{supervisor}/ns/mnt")).expect("its mounts");
    let is_first = |pid: &str| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:")).unwrap_or_default();
        let file = |path: &Path| fs::metadata(path).ok().map(|it| (it.dev(), it.ino()));
        let runs = file(Path::new(&format!("/proc/{pid}/exe")));
        let mounts = fs::read_link(format!("/proc/{pid}/ns/mnt")).unwrap_or_default();
        numbers.split_whitespace().nth(2) == Some("1")
            && (runs == file(&labs.program.path()) || !geteuid().is_root())
            && mounts != outside
    };
    let all = fs::read_dir("/proc").expect("/proc").flatten();
    let mut all = all.map(|entry| entry.file_name().to_string_lossy().into_owned());
    all.find(|pid| pid.bytes().all(|byte| byte.is_ascii_digit()) && is_first(pid)).expect("the first process")
}

#[test]
fn descriptors_that_nobody_wants_are_closed() {
    let labs = Labs::of(User::Ours);
    labs.ok(&["up", "example:two-tier"]);
    inside(&labs, "true");
    let folder = format!("/proc/{}/fd", supervisor(&labs, "two-tier"));
    let open = || fs::read_dir(&folder).expect("its descriptors").count();
    let before = open();
    let null = File::open("/dev/null").unwrap();
    for count in [1, 4, 5, 64, 253].repeat(10) {
        let mut stream = UnixStream::connect(labs.socket("two-tier")).unwrap();
        let exec = Exec {
            instance: "web1".into(),
            command: vec!["true".into()],
            environment: Vec::new(),
            folder: "/".into(),
            terminal: None,
        };
        let request = Envelope { sglab: VERSION, request: Request::Exec(Box::new(exec)) };
        protocol::write(&mut stream, &request, MAX_REQUEST).unwrap();
        assert!(matches!(protocol::read::<Reply>(&mut stream, MAX_REPLY).unwrap(), Reply::GoOn));
        let numbers = vec![null.as_raw_fd(); count];
        let rights = [ControlMessage::ScmRights(&numbers)];
        sendmsg::<()>(stream.as_raw_fd(), &[IoSlice::new(&[0])], &rights, MsgFlags::empty(), None).unwrap();
        match protocol::read::<Reply>(&mut stream, MAX_REPLY).unwrap() {
            Reply::Failed(Failure::WrongDescriptors { why }) => {
                assert!(why.contains("3 descriptors are wanted"), "{why}");
            }
            other => panic!("{other:?}"),
        }
    }
    let begun = Instant::now();
    while open() > before + 5 {
        assert!(begun.elapsed() < limit(), "{before} before, {} after", open());
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_supervisor_that_is_stopped_hides_no_other_lab_and_can_be_ended() {
    for user in users() {
        let labs = Labs::of(*user);
        labs.ok(&["up", "example:two-tier"]);
        labs.ok(&["up", "example:two-tier", "--name", "other"]);
        kill(supervisor(&labs, "two-tier"), Signal::SIGSTOP).expect("a process to stop");
        // Nor does a thing that is no lock.
        let fifo = labs.folder().join("x.lock");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::from_bits_truncate(0o666)).expect("a pipe");
        let mut ps = labs.command(&["ps"]);
        let output = soon("ps", move || ps.output().expect("the program"));
        let out = String::from_utf8(output.stdout).unwrap();
        assert!(out.contains("other   era article") && out.contains("two-tier   not answering"), "as {user:?}: {out}");
        assert!(output.status.success(), "as {user:?}");
        let mut json = labs.command(&["ps", "--format", "json"]);
        let json = program::json(&String::from_utf8(json.output().expect("the program").stdout).unwrap());
        assert_eq!(
            (&json[0]["lab"], &json[1]),
            (&"other".into(), &serde_json::json!({"lab": "two-tier", "answers": false}))
        );
        let mut down = labs.command(&["down", "--force", "two-tier"]);
        let output = soon("down", move || down.output().expect("the program"));
        assert_eq!(String::from_utf8(output.stdout).unwrap(), "two-tier is down\n", "as {user:?}");
        assert!(labs.ok(&["ps"]).starts_with("other   era"), "as {user:?}");
        // It ends labs that answer, too, and says where there is none.
        assert_eq!(labs.ok(&["down", "--force", "other"]), "other is down\n");
        assert_eq!(labs.ok(&["ps"]), "no lab is up\n");
        assert_eq!(labs.say(&["down", "--force", "other"]).code, Some(2));
        fs::remove_file(fifo).expect("the pipe");
    }
}

#[test]
fn clients_that_say_nothing_delay_nobody() {
    let labs = Labs::of(User::Ours);
    labs.ok(&["up", "example:two-tier"]);
    let silent: Vec<_> = (0..600).filter_map(|_| UnixStream::connect(labs.socket("two-tier")).ok()).collect();
    assert!(silent.len() > 256);
    assert!(labs.ok(&["ps"]).contains("web1"));
    drop(silent);
}

/// Programs that a client starts in web1, whose shell never gets to its end, do not hold up what others ask for.
#[test]
fn a_lab_of_a_broken_instance_answers_at_once() {
    for user in users() {
        let labs = Labs::of(*user);
        labs.ok(&["up", "example:two-tier"]);
        let mut children: Vec<_> = ["yes", "exec cat /dev/zero", "trap '' TERM INT HUP; while :; do :; done"]
            .iter()
            .map(|script| {
                let mut command = labs.command(&["exec", "web1", "--", "sh", "-c", script]);
                command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("a program")
            })
            .collect();
        for words in [["stop", "web1"], ["start", "web1"], ["terminate", "web1"]] {
            let mut command = labs.command(&words);
            let output = soon(words[0], move || command.output().expect("the program"));
            assert!(output.status.success(), "as {user:?}: {output:?}");
        }
        for child in &mut children {
            drop(child.stdout.take());
            child.wait().expect("its end");
        }
        assert!(labs.ok(&["probe", "web2", "db1:3306"]).contains("  open  "), "as {user:?}");
    }
}

#[test]
fn doctor_says_what_bounds_an_instance() {
    let labs = Labs::of(User::Ours);
    let mut doctor: Command = labs.command(&["doctor"]);
    let said = String::from_utf8(doctor.output().expect("the program").stdout).unwrap();
    assert!(said.contains("processes for each of its users") && said.contains("memory of a lab"), "{said}");
}
