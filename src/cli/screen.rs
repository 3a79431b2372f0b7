//! The terminal: its width and colours, and a word on stderr about what takes longer than a second.

use std::io::{IsTerminal, stderr};
use std::os::fd::AsFd;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

use sglab::report::{Style, shown};
use sglab::topology::Problems;

use super::common::When;

/// The width of a terminal that does not say its own, as one that `script` makes without a terminal.
const USUAL: usize = 80;

/// The width of a terminal; nothing where it is none.
pub(super) fn width_of(stream: &impl AsFd) -> Option<usize> {
    let told = terminal_size::terminal_size_of(stream).map(|(width, _)| width.0.into()).filter(|width| *width > 0);
    told.or_else(|| stream.as_fd().is_terminal().then_some(USUAL))
}

/// A text for a stream: in lines that it has room for, if it is a terminal.
pub(super) fn fit(stream: &impl AsFd, text: &str) -> String {
    Style { width: width_of(stream), ..Style::default() }.fit(text)
}

/// Says something on the error output, in lines that a terminal has room for.
pub(super) fn tell(text: &str) {
    let stderr = stderr();
    eprintln!("{}", fit(&stderr, text));
}

/// Returns the value; says the error where there is none.
pub(super) fn value_or_tell<T>(result: Result<T, impl std::fmt::Display>) -> Option<T> {
    result.map_err(|error| tell(&error.to_string())).ok()
}

/// Words what is wrong with a file, for the errors' own terminal: long lines are shown around what is meant.
pub(super) fn problems(problems: &Problems) -> String {
    width_of(&stderr()).map_or_else(|| problems.to_string(), |width| problems.within(width))
}

/// Returns `true` if colours are wanted, on a terminal or not.
pub(super) fn wanted(when: When, is_terminal: bool) -> bool {
    match when {
        When::Always => true,
        When::Never => false,
        When::Auto => is_terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
    }
}

/// Time that something may be waited for without a word at a terminal.
const WORTH_TELLING: Duration = Duration::from_secs(1);
/// The same where a program or a file reads the errors: that a lab is stuck, and not merely at work.
const WORTH_WRITING: Duration = Duration::from_secs(10);

/// Returns the function that tells the waits of a lab, if the errors go to a terminal.
pub(super) fn tell_waits() -> Option<fn(&str)> {
    let tell: fn(&str) = |what| eprintln!("{}", shown(what));
    stderr().is_terminal().then_some(tell)
}

/// Tells what is waited for, unless this is dropped before.
pub(super) struct Waiting {
    _over: Option<Sender<()>>,
}

/// Waits for somebody else from now on.
pub(super) fn waiting(what: String) -> Waiting {
    waiting_longer(if stderr().is_terminal() { WORTH_TELLING } else { WORTH_WRITING }, move || what)
}

/// The same for what may never end, which is told to whoever reads the errors; the words are found when they are needed.
pub(super) fn waiting_for(what: impl FnOnce() -> String + Send + 'static) -> Waiting {
    waiting_longer(WORTH_TELLING, what)
}

/// Works on something large from now on, which is told to who sits at a terminal.
pub(super) fn working(what: impl Into<String>) -> Option<Waiting> {
    let what = what.into();
    stderr().is_terminal().then(|| waiting_longer(WORTH_TELLING, move || format!("{what} ...")))
}

fn waiting_longer(than: Duration, what: impl FnOnce() -> String + Send + 'static) -> Waiting {
    let (over, ended) = channel();
    // Nothing is told if no thread can be had.
    let thread = std::thread::Builder::new().name("progress".into()).spawn(move || {
        if ended.recv_timeout(than) == Err(RecvTimeoutError::Timeout) {
            tell(&what());
        }
    });
    Waiting { _over: thread.is_ok().then_some(over) }
}
