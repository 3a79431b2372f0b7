//! From a flow between names to the addresses, namespaces and translations that a probe needs.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;

use super::booted::Lab;
use super::error::LabError;
use super::resolved::Resolved;
use crate::compile::names;
use crate::fabric::FabricError;
use crate::model::{
    AddressType, Direction, Endpoint, Flow, InstanceState, Interface, InterfaceHolder, InterfaceId, Service, Via,
};
use crate::network::{NodeKind, NodeName};
use crate::probe::{Answering, Ask, KnownPath, Receiver, Unaskable};

impl Lab {
    /// Makes the question of a probe of a flow, or says what it lacks. `resolved` is what resolvers said of the flows
    /// by DNS name.
    pub(super) fn ask(&self, flow: &Flow, resolved: &Resolved) -> Result<Ask, Unaskable> {
        if let Some(why) = flow.service.unprobeable(flow.via) {
            return Err(Unaskable::Protocol(why));
        }
        let Sender { node, source, public } = self.sender(flow)?;
        let sender = Arc::clone(self.state.fabric().node(&node).map_err(no_namespace)?);
        let outside = matches!(flow.from, Endpoint::Host(..));
        let (destination, translated) = match (&flow.to, flow.to.interface()) {
            (_, Some(id)) => {
                let last = self.last.of(&id).ok_or_else(|| Unaskable::NeverAddressed(flow.to.clone()))?;
                let lacks = |kind| Unaskable::NoAddress(flow.to.clone(), kind);
                let private = last.private.map(|address| IpAddr::V4(address.0));
                let behind = |address| (public.unwrap_or(source), private.unwrap_or(address));
                match flow.via {
                    Via::Dns => {
                        let address = resolved.of(flow).ok_or_else(|| Unaskable::NotResolved(flow.to.clone()))?;
                        let address = address.map_err(Unaskable::Unresolved)?;
                        // From another VPC it goes out by the gateway, though the number is the private one.
                        let inside = Some(address) == private && self.are_in_one_vpc(&flow.from, &id);
                        (address, (!inside).then(|| behind(address)))
                    }
                    Via::Ipv6 => (last.ipv6.ok_or_else(|| lacks(AddressType::Ipv6))?.0.into(), None),
                    Via::Secondary(address) => (address, None),
                    Via::Private if !outside => (private.ok_or_else(|| lacks(AddressType::Private))?, None),
                    Via::Private | Via::Public => {
                        let held = last.public.ok_or_else(|| lacks(AddressType::Public))?;
                        let held = IpAddr::V4(held.0);
                        (held, Some(behind(held)))
                    }
                }
            }
            (Endpoint::Host(_, address), None) => (address.0, public.map(|source| (source, address.0))),
            (_, None) => return Err(Unaskable::Nobody(flow.to.clone())),
        };
        let receiver = self.receiver(flow)?;
        let behind = self.behind(flow);
        let passed_on_by = self.appliances(flow);
        let there = self.way_there(flow, (source, destination), public);
        let back = self.way_back(flow, destination, &there);
        let forged = self.is_forged(flow);
        let shared = !passed_on_by.is_empty() || self.is_appliance(flow);
        let ports_of = if shared { IpAddr::V4(names::ROUTER_ADDRESS) } else { source };
        Ok(Ask {
            sender,
            source,
            destination,
            translated,
            ports_of,
            to_itself: self.is_address_of(&flow.from, destination),
            forged,
            passed_on_by,
            there,
            back,
            judged_at: judged_at(flow, forged),
            service: flow.service,
            receiver,
            behind,
            answering: Answering::Harness,
        })
    }

    /// Lists who may answer in place of the receiver: the instances behind the listener of a load balancer.
    fn behind(&self, flow: &Flow) -> Vec<NodeName> {
        let balancer = flow.to.load_balancer().and_then(|name| self.state.cloud().load_balancers.get(name));
        let listens = |port| balancer.is_some_and(|balancer| balancer.listeners.contains_key(port));
        match (balancer, flow.service) {
            (Some(balancer), Service::Tcp(port)) if listens(&port) => {
                balancer.registrations.keys().map(names::instance).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Tells what answers at the other end: the one that is asked, or those behind the load balancer that is. The harness has some ports for a while.
    pub(super) fn answering(&self, flow: &Flow, ask: &Ask, lent: &HashSet<(NodeName, Service)>) -> Answering {
        let port = |service| if let Service::Tcp(port) = service { Some(port) } else { None };
        let balancer = flow.to.load_balancer().and_then(|name| self.state.cloud().load_balancers.get(name));
        let listener = balancer.and_then(|balancer| balancer.listeners.get(&port(flow.service)?));
        let state =
            |node: &NodeName| self.state.cloud().instances.get::<str>(node.0.as_ref()).map(|instance| instance.state);
        let runs = |node: &NodeName| state(node) == Some(InstanceState::Running);
        if let Some(to) = listener.filter(|_| !ask.behind.is_empty()) {
            let ours = |node: &NodeName| {
                let service = Service::Tcp(*to);
                self.prober.serves(node, service) || lent.contains(&(node.clone(), service))
            };
            let programs = ask.behind.iter().any(|node| runs(node) && !ours(node));
            return if programs { Answering::ProgramBehind } else { Answering::Harness };
        }
        match flow.to.instance().is_some_and(|name| self.processes.hold(self.state.cloud(), name, flow.service)) {
            true => Answering::Program,
            false => Answering::Harness,
        }
    }

    /// Returns true if a flow is sent from an address that its interface has not: a secondary one of its own is answered as the primary one.
    pub(super) fn is_forged(&self, flow: &Flow) -> bool {
        let Endpoint::Forged(at, source) = &flow.from else { return false };
        self.state.cloud().attached(at).is_none_or(|own| !has(own, *source))
    }

    fn is_address_of(&self, end: &Endpoint, address: IpAddr) -> bool {
        match end {
            Endpoint::Host(_, own) => own.0 == address,
            _ => end.holder().is_some_and(|holder| self.interfaces_of(&holder).any(|own| has(own, address))),
        }
    }

    pub(super) fn interfaces_of(&self, holder: &InterfaceHolder) -> impl Iterator<Item = &Interface> {
        self.state.cloud().interfaces_of(holder)
    }

    /// Returns `true` if routes lead to the sender.
    fn is_appliance(&self, flow: &Flow) -> bool {
        let mut routes = self.state.cloud().vpcs.values().flat_map(|vpc| vpc.routes.values().flatten());
        routes.any(|route| Some(&route.target.instance) == flow.from.instance())
    }

    /// The sender's namespace, its address there, and its public one if that differs.
    pub(super) fn sender(&self, flow: &Flow) -> Result<Sender, Unaskable> {
        let Some(id) = flow.from.interface() else {
            let Endpoint::Host(name, address) = &flow.from else { return Err(Unaskable::Nobody(flow.from.clone())) };
            return Ok(Sender { node: names::host(name), source: address.0, public: None });
        };
        let from = &flow.from;
        let interface = self.state.cloud().interface(&id).ok_or_else(|| Unaskable::Unknown(from.clone()))?;
        let running = self.state.cloud().state_of(&id) == Some(InstanceState::Running);
        let node = names::holder(&id.holder());
        let asleep = || Unaskable::NotRunning(from.clone());
        if flow.via.is_ipv6() {
            let ipv6 = interface.ipv6.ok_or_else(|| Unaskable::NoAddress(from.clone(), AddressType::Ipv6))?;
            let source = match from {
                Endpoint::Forged(_, source) => *source,
                _ => ipv6.0.into(),
            };
            let source = running.then_some(source).ok_or_else(asleep)?;
            return Ok(Sender { node, source, public: None });
        }
        let private = interface.private.filter(|_| running).ok_or_else(asleep)?;
        let public = interface.public.map(|public| public.0.into());
        match from {
            // The gateway translates it as what the holder of that address sends.
            Endpoint::Forged(_, source) => {
                let mut inside = self.state.cloud().network_interfaces().filter(|it| it.vpc == interface.vpc);
                let holder = inside.find(|it| it.private.is_some_and(|private| IpAddr::V4(private.0) == *source));
                let public = holder.and_then(|holder| holder.public).map(|public| public.0.into());
                Ok(Sender { node, source: *source, public })
            }
            _ => Ok(Sender { node, source: private.0.into(), public }),
        }
    }

    fn are_in_one_vpc(&self, from: &Endpoint, to: &InterfaceId) -> bool {
        let vpc = |id: &InterfaceId| self.state.cloud().interface(id).map(|interface| &interface.vpc);
        from.interface().and_then(|from| vpc(&from)).is_some_and(|from| vpc(to) == Some(from))
    }

    /// The sender of a flow, as a receiver of what comes back.
    pub(super) fn client(&self, flow: &Flow) -> Result<Receiver, Unaskable> {
        self.holder(&flow.from, flow.via)?.ok_or_else(|| Unaskable::NoLink(flow.from.clone()))
    }

    /// Finds the holder of the receiver's address, if it has a link.
    pub(super) fn receiver(&self, flow: &Flow) -> Result<Option<Receiver>, Unaskable> {
        self.holder(&flow.to, flow.via)
    }

    pub(super) fn holder(&self, end: &Endpoint, via: Via) -> Result<Option<Receiver>, Unaskable> {
        let (node, device, address) = match (end, end.interface()) {
            (_, Some(id)) => {
                let address = self.state.cloud().interface(&id).and_then(|interface| inside(interface, end, via));
                (names::holder(&id.holder()), id.device(), address)
            }
            (Endpoint::Host(name, address), None) => (names::host(name), 0, Some(address.0)),
            (_, None) => return Ok(None),
        };
        let link = self.state.network().links.get(&names::link(&node, &format!("eth{device}")));
        let (Some(link), Some(address)) = (link, address) else { return Ok(None) };
        let router = self.state.fabric().node(&link.upper.node).map_err(no_namespace)?;
        let router_address = match (router.kind, address) {
            (NodeKind::Internet, IpAddr::V4(_)) => names::INTERNET_ADDRESS.into(),
            (NodeKind::Internet, IpAddr::V6(_)) => names::INTERNET_ADDRESS_IPV6.into(),
            (_, IpAddr::V4(_)) => names::ROUTER_ADDRESS.into(),
            (_, IpAddr::V6(_)) => {
                let vpcs = self.state.cloud().vpcs.iter().find(|(vpc, _)| names::router(vpc) == router.name);
                let block = vpcs.and_then(|(_, vpc)| vpc.ipv6);
                names::router_ipv6(block.ok_or_else(|| Unaskable::NoIpv6(router.name.clone()))?).into()
            }
        };
        let namespace = Arc::clone(self.state.fabric().node(&node).map_err(no_namespace)?);
        let port = link.upper.index;
        Ok(Some(Receiver { node, namespace, address, router: Arc::clone(router), router_address, port }))
    }

    /// A path of known fate through every VPC's filter.
    pub(super) fn known_paths(&self) -> Result<Vec<KnownPath>, LabError> {
        let paths = self.state.cloud().vpcs.keys().map(|vpc| {
            Ok(KnownPath {
                from: Arc::clone(self.state.fabric().node(&names::gateway(vpc))?),
                source: names::GATEWAY_ADDRESS.into(),
                to: names::canary(vpc),
                destination: names::CANARY_ADDRESS.into(),
            })
        });
        paths.collect()
    }
}

/// Sender of a flow.
pub(super) struct Sender {
    pub node: NodeName,
    pub source: IpAddr,
    pub public: Option<IpAddr>,
}

/// The address that an end has in its VPC in a flow: the one that it sends from or is asked for, if it is its own, else its first one of that
/// family.
pub(super) fn inside(interface: &Interface, end: &Endpoint, via: Via) -> Option<IpAddr> {
    let asked = match (end, via) {
        (Endpoint::Forged(_, source), _) => Some(*source),
        (_, Via::Secondary(address)) => Some(address),
        (_, Via::Private | Via::Public | Via::Ipv6 | Via::Dns) => None,
    };
    let first = match via.is_ipv6() {
        true => interface.ipv6.map(|first| first.0.into()),
        false => interface.private.map(|primary| primary.0.into()),
    };
    asked.filter(|asked| asked.is_ipv6() == via.is_ipv6() && has(interface, *asked)).or(first)
}

/// Returns true if an address leads to an interface inside of its VPC.
pub(super) fn has(interface: &Interface, address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => interface.private_addresses().any(|own| own.0 == address),
        IpAddr::V6(address) => interface.ipv6_blocks().any(|own| own.contains(&address)),
    }
}

pub(super) fn no_namespace(error: FabricError) -> Unaskable {
    Unaskable::Namespace(error.to_string())
}

/// The ends whose groups have to be asked, and to say so, of a question that may be taken for one of an earlier flow. Of TCP too: a SYN passes as part
/// of a connection that only the router and one end still know.
fn judged_at(flow: &Flow, forged: bool) -> Vec<Direction> {
    let is_answered = matches!(flow.service, Service::Tcp(_) | Service::Udp(_) | Service::IcmpEcho);
    if !is_answered || forged {
        return Vec::new();
    }
    let ends = [(&flow.from, Direction::Egress), (&flow.to, Direction::Ingress)];
    ends.into_iter()
        .filter(|(end, _)| matches!(end, Endpoint::Instance(_) | Endpoint::Interface(_) | Endpoint::Forged(..)))
        .map(|(_, at)| at)
        .collect()
}
