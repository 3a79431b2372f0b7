//! The list of checks.

use std::fmt::Write;

use crate::lint::{Check, Profile, all};
use crate::report::Style;

/// The profiles of a check, beside `all`.
pub fn profiles(check: &Check) -> String {
    let own = Profile::ALL.into_iter().filter(|profile| *profile != Profile::All && check.is_in(*profile));
    own.map(Profile::as_str).collect::<Vec<_>>().join(", ")
}

/// A line a check: `sglab lint --list`.
pub fn list(style: Style) -> String {
    let mut out = String::new();
    for check in all() {
        let line = format!("{:<26}  {:<7}  {:<12}  {}", check.id, check.level.as_str(), profiles(check), check.title);
        let _ = writeln!(out, "{}", style.fit(&line));
    }
    out
}

/// The same as a table of Markdown, with whose advice it is.
pub fn markdown() -> String {
    let mut out = "| check | level | profiles | finds | whose advice |\n|---|---|---|---|---|\n".to_owned();
    for check in all() {
        let advice: Vec<String> = check
            .advice
            .iter()
            .map(|advice| format!("[{}]({})", advice.who, advice.link.strip_prefix("docs/").unwrap_or(advice.link)))
            .collect();
        let _ = writeln!(
            out,
            "| `{}` | {} | {} | {} | {} |",
            check.id,
            check.level.as_str(),
            profiles(check),
            check.title,
            advice.join("; ")
        );
    }
    out
}
