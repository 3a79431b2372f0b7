//! The program as its users meet it: a copy where an ordinary user can run it, who runs it, and what it says.
#![allow(dead_code, reason = "not every test that meets the program asks all of it")]

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// An ordinary user that every system has: `nobody`.
pub const NOBODY: u32 = 65534;

/// Who runs the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum User {
    /// Whoever runs the tests.
    Ours,
    /// `nobody`; needs tests that run as root.
    Nobody,
    /// A user whom no account has, by a number below ten; needs tests that run as root.
    Unused(u32),
}

impl User {
    /// The id that it is run with, if it is not that of who runs the tests.
    pub fn id(self) -> Option<u32> {
        match self {
            Self::Ours => None,
            Self::Nobody => Some(NOBODY),
            // Of this process alone, as limits and labs are of users.
            Self::Unused(which) => Some(61_000 + 10 * (std::process::id() % 400) + which),
        }
    }
}

/// Root's tests run everything twice: as root, and as an ordinary user.
pub fn users() -> &'static [User] {
    if nix::unistd::geteuid().is_root() { &[User::Ours, User::Nobody] } else { &[User::Ours] }
}

/// True for root. For anybody else the test is told as skipped, on the error output itself: what tests print is shown only if they fail.
pub fn is_root_or_skipped() -> bool {
    let is_root = nix::unistd::geteuid().is_root();
    if !is_root {
        let thread = std::thread::current();
        let told = writeln!(std::io::stderr(), "SKIPPED, needs root: {}", thread.name().unwrap_or("a test"));
        told.expect("the error output");
    }
    is_root
}

/// A copy of the program in a folder of its own, whatever the permissions of the build folder. Everything that a run
/// may be tempted to leave behind has a folder here too.
pub struct Program {
    folder: tempfile::TempDir,
}

impl Program {
    pub fn copy() -> Self {
        let folder = tempfile::Builder::new().prefix("leftovers-").tempdir().expect("a temporary folder");
        let program = Self { folder };
        // By another process: with the copy open for writing in this one, a child that another test starts just then
        // would hold it open too, and it could not be run ("text file busy").
        let built = std::env::var_os("SGLAB_BIN").unwrap_or_else(|| env!("CARGO_BIN_EXE_sglab").into());
        let copied = Command::new("cp").arg(built).arg(program.path()).status();
        assert!(copied.expect("cp").success(), "a copy of the program");
        for (path, mode) in [(program.folder(), 0o755), (&program.path(), 0o755)] {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("permissions");
        }
        fs::create_dir(program.scratch()).expect("a folder");
        fs::set_permissions(program.scratch(), fs::Permissions::from_mode(0o777)).expect("permissions");
        program
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The executable: no process of anybody else runs this very file.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("sglab")
    }

    /// The working directory, home and temporary folder of its runs.
    pub fn scratch(&self) -> PathBuf {
        self.folder.path().join("scratch")
    }

    /// A run of it: not started yet, without input, its output piped, in an environment of its own. Whoever runs the tests
    /// may have an interrupt ignored, as a shell does with what it runs in the background; the run does not.
    pub fn run(&self, user: User, arguments: &[&str]) -> Command {
        let mut command = Command::new("env");
        command.arg("--default-signal=INT,TERM").arg(self.path());
        self.dress(user, command, arguments)
    }

    /// Another program, run in the same way.
    pub fn dress(&self, user: User, mut command: Command, arguments: &[&str]) -> Command {
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.env_clear().env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        let scratch = self.scratch();
        command.env("HOME", &scratch).env("TMPDIR", &scratch).current_dir(&scratch);
        if let Some(id) = user.id() {
            command.uid(id).gid(id);
        }
        command
    }
}

/// What a run of the program came to.
#[derive(Debug)]
pub struct Said {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

pub fn said(mut command: Command) -> Said {
    let output = command.output().expect("the program");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    Said { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

pub fn sglab(program: &Program, arguments: &[&str]) -> Said {
    said(program.run(User::Ours, arguments))
}

/// Runs it once in a scratch folder of its own.
pub fn run(arguments: &[&str]) -> Said {
    sglab(&Program::copy(), arguments)
}

/// Writes a file where the program runs.
pub fn write(program: &Program, name: &str, text: &str) -> PathBuf {
    let path = program.scratch().join(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(&path, text).expect("a file");
    path
}

pub fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

pub const TWO_TIER: &str = include_str!("../../topologies/two-tier.yaml");

/// The two-tier cloud with a mistake: the office's whole network in place of the office.
pub fn mistake() -> String {
    let text = TWO_TIER.replace("tcp 22 from office", "tcp 22 from 203.0.113.0/24");
    assert_ne!(text, TWO_TIER);
    text
}
