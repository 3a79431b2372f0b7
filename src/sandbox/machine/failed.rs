//! Errors of what is done for an instance.

use std::io;

/// An error, and at what.
pub(super) type Failed = (String, io::Error);

/// Says at what an error was.
pub(super) fn at<E: Into<io::Error>>(attempt: impl Into<String>) -> impl FnOnce(E) -> Failed {
    let attempt = attempt.into();
    move |error| (attempt, error.into())
}
