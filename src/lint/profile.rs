//! Profiles: whose advice is asked for.

use serde::Serialize;

/// The selection of checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// The strategy of the article: groups for tiers, groups as names of instances, no addresses.
    Article,
    /// Advice of Amazon and of scanners of accounts.
    Aws,
    /// Every check.
    All,
}
