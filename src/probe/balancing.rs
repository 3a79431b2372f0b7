//! Load balancers that work in namespaces of a lab.

use std::net::IpAddr;
use std::sync::Arc;

use indexmap::IndexMap;

use super::balancer::{Balancer, Health, Plan, RunningBalancer};
use super::prober::Prober;
use crate::fabric::FabricError;
use crate::model::InstanceName;
use crate::network::NodeName;

impl Prober {
    /// Puts a load balancer to work: its listeners take connections when this returns, and nobody is behind it yet.
    ///
    /// # Errors
    /// The port that could not be had.
    pub async fn balance(&mut self, plan: Plan) -> Result<(), FabricError> {
        let name = plan.node.name.clone();
        let balancer = Balancer::start(plan, Arc::clone(&self.board)).await?;
        self.balancers.insert(name, balancer);
        Ok(())
    }

    /// Reports whether a load balancer works in a namespace.
    pub fn balances(&self, node: &NodeName) -> bool {
        self.balancers.contains_key(node)
    }

    /// Says who is behind a load balancer from now on, by which address. Who was so already keeps its standing.
    pub fn register_targets(&mut self, node: &NodeName, targets: &IndexMap<InstanceName, IpAddr>) {
        if let Some(balancer) = self.balancers.get_mut(node) {
            balancer.register(targets);
        }
    }

    /// The load balancer that works in a namespace, to look at.
    pub fn at_work(&self, node: &NodeName) -> Option<RunningBalancer> {
        self.balancers.get(node).map(Balancer::at_work)
    }

    /// Returns the health of each instance behind a load balancer, once that is what one more check of each says too. A changed world shows after as
    /// many checks as its thresholds ask for, and this waits for them.
    pub async fn health(&self, node: &NodeName) -> IndexMap<InstanceName, Health> {
        match self.balancers.get(node) {
            Some(balancer) => balancer.health().await,
            None => IndexMap::new(),
        }
    }
}
