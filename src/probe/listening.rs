//! Listeners of ours in the lab's namespaces, for long or for the probes to come, and load balancers that work there.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;

use futures::StreamExt;
use indexmap::IndexMap;

use super::balancer::{Balancer, Health, Plan, RunningBalancer};
use super::prober::Prober;
use super::servers::Servers;
use crate::fabric::{FabricError, Namespace};
use crate::model::{InstanceName, Service};
use crate::network::NodeName;

impl Prober {
    /// Listens in namespaces where nothing of ours listens yet: in all of them or, if one fails, in none.
    ///
    /// # Errors
    /// The port that could not be had.
    pub async fn listen(&mut self, wanted: Vec<(Arc<Namespace>, Vec<Service>)>) -> Result<(), FabricError> {
        let names: Vec<NodeName> = wanted.iter().map(|(node, _)| node.name.clone()).collect();
        let one_by_one = wanted.iter().any(|(node, _)| node.faults.are_armed());
        let at_once = if one_by_one { 1 } else { wanted.len().max(1) };
        let board = &self.board;
        let opening = wanted.into_iter().map(|(node, services)| async move {
            Servers::listen(&node, services, board).await.map(|servers| (node.name.clone(), servers))
        });
        let opened: Vec<_> = futures::stream::iter(opening).buffered(at_once).collect().await;
        let mut failed = Ok(());
        for opened in opened {
            match opened {
                Ok((name, servers)) => drop(self.servers.insert(name, vec![servers])),
                Err(error) => failed = failed.and(Err(error)),
            }
        }
        if failed.is_err() {
            for name in names {
                self.silence(&name).await;
            }
        }
        failed
    }

    /// Begins the listeners of a namespace anew, as if its machine had.
    pub async fn restart(&mut self, node: &NodeName) {
        for servers in self.servers.get_mut(node).into_iter().flatten() {
            servers.restart().await;
        }
    }

    /// Listens for the probes to come where nothing of ours does: at a port of each of these namespaces. Says which of them
    /// programs hold. [`Self::pause_all`] ends it; if one fails, nothing listens.
    ///
    /// # Errors
    /// The port that could not be had.
    pub async fn listen_briefly(
        &mut self,
        wanted: Vec<(Arc<Namespace>, Vec<Service>)>,
    ) -> Result<HashSet<(NodeName, Service)>, FabricError> {
        let board = &self.board;
        let opening = wanted.into_iter().map(|(node, services)| async move {
            Servers::listen_where_free(&node, services, board).await.map(|opened| (node.name.clone(), opened))
        });
        let mut all_held = HashSet::new();
        let mut failed = Ok(());
        for opened in futures::future::join_all(opening).await {
            match opened {
                Ok((name, (servers, held))) => {
                    self.brief.push(servers);
                    all_held.extend(held.into_iter().map(|service| (name.clone(), service)));
                }
                Err(error) => failed = failed.and(Err(error)),
            }
        }
        if failed.is_err() {
            self.pause_all().await;
        }
        failed.map(|()| all_held)
    }

    /// Listens at one more port of a namespace, until it is silenced. False if a program holds it.
    ///
    /// # Errors
    /// The port that could not be had.
    pub async fn listen_too(&mut self, namespace: &Arc<Namespace>, service: Service) -> Result<bool, FabricError> {
        if self.serves(&namespace.name, service) {
            return Ok(true);
        }
        let (servers, held) = Servers::listen_where_free(namespace, vec![service], &self.board).await?;
        if held.is_empty() {
            self.servers.entry(namespace.name.clone()).or_default().push(servers);
        }
        Ok(held.is_empty())
    }

    /// Ends what listens for a while.
    pub async fn pause_all(&mut self) {
        let closing = std::mem::take(&mut self.brief).into_iter().map(Servers::close);
        futures::future::join_all(closing).await;
    }

    /// Reports whether something of ours listens at a port of a namespace, or a load balancer is there, which has its own listeners.
    pub fn serves(&self, node: &NodeName, service: Service) -> bool {
        service == Service::IcmpEcho
            || self.balancers.contains_key(node)
            || self.servers.get(node).is_some_and(|all| all.iter().any(|servers| servers.serves(service)))
    }

    /// Reports whether something of ours listens in a namespace.
    pub fn listens(&self, node: &NodeName) -> bool {
        self.servers.contains_key(node)
    }

    /// Closes what listens in a namespace.
    pub async fn silence(&mut self, node: &NodeName) {
        let closing = self.servers.remove(node).unwrap_or_default().into_iter().map(Servers::close);
        futures::future::join_all(closing).await;
    }
}

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
