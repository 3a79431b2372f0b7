//! The links that the prober watches: what routers send over them, and whether they lead where they did.

use std::collections::HashMap;
use std::sync::Arc;

use super::canary::{Links, Receiver};
use super::observer::ObserverSocket;
use super::prober::Prober;
use crate::fabric::tap::Tap;
use crate::fabric::{FabricError, Namespace, links};
use crate::network::NodeName;

impl Prober {
    /// Watches from now on what a router sends over links that have just been made, each with the namespace that it leads to.
    ///
    /// # Errors
    /// The OS error.
    pub async fn watch_links(
        &mut self,
        router: &Arc<Namespace>,
        ends: Vec<(u32, NodeName)>,
    ) -> Result<(), FabricError> {
        let indexes: Vec<u32> = ends.iter().map(|(index, _)| *index).collect();
        let taps = Tap::on_links(router, indexes.clone()).await?;
        let mut states = links::states(router, indexes).await?;
        for ((index, end), tap) in ends.into_iter().zip(taps) {
            let port = (router.name.clone(), index);
            self.unwatch_link(&router.name, index);
            if let Some(state) = states.remove(&index) {
                self.led_to.insert(port.clone(), state.leads_to);
            }
            self.board.link_leads_to(&router.name, index, end.clone());
            self.witness.watch(end, ObserverSocket::Tap(port, tap));
        }
        Ok(())
    }

    /// A link is gone, or goes.
    pub fn unwatch_link(&mut self, router: &NodeName, index: u32) {
        let port = (router.clone(), index);
        if self.led_to.remove(&port).is_some() {
            self.board.link_is_gone(router, index);
            self.witness.unlink(port);
        }
    }

    /// Returns the states of the receivers' links, of those that lead where they led when they were made.
    pub(super) async fn links_of(&self, receivers: &[Receiver]) -> Links {
        let mut by_router: HashMap<&NodeName, (&Arc<Namespace>, Vec<u32>)> = HashMap::new();
        for receiver in receivers {
            let (_, indexes) = by_router.entry(&receiver.router.name).or_insert_with(|| (&receiver.router, Vec::new()));
            indexes.push(receiver.port);
        }
        let asking = by_router.into_values().map(|(router, indexes)| async move {
            // Of one that says nothing nothing is proved.
            (router, links::states(router, indexes).await.unwrap_or_default())
        });
        let states = futures::future::join_all(asking).await.into_iter();
        let states = states.flat_map(|(router, states)| {
            states.into_iter().map(|(index, state)| ((router.name.clone(), index), state))
        });
        states.filter(|(port, state)| self.led_to.get(port) == Some(&state.leads_to)).collect()
    }
}
