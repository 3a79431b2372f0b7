//! The exhaustive grid: its rows, columns and cells.

use indexmap::IndexSet;

use super::ends::{has_ipv6, has_name, has_public, hosts, inside, via_of, vpc_of};
use crate::model::{Cloud, Endpoint, Flow, Service, Via};
use crate::topology::Columns;

/// The columns of a grid: those that some row of it can ask for.
pub fn columns_of(columns: &Columns, senders: &[(Endpoint, Option<Via>)]) -> Vec<Service> {
    // The usual address is one of IPv4.
    let can =
        |service: &Service| senders.iter().any(|(_, via)| columns.are_asked(*service, via.unwrap_or(Via::Private)));
    columns.iter().copied().filter(can).collect()
}

/// Every cell of the grid: every outside address and every interface of every running instance, to every interface of the others.
///
/// Hosts go by public address always, instances by each of `vias`; by the usual address where one says nothing. What no probe can
/// ask for is no cell.
pub fn grid<'a>(
    cloud: &'a Cloud,
    columns: &'a Columns,
    vias: &'a IndexSet<Option<Via>>,
) -> impl Iterator<Item = Flow> + 'a {
    senders(cloud, vias).into_iter().flat_map(move |(from, via)| {
        let paths: Vec<_> =
            receivers(cloud).into_iter().filter_map(|to| Some((path(cloud, &from, &to, via)?, to))).collect();
        paths.into_iter().flat_map(move |(via, to)| {
            let from = from.clone();
            columns.by(via).map(move |service| Flow { from: from.clone(), to: to.clone(), via, service })
        })
    })
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

/// Every receiver of the grid, in its order.
pub fn receivers(cloud: &Cloud) -> Vec<Endpoint> {
    inside(cloud).collect()
}

/// The address by which a receiver of a block of a grid is reached; nothing where the grid has no such block.
///
/// Instances of different VPCs have no private path. What an instance sends to another interface of its own never leaves it.
pub fn path(cloud: &Cloud, from: &Endpoint, to: &Endpoint, said: Option<Via>) -> Option<Via> {
    let receiver = to.interface()?;
    let via = said.unwrap_or_else(|| to.usual_via());
    let has = match (from.interface(), via) {
        (None, Via::Ipv6) => has_ipv6(cloud, &receiver),
        (None, _) => has_public(cloud, &receiver),
        (Some(from), _) if from.instance == receiver.instance => false,
        (Some(_), Via::Public) => has_public(cloud, &receiver),
        (Some(_), Via::Dns) => has_name(cloud, &receiver),
        (Some(from), Via::Private) => vpc_of(cloud, &from) == vpc_of(cloud, &receiver),
        (Some(from), Via::Ipv6) => has_ipv6(cloud, &from) && has_ipv6(cloud, &receiver),
    };
    has.then_some(via)
}
