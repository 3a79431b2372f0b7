//! Tests on real packets. Each runs in a process of its own, which enters the sandbox before it has threads.
//!
//! Started as root, every case runs twice: as root, and as an ordinary user; long sweeps are dealt out among the two. A
//! case that cannot run fails with the reason; none is skipped.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test panics")]

/// `cases![a_function, another]`: every async function a case of its own name.
macro_rules! cases {
    ($($function:ident),* $(,)?) => {
        pub const CASES: &[$crate::Case] = &[$($crate::Case {
            name: concat!(module_path!(), "::", stringify!($function)),
            run: || Box::pin($function()),
        }),*];
    };
}

mod addresses;
mod agreement;
mod alive;
mod altered;
mod answered;
mod answers;
mod bare;
mod blink;
mod broken_packets;
mod clients;
mod clouds;
mod coverage;
mod dealt;
mod disagreements;
mod elastic_ips;
mod errors_of_others;
mod evidence;
mod faults_load_balancers;
mod faults_log;
mod faults_nft;
mod faults_operations;
mod fence;
mod fixed_ports;
mod flow_logs;
mod foretold;
mod fragments;
mod gotchas;
mod hostile_instances;
mod hosts_files;
mod icmp_errors;
mod ipv6;
mod liars;
mod literal;
mod load_balancers;
mod lying_boxes;
mod lying_ends;
mod memory;
mod minimal_system;
mod mtu;
mod mutants;
mod odd_frames;
mod outside;
#[path = "../common/patience.rs"]
mod patience;
mod pressure;
mod protocols;
mod regressions;
mod sabotage;
mod scale;
mod services;
mod shares;
mod snapshot;
mod timeouts;
mod topologies;
mod traceroute;
mod tracking;
mod udp_idle;
mod untracked;
mod wrong_ends;

use std::future::Future;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::{Command, ExitCode};

use libtest_mimic::{Arguments, Failed, Trial};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// One test: its name is a sentence. It runs inside the sandbox, on a tokio runtime.
pub struct Case {
    pub name: &'static str,
    pub run: fn() -> Pin<Box<dyn Future<Output = ()>>>,
}

/// Every module's cases.
const ALL: &[&[Case]] = &[
    addresses::CASES,
    agreement::CASES,
    alive::CASES,
    answers::CASES,
    altered::CASES,
    disagreements::CASES,
    blink::CASES,
    broken_packets::CASES,
    coverage::CASES,
    elastic_ips::CASES,
    errors_of_others::CASES,
    evidence::CASES,
    faults_load_balancers::CASES,
    faults_log::CASES,
    faults_nft::CASES,
    faults_operations::CASES,
    fence::CASES,
    fixed_ports::CASES,
    flow_logs::CASES,
    foretold::CASES,
    fragments::CASES,
    gotchas::CASES,
    hostile_instances::CASES,
    hosts_files::CASES,
    icmp_errors::CASES,
    ipv6::CASES,
    literal::CASES,
    minimal_system::CASES,
    mutants::CASES,
    load_balancers::CASES,
    lying_boxes::CASES,
    lying_ends::CASES,
    memory::CASES,
    mtu::CASES,
    odd_frames::CASES,
    outside::CASES,
    pressure::CASES,
    protocols::CASES,
    regressions::CASES,
    sabotage::CASES,
    scale::CASES,
    timeouts::CASES,
    services::CASES,
    shares::CASES,
    topologies::CASES,
    traceroute::CASES,
    tracking::CASES,
    udp_idle::CASES,
    untracked::CASES,
    wrong_ends::CASES,
];

/// Names the case that this process is to run.
pub const CASE: &str = "SGLAB_TEST_CASE";

/// An ordinary user that every system has: `nobody`.
const NOBODY: u32 = 65534;

fn main() -> ExitCode {
    if let Ok(name) = std::env::var(CASE) {
        let case = ALL.iter().copied().flatten().find(|case| case.name == name).expect("a case of that name");
        return run_here(case);
    }
    let names: Vec<&str> = ALL.iter().copied().flatten().map(|case| case.name).collect();
    if let Some(code) = mutants::main(&names) {
        return code;
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
    let trials = ALL.iter().copied().flatten().flat_map(|case| {
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
    command.env(CASE, name).env(dealt::DEALT, dealt).current_dir("/");
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
        let program = folder.path().join("lab");
        std::fs::copy(std::env::current_exe().expect("this program"), &program).expect("a copy of this program");
        for path in [folder.path(), &program] {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("permissions");
        }
        Self { program, _folder: folder }
    }
}
