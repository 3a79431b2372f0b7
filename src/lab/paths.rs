//! From a flow between names to the addresses, namespaces and translations that a probe needs.

use std::net::Ipv4Addr;
use std::sync::Arc;

use super::{Lab, LabError};
use crate::compile::names;
use crate::compile::network::{Network, NodeKind, NodeName};
use crate::model::{Cloud, Endpoint, Flow, GroupName, HostName, InstanceName, InstanceState, Interface, Via};
use crate::probe::{Ask, KnownPath, Receiver};

impl Lab {
    /// What a probe of a flow has to ask; in words, what it lacks.
    pub(super) fn ask(&self, flow: &Flow) -> Result<Ask, String> {
        let (sender, source, public_source) = self.sender(&flow.from)?;
        let sender = Arc::clone(self.fabric.node(&sender).map_err(|error| error.to_string())?);
        let outside = matches!(flow.from, Endpoint::Host(..));
        let (destination, translated) = match &flow.to {
            Endpoint::Host(_, address) => (address.0, public_source.map(|source| (source, address.0))),
            Endpoint::Instance(name) => {
                let (private, public) = self.last.get(name).ok_or_else(|| format!("{name} never had an address"))?;
                let private = private.map(|address| address.0);
                if outside || flow.via == Via::Public {
                    let public = public.ok_or_else(|| format!("{name} has no public address"))?.0;
                    let behind = (public_source.unwrap_or(source), private.unwrap_or(public));
                    (public, Some(behind))
                } else {
                    (private.ok_or_else(|| format!("{name} has no private address"))?, None)
                }
            }
        };
        let receiver = self.receiver(&flow.to)?;
        Ok(Ask { sender, source, destination, translated, service: flow.service, receiver })
    }

    /// The sender's namespace, its address there, and its public one if that differs.
    fn sender(&self, from: &Endpoint) -> Result<(NodeName, Ipv4Addr, Option<Ipv4Addr>), String> {
        match from {
            Endpoint::Host(name, address) => Ok((host_node(name), address.0, None)),
            Endpoint::Instance(name) => {
                let interface = first_interface(&self.cloud, name).ok_or_else(|| format!("there is no {name}"))?;
                let running = self.cloud.instances.get(name).is_some_and(|i| i.state == InstanceState::Running);
                let private = interface.private.filter(|_| running);
                let private = private.ok_or_else(|| format!("{name} is not running, so it can ask nothing"))?;
                Ok((names::instance(name), private.0, interface.public.map(|public| public.0)))
            }
        }
    }

    /// Who holds the receiver's address, if it has a link.
    fn receiver(&self, to: &Endpoint) -> Result<Option<Receiver>, String> {
        let (node, address) = match to {
            Endpoint::Host(name, address) => (host_node(name), Some(address.0)),
            Endpoint::Instance(name) => {
                let private = first_interface(&self.cloud, name).and_then(|interface| interface.private);
                (names::instance(name), private.map(|private| private.0))
            }
        };
        let link = self.network.links.values().find(|link| link.lower.node == node);
        let (Some(link), Some(address)) = (link, address) else { return Ok(None) };
        let router = self.fabric.node(&link.upper.node).map_err(|error| error.to_string())?;
        let router_address = match router.kind {
            NodeKind::Internet => names::INTERNET_ADDRESS,
            _ => names::ROUTER_ADDRESS,
        };
        Ok(Some(Receiver { node, address, router: Arc::clone(router), router_address }))
    }

    /// A path of known fate through every VPC's filter.
    pub(super) fn known_paths(&self) -> Result<Vec<KnownPath>, LabError> {
        let paths = self.cloud.vpcs.keys().map(|vpc| {
            Ok(KnownPath {
                from: Arc::clone(self.fabric.node(&names::gateway(vpc))?),
                source: names::GATEWAY_ADDRESS,
                to: names::canary(vpc),
                destination: names::CANARY_ADDRESS,
            })
        });
        paths.collect()
    }
}

/// `eth0` of an instance has this index in its namespace, `eth1` the next.
const FIRST_INSTANCE_INDEX: u32 = 2;

/// The namespace of a host.
fn host_node(name: &HostName) -> NodeName {
    NodeName(name.to_string())
}

fn first_interface<'a>(cloud: &'a Cloud, name: &InstanceName) -> Option<&'a Interface> {
    cloud.instances.get(name).and_then(|instance| instance.interfaces.first())
}

/// Whose interface an index of a router is, and which groups it is in.
pub(super) fn whose(
    network: &Network,
    cloud: &Cloud,
    node: &NodeName,
    index: u32,
) -> Option<(InstanceName, Vec<GroupName>)> {
    let link = network.links.values().find(|link| link.upper.node == *node && link.upper.index == index)?;
    let device = link.lower.index.checked_sub(FIRST_INSTANCE_INDEX)?;
    cloud.interfaces().find_map(|(name, _, interface)| {
        let its = names::instance(name) == link.lower.node && u32::from(interface.id.device) == device;
        its.then(|| (name.clone(), interface.groups.iter().cloned().collect()))
    })
}
