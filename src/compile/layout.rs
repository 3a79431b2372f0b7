//! Namespaces, links and routes of a cloud.

use std::net::Ipv4Addr;

use indexmap::{IndexMap, IndexSet};
use ipnet::Ipv4Net;

use super::error::CompileError;
use super::names::{self, Wire};
use super::network::{End, Link, Network, Node, NodeKind, NodeName, Route, Way};
use super::nft::Ruleset;
use super::{filter, translation};
use crate::model::{Cloud, Host, HostName, InstanceState, Interface, PrivateIp, PublicIp, Vpc, VpcName};

/// Compiles a cloud: every namespace, link, route and ruleset that stands for it.
///
/// # Errors
/// A cloud that no network stands for, such as a rule that names an unknown group.
pub fn network(cloud: &Cloud) -> Result<Network, CompileError> {
    check_names(cloud)?;
    let mut builder = Builder::default();
    let mut bound = Vec::new();
    builder.node(names::internet(), NodeKind::Internet, None)?;
    builder.internet_routes(cloud);
    for (number, (name, vpc)) in (1..).zip(&cloud.vpcs) {
        let attached = attached(cloud, name);
        let pairs: Vec<_> = attached.iter().filter_map(|i| Some((i.private?, i.public?))).collect();
        builder.node(names::router(name), NodeKind::Router, Some(filter::ruleset(cloud, name, vpc, &attached)?))?;
        builder.node(names::gateway(name), NodeKind::Gateway, Some(translation::gateway(&pairs)))?;
        builder.vpc(name, vpc, number);
        builder.public_addresses(number, &pairs);
        bound.extend(pairs.iter().map(|(_, public)| (names::gateway_port(name, number), *public)));
        builder.canary(name, number)?;
        for interface in attached {
            builder.interface(interface, is_answering(cloud, interface))?;
        }
    }
    for (number, (name, host)) in (1..).zip(&cloud.hosts) {
        builder.host(name, host, number)?;
        let port = names::host_port(name.as_str(), number);
        bound.extend(host.addresses.iter().map(|address| (port.clone(), *address)));
    }
    if let Some(internet) = builder.network.nodes.get_mut(&names::internet()) {
        internet.ruleset = Some(translation::internet(bound));
    }
    builder.check_ports()?;
    Ok(builder.network)
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
    let up = cloud.interfaces().filter(|(_, instance, _)| instance.state != InstanceState::Stopped);
    up.map(|(_, _, interface)| interface).filter(|i| i.vpc == *vpc && i.private.is_some()).collect()
}

fn is_answering(cloud: &Cloud, interface: &Interface) -> bool {
    cloud.instances.get(&interface.id.instance).is_some_and(|instance| instance.state == InstanceState::Running)
}

/// The longest name of a group, a VPC, an instance or a host: EC2 allows a group 255, and nft a chain 255 with ours
/// before it.
const LONGEST_NAME: usize = 200;

fn check_names(cloud: &Cloud) -> Result<(), CompileError> {
    let groups = cloud.groups.keys().map(|name| ("group", name.as_str()));
    let vpcs = cloud.vpcs.keys().map(|name| ("VPC", name.as_str()));
    let instances = cloud.instances.keys().map(|name| ("instance", name.as_str()));
    let hosts = cloud.hosts.keys().map(|name| ("host", name.as_str()));
    for (what, name) in groups.chain(vpcs).chain(instances).chain(hosts) {
        let spelled = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
        if !spelled || name.is_empty() || matches!(name, "." | "..") || name.len() > LONGEST_NAME {
            return Err(CompileError::Name { what, name: name.to_owned(), longest: LONGEST_NAME });
        }
    }
    for (name, group) in &cloud.groups {
        if !cloud.vpcs.contains_key(&group.vpc) {
            return Err(CompileError::UnknownVpc { group: name.clone(), vpc: group.vpc.clone() });
        }
    }
    for (_, _, interface) in cloud.interfaces() {
        if !cloud.vpcs.contains_key(&interface.vpc) {
            return Err(CompileError::HomelessInterface {
                interface: interface.id.clone(),
                vpc: interface.vpc.clone(),
            });
        }
    }
    Ok(())
}

#[derive(Default)]
struct Builder {
    network: Network,
}

/// One side of a link being made.
struct Side<'a> {
    node: &'a NodeName,
    interface: &'a str,
    index: u32,
    addresses: Vec<Ipv4Addr>,
    /// Addresses of the other side.
    neighbours: Vec<Ipv4Addr>,
}

impl Builder {
    fn node(&mut self, name: NodeName, kind: NodeKind, ruleset: Option<Ruleset>) -> Result<(), CompileError> {
        if self.network.nodes.contains_key(&name) {
            return Err(CompileError::Taken { what: "the namespace", name: name.0 });
        }
        self.network.nodes.insert(name, Node { kind, routes: IndexSet::new(), ruleset });
        Ok(())
    }

    fn route(&mut self, node: &NodeName, destination: Ipv4Net, way: Way) {
        if let Some(node) = self.network.nodes.get_mut(node) {
            node.routes.insert(Route { destination, way });
        }
    }

    fn link(&mut self, (wire, number): (Wire, u32), upper: &Side<'_>, lower: &Side<'_>) {
        let (upper_mac, lower_mac) = names::macs(wire, number);
        let end = |side: &Side<'_>, mac, other: [u8; 6]| End {
            node: side.node.clone(),
            interface: side.interface.to_owned(),
            index: side.index,
            mac,
            addresses: side.addresses.iter().copied().collect(),
            neighbours: side.neighbours.iter().map(|address| (*address, other)).collect::<IndexMap<_, _>>(),
        };
        let link = Link { upper: end(upper, upper_mac, lower_mac), lower: end(lower, lower_mac, upper_mac) };
        self.network.links.insert(names::link(lower.node, lower.interface), link);
    }

    /// What nobody holds is nobody's, and the sender is told.
    fn internet_routes(&mut self, cloud: &Cloud) {
        self.route(&names::internet(), cloud.public_pool, Way::Unreachable);
        self.route(&names::internet(), EVERYWHERE, Way::Unreachable);
    }

    /// The links and routes between a VPC's router, its gateway and the internet.
    fn vpc(&mut self, name: &VpcName, vpc: &Vpc, number: u32) {
        let (router, gateway, internet) = (names::router(name), names::gateway(name), names::internet());
        self.link(
            (Wire::Gateway, number),
            &Side {
                node: &gateway,
                interface: names::GATEWAY_INSIDE,
                index: 2,
                addresses: vec![names::GATEWAY_ADDRESS],
                neighbours: vec![names::ROUTER_ADDRESS],
            },
            &Side {
                node: &router,
                interface: names::GW,
                index: 2,
                addresses: vec![names::ROUTER_ADDRESS],
                neighbours: vec![names::GATEWAY_ADDRESS],
            },
        );
        self.link(
            (Wire::Internet, number),
            &Side {
                node: &internet,
                interface: &names::gateway_port(name, number),
                index: gateway_port_index(number),
                addresses: vec![names::INTERNET_ADDRESS],
                neighbours: vec![names::GATEWAY_OUTSIDE_ADDRESS],
            },
            &Side {
                node: &gateway,
                interface: names::GATEWAY_OUTSIDE,
                index: 3,
                addresses: vec![names::GATEWAY_OUTSIDE_ADDRESS],
                neighbours: vec![names::INTERNET_ADDRESS],
            },
        );
        self.route(&router, vpc.cidr.trunc(), Way::Unreachable);
        self.route(&router, EVERYWHERE, by(2, names::GATEWAY_ADDRESS));
        self.route(&gateway, vpc.cidr.trunc(), by(2, names::ROUTER_ADDRESS));
        self.route(&gateway, EVERYWHERE, by(3, names::INTERNET_ADDRESS));
    }

    fn public_addresses(&mut self, number: u32, pairs: &[(PrivateIp, PublicIp)]) {
        for (_, public) in pairs {
            let way = by(gateway_port_index(number), names::GATEWAY_OUTSIDE_ADDRESS);
            self.route(&names::internet(), Ipv4Net::from(public.0), way);
        }
    }

    /// The harness' own node: canary packets come from the gateway, go through the filter and end here.
    fn canary(&mut self, vpc: &VpcName, number: u32) -> Result<(), CompileError> {
        let (router, canary) = (names::router(vpc), names::canary(vpc));
        self.node(canary.clone(), NodeKind::Canary, None)?;
        self.link(
            (Wire::Canary, number),
            &Side {
                node: &router,
                interface: names::CANARY,
                index: 3,
                addresses: Vec::new(),
                neighbours: vec![names::CANARY_ADDRESS],
            },
            &Side {
                node: &canary,
                interface: "eth0",
                index: 2,
                addresses: vec![names::CANARY_ADDRESS],
                neighbours: vec![names::ROUTER_ADDRESS],
            },
        );
        let address = Ipv4Net::from(names::CANARY_ADDRESS);
        self.route(&router, address, Way::Link { index: 3 });
        self.route(&names::gateway(vpc), address, by(2, names::ROUTER_ADDRESS));
        self.route(&canary, EVERYWHERE, by_from(2, names::ROUTER_ADDRESS, names::CANARY_ADDRESS));
        Ok(())
    }

    fn interface(&mut self, interface: &Interface, answering: bool) -> Result<(), CompileError> {
        let Some(PrivateIp(private)) = interface.private else { return Ok(()) };
        let (node, router) = (names::instance(&interface.id.instance), names::router(&interface.vpc));
        if interface.id.device == 0 || !self.network.nodes.contains_key(&node) {
            self.node(node.clone(), NodeKind::Instance, None)?;
        }
        let index = names::port_index(interface.number);
        let device = u32::from(interface.id.device);
        self.link(
            (Wire::Instance, interface.number),
            &Side {
                node: &router,
                interface: &names::port(&interface.id, interface.number),
                index,
                addresses: Vec::new(),
                neighbours: vec![private],
            },
            &Side {
                node: &node,
                interface: &format!("eth{device}"),
                index: 2 + device,
                addresses: if answering { vec![private] } else { Vec::new() },
                neighbours: vec![names::ROUTER_ADDRESS],
            },
        );
        self.route(&router, Ipv4Net::from(private), Way::Link { index });
        // The second interface is for what is addressed to it; what the instance begins leaves by the first.
        if answering && device == 0 {
            self.route(&node, EVERYWHERE, by_from(2, names::ROUTER_ADDRESS, private));
        }
        Ok(())
    }

    fn host(&mut self, name: &HostName, host: &Host, number: u32) -> Result<(), CompileError> {
        let (node, internet) = (NodeName(name.to_string()), names::internet());
        self.node(node.clone(), NodeKind::Host, None)?;
        let addresses: Vec<Ipv4Addr> = host.addresses.iter().map(|address| address.0).collect();
        let index = 2000 + number;
        self.link(
            (Wire::Host, number),
            &Side {
                node: &internet,
                interface: &names::host_port(name.as_str(), number),
                index,
                addresses: vec![names::INTERNET_ADDRESS],
                neighbours: addresses.clone(),
            },
            &Side {
                node: &node,
                interface: "eth0",
                index: 2,
                addresses: addresses.clone(),
                neighbours: vec![names::INTERNET_ADDRESS],
            },
        );
        for address in &addresses {
            self.route(&internet, Ipv4Net::from(*address), Way::Link { index });
        }
        if let Some(first) = addresses.first() {
            self.route(&node, EVERYWHERE, by_from(2, names::INTERNET_ADDRESS, *first));
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

fn gateway_port_index(number: u32) -> u32 {
    1000 + number
}

fn by(index: u32, gateway: Ipv4Addr) -> Way {
    Way::Gateway { index, gateway, source: None }
}

fn by_from(index: u32, gateway: Ipv4Addr, source: Ipv4Addr) -> Way {
    Way::Gateway { index, gateway, source: Some(source) }
}
