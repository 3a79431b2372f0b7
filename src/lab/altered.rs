//! A door for tests: a lab whose network is not the one that the compiler gives.
//!
//! Whoever wants to know whether a test would notice a missing rule has to take the rule away. Nothing on the command
//! line and nothing in a topology file leads here, and [`Lab::boot`] never does: an altered lab proves nothing about
//! security groups, only something about what is held against it.

use std::sync::Arc;
use std::time::Instant;

use super::alteration::{Alteration, compiled};
use super::booted::Lab;
use super::error::LabError;
use super::listeners::Listeners;
use crate::fabric::faults::Faults;
use crate::model::Cloud;
use crate::network::Network;

impl Lab {
    /// Boots a cloud as [`Lab::boot`] does, on an altered network.
    ///
    /// # Errors
    /// [`LabError`]; nothing is left of a lab that did not boot.
    pub async fn boot_altered(cloud: Cloud, listeners: Listeners, alteration: Alteration) -> Result<Self, LabError> {
        Self::boot_as(cloud, listeners, Some(alteration), Faults::default(), None).await
    }

    /// Alters a lab that is up, in place of what altered it before; without an alteration it is as compiled again.
    ///
    /// # Errors
    /// [`LabError`]; the network is then as it was.
    pub async fn alter(&mut self, alteration: Option<Alteration>) -> Result<(), LabError> {
        self.refuse_broken()?;
        let before = std::mem::replace(&mut self.alteration, alteration);
        let altered = self.realter().await;
        if altered.is_err() {
            self.alteration = before;
        }
        altered
    }

    async fn realter(&mut self) -> Result<(), LabError> {
        let network = self.compiled(self.state.cloud())?;
        self.transition(None, Arc::clone(self.state.cloud()), network, Instant::now()).await?;
        self.start_missing_processes().await
    }

    /// The network of a cloud, altered if this lab is.
    pub(super) fn compiled(&self, cloud: &Cloud) -> Result<Network, LabError> {
        compiled(cloud, self.alteration.as_ref())
    }
}
