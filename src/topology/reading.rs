//! From the bytes of a file to a document of some shape.

use super::document::shape::{Diagnostics, Shape};
use super::problem::{Diagnostic, Span};
use super::tree::{self, Kind, Node, Value};

/// The largest topology file: read in some seconds, and in 1 GiB (docs/performance.md). A caller reads at most one byte more.
pub const MAX_BYTES: usize = 16 << 20;

/// The beginning of a file.
pub(super) const START: Span = Span { start: 0, end: 0 };

/// The file as text.
pub(crate) fn text(bytes: &[u8]) -> Result<&str, Diagnostic> {
    if bytes.len() > MAX_BYTES {
        let most = MAX_BYTES >> 20;
        let larger = Diagnostic::new(START, format!("the file is larger than {most} MiB, the most that is read"));
        return Err(larger.help("a cloud of that size is read in parts: its VPCs one by one"));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let at = error.valid_up_to();
        Diagnostic::new(START, format!("the file is not text: byte {} is not UTF-8", at + 1))
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match text.char_indices().find(|(_, c)| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        Some((at, c)) => Err(Diagnostic::new(
            START,
            format!("the file is not text: byte {} is the control character {}", at + 1, c.escape_unicode()),
        )),
        None => Ok(text),
    }
}

/// The tree of a text, unless it is empty; problems that leave it usable are noted.
///
/// # Errors
/// The problem that ends reading.
pub(super) fn root(text: &str, problems: &mut Vec<Diagnostic>) -> Result<Option<Node>, Diagnostic> {
    let root = tree::parse(text, problems)?;
    Ok(root.filter(|root| !matches!(&root.value, Value::Scalar(scalar) if scalar.kind() == Kind::Nothing)))
}

/// Reads a document of a shape; `empty` says what to do about a file without one. Every problem is noted.
pub(crate) fn document<T: Shape>(text: &str, empty: &str, problems: &mut Vec<Diagnostic>) -> Option<T> {
    match root(text, problems) {
        Ok(Some(root)) => T::read(&root, T::WHAT, &mut Diagnostics(problems)),
        Ok(None) => {
            problems.push(Diagnostic::new(START, "the file is empty").help(empty));
            None
        }
        Err(draft) => {
            problems.push(draft);
            None
        }
    }
}
