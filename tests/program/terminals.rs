//! Programs in instances with a terminal and without one: keys, sizes, and what is left behind.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

use crate::exec::{FOR_EVER, signal};
use crate::labs::Labs;
use crate::patience::patience;
use crate::program::users;
use crate::pty::pty;
use nix::pty::Winsize;
use nix::sys::signal::Signal;
use nix::sys::termios::{LocalFlags, tcgetattr};
use sglab::sandbox::terminal::set_size;

#[test]
fn with_a_terminal_the_program_has_one_of_its_own_of_the_same_size_and_ours_is_as_it_was() {
    for user in users() {
        let labs = Labs::of(*user);
        labs.ok(&["up", "example:two-tier"]);
        let pty = pty(33, 101);
        let before = tcgetattr(&pty.slave).unwrap();
        assert!(before.local_flags.contains(LocalFlags::ECHO | LocalFlags::ICANON));
        // A shell looks for signals between its commands, and not while it reads.
        let script = "trap 'stty size; exit 3' WINCH; stty size; tty -s && echo terminal; read line; echo \"<$line>\"; while :; do :; done";
        let mut command = labs.command(&["exec", "--tty", "web1", "--", "sh", "-c", script]);
        let ends = || Stdio::from(pty.slave.try_clone().unwrap());
        let mut child = command.stdin(ends()).stdout(ends()).stderr(ends()).spawn().unwrap();
        let mut typing = pty.master.try_clone().unwrap();
        let mut lines = BufReader::new(pty.master).lines();
        let mut line = || lines.next().unwrap().unwrap();
        assert_eq!((line().as_str(), line().as_str()), ("33 101", "terminal"), "as {user:?}");
        assert!(
            !tcgetattr(&pty.slave).unwrap().local_flags.contains(LocalFlags::ICANON),
            "keys are passed on one by one"
        );
        typing.write_all(b"typed\r").unwrap();
        assert_eq!((line().as_str(), line().as_str()), ("typed", "<typed>"), "the program's terminal echoes");
        let wider = Winsize { ws_row: 33, ws_col: 120, ws_xpixel: 0, ws_ypixel: 0 };
        set_size(&pty.slave, &wider).unwrap();
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

/// A terminal of the caller's, and what is seen of it.
pub struct Caller {
    pub slave: OwnedFd,
    pub typing: File,
    lines: std::io::Lines<BufReader<File>>,
}

impl Caller {
    pub fn new() -> Self {
        let pty = pty(33, 101);
        let lines = BufReader::new(pty.master.try_clone().unwrap()).lines();
        Self { slave: pty.slave, typing: pty.master, lines }
    }

    pub fn end(&self) -> Stdio {
        Stdio::from(self.slave.try_clone().unwrap())
    }

    pub fn line(&mut self) -> String {
        self.lines.next().unwrap().unwrap()
    }

    pub fn typed(&mut self, text: &str) {
        self.typing.write_all(text.as_bytes()).unwrap();
    }

    /// Types until somebody has heard the echo: where more is printed than is read, it waits in the terminal until the next key.
    fn types_until_heard(&mut self, text: &str, listening: JoinHandle<bool>) {
        let begun = Instant::now();
        while !listening.is_finished() {
            assert!(begun.elapsed() < patience(10), "no echo");
            self.typed(text);
            sleep(Duration::from_millis(10));
        }
        assert!(listening.join().unwrap(), "the terminal's own echo");
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
        caller.types_until_heard("secret\n", listening);
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
            caller.types_until_heard(
                "
end
", listening,
            );
        }
    }
}
