//! The exhaustive grid: its rows, columns and cells.

use std::net::IpAddr;

use indexmap::IndexSet;

use super::ends::{has_ipv6, has_name, has_public, has_secondary, hosts, inside, via_of, vpc_of};
use crate::model::{Cloud, Endpoint, Flow, Scheme, Service, Via};
use crate::topology::{Columns, Egress};

/// The columns of a grid: those that some row of it can ask for.
pub fn columns_of(columns: &Columns, senders: &[(Endpoint, Option<Via>)]) -> Vec<Service> {
    // The usual address is one of IPv4.
    let can =
        |service: &Service| senders.iter().any(|(_, via)| columns.are_asked(*service, via.unwrap_or(Via::Private)));
    columns.iter().copied().filter(can).collect()
}

/// Extent of a grid beside its columns.
#[derive(Clone, Debug, Default)]
pub struct Extent {
    /// Addresses by which instances reach each other: a row each. Nothing stands for the usual one.
    pub vias: IndexSet<Option<Via>>,
    /// Hosts that are receivers.
    pub egress: Egress,
}

impl From<IndexSet<Option<Via>>> for Extent {
    fn from(vias: IndexSet<Option<Via>>) -> Self {
        Self { vias, egress: Egress::default() }
    }
}

impl Extent {
    /// Returns true if there is no grid.
    pub fn is_empty(&self) -> bool {
        self.vias.is_empty()
    }

    /// Every cell; docs/topology.md, "Tables", says which these are.
    pub fn grid<'a>(&self, cloud: &'a Cloud, columns: &'a Columns) -> impl Iterator<Item = Flow> + use<'a> {
        let receivers = self.receivers(cloud);
        senders(cloud, &self.vias).into_iter().flat_map(move |(from, via)| {
            let paths = receivers.iter().filter_map(|to| Some((path(cloud, &from, to, via)?, to.clone())));
            let paths: Vec<_> = paths.collect();
            paths.into_iter().flat_map(move |(via, to)| {
                let from = from.clone();
                columns.by(via).map(move |service| Flow { from: from.clone(), to: to.clone(), via, service })
            })
        })
    }

    /// Every receiver, in its order.
    pub fn receivers(&self, cloud: &Cloud) -> Vec<Endpoint> {
        let asked =
            hosts(cloud).into_iter().filter(|host| matches!(host, Endpoint::Host(name, _) if self.egress.has(name)));
        inside(cloud).chain(asked).collect()
    }
}

/// The grid of what is inside.
pub fn grid<'a>(
    cloud: &'a Cloud,
    columns: &'a Columns,
    vias: &IndexSet<Option<Via>>,
) -> impl Iterator<Item = Flow> + use<'a> {
    Extent::from(vias.clone()).grid(cloud, columns)
}

/// Every row of the grid, in its order, with what is said of the address.
pub fn senders(cloud: &Cloud, vias: &IndexSet<Option<Via>>) -> Vec<(Endpoint, Option<Via>)> {
    let hosts = hosts(cloud).into_iter().map(|host| {
        let via = via_of(&host).unwrap_or(Via::Public);
        (host, Some(via))
    });
    let instances = vias.iter().flat_map(|&via| inside(cloud).map(move |end| (end, via)));
    hosts.chain(instances).collect()
}

/// The address by which a receiver of a block of a grid is reached; nothing where the grid has no such block.
///
/// Instances of different VPCs have no private path, also where the name of an internal load balancer means one. What an instance sends to another interface of its own never leaves it.
pub fn path(cloud: &Cloud, from: &Endpoint, to: &Endpoint, said: Option<Via>) -> Option<Via> {
    let Some(receiver) = to.interface() else {
        // A host has one address, whatever is said of those of instances.
        let (from, via) = (from.interface()?, via_of(to)?);
        return (via == Via::Public || has_ipv6(cloud, &from)).then_some(via);
    };
    let via = said.unwrap_or_else(|| to.usual_via());
    let has = match (from.interface(), via) {
        (None, Via::Ipv6) => has_ipv6(cloud, &receiver),
        (None, Via::Secondary(address)) => via.is_ipv6() && has_secondary(cloud, &receiver, address),
        (None, _) => has_public(cloud, &receiver),
        (Some(from), _) if from.holder() == receiver.holder() => false,
        (Some(_), Via::Public) => has_public(cloud, &receiver),
        (Some(from), Via::Dns) if is_internal(to) => vpc_of(cloud, &from) == vpc_of(cloud, &receiver),
        (Some(_), Via::Dns) => has_name(cloud, &receiver),
        (Some(from), Via::Private) => vpc_of(cloud, &from) == vpc_of(cloud, &receiver),
        (Some(from), Via::Secondary(address)) => {
            let leads_there = match address {
                IpAddr::V4(_) => vpc_of(cloud, &from) == vpc_of(cloud, &receiver),
                IpAddr::V6(_) => has_ipv6(cloud, &from),
            };
            leads_there && has_secondary(cloud, &receiver, address)
        }
        (Some(from), Via::Ipv6) => has_ipv6(cloud, &from) && has_ipv6(cloud, &receiver),
    };
    has.then_some(via)
}

fn is_internal(end: &Endpoint) -> bool {
    matches!(end, Endpoint::LoadBalancer(_, Scheme::Internal))
}
