//! Items that were read and have no part in an account, each with its reason.

use std::fmt;

use super::origin::{Origin, ResourceId};

/// One item that was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// The kind of the item in its source's words: `aws_nat_gateway`, `UserIdGroupPairs`.
    pub kind: String,
    /// The reason.
    pub reason: Reason,
    /// Its place.
    pub origin: Origin,
}

/// The reason why an item was left out.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// sglab does not emulate such a thing.
    NotEmulated,
    /// It says nothing about who reaches whom.
    NoPartInReach,
    /// A value that it needs is not told by any source.
    UnknownValue(String),
    /// It belongs to another account.
    ForeignAccount,
    /// It names something that no source has.
    StaleReference(String),
    /// It names a group of another VPC: what VPCs have in common is not emulated.
    AnotherVpc(String),
    /// It lies in this secondary block of its VPC, and a VPC has one block here.
    SecondaryBlock(String),
    /// A text for others has no words for it, or not for all of it.
    NotWritten(String),
    /// The condition under which its template has it does not hold.
    ConditionIsFalse,
    /// It names what is gone for good, so that it matches nothing.
    MatchesNothing(String),
    /// It is to go, or is gone.
    Gone,
}

impl Reason {
    /// The reason for what no lab has, by its part in who reaches whom.
    pub fn not_emulated_if(has_part: bool) -> Self {
        if has_part { Self::NotEmulated } else { Self::NoPartInReach }
    }
}

impl LeftOut {
    /// Identifies it in two sources: two unknown values are the same if their text is.
    pub fn key(&self) -> (&str, &Reason, &ResourceId, u64) {
        let Origin { resource, digest, .. } = &self.origin;
        (&self.kind, &self.reason, resource, *digest)
    }

    /// Returns true if it may open something that nobody can tell: a value, a group or an account that no source has.
    pub fn is_unknown(&self) -> bool {
        matches!(
            self.reason,
            Reason::UnknownValue(_)
                | Reason::ForeignAccount
                | Reason::StaleReference(_)
                | Reason::AnotherVpc(_)
                | Reason::SecondaryBlock(_)
        )
    }

    /// Returns true if it may have a part in who reaches whom.
    pub fn matters(&self) -> bool {
        !matches!(
            self.reason,
            Reason::NoPartInReach | Reason::ConditionIsFalse | Reason::MatchesNothing(_) | Reason::Gone
        )
    }

    /// Returns true for what is not emulated and may keep something closed, so that it may open when this goes: network ACLs, firewalls, what
    /// blocks public access, routes, which another route may stand in for.
    pub fn may_restrict(&self) -> bool {
        let kind: String = self.kind.to_lowercase().chars().filter(char::is_ascii_alphanumeric).collect();
        self.reason == Reason::NotEmulated
            && ["acl", "firewall", "blockpublicaccess", "route", "custom"].iter().any(|word| kind.contains(word))
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotEmulated => f.write_str("not emulated"),
            Self::NoPartInReach => f.write_str("no part in who reaches whom"),
            Self::UnknownValue(what) => write!(f, "not known: {what}"),
            Self::ForeignAccount => f.write_str("of another account"),
            Self::StaleReference(what) => write!(f, "names {what}, which no source has"),
            Self::AnotherVpc(what) => write!(f, "names {what} of another VPC, which is not emulated"),
            Self::SecondaryBlock(block) => {
                write!(f, "in {block}, a secondary block of its VPC; sglab emulates the first one only")
            }
            Self::NotWritten(why) => write!(f, "not written as it is: {why}"),
            Self::ConditionIsFalse => f.write_str("its condition is false"),
            Self::MatchesNothing(what) => write!(f, "names {what}, and matches nothing"),
            Self::Gone => f.write_str("gone"),
        }
    }
}
