//! One annotation, as GitHub reads it from the output of a job.

use std::fmt::Write;

use super::text;
use crate::model::SourceLocation;

/// Writes one; its kind is `error`, `warning` or `notice`.
pub(super) fn annotate(out: &mut String, kind: &str, place: &SourceLocation, title: &str, text: &str) {
    let _ = writeln!(
        out,
        "::{kind} file={},line={},col={},title={}::{}",
        property(&place.file),
        place.line,
        place.column,
        property(title),
        message(text)
    );
}

/// Writes one that is of a whole file.
pub(super) fn annotate_file(out: &mut String, kind: &str, file: &str, title: &str, text: &str) {
    let _ = writeln!(out, "::{kind} file={},title={}::{}", property(file), property(title), message(text));
}

/// Escapes the text after the second pair of colons. Its lines may be several, and only GitHub shows them as such.
pub(super) fn message(text: &str) -> String {
    text::shown_lines(text).replace('%', "%25").replace('\n', "%0A")
}

/// The value of a property.
pub(super) fn property(text: &str) -> String {
    message(text).replace(':', "%3A").replace(',', "%2C")
}
