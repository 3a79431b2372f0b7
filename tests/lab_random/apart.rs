//! Runs a file in a process of its own: the sandbox comes before threads, and a lab that hangs must not hang the rest.

use std::io::{Read, Write};
use std::process::{Command, ExitCode, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use crate::patience::patience;
use sglab::topology::Topology;

use crate::measure::{self, Finding, Kind, Report};

/// Set in the process that is to run the file which stands on its standard input.
pub const HERE: &str = "SGLAB_RANDOM_FILE";
/// ... and as this, if its own expectations are to be held too.
const WITH_EXPECTATIONS: &str = "with expectations";

/// A lab that takes longer hangs, and that is a finding.
fn longest() -> Duration {
    patience(180)
}

/// Runs the file on standard input in this process, and says what came of it.
pub fn run_here() -> ExitCode {
    // Whoever waits for the answer may be killed; then nobody needs it.
    let _ = nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL);
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).expect("a file on standard input");
    let topology = match Topology::parse("random.yaml", text.as_bytes()) {
        Ok(topology) => topology,
        Err(problems) => {
            eprintln!("{problems}");
            return ExitCode::from(2);
        }
    };
    if let Err(error) = sglab::sandbox::enter() {
        eprintln!("this machine cannot host a lab: {error}");
        return ExitCode::FAILURE;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let mut report = runtime.block_on(measure::run(&topology));
    if std::env::var(HERE).is_ok_and(|how| how == WITH_EXPECTATIONS) {
        report.findings.extend(runtime.block_on(measure::expectations(&topology)));
    }
    println!("{}", serde_json::to_string(&report).expect("a report is JSON"));
    ExitCode::SUCCESS
}

/// Runs a file apart. Whatever keeps that process from giving a report is a finding too.
pub fn run(text: &str) -> Report {
    run_as("alone", text)
}

/// The same, and the file's own expectations: the third reading.
pub fn run_with_expectations(text: &str) -> Report {
    run_as(WITH_EXPECTATIONS, text)
}

fn run_as(how: &str, text: &str) -> Report {
    attempt(how, text).unwrap_or_else(|why| {
        let what = "the process of the lab".to_owned();
        let predicted = "a report".to_owned();
        let finding = Finding { kind: Kind::Failure, step: "somewhere".to_owned(), what, predicted, measured: why };
        Report { findings: vec![finding], ..Report::default() }
    })
}

fn attempt(how: &str, text: &str) -> Result<Report, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut child = Command::new(program)
        .env(HERE, how)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| error.to_string())?;
    let mut input = child.stdin.take().ok_or("no standard input")?;
    input.write_all(text.as_bytes()).map_err(|error| error.to_string())?;
    drop(input);
    let id = nix::unistd::Pid::from_raw(child.id().try_into().map_err(|_| "no process id")?);
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || tell.send(child.wait_with_output()));
    let output = match told.recv_timeout(longest()) {
        Ok(output) => output.map_err(|error| error.to_string())?,
        Err(_) => {
            let _ = nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGKILL);
            return Err(format!("it took longer than {} s", longest().as_secs()));
        }
    };
    let said = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(said.trim()).map_err(|_| {
        let errors = String::from_utf8_lossy(&output.stderr);
        format!("{}: {said}{errors}", output.status)
    })
}
