//! The cloud that services speak of.

use std::sync::{Arc, PoisonError, RwLock};

use crate::model::Cloud;

/// So many connections one address has to a service at the same time.
pub(super) const MAX_CONNECTIONS: usize = 64;

/// The cloud of now, as every service sees it: also while an operation that is in force waits for something.
#[derive(Clone, Debug)]
pub struct CurrentCloud(Arc<RwLock<Arc<Cloud>>>);

impl CurrentCloud {
    /// Of this cloud.
    pub(super) fn of(cloud: Arc<Cloud>) -> Self {
        Self(Arc::new(RwLock::new(cloud)))
    }

    /// From now on it is this one.
    pub(super) fn set(&self, cloud: Arc<Cloud>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = cloud;
    }

    /// The cloud.
    pub fn cloud(&self) -> Arc<Cloud> {
        // A panic elsewhere leaves a whole cloud: it is replaced and never written to.
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}
