//! Boot of 100 instances, from nothing to listeners bound behind a filter in force, against a floor: the same
//! namespaces, links, addresses, neighbours and routes by bare netlink, without nft and without sockets.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a benchmark may panic")]

#[path = "../common/mod.rs"]
#[allow(dead_code, reason = "each benchmark takes what it needs")]
mod common;
mod floor;

use std::time::{Duration, Instant};

use sglab::compile;
use sglab::lab::{Lab, Listeners};
use sglab::model::apply;

const INSTANCES: usize = 100;

fn main() {
    common::sandbox();
    let topology = common::topology(INSTANCES);
    let mut cloud = topology.empty_cloud(topology.eras[0]);
    for operation in &topology.initial {
        apply(&mut cloud, &operation.value).unwrap_or_else(|refusal| panic!("{refusal}"));
    }
    let network = compile::network(&cloud).unwrap_or_else(|error| panic!("{error}"));
    let listeners =
        Listeners { columns: topology.columns.iter().copied().collect(), closed_ports: topology.closed_ports.clone() };
    let (mut floors, mut boots, mut stops, mut starts): (Vec<_>, Vec<_>, Vec<_>, Vec<_>) = Default::default();
    for _ in 0..common::rounds(11) {
        floors.push(floor::time(&network));
        common::settle();
        let runtime = common::runtime();
        let begun = Instant::now();
        let mut lab = runtime.block_on(Lab::boot(cloud.clone(), listeners.clone())).unwrap_or_else(|e| panic!("{e}"));
        boots.push(begun.elapsed());
        let name = topology_name(&lab);
        stops.push(runtime.block_on(operate(&mut lab, sglab::model::Operation::Stop(name.clone()))));
        starts.push(runtime.block_on(operate(&mut lab, sglab::model::Operation::Start(name))));
        drop(lab);
        // Its tasks hold sockets, and these the namespaces.
        drop(runtime);
        common::settle();
    }
    println!("{INSTANCES} instances, {} namespaces, {} links", network.nodes.len(), network.links.len());
    common::row("floor: namespaces, links, addresses, routes, neighbours", &floors);
    common::row("boot: the same, ruleset in force, witnesses, listeners", &boots);
    common::ratio("boot / floor", &boots, &floors, 3.0);
    common::row("stop of one of them", &stops);
    common::row("start of one of them", &starts);
}

fn topology_name(lab: &Lab) -> sglab::model::InstanceName {
    lab.cloud().instances.keys().next().cloned().expect("an instance")
}

async fn operate(lab: &mut Lab, operation: sglab::model::Operation) -> Duration {
    let begun = Instant::now();
    lab.apply(&operation).await.unwrap_or_else(|error| panic!("{error}"));
    begun.elapsed()
}
