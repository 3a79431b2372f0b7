//! The addresses that interfaces hold, or held last.

use indexmap::IndexMap;

use crate::model::{Cloud, InterfaceId, Ipv6, PrivateIp, PublicIp};

/// The addresses that an interface held last, each by itself.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LastHeld {
    pub private: Option<PrivateIp>,
    pub public: Option<PublicIp>,
    pub ipv6: Option<Ipv6>,
}

/// Those of every interface that ever was.
#[derive(Debug, Default)]
pub(super) struct LastAddresses(IndexMap<InterfaceId, LastHeld>);

impl LastAddresses {
    /// Remembers the addresses of now, for flows to instances that hold none later.
    pub fn remember(&mut self, cloud: &Cloud) {
        for interface in cloud.network_interfaces() {
            let last = self.0.entry(interface.id.clone()).or_default();
            last.private = interface.private.or(last.private);
            last.public = interface.public.or(last.public);
            last.ipv6 = interface.ipv6.or(last.ipv6);
        }
    }

    /// Those of an interface, if it ever was.
    pub fn of(&self, id: &InterfaceId) -> Option<LastHeld> {
        self.0.get(id).copied()
    }
}
