//! A cloud as a topology file, with its truth table.

use std::collections::HashMap;

use indexmap::{IndexMap, IndexSet};

use super::results::RunVerdict;
use super::run::Options;
use super::{cells, predict};
use crate::model::{Cloud, Endpoint, Era, Flow, InstanceName, InterfaceHolder, Service, Verdict, Via};
use crate::policy;
use crate::policy::behind::{Behind, Listens, listener};
use crate::topology::write::{self, Promise};
use crate::topology::{ColumnKind, Egress, ExpectedOutcome, Topology, columns_of};

/// Listeners of load balancers.
type Closing = IndexSet<(InterfaceHolder, Service)>;

/// A cloud that cannot be written as a file.
#[derive(Debug, thiserror::Error)]
#[error("this cloud cannot be written as a file: {0}")]
pub struct ExportError(String);

/// Writes the cloud as it stands under a title, with what is open in it, which `sglab test` holds against the packets.
///
/// # Errors
/// [`ExportError`] where the format has no words for it.
pub fn export(cloud: &Cloud, title: &str) -> Result<String, ExportError> {
    // A table brings strangers, which a cloud that never had one has not; and a host may be let in by one of its addresses
    // only, for which a table has no words.
    let closing = closing(cloud);
    // Each asks every flow, so the second is made only where the first does not do.
    let tables = closing.iter().map(|closing| table(cloud, closing));
    let promises = tables.chain(closing.iter().map(|closing| lists(cloud, closing)));
    let mut failed = None;
    for promise in promises.chain([Promise::RulesUnchanged]) {
        match write::write(cloud, title, &promise) {
            Ok(text) if !holds(&text, cloud.era) => {}
            Ok(text) => return Ok(text.trim_end().to_owned() + "\n"),
            Err(why) => failed = failed.or(Some(why)),
        }
    }
    Err(ExportError(failed.map_or_else(String::new, |why| why.to_string())))
}

/// Returns false for a file of which its own prediction is that it fails: a line means more than the cell that it is there for, or to name a port
/// makes another one the port that nothing names.
fn holds(text: &str, era: Era) -> bool {
    let Ok(topology) = Topology::parse("exported.yaml", text.as_bytes()) else { return false };
    let predicted = predict::predict(&topology, era, &Options::default(), &mut |_| ());
    // What is not predicted, such as a program of whom nothing is known, is no reason.
    predicted.is_ok_and(|result| result.verdict != RunVerdict::Failed)
}

/// The listeners of load balancers that close what they take, having nobody in service. Nothing where what they do depends
/// on whose turn it is.
fn closing(cloud: &Cloud) -> Option<Closing> {
    let listens = |_: &InstanceName, _: Service| Listens::Yes;
    let mut closed = IndexSet::new();
    for (name, balancer) in &cloud.load_balancers {
        for own in balancer.listeners.keys() {
            match listener(cloud, balancer, *own, &listens)? {
                Behind::Closed => drop(closed.insert((name.into(), Service::Tcp(*own)))),
                Behind::Answered { .. } => {}
                Behind::Misdelivered { .. } | Behind::InTurn | Behind::OnAProgram { .. } => return None,
            }
        }
    }
    Some(closed)
}

/// As a table, and what of it is closed.
fn table(cloud: &Cloud, closing: &Closing) -> Promise {
    let open = lines(cloud, Ports::Kinds, |_, verdict| verdict.is_open());
    let closed = match closing.is_empty() {
        true => IndexSet::new(),
        false => lines(cloud, Ports::Each, closed(closing)),
    };
    let ports = columns_of(cloud, &egress(cloud)).first().filter(|_| open.is_empty()).map(ToString::to_string);
    Promise::Table {
        egress: egress(cloud),
        open: open.into_iter().collect(),
        closed: closed.into_iter().collect(),
        ports: ports.into_iter().collect(),
    }
}

/// As lists of what is open, closed and dropped. A host that is let in by one of its addresses only is on none.
fn lists(cloud: &Cloud, closing: &Closing) -> Promise {
    let is_closed = closed(closing);
    let closed = lines(cloud, Ports::Each, &is_closed);
    let open = lines(cloud, Ports::Each, |flow, verdict| verdict.is_open() && !is_closed(flow, verdict));
    let dropped = lines(cloud, Ports::Each, |_, verdict| verdict.refused_at().is_some());
    let let_in: IndexSet<String> = open.union(&closed).cloned().collect();
    let but = |own: IndexSet<String>, other: &IndexSet<String>| own.difference(other).cloned().collect();
    Promise::Flows(vec![
        (ExpectedOutcome::Open, but(open, &dropped)),
        (ExpectedOutcome::Closed, but(closed, &dropped)),
        (ExpectedOutcome::Dropped, but(dropped, &let_in)),
    ])
}

fn closed(closing: &Closing) -> impl Fn(&Flow, &Verdict) -> bool {
    |flow, verdict| {
        let to = flow.to.holder().map(|to| (to, flow.service));
        verdict.is_open() && to.is_some_and(|to| closing.contains(&to))
    }
}

/// Where nothing drops what goes out, there is nothing to say of it.
fn egress(cloud: &Cloud) -> Egress {
    if cloud.has_egress_rules() && !cloud.hosts.is_empty() { Egress::All } else { Egress::default() }
}

/// Ports in the words of lines.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ports {
    /// One line each.
    Each,
    /// One line for all of a kind, if it holds of all. One that nothing names could not be named: another would take its place.
    Kinds,
}

/// The flows by private address of which something holds: a line for what holds of everybody, and else one for each.
fn lines(cloud: &Cloud, ports: Ports, holds: impl Fn(&Flow, &Verdict) -> bool) -> IndexSet<String> {
    let extent = cells::Extent { vias: IndexSet::from([None]), egress: egress(cloud) };
    let columns = columns_of(cloud, &egress(cloud));
    let mut cells: IndexMap<Endpoint, IndexMap<Service, Vec<(Flow, bool)>>> = IndexMap::new();
    let mut families = Families::default();
    for flow in extent.grid(cloud, &columns) {
        let holds = holds(&flow, &policy::judge(cloud, &flow));
        families.note(&flow, holds);
        let of_receiver = cells.entry(flow.to.clone()).or_default();
        of_receiver.entry(flow.service).or_default().push((flow, holds));
    }
    let mut lines: IndexSet<String> = IndexSet::new();
    for of_receiver in cells.values() {
        let asked: Vec<Service> = of_receiver.keys().copied().collect();
        let of_all = of_receiver.iter().filter(|(_, flows)| flows.iter().all(|(_, holds)| *holds));
        let of_all: IndexSet<Service> = of_all.map(|(service, _)| *service).collect();
        let mut of_each: IndexMap<&Endpoint, (&Flow, IndexSet<Service>)> = IndexMap::new();
        for (flow, _) in of_receiver.values().flatten().filter(|(_, holds)| *holds) {
            of_each.entry(&flow.from).or_insert_with(|| (flow, IndexSet::new())).1.insert(flow.service);
        }
        // `any` means strangers too: where none of them can ask, a line for everybody would promise what was not asked.
        let strangers = cloud.hosts.is_empty()
            || of_receiver.values().flatten().any(|(flow, _)| matches!(flow.from, Endpoint::Host(..)));
        let of_all = if strangers { of_all } else { IndexSet::new() };
        if let Some((flow, _)) = of_each.values().next() {
            let suffix =
                if of_receiver.values().flatten().any(|(other, _)| families.differ(other)) { by(flow.via) } else { "" };
            for written in told(flow, &of_all, &of_all, &asked, ports) {
                let to = written.split_once(" -> ").map_or(written.as_str(), |(_, to)| to);
                lines.insert(format!("any -> {to}{suffix}"));
            }
        }
        for (flow, own) in of_each.values() {
            let more: IndexSet<Service> = own.difference(&of_all).copied().collect();
            let suffix = if families.differ(flow) { by(flow.via) } else { "" };
            lines.extend(told(flow, own, &more, &asked, ports).into_iter().map(|line| line + suffix));
        }
    }
    lines
}

/// Services, each with whether the cell holds.
type Cells = IndexSet<(Service, bool)>;

/// Cells of each pair of ends, by family of addresses. Where the families differ, a line about the pair names its family.
#[derive(Default)]
struct Families {
    /// By the names of both ends: cells over IPv4, cells over IPv6.
    pairs: HashMap<(String, String), [Cells; 2]>,
}

impl Families {
    fn note(&mut self, flow: &Flow, holds: bool) {
        let cells = self.pairs.entry((flow.from.to_string(), flow.to.to_string())).or_default();
        cells[usize::from(flow.via.is_ipv6())].insert((flow.service, holds));
    }

    /// Returns true if a cell of the pair holds by one family and not by the other.
    fn differ(&self, flow: &Flow) -> bool {
        let cells = self.pairs.get(&(flow.from.to_string(), flow.to.to_string()));
        cells.is_some_and(|[four, six]| {
            !four.is_empty() && !six.is_empty() && four.iter().any(|(service, holds)| six.contains(&(*service, !holds)))
        })
    }
}

fn by(via: Via) -> &'static str {
    if via == Via::Ipv6 { " by ipv6 address" } else { " by public address" }
}

/// Lines about the pair of a flow for `more` of its own ports, of those that are asked.
fn told(
    flow: &Flow,
    own: &IndexSet<Service>,
    more: &IndexSet<Service>,
    asked: &[Service],
    ports: Ports,
) -> Vec<String> {
    let mut kinds = kinds(own, asked, ports);
    kinds.retain(|kind| more.iter().any(|service| kind.has(*service)));
    let single = more.iter().filter(|service| !kinds.iter().any(|kind| kind.has(**service)));
    let single = single.map(|&service| write::flow(&Flow { service, ..flow.clone() }));
    kinds.iter().map(|kind| write::open_cells(flow, *kind)).chain(single).collect()
}

/// The kinds of ports that are there as a whole: everything, or some of its parts.
fn kinds(own: &IndexSet<Service>, asked: &[Service], ports: Ports) -> Vec<ColumnKind> {
    let whole = |kind: &ColumnKind| {
        let mut all = asked.iter().filter(|service| kind.has(**service)).peekable();
        all.peek().is_some() && all.all(|service| own.contains(service))
    };
    match ports {
        Ports::Each => Vec::new(),
        Ports::Kinds if whole(&ColumnKind::All) => vec![ColumnKind::All],
        // A ping alone is said as what it is.
        Ports::Kinds => [ColumnKind::Tcp, ColumnKind::Udp].into_iter().filter(whole).collect(),
    }
}
