//! Flows that are probed, and probed under a capture: at both ends, and at everything that routes between them.

use indexmap::IndexSet;

use super::booted::Lab;
use super::error::LabError;
use crate::compile::names;
use crate::fabric::FabricError;
use crate::fabric::capture::{Capture, Frame};
use crate::model::Flow;
use crate::network::{NodeKind, NodeName};
use crate::probe::{Batch, MissingEvidence, Observation, Outcome};

impl Lab {
    /// Probes flows, all at once; every outcome rests on evidence.
    ///
    /// # Errors
    /// [`LabError::Broken`]: nothing that a broken lab shows would count.
    pub async fn probe(&mut self, flows: &[Flow]) -> Result<Batch, LabError> {
        self.refuse_broken()?;
        if flows.iter().any(|flow| self.is_balanced(flow)) {
            self.health().await?;
        }
        let resolved = self.resolve(flows).await;
        let mut asks: Vec<_> = flows.iter().map(|flow| (flow.clone(), self.ask(flow, &resolved))).collect();
        let known = self.known_paths()?;
        self.listen_for(&mut asks).await?;
        let state = &self.state;
        let interface_by_index = |node: &NodeName, index| state.interface_by_index(node, index);
        let mut batch = self.prober.probe(&asks, &known, &interface_by_index).await;
        self.prober.pause_all().await;
        for observation in &mut batch.observations {
            observation.resolved = resolved.resolution(&observation.flow);
        }
        Ok(batch)
    }
}

/// A probe with the packets that were seen meanwhile, those of its canaries among them.
#[derive(Clone, Debug)]
pub struct Captured {
    /// Observation of the probe.
    pub observation: Observation,
    /// Packets by namespace, in the order in which each saw them.
    pub boxes: Vec<(NodeName, Vec<Frame>)>,
}

impl Lab {
    /// Probes one flow while its ends, the routers, the gateways and the appliances take down every packet.
    ///
    /// # Errors
    /// As [`Lab::probe`], and where a capture cannot be opened or read.
    pub async fn probe_captured(&mut self, flow: &Flow) -> Result<Captured, LabError> {
        let mut captures = Vec::new();
        for name in self.on_the_way(flow) {
            captures.push((name.clone(), Capture::open(self.state.fabric().node(&name)?).await?));
        }
        let batch = self.probe(std::slice::from_ref(flow)).await?;
        let held = batch.canaries_held;
        let observation = batch.observations.into_iter().next().map(|mut seen| {
            if !held {
                seen.outcome = Outcome::Inconclusive { why: MissingEvidence::Canaries };
            }
            seen
        });
        let nothing = || LabError::NoTraffic { flow: flow.to_string(), why: "nothing was probed".to_owned() };
        let observation = observation.ok_or_else(nothing)?;
        let mut boxes = Vec::new();
        for (node, capture) in captures {
            let failed = |source| FabricError::Kernel { attempt: "read a capture".into(), node: node.clone(), source };
            let frames = capture.read().map_err(failed)?;
            boxes.push((node, frames));
        }
        Ok(Captured { observation, boxes })
    }

    /// The namespaces of both ends, as far as they are there, and what passes packets on.
    fn on_the_way(&self, flow: &Flow) -> Vec<NodeName> {
        let from = self.sender(flow).ok().map(|sender| sender.node);
        let to = self.receiver(flow).ok().flatten().map(|receiver| receiver.node);
        let routes = |kind| matches!(kind, NodeKind::Router | NodeKind::Gateway | NodeKind::Internet);
        let routers =
            self.state.network().nodes.iter().filter(|(_, node)| routes(node.kind)).map(|(name, _)| name.clone());
        let led_to = self.state.cloud().vpcs.values().flat_map(|vpc| vpc.routes.values().flatten());
        let appliances = led_to.map(|route| names::instance(&route.target.instance));
        // An appliance may be an end as well.
        let all: IndexSet<NodeName> = from.into_iter().chain(routers).chain(appliances).chain(to).collect();
        all.into_iter().filter(|name| self.state.fabric().node(name).is_ok()).collect()
    }
}
