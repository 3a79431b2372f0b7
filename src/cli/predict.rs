//! `sglab predict`.

use std::io::{IsTerminal, Write, stdout};

use anyhow::bail;
use sglab::model::Era;
use sglab::report::json::{self, Listed};
use sglab::report::{self, Broken, Entry, Style, terminal};
use sglab::scenario::{Options, RunError, predict};
use sglab::topology::Topology;

use super::arguments::PredictArguments;
use super::common::{Exit, PlainFormat, no_step};
use super::{screen, sources};

pub(super) fn run(arguments: &PredictArguments) -> anyhow::Result<Exit> {
    let read = sources::read_clouds(&arguments.topologies);
    if !read.is_whole() {
        read.tell();
        return Ok(Exit::BadInput);
    }
    let longest = read.topologies.iter().max_by_key(|topology| topology.steps.len());
    if let Some((longest, step)) = longest.zip(arguments.step).filter(|(longest, step)| *step > longest.steps.len()) {
        bail!("{}", no_step(longest, step));
    }
    let color = screen::wanted(arguments.color, stdout().is_terminal());
    let width = screen::width_of(&stdout());
    let style = Style { color, grid: arguments.grid, verbose: arguments.grid, width, ..Style::default() };
    let typed: Vec<Era> = arguments.era.iter().copied().map(Era::from).collect();
    let eras = |topology: &Topology| if typed.is_empty() { topology.eras.clone() } else { typed.clone() };
    let jobs = read.topologies.iter().flat_map(|topology| eras(topology).into_iter().map(move |era| (topology, era)));
    let options = Options { until_step: arguments.step, ..Options::default() };
    let predicted = jobs.map(|(topology, era)| match predict::predict(topology, era, &options, &mut |_| {}) {
        Ok(result) => Entry::from(result),
        Err(error) => Entry::Broken(Broken {
            file: topology.file.clone(),
            era: Some(era),
            place: if let RunError::Initial { place, .. } = &error { place.clone() } else { None },
            error: error.to_string(),
            exit_code: report::BAD_INPUT,
        }),
    });
    let entries: Vec<Entry> = predicted.collect();
    let listed = if arguments.all_cells { Listed::All } else { Listed::Few };
    match arguments.format {
        PlainFormat::Json => write!(stdout(), "{}", json::json(&entries, listed)?)?,
        PlainFormat::Text => {
            let told: String = entries.iter().map(|entry| terminal::whole(entry, style)).collect();
            stdout().write_all(told.as_bytes())?;
        }
    }
    Ok(report::exit_code(&entries).into())
}
