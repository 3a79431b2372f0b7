//! Flows that are probed.

use super::booted::Lab;
use super::error::LabError;
use crate::model::Flow;
use crate::network::NodeName;
use crate::probe::Batch;

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
