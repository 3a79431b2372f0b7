//! Hosts that are there for as long as somebody asks about their addresses.

use std::sync::Arc;
use std::time::Instant;

use super::booted::Lab;
use super::error::LabError;
use crate::model::{Cloud, Endpoint, Flow, HostName};

impl Lab {
    /// Takes in the hosts outside that flows name and the cloud does not know, each by its address. They are there until
    /// [`Self::remove_hosts`].
    ///
    /// # Errors
    /// [`LabError`] as of an operation; then there are none.
    pub async fn add_hosts(&mut self, flows: &[Flow]) -> Result<Vec<HostName>, LabError> {
        self.refuse_broken()?;
        let mut cloud = Cloud::clone(self.state.cloud());
        let mut added = Vec::new();
        for flow in flows {
            for end in [&flow.from, &flow.to] {
                let Endpoint::Host(name, address) = end else { continue };
                let synthetic_host =
                    cloud.synthetic_host(address.0).filter(|(own, _)| own == name && !cloud.hosts.contains_key(name));
                if let Some((name, host)) = synthetic_host {
                    cloud.hosts.insert(name.clone(), host);
                    added.push(name);
                }
            }
        }
        if !added.is_empty() {
            self.stand_with(cloud).await?;
        }
        Ok(added)
    }

    /// Has these hosts be gone again.
    ///
    /// # Errors
    /// [`LabError`] as of an operation; then they are still there.
    pub async fn remove_hosts(&mut self, hosts: &[HostName]) -> Result<(), LabError> {
        if hosts.is_empty() {
            return Ok(());
        }
        let mut cloud = Cloud::clone(self.state.cloud());
        cloud.hosts.retain(|name, _| !hosts.contains(name));
        self.stand_with(cloud).await
    }

    async fn stand_with(&mut self, cloud: Cloud) -> Result<(), LabError> {
        let network = self.compiled(&cloud)?;
        self.transition(None, Arc::new(cloud), network, Instant::now()).await.map(drop)
    }
}
