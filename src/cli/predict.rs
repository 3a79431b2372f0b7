//! `sglab predict`.

use std::io::{IsTerminal, Write};

use anyhow::bail;
use clap::Args;
use sglab::model::Era;
use sglab::report::json::{self, Listed};
use sglab::report::{self, Broken, Entry, Style, terminal};
use sglab::scenario::{Options, RunError, predict};
use sglab::topology::Topology;

use super::common::{Exit, PlainFormat, When, no_step};
use super::output::stdout;
use super::{screen, sources, steps};

/// `sglab predict`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sglab predict two-tier.yaml
      every step, and whether its expectations would hold
  sglab predict two-tier.yaml --grid
      with the whole truth table of every step
  sglab predict two-tier.yaml --step 3 --format json
  sglab predict topologies
      all files of a folder
  sglab predict self-trust.yaml --era classic,vpc

No packet is sent: `sglab test` compares every cell with what is predicted here.

Exit codes: 0 every expectation would hold, 1 one would not, 2 bad input, 4 none is known to fail, but one cannot be predicted.")]
pub(crate) struct PredictArguments {
    /// Topology files, folders of them, or built-in ones
    #[arg(required = true, value_name = "FILE|DIR|example:NAME")]
    pub topologies: Vec<String>,
    /// Stop after the step with this number
    #[arg(long, value_name = "N", value_parser = steps::number)]
    pub step: Option<usize>,
    /// Under these eras instead of the file's own; separate several by commas
    #[arg(long, value_enum, value_delimiter = ',', value_name = "ERA")]
    pub era: Vec<Era>,
    /// Show the whole truth table of every step
    #[arg(long)]
    pub grid: bool,
    /// How to print the predictions
    #[arg(long, value_enum, default_value_t = PlainFormat::Text)]
    pub format: PlainFormat,
    /// List every cell in JSON, however many there are
    #[arg(long)]
    pub all_cells: bool,
    /// When to colour
    #[arg(long, value_enum, default_value_t = When::Auto)]
    pub color: When,
}

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
    let typed = &arguments.era;
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
