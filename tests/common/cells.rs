//! What is asked of a cloud where everything is asked.

use indexmap::IndexSet;
use sglab::model::{Cloud, Endpoint, Flow, Instance, InstanceState, Via};
use sglab::scenario::cells;
use sglab::topology::Topology;

/// Every cell of the grid by each address and by name, and by address for instances that do not run: these have no name.
pub fn cells(cloud: &Cloud, topology: &Topology) -> Vec<Flow> {
    let vias = IndexSet::from([None, Some(Via::Public), Some(Via::Ipv6), Some(Via::Dns)]);
    let mut cells: Vec<Flow> = cells::grid(cloud, &topology.columns, &vias).collect();
    let stopped = cloud.instances.values().filter(|instance| instance.state == InstanceState::Stopped);
    let first = |instance: &Instance| instance.interfaces.first()?.id.instance().cloned().map(Endpoint::Instance);
    let stopped: Vec<Endpoint> = stopped.filter_map(first).collect();
    for (from, via) in cells::senders(cloud, &vias).into_iter().filter(|(_, via)| *via != Some(Via::Dns)) {
        for (to, via) in stopped.iter().filter_map(|to| Some((to, cells::path(cloud, &from, to, via)?))) {
            cells.extend(topology.columns.iter().map(|service| Flow {
                from: from.clone(),
                to: to.clone(),
                via,
                service: *service,
            }));
        }
    }
    cells
}
