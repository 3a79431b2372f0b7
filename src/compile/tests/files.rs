//! Clouds as a file describes them, and networks as a reader sees them.

use std::fmt::Write;

use crate::model::{Cloud, Era};
use crate::network::*;
use crate::topology::Topology;
use crate::topology::sample::after;

/// A cloud with everything that the compiler has words for.
pub fn everything() -> Cloud {
    let topology = Topology::parse("everything.yaml", include_bytes!("../everything.yaml"));
    let cloud = topology.unwrap_or_else(|problems| panic!("{problems}")).initial_cloud(Era::Vpc).unwrap();
    // A file routes only to what passes packets on; somebody may think better of that later.
    after(&cloud, "source-dest-check: {firewall: on}")
}

/// The boxes of a network, with their routes and links, and nothing of their rulesets.
pub fn boxes(network: &Network) -> String {
    let mut text = format!("{:?}\n", network.timeouts);
    for (name, node) in &network.nodes {
        let filter = if node.ruleset.is_some() { ", with a ruleset" } else { "" };
        writeln!(text, "\n{name}: {:?}, {:?}{filter}", node.kind, node.families).unwrap();
        for route in &node.routes {
            let table = if route.table.0 == 0 { String::new() } else { format!(" in table {}", route.table.0) };
            let limit = route.limit.map_or_else(String::new, |limit| format!(", at most {} bytes", limit.mtu));
            writeln!(text, "  {} {}{table}{limit}", route.destination, way(&route.way)).unwrap();
        }
        for Policy { of, table } in &node.policies {
            writeln!(text, "  {of:?} goes by table {}", table.0).unwrap();
        }
    }
    for (name, link) in &network.links {
        writeln!(text, "\n{}\n  {}\n  {}", name.0, end(&link.upper), end(&link.lower)).unwrap();
    }
    text
}

fn way(way: &Way) -> String {
    match way {
        Way::Gateway { index, gateway, source: None } => format!("by {gateway} on {index}"),
        Way::Gateway { index, gateway, source: Some(source) } => format!("by {gateway} on {index} from {source}"),
        Way::Link { index } => format!("on {index}"),
        Way::Delegated { index, to } => format!("to {to} on {index}"),
        Way::Local { index } => format!("is its own on {index}"),
        Way::Unreachable => "is nobody's".to_owned(),
        Way::Main => "as the main table says".to_owned(),
    }
}

fn end(end: &End) -> String {
    let mac = |mac: &[u8; 6]| mac.map(|byte| format!("{byte:02x}")).join(":");
    let addresses: Vec<_> = end.addresses.iter().map(ToString::to_string).collect();
    let neighbours: Vec<_> = end.neighbours.iter().map(|(address, at)| format!("{address} at {}", mac(at))).collect();
    let (addresses, neighbours) = (addresses.join(" "), neighbours.join(", "));
    let End { node, interface, index, mtu, .. } = end;
    format!("{node}.{interface} {index} {} of {mtu} bytes: [{addresses}] sees {neighbours}", mac(&end.mac))
}
