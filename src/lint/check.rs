//! A check: what it says, whose advice it is, and what it looks at.

use super::fixes::Fix;
use super::found::Found;
use super::level::Level;
use super::options::Profile;
use super::proof::Claim;
use super::subject::Subject;

/// The source of a check's advice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advice {
    /// The author of the advice.
    pub who: &'static str,
    /// Its place.
    pub link: &'static str,
}

/// One check.
#[derive(Clone, Copy)]
pub struct Check {
    /// Its id, which never changes.
    pub id: &'static str,
    /// The level of its findings, unless one says otherwise.
    pub level: Level,
    /// One line.
    pub title: &'static str,
    /// The reason for it.
    pub why: &'static str,
    /// The source of the advice.
    pub advice: &'static [Advice],
    /// Profiles that have it, beside `all`.
    pub profiles: &'static [Profile],
    /// A source that it says something of.
    pub bad: &'static str,
    /// The same, mended.
    pub good: &'static str,
    /// The cure that needs nobody's judgement, if there is one.
    pub fix: Option<Fix>,
    /// The claim about behaviour, if it makes one that packets can prove.
    pub claim: Option<Claim>,
    /// Looks at an account.
    pub(super) run: fn(&Subject<'_>) -> Vec<Found>,
}

impl Check {
    /// Returns true if a profile has it.
    pub fn is_in(&self, profile: Profile) -> bool {
        profile == Profile::All || self.profiles.contains(&profile)
    }
}

impl std::fmt::Debug for Check {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.id)
    }
}

/// `security groups`, as the article says them.
pub(super) const ARTICLE: Advice = Advice {
    who: "the article \"Amazon Cloud: How Security Groups Work\" (24 January 2013)",
    link: "docs/semantics.md#eras",
};
