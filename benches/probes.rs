//! 1,000 dropped probes against 1,000 open ones, on one lab.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a benchmark may panic")]

#[allow(dead_code, reason = "each benchmark takes what it needs")]
mod common;

use std::time::{Duration, Instant};

use sglab::lab::Lab;
use sglab::model::{Endpoint, Flow, InstanceName, Port, Service, Via};
use sglab::probe::Outcome;

const PROBES: usize = 1000;

fn main() {
    common::sandbox();
    let topology = common::topology(20);
    let (mut opens, mut drops): (Vec<_>, Vec<_>) = Default::default();
    common::runtime().block_on(async {
        let (mut lab, _) =
            sglab::scenario::boot(&topology, topology.eras[0]).await.unwrap_or_else(|error| panic!("{error}"));
        for _ in 0..common::rounds(15) {
            opens.push(probe(&mut lab, 80, |outcome| matches!(outcome, Outcome::Open { .. })).await);
            drops.push(probe(&mut lab, 8080, |outcome| matches!(outcome, Outcome::Dropped(_))).await);
        }
    });
    common::row("1,000 open probes, TCP, among 20 instances", &opens);
    common::row("1,000 dropped ones", &drops);
    common::ratio("dropped / open", &drops, &opens, 3.0);
}

/// Probes the web servers on a port, from every instance in turn.
async fn probe(lab: &mut Lab, port: u16, right: fn(&Outcome) -> bool) -> Duration {
    let names: Vec<InstanceName> = lab.cloud().instances.keys().cloned().collect();
    let pairs = names.iter().flat_map(|from| names.iter().map(move |to| (from, to)));
    let pairs = pairs.filter(|(from, to)| from != to && to.as_str().starts_with("web"));
    let flows: Vec<Flow> = pairs
        .cycle()
        .take(PROBES)
        .map(|(from, to)| Flow {
            from: Endpoint::Instance(from.clone()),
            to: Endpoint::Instance(to.clone()),
            via: Via::Private,
            service: Service::Tcp(Port(port)),
        })
        .collect();
    let begun = Instant::now();
    let batch = lab.probe(&flows).await.unwrap_or_else(|error| panic!("{error}"));
    let took = begun.elapsed();
    for observation in &batch.observations {
        assert!(right(&observation.outcome) && !observation.timed_out, "{observation:?}");
    }
    took
}
