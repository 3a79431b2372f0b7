//! Flows by DNS name, whose senders ask their resolver first; and what an instance asks of the other services.

use std::net::IpAddr;
use std::sync::Arc;

use futures::StreamExt;
use indexmap::IndexMap;

use super::booted::Lab;
use super::error::LabError;
use super::paths::{Sender, no_namespace};
use super::resolved::Resolved;
use super::services::{self, ServiceResponse};
use super::state::first_interface;
use crate::compile::names;
use crate::compile::services::{OUTSIDE_RESOLVER, zone};
use crate::fabric::Namespace;
use crate::model::{
    Endpoint, Flow, InstanceName, InstanceState, InterfaceId, LoadBalancerName, Via, VpcService, service_address,
};
use crate::probe::{NoAddress, Unaskable};

/// So many questions are under way at the same time.
const IN_FLIGHT: usize = 64;

impl Lab {
    /// Has each sender of a flow by DNS name ask for the name, over real packets.
    pub(super) async fn resolve(&self, flows: &[Flow]) -> Resolved {
        let mut firsts: IndexMap<(Endpoint, Endpoint), &Flow> = IndexMap::new();
        for flow in flows.iter().filter(|flow| flow.via == Via::Dns) {
            firsts.entry((flow.from.clone(), flow.to.clone())).or_insert(flow);
        }
        let asking = firsts.into_iter().map(|(ends, flow)| async move { (ends, self.resolve_one(flow).await) });
        Resolved(futures::stream::iter(asking).buffer_unordered(IN_FLIGHT).collect().await)
    }

    async fn resolve_one(&self, flow: &Flow) -> Result<IpAddr, NoAddress> {
        let (from, source, resolver, name) = self.question(flow).map_err(|why| NoAddress::NotAsked(Box::new(why)))?;
        services::resolve(&from, source, resolver, &name, self.services.said()).await
    }

    /// Finds who asks whom about which name, or why nobody can.
    fn question(&self, flow: &Flow) -> Result<(Arc<Namespace>, IpAddr, IpAddr, String), Unaskable> {
        let receiver = flow.to.interface().ok_or_else(|| Unaskable::NoDnsName(flow.to.clone()))?;
        // Its resolver answers to the address that it has, whatever it forges.
        let asker = match &flow.from {
            Endpoint::Forged(at, _) => Endpoint::Interface(at.clone()),
            own => own.clone(),
        };
        let Sender { node, source, .. } = self.sender(&Flow { from: asker, ..flow.clone() })?;
        let resolver = match flow.from.interface() {
            None => OUTSIDE_RESOLVER.into(),
            Some(sender) => self.service_of(&sender, VpcService::Dns)?,
        };
        let from = Arc::clone(self.state.fabric().node(&node).map_err(no_namespace)?);
        let balancer = |name: &LoadBalancerName| self.state.cloud().load_balancers.get_key_value(name);
        let name = match flow.to.load_balancer().and_then(balancer) {
            Some((name, balancer)) => zone::balancer_name(name, balancer.scheme),
            None => {
                // Of one that has lost its public address it is the name that it had: the resolver knows better.
                let public = self.last.of(&receiver).and_then(|last| last.public);
                zone::public_name(public.ok_or_else(|| Unaskable::NoPublicDnsName(flow.to.clone()))?)
            }
        };
        Ok((from, source, resolver, name))
    }

    /// Finds the address of a service for who holds an interface.
    fn service_of(&self, id: &InterfaceId, service: VpcService) -> Result<IpAddr, Unaskable> {
        let holder = id.holder();
        let interface = self.state.cloud().interface(id).ok_or_else(|| Unaskable::Gone(holder.clone()))?;
        let vpc = self.state.cloud().vpcs.get(&interface.vpc);
        let address = vpc.and_then(|vpc| service_address(self.state.cloud().era, vpc, service));
        address.ok_or(Unaskable::NoService(holder, service))
    }

    /// Has an instance ask a service for something that it must know, over real packets.
    ///
    /// # Errors
    /// [`LabError::Broken`]: nothing that a broken lab shows would count.
    pub async fn ask_service(&self, instance: &InstanceName, service: VpcService) -> Result<ServiceResponse, LabError> {
        self.refuse_broken()?;
        let running = self.state.cloud().instances.get(instance).is_some_and(|it| it.state == InstanceState::Running);
        let asker = first_interface(self.state.cloud(), instance).filter(|_| running);
        let source = asker.and_then(|asker| asker.private).map(|private| IpAddr::V4(private.0));
        let (Some(asker), Some(source)) = (asker, source) else {
            let why = format!("{instance} is not running, so it can ask nothing");
            return Ok(ServiceResponse::Inconclusive { why });
        };
        let at = match self.service_of(&InterfaceId::first_of(instance), service) {
            Ok(at) => at,
            Err(why) => return Ok(ServiceResponse::Inconclusive { why: why.to_string() }),
        };
        let from = self.state.fabric().node(&names::instance(instance))?;
        Ok(services::ask(from, asker, source, service, at, self.services.said()).await)
    }
}
