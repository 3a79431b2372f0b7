//! A cloud as a topology file, with its truth table.

mod bits;
mod classes;
mod cover;
mod judged;
mod said;
mod selectors;

use indexmap::IndexSet;

use super::predict;
use super::results::RunVerdict;
use super::run::Options;
use crate::model::{Cloud, Endpoint, Era, InstanceName, InterfaceHolder, Service};
use crate::policy::behind::{Behind, Listens, listener};
use crate::topology::write::{self, Promise, Unwritable};
use crate::topology::{Egress, ExpectedOutcome, Topology, columns_of};
use bits::Bits;
use classes::ClassId;
use cover::{Ports, Receivers, cover};
use judged::{Cells, Judged};

/// Listeners of load balancers.
type Closing = IndexSet<(InterfaceHolder, Service)>;

/// A cloud that cannot be written as a file with what is open in it, or not at all.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// Nobody is asked of anything, or what is open is not told from what is not.
    #[error("no table says what is open in this cloud")]
    NoTable,
    /// The format has no words for it.
    #[error("this cloud cannot be written as a file: {0}")]
    NoWords(#[from] Unwritable),
}

/// Writes the cloud as it stands under a title, with what is open in it, which `sglab test` holds against the packets.
///
/// # Errors
/// [`ExportError`] where the format has no words for it.
pub fn export(cloud: &Cloud, title: &str) -> Result<String, ExportError> {
    kept(cloud, title).map(|(text, _)| text)
}

/// Writes the cloud as it stands with all that is open in it.
///
/// # Errors
/// [`ExportError`] where the format has no words for it, or no table says what is open.
pub(super) fn with_table(cloud: &Cloud, title: &str) -> Result<String, ExportError> {
    match kept(cloud, title)? {
        (_, Promise::RulesUnchanged | Promise::Nothing) => Err(ExportError::NoTable),
        (text, Promise::Table { .. } | Promise::Flows(_)) => Ok(text),
    }
}

/// Writes the cloud with the first promise that keeps its word.
fn kept(cloud: &Cloud, title: &str) -> Result<(String, Promise), ExportError> {
    // A table brings strangers, which a cloud that never had one has not; and a host may be let in by one of its addresses
    // only, for which a table has no words.
    let closing = closing(cloud);
    let judged = Judged::of(cloud, &columns_of(cloud, &egress(cloud)), &egress(cloud));
    // Each is read again and held against what is judged, so the second is made only where the first does not do.
    let tables = closing.iter().filter_map(|closing| table(cloud, &judged, closing));
    let promises = tables.chain(closing.iter().map(|closing| lists(cloud, &judged, closing)));
    // Where instances are stopped, that this edits no rule is something to hold.
    for promise in promises.chain([Promise::RulesUnchanged]) {
        if let Ok(text) = write::write(cloud, title, &promise)
            && holds(&text, cloud.era)
        {
            return Ok((text.trim_end().to_owned() + "\n", promise));
        }
    }
    Err(without_table(cloud, title).err().unwrap_or(ExportError::NoTable))
}

/// Writes the cloud as it stands, with nothing that is expected of it.
///
/// # Errors
/// [`ExportError`] where the format has no words for it.
pub fn without_table(cloud: &Cloud, title: &str) -> Result<String, ExportError> {
    let text = write::write(&write::without_strangers(cloud), title, &Promise::Nothing)?;
    Ok(text.trim_end().to_owned() + "\n")
}

/// Cuts a file that was written here: its cloud, and the tables and steps behind it, which say what holds there.
pub fn parts(text: &str) -> (&str, &str) {
    let begins = ["\ntables:", "\nscenario:"].into_iter().filter_map(|key| text.find(key)).min();
    text.split_at(begins.map_or(text.len(), |newline| newline + 1))
}

/// Returns false for a file of which its own prediction is that it fails: a line means more than the cell that it is there for, or to name a port
/// makes another one the port that nothing names.
fn holds(text: &str, era: Era) -> bool {
    let Ok(topology) = Topology::parse("exported.yaml", text.as_bytes()) else { return false };
    if let Some(holds) = said::holds(&topology, era) {
        return holds;
    }
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

/// As a table, and what of it is closed. Nothing where it has no words for some cell.
fn table(cloud: &Cloud, judged: &Judged, closing: &Closing) -> Option<Promise> {
    let open = cover(cloud, judged, (Ports::Kinds, Receivers::ByGroup), |_, cells| cells.open.clone());
    let closed = cover(cloud, judged, (Ports::Each, Receivers::ByName), closed(judged, closing));
    let ports = judged.columns.first().filter(|_| open.lines.is_empty()).map(ToString::to_string);
    open.is_whole.then(|| Promise::Table {
        egress: egress(cloud),
        open: open.lines,
        closed: closed.lines,
        ports: ports.into_iter().collect(),
    })
}

/// As lists of what is open, closed and dropped. What holds of one address of a host only is on none.
fn lists(cloud: &Cloud, judged: &Judged, closing: &Closing) -> Promise {
    let closed = closed(judged, closing);
    let open =
        cover(cloud, judged, (Ports::Each, Receivers::ByGroup), |pair, cells| cells.open.but(&closed(pair, cells)));
    let dropped = cover(cloud, judged, (Ports::Each, Receivers::ByGroup), |_, cells| cells.refused.clone());
    Promise::Flows(vec![
        (ExpectedOutcome::Open, open.lines),
        (ExpectedOutcome::Closed, cover(cloud, judged, (Ports::Each, Receivers::ByName), &closed).lines),
        (ExpectedOutcome::Dropped, dropped.lines),
    ])
}

/// The cells that a load balancer closes, of those that are open.
fn closed<'a>(judged: &'a Judged, closing: &'a Closing) -> impl Fn((ClassId, ClassId), &Cells) -> Bits + 'a {
    |(_, to), cells| {
        let holder = judged.classes.members[to].first().and_then(Endpoint::holder);
        let is_closing = |column: &usize| {
            holder.as_ref().is_some_and(|holder| closing.contains(&(holder.clone(), judged.columns[*column])))
        };
        cells.open.iter().filter(is_closing).collect()
    }
}

/// Where nothing drops what goes out, there is nothing to say of it.
fn egress(cloud: &Cloud) -> Egress {
    if cloud.has_egress_rules() && !cloud.hosts.is_empty() { Egress::All } else { Egress::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_file_is_cut_before_its_tables_and_steps() {
        let cloud = "# a shop\nsglab: 1\ninstances:\n  tables: {groups: G}\n";
        for holds in ["tables:\n  t: {open: []}\nscenario:\n  - step: s\n", "scenario:\n  - step: s\n", ""] {
            assert_eq!(parts(&(cloud.to_owned() + holds)), (cloud, holds));
        }
    }
}
