//! Ports that the harness listens on.

use indexmap::IndexSet;

use crate::model::{Cloud, InstanceName, InstanceState, InterfaceHolder, Service};
use crate::network::{Families, Network, Node, NodeKind, NodeName};

/// Ports that the harness listens on, beside what the instances' own services hold.
#[derive(Clone, Debug, Default)]
pub struct Listeners {
    /// Every instance and host listens on these.
    pub columns: IndexSet<Service>,
    /// But not these, as long as their holder does not say itself that it listens there.
    pub closed_ports: IndexSet<(InterfaceHolder, Service)>,
}

impl Listeners {
    /// Returns `true` if nobody is to listen at a port of an instance or load balancer.
    pub fn is_closed(&self, cloud: &Cloud, holder: &InterfaceHolder, service: Service) -> bool {
        self.closed_ports.contains(&(holder.clone(), service)) && !cloud.listens(holder, service)
    }

    /// Counts how many sockets they are at most, in all of a network.
    pub(super) fn most_in(&self, network: &Network, cloud: &Cloud) -> usize {
        let columns = self.columns.iter().filter(|service| **service != Service::IcmpEcho).count();
        let own: usize = cloud.instances.values().map(|instance| instance.listens.len()).sum();
        let of_node = |node: &Node| match (node.kind, node.families) {
            (NodeKind::Router | NodeKind::Gateway | NodeKind::Internet | NodeKind::Canary, _) => 0,
            (_, Families::Ipv4) => columns,
            (_, Families::Both) => 2 * columns,
        };
        network.nodes.values().map(of_node).sum::<usize>() + own
    }
}

/// Answer of the harness at a port that nobody holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum UnboundPort {
    /// Nothing: who is let in is refused.
    #[default]
    Refuses,
    /// It answers for as long as the probes take.
    Answers,
}

/// Ports that the harness listens on in a lab, and its answer at the rest.
#[derive(Debug)]
pub(super) struct Listening {
    listeners: Listeners,
    unheld: UnboundPort,
}

impl Listening {
    /// Makes them such that nobody answers where nobody listens.
    pub fn of(listeners: Listeners) -> Self {
        Self { listeners, unheld: UnboundPort::default() }
    }

    /// From now on the harness answers where nobody listens, for as long as the probes take.
    pub fn answer_for_all(&mut self) {
        self.unheld = UnboundPort::Answers;
    }

    /// Returns `true` if the harness answers where nobody listens.
    pub fn answers_for_all(&self) -> bool {
        self.unheld == UnboundPort::Answers
    }

    /// Returns `true` if the harness is not to listen at a port of an instance.
    pub fn is_deaf(&self, cloud: &Cloud, holder: &InterfaceHolder, service: Service) -> bool {
        self.listeners.is_closed(cloud, holder, service)
    }

    /// Lists what is to listen in a namespace; nothing for routers and for instances that do not run. `held` says which ports are for services.
    pub fn wanted(
        &self,
        cloud: &Cloud,
        name: &NodeName,
        kind: NodeKind,
        held: impl Fn(&InstanceName, Service) -> bool,
    ) -> Option<Vec<Service>> {
        let columns = &self.listeners.columns;
        match kind {
            NodeKind::Host => Some(columns.iter().copied().collect()),
            NodeKind::Instance | NodeKind::Appliance => {
                let (name, instance) = cloud.instances.get_key_value(name.0.as_str())?;
                let closed_ports =
                    |service: &Service| self.is_deaf(cloud, &name.into(), *service) || held(name, *service);
                let all = columns.union(&instance.listens).copied();
                (instance.state == InstanceState::Running)
                    .then(|| all.filter(|service| !closed_ports(service)).collect())
            }
            // Its listeners are its own; elsewhere the harness listens, so that "allowed" reads as open there too.
            NodeKind::LoadBalancer => {
                let (name, balancer) = cloud.load_balancers.get_key_value::<str>(name.0.as_ref())?;
                let own =
                    |service: &Service| matches!(service, Service::Tcp(port) if balancer.listeners.contains_key(port));
                Some(columns.iter().copied().filter(|it| !own(it) && !self.is_deaf(cloud, &name.into(), *it)).collect())
            }
            NodeKind::Router | NodeKind::Gateway | NodeKind::Internet | NodeKind::Canary => None,
        }
    }
}
