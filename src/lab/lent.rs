//! Ports that the harness lends to probes: where nobody listens it does, as long as they take.

use std::collections::HashSet;
use std::sync::Arc;

use indexmap::{IndexMap, IndexSet};

use super::booted::Lab;
use super::error::LabError;
use crate::compile::names;
use crate::fabric::FabricError;
use crate::model::{Flow, InstanceName, InstanceState, InterfaceHolder, Service};
use crate::network::NodeName;
use crate::probe::{Answering, Ask, Unaskable};

/// A port of a namespace.
type Door = (NodeName, Service);

impl Lab {
    /// From now on the harness answers probes also at ports where nobody listens, and holds none of them in between: so that
    /// programs can, and what is let in is open.
    pub fn answer_where_nobody_listens(&mut self) {
        self.listening.answer_for_all();
    }

    /// Listens, for as long as the probes take, at ports where nothing of ours does; those that programs hold are asked as
    /// programs.
    pub(super) async fn listen_for(&mut self, asks: &mut [(Flow, Result<Ask, Unaskable>)]) -> Result<(), LabError> {
        for (flow, ask) in asks.iter_mut() {
            if let Ok(ask) = ask {
                ask.answering = self.answering(flow, ask, &HashSet::new());
            }
        }
        if !self.listening.answers_for_all() {
            return Ok(());
        }
        let asked = asks.iter().filter_map(|(flow, ask)| ask.as_ref().ok().map(|ask| (flow, ask)));
        let wanted: HashSet<Door> = asked.flat_map(|(flow, ask)| self.wanted(flow, ask)).collect();
        if wanted.is_empty() {
            return Ok(());
        }
        let mut by_node: IndexMap<NodeName, IndexSet<Service>> = IndexMap::new();
        for (node, service) in &wanted {
            by_node.entry(node.clone()).or_default().insert(*service);
        }
        let by_node: Result<Vec<_>, FabricError> = by_node
            .into_iter()
            .map(|(node, services)| Ok((Arc::clone(self.state.fabric().node(&node)?), services.into_iter().collect())))
            .collect();
        let held = self.prober.listen_briefly(by_node?).await?;
        let lent: HashSet<Door> = wanted.difference(&held).cloned().collect();
        for (flow, ask) in asks.iter_mut() {
            let Ok(ask) = ask else { continue };
            let receiver = ask.receiver.as_ref().map(|receiver| receiver.node.clone());
            ask.answering = match receiver.is_some_and(|node| held.contains(&(node, ask.service))) {
                true => Answering::Program,
                false => self.answering(flow, ask, &lent),
            };
        }
        Ok(())
    }

    /// Lists the ports at which the harness is to listen for a flow: at the receiver or, where a load balancer takes it, at those behind.
    fn wanted(&self, flow: &Flow, ask: &Ask) -> Vec<Door> {
        let receiver = ask.receiver.iter().map(|receiver| (receiver.node.clone(), flow.service));
        let own =
            receiver.filter(|(_, service)| flow.to.holder().is_none_or(|holder| self.may_lend_at(&holder, *service)));
        let behind = self.passed_on_to(flow).into_iter().filter(|(name, service)| self.may_lend(name, *service));
        let all = own.chain(behind.map(|(name, service)| (names::instance(&name), service)));
        all.filter(|(node, service)| !self.prober.serves(node, *service)).collect()
    }

    /// Nothing is lent at a load balancer.
    fn may_lend_at(&self, holder: &InterfaceHolder, service: Service) -> bool {
        match holder {
            InterfaceHolder::Instance(name) => self.may_lend(name, service),
            InterfaceHolder::LoadBalancer(_) => false,
        }
    }

    /// Returns `true` if an instance runs and a port of it is nobody's. What a service is to hold is its own, also where it has ended: nobody answers
    /// in its place.
    fn may_lend(&self, name: &InstanceName, service: Service) -> bool {
        let cloud = self.state.cloud();
        cloud.instances.get(name).is_some_and(|it| it.state == InstanceState::Running)
            && !self.listening.is_deaf(cloud, &name.into(), service)
            && !self.processes.hold(cloud, name, service)
    }
}
