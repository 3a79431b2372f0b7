//! Choice of colours.

use super::common::When;

/// Returns `true` if colours are wanted, on a terminal or not.
pub(super) fn wanted(when: When, is_terminal: bool) -> bool {
    match when {
        When::Always => true,
        When::Never => false,
        When::Auto => is_terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
    }
}
