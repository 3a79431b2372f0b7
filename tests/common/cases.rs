//! Suites of labs: each case runs in a process of its own, which enters the sandbox before it has threads. Started as root, every case
//! runs twice: as root, and as an ordinary user.

use std::future::Future;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::{Command, ExitCode};

use libtest_mimic::{Arguments, Failed, Trial};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// One test: its name is a sentence. It runs inside the sandbox, on a tokio runtime.
#[derive(Clone, Copy)]
pub struct Case {
    pub name: &'static str,
    pub run: fn() -> Pin<Box<dyn Future<Output = ()>>>,
}

/// `cases![a_function, another]`: every async function a case of its own name.
macro_rules! cases {
    ($($function:ident),* $(,)?) => {
        pub const CASES: &[$crate::Case] = &[$($crate::Case {
            name: concat!(module_path!(), "::", stringify!($function)),
            run: || Box::pin($function()),
        }),*];
    };
}

/// Names the case that this process is to run.
pub const CASE: &str = "SGLAB_TEST_CASE";

/// An ordinary user that every system has: `nobody`.
const NOBODY: u32 = 65534;

/// Runs the cases of a suite, or in a process that is started for one, that one.
pub fn main(all: &[&'static [Case]]) -> ExitCode {
    if let Ok(name) = std::env::var(CASE) {
        let case = all.iter().copied().flatten().find(|case| case.name == name).expect("a case of that name");
        return run_here(case);
    }
    let mut arguments = Arguments::from_args();
    // A lab waits for the kernel more than it computes.
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    arguments.test_threads.get_or_insert(3 * cores);
    with_the_usual_limits();
    let copy = Copy::of_this_program();
    let users: &[(&str, Option<u32>)] = if nix::unistd::geteuid().is_root() {
        &[("root", None), ("an ordinary user", Some(NOBODY))]
    } else {
        &[("an ordinary user", None)]
    };
    let program = &copy.program;
    let trials = all.iter().copied().flatten().flat_map(|case| {
        users.iter().enumerate().map(move |(share, (who, uid))| {
            let (program, uid, dealt) = (program.clone(), *uid, format!("{share}/{}", users.len()));
            Trial::test(format!("{} as {who}", case.name), move || run_apart(&program, case.name, uid, &dealt))
        })
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

/// Has the cases begin with as few descriptors as a shell usually gives; a lab takes what it may have itself.
fn with_the_usual_limits() {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit");
    setrlimit(Resource::RLIMIT_NOFILE, hard.min(1024), hard).expect("a limit below the hard one");
}

/// Runs a case in this process: sandbox first, threads after.
fn run_here(case: &Case) -> ExitCode {
    if let Err(error) = sglab::sandbox::enter() {
        eprintln!("this machine cannot host a lab: {error}");
        return ExitCode::FAILURE;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on((case.run)());
    ExitCode::SUCCESS
}

fn run_apart(program: &Path, name: &str, uid: Option<u32>, dealt: &str) -> Result<(), Failed> {
    let mut command = Command::new(program);
    command.env(CASE, name).env(crate::dealt::DEALT, dealt).current_dir("/");
    if let Some(uid) = uid {
        command.uid(uid).gid(uid);
    }
    let output = command.output()?;
    if output.status.success() {
        Ok(())
    } else {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Err(format!("{}\n{}{}", output.status, text(&output.stdout), text(&output.stderr)).into())
    }
}

/// A copy of this program where an ordinary user can run it, whatever the permissions of the build folder.
struct Copy {
    program: PathBuf,
    _folder: tempfile::TempDir,
}

impl Copy {
    fn of_this_program() -> Self {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let program = folder.path().join("suite");
        std::fs::copy(std::env::current_exe().expect("this program"), &program).expect("a copy of this program");
        for path in [folder.path(), &program] {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("permissions");
        }
        Self { program, _folder: folder }
    }
}
