//! The columns of the exhaustive table: every service that a file has something to say about, and one more.

use std::collections::BTreeSet;

use indexmap::IndexSet;

use super::checked::Topology;
use super::steps::{Action, Step};
use crate::model::{Cloud, Port, PortRange, Service, Traffic, Via};

/// First port tried in the search for one that nothing names.
const FREE_PORT: u16 = 8080;

/// Services by number: tcp, then udp, then ping.
///
/// Ports that a rule, listener, table or expectation of any step names; the edges of real ranges and their outside
/// neighbours; a TCP port that nothing names; ICMP echo. `extra` are the `ports:` of the tables: they only ever add.
pub(super) fn columns(topology: &Topology, extra: &[Service]) -> IndexSet<Service> {
    let mut named = Named::default();
    let steps = topology.steps.iter().flat_map(Step::operations);
    for operation in topology.initial.iter().chain(steps) {
        operation.value.permissions().iter().for_each(|rule| named.rule(rule.traffic));
        named.services.extend(operation.value.services());
    }
    let expectations = topology.steps.iter().flat_map(|step| &step.expectations);
    let expected = expectations.flat_map(|expectation| expectation.value.flows());
    for action in topology.steps.iter().flat_map(|step| &step.actions) {
        if let Action::Open(opening) = action {
            let flow = &opening.value.flow;
            named.services.insert(flow.service);
            if flow.both_ways {
                named.services.insert(flow.back());
            }
        }
    }
    let during = topology.steps.iter().flat_map(|step| &step.during);
    named.services.extend(during.map(|pattern| pattern.service));
    let open = topology.tables.values().flat_map(|table| &table.open);
    named.services.extend(expected.chain(open).map(|pattern| pattern.service));

    named.columns(extra)
}

/// The same for a cloud that runs: what its rules and listeners have to say something about.
pub fn columns_of(cloud: &Cloud) -> IndexSet<Service> {
    let mut named = Named::default();
    for group in cloud.groups.values() {
        group.ingress.iter().chain(&group.egress).for_each(|rule| named.rule(rule.traffic));
    }
    named.services.extend(cloud.instances.values().flat_map(|instance| &instance.listens));
    let daemons = cloud.instances.values().flat_map(|instance| instance.daemons.values());
    named.services.extend(daemons.filter_map(|daemon| daemon.port));
    named.columns(&[])
}

#[derive(Default)]
struct Named {
    services: BTreeSet<Service>,
    /// TCP ranges, except for all ports: what covers everything leaves nothing that is not covered.
    ranges: BTreeSet<PortRange>,
}

impl Named {
    fn rule(&mut self, traffic: Traffic) {
        let (range, make): (PortRange, fn(Port) -> Service) = match traffic {
            Traffic::Tcp(range) => {
                if range != PortRange::ALL {
                    self.ranges.insert(range);
                }
                (range, Service::Tcp)
            }
            Traffic::Udp(range) => (range, Service::Udp),
            Traffic::Protocol(number) => {
                let service = Service::Protocol(number);
                self.services.extend(service.unprobeable(Via::Private).is_none().then_some(service));
                return;
            }
            Traffic::Icmp(_) | Traffic::Icmpv6(_) | Traffic::All => return,
        };
        let (from, to) = (range.from().0, range.to().0);
        let mut ports = vec![from.max(1), to];
        if !range.is_single() {
            ports.push(from.saturating_sub(1));
            ports.push(to.saturating_add(1));
        }
        // Port 0 cannot be asked for: port 1 stands for the lower edge of a range that begins there.
        self.services.extend(ports.into_iter().filter(|port| *port != 0 && to != 0).map(|port| make(Port(port))));
    }

    /// Returns the columns: with the services named by hand, a port that nothing names, and ping.
    fn columns(self, extra: &[Service]) -> IndexSet<Service> {
        let serves = |service: &&Service| matches!(service, Service::Tcp(port) if !self.names(*port));
        let free = match extra.iter().find(serves) {
            Some(service) => Some(*service),
            None => {
                (FREE_PORT..=u16::MAX).chain(1..FREE_PORT).map(Port).find(|port| !self.names(*port)).map(Service::Tcp)
            }
        };
        let mut columns = self.services;
        columns.extend(extra);
        columns.extend(free);
        columns.insert(Service::IcmpEcho);
        columns.into_iter().collect()
    }

    fn names(&self, port: Port) -> bool {
        self.services.contains(&Service::Tcp(port))
            || self.ranges.iter().any(|range| range.from() <= port && port <= range.to())
    }
}
