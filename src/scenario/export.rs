//! A cloud as a topology file, with its truth table.

use indexmap::{IndexMap, IndexSet};

use super::cells;
use crate::model::{Cloud, Endpoint, Flow, InstanceName, Service, Verdict};
use crate::policy;
use crate::policy::behind::{Behind, Listens, listener};
use crate::topology::write::{self, Promise};
use crate::topology::{ExpectedOutcome, columns_of};

/// Listeners of load balancers.
type Closing = IndexSet<(InstanceName, Service)>;

/// A cloud that cannot be written as a file.
#[derive(Debug, thiserror::Error)]
#[error("this lab cannot be written as a file: {0}")]
pub struct ExportError(String);

/// Writes the cloud as it stands, with what is open in it, which `sglab test` holds against the packets.
///
/// # Errors
/// [`ExportError`] where the format has no words for it.
pub fn export(cloud: &Cloud, lab: &str) -> Result<String, ExportError> {
    let title = format!("The lab {lab} as it stood when it was exported.");
    // A table brings strangers, which a cloud that never had one has not; and a host may be let in by one of its addresses
    // only, for which a table has no words.
    let promises = closing(cloud).map(|closing| [table(cloud, &closing), lists(cloud, &closing)]);
    let promises = promises.into_iter().flatten();
    let mut failed = None;
    for promise in promises.chain([Promise::RulesUnchanged]) {
        match write::write(cloud, &title, &promise) {
            Ok(text) => return Ok(text.trim_end().to_owned() + "\n"),
            Err(why) => failed = failed.or(Some(why)),
        }
    }
    Err(ExportError(failed.map_or_else(String::new, |why| why.to_string())))
}

/// The listeners of load balancers that close what they take, having nobody in service. Nothing where what they do depends
/// on whose turn it is.
fn closing(cloud: &Cloud) -> Option<Closing> {
    let listens = |_: &InstanceName, _: Service| Listens::Yes;
    let mut closed = IndexSet::new();
    for balancer in cloud.load_balancers.values() {
        for own in balancer.listeners.keys() {
            match listener(cloud, balancer, *own, &listens)? {
                Behind::Closed => drop(closed.insert((balancer.node().clone(), Service::Tcp(*own)))),
                Behind::Answered { .. } => {}
                Behind::Misdelivered { .. } | Behind::InTurn | Behind::OnAProgram { .. } => return None,
            }
        }
    }
    Some(closed)
}

/// As a table, and what of it is closed.
fn table(cloud: &Cloud, closing: &Closing) -> Promise {
    let open = lines(cloud, |_, verdict| verdict.is_open());
    let closed = lines(cloud, closed(closing));
    let ports = columns_of(cloud).first().filter(|_| open.is_empty()).map(ToString::to_string);
    Promise::Table {
        open: open.into_iter().collect(),
        closed: closed.into_iter().collect(),
        ports: ports.into_iter().collect(),
    }
}

/// As lists of what is open, closed and dropped. A host that is let in by one of its addresses only is on none.
fn lists(cloud: &Cloud, closing: &Closing) -> Promise {
    let is_closed = closed(closing);
    let closed = lines(cloud, &is_closed);
    let open = lines(cloud, |flow, verdict| verdict.is_open() && !is_closed(flow, verdict));
    let dropped = lines(cloud, |_, verdict| verdict.refused_at().is_some());
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
        let to = flow.to.instance().map(|to| (to.clone(), flow.service));
        verdict.is_open() && to.is_some_and(|to| closing.contains(&to))
    }
}

/// The flows by private address of which something holds: a line for what holds of everybody, and else one for each.
fn lines(cloud: &Cloud, holds: impl Fn(&Flow, &Verdict) -> bool) -> IndexSet<String> {
    let (columns, vias) = (columns_of(cloud), IndexSet::from([None]));
    let mut cells: IndexMap<(Endpoint, Service), Vec<(Flow, bool)>> = IndexMap::new();
    for flow in cells::grid(cloud, &columns, &vias) {
        let holds = holds(&flow, &policy::judge(cloud, &flow));
        cells.entry((flow.to.clone(), flow.service)).or_default().push((flow, holds));
    }
    let mut lines: IndexSet<String> = IndexSet::new();
    for flows in cells.values() {
        let all = flows.iter().all(|(_, holds)| *holds);
        for (flow, _) in flows.iter().filter(|(_, holds)| *holds) {
            let written = write::flow(flow);
            let to = written.split_once(" -> ").map_or(written.as_str(), |(_, to)| to);
            lines.insert(if all { format!("any -> {to}") } else { written });
        }
    }
    lines
}
