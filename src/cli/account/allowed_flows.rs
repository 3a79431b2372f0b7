//! Allowances of flows in files of expectations.

use std::path::PathBuf;

use anyhow::Context;
use sglab::import::{AllowedFlowWords, read_expectations};
use sglab::lint::FlowAllowance;

use crate::cli::common::told;
use crate::cli::screen;

/// Reads the allowances of files of expectations. Says what is wrong with them, and gives nothing then.
///
/// # Errors
/// If a file cannot be read.
pub(super) fn in_files(paths: &[PathBuf]) -> anyhow::Result<Option<Vec<FlowAllowance>>> {
    let mut all = Some(Vec::new());
    for path in paths {
        let content = std::fs::read_to_string(path).with_context(|| format!("failed to read {}", told(path)))?;
        let read = screen::value_or_tell(read_expectations(&path.to_string_lossy(), &content));
        let read = read.and_then(|expectations| of_words(&expectations.allows));
        all = all.zip(read).map(|(all, more)| [all, more].concat());
    }
    Ok(all)
}

/// Makes allowances of their words. Says what is wrong with them, and gives nothing then.
pub(super) fn of_words(words: &[AllowedFlowWords]) -> Option<Vec<FlowAllowance>> {
    let allowance = |AllowedFlowWords { flow, reason, until, place }: &AllowedFlowWords| {
        screen::value_or_tell(FlowAllowance::new((flow, reason, until.as_deref()), place))
    };
    // Every mistake is said, not the first alone.
    let all: Vec<Option<FlowAllowance>> = words.iter().map(allowance).collect();
    all.into_iter().collect()
}
