//! A test's values in the words of a file.

use super::error::Error;
use crate::model::suggest;

/// Says that nobody has a name, and which is like it.
pub(super) fn unknown<'a>(what: &'static str, name: &str, known: impl IntoIterator<Item = &'a str>) -> Error {
    Error::Unknown { what, name: name.to_owned(), suggestion: suggest(name, known) }
}
