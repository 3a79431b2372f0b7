//! Tests that are run once more, inside a sandbox: the process outside, and the one inside.

mod output;

use std::fmt;
use std::future::Future;
use std::io::{self, Read};
use std::panic::resume_unwind;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, Once, PoisonError};
use std::time::{Duration, Instant};

use crate::sandbox::reexec::{self, Reexec, Report};
use crate::sandbox::{self, limits};

/// Result of a test: nothing, or a `Result` whose error has `Debug`.
#[diagnostic::on_unimplemented(
    message = "a test gives back nothing, or a `Result` whose error has `Debug`, and not `{Self}`",
    label = "this gives back `{Self}`"
)]
pub trait TestResult {
    /// Returns the message of the failure, if it is one.
    fn failure(self) -> Option<String>;
}

impl TestResult for () {
    fn failure(self) -> Option<String> {
        None
    }
}

impl<T: TestResult, E: fmt::Debug> TestResult for Result<T, E> {
    fn failure(self) -> Option<String> {
        match self {
            Ok(value) => value.failure(),
            Err(error) => Some(format!("Error: {error:?}")),
        }
    }
}

/// Runs a test inside a sandbox: what [`macro@crate::test`] makes of a function.
///
/// Outside, it starts this executable anew with the test's name, `--exact` and `--nocapture`, as libtest and those that follow it
/// understand them; passes on output and failure; and ends with it. The new process enters the sandbox before `main` and
/// comes here again: then the test is run, on a tokio runtime. `timeout` is in seconds; 0 is none.
///
/// # Panics
/// With the message of the test, if it fails; or why it could not be run.
pub fn run<F: Future<Output: TestResult>>(module: &str, name: &str, timeout: u64, test: impl FnOnce() -> F) {
    // libtest names tests without the crate.
    let path = module.split_once("::").map_or_else(|| name.to_owned(), |(_, module)| format!("{module}::{name}"));
    let timeout = (timeout > 0).then(|| Duration::from_secs(timeout));
    if let Ok(inside) = enter(&path, Again::Test, timeout) {
        inside.drive(test);
    }
}

/// Does the work of a `main`, or of a doctest, inside a sandbox: the executable is started anew with the same arguments.
/// Standard input is empty there.
///
/// ```
/// sglab::testing::main(async || {
///     let cloud = sglab::topology::Topology::builder(sglab::model::Era::Vpc).build()?;
///     sglab::testing::Lab::boot(&cloud).await?;
///     Ok::<(), sglab::testing::Error>(())
/// });
/// ```
///
/// # Panics
/// As [`run`].
pub fn main<F: Future<Output: TestResult>>(work: impl FnOnce() -> F) {
    if let Ok(inside) = enter("main", Again::Main, None) {
        inside.drive(work);
    }
}

/// Does the work of [`sandboxed!`](crate::sandboxed); `here` is the path of a function inside the test.
#[doc(hidden)]
pub fn sandboxed(here: &str) -> Result<Inside, Passed> {
    let closures = here.strip_suffix("::here").unwrap_or(here);
    let path = closures.trim_end_matches("::{{closure}}");
    let path = path.split_once("::").map_or(path, |(_, path)| path);
    enter(path, Again::Test, None)
}

/// The test has been run, and has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passed;

/// Form in which the executable is started anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Again {
    /// For one test of many.
    Test,
    /// As it was.
    Main,
}

/// Inside now, or the test has passed inside of another process.
fn enter(what: &str, again: Again, timeout: Option<Duration>) -> Result<Inside, Passed> {
    match reexec::take() {
        Some(order) => {
            if order.what != what {
                let why = format!("the process was started for {}, and {what} is run", order.what);
                drop(order.report(&Report::Failed(why.clone())));
                fail(why);
            }
            Ok(Inside::begin(order))
        }
        // The caller's own `main` has entered it.
        None if sandbox::current().is_some() => Ok(Inside { order: None }),
        None => {
            let failure = outside(what, again, timeout).unwrap_or_else(|error| {
                let why = format!("failed to run {what} inside a sandbox: {error}");
                eprintln!("error: {why}");
                Some(why)
            });
            failure.map_or(Err(Passed), |why| fail(why))
        }
    }
}

/// Fails as the test has failed; the panic's own message has been printed by then.
fn fail(why: String) -> ! {
    resume_unwind(Box::new(why))
}

/// Runs it once more in another process and passes on what it prints; why it failed, if it has.
fn outside(what: &str, again: Again, timeout: Option<Duration>) -> io::Result<Option<String>> {
    let mut command = Command::new(std::env::current_exe()?);
    match again {
        // A test that is ignored comes here only if somebody wants it run.
        Again::Test => command.args([what, "--exact", "--nocapture", "--include-ignored"]),
        Again::Main => command.args(std::env::args_os().skip(1)),
    };
    let mut report = reexec::order(&mut command, what)?;
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    // The command holds the other end of the report.
    drop(command);
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (reported, status) = std::thread::scope(|scope| {
        if let (Some(stdout), Some(stderr)) = (stdout, stderr) {
            scope.spawn(|| output::pass_on(stdout, stderr));
        }
        hear(&mut report, &mut child, timeout)
    })?;
    let why = match (reported, status) {
        (Heard::TooLate(limit), _) => Some(format!("{what} still ran after {} s, and was ended", limit.as_secs())),
        // The process ended badly after the test was done: harnesses have codes of their own, and 128 and more is a signal.
        (Heard::Word(Report::Done), status) if status.code().is_none_or(|code| code >= 128) => {
            Some(format!("{what} passed, and then its process ended with {status}"))
        }
        (Heard::Word(Report::Done), _) => return Ok(None),
        (Heard::Word(Report::Failed(why)), _) => return Ok(Some(why)),
        (Heard::Word(Report::NoSandbox(why)), _) => {
            Some(format!("this machine cannot host a lab: {why}\n`sglab doctor` tells more."))
        }
        (Heard::Nothing, status) if status.success() => Some(format!(
            "{} was started anew to run {what} inside a sandbox, and ended without running it",
            std::env::current_exe()?.display()
        )),
        (Heard::Nothing, status) => Some(format!("{what} ended early: {}", ending(status))),
    };
    // Nobody has printed these yet.
    if let Some(why) = &why {
        eprintln!("error: {why}");
    }
    Ok(why)
}

/// Word of the process inside.
enum Heard {
    Word(Report),
    Nothing,
    TooLate(Duration),
}

/// Listens to the end, or until it is too late; then the process is ended, and everything in its sandbox with it.
fn hear(
    report: &mut std::os::unix::net::UnixStream,
    child: &mut Child,
    timeout: Option<Duration>,
) -> io::Result<(Heard, ExitStatus)> {
    let begun = Instant::now();
    let mut text = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        if let Some(timeout) = timeout {
            let left = timeout.saturating_sub(begun.elapsed());
            if left.is_zero() {
                child.kill()?;
                return Ok((Heard::TooLate(timeout), child.wait()?));
            }
            report.set_read_timeout(Some(left))?;
        }
        match report.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => text.extend_from_slice(&buffer[..read]),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(error) => return Err(error),
        }
    }
    let word = Report::from_text(&String::from_utf8_lossy(&text));
    Ok((word.map_or(Heard::Nothing, Heard::Word), child.wait()?))
}

/// The supervisor of a sandbox says 128 and the signal of a process that a signal has ended.
fn ending(status: ExitStatus) -> String {
    match status.code() {
        Some(code @ 129..=192) => match nix::sys::signal::Signal::try_from(code - 128) {
            Ok(signal) => format!("ended by {signal}"),
            Err(_) => status.to_string(),
        },
        _ => status.to_string(),
    }
}

/// Being inside. When it is dropped, it is told outside whether that was by a panic.
#[derive(Debug)]
pub struct Inside {
    /// Nothing where nobody outside wants to know.
    order: Option<Reexec>,
}

/// The message of the last panic of any thread.
static LAST_PANIC: Mutex<Option<String>> = Mutex::new(None);

impl Inside {
    fn begin(order: Reexec) -> Self {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let before = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |info| {
                let payload = info.payload();
                let text = payload.downcast_ref::<String>().cloned();
                let text = text.or_else(|| payload.downcast_ref::<&str>().map(|text| (*text).to_owned()));
                *LAST_PANIC.lock().unwrap_or_else(PoisonError::into_inner) = text;
                before(info);
            }));
        });
        if let Err(error) = order.speak() {
            let why = format!("failed to take standard output back: {error}");
            drop(order.report(&Report::Failed(why.clone())));
            fail(why);
        }
        Self { order: Some(order) }
    }

    /// Runs a test to its end.
    fn drive<F: Future<Output: TestResult>>(mut self, test: impl FnOnce() -> F) {
        let failure = match limits::runtime() {
            Ok(runtime) => {
                let failure = runtime.block_on(async { test().await.failure() });
                // A blocking call that hangs is the test's own affair, and ends with the process.
                runtime.shutdown_background();
                failure
            }
            Err(error) => Some(format!("failed to start the test's runtime: {error}")),
        };
        if let Some(why) = failure {
            eprintln!("{why}");
            self.tell(&Report::Failed(why.clone()));
            fail(why);
        }
    }

    fn tell(&mut self, report: &Report) {
        if let Some(order) = self.order.take() {
            // Outside nobody is left then.
            drop(order.report(report));
        }
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        let report = if std::thread::panicking() {
            let why = LAST_PANIC.lock().unwrap_or_else(PoisonError::into_inner).take();
            Report::Failed(why.unwrap_or_else(|| "the test panicked".to_owned()))
        } else {
            Report::Done
        };
        self.tell(&report);
    }
}
