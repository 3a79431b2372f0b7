//! `sglab diff --prove`: what differs by prediction, sent as packets in labs of both clouds.

use anyhow::bail;
use sglab::account::Account;
use sglab::import::{Written, topology_of};
use sglab::model::{Cloud, Era};
use sglab::report::{self, Entry, Style, TopologyOrigin, count, terminal};
use sglab::scenario::differing::Differing;
use sglab::scenario::{self, Options};
use sglab::topology::Topology;

use super::sources::{launched, with_strangers};
use crate::cli::common::Exit;
use crate::cli::{broken, host, screen, signals, sources as topologies};

/// Boots both clouds and sends what differs. Says what was proved; gives the exit code of that.
///
/// # Errors
/// If a cloud cannot be made a topology.
pub(super) fn run(old: &Account, new: &Account, is_same: bool) -> anyhow::Result<Exit> {
    let sides = [("OLD", topology_of(old)), ("NEW", topology_of(new))];
    let clouds = sides.iter().map(|(name, written)| cloud(name, written)).collect::<anyhow::Result<Vec<Cloud>>>()?;
    let [first, second] = clouds.as_slice() else { bail!("two clouds are needed") };
    let differing = Differing::new(first, second);
    if differing.is_empty() && is_same {
        screen::tell("nothing is sent: there is no difference to prove");
        return Ok(Exit::Ok);
    }
    if differing.is_empty() {
        screen::tell("no packet tells the difference: nobody has an address by which what differs is reached");
        return Ok(Exit::Ok);
    }
    let texts = [differing.of_first(), differing.of_second()];
    let mut topologies = Vec::new();
    for ((name, written), text) in sides.iter().zip(&texts).filter(|(_, text)| !text.is_empty()) {
        match written.topology(name, text) {
            Ok(topology) => topologies.push(with_strangers(topology)),
            Err(problems) => {
                topologies::tell(&[problems]);
                return Ok(Exit::BadInput);
            }
        }
    }
    let Some(_sandbox) = host::enter() else { return Ok(Exit::CannotHost) };
    let Some(runtime) = host::runtime() else { return Ok(Exit::CannotHost) };
    let entries = runtime.block_on(async {
        tokio::select! {
            signal = signals::received() => signal.map(Err),
            entries = all(&topologies) => Ok(Ok(entries)),
        }
    });
    runtime.shutdown_background();
    let entries = match entries? {
        Ok(entries) => entries,
        Err(exit) => return Ok(exit),
    };
    let code = report::exit_code(&entries);
    if code == report::PASSED {
        let opened = count(differing.opened.len(), "flow");
        screen::tell(&format!(
            "proved by packets: {opened} open in NEW and not in OLD, {} the other way round",
            differing.closed.len()
        ));
        if is_same {
            screen::tell("error: packets show a difference that the comparison of rules does not");
            return Ok(Exit::Differs);
        }
    } else {
        let told: String = entries
            .iter()
            .map(|entry| terminal::whole(entry, Style { topology: TopologyOrigin::Import, ..Style::default() }))
            .collect();
        screen::tell(told.trim_end());
    }
    Ok(code.into())
}

fn cloud(name: &str, written: &Written) -> anyhow::Result<Cloud> {
    let topology = written.topology(name, "").map_err(|problems| anyhow::anyhow!("{problems}"))?;
    launched(topology, Era::Vpc)
}

async fn all(topologies: &[Topology]) -> Vec<Entry> {
    let mut entries = Vec::new();
    for topology in topologies {
        let ran = scenario::run(topology, Era::Vpc, &Options::default(), &mut |_| {}).await;
        entries.push(match ran {
            Ok(result) => Entry::from(result),
            Err(error) => Entry::Broken(broken::of(topology, Era::Vpc, &error)),
        });
    }
    entries
}
