//! Rules that the packets of a run exercised, by the rules' own counters.

use std::collections::HashSet;

use indexmap::IndexMap;

use super::backend::Backend;
use super::explain;
use super::results::{CountedRule, Coverage, DecidingRule};
use crate::model::{Cloud, Direction, PrefixFamily, Rule, RuleId, Service, Traffic, Unprobeable, Via};
use crate::network::record::Record;
use crate::probe::Observation;

/// The rules that a run has met so far, and those that log records have named.
#[derive(Debug, Default)]
pub(super) struct ExercisedRules {
    rules: IndexMap<RuleId, (DecidingRule, Direction, Option<Unprobeable>)>,
    recorded: HashSet<RuleId>,
}

impl ExercisedRules {
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
    pub async fn measure<L: Backend>(&self, lab: &L, required: bool) -> Option<Coverage> {
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

/// Explains why no probe can exercise a rule: it admits one protocol, and by no kind of address that its peer has can it be asked for.
fn unprovable(cloud: &Cloud, rule: &Rule) -> Option<Unprobeable> {
    let Traffic::Protocol(number) = rule.traffic else { return None };
    let of_list = rule.peer.prefix_list().and_then(|list| cloud.prefix_lists.get(list)).map(|list| list.family);
    let via = match rule.peer.family().or(of_list) {
        Some(PrefixFamily::Ipv6) => Via::Ipv6,
        Some(PrefixFamily::Ipv4) | None => Via::Private,
    };
    Service::Protocol(number).unprobeable(via)
}
