//! Flows that two clouds judge differently, as expectations that packets prove in each.

use indexmap::IndexSet;

use super::cells;
use crate::model::{Cloud, Endpoint, Flow, HostName, Service};
use crate::policy::judge;
use crate::topology::{Egress, columns_of, write};

/// Flows that are open in one of two clouds and dropped in the other, in the words of a file.
#[derive(Clone, Debug, Default)]
pub struct Differing {
    /// Open in the second, and dropped in the first where it has both ends.
    pub opened: Vec<String>,
    /// Those of `opened` whose ends the first has.
    pub dropped_before: Vec<String>,
    /// Open in the first, and dropped in the second.
    pub closed: Vec<String>,
}

impl Differing {
    /// Finds them by prediction, over every cell of both.
    pub fn new(first: &Cloud, second: &Cloud) -> Self {
        let mut differing = Self::default();
        let services: IndexSet<Service> = services(second).into_iter().chain(services(first)).collect();
        for flow in flows(second, &services) {
            let (now, words) = (judge(second, &flow).is_open(), words(second, &flow));
            let known = has(first, &flow.from) && has(first, &flow.to);
            match (now, known.then(|| judge(first, &flow))) {
                (true, None) => differing.opened.push(words),
                (true, Some(before)) if before.refused_at().is_some() => {
                    differing.opened.push(words.clone());
                    differing.dropped_before.push(words);
                }
                (false, Some(before)) if before.is_open() && judge(second, &flow).refused_at().is_some() => {
                    differing.closed.push(words);
                }
                _ => {}
            }
        }
        differing
    }

    /// Returns true if packets tell no difference.
    pub fn is_empty(&self) -> bool {
        self.opened.is_empty() && self.closed.is_empty()
    }

    /// The scenario that proves the first cloud's side.
    pub fn of_first(&self) -> String {
        scenario(&self.closed, &self.dropped_before)
    }

    /// The scenario that proves the second cloud's side.
    pub fn of_second(&self) -> String {
        scenario(&self.opened, &self.closed)
    }
}

/// A flow in the words of a file, which name one address of a host and not all of them.
fn words(cloud: &Cloud, flow: &Flow) -> String {
    let numbered = |end: &Endpoint| match end {
        Endpoint::Host(name, address) => {
            let addresses = cloud.hosts.get(name).map_or(&[][..], |host| host.addresses.as_slice());
            match addresses.iter().position(|known| known == address) {
                Some(at) if addresses.len() > 1 => {
                    Endpoint::Host(HostName::new(format!("{name}[{}]", at + 1)), *address)
                }
                _ => end.clone(),
            }
        }
        inside => inside.clone(),
    };
    write::flow(&Flow { from: numbered(&flow.from), to: numbered(&flow.to), ..flow.clone() })
}

fn services(cloud: &Cloud) -> Vec<Service> {
    columns_of(cloud, &Egress::All).iter().copied().collect()
}

fn flows(cloud: &Cloud, services: &IndexSet<Service>) -> Vec<Flow> {
    let extent = cells::Extent { vias: IndexSet::from([None]), egress: Egress::All };
    let receivers = extent.receivers(cloud);
    let mut flows = Vec::new();
    for (from, via) in cells::senders(cloud, &extent.vias) {
        for to in &receivers {
            let Some(via) = cells::path(cloud, &from, to, via) else { continue };
            let fits = |service: &&Service| !via.is_ipv6() || !matches!(service, Service::Icmp(_));
            flows.extend(services.iter().filter(fits).map(|&service| Flow {
                from: from.clone(),
                to: to.clone(),
                via,
                service,
            }));
        }
    }
    flows
}

fn has(cloud: &Cloud, end: &Endpoint) -> bool {
    match end {
        Endpoint::Host(name, address) => cloud.hosts.get(name).is_some_and(|host| host.addresses.contains(address)),
        inside => inside.interface().is_some_and(|id| cloud.interface(&id).is_some()),
    }
}

fn scenario(open: &[String], dropped: &[String]) -> String {
    let list = |word: &str, flows: &[String]| {
        let flows: IndexSet<&String> = flows.iter().collect();
        let items: String = flows.iter().map(|flow| format!("\n        - '{flow}'")).collect();
        if items.is_empty() { String::new() } else { format!("\n      {word}:{items}") }
    };
    let expected = list("open", open) + &list("dropped", dropped);
    if expected.is_empty() {
        String::new()
    } else {
        format!("scenario:\n  - step: what differs\n    expect:{expected}\n")
    }
}
