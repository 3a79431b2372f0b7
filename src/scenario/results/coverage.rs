//! Coverage: the rules that the packets of a run exercised.

use super::probed::DecidingRule;
use crate::model::{Direction, Unprobeable};

/// Coverage of every rule that the file writes, however long it stood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coverage {
    /// In the order in which they were met.
    pub rules: Vec<CountedRule>,
    /// Reason why the counters could not be read, if they could not.
    pub unread: Option<String>,
    /// True if the run is to fail for a rule that nothing exercised.
    pub required: bool,
}

/// A rule, and how many packets it matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountedRule {
    /// Rule that is counted.
    pub rule: DecidingRule,
    /// Direction of the rule.
    pub direction: Direction,
    /// Packets that it admitted, by its own counters in the kernel.
    pub packets: u64,
    /// True if a probe's log record names it.
    pub recorded: bool,
    /// Reason why no probe can exercise it, if all that it admits is of that kind.
    pub unprovable: Option<Unprobeable>,
}

impl CountedRule {
    /// Returns `true` if a packet of the run matched it.
    pub fn is_exercised(&self) -> bool {
        self.packets > 0 || self.recorded
    }

    /// Returns `true` if a log record names it and its counters show nothing: one of the two is wrong.
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

    /// Returns `true` if the run fails for its coverage.
    pub fn is_wanting(&self) -> bool {
        self.required && !self.unexercised().is_empty()
    }

    /// Returns `true` if coverage was required and the counters could not be read.
    pub fn is_unproved(&self) -> bool {
        self.required && self.unread.is_some()
    }
}
