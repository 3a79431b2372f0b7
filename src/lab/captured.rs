//! A flow probed under a capture: at both ends, and at everything that routes between them.

use std::sync::Arc;

use super::booted::Lab;
use super::error::LabError;
use crate::fabric::FabricError;
use crate::fabric::capture::{Capture, Frame};
use crate::model::Flow;
use crate::network::{NodeKind, NodeName};
use crate::probe::{Observation, Outcome};

/// A probe with the packets that were seen meanwhile, those of its canaries among them.
#[derive(Clone, Debug)]
pub struct Captured {
    /// What the probe found.
    pub observation: Observation,
    /// Packets by namespace, in the order in which each saw them.
    pub boxes: Vec<(NodeName, Vec<Frame>)>,
}

impl Lab {
    /// Probes one flow while its ends, the routers and the gateways take down every packet.
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
                seen.outcome = Outcome::Inconclusive { why: "the canaries did not hold".to_owned() };
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

    /// The namespaces of both ends, as far as they are there, and what routes.
    fn on_the_way(&self, flow: &Flow) -> Vec<NodeName> {
        let from = self.sender(flow).ok().map(|sender| sender.node);
        let to = self.receiver(flow).ok().flatten().map(|receiver| receiver.node);
        let routes = |kind| matches!(kind, NodeKind::Router | NodeKind::Gateway | NodeKind::Internet);
        let routers =
            self.state.network().nodes.iter().filter(|(_, node)| routes(node.kind)).map(|(name, _)| name.clone());
        let mut all: Vec<NodeName> = from.into_iter().chain(routers).chain(to).collect();
        all.retain(|name| self.state.fabric().node(name).map(Arc::strong_count).is_ok());
        all
    }
}
