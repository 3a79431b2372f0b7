//! Profiles: whose advice is asked for.

/// The selection of checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Profile {
    /// The strategy of the article: groups for tiers, groups as names of instances, no addresses.
    Article,
    /// Advice of Amazon and of scanners of accounts.
    Aws,
    /// Every check.
    All,
}

impl Profile {
    /// Every profile.
    pub const ALL: [Self; 3] = [Self::Article, Self::Aws, Self::All];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Article => "article",
            Self::Aws => "aws",
            Self::All => "all",
        }
    }

    /// The checks that it has.
    pub fn about(self) -> &'static str {
        match self {
            Self::Article => "Groups for tiers, groups as names of instances, no addresses",
            Self::Aws => "Advice of Amazon and of scanners of accounts",
            Self::All => "Every check",
        }
    }
}
