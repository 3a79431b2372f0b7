//! Flows that two clouds judge differently, as expectations that packets prove in each.

use indexmap::IndexSet;

use super::cells;
use crate::model::{Cloud, Endpoint, Flow, HostName, Service, Via};
use crate::policy::judge;
use crate::topology::{Columns, Egress, columns_of, write};

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
        for flow in all_flows(second, &[columns_of(second, &Egress::All), columns_of(first, &Egress::All)]) {
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

/// Lists every flow that the columns of either cloud ask for.
fn all_flows(cloud: &Cloud, columns: &[Columns; 2]) -> IndexSet<Flow> {
    let services: IndexSet<Service> = columns.iter().flat_map(|columns| columns.iter().copied()).collect();
    let extent = cells::Extent { vias: IndexSet::from([None, Some(Via::Ipv6)]), egress: Egress::All };
    let receivers = extent.receivers(cloud);
    let mut flows = IndexSet::new();
    for (from, via) in cells::senders(cloud, &extent.vias) {
        for to in &receivers {
            let Some(via) = cells::path(cloud, &from, to, via) else { continue };
            let are_asked = |service: &&Service| columns.iter().any(|columns| columns.are_asked(**service, via));
            flows.extend(services.iter().filter(are_asked).map(|&service| Flow {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::Topology;

    fn cloud(rules: &str) -> Cloud {
        let text = format!(
            "sglab: 1\nera: vpc\nvpcs: {{main: {{cidr: 10.0.0.0/16, ipv6: yes}}}}\n\
             groups: {{A: [{rules}], B: []}}\ninstances: {{a: {{groups: A}}, b: {{groups: B}}}}\n\
             scenario: [{{step: one, expect: {{dropped: ['b -> a:22']}}}}]\n"
        );
        let topology = Topology::parse("six.yaml", text.as_bytes()).expect("a topology");
        topology.initial_cloud(topology.eras[0]).expect("a cloud")
    }

    #[test]
    fn a_message_of_icmpv6_that_comes_to_be_open_is_a_difference() {
        let differing = Differing::new(&cloud(""), &cloud("'icmpv6 2/0 from ::/0'"));
        let opened: Vec<&str> = differing.with(FlowChange::Opened).map(|flow| flow.second.as_str()).collect();
        assert_eq!(opened, ["b -> a:icmp 2 by ipv6 address"]);
    }
}
