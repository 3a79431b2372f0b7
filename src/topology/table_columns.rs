//! Columns of tables, and which cells ask for them.

use std::collections::BTreeMap;
use std::ops::Deref;

use indexmap::IndexSet;

use crate::model::{Service, Via};

/// The columns of tables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Columns {
    services: IndexSet<Service>,
    /// Messages that nothing names but rules of one family: they are no column of the other, whose types are others.
    of_one_family: BTreeMap<Service, IcmpFamily>,
}

impl Columns {
    pub(super) fn new(services: IndexSet<Service>, of_one_family: BTreeMap<Service, IcmpFamily>) -> Self {
        Self { services, of_one_family }
    }

    /// Returns true if a cell of this address asks for this column.
    pub fn are_asked(&self, service: Service, via: Via) -> bool {
        service.unprobeable(via).is_none() && self.of_one_family.get(&service).is_none_or(|family| family.has(via))
    }

    /// The columns that cells of this address ask for.
    pub fn by(&self, via: Via) -> impl Iterator<Item = Service> + '_ {
        self.services.iter().copied().filter(move |service| self.are_asked(*service, via))
    }
}

impl From<IndexSet<Service>> for Columns {
    fn from(services: IndexSet<Service>) -> Self {
        Self { services, of_one_family: BTreeMap::new() }
    }
}

impl Deref for Columns {
    type Target = IndexSet<Service>;

    fn deref(&self) -> &Self::Target {
        &self.services
    }
}

/// Family of an ICMP message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum IcmpFamily {
    /// ICMP.
    Ipv4,
    /// ICMPv6.
    Ipv6,
}

impl IcmpFamily {
    fn has(self, via: Via) -> bool {
        via.is_ipv6() == (self == Self::Ipv6)
    }

    /// The type of a ping.
    pub(super) fn echo(self) -> u8 {
        match self {
            Self::Ipv4 => 8,
            Self::Ipv6 => 128,
        }
    }
}
