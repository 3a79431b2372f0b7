//! Claims that hold by the article's word only, as lines of the terminal.

use crate::report::Style;
use crate::report::text::{self, Tone};

/// The lines of one claim.
pub fn lines(claim: &str, style: Style) -> String {
    let lines = text::wrap(claim, style.room(7, 100));
    lines.iter().map(|line| format!("       {}\n", style.paint(Tone::Unsure, line))).collect()
}
