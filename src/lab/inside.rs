//! Entry for a caller's own code: in an instance or a host, with its sockets and its names.

use super::booted::Lab;
use super::error::LabError;
use super::state::first_interface;
use crate::compile::names;
use crate::fabric::Inside;
use crate::model::{Cloud, HostName, InstanceName};
use crate::network::NodeName;

/// Instance or host in which programs and code of a caller's own can run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Site {
    /// An instance, while it runs.
    Instance(InstanceName),
    /// A host outside the cloud, for as long as the lab is up.
    Host(HostName),
}

impl Site {
    /// Finds the instance or host of this name.
    pub fn named(cloud: &Cloud, name: &str) -> Option<Self> {
        let instance = cloud.instances.get_key_value(&InstanceName::new(name)).map(|(name, _)| name.clone());
        let host = || cloud.hosts.get_key_value(&HostName::new(name)).map(|(name, _)| name.clone());
        instance.map(Self::Instance).or_else(|| host().map(Self::Host))
    }

    /// The names of all there are, instances first.
    pub fn names(cloud: &Cloud) -> impl Iterator<Item = &str> {
        cloud.instances.keys().map(InstanceName::as_str).chain(cloud.hosts.keys().map(HostName::as_str))
    }

    /// Its namespace.
    pub(super) fn node(&self) -> NodeName {
        match self {
            Self::Instance(name) => names::instance(name),
            Self::Host(name) => names::host(name),
        }
    }
}

impl std::fmt::Display for Site {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Instance(name) => name.fmt(f),
            Self::Host(name) => name.fmt(f),
        }
    }
}

impl Lab {
    /// A running instance or a host, for code of the caller's own.
    ///
    /// # Errors
    /// [`FabricError::NoNode`](crate::fabric::FabricError::NoNode) if there is none of that name, or it does not run.
    pub fn in_site(&self, site: &Site) -> Result<Inside, LabError> {
        self.in_site_of(self.state.cloud(), site)
    }

    /// The same in a cloud that is about to be the lab's.
    pub(super) fn in_site_of(&self, cloud: &Cloud, site: &Site) -> Result<Inside, LabError> {
        let Site::Instance(name) = site else { return self.in_node(&site.node(), &names::internet()) };
        let router = first_interface(cloud, name).map(|interface| names::router(&interface.vpc));
        self.in_node(&site.node(), &router.unwrap_or_else(names::internet))
    }

    /// A running instance, for code of the caller's own.
    ///
    /// # Errors
    /// [`FabricError::NoNode`](crate::fabric::FabricError::NoNode) if there is none of that name, or it does not run.
    pub fn in_instance(&self, name: &InstanceName) -> Result<Inside, LabError> {
        self.in_site(&Site::Instance(name.clone()))
    }

    /// A host outside the cloud, for code of the caller's own.
    ///
    /// # Errors
    /// [`FabricError::NoNode`](crate::fabric::FabricError::NoNode) if there is none of that name.
    pub fn in_host(&self, name: &HostName) -> Result<Inside, LabError> {
        self.in_site(&Site::Host(name.clone()))
    }

    fn in_node(&self, node: &NodeName, router: &NodeName) -> Result<Inside, LabError> {
        Ok(Inside {
            namespace: std::sync::Arc::clone(self.state.fabric().node(node)?),
            hosts: self.state.fabric().files().hosts_file(router),
            resolver: self.state.fabric().files().resolver_file(router),
        })
    }
}
