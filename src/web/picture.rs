//! The picture: classes of ends as boxes, and as arrows what the truth table holds open between them.

use std::collections::HashMap;

use indexmap::{IndexMap, IndexSet};
use serde::Serialize;

use super::cell::Standing;
use super::classes::{Class, ClassKey, Classes};
use super::table::{Shown, Table};
use crate::graph::{BoxKind, Drawing, Line, Member, MemberState, NodeBox, Picture};
use crate::model::{Cloud, Endpoint, InstanceName, InstanceState, Service};
use crate::scenario;

/// Boxes while they are filled. An instance by itself may have the name of a group.
type Boxes = IndexMap<(BoxKind, Apart, String), (NodeBox, LiveBox)>;

/// Ports of an arrow while they are counted.
type Ports = IndexMap<Service, LivePort>;

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
    /// Its members.
    pub members: Vec<LiveMember>,
}

/// A member of a box.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LiveMember {
    /// Its name: `web1`, `web1.eth1`.
    pub name: String,
    /// The interface of an instance that it is; nothing for a host and a load balancer.
    pub interface: Option<LiveInterface>,
}

/// An interface of an instance, as the state of the lab names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LiveInterface {
    /// The instance.
    pub instance: InstanceName,
    /// `eth0`, `eth1` ...
    pub device: String,
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
    pub port: Service,
    /// The weakest evidence of any of its cells.
    pub standing: Standing,
    /// Indexes of its cells that are open.
    pub cells: Vec<usize>,
    /// Pairs of a sender and a receiver that have it open, by any of the addresses that are shown.
    pub open: usize,
    /// Pairs, open or not.
    pub of: usize,
}

impl LivePicture {
    /// Draws a table. Classes of one title are one box.
    pub fn new(cloud: &Cloud, table: &Table, shown: &Shown) -> Self {
        let classes = Classes::new(cloud, &shown.open);
        let mut boxes: Boxes = IndexMap::new();
        let box_of: Vec<usize> = classes.iter().map(|class| put(cloud, class, &mut boxes)).collect();
        let mut flows: IndexMap<(usize, usize), Ports> = IndexMap::new();
        let mut pairs = Pairs::default();
        for (index, cell) in table.cells.iter().enumerate() {
            let Some(cell) = cell else { continue };
            let (row, column, port) = table.place(index);
            let ends = (box_of[table.rows[row].side.class], box_of[table.columns[column].class]);
            let service = table.services[port];
            let ports = flows.entry(ends).or_default();
            let port = ports.entry(service).or_insert_with(|| LivePort {
                port: service,
                standing: Standing::Measured,
                cells: Vec::new(),
                open: 0,
                of: 0,
            });
            let is_open = cell.outcome(table.moment) == scenario::Class::Open;
            // A host with two addresses has a row for each, and is one sender.
            let sender = if is_outside(&boxes, ends.0) { "" } else { table.rows[row].side.title.as_str() };
            pairs.count(port, (ends.0, sender, column), cell.pairs, is_open);
            if is_open {
                port.cells.push(index);
                port.standing = port.standing.min(cell.standing(table.moment));
            }
        }
        for ports in flows.values_mut() {
            ports.retain(|_, port| !port.cells.is_empty());
        }
        flows.retain(|_, ports| !ports.is_empty());
        let everybody = Everybody::find(&flows, boxes.len());
        for ((_, to), ports) in flows.iter_mut().filter(|((from, _), _)| !is_outside(&boxes, *from)) {
            ports.retain(|port, _| !everybody.reach(*to, *port));
        }
        flows.retain(|_, ports| !ports.is_empty());
        for (index, (drawn, _)) in boxes.values_mut().enumerate() {
            let ports: Vec<String> = everybody.ports(index).map(short).collect();
            drawn
                .inward
                .extend((!ports.is_empty()).then(|| Line::Traffic(format!("{} from everybody", ports.join(", ")))));
        }
        let traffic = |ports: &Ports| ports.keys().copied().map(short).collect();
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

/// Pairs of instances, each once, whatever the number of addresses by which one is asked about.
#[derive(Default)]
struct Pairs {
    /// By box and name of the sender, column of the receiver, and port.
    known: HashMap<(usize, String, usize, Service), Counted>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Counted {
    Closed,
    Open,
}

impl Pairs {
    fn count(
        &mut self,
        port: &mut LivePort,
        (sender_box, sender, to): (usize, &str, usize),
        pairs: usize,
        is_open: bool,
    ) {
        let key = (sender_box, sender.to_owned(), to, port.port);
        let before = self.known.get(&key).copied();
        if before.is_none() {
            port.of += pairs;
        }
        if is_open && before != Some(Counted::Open) {
            port.open += pairs;
        }
        let is_open = is_open || before == Some(Counted::Open);
        self.known.insert(key, if is_open { Counted::Open } else { Counted::Closed });
    }
}

/// Ports of boxes that all others reach: an arrow from each inside says less than a word.
struct Everybody {
    ports: IndexSet<(usize, Service)>,
}

impl Everybody {
    fn find(flows: &IndexMap<(usize, usize), Ports>, boxes: usize) -> Self {
        let mut senders: IndexMap<(usize, Service), usize> = IndexMap::new();
        for ((_, to), ports) in flows.iter().filter(|((from, to), _)| from != to) {
            for (port, _) in ports.iter().filter(|(_, known)| known.open == known.of) {
                *senders.entry((*to, *port)).or_default() += 1;
            }
        }
        let all = senders.into_iter().filter(|(_, count)| boxes > 2 && *count + 1 == boxes);
        Self { ports: all.map(|(port, _)| port).collect() }
    }

    fn reach(&self, to: usize, port: Service) -> bool {
        self.ports.contains(&(to, port))
    }

    fn ports(&self, to: usize) -> impl Iterator<Item = Service> {
        self.ports.iter().filter(move |(known, _)| *known == to).map(|(_, port)| *port)
    }
}

fn is_outside(boxes: &Boxes, index: usize) -> bool {
    boxes.get_index(index).is_some_and(|(_, (drawn, _))| drawn.kind == BoxKind::Outside)
}

/// `tcp 80` is `80`, and `icmp echo` is `ping`, as in files.
fn short(port: Service) -> String {
    match port {
        Service::Tcp(port) => port.to_string(),
        Service::IcmpEcho => "ping".to_owned(),
        Service::Udp(_) | Service::Icmp(_) | Service::Protocol(_) => port.to_string(),
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
        let (name, detail) = match &member.end {
            Endpoint::Host(_, address) => (address.to_string(), None),
            end => (end.to_string(), detail(cloud, end)),
        };
        let state = if member.runs { MemberState::Running } else { MemberState::Stopped };
        drawn.members.push(Member { name, others: Vec::new(), detail, state });
        live.members.push(live_member(&member.end));
    }
    index
}

fn live_member(end: &Endpoint) -> LiveMember {
    let interface = end.interface().and_then(|id| id.attachment().cloned());
    let interface = interface.map(|at| LiveInterface { instance: at.instance, device: format!("eth{}", at.device) });
    LiveMember { name: end.to_string(), interface }
}

/// Its address; of what does not run its state.
fn detail(cloud: &Cloud, end: &Endpoint) -> Option<String> {
    let id = end.interface()?;
    let state = id.instance().and_then(|name| cloud.instances.get(name)).map(|it| it.state);
    let address = cloud.interface(&id).and_then(|it| it.private);
    Some(match (state, address) {
        (Some(state @ (InstanceState::Stopped | InstanceState::Crashed)), _) => state.to_string(),
        (Some(InstanceState::Running) | None, Some(address)) => address.to_string(),
        (Some(InstanceState::Running) | None, None) => "no address".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Era, Via};
    use crate::protocol::Revision;
    use crate::topology::Topology;
    use crate::web::cell::Moment;

    #[test]
    fn a_member_is_told_by_its_own_interface_and_not_by_the_first_of_its_instance() {
        let text = "sglab: 1\nera: vpc\nhosts: {office: 203.0.113.10}\ngroups: {a: [tcp 80 from anywhere], b: [tcp 22 from a]}\n\
                    instances: {x: {groups: a, interfaces: {eth1: {groups: b}}}}\n\
                    load-balancers: {site: {groups: a, listeners: [tcp 80], targets: [x]}}\n";
        let topology = Topology::parse_cloud("t.yaml", text.as_bytes()).unwrap_or_else(|problems| panic!("{problems}"));
        let cloud = topology.initial_cloud(Era::Vpc).unwrap();
        let now = (Revision::default(), Moment::default().next());
        let table = Table::new(&cloud, now, &Shown::usual(), Table::default());
        let boxes = LivePicture::new(&cloud, &table, &Shown::usual()).boxes;
        let members: Vec<&LiveMember> = boxes.iter().flat_map(|it| &it.members).collect();
        let told = |name: &str, interface: Option<(&str, &str)>| LiveMember {
            name: name.to_owned(),
            interface: interface.map(|(instance, device)| LiveInterface {
                instance: InstanceName::new(instance),
                device: device.to_owned(),
            }),
        };
        let wanted = [
            told("office", None),
            told("site", None),
            told("x", Some(("x", "eth0"))),
            told("x.eth1", Some(("x", "eth1"))),
        ];
        for one in &wanted {
            assert!(members.contains(&one), "{one:?} among {members:?}");
        }
        assert_eq!(members.len(), wanted.len(), "{members:?}");
    }

    #[test]
    fn counts_are_of_pairs_each_once_whatever_the_number_of_addresses() {
        let text = "sglab: 1\nera: vpc\nhosts: {office: [203.0.113.10, 203.0.113.11]}\n\
                    groups: {a: [tcp 80 from office, tcp 22 from 10.0.0.50], b: [tcp 443 from a]}\n\
                    instances:\n  x: {groups: b, address: 10.0.0.50}\n  w: {groups: b}\n  y: {groups: a}\n  z: {groups: a}\n";
        let topology = Topology::parse_cloud("t.yaml", text.as_bytes()).unwrap_or_else(|problems| panic!("{problems}"));
        let cloud = topology.initial_cloud(Era::Vpc).unwrap();
        for vias in [IndexSet::from([None]), IndexSet::from([None, Some(Via::Public), Some(Via::Dns)])] {
            let shown = Shown { vias, ..Shown::usual() };
            let now = (Revision::default(), Moment::default().next());
            let table = Table::new(&cloud, now, &shown, Table::default());
            let picture = LivePicture::new(&cloud, &table, &shown);
            let title = |index: usize| picture.boxes[index].title.as_str();
            let counts = picture.arrows.iter().flat_map(|arrow| {
                arrow.ports.iter().map(|it| (title(arrow.from), title(arrow.to), short(it.port), it.open, it.of))
            });
            let mut counts: Vec<_> = counts.collect();
            counts.sort_unstable();
            let wanted = [("a", "b", "443", 4, 4), ("b", "a", "22", 2, 4), ("office", "a", "80", 2, 2)];
            let wanted = wanted.map(|(from, to, port, open, of)| (from, to, port.to_owned(), open, of));
            assert_eq!(counts, wanted, "{:?}", shown.vias);
        }
    }
}
