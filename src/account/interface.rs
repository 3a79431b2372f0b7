//! Network interfaces, those who hold them, and their ways from the internet.

use std::net::IpAddr;

use indexmap::IndexSet;
use ipnet::IpNet;

use super::known::Known;
use super::origin::{Origin, ResourceId};
use crate::model::number;

/// A network interface, of whatever holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Short name for people: that of its holder, with `.eth1` for a further interface of an instance.
    pub label: String,
    /// Its holder.
    pub holder: Holder,
    /// Its VPC, where it is known.
    pub vpc: Option<ResourceId>,
    /// Its subnet, where it is known.
    pub subnet: Option<ResourceId>,
    /// Its groups.
    pub groups: Known<IndexSet<ResourceId>>,
    /// Private addresses, prefixes, and IPv6 addresses, as blocks; empty where they are not known yet.
    pub addresses: Vec<IpNet>,
    /// Number of IPv6 addresses that it gets beside these, and that are not known yet.
    pub ipv6_later: usize,
    /// Ways from the internet to it.
    pub public: Public,
    /// Its place in the sources.
    pub origin: Origin,
}

/// The holder of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Holder {
    /// An instance that is running, or will be.
    Instance,
    /// An instance that is stopped: its interfaces and groups are there, and nothing answers.
    StoppedInstance,
    /// A load balancer of any kind.
    LoadBalancer,
    /// A managed database or cache.
    Database,
    /// A function.
    Function,
    /// A container task or another service that Amazon runs.
    Service,
    /// Nothing yet: it is attached to nobody.
    Nobody,
}

impl Holder {
    /// Returns true for an instance, whether it runs or not.
    pub fn is_instance(self) -> bool {
        matches!(self, Self::Instance | Self::StoppedInstance)
    }
}

impl Interface {
    /// Returns true if it has an IPv6 address or gets one.
    pub fn has_ipv6(&self) -> bool {
        self.ipv6_later > 0 || self.addresses.iter().any(|block| matches!(block, IpNet::V6(_)))
    }

    /// The name of its holder and its device number: `web1` and 1 of `web1.eth1`. What is no instance has one interface.
    pub fn holder_and_device(&self) -> (&str, u32) {
        let further = self.label.rsplit_once(".eth").filter(|_| self.holder.is_instance());
        let further = further.and_then(|(name, device)| Some((name, number(device)?)));
        further.unwrap_or((self.label.as_str(), 0))
    }
}

/// Ways from the internet to an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Public {
    /// These public addresses lead to it; none is listed where it gets one that is not known yet.
    At(Vec<IpAddr>),
    /// None does.
    None,
    /// It cannot be told, for this reason.
    Unknown(String),
}
