//! The picture: classes of ends as boxes, and as arrows what the truth table holds open between them.

use indexmap::{IndexMap, IndexSet};
use serde::Serialize;

use super::classes::{Class, ClassKey, Classes};
use super::table::{Shown, Standing, Table};
use crate::graph::{BoxKind, Drawing, NodeBox, Picture};
use crate::model::{Cloud, Endpoint, InterfaceId};
use crate::scenario;

/// A drawing, with what its boxes and arrows stand for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LivePicture {
    /// Places of everything.
    pub drawing: Drawing,
    /// For each box its title and its members.
    pub boxes: Vec<LiveBox>,
    /// For each arrow its ports.
    pub arrows: Vec<LiveArrow>,
}

/// A box.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LiveBox {
    /// The whole title.
    pub title: String,
    /// Names of its members.
    pub members: Vec<String>,
}

/// An arrow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LiveArrow {
    /// Index of the sender's box.
    pub from: usize,
    /// Index of the receiver's box.
    pub to: usize,
    /// Its ports.
    pub ports: Vec<LivePort>,
}

/// A port of an arrow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LivePort {
    /// The port.
    pub port: String,
    /// `m`, `s` or `p` as in the table: the least that is known of any of its cells.
    pub standing: char,
    /// Indexes of its cells that are open.
    pub cells: Vec<usize>,
    /// Number of its cells, open or not.
    pub of: usize,
}

impl LivePicture {
    /// Draws a table.
    pub fn new(cloud: &Cloud, table: &Table, shown: &Shown) -> Self {
        let classes = Classes::new(cloud, &shown.open);
        let boxes: Vec<NodeBox> = classes.iter().map(|class| a_box(cloud, class)).collect();
        let mut flows: IndexMap<(usize, usize), IndexMap<String, LivePort>> = IndexMap::new();
        for (index, cell) in table.cells.iter().enumerate() {
            let Some(cell) = cell else { continue };
            let (row, column, port) = table.place(index);
            let ends = (table.rows[row].side.class, table.columns[column].class);
            let port = table.services[port].to_string();
            let ports = flows.entry(ends).or_default();
            let port = ports.entry(port.clone()).or_insert_with(|| LivePort {
                port,
                standing: Standing::Measured.letter(),
                cells: Vec::new(),
                of: 0,
            });
            port.of += 1;
            if cell.outcome(table.revision) == scenario::Class::Open {
                port.cells.push(index);
                port.standing = least(port.standing, cell.standing(table.revision).letter());
            }
        }
        for ports in flows.values_mut() {
            ports.retain(|_, port| !port.cells.is_empty());
        }
        flows.retain(|_, ports| !ports.is_empty());
        let traffic = |ports: &IndexMap<String, LivePort>| ports.keys().map(|port| short(port)).collect();
        let arrows = flows.iter().map(|((from, to), ports)| (*from, *to, traffic(ports)));
        let picture = Picture::of(boxes, arrows);
        let live = classes.iter().map(|class| LiveBox {
            title: class.title.clone(),
            members: class.members.iter().map(|member| member.end.to_string()).collect(),
        });
        let boxes = live.collect();
        let arrows = picture.arrows.iter().map(|arrow| {
            let ports = flows.get(&(arrow.from, arrow.to)).into_iter().flat_map(IndexMap::values).cloned().collect();
            LiveArrow { from: arrow.from, to: arrow.to, ports }
        });
        Self { arrows: arrows.collect(), drawing: Drawing::new(&picture), boxes }
    }
}

/// What is known of two together.
fn least(one: char, other: char) -> char {
    let order = [Standing::Predicted, Standing::Stale, Standing::Measured].map(Standing::letter);
    order.into_iter().find(|letter| [one, other].contains(letter)).unwrap_or(one)
}

/// `tcp 80` is `80`, and `icmp echo` is `ping`, as in files.
fn short(port: &str) -> String {
    match port {
        "icmp echo" => "ping".to_owned(),
        _ => port.strip_prefix("tcp ").unwrap_or(port).to_owned(),
    }
}

fn a_box(cloud: &Cloud, class: &Class) -> NodeBox {
    let kind = match class.key {
        ClassKey::Host(_) => BoxKind::Outside,
        ClassKey::LoadBalancer(_) => BoxKind::LoadBalancers,
        ClassKey::Interfaces(_) | ClassKey::One(_) => BoxKind::Members,
    };
    let members: IndexSet<String> = class.members.iter().map(|member| line(cloud, &member.end)).collect();
    NodeBox {
        title: class.title.clone(),
        kind,
        members: members.into_iter().map(|line| (line, Vec::new())).collect(),
        outward: Vec::new(),
        inward: Vec::new(),
        reaching: Vec::new(),
    }
}

/// `web1  10.0.0.11`; of what does not run its state.
fn line(cloud: &Cloud, end: &Endpoint) -> String {
    if let Endpoint::Host(_, address) = end {
        return address.to_string();
    }
    let Some(id) = end.interface() else { return end.to_string() };
    let state = match &id {
        InterfaceId::Instance(at) => cloud.instances.get(&at.instance).map(|it| it.state.to_string()),
        InterfaceId::LoadBalancer(_) => None,
    };
    let address = cloud.interface(&id).and_then(|it| it.private).map(|address| address.to_string());
    let more = match (state, address) {
        (Some(state), _) if state != "running" => state,
        (_, Some(address)) => address,
        _ => "no address".to_owned(),
    };
    format!("{end}  {more}")
}
