//! The parts of interfaces and groups that several readers share.

use indexmap::IndexSet;

use crate::account::{Account, Known, Origin, Peer, Public, ResourceId, Rule};
use crate::model::Traffic;

/// Groups of an interface, if they are known.
pub(super) type Groups = Known<IndexSet<ResourceId>>;

/// Subnets that something may be in.
#[derive(Default)]
pub(super) struct Subnets {
    pub known: Vec<ResourceId>,
    /// The reason why one of them, or all, are not known.
    pub unknown: Option<String>,
}

impl Subnets {
    /// Returns the only one. No one subnet is that of something in several.
    pub fn only(&self) -> Option<ResourceId> {
        match (self.known.as_slice(), &self.unknown) {
            ([one], None) => Some(one.clone()),
            _ => None,
        }
    }

    /// Adds others.
    pub fn extend(&mut self, others: Self) {
        self.known.extend(others.known);
        self.unknown = self.unknown.take().or(others.unknown);
    }

    /// Returns the ways from the internet to what is launched in them.
    pub fn public(&self, account: &Account) -> Public {
        let mut public = match &self.unknown {
            None if self.known.is_empty() => {
                Public::Unknown("it gets a public address by its subnet, which is not known".to_owned())
            }
            None => Public::None,
            Some(why) if self.known.is_empty() => Public::Unknown(format!("its subnet is not known: {why}")),
            Some(why) => Public::Unknown(format!("of its subnets, one is not known: {why}")),
        };
        for id in &self.known {
            match account.subnets.get(id).map(|subnet| &subnet.automatic_public) {
                Some(Known::Is(true)) => return Public::At(Vec::new()),
                Some(Known::Is(false)) => {}
                Some(Known::Unknown(why)) => public = Public::Unknown(format!("of its subnet, {why}")),
                None => {
                    public =
                        Public::Unknown(format!("it gets a public address by its subnet {id}, which no source has"))
                }
            }
        }
        public
    }

    /// Returns true if what is launched in one of them gets an IPv6 address by itself.
    pub fn gives_ipv6(&self, account: &Account) -> bool {
        self.known.iter().filter_map(|id| account.subnets.get(id)).any(|it| it.automatic_ipv6.known() == Some(&true))
    }
}

impl From<Option<ResourceId>> for Subnets {
    fn from(one: Option<ResourceId>) -> Self {
        Self { known: one.into_iter().collect(), unknown: None }
    }
}

/// Returns the VPC of subnets, else that of groups.
pub(super) fn vpc_of(account: &Account, subnets: &Subnets, groups: Option<&Groups>) -> Option<ResourceId> {
    let by_subnet = subnets.known.iter().find_map(|id| account.subnets.get(id)?.vpc.clone());
    let groups = groups.and_then(Known::known);
    by_subnet.or_else(|| groups.into_iter().flatten().find_map(|id| account.groups.get(id)?.vpc.clone()))
}

/// The groups of an interface that names none, where no source has the default group of its VPC.
pub(super) fn no_default_group() -> Groups {
    Known::Unknown("it names no group, and no source has the default group of its VPC".to_owned())
}

/// The groups of a network load balancer that names none.
pub(super) fn unfiltered() -> Groups {
    Known::Unknown("a network load balancer without groups filters nothing".to_owned())
}

/// A rule of which nothing is known.
pub(super) fn unknown_rule(why: &str, origin: &Origin) -> Rule {
    let (traffic, peer) = (Known::Unknown(why.to_owned()), Peer::Unknown(why.to_owned()));
    Rule { traffic, peer, description: None, origin: origin.clone() }
}

/// A rule for all traffic.
pub(super) fn all_traffic(peer: Peer, origin: &Origin) -> Rule {
    Rule { traffic: Known::Is(Traffic::All), peer, description: None, origin: origin.clone() }
}
