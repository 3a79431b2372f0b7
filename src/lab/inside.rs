//! Where a caller's own code runs: in an instance or a host, with its sockets and its names.

use super::paths::first_interface;
use super::{Lab, LabError};
use crate::compile::names;
use crate::compile::network::NodeName;
use crate::fabric::Inside;
use crate::model::{HostName, InstanceName};

impl Lab {
    /// A running instance, for code of the caller's own.
    ///
    /// # Errors
    /// [`FabricError::NoNode`](crate::fabric::FabricError::NoNode) if there is none of that name, or it does not run.
    pub fn in_instance(&self, name: &InstanceName) -> Result<Inside, LabError> {
        let node = names::instance(name);
        let router = first_interface(&self.cloud, name).map(|interface| names::router(&interface.vpc));
        self.in_node(&node, &router.unwrap_or_else(names::internet))
    }

    /// A host outside the cloud, for code of the caller's own.
    ///
    /// # Errors
    /// [`FabricError::NoNode`](crate::fabric::FabricError::NoNode) if there is none of that name.
    pub fn in_host(&self, name: &HostName) -> Result<Inside, LabError> {
        self.in_node(&NodeName(name.to_string()), &names::internet())
    }

    fn in_node(&self, node: &NodeName, resolver_of: &NodeName) -> Result<Inside, LabError> {
        Ok(Inside {
            namespace: std::sync::Arc::clone(self.fabric.node(node)?),
            hosts: self.fabric.hosts_file().to_owned(),
            resolver: self.fabric.resolver_file(resolver_of),
        })
    }
}
