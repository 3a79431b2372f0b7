//! `sglab diff --prove`: what differs by prediction, sent as packets in labs of both clouds.

use anyhow::bail;
use sglab::account::Account;
use sglab::import::{Written, topology_of};
use sglab::model::{Cloud, Era};
use sglab::report::{self, Entry, Style, TopologyOrigin, terminal};
use sglab::scenario::differing::{Differing, FlowChange};
use sglab::scenario::proved::ProvedDifference;
use sglab::scenario::{self, Options};
use sglab::topology::Topology;

use super::sources::{launched, with_strangers};
use crate::cli::common::Exit;
use crate::cli::{broken, host, screen, sources as topologies};

/// Result of a proof: the exit code that packets ask for, and what they met.
pub(super) struct Proving {
    pub exit: Exit,
    pub proved: Option<ProvedDifference>,
}

impl From<Exit> for Proving {
    fn from(exit: Exit) -> Self {
        Self { exit, proved: None }
    }
}

/// Boots both clouds and sends what differs. Says why, where it proves nothing.
///
/// # Errors
/// If a cloud cannot be made a topology.
pub(super) fn run(old: &Account, new: &Account, is_same: bool) -> anyhow::Result<Proving> {
    let sides = [("OLD", topology_of(old)), ("NEW", topology_of(new))];
    let clouds = sides.iter().map(|(name, written)| cloud(name, written)).collect::<anyhow::Result<Vec<Cloud>>>()?;
    let [first, second] = clouds.as_slice() else { bail!("two clouds are needed") };
    let differing = Differing::new(first, second);
    if differing.is_empty() {
        screen::tell(match is_same {
            true => "nothing is sent: there is no difference to prove",
            false => "no packet tells the difference: nobody has an address by which what differs is reached",
        });
        return Ok(Proving { exit: Exit::Ok, proved: Some(ProvedDifference::default()) });
    }
    let mut topologies = Vec::new();
    for ((name, written), text) in sides.iter().zip([differing.of_first(), differing.of_second()]) {
        topologies.push(match text.is_empty() {
            true => None,
            false => match topologies::value_or_tell(written.topology(name, &text)) {
                Some(topology) => Some(with_strangers(topology)),
                None => return Ok(Exit::BadInput.into()),
            },
        });
    }
    let labs = match host::run_until_signal(async { Ok(all(&topologies).await) })? {
        Ok(labs) => labs,
        Err(exit) => return Ok(exit.into()),
    };
    let ran = |side: usize| match labs.get(side) {
        Some(Some(Entry::Ran(result))) => Some(result.as_ref()),
        Some(Some(Entry::Broken(_)) | None) | None => None,
    };
    let proved = Some(ProvedDifference::new(&differing, ran(0), ran(1)));
    let entries: Vec<Entry> = labs.iter().flatten().cloned().collect();
    let code = report::exit_code(&entries);
    if code != report::PASSED {
        let style = Style { topology: TopologyOrigin::Import, ..Style::default() };
        let told: String = entries.iter().map(|entry| terminal::whole(entry, style)).collect();
        screen::tell(told.trim_end());
    } else if is_same && differing.flows.iter().any(|flow| flow.change != FlowChange::OpenedAtNewEnds) {
        // An instance that stands for another may have another name.
        screen::tell("error: packets show a difference that the comparison of rules does not");
        return Ok(Proving { exit: Exit::Differs, proved });
    }
    Ok(Proving { exit: code.into(), proved })
}

fn cloud(name: &str, written: &Written) -> anyhow::Result<Cloud> {
    let topology = written.topology(name, "").map_err(|problems| anyhow::anyhow!("{problems}"))?;
    launched(topology, Era::Vpc)
}

/// Runs each side that has something to send.
async fn all(topologies: &[Option<Topology>]) -> Vec<Option<Entry>> {
    let mut entries = Vec::new();
    for topology in topologies {
        let Some(topology) = topology else {
            entries.push(None);
            continue;
        };
        let ran = scenario::run(topology, Era::Vpc, &Options::default(), &mut |_| {}).await;
        entries.push(Some(match ran {
            Ok(result) => Entry::from(result),
            Err(error) => Entry::Broken(broken::of(topology, Era::Vpc, &error)),
        }));
    }
    entries
}
