//! The list of checks.

use super::check::{Advice, Check};
use super::fixes::Fix;
use super::level::Level;
use super::options::Profile;
use super::{addresses, anywhere, defaults, groups, limits, listeners, ports, redundant, tiers, tracking};

/// The families of checks.
static FAMILIES: &[&[Check]] = &[
    addresses::CHECKS,
    anywhere::CHECKS,
    ports::CHECKS,
    groups::CHECKS,
    defaults::CHECKS,
    tiers::CHECKS,
    redundant::CHECKS,
    listeners::CHECKS,
    tracking::CHECKS,
    limits::CHECKS,
    std::slice::from_ref(&USELESS_ALLOWANCE),
];

/// An allowance that allows nothing. The run itself finds it.
pub(super) static USELESS_ALLOWANCE: Check = Check {
    id: "useless-allowance",
    level: Level::Warning,
    title: "an allowance allows nothing, or has ended",
    why: "What it was for is mended or gone, and the next mistake on that line would be allowed unseen. One that has ended does not count: what it \
          was for is a finding again.",
    advice: &[Advice { who: "sglab", link: "docs/lint.md#allowances" }],
    profiles: &[Profile::Article, Profile::Aws],
    bad: "\
sglab: 1
era: vpc
groups:
  web: [tcp 443 from anywhere]   # sglab: allow admin-from-anywhere - a honeypot
instances: {web1: {groups: web}}
",
    good: "\
sglab: 1
era: vpc
groups:
  web: [tcp 22 from anywhere]   # sglab: allow admin-from-anywhere - a honeypot
instances: {web1: {groups: web}}
",
    fix: Some(Fix::CutAllowance),
    claim: None,
    run: |_| Vec::new(),
};

/// Every check, in the order of reports.
pub fn all() -> impl Iterator<Item = &'static Check> {
    FAMILIES.iter().copied().flatten()
}

/// A check by its id.
pub fn check(id: &str) -> Option<&'static Check> {
    all().find(|check| check.id == id)
}
