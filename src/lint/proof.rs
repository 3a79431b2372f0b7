//! Claims of findings about behaviour, and what packets have shown of them.

/// A claim about behaviour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Claim {
    /// The whole truth table is the same without the rule.
    SameWithout,
    /// The rule is for whoever gets the address.
    AddressOfAnybody,
}

/// The outcome on packets of what a finding claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// They did what it claims.
    Proved(String),
    /// They did something else.
    Disproved(String),
    /// They were not asked, or gave no answer, for this reason.
    NotProved(String),
}

impl Proof {
    /// The word for it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Proved(_) => "proved",
            Self::Disproved(_) => "disproved",
            Self::NotProved(_) => "not proved",
        }
    }

    /// The observation, or the reason why there is none.
    pub fn detail(&self) -> &str {
        match self {
            Self::Proved(detail) | Self::Disproved(detail) | Self::NotProved(detail) => detail,
        }
    }
}
