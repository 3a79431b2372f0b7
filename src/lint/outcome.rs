//! A run of the checks.

use std::collections::HashSet;

use super::allowance::Allowance;
use super::allowed::{Sorted, sort};
use super::check::Check;
use super::checks::{USELESS_ALLOWANCE, all};
use super::date::Date;
use super::finding::{Finding, findings};
use super::fixes::Fixes;
use super::level::Level;
use super::options::{Listeners, Options};
use super::subject::Subject;
use crate::account::Account;

/// The findings of a run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The checks that were run.
    pub checks: Vec<&'static Check>,
    /// Findings, by check in the order of the list.
    pub findings: Vec<Finding>,
    /// Findings that are allowed, with what allows them.
    pub allowed: Vec<(Finding, Allowance)>,
    /// Fixes made before, with `--fix`.
    pub fixes: Option<Fixes>,
}

impl Outcome {
    /// Counts the findings of a level.
    pub fn count(&self, level: Level) -> usize {
        self.findings.iter().filter(|finding| finding.level == level).count()
    }

    /// The worst level that was found.
    pub fn worst(&self) -> Option<Level> {
        self.findings.iter().map(|finding| finding.level).max()
    }
}

/// Runs the checks of a profile on an account. `today` decides which allowances have ended.
pub fn lint(
    account: &Account,
    options: &Options,
    listeners: Option<&Listeners>,
    (allowances, today): (&[Allowance], Date),
) -> Outcome {
    let subject = Subject::new(account, options, listeners);
    let checks: Vec<&'static Check> = all().filter(|check| check.is_in(options.profile)).collect();
    let found = checks.iter().flat_map(|&check| (check.run)(&subject).into_iter().map(move |found| (check, found)));
    let run: HashSet<&str> = checks.iter().map(|check| check.id).collect();
    let Sorted { findings: mut left, allowed, useless } = sort(findings(found), allowances, today, &run);
    left.extend(findings(useless.into_iter().map(|found| (&USELESS_ALLOWANCE, found))));
    Outcome { checks, findings: left, allowed, fixes: None }
}
