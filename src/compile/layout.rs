//! Namespaces, links and routes of a cloud.

mod checks;
mod route_tables;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use indexmap::{IndexMap, IndexSet};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::error::CompileError;
use super::members::Members;
use super::names::{self, Wire};
use super::{filter, icmp_errors, services, translation};
use crate::model::{
    Cloud, Forwarding, Host, HostName, InstanceState, Interface, Mtu, PrivateIp, TrackingTimeouts, Vpc, VpcName,
    service_addresses,
};
use crate::network::nft::Ruleset;
use crate::network::{
    End, Families, Limit, Link, Network, Node, NodeKind, NodeName, Policy, Route, Selected, Table, Timeouts, Way,
};

/// Compiles a cloud: every namespace, link, route and ruleset that stands for it.
///
/// # Errors
/// A cloud that no network stands for, such as a rule that names an unknown group.
pub fn network(cloud: &Cloud) -> Result<Network, CompileError> {
    checks::names(cloud)?;
    checks::numbers(cloud)?;
    let mut builder = Builder { network: Network::default(), inside: Mtu::inside(cloud.era) };
    let mut bound: Vec<(String, IpNet)> = Vec::new();
    let timeouts = timeouts(&cloud.tracking);
    let anywhere = families(cloud.vpcs.values().any(|vpc| vpc.ipv6.is_some()));
    builder.node(names::internet(), NodeKind::Internet, anywhere, None)?;
    builder.internet_routes(cloud);
    let members = Members::of(cloud);
    for (number, (name, vpc)) in (1..).zip(&cloud.vpcs) {
        let attached = attached(cloud, name);
        let pairs: Vec<_> = attached.iter().filter_map(|i| Some((i.private?, i.public?))).collect();
        let speaks = families(vpc.ipv6.is_some());
        let filter = filter::ruleset((cloud, &members), (name, vpc), &attached, timeouts)?;
        builder.node(names::router(name), NodeKind::Router, speaks, Some(filter))?;
        let translation = translation::gateway(
            &pairs,
            vpc.ipv6,
            &icmp_errors::addresses(&attached),
            names::gateway_outside_address(number),
        );
        builder.node(names::gateway(name), NodeKind::Gateway, speaks, Some(translation))?;
        builder.vpc(cloud, name, vpc, number);
        // From its own address a gateway sends errors only.
        let own = std::iter::once(names::gateway_outside_address(number).into())
            .chain(vpc.ipv6.map(|_| IpAddr::V6(names::gateway_ipv6(number))));
        bound.extend(own.map(|address: IpAddr| (names::gateway_port(name, number), address.into())));
        let ipv6 = attached.iter().flat_map(|interface| interface.ipv6_blocks()).map(IpNet::V6);
        let publics = pairs.iter().map(|(_, public)| IpNet::from(IpAddr::V4(public.0)));
        let outside: Vec<IpNet> = publics.chain(ipv6).collect();
        builder.public_addresses(number, &outside);
        bound.extend(outside.into_iter().map(|address| (names::gateway_port(name, number), address)));
        builder.canary(name, number)?;
        for interface in &attached {
            builder.interface(cloud, interface, speaks)?;
        }
        builder.subnet_routes(name, vpc, &attached);
    }
    for (number, (name, host)) in (1..).zip(&cloud.hosts) {
        builder.host(name, host, number, anywhere)?;
        let port = names::host_port(name.as_str(), number);
        bound.extend(host_addresses(host, anywhere).into_iter().map(|address| (port.clone(), address.into())));
    }
    if let Some(internet) = builder.network.nodes.get_mut(&names::internet()) {
        internet.ruleset = Some(translation::internet(&bound, anywhere));
    }
    builder.check_ports()?;
    builder.network.timeouts = timeouts;
    Ok(builder.network)
}

/// Rounded up: a flow is never forgotten before its time.
fn timeouts(tracking: &TrackingTimeouts) -> Timeouts {
    let scaled = |seconds: u32| seconds.div_ceil(tracking.clock_factor.max(1)).max(1);
    Timeouts {
        tcp_established: scaled(tracking.tcp_established),
        udp: scaled(tracking.udp),
        udp_stream: scaled(tracking.udp_stream),
        icmp: scaled(tracking.icmp),
        other: scaled(tracking.other),
    }
}

fn families(ipv6: bool) -> Families {
    if ipv6 { Families::Both } else { Families::Ipv4 }
}

/// The addresses of a host that the lab speaks the family of.
fn host_addresses(host: &Host, families: Families) -> Vec<IpAddr> {
    let spoken = |address: &IpAddr| families == Families::Both || address.is_ipv4();
    host.addresses.iter().map(|address| address.0).filter(spoken).collect()
}

/// The text of every ruleset of a cloud, with a comment above each that names its namespace.
///
/// # Errors
/// As [`network`].
pub fn render(cloud: &Cloud) -> Result<String, CompileError> {
    let network = network(cloud)?;
    let texts = network.nodes.iter().filter_map(|(name, node)| {
        let ruleset = node.ruleset.as_ref()?;
        Some(format!("# namespace {name}\n{ruleset}"))
    });
    Ok(texts.collect::<Vec<_>>().join("\n"))
}

/// The interfaces of a VPC that have a link: those that hold an address and are not stopped. A crashed instance that
/// keeps its address keeps its link, without an address of its own: what arrives there is answered by nobody.
fn attached<'a>(cloud: &'a Cloud, vpc: &VpcName) -> Vec<&'a Interface> {
    let up = |i: &&Interface| cloud.state_of(&i.id).is_some_and(|state| state != InstanceState::Stopped);
    cloud.network_interfaces().filter(up).filter(|i| i.vpc == *vpc && i.private.is_some()).collect()
}

fn is_answering(cloud: &Cloud, interface: &Interface) -> bool {
    cloud.state_of(&interface.id) == Some(InstanceState::Running)
}

struct Builder {
    network: Network,
    /// Of the links of VPCs.
    inside: Mtu,
}

/// One side of a link being made.
struct Side<'a> {
    node: &'a NodeName,
    interface: &'a str,
    index: u32,
    mtu: Mtu,
    addresses: Vec<IpAddr>,
    /// Addresses of the other side.
    neighbours: Vec<IpAddr>,
}

impl Builder {
    fn node(
        &mut self,
        name: NodeName,
        kind: NodeKind,
        families: Families,
        ruleset: Option<Ruleset>,
    ) -> Result<(), CompileError> {
        if self.network.nodes.contains_key(&name) {
            return Err(CompileError::Taken { what: "the namespace", name: name.0 });
        }
        let (routes, policies) = (IndexSet::new(), IndexSet::new());
        self.network.nodes.insert(name, Node { kind, families, routes, policies, ruleset });
        Ok(())
    }

    fn route(&mut self, node: &NodeName, destination: impl Into<IpNet>, way: Way) {
        self.route_in(Table::default(), node, destination, way);
    }

    fn route_in(&mut self, table: Table, node: &NodeName, destination: impl Into<IpNet>, way: Way) {
        let destination = destination.into();
        if let Some(node) = self.network.nodes.get_mut(node) {
            node.routes.insert(Route { table, destination, way, limit: None });
        }
    }

    /// A route that takes less than its link.
    fn limited_route(&mut self, node: &NodeName, destination: impl Into<IpNet>, way: Way, limit: Limit) {
        let (table, destination) = (Table::default(), destination.into());
        let limit = Some(limit).filter(|limit| limit.mtu < limit.interface);
        if let Some(node) = self.network.nodes.get_mut(node) {
            node.routes.insert(Route { table, destination, way, limit });
        }
    }

    fn policy(&mut self, node: &NodeName, of: Selected, table: Table) {
        if let Some(node) = self.network.nodes.get_mut(node) {
            node.policies.insert(Policy { of, table });
        }
    }

    fn link(&mut self, (wire, number): (Wire, u32), upper: &Side<'_>, lower: &Side<'_>) {
        let (upper_mac, lower_mac) = names::macs(wire, number);
        let end = |side: &Side<'_>, mac, other: [u8; 6]| End {
            node: side.node.clone(),
            interface: side.interface.to_owned(),
            index: side.index,
            mtu: side.mtu,
            mac,
            addresses: side.addresses.iter().copied().collect(),
            neighbours: side.neighbours.iter().map(|address| (*address, other)).collect::<IndexMap<_, _>>(),
        };
        let link = Link { upper: end(upper, upper_mac, lower_mac), lower: end(lower, lower_mac, upper_mac) };
        self.network.links.insert(names::link(lower.node, lower.interface), link);
    }

    /// Adds the internet's routes for what nobody holds: it is nobody's, and the sender is told.
    fn internet_routes(&mut self, cloud: &Cloud) {
        self.route(&names::internet(), cloud.public_pool, Way::Unreachable);
        self.route(&names::internet(), EVERYWHERE, Way::Unreachable);
        if cloud.vpcs.values().any(|vpc| vpc.ipv6.is_some()) {
            self.route(&names::internet(), EVERYWHERE_IPV6, Way::Unreachable);
        }
    }

    /// The links and routes between a VPC's router, its gateway and the internet.
    fn vpc(&mut self, cloud: &Cloud, name: &VpcName, vpc: &Vpc, number: u32) {
        let (router, gateway, internet) = (names::router(name), names::gateway(name), names::internet());
        // The first address of a VPC is its router's.
        let router_ipv6 = vpc.ipv6.map(|block| IpAddr::V6(names::router_ipv6(block)));
        let next = vpc.ipv6.map(|_| IpAddr::V6(names::NEXT_HOP_IPV6));
        let back = vpc.ipv6.map(|_| IpAddr::V6(names::BACK_HOP_IPV6));
        let services = service_addresses(cloud.era, vpc).into_iter().map(|(_, address)| address);
        let internet_ipv6 = vpc.ipv6.map(|_| IpAddr::V6(names::INTERNET_ADDRESS_IPV6));
        let both = |four: Ipv4Addr, six: Option<IpAddr>| std::iter::once(four.into()).chain(six).collect::<Vec<_>>();
        self.link(
            (Wire::Gateway, number),
            &Side {
                node: &gateway,
                interface: names::GATEWAY_INSIDE,
                index: 2,
                mtu: self.inside,
                addresses: both(names::GATEWAY_ADDRESS, vpc.ipv6.map(|_| names::gateway_ipv6(number).into())),
                neighbours: both(names::ROUTER_ADDRESS, back),
            },
            &Side {
                node: &router,
                interface: names::GW,
                index: 2,
                mtu: self.inside,
                // The first is the one that the router speaks from.
                addresses: both(names::ROUTER_ADDRESS, router_ipv6).into_iter().chain(services).collect(),
                neighbours: both(names::GATEWAY_ADDRESS, next),
            },
        );
        self.link(
            (Wire::Internet, number),
            &Side {
                node: &internet,
                interface: &names::gateway_port(name, number),
                index: gateway_port_index(number),
                mtu: Mtu::ETHERNET,
                addresses: both(names::INTERNET_ADDRESS, internet_ipv6)
                    .into_iter()
                    .chain([services::OUTSIDE_RESOLVER.into()])
                    .collect(),
                neighbours: both(names::gateway_outside_address(number), back),
            },
            &Side {
                node: &gateway,
                interface: names::GATEWAY_OUTSIDE,
                index: 3,
                mtu: Mtu::ETHERNET,
                addresses: vec![names::gateway_outside_address(number).into()],
                neighbours: both(names::INTERNET_ADDRESS, next),
            },
        );
        self.route(&router, vpc.cidr.trunc(), Way::Unreachable);
        self.route(&router, EVERYWHERE, by(2, names::GATEWAY_ADDRESS));
        // A packet that goes out and comes back in has been through the gateway, too.
        let limit = Limit { mtu: Mtu::ETHERNET, interface: self.inside };
        self.limited_route(&gateway, vpc.cidr.trunc(), by(2, names::ROUTER_ADDRESS), limit);
        self.route(&gateway, EVERYWHERE, by(3, names::INTERNET_ADDRESS));
        if let Some(block) = vpc.ipv6 {
            self.route(&router, block, Way::Unreachable);
            self.route(&router, EVERYWHERE_IPV6, by(2, names::NEXT_HOP_IPV6));
            self.route(&gateway, block, by(2, names::BACK_HOP_IPV6));
            self.route(&gateway, EVERYWHERE_IPV6, by(3, names::NEXT_HOP_IPV6));
        }
    }

    fn public_addresses(&mut self, number: u32, addresses: &[IpNet]) {
        for address in addresses {
            let index = gateway_port_index(number);
            let way = match address {
                IpNet::V4(_) => by(index, names::gateway_outside_address(number)),
                IpNet::V6(_) => by(index, names::BACK_HOP_IPV6),
            };
            self.route(&names::internet(), *address, way);
        }
    }

    /// The harness' own node: canary packets come from the gateway, go through the filter and end here.
    fn canary(&mut self, vpc: &VpcName, number: u32) -> Result<(), CompileError> {
        let (router, canary) = (names::router(vpc), names::canary(vpc));
        self.node(canary.clone(), NodeKind::Canary, Families::Ipv4, None)?;
        self.link(
            (Wire::Canary, number),
            &Side {
                node: &router,
                interface: names::CANARY,
                index: CANARY_INDEX,
                mtu: self.inside,
                addresses: Vec::new(),
                neighbours: vec![names::CANARY_ADDRESS.into()],
            },
            &Side {
                node: &canary,
                interface: "eth0",
                index: 2,
                mtu: self.inside,
                addresses: vec![names::CANARY_ADDRESS.into()],
                neighbours: vec![names::ROUTER_ADDRESS.into()],
            },
        );
        let address = IpAddr::from(names::CANARY_ADDRESS);
        self.route(&router, address, Way::Link { index: CANARY_INDEX });
        self.route(&names::gateway(vpc), address, by(2, names::ROUTER_ADDRESS));
        self.route(&canary, EVERYWHERE, by_from(2, names::ROUTER_ADDRESS, names::CANARY_ADDRESS));
        Ok(())
    }

    fn interface(&mut self, cloud: &Cloud, interface: &Interface, families: Families) -> Result<(), CompileError> {
        let answering = is_answering(cloud, interface);
        let Some(PrivateIp(private)) = interface.private else { return Ok(()) };
        let (node, router) = (names::holder(&interface.id.holder()), names::router(&interface.vpc));
        if interface.id.device() == 0 || !self.network.nodes.contains_key(&node) {
            let instance = interface.id.instance().and_then(|name| cloud.instances.get(name));
            let forwarding = instance.map(|instance| instance.forwarding);
            let kind = match forwarding {
                None => NodeKind::LoadBalancer,
                Some(Forwarding::None) => NodeKind::Instance,
                Some(Forwarding::Plain | Forwarding::Nat) => NodeKind::Appliance,
            };
            let ruleset = (forwarding == Some(Forwarding::Nat)).then(translation::nat_instance);
            self.node(node.clone(), kind, families, ruleset)?;
        }
        let ipv6 = interface.ipv6.map(|ipv6| ipv6.0);
        let (further, prefixes): (Vec<Ipv6Net>, Vec<Ipv6Net>) =
            interface.ipv6_blocks().partition(|block| block.prefix_len() == 128);
        // Each of a delegated prefix is one of them, so that whoever holds it is known by an address everywhere.
        let privates: Vec<IpAddr> = interface.private_addresses().map(|own| IpAddr::V4(own.0)).collect();
        let held: Vec<IpAddr> =
            privates.iter().copied().chain(further.iter().map(|block| IpAddr::V6(block.addr()))).collect();
        // All of a prefix is behind one neighbour.
        let behind = (!prefixes.is_empty()).then_some(IpAddr::V6(names::BACK_HOP_IPV6));
        let next = ipv6.map(|_| IpAddr::V6(names::NEXT_HOP_IPV6));
        let index = names::port_index(interface.number);
        let device = u32::from(interface.id.device());
        self.link(
            (Wire::Instance, interface.number),
            &Side {
                node: &router,
                interface: &names::port(&interface.id, interface.number),
                index,
                mtu: self.inside,
                addresses: Vec::new(),
                neighbours: held.iter().copied().chain(behind).collect(),
            },
            &Side {
                node: &node,
                interface: &format!("eth{device}"),
                index: 2 + device,
                mtu: self.inside,
                addresses: if answering { held.clone() } else { Vec::new() },
                neighbours: std::iter::once(names::ROUTER_ADDRESS.into()).chain(next).collect(),
            },
        );
        for address in held {
            self.route(&router, address, Way::Link { index });
        }
        for prefix in &prefixes {
            self.route(&router, *prefix, Way::Delegated { index, to: names::BACK_HOP_IPV6.into() });
        }
        if !answering {
            return Ok(());
        }
        for prefix in &prefixes {
            self.route_in(Table::LOCAL, &node, *prefix, Way::Local { index: 2 + device });
        }
        // What the instance begins leaves by the first interface, and what has another's address leaves by that one.
        let table = Table(interface.id.device().into());
        let way = by_from(2 + device, names::ROUTER_ADDRESS, private);
        self.route_in(table, &node, EVERYWHERE, way);
        if device > 0 {
            for own in privates {
                self.policy(&node, Selected::Source(own.into()), table);
            }
            // An appliance passes on by this interface what a route leads to it.
            if self.network.nodes.get(&node).is_some_and(|node| node.kind == NodeKind::Appliance) {
                self.policy(&node, Selected::From(format!("eth{device}")), table);
            }
        }
        if let Some(ipv6) = ipv6 {
            self.route_in(table, &node, EVERYWHERE_IPV6, by_from(2 + device, names::NEXT_HOP_IPV6, ipv6));
            if device > 0 {
                for block in further.iter().chain(&prefixes) {
                    self.policy(&node, Selected::Source((*block).into()), table);
                }
            }
        }
        Ok(())
    }

    fn host(&mut self, name: &HostName, host: &Host, number: u32, families: Families) -> Result<(), CompileError> {
        let (node, internet) = (names::host(name), names::internet());
        self.node(node.clone(), NodeKind::Host, families, None)?;
        let addresses = host_addresses(host, families);
        let both = families == Families::Both;
        let here: Vec<IpAddr> = [names::INTERNET_ADDRESS.into()]
            .into_iter()
            .chain(both.then_some(names::INTERNET_ADDRESS_IPV6.into()))
            .collect();
        let next = both.then_some(IpAddr::V6(names::NEXT_HOP_IPV6));
        let index = 2000 + number;
        self.link(
            (Wire::Host, number),
            &Side {
                node: &internet,
                interface: &names::host_port(name.as_str(), number),
                index,
                mtu: host.mtu,
                addresses: here,
                neighbours: addresses.clone(),
            },
            &Side {
                node: &node,
                interface: "eth0",
                index: 2,
                mtu: Mtu::ETHERNET,
                addresses: addresses.clone(),
                neighbours: std::iter::once(names::INTERNET_ADDRESS.into()).chain(next).collect(),
            },
        );
        for address in &addresses {
            self.route(&internet, *address, Way::Link { index });
        }
        // The small link is one on the way, so the host's own interface knows nothing of it, and its TCP announces what that takes.
        // It has learned already how much gets through in its own direction: its side of a veth is not told.
        let limit = Limit { mtu: host.mtu, interface: Mtu::ETHERNET };
        if let Some(first) = addresses.iter().find(|address| address.is_ipv4()) {
            self.limited_route(&node, EVERYWHERE, by_from(2, names::INTERNET_ADDRESS, *first), limit);
        }
        if let Some(first) = addresses.iter().find(|address| address.is_ipv6()) {
            self.limited_route(&node, EVERYWHERE_IPV6, by_from(2, names::NEXT_HOP_IPV6, *first), limit);
        }
        Ok(())
    }

    /// A shortened name may meet one that somebody chose.
    fn check_ports(&self) -> Result<(), CompileError> {
        let mut taken = IndexSet::new();
        for link in self.network.links.values() {
            for end in [&link.upper, &link.lower] {
                if !taken.insert((&end.node, &end.interface)) {
                    return Err(CompileError::Taken { what: "the interface", name: end.interface.clone() });
                }
            }
        }
        Ok(())
    }
}

const EVERYWHERE: Ipv4Net = match Ipv4Net::new(Ipv4Addr::UNSPECIFIED, 0) {
    Ok(net) => net,
    Err(_) => panic!("a constant prefix length"),
};

const EVERYWHERE_IPV6: Ipv6Net = match Ipv6Net::new(Ipv6Addr::UNSPECIFIED, 0) {
    Ok(net) => net,
    Err(_) => panic!("a constant prefix length"),
};

/// The index of the canary's link in its router.
const CANARY_INDEX: u32 = 3;

fn gateway_port_index(number: u32) -> u32 {
    1000 + number
}

fn by(index: u32, gateway: impl Into<IpAddr>) -> Way {
    Way::Gateway { index, gateway: gateway.into(), source: None }
}

fn by_from(index: u32, gateway: impl Into<IpAddr>, source: impl Into<IpAddr>) -> Way {
    Way::Gateway { index, gateway: gateway.into(), source: Some(source.into()) }
}
