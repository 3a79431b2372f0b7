//! Alterations that a test makes to the networks of a lab.

use std::fmt;
use std::sync::Arc;

use super::error::LabError;
use crate::compile;
use crate::model::Cloud;
use crate::network::Network;

/// Function of a test that changes every network that the compiler gives, at the boot and at each operation.
///
/// The rules of one chain must keep ids of their own, as the kernel's rules are found by them.
#[derive(Clone)]
pub struct Alteration(Arc<dyn Fn(Network) -> Network + Send + Sync>);

impl Alteration {
    /// An alteration.
    pub fn new(alter: impl Fn(Network) -> Network + Send + Sync + 'static) -> Self {
        Self(Arc::new(alter))
    }

    /// The network that is made of one.
    pub fn of(&self, network: Network) -> Network {
        (self.0)(network)
    }
}

impl fmt::Debug for Alteration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Alteration")
    }
}

/// The network of a cloud, altered if there is an alteration.
pub(super) fn compiled(cloud: &Cloud, alteration: Option<&Alteration>) -> Result<Network, LabError> {
    let network = compile::network(cloud)?;
    Ok(match alteration {
        Some(alteration) => alteration.of(network),
        None => network,
    })
}
