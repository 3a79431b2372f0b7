//! The route tables of subnets: routing tables of the router, chosen by where a packet comes in.

use indexmap::IndexSet;

use super::super::names;
use super::{Builder, CANARY_INDEX, by};
use crate::model::{Interface, SubnetRoute, Vpc, VpcName};
use crate::network::{NodeName, Selected, Table, Way};

/// The number of a router's first table, behind those that the kernel keeps for itself: a VPC has more subnets than there are numbers before.
const FIRST_TABLE: u32 = 256;

impl Builder {
    /// The route tables of subnets: packets from their interfaces go by a table of the subnet. The block of the VPC is in it as
    /// a way back to the main table, so that only what is longer takes precedence over the local route.
    pub(super) fn subnet_routes(&mut self, name: &VpcName, vpc: &Vpc, attached: &[&Interface]) {
        let router = names::router(name);
        let mut tables = (FIRST_TABLE..).map(Table);
        for ((subnet, _), table) in vpc.subnets.iter().zip(&mut tables) {
            let Some(routes) = vpc.routes.get(subnet) else { continue };
            self.subnet_table(&router, vpc, routes, (table, None), attached);
            let targets: IndexSet<_> = routes.iter().map(|route| &route.target).collect();
            for interface in
                attached.iter().filter(|i| i.subnet == *subnet && !targets.iter().any(|target| **target == i.id))
            {
                self.policy(&router, Selected::From(names::port(&interface.id, interface.number)), table);
            }
        }
        // Who is the next hop of its own subnet has a table of its own, and the same one as long as the VPC lives.
        for (subnet, routes) in &vpc.routes {
            let targets: IndexSet<_> = routes.iter().map(|route| &route.target).collect();
            for (target, table) in targets.into_iter().zip(&mut tables) {
                let itself = attached.iter().find(|i| *target == i.id && i.subnet == *subnet);
                let Some(interface) = itself else { continue };
                self.subnet_table(&router, vpc, routes, (table, Some(interface)), attached);
                self.policy(&router, Selected::From(names::port(&interface.id, interface.number)), table);
            }
        }
    }

    /// The routes of a subnet in a table: that of all its interfaces, or of `itself`, which a route must not lead back to.
    fn subnet_table(
        &mut self,
        router: &NodeName,
        vpc: &Vpc,
        routes: &[SubnetRoute],
        (table, itself): (Table, Option<&Interface>),
        attached: &[&Interface],
    ) {
        if routes.is_empty() {
            return;
        }
        self.route_in(table, router, vpc.cidr.trunc(), Way::Main);
        for route in routes {
            let target = attached.iter().find(|interface| route.target == interface.id);
            let target = target.filter(|target| itself.is_none_or(|itself| itself.id != target.id));
            let way = match target.and_then(|target| Some((target, target.private?))) {
                Some((target, private)) => by(names::port_index(target.number), private.0),
                // What leads nowhere, or back to its sender, is dropped, on record, on the way to the canary.
                None => by(CANARY_INDEX, names::CANARY_ADDRESS),
            };
            self.route_in(table, router, route.destination, way);
        }
    }
}
