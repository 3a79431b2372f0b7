//! A word on stderr about what takes longer than a second, where somebody sits at a terminal.

use std::io::{IsTerminal, stderr};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

use sglab::report::shown;

use super::screen;

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
            screen::tell(&what());
        }
    });
    Waiting { _over: thread.is_ok().then_some(over) }
}
