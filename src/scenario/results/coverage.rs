//! Which rules the packets of a run exercised.

use super::cells::DecidingRule;
use crate::model::{Direction, Unprobeable};

/// What became of every rule that the file writes, however long it stood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coverage {
    /// In the order in which they were met.
    pub rules: Vec<CountedRule>,
    /// Why the counters could not be read, if they could not.
    pub unread: Option<String>,
    /// Whether the run is to fail for a rule that nothing exercised.
    pub required: bool,
}

/// A rule, and how many packets it matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountedRule {
    /// Which.
    pub rule: DecidingRule,
    /// Of which direction.
    pub direction: Direction,
    /// Packets that it admitted, by its own counters in the kernel.
    pub packets: u64,
    /// Whether a probe's log record names it.
    pub recorded: bool,
    /// Why no probe can exercise it, if all that it admits is of that kind.
    pub unprovable: Option<Unprobeable>,
}

impl CountedRule {
    /// Whether a packet of the run matched it.
    pub fn is_exercised(&self) -> bool {
        self.packets > 0 || self.recorded
    }

    /// Whether a log record names it, and its counters show nothing: one of the two is wrong.
    pub fn is_contradicted(&self) -> bool {
        self.packets == 0 && self.recorded
    }
}

impl Coverage {
    /// The rules that no packet matched and that a probe could exercise; none where nobody knows.
    pub fn unexercised(&self) -> Vec<&CountedRule> {
        let known = self.unread.is_none();
        self.rules.iter().filter(|rule| known && !rule.is_exercised() && rule.unprovable.is_none()).collect()
    }

    /// The rules that no packet matched and that no probe can exercise, each with the reason.
    pub fn unprovable(&self) -> Vec<(&CountedRule, Unprobeable)> {
        let known = self.unread.is_none();
        let without = self.rules.iter().filter(|rule| known && !rule.is_exercised());
        without.filter_map(|rule| Some((rule, rule.unprovable?))).collect()
    }

    /// The rules of which counters and log records say different things.
    pub fn contradicted(&self) -> Vec<&CountedRule> {
        let known = self.unread.is_none();
        self.rules.iter().filter(|rule| known && rule.is_contradicted()).collect()
    }

    /// Whether the run fails for it.
    pub fn is_wanting(&self) -> bool {
        self.required && !self.unexercised().is_empty()
    }

    /// Whether it was asked for, and nobody knows.
    pub fn is_unproved(&self) -> bool {
        self.required && self.unread.is_some()
    }
}
