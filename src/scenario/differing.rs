//! Flows that two clouds judge differently, as expectations that packets prove in each.

use indexmap::IndexSet;

use super::cells;
use crate::model::{Cloud, Endpoint, Flow, HostName, Service};
use crate::policy::judge;
use crate::topology::{Egress, columns_of, write};

/// A flow that is open in one of two clouds and dropped in the other, or at ends that only the second has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DifferingFlow {
    /// The flow.
    pub flow: Flow,
    /// The change that prediction tells.
    pub change: FlowChange,
    /// The flow in the words of a file of the first cloud.
    first: String,
    /// In those of the second.
    second: String,
}

/// Change of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlowChange {
    /// Dropped in the first, open in the second.
    Opened,
    /// Open in the second; the first has not both ends.
    OpenedAtNewEnds,
    /// Open in the first, dropped in the second.
    Closed,
}

/// Flows that two clouds judge differently.
#[derive(Clone, Debug, Default)]
pub struct Differing {
    /// In the order of the second cloud's cells.
    pub flows: Vec<DifferingFlow>,
}

impl Differing {
    /// Finds them by prediction, over every cell of both.
    pub fn new(first: &Cloud, second: &Cloud) -> Self {
        let mut flows = Vec::new();
        let services: IndexSet<Service> = services(second).into_iter().chain(services(first)).collect();
        for flow in all_flows(second, &services) {
            let now = judge(second, &flow);
            let known = has(first, &flow.from) && has(first, &flow.to);
            let change = match known.then(|| judge(first, &flow)) {
                None if now.is_open() => FlowChange::OpenedAtNewEnds,
                Some(before) if now.is_open() && before.refused_at().is_some() => FlowChange::Opened,
                Some(before) if before.is_open() && now.refused_at().is_some() => FlowChange::Closed,
                _ => continue,
            };
            let (first, second) = (words(first, &flow), words(second, &flow));
            flows.push(DifferingFlow { flow, change, first, second });
        }
        Self { flows }
    }

    /// Returns true if packets tell no difference.
    pub fn is_empty(&self) -> bool {
        self.flows.is_empty()
    }

    /// The scenario that proves the first cloud's side.
    pub fn of_first(&self) -> String {
        let of = |change| self.with(change).map(|flow| flow.first.as_str()).collect::<Vec<_>>();
        scenario(&of(FlowChange::Closed), &of(FlowChange::Opened))
    }

    /// The scenario that proves the second cloud's side.
    pub fn of_second(&self) -> String {
        let of = |changes: &[FlowChange]| {
            let flows = self.flows.iter().filter(|flow| changes.contains(&flow.change));
            flows.map(|flow| flow.second.as_str()).collect::<Vec<_>>()
        };
        scenario(&of(&[FlowChange::Opened, FlowChange::OpenedAtNewEnds]), &of(&[FlowChange::Closed]))
    }

    fn with(&self, change: FlowChange) -> impl Iterator<Item = &DifferingFlow> {
        self.flows.iter().filter(move |flow| flow.change == change)
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

fn all_flows(cloud: &Cloud, services: &IndexSet<Service>) -> Vec<Flow> {
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

fn scenario(open: &[&str], dropped: &[&str]) -> String {
    let list = |word: &str, flows: &[&str]| {
        let flows: IndexSet<&&str> = flows.iter().collect();
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
