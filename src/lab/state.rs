//! What a lab is at a moment: its cloud, the network that is compiled of it, and what the fabric has made of that.

use std::sync::Arc;

use super::whereabouts::Where;
use crate::compile::names;
use crate::fabric::Fabric;
use crate::model::{Cloud, GroupName, InstanceName, Interface, InterfaceId};
use crate::network::{Network, NodeName};
use crate::probe::Logged;

/// `eth0` of an instance has this index in its namespace, `eth1` the next.
pub(super) const FIRST_INSTANCE_INDEX: u32 = 2;

/// All three change together, by an operation.
#[derive(Debug)]
pub(super) struct LabState {
    cloud: Arc<Cloud>,
    network: Network,
    fabric: Fabric,
}

impl LabState {
    /// Of a lab that boots: what the fabric has is of no network yet.
    pub fn of(cloud: Arc<Cloud>, fabric: Fabric) -> Self {
        Self { cloud, network: Network::default(), fabric }
    }

    /// From now on it is this cloud, and the fabric has its network.
    pub fn stand_as(&mut self, cloud: Arc<Cloud>, network: Network) {
        (self.cloud, self.network) = (cloud, network);
    }

    /// The cloud.
    pub fn cloud(&self) -> &Arc<Cloud> {
        &self.cloud
    }

    /// Its network.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// What the network is in the kernel.
    pub fn fabric(&self) -> &Fabric {
        &self.fabric
    }

    /// The same, to be changed towards another network.
    pub fn fabric_mut(&mut self) -> &mut Fabric {
        &mut self.fabric
    }

    /// Where a record was made, as the cloud is now.
    pub fn whereabouts(&self, logged: &Logged) -> Where<'_> {
        // By number first: records are many, and a link's name is text.
        let at = |index: Option<u32>| {
            let number = index?;
            let mut interfaces = self.cloud.network_interfaces();
            interfaces.find(|it| names::port_index(it.number) == number && names::router(&it.vpc) == logged.node)
        };
        Where { from: at(logged.in_index), to: at(logged.out_index) }
    }

    /// The interface that has a port of a router.
    pub fn interface_at(&self, router: &NodeName, port: &str) -> Option<&Interface> {
        let mut interfaces = self.cloud.network_interfaces();
        interfaces.find(|it| names::port(&it.id, it.number) == port && names::router(&it.vpc) == *router)
    }

    /// Whose interface an index of a router is, and which groups it is in.
    pub fn whose(&self, node: &NodeName, index: u32) -> Option<(InterfaceId, Vec<GroupName>)> {
        let link = self.network.links.values().find(|link| link.upper.node == *node && link.upper.index == index)?;
        let device = link.lower.index.checked_sub(FIRST_INSTANCE_INDEX)?;
        self.cloud.network_interfaces().find_map(|interface| {
            let name = &interface.id.instance;
            let its = names::instance(name) == link.lower.node && u32::from(interface.id.device) == device;
            its.then(|| (interface.id.clone(), interface.groups.iter().cloned().collect()))
        })
    }
}

/// `eth0` of an instance.
pub(super) fn first_interface<'a>(cloud: &'a Cloud, name: &InstanceName) -> Option<&'a Interface> {
    cloud.interface(&InterfaceId { instance: name.clone(), device: 0 })
}
