//! Findings of the checks, for people, for programs, and for code scanning.

pub mod catalogue;
pub mod json;
pub mod sarif;
pub mod text;

use crate::lint::{Finding, Level, Outcome};

/// The subject of a finding in one line: `db "tcp 5432 from anywhere"`.
pub fn subject(finding: &Finding) -> String {
    match &finding.rule {
        Some(rule) => format!("{} \"{rule}\"", finding.about.label),
        None => finding.about.label.clone(),
    }
}

/// The findings of a level and above.
fn shown(outcome: &Outcome, least: Level) -> impl Iterator<Item = &Finding> {
    outcome.findings.iter().filter(move |finding| finding.level >= least)
}

/// The verdict in one line.
pub fn verdict(outcome: &Outcome) -> String {
    let counted = |level: Level, word: &str| super::count(outcome.count(level), word);
    let allowed = match outcome.allowed.len() {
        0 => String::new(),
        count => format!("; {count} allowed"),
    };
    format!(
        "{}, {}, {}{allowed}",
        counted(Level::Error, "error"),
        counted(Level::Warning, "warning"),
        counted(Level::Note, "note")
    )
}
