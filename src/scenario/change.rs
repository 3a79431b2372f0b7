//! Changes made by a step: outcomes of cells, addresses of instances, rules in the kernel.

use std::collections::BTreeSet;

use indexmap::IndexMap;

use super::explain;
use super::results::{AddressChange, ChangedCell, Class};
use crate::lab::RuleHandles;
use crate::model::{Cloud, Flow, RuleId};
use crate::probe::Outcome;

/// Cells probed at both moments whose outcome is another now. What was not proved has not changed.
pub fn cells(before: &IndexMap<Flow, Class>, now: &IndexMap<Flow, Outcome>, cloud: &Cloud) -> Vec<ChangedCell> {
    now.iter()
        .filter_map(|(flow, outcome)| {
            let was = *before.get(flow)?;
            let class = Class::of(outcome);
            let known = was != Class::Inconclusive && class != Class::Inconclusive;
            (known && was != class).then(|| ChangedCell {
                flow: flow.clone(),
                was,
                now: class,
                rule: explain::deciding_rule(outcome, cloud),
            })
        })
        .collect()
}

/// Instances of both moments that hold other addresses now.
pub fn addresses(before: &Cloud, now: &Cloud) -> Vec<AddressChange> {
    now.instances
        .iter()
        .filter_map(|(name, instance)| {
            let was = before.instances.get(name)?.interfaces.first()?;
            let is = instance.interfaces.first()?;
            (was.private != is.private || was.public != is.public).then(|| AddressChange {
                instance: name.clone(),
                private_before: was.private,
                private_now: is.private,
                public_before: was.public,
                public_now: is.public,
            })
        })
        .collect()
}

/// Counts the rules of groups that were added, removed or replaced: a replaced rule has another handle. What the kernel has of one rule counts
/// once, and what it has of none does not.
pub fn rules(before: &RuleHandles, now: &RuleHandles) -> usize {
    let of = |id: &str| id.split('/').next()?.parse::<RuleId>().ok();
    let gone_or_replaced = before.iter().filter(|(rule, handle)| now.get(*rule) != Some(*handle)).map(|(rule, _)| rule);
    let added = now.keys().filter(|rule| !before.contains_key(*rule));
    let changed: BTreeSet<RuleId> = gone_or_replaced.chain(added).filter_map(|(_, id)| of(id)).collect();
    changed.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handles(rules: &[(&str, u64)]) -> RuleHandles {
        rules.iter().map(|(id, handle)| (("in-SG".to_owned(), (*id).to_owned()), *handle)).collect()
    }

    #[test]
    fn a_replaced_rule_counts_even_if_it_reads_the_same() {
        assert_eq!(rules(&handles(&[("sgr-1", 4)]), &handles(&[("sgr-1", 4)])), 0);
        assert_eq!(rules(&handles(&[("sgr-1", 4)]), &handles(&[("sgr-1", 9)])), 1);
        assert_eq!(rules(&handles(&[("sgr-1", 4)]), &handles(&[("sgr-2", 5)])), 2);
    }

    #[test]
    fn what_the_kernel_has_of_one_rule_counts_once() {
        let two = handles(&[("sgr-1/tracked", 4), ("sgr-1/untracked", 5), ("end", 6)]);
        assert_eq!(rules(&handles(&[]), &two), 1);
        assert_eq!(rules(&two, &handles(&[])), 1);
    }
}
