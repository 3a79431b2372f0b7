//! Results as terminal text, JSON, JUnit and annotations. Pure: no files, no environment, no clock.

mod annotation;
mod bundle;
mod cases;
pub mod catalogue;
mod coverage;
pub mod difference;
pub mod eras;
pub mod events;
pub mod evidence;
pub mod explain;
pub mod flow_logs;
pub mod format;
pub mod grade;
mod held_connections;
pub mod html;
pub mod json;
pub mod junit;
pub mod knobs;
pub mod lab_state;
pub mod left_out;
pub mod lesson;
pub mod lint;
pub mod live;
pub mod operation;
pub mod pcap;
pub mod probes;
pub mod replies;
pub mod terminal;
#[cfg(test)]
mod testing;
mod text;
pub mod walk;

use std::sync::Arc;

use crate::model::{Era, SourceLocation};
use crate::scenario::{RunResult, RunVerdict};

pub use text::{Style, TopologyOrigin, count, shown, shown_line, shown_lines, wrap};

/// Result of one file under one era.
#[derive(Clone, Debug)]
pub enum Entry {
    /// Its steps were run.
    Ran(Box<RunResult>),
    /// It could not be run to its end, so that no verdict is known.
    Broken(Broken),
}

/// A file that could not be run to its end.
#[derive(Clone, Debug)]
pub struct Broken {
    /// The file as the user named it.
    pub file: Arc<str>,
    /// The era, if it got that far.
    pub era: Option<Era>,
    /// Position of the cause in the file, if it lies there.
    pub place: Option<SourceLocation>,
    /// Error message.
    pub error: String,
    /// The exit code that it asks for: [`BAD_INPUT`], [`NO_LAB`] or [`INCONCLUSIVE`].
    pub exit_code: u8,
}

impl From<RunResult> for Entry {
    fn from(result: RunResult) -> Self {
        Self::Ran(Box::new(result))
    }
}

/// Exit code: all as expected.
pub const PASSED: u8 = 0;
/// Exit code: a verdict differs.
pub const DIFFERS: u8 = 1;
/// Exit code: bad input or usage.
pub const BAD_INPUT: u8 = 2;
/// Exit code: this machine cannot host a lab.
pub const NO_LAB: u8 = 3;
/// Exit code: nothing is known to differ, but something is inconclusive.
pub const INCONCLUSIVE: u8 = 4;

/// The exit code of a whole invocation: the one that leaves the least known, then the worst verdict.
pub fn exit_code(entries: &[Entry]) -> u8 {
    let codes: Vec<u8> = entries.iter().map(Entry::exit_code).collect();
    [NO_LAB, BAD_INPUT, DIFFERS, INCONCLUSIVE].into_iter().find(|code| codes.contains(code)).unwrap_or(PASSED)
}

impl Entry {
    /// The exit code that this entry alone asks for.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Ran(result) => verdict_code(result.verdict),
            Self::Broken(broken) => broken.exit_code,
        }
    }
}

/// The exit code of a verdict.
fn verdict_code(verdict: RunVerdict) -> u8 {
    match verdict {
        RunVerdict::Passed => PASSED,
        RunVerdict::Failed => DIFFERS,
        RunVerdict::Inconclusive => INCONCLUSIVE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(exit_code: u8) -> Entry {
        Entry::Broken(Broken { file: "a.yaml".into(), era: None, place: None, error: "no".to_owned(), exit_code })
    }

    #[test]
    fn a_known_difference_outweighs_what_was_not_proved_and_bad_input_outweighs_both() {
        assert_eq!(exit_code(&[]), PASSED);
        assert_eq!(exit_code(&[broken(INCONCLUSIVE), testing::failed().into()]), DIFFERS);
        assert_eq!(exit_code(&[testing::failed().into(), broken(BAD_INPUT)]), BAD_INPUT);
        assert_eq!(exit_code(&[broken(BAD_INPUT), broken(NO_LAB)]), NO_LAB);
        assert_eq!(exit_code(&[testing::passed().into()]), PASSED);
    }
}
