//! All that the kernel holds of a lab, in a form in which "as before" is "equal".

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;
use netlink_packet_core::{NLM_F_DUMP, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkMessage};
use netlink_packet_route::neighbour::{NeighbourAttribute, NeighbourMessage, NeighbourState};
use netlink_packet_route::route::{RouteAttribute, RouteMessage, RouteType};
use netlink_packet_route::rule::RuleMessage;
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::constants::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};
use sglab::compile::names;
use sglab::fabric::Namespace;
use sglab::lab::Lab;
use sglab::model::Cloud;
use sglab::network::NodeKind;

use crate::bare::{inside, run, soon};

/// What there is: by namespace and kind, one line for each thing, sorted. Sorted and by value: what was taken away and
/// came back has the same line, whatever its handle.
#[derive(Debug, PartialEq)]
pub struct Snapshot {
    cloud: Cloud,
    hosts: Vec<String>,
    kernel: BTreeMap<String, Vec<String>>,
}

impl Snapshot {
    pub async fn of(lab: &Lab) -> Self {
        let nodes = lab.fabric().nodes().map(|node| async move {
            let mut kernel = inside(node, wiring).await;
            if matches!(node.kind, NodeKind::Router | NodeKind::Gateway | NodeKind::Internet) {
                kernel.insert("rules", ruleset(node).await);
            }
            kernel.into_iter().map(|(kind, lines)| (format!("{} {kind}", node.name), lines)).collect::<Vec<_>>()
        });
        let kernel = join_all(nodes).await.into_iter().flatten().collect();
        let routers = lab.cloud().vpcs.keys().map(names::router).chain([names::internet()]);
        let hosts = routers
            .map(|router| std::fs::read_to_string(lab.fabric().files().hosts_file(&router)).expect("the hosts file"));
        let hosts = hosts.collect();
        Self { cloud: lab.cloud().clone(), hosts, kernel }
    }

    /// Panics with what differs from now, if anything does. The kernel makes the local route of an IPv6 address by a
    /// worker of its own, a moment after the address; so it may take a moment until all is as before.
    pub async fn assert_is_now(&self, lab: &Lab, after: &dyn std::fmt::Display) {
        let begun = Instant::now();
        loop {
            let now = Self::of(lab).await;
            if now == *self {
                return;
            }
            if begun.elapsed() > soon() {
                return now.assert_is(self, after);
            }
            // To look costs far more than to wait so long.
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// What the kernel holds in every namespace but one.
    pub fn but_for(&self, node: &str) -> Vec<(&String, &Vec<String>)> {
        self.kernel.iter().filter(|(key, _)| !key.starts_with(&format!("{node} "))).collect()
    }

    fn assert_is(&self, before: &Self, after: &dyn std::fmt::Display) {
        let empty = Vec::new();
        let keys: std::collections::BTreeSet<_> = before.kernel.keys().chain(self.kernel.keys()).collect();
        for key in keys {
            let (was, is) = (before.kernel.get(key).unwrap_or(&empty), self.kernel.get(key).unwrap_or(&empty));
            let gone: Vec<_> = was.iter().filter(|line| !is.contains(line)).collect();
            let new: Vec<_> = is.iter().filter(|line| !was.contains(line)).collect();
            assert!(was == is, "after {after}, {key}: gone {gone:#?}, new {new:#?}");
        }
        assert_eq!(self.hosts, before.hosts, "after {after}");
        assert!(self.cloud == before.cloud, "after {after} the cloud is another");
        assert!(self == before, "after {after}");
    }
}

/// Every block of a table, with elements sorted: their order is the kernel's.
async fn ruleset(node: &Arc<Namespace>) -> Vec<String> {
    let listed = run(node, "nft", "-s -p list ruleset").await;
    let mut blocks = Vec::new();
    let mut block: Vec<String> = Vec::new();
    let mut elements = String::new();
    for line in listed.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let in_elements = !elements.is_empty();
        if let Some(first) = line.strip_prefix("elements = {") {
            elements = format!("{first} ");
        } else if in_elements {
            elements += line;
        } else if line == "}" {
            if !block.is_empty() {
                blocks.push(std::mem::take(&mut block).join("\n"));
            }
        } else if line.starts_with("table ") {
            blocks.push(line.to_owned());
        } else {
            block.push(line.to_owned());
        }
        if elements.ends_with('}') || elements.ends_with("} ") {
            let text = std::mem::take(&mut elements);
            let mut each: Vec<_> =
                text.trim_end_matches(['}', ' ']).split(',').map(|it| it.trim().to_owned()).collect();
            each.sort();
            // What packets have put there goes by itself, and is no part of what was compiled.
            if !block.iter().any(|line| line.starts_with("flags dynamic")) {
                block.push(each.join(", "));
            }
        }
    }
    assert!(blocks.len() > 1, "{listed}");
    blocks.sort();
    blocks
}

/// Links, addresses, routes, policies and permanent neighbours of this thread's namespace.
fn wiring() -> BTreeMap<&'static str, Vec<String>> {
    let mut links = Vec::new();
    for message in dump(RouteNetlinkMessage::GetLink(LinkMessage::default())) {
        let RouteNetlinkMessage::NewLink(link) = message else { continue };
        let told = |attribute: &&LinkAttribute| {
            matches!(
                attribute,
                LinkAttribute::IfName(_) | LinkAttribute::Address(_) | LinkAttribute::Mtu(_) | LinkAttribute::Link(_)
            )
        };
        // The kernel itself tells the lower side of a pair later that the upper one carries.
        let up = if link.header.flags.contains(LinkFlags::Up) { "up" } else { "down" };
        let attributes: Vec<_> = link.attributes.iter().filter(told).collect();
        links.push(format!("{} {up} {attributes:?}", link.header.index));
    }
    let mut addresses = Vec::new();
    for message in dump(RouteNetlinkMessage::GetAddress(AddressMessage::default())) {
        let RouteNetlinkMessage::NewAddress(mut address) = message else { continue };
        address.attributes.retain(|attribute| !matches!(attribute, AddressAttribute::CacheInfo(_)));
        addresses.push(line(&address));
    }
    let (mut routes, mut policies, mut neighbours) = (Vec::new(), Vec::new(), Vec::new());
    for family in [AddressFamily::Inet, AddressFamily::Inet6] {
        let mut question = RouteMessage::default();
        question.header.address_family = family;
        for message in dump(RouteNetlinkMessage::GetRoute(question)) {
            let RouteNetlinkMessage::NewRoute(mut route) = message else { continue };
            // Each link that is up has one of the kernel's own, which a worker of its makes when it comes to it.
            if route.header.kind == RouteType::Multicast {
                continue;
            }
            route.attributes.retain(|attribute| !matches!(attribute, RouteAttribute::CacheInfo(_)));
            routes.push(line(&route));
        }
        let mut question = RuleMessage::default();
        question.header.family = family;
        for message in dump(RouteNetlinkMessage::GetRule(question)) {
            if let RouteNetlinkMessage::NewRule(rule) = message {
                policies.push(line(&rule));
            }
        }
        let mut question = NeighbourMessage::default();
        question.header.family = family;
        for message in dump(RouteNetlinkMessage::GetNeighbour(question)) {
            let RouteNetlinkMessage::NewNeighbour(mut neighbour) = message else { continue };
            if neighbour.header.state == NeighbourState::Permanent {
                neighbour.attributes.retain(|attribute| {
                    matches!(attribute, NeighbourAttribute::Destination(_) | NeighbourAttribute::LinkLayerAddress(_))
                });
                neighbours.push(line(&neighbour));
            }
        }
    }
    let mut all = BTreeMap::from([
        ("links", links),
        ("addresses", addresses),
        ("routes", routes),
        ("policies", policies),
        ("neighbours", neighbours),
    ]);
    all.values_mut().for_each(|lines| lines.sort());
    all
}

fn line(message: &impl Debug) -> String {
    format!("{message:?}")
}

fn dump(question: RouteNetlinkMessage) -> Vec<RouteNetlinkMessage> {
    let mut socket = Socket::new(NETLINK_ROUTE).expect("a socket");
    socket.bind_auto().expect("bound");
    socket.connect(&SocketAddr::new(0, 0)).expect("connected");
    let mut message = NetlinkMessage::from(question);
    message.header.flags = NLM_F_REQUEST | NLM_F_DUMP;
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    socket.send(&bytes, 0).expect("sent");
    let mut found = Vec::new();
    loop {
        let (buffer, _) = socket.recv_from_full().expect("an answer");
        let mut rest = &buffer[..];
        while !rest.is_empty() {
            let answer = NetlinkMessage::<RouteNetlinkMessage>::deserialize(rest).expect("an answer");
            rest = &rest[(answer.header.length as usize).next_multiple_of(4).min(rest.len())..];
            match answer.payload {
                NetlinkPayload::InnerMessage(message) => found.push(message),
                NetlinkPayload::Done(_) => return found,
                NetlinkPayload::Error(error) if error.code.is_some() => panic!("{error:?}"),
                _ => {}
            }
        }
    }
}
