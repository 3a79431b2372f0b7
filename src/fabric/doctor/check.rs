//! One thing that is looked at, and the kernel's version, by which some come out.

use std::fs;

use serde::{Deserialize, Serialize};

/// Result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckResult {
    /// As it should be.
    Yes,
    /// A lab can be hosted, with less comfort or speed.
    Degraded,
    /// No lab can be hosted.
    No,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Name of the thing that was looked at.
    pub name: String,
    /// Result of the check.
    pub ok: CheckResult,
    /// Finding, in the system's own words where it has any.
    pub found: String,
    /// Reason why it matters.
    pub matters: String,
    /// Remedy; nothing where it is as it should be, or cannot be helped.
    pub remedy: Option<String>,
}

impl Check {
    pub(super) fn new(
        name: &str,
        ok: CheckResult,
        found: impl Into<String>,
        matters: &str,
        remedy: impl Into<String>,
    ) -> Self {
        let remedy = (ok != CheckResult::Yes).then(|| remedy.into()).filter(|remedy: &String| !remedy.is_empty());
        Self { name: name.into(), ok, found: found.into(), matters: matters.into(), remedy }
    }
}

/// The kernel's release; empty where it does not say.
pub fn kernel_release() -> String {
    fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned()
}

/// Its first two numbers.
pub(super) fn kernel_version() -> (u32, u32) {
    let release = kernel_release();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse::<u32>().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}
