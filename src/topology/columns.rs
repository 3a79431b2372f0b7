//! The columns of the exhaustive table: every service that a file has something to say about, and one more.

use std::collections::{BTreeMap, BTreeSet};

use super::checked::Topology;
use super::patterns::{Egress, OpenCells};
use super::steps::{Action, Step};
use super::table_columns::{Columns, IcmpFamily};
use crate::model::protocol::EXTENSION_HEADERS;
use crate::model::{
    Cloud, Direction, Era, GroupName, IcmpMatch, IcmpMessage, Operation, Peer, PeerRequest, Port, PortRange, Service,
    Traffic, Via,
};

/// First port tried in the search for one that nothing names.
const FREE_PORT: u16 = 8080;

/// Types of which one stands for those that nothing names, where a rule admits all of a family: requests that connection tracking knows, so that a
/// gateway translates them, and first those that no kernel answers.
const FREE_MESSAGES: [(Traffic, IcmpFamily, &[u8]); 2] = [
    (Traffic::Icmp(IcmpMatch::All), IcmpFamily::Ipv4, &[15, 17, 13]),
    (Traffic::Icmpv6(IcmpMatch::All), IcmpFamily::Ipv6, &[139, 200, 201]),
];
/// First protocol tried in the search for one that nothing names: it is for experiments (RFC 3692).
const FREE_PROTOCOL: u8 = 253;

/// Services by number: tcp, then udp, then ping, then protocols.
///
/// Ports that a rule, listener, table or expectation of any step names; the edges of real ranges and their outside
/// neighbours; a TCP port that nothing names, and where an ingress rule is so wide that it admits such, also a UDP port and a
/// protocol; ICMP echo, and what other messages rules name. `extra` are the `ports:` of the tables: they only ever add.
pub(super) fn columns(topology: &Topology, extra: &[Service]) -> Columns {
    let mut named = Named::default();
    let steps = topology.steps.iter().flat_map(Step::operations);
    // Without hosts as receivers nothing shows what goes out but what comes in somewhere.
    let asks_hosts = asks_hosts(topology);
    if asks_hosts && lets_everything_out(topology) {
        named.note_wide(Traffic::All);
    }
    for operation in topology.initial.iter().chain(steps) {
        operation.value.permissions().iter().for_each(|rule| named.rule(rule.traffic));
        let added = operation.value.added_rules().filter(|edit| edit.at == Direction::Ingress || asks_hosts);
        let rules = added.map(|edit| edit.permissions).unwrap_or_default();
        rules.iter().for_each(|rule| named.note_wide(rule.traffic));
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
    named.services.extend(expected.map(|pattern| pattern.service).chain(open.filter_map(OpenCells::service)));
    // It admits everything from itself.
    if !topology.default_groups.is_empty() {
        named.note_wide(Traffic::All);
    }

    named.columns(extra)
}

/// Tells whether some table asks hosts, which takes an era with rules for what goes out.
pub(super) fn asks_hosts(topology: &Topology) -> bool {
    topology.eras.contains(&Era::Vpc) && topology.tables.values().any(|table| !table.egress.is_empty())
}

/// Tells whether some group keeps what it is born with, which lets everything out.
fn lets_everything_out(topology: &Topology) -> bool {
    // What a file lists in place of it is revoked where the group is made; whoever revokes it later has let everything out until then.
    let keeps = |operations: &[&Operation]| {
        let is_everywhere =
            |peer: &PeerRequest| matches!(peer, PeerRequest::Peer(Peer::Cidr(block)) if block.prefix_len() == 0);
        let revoked = |name: &GroupName| {
            operations.iter().any(|it| {
                matches!(it, Operation::RevokeEgress(group, rules) if group == name
                    && rules.iter().any(|rule| rule.traffic == Traffic::All && rule.peers.iter().any(|(peer, _)| is_everywhere(peer))))
            })
        };
        let mut made = operations
            .iter()
            .filter_map(|it| if let Operation::CreateGroup(group) = it { Some(&group.name) } else { None });
        made.any(|name| !revoked(name))
    };
    let initial: Vec<&Operation> = topology.initial.iter().map(|placed| &placed.value).collect();
    let later = |step: &Step| keeps(&step.operations().map(|placed| &placed.value).collect::<Vec<_>>());
    !topology.default_groups.is_empty() || keeps(&initial) || topology.steps.iter().any(later)
}

/// The same for a cloud that runs, whose hosts may be receivers: what its rules and listeners have to say something about.
pub fn columns_of(cloud: &Cloud, egress: &Egress) -> Columns {
    let mut named = Named::default();
    for group in cloud.groups.values() {
        group.all_rules().for_each(|rule| named.rule(rule.traffic));
        let out = if egress.is_empty() { &[] } else { group.egress.as_slice() };
        group.ingress.iter().chain(out).for_each(|rule| named.note_wide(rule.traffic));
    }
    named.services.extend(cloud.instances.values().flat_map(|instance| &instance.listens));
    let processes = cloud.instances.values().flat_map(|instance| instance.processes.values());
    named.services.extend(processes.filter_map(|process| process.port));
    named.columns(&[])
}

#[derive(Default)]
struct Named {
    services: BTreeSet<Service>,
    /// TCP ranges, except for all ports: what covers everything leaves nothing that is not covered.
    ranges: BTreeSet<PortRange>,
    /// The same of UDP.
    udp_ranges: BTreeSet<PortRange>,
    /// Traffic of rules that admit what no rule names.
    wide: Vec<Traffic>,
    /// ICMP messages that rules name, with the families of these.
    messages: BTreeMap<Service, BTreeSet<IcmpFamily>>,
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
            Traffic::Udp(range) => {
                if range != PortRange::ALL {
                    self.udp_ranges.insert(range);
                }
                (range, Service::Udp)
            }
            Traffic::Protocol(number) => {
                let service = Service::Protocol(number);
                self.services.extend(service.unprobeable(Via::Private).is_none().then_some(service));
                return;
            }
            Traffic::Icmp(matched) => return self.message(matched, IcmpFamily::Ipv4),
            Traffic::Icmpv6(matched) => return self.message(matched, IcmpFamily::Ipv6),
            Traffic::All => return,
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

    /// Of a type with every code the first code is a column.
    fn message(&mut self, matched: IcmpMatch, family: IcmpFamily) {
        let (kind, code) = match matched {
            IcmpMatch::All => return,
            IcmpMatch::Type(kind) => (kind, 0),
            IcmpMatch::TypeAndCode(kind, code) => (kind, code),
        };
        if (kind, code) != (family.echo(), 0) {
            self.messages.entry(Service::Icmp(IcmpMessage { kind, code })).or_default().insert(family);
        }
    }

    /// Notes a rule so wide that it admits services that nothing names.
    fn note_wide(&mut self, traffic: Traffic) {
        let is_wide = matches!(
            traffic,
            Traffic::All
                | Traffic::Udp(PortRange::ALL)
                | Traffic::Icmp(IcmpMatch::All)
                | Traffic::Icmpv6(IcmpMatch::All)
        );
        if is_wide && !self.wide.contains(&traffic) {
            self.wide.push(traffic);
        }
    }

    /// Returns the columns: with the services named by hand, a port that nothing names, and ping.
    fn columns(mut self, extra: &[Service]) -> Columns {
        let free = free_port(extra, Service::Tcp, |port| self.names(Service::Tcp(port), &self.ranges));
        let udp = || free_port(extra, Service::Udp, |port| self.names(Service::Udp(port), &self.udp_ranges));
        let has_wide_udp = self.wide.iter().any(|it| matches!(it, Traffic::All | Traffic::Udp(_)));
        let free_udp = if has_wide_udp { udp() } else { None };
        let protocols = (FREE_PROTOCOL..=254).chain((2..FREE_PROTOCOL).rev()).filter(|number| {
            // Those that have names of their own, and what is none over IPv6.
            ![6, 17, 58, 59].contains(number) && !EXTENSION_HEADERS.contains(number)
        });
        let mut unnamed = protocols.map(Service::Protocol).filter(|service| !self.services.contains(service));
        let free_protocol = if self.wide.contains(&Traffic::All) { unnamed.next() } else { None };
        for (_, family, kinds) in FREE_MESSAGES.into_iter().filter(|(traffic, ..)| self.wide.contains(traffic)) {
            let mut services = kinds.iter().map(|&kind| Service::Icmp(IcmpMessage { kind, code: 0 }));
            let is_named = |service: &Service| self.messages.contains_key(service) || extra.contains(service);
            if let Some(free) = services.find(|service| !is_named(service)) {
                self.messages.entry(free).or_default().insert(family);
            }
        }
        let mut columns = self.services;
        columns.extend(extra);
        columns.extend(free.into_iter().chain(free_udp).chain(free_protocol));
        columns.insert(Service::IcmpEcho);
        // One that is named by hand is asked by whatever address it is asked.
        let one = |families: &BTreeSet<IcmpFamily>| families.first().filter(|_| families.len() == 1).copied();
        let of_one_family = self.messages.iter().filter(|(service, _)| !columns.contains(*service));
        let of_one_family = of_one_family.filter_map(|(service, families)| Some((*service, one(families)?))).collect();
        columns.extend(self.messages.into_keys());
        Columns::new(columns.into_iter().collect(), of_one_family)
    }

    fn names(&self, service: Service, ranges: &BTreeSet<PortRange>) -> bool {
        let port = match service {
            Service::Tcp(port) | Service::Udp(port) => port,
            Service::IcmpEcho | Service::Icmp(_) | Service::Protocol(_) => return self.services.contains(&service),
        };
        self.services.contains(&service) || ranges.iter().any(|range| range.contains(port))
    }
}

/// A port that nothing names: one of `extra`, or the first from [`FREE_PORT`] on.
fn free_port(extra: &[Service], make: fn(Port) -> Service, named: impl Fn(Port) -> bool) -> Option<Service> {
    let of_extra = extra.iter().copied().find(|service| match service {
        Service::Tcp(port) | Service::Udp(port) => make(*port) == *service && !named(*port),
        Service::IcmpEcho | Service::Icmp(_) | Service::Protocol(_) => false,
    });
    let all = (FREE_PORT..=u16::MAX).chain(1..FREE_PORT).map(Port);
    of_extra.or_else(|| all.into_iter().find(|port| !named(*port)).map(make))
}
