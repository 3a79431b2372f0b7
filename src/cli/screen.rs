//! Width of the terminal. What goes into a pipe or a file has no width.

use std::io::IsTerminal;
use std::os::fd::AsFd;

use sglab::report::Style;
use sglab::topology::Problems;

/// The width of a terminal that does not say its own, as one that `script` makes without a terminal.
const USUAL: usize = 80;

/// The width of a terminal; nothing where it is none.
pub(super) fn width_of(stream: &(impl AsFd + IsTerminal)) -> Option<usize> {
    let told = terminal_size::terminal_size_of(stream).map(|(width, _)| width.0.into()).filter(|width| *width > 0);
    told.or_else(|| stream.is_terminal().then_some(USUAL))
}

/// A text for a stream: in lines that it has room for, if it is a terminal.
pub(super) fn fit(stream: &(impl AsFd + IsTerminal), text: &str) -> String {
    Style { width: width_of(stream), ..Style::default() }.fit(text)
}

/// Says something on the error output, in lines that a terminal has room for.
pub(super) fn tell(text: &str) {
    let stderr = std::io::stderr();
    eprintln!("{}", fit(&stderr, text));
}

/// Words what is wrong with a file, for the errors' own terminal: long lines are shown around what is meant.
pub(super) fn problems(problems: &Problems) -> String {
    width_of(&std::io::stderr()).map_or_else(|| problems.to_string(), |width| problems.within(width))
}
