//! Connections to what the harness serves, limited by who makes them: one instance takes no place from another.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use tokio::task::{AbortHandle, JoinSet};

/// So many one client has at the same time to a listener of the harness, or of a load balancer, where each takes three descriptors.
pub(super) const MAX_PER_CLIENT: usize = 256;

/// Connections under way. They end when this is dropped.
#[derive(Debug)]
pub struct Connections {
    /// So many has one address at the same time. Where another comes, its oldest is closed.
    most: usize,
    all: JoinSet<()>,
    /// By who has made them, the oldest first.
    of: HashMap<IpAddr, VecDeque<AbortHandle>>,
}

impl Connections {
    /// None yet, and so many of each address at the most.
    pub fn at_most(most: usize) -> Self {
        Self { most, all: JoinSet::new(), of: HashMap::new() }
    }

    /// Serves one from an address.
    pub fn serve(&mut self, from: IpAddr, conversing: impl Future<Output = ()> + Send + 'static) {
        self.of.retain(|_, own| {
            own.retain(|one| !one.is_finished());
            !own.is_empty()
        });
        let own = self.of.entry(from.to_canonical()).or_default();
        if own.len() >= self.most
            && let Some(oldest) = own.pop_front()
        {
            oldest.abort();
        }
        own.push_back(self.all.spawn(conversing));
    }

    /// Waits until one has ended; for ever where there is none.
    pub async fn ended(&mut self) {
        if self.all.join_next().await.is_none() {
            std::future::pending().await
        }
    }
}
