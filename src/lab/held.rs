//! Connections that are held open while the cloud changes.

use std::sync::{Arc, Weak};

use super::{Lab, LabError, paths};
use crate::compile::network::NodeName;
use crate::fabric::Namespace;
use crate::model::{ConnectionName, Flow};
use crate::probe::{Connection, Held};

/// A connection, and the lives of its ends: a namespace of the same name after a restart is another one.
#[derive(Debug)]
pub(super) struct Holding {
    connection: Connection,
    ends: [Weak<Namespace>; 2],
}

impl Lab {
    /// Opens a connection and holds it; the receiver asked for has answered when this returns.
    ///
    /// # Errors
    /// [`LabError::Broken`]; [`LabError::NotOpened`] with the reason if the flow does not come about.
    pub async fn open(&mut self, name: &ConnectionName, flow: &Flow) -> Result<(), LabError> {
        self.refuse_broken()?;
        let not_opened = |why: String| LabError::NotOpened { name: name.clone(), flow: flow.to_string(), why };
        let resolved = self.resolve(std::slice::from_ref(flow)).await;
        let ask = self.ask(flow, &resolved).map_err(not_opened)?;
        let client = self.client(flow).map_err(not_opened)?;
        let connection = Connection::open(&mut self.prober, ask, client).await.map_err(not_opened)?;
        let [client, server] = connection.ends();
        let ends = [Arc::downgrade(self.fabric.node(client)?), Arc::downgrade(self.fabric.node(server)?)];
        self.held.insert(name.clone(), Holding { connection, ends });
        Ok(())
    }

    /// Closes a connection that is held.
    pub fn close(&mut self, name: &ConnectionName) {
        self.held.shift_remove(name);
    }

    /// Finds out what has become of a connection that is held.
    ///
    /// # Errors
    /// [`LabError::Broken`].
    pub async fn examine(&mut self, name: &ConnectionName) -> Result<Held, LabError> {
        self.refuse_broken()?;
        let Some(Holding { connection, ends }) = self.held.get_mut(name) else {
            return Ok(Held::Gone { why: "it was closed".to_owned() });
        };
        for (name, life) in connection.ends().into_iter().zip(ends) {
            let now = self.fabric.node(name).ok().map(Arc::downgrade);
            if !now.is_some_and(|now| now.ptr_eq(life)) {
                return Ok(Held::Gone { why: format!("{name} is not there any more, or was stopped meanwhile") });
            }
        }
        let (network, cloud) = (&self.network, &self.cloud);
        let whose = |node: &NodeName, index| paths::whose(network, cloud, node, index);
        Ok(connection.examine(&mut self.prober, &whose).await)
    }
}
