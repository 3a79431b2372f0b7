//! State of a lab at a moment: its cloud, the network that is compiled of it, and what the fabric has made of that.

use std::collections::HashMap;
use std::sync::Arc;

use super::heard::PacketEndpoints;
use crate::compile::names;
use crate::fabric::Fabric;
use crate::model::{Attachment, Cloud, GroupName, InstanceName, Interface, InterfaceId};
use crate::network::{Network, NodeName};
use crate::probe::Logged;

/// All of it changes together, by an operation.
#[derive(Debug)]
pub(super) struct LabState {
    cloud: Arc<Cloud>,
    network: Network,
    fabric: Fabric,
    ports: Ports,
}

/// The interfaces by the index of their port, by which the kernel names them: it does so often, and interfaces are many.
#[derive(Debug)]
pub(super) struct Ports(HashMap<u32, InterfaceId>);

impl Ports {
    /// Those of a cloud.
    pub fn of(cloud: &Cloud) -> Self {
        let ports = cloud.network_interfaces().map(|it| (names::port_index(it.number), it.id.clone()));
        Self(ports.collect())
    }
}

impl LabState {
    /// Of a lab that boots: what the fabric has is of no network yet.
    pub fn of(cloud: Arc<Cloud>, fabric: Fabric) -> Self {
        Self { ports: Ports::of(&cloud), cloud, network: Network::default(), fabric }
    }

    /// From now on it is this cloud, and the fabric has its network.
    pub fn stand_as(&mut self, cloud: Arc<Cloud>, network: Network) {
        (self.cloud, self.network) = (cloud, network);
    }

    /// From now on interfaces are known by the ports that they have in the present cloud.
    pub fn number_ports(&mut self) {
        self.ports = Ports::of(&self.cloud);
    }

    /// The cloud.
    pub fn cloud(&self) -> &Arc<Cloud> {
        &self.cloud
    }

    /// Its network.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Returns what the network is in the kernel.
    pub fn fabric(&self) -> &Fabric {
        &self.fabric
    }

    /// The same, to be changed towards another network.
    pub fn fabric_mut(&mut self) -> &mut Fabric {
        &mut self.fabric
    }

    /// Finds the interfaces between which a record was made, as the cloud is now.
    pub fn packet_endpoints(&self, logged: &Logged) -> PacketEndpoints<'_> {
        let at = |index: Option<u32>| self.at_index(&logged.node, index?);
        PacketEndpoints { from: at(logged.in_index), to: at(logged.out_index) }
    }

    /// The interface that has a port of a router.
    pub fn interface_at(&self, router: &NodeName, port: &str) -> Option<&Interface> {
        let found = match port.rsplit_once('.') {
            // A name that was shortened ends in the interface's number.
            Some((_, number)) => self.at_index(router, names::port_index(number.parse().ok()?)),
            None => first_interface(&self.cloud, &InstanceName::new(port)),
        };
        found.filter(|it| names::port(&it.id, it.number) == port && names::router(&it.vpc) == *router)
    }

    /// The interface that has a port of a router, by its index.
    fn at_index(&self, router: &NodeName, index: u32) -> Option<&Interface> {
        let interface = self.cloud.interface(self.ports.0.get(&index)?)?;
        (names::router(&interface.vpc) == *router).then_some(interface)
    }

    /// Finds the interface of the cloud that an index of a router leads to, and its groups.
    pub fn interface_by_index(&self, node: &NodeName, index: u32) -> Option<(InterfaceId, Vec<GroupName>)> {
        let Interface { id, groups, .. } = self.at_index(node, index)?;
        let link = names::link(&names::holder(&id.holder()), &format!("eth{}", id.device()));
        self.network.links.contains_key(&link).then(|| (id.clone(), groups.iter().cloned().collect()))
    }
}

/// `eth0` of an instance.
pub(super) fn first_interface<'a>(cloud: &'a Cloud, name: &InstanceName) -> Option<&'a Interface> {
    cloud.attached(&Attachment::first_of(name))
}
