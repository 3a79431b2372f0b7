//! Small clouds and probes in few words.

use sglab::lab::{Lab, Listeners};
use sglab::model::topology::Topology;
use sglab::model::{Endpoint, Era, Flow, InstanceName, Service, Via, apply};
use sglab::probe::{Observation, Outcome};

/// The topology of a text; panics with every problem if it has any.
pub fn topology(text: &str) -> Topology {
    Topology::parse("test.yaml", text.as_bytes()).unwrap_or_else(|problems| panic!("{problems}"))
}

/// Boots the initial cloud of a topology, with listeners on its columns.
pub async fn boot(topology: &Topology, era: Era) -> Lab {
    let (lab, _) = sglab::scenario::boot(topology, era).await.unwrap_or_else(|error| panic!("{error}"));
    lab
}

/// A flow between two instances by private address.
pub fn flow(from: &str, to: &str, service: Service) -> Flow {
    let instance = |name| Endpoint::Instance(InstanceName::new(name));
    Flow { from: instance(from), to: instance(to), via: Via::Private, service }
}

/// Probes one flow.
pub async fn probe(lab: &mut Lab, flow: Flow) -> Observation {
    let batch = lab.probe(&[flow]).await.unwrap_or_else(|error| panic!("{error}"));
    assert!(batch.canaries_held, "the canaries held");
    batch.observations.into_iter().next().expect("one observation for one flow")
}

/// Whether an outcome is "open".
pub fn is_open(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Open { .. })
}

/// Whether an outcome is "dropped", by proof.
pub fn is_dropped(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Dropped(_))
}

/// Carries out the operations of a step, by its number from 1; panics if one is refused.
pub async fn perform(lab: &mut Lab, topology: &Topology, step: usize) {
    for operation in &topology.steps[step - 1].operations {
        lab.apply(&operation.value).await.unwrap_or_else(|error| panic!("{error}"));
    }
}

/// The initial cloud of a topology and its listeners, for a test that boots by itself.
pub fn initial_cloud(topology: &Topology, era: Era) -> (sglab::model::Cloud, Listeners) {
    let mut cloud = topology.empty_cloud(era);
    for operation in &topology.initial {
        cloud = apply(&cloud, &operation.value).unwrap_or_else(|refusal| panic!("{refusal}"));
    }
    (cloud, Listeners { columns: topology.columns.clone(), deaf: topology.deaf.clone() })
}
