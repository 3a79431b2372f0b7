//! The picture: classes of ends as boxes, and as arrows what the truth table holds open between them.

use indexmap::{IndexMap, IndexSet};
use serde::Serialize;

use super::cell::Standing;
use super::classes::{Class, ClassKey, Classes};
use super::table::{Shown, Table};
use crate::graph::{BoxKind, Drawing, Line, Member, MemberState, NodeBox, Picture};
use crate::model::{Cloud, Endpoint, InterfaceId};
use crate::scenario;

/// Members of a class whose addresses are shown; of more, some names are.
const NAMED: usize = 4;

/// Boxes while they are filled. An instance by itself may have the name of a group.
type Boxes = IndexMap<(BoxKind, Apart, String), (NodeBox, LiveBox)>;

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Apart {
    Group,
    One,
}

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
    /// Draws a table. Classes of one title are one box.
    pub fn new(cloud: &Cloud, table: &Table, shown: &Shown) -> Self {
        let classes = Classes::new(cloud, &shown.open);
        let mut boxes: Boxes = IndexMap::new();
        let box_of: Vec<usize> = classes.iter().map(|class| put(cloud, class, &mut boxes)).collect();
        let mut flows: IndexMap<(usize, usize), IndexMap<String, LivePort>> = IndexMap::new();
        for (index, cell) in table.cells.iter().enumerate() {
            let Some(cell) = cell else { continue };
            let (row, column, port) = table.place(index);
            let ends = (box_of[table.rows[row].side.class], box_of[table.columns[column].class]);
            let port = table.services[port].to_string();
            let ports = flows.entry(ends).or_default();
            let port = ports.entry(port.clone()).or_insert_with(|| LivePort {
                port,
                standing: Standing::Measured.letter(),
                cells: Vec::new(),
                of: 0,
            });
            port.of += 1;
            if cell.outcome(table.moment) == scenario::Class::Open {
                port.cells.push(index);
                port.standing = least(port.standing, cell.standing(table.moment).letter());
            }
        }
        for ports in flows.values_mut() {
            ports.retain(|_, port| !port.cells.is_empty());
        }
        flows.retain(|_, ports| !ports.is_empty());
        let everybody = Everybody::find(&flows, boxes.len());
        for ((_, to), ports) in flows.iter_mut().filter(|((from, _), _)| !is_outside(&boxes, *from)) {
            ports.retain(|port, _| !everybody.reach(*to, port));
        }
        flows.retain(|_, ports| !ports.is_empty());
        for (index, (drawn, _)) in boxes.values_mut().enumerate() {
            let ports: Vec<String> = everybody.ports(index).map(|port| short(port)).collect();
            drawn
                .inward
                .extend((!ports.is_empty()).then(|| Line::Traffic(format!("{} from everybody", ports.join(", ")))));
        }
        let traffic = |ports: &IndexMap<String, LivePort>| ports.keys().map(|port| short(port)).collect();
        let arrows = flows.iter().map(|((from, to), ports)| (*from, *to, traffic(ports)));
        let (drawn, boxes): (Vec<NodeBox>, Vec<LiveBox>) = boxes.into_values().unzip();
        let picture = Picture::of(drawn, arrows);
        let arrows = picture.arrows.iter().map(|arrow| {
            let ports = flows.get(&(arrow.from, arrow.to)).into_iter().flat_map(IndexMap::values).cloned().collect();
            LiveArrow { from: arrow.from, to: arrow.to, ports }
        });
        Self { arrows: arrows.collect(), drawing: Drawing::new(&picture), boxes }
    }
}

/// Ports of boxes that all others reach: an arrow from each inside says less than a word.
struct Everybody {
    ports: IndexSet<(usize, String)>,
}

impl Everybody {
    fn find(flows: &IndexMap<(usize, usize), IndexMap<String, LivePort>>, boxes: usize) -> Self {
        let mut senders: IndexMap<(usize, String), usize> = IndexMap::new();
        for ((_, to), ports) in flows.iter().filter(|((from, to), _)| from != to) {
            for (port, _) in ports.iter().filter(|(_, known)| known.cells.len() == known.of) {
                *senders.entry((*to, port.clone())).or_default() += 1;
            }
        }
        let all = senders.into_iter().filter(|(_, count)| boxes > 2 && *count + 1 == boxes);
        Self { ports: all.map(|(port, _)| port).collect() }
    }

    fn reach(&self, to: usize, port: &str) -> bool {
        self.ports.iter().any(|(known, name)| *known == to && name == port)
    }

    fn ports(&self, to: usize) -> impl Iterator<Item = &String> {
        self.ports.iter().filter(move |(known, _)| *known == to).map(|(_, port)| port)
    }
}

fn is_outside(boxes: &Boxes, index: usize) -> bool {
    boxes.get_index(index).is_some_and(|(_, (drawn, _))| drawn.kind == BoxKind::Outside)
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

/// Puts the members of a class into the box of its title; gives the index of that.
fn put(cloud: &Cloud, class: &Class, boxes: &mut Boxes) -> usize {
    let (kind, title) = match &class.key {
        ClassKey::Host(_) => (BoxKind::Outside, &class.title),
        ClassKey::LoadBalancer(_) => (BoxKind::LoadBalancers, &class.title),
        ClassKey::Interfaces(_) => (BoxKind::Members, &class.title),
        ClassKey::One(name) => (BoxKind::Members, name),
    };
    let apart = if matches!(class.key, ClassKey::One(_)) { Apart::One } else { Apart::Group };
    let entry = boxes.entry((kind, apart, title.clone()));
    let index = entry.index();
    let (drawn, live) = entry.or_insert_with(|| {
        let drawn = NodeBox {
            title: title.clone(),
            kind,
            members: Vec::new(),
            outward: Vec::new(),
            inward: Vec::new(),
            reaching: Vec::new(),
        };
        (drawn, LiveBox { title: class.title.clone(), members: Vec::new() })
    });
    for member in &class.members {
        let text = if class.members.len() > NAMED { member.end.to_string() } else { line(cloud, &member.end) };
        // Its line says the state in its own word: stopped, crashed, pending.
        drawn.members.push(Member { name: text, others: Vec::new(), state: MemberState::Running });
        live.members.push(member.end.to_string());
    }
    index
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
