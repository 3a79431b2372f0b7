//! Numbers in words.

use std::str::FromStr;

/// Reads a whole number of digits alone. `parse` takes a plus before them, which no number of a file or of an id has.
pub fn number<T: FromStr>(text: &str) -> Option<T> {
    (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}
