//! Which rules the packets of a run exercised, by the rules' own counters.

use std::collections::HashSet;

use indexmap::IndexMap;

use super::cloudlike::Cloudlike;
use super::explain;
use super::findings::DecidingRule;
use crate::compile::record::Record;
use crate::model::{Cloud, Direction, Peer, Rule, RuleId, Service, Traffic, Unprobeable, Via};
use crate::probe::Observation;

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

/// The rules that a run has met so far, and those that log records have named.
#[derive(Debug, Default)]
pub(super) struct Met {
    rules: IndexMap<RuleId, (DecidingRule, Direction, Option<Unprobeable>)>,
    recorded: HashSet<RuleId>,
}

impl Met {
    /// Takes note of the rules of a cloud. Those that no file writes, as the one for all that goes out, are nobody's to exercise.
    pub fn meet(&mut self, cloud: &Cloud) {
        for (name, group) in &cloud.groups {
            let egress = group.egress.iter().filter(|_| cloud.has_egress_rules()).map(|rule| (Direction::Egress, rule));
            let all = group.ingress.iter().map(|rule| (Direction::Ingress, rule)).chain(egress);
            for (direction, rule) in all.filter(|(_, rule)| rule.place.is_some()) {
                let met = || (explain::of_group(name, rule), direction, unprovable(cloud, rule));
                self.rules.entry(rule.id).or_insert_with(met);
            }
        }
    }

    /// Takes note of the rules that the records of probes name.
    pub fn record(&mut self, observations: &[Observation]) {
        let records = observations.iter().flat_map(|seen| &seen.records).map(|logged| logged.record);
        self.recorded.extend(records.filter_map(|record| match record {
            Record::Accept(_, rule) => Some(rule),
            _ => None,
        }));
    }

    /// Reads the counters; nothing where no packet was sent.
    pub async fn measure<L: Cloudlike>(&self, lab: &L, required: bool) -> Option<Coverage> {
        let (packets, unread) = match lab.rule_packets().await {
            Ok(packets) => (packets?, None),
            Err(error) => (Default::default(), Some(error.to_string())),
        };
        let counted = self.rules.iter().map(|(id, (rule, direction, unprovable))| CountedRule {
            rule: rule.clone(),
            direction: *direction,
            packets: packets.get(id).copied().unwrap_or(0),
            recorded: self.recorded.contains(id),
            unprovable: *unprovable,
        });
        Some(Coverage { rules: counted.collect(), unread, required })
    }
}

/// Why no probe can exercise a rule: it admits one protocol, and by no kind of address that its peer has can it be asked for.
fn unprovable(cloud: &Cloud, rule: &Rule) -> Option<Unprobeable> {
    let Traffic::Protocol(number) = rule.traffic else { return None };
    let is_ipv6 = match &rule.peer {
        Peer::Cidr(block) => block.addr().is_ipv6(),
        Peer::PrefixList(list) => cloud.prefix_lists.get(list).is_some_and(|list| !list.family.is_ipv4()),
        Peer::Group(_) => false,
    };
    Service::Protocol(number).unprobeable(if is_ipv6 { Via::Ipv6 } else { Via::Private })
}
