//! Cells with the same fate, said once: `neighbour -> web1, web2, db1, db2 :22`.

use std::hash::Hash;

use indexmap::IndexMap;

use super::text;
use crate::model::{Endpoint, Flow, HostIp, HostName, Service, Via};
use crate::scenario::{CellDetails, Check, CheckStatus, Class, DecidingRule, Said};

/// Cells that share a fate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle<K> {
    /// Key that its cells share.
    pub key: K,
    /// Indexes into what was bundled.
    pub members: Vec<usize>,
    from: Vec<Endpoint>,
    to: Vec<Endpoint>,
    via: Option<Via>,
    services: Vec<Service>,
    both_ways: bool,
}

/// Bundles cells by what they share, in the order of their first cells.
pub fn bundle<'a, K: Clone + Eq + Hash>(items: impl IntoIterator<Item = (&'a Flow, K)>) -> Vec<Bundle<K>> {
    let singles = items.into_iter().enumerate().map(|(index, (flow, key))| Bundle {
        key,
        members: vec![index],
        from: vec![flow.from.clone()],
        to: vec![flow.to.clone()],
        via: told_via(flow),
        services: vec![flow.service],
        both_ways: false,
    });
    let bundles = merge(singles, |it| (it.from.clone(), it.services.clone()), |a, b| add(&mut a.to, b.to));
    let bundles = merge(bundles, |it| (it.to.clone(), it.services.clone()), |a, b| add(&mut a.from, b.from));
    let bundles = merge(bundles, |it| (it.from.clone(), it.to.clone()), |a, b| add(&mut a.services, b.services));
    // The last: an arrow and its reverse.
    merge(
        bundles,
        |it| (it.from.clone().min(it.to.clone()), it.from.clone().max(it.to.clone()), it.services.clone()),
        |a, b| {
            a.both_ways |= a.from != b.from;
        },
    )
}

/// Returns the address of a flow if it is worth telling. Of an address they are only worth it between instances; a host has no other way.
fn told_via(flow: &Flow) -> Option<Via> {
    match flow.to {
        // A host has no other way but by its name.
        Endpoint::Host(..) if flow.via != Via::Dns => None,
        _ if flow.from.interface().is_none() && flow.via != Via::Dns => None,
        _ => flow.by(),
    }
}

fn add<T: PartialEq>(all: &mut Vec<T>, more: Vec<T>) {
    for one in more {
        if !all.contains(&one) {
            all.push(one);
        }
    }
}

fn merge<K: Clone + Eq + Hash, S: Eq + Hash>(
    bundles: impl IntoIterator<Item = Bundle<K>>,
    same: impl Fn(&Bundle<K>) -> S,
    absorb: impl Fn(&mut Bundle<K>, Bundle<K>),
) -> Vec<Bundle<K>> {
    let mut merged: IndexMap<(K, Option<Via>, S), Bundle<K>> = IndexMap::new();
    for mut bundle in bundles {
        match merged.entry((bundle.key.clone(), bundle.via, same(&bundle))) {
            indexmap::map::Entry::Occupied(mut entry) => {
                let kept = entry.get_mut();
                kept.members.append(&mut bundle.members);
                absorb(kept, bundle);
            }
            indexmap::map::Entry::Vacant(entry) => {
                entry.insert(bundle);
            }
        }
    }
    merged.into_values().collect()
}

impl<K> Bundle<K> {
    /// The cells in the words of a topology file.
    pub fn text(&self, hosts: &IndexMap<HostName, Vec<HostIp>>) -> String {
        let services = self.services.iter().map(|&service| text::service(service)).collect::<Vec<_>>().join(", ");
        let arrow = if self.both_ways { "<->" } else { "->" };
        let gap = if self.to.len() > 1 || self.services.len() > 1 { " " } else { "" };
        format!(
            "{} {arrow} {}{gap}:{services}{}",
            text::endpoints(&self.from, hosts),
            text::endpoints(&self.to, hosts),
            self.via.map_or_else(String::new, |via| format!(" {via}"))
        )
    }
}

/// Fate that wrong cells share.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Misprediction {
    /// Expected outcome, in a word or three.
    pub expected: String,
    /// Class of the observed outcome.
    pub class: Class,
    /// Status of the checks: failed or inconclusive.
    pub status: CheckStatus,
    /// Source of the expectation.
    pub said: Said,
    /// The rule that let them in.
    pub rule: Option<DecidingRule>,
}

/// A cell that is checked.
type CheckedCell<'a> = (&'a Check, &'a CellDetails);

/// Bundles wrong cells.
pub fn wrong<'a>(
    cells: impl IntoIterator<Item = CheckedCell<'a>>,
) -> Vec<(Bundle<Misprediction>, Vec<CheckedCell<'a>>)> {
    let cells: Vec<CheckedCell<'a>> = cells.into_iter().collect();
    let fate = |check: &Check, cell: &CellDetails| Misprediction {
        expected: check.expected.clone(),
        class: Class::of(&cell.outcome),
        status: check.status,
        said: check.said.clone(),
        rule: cell.rule.clone(),
    };
    bundle(cells.iter().map(|(check, cell)| (&cell.flow, fate(check, cell))))
        .into_iter()
        .map(|bundle| {
            let members = bundle.members.iter().filter_map(|&index| cells.get(index).copied()).collect();
            (bundle, members)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{cells, testing};
    use crate::topology::ExpectedOutcome;

    fn texts(patterns: &[&str]) -> Vec<String> {
        let cloud = testing::cloud();
        let hosts = cloud.hosts.iter().map(|(name, host)| (name.clone(), host.addresses.clone())).collect();
        let flows: Vec<Flow> = patterns
            .iter()
            .flat_map(|written| cells::select(&testing::pattern(written), None, &cloud).expect("flows"))
            .collect();
        bundle(flows.iter().map(|flow| (flow, ExpectedOutcome::Open))).iter().map(|it| it.text(&hosts)).collect()
    }

    #[test]
    fn a_sender_and_its_receivers_are_one_line() {
        let each = ["web1", "web2", "db1", "db2"].map(|to| format!("neighbour -> {to}:22"));
        assert_eq!(texts(&each.each_ref().map(String::as_str)), ["neighbour -> web1, web2, db1, db2 :22"]);
    }

    #[test]
    fn an_arrow_and_its_reverse_are_one_line() {
        assert_eq!(texts(&["db1 <-> db2:3306"]), ["db1 <-> db2:3306"]);
    }

    #[test]
    fn senders_with_the_same_receivers_are_one_line_and_a_whole_host_is_named_once() {
        assert_eq!(
            texts(&["any -> web1:80", "any -> web1:22"]),
            ["office, neighbour, world, web2, db1, db2 -> web1 :80, 22"]
        );
    }
}
