//! Profiles: whose advice is asked for.

use serde::Serialize;

/// Which checks are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// The strategy of the article: groups for tiers, groups as names of instances, no addresses.
    Article,
    /// What Amazon and the scanners of accounts advise.
    Aws,
    /// Every check.
    All,
}
